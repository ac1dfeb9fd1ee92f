"""Attribution: credit and effects found, against the purchases that there were because of channels and campaigns."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare credit with true increments by model, and what experiments found with what they would have to find."""
    yield from _credit(world)
    yield from _effects(world)
    yield from _margins(world)
    yield from _baskets(world)


def _effects(world: Evaluated) -> Iterator[Finding]:
    """Compare the effect of each campaign that was drawn, by each method, with the mean over those drawn."""
    effects, found = world.truth("campaign_effects"), world.estimates("incrementality")
    if effects.empty or found.empty:
        return
    drawn = effects[effects["arm"] != "none"]
    # An offer brings one visit beside the customer's own; whatever the window, that is its effect on purchases.
    caused = drawn["occasion1"].astype(int) - drawn["occasion0"].astype(int)
    true = caused.groupby(drawn["campaign_id"]).mean()
    rows = found[(found["label"] == "experiment") & (found["outcome"] == "purchases")]
    for row in rows.sort_values(["campaign_id", "method"]).to_dict("records"):
        campaign = row["campaign_id"]
        if campaign in true.index:
            estimate, low, high = (float(row[name]) for name in ("effect", "effect_low", "effect_high"))
            quantity = f"{row['method']}: purchases per customer by {campaign}"
            yield Finding("attribution", quantity, float(true[campaign]), estimate, low, high)


def _margins(world: Evaluated) -> Iterator[Finding]:
    """Compare the margin after media of each campaign with what its visits really brought.

    Of one that was drawn the truth is the mean over those drawn, for each who was to be asked; of another what those
    asked brought.
    """
    effects, values = world.truth("campaign_effects"), world.truth("offer_values")
    wins = world.estimates("three_wins")
    if effects.empty or values.empty or wins.empty:
        return
    units = effects.merge(_worth_of_campaigns(world, values), on="campaign_id")
    with_it = units["occasion1"].astype(int) * (units["margin_with"] - units["discount"])
    units["caused"] = with_it - units["occasion0"].astype(int) * units["margin_without"]
    drawn = units[units["arm"] != "none"]
    asked = drawn[drawn["arm"] == "treatment"].groupby("campaign_id").size()
    caused = {
        "experiment": drawn.groupby("campaign_id")["caused"].mean() * asked,
        "observational": units[units["exposed"]].groupby("campaign_id")["caused"].sum(),
    }
    rows = wins[(wins["level"] == "campaign") & wins["label"].isin(list(caused))]
    for row in rows.sort_values(["label", "id"]).to_dict("records"):
        label, campaign = str(row["label"]), row["id"]
        if campaign in caused[label].index:
            true = float(caused[label][campaign]) - float(row["media_cost"] or 0)
            found = (float(row[f"merchant_margin{end}"]) for end in ("", "_low", "_high"))
            yield Finding("attribution", f"{label}: merchant's margin after media by {campaign}", true, *found)


def _worth_of_campaigns(world: Evaluated, values: pd.DataFrame) -> pd.DataFrame:
    """Return of each campaign with a coupon what a visit to its merchant is worth, with the coupon and without."""
    coupons = world.estimates("coupons")[["coupon_id", "campaign_id"]].dropna()
    return coupons.merge(values, on="coupon_id").sort_values("coupon_id").drop_duplicates("campaign_id")


def _baskets(world: Evaluated) -> Iterator[Finding]:
    """Compare what orders for the store are larger by than those delivered: by nothing, the kind is drawn by chance."""
    compared = world.estimates("o2o_b2c")
    if compared.empty or world.truth("campaign_effects").empty:
        return
    rows = compared[(compared["outcome"] == "basket") & (compared["label"] == "observational")]
    for row in rows.sort_values(["dimension", "id"]).to_dict("records"):
        found = (float(row[name]) for name in ("difference", "difference_low", "difference_high"))
        yield Finding("attribution", f"basket in the store less delivered, {row['dimension']} {row['id']}", 0.0, *found)


def _credit(world: Evaluated) -> Iterator[Finding]:
    """Compare credit over all history with true increments, by model: each channel, and all that nobody paid for."""
    increments, credit = world.truth("channel_increments"), world.estimates("campaign_attribution")
    if increments.empty or credit.empty:
        return
    whole = credit[(credit["level"] == "channel") & (credit["window_start"] == credit["window_start"].min())]
    true = increments.groupby("channel")["incremental_conversions"].sum()
    of_campaigns = credit[(credit["level"] == "campaign") & (credit["window_start"] == credit["window_start"].min())]
    by_campaign = increments.groupby("campaign_id")["campaign_incremental_conversions"].first()
    for model, rows in whole.groupby("model", sort=True):
        credited = rows.set_index("id")["conversions"].astype(float)
        for channel, conversions in true.items():
            yield _finding(
                str(model), f"conversions by {channel}", float(conversions), float(credited.get(channel, 0.0))
            )
        some = of_campaigns[of_campaigns["model"] == model].set_index("id")["conversions"].astype(float)
        # Some models credit channels only.
        if not some.empty:
            yield _finding(
                str(model),
                "conversions by all campaigns",
                float(by_campaign.sum()),
                float(some.reindex(by_campaign.index).fillna(0.0).sum()),
            )
        unpaid = credited[~credited.index.isin(true.index)].sum()
        yield _finding(
            str(model), "conversions by channels that nobody pays for and that cause none", 0.0, float(unpaid)
        )


def _finding(model: str, what: str, truth: float, estimate: float) -> Finding:
    return Finding("attribution", f"{model}: {what}", truth, estimate)
