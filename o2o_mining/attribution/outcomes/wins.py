"""What each campaign and merchant brought to three sides: the merchant's margin, the customers' savings, the platform.

The merchant's side is an effect: what would not have been kept without the campaign. The others are counts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd

_MONEY = ("incremental_net_revenue", "media_cost", "merchant_margin", "merchant_margin_low", "merchant_margin_high")
_CENT = Decimal("0.01")
NO_CAMPAIGN_RAN, NOTHING_KNOWN, SOME_LEFT_OUT = "no_campaign", "no_effect_known", "some_campaigns_left_out"
MEDIA_UNKNOWN, NO_COST, NO_AMOUNTS = "media_unknown", "no_cost", "no_amounts"


class Counted(NamedTuple):
    """What the three wins are made of.

    Attributes
    ----------
    campaigns
        ``campaign_id, merchant_id`` of those that began.
    merchants
        ``merchant_id, margin_share`` of the feed.
    sides
        As ``sides.sides`` gives them.
    costs
        ``campaign_id, cost``; cost null where no cost is known at all.
    effects
        Rows of ``incrementality``; none where the log tells no amounts.
    """

    campaigns: pd.DataFrame
    merchants: pd.DataFrame
    sides: pd.DataFrame
    costs: pd.DataFrame
    effects: pd.DataFrame


def three_wins(counted: Counted, *, default_share: float) -> pd.DataFrame:
    """Return one row per campaign and merchant: what each side got.

    Parameters
    ----------
    counted
        The tables.
    default_share
        Margin of a sale where the merchant named none.

    Returns
    -------
    DataFrame
        The columns of ``three_wins`` without as_of.
    """
    own = counted.merchants.set_index("merchant_id")["margin_share"].astype("float64")
    sold_at = counted.sides["id"][counted.sides["level"] == "merchant"]
    campaigns = _campaign_margins(counted)
    campaigns["margin_share"] = campaigns["merchant_id"].map(own)
    unnamed = campaigns["merchant_id"].isna()
    all_told = bool(sold_at.map(own).notna().all())
    campaigns["margin_basis"] = np.where(
        campaigns["margin_share"].notna() | (unnamed & all_told), "merchant", "setting"
    )
    campaigns["margin_share"] = campaigns["margin_share"].fillna(default_share).mask(unnamed)
    merchants = _merchant_margins(campaigns, sorted({*sold_at, *campaigns["merchant_id"].dropna()}))
    merchants["margin_share"] = merchants["id"].map(own)
    merchants["margin_basis"] = np.where(merchants["margin_share"].notna(), "merchant", "setting")
    merchants["margin_share"] = merchants["margin_share"].fillna(default_share)
    levels = {"campaign": campaigns.drop(columns="merchant_id"), "merchant": merchants}
    every = pd.concat([rows.assign(level=level) for level, rows in levels.items()], ignore_index=True)
    every["incremental_roi"] = every["merchant_margin"] / every["media_cost"].where(every["media_cost"] > 0)
    # A margin without a return per money spent says why.
    unsaid = every["reason_code"].isna()
    every.loc[unsaid & every["media_cost"].isna(), "reason_code"] = MEDIA_UNKNOWN
    every.loc[unsaid & (every["media_cost"] == 0), "reason_code"] = NO_COST
    for name in _MONEY:
        every[name] = every[name].map(_to_cents).astype("object")
    return _with_sides(every, counted.sides)


def _to_cents(amount: float) -> Decimal | None:
    return None if np.isnan(amount) else Decimal(repr(float(amount))).quantize(_CENT)


def preferred(effects: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Return one row per campaign for an outcome: the sharper estimate where there are two.

    Parameters
    ----------
    effects
        Rows of ``incrementality``.
    outcome
        The outcome.

    Returns
    -------
    DataFrame
        Indexed by campaign_id: ``total, total_low, total_high, label, reason_code``.
    """
    # cuped has a row beside itt only where it is sharper.
    by_customer = (effects["outcome"] == outcome) & (effects["method"] != "synthetic_control")
    rows = effects[by_customer].assign(sharper=lambda t: t["method"] == "cuped")
    rows = rows.sort_values(["campaign_id", "sharper"]).drop_duplicates("campaign_id", keep="last")
    rows = rows.set_index("campaign_id")
    n = rows["n_treatment"].astype("float64")
    totals = {"total": "effect", "total_low": "effect_low", "total_high": "effect_high"}
    return pd.DataFrame(
        {
            **{name: rows[effect].astype("float64") * n for name, effect in totals.items()},
            "label": rows["label"].astype("object"),
            "reason_code": rows["reason_code"].astype("object").where(rows["reason_code"].notna(), None),
        }
    )


def _campaign_margins(counted: Counted) -> pd.DataFrame:
    """Return one row per campaign: what it caused, less what was spent on it."""
    visits, revenue, margin = (preferred(counted.effects, name) for name in ("purchases", "net_revenue", "margin"))
    rows = counted.campaigns.sort_values("campaign_id").set_index("campaign_id", drop=False)
    cost = counted.costs.set_index("campaign_id")["cost"].astype("float64").reindex(rows.index)
    told = margin[["label", "reason_code"]].reindex(rows.index)
    told["reason_code"] = told["reason_code"].where(told["label"].notna(), NO_AMOUNTS)
    known = (told["label"] != "refused") & told["label"].notna()
    media = cost.fillna(0.0)
    found = {
        f"merchant_margin{end}": (margin[f"total{end}"].reindex(rows.index) - media).where(known)
        for end in ("", "_low", "_high")
    }
    return pd.DataFrame(
        {
            "id": rows["campaign_id"].astype("object"),
            "merchant_id": rows["merchant_id"].astype("object"),
            "incremental_visits": visits["total"].reindex(rows.index),
            "incremental_net_revenue": revenue["total"].reindex(rows.index),
            "media_cost": cost,
            **found,
            "label": told["label"].fillna("refused"),
            "reason_code": told["reason_code"],
        }
    ).reset_index(drop=True)


def _merchant_margins(campaigns: pd.DataFrame, merchants: list[str]) -> pd.DataFrame:
    """Return one row per merchant: the sum over its campaigns that were drawn, else over those that were compared.

    They are taken as independent. What was only compared does not spoil the sum of what was drawn.
    """
    drawn = campaigns[campaigns["label"] == "experiment"]
    others = (campaigns["label"] == "observational") & ~campaigns["merchant_id"].isin(drawn["merchant_id"])
    known = pd.concat([drawn, campaigns[others]])
    half = (known["merchant_margin_high"] - known["merchant_margin_low"]) / 2
    summed = known.assign(square=half**2, observed=known["label"] == "observational").groupby("merchant_id")
    names = ["incremental_visits", "incremental_net_revenue", "media_cost", "merchant_margin"]
    sums = summed[names].sum(min_count=1).reindex(merchants)
    half = np.sqrt(summed["square"].sum().reindex(merchants))
    ran = campaigns.groupby("merchant_id").size().reindex(merchants, fill_value=0)
    measured = summed.size().reindex(merchants, fill_value=0)
    observed = summed["observed"].any().reindex(merchants, fill_value=False)
    return pd.DataFrame(
        {
            "id": merchants,
            **{name: sums[name].to_numpy() for name in names},
            "merchant_margin_low": (sums["merchant_margin"] - half).to_numpy(),
            "merchant_margin_high": (sums["merchant_margin"] + half).to_numpy(),
            "label": np.where(measured == 0, "refused", np.where(observed, "observational", "experiment")),
            "reason_code": [_reason(*pair) for pair in zip(ran, measured, strict=True)],
        }
    )


def _reason(ran: int, measured: int) -> str | None:
    """Return why the margin of a merchant is missing or lacks something, by how many of its campaigns are known."""
    if not ran:
        return NO_CAMPAIGN_RAN
    if not measured:
        return NOTHING_KNOWN
    return SOME_LEFT_OUT if measured < ran else None


def _with_sides(rows: pd.DataFrame, sides: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with what customers and platform got; nobody is nothing."""
    both = rows.merge(sides, on=["level", "id"], how="left")
    counts = ["customers", "returned", "established", "platform_visits", "visits", "priced", "offers"]
    both[counts] = both[counts].fillna(0).astype("int64")
    both["customer_savings"] = both["savings"].where(both["priced"] > 0, None)
    both["offers_per_visit"] = both["offers"] / both["visits"].clip(lower=1)
    both["platform_retention_share"] = both["returned"] / both["established"].clip(lower=1)
    both["visits_per_customer"] = both["platform_visits"] / both["customers"].clip(lower=1)
    return both.sort_values(["level", "id"], ignore_index=True)
