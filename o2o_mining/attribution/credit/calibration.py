"""Credit scaled to what experiments found: a campaign is credited what it caused, not what it met on the way.

Each campaign with a draw has a ratio: the purchases that it caused over those that the model credits to it. The ratios
of single campaigns are noisy, so each is drawn towards the mean of all by as much as its error asks for, and a campaign
without a draw has the mean. What the campaigns lose would have come anyway: it goes to ``direct``, or
from there.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd
import pyarrow as pa

from o2o_mining.attribution.credit.channels import MILLIONTH, as_credit
from o2o_mining.attribution.credit.models import DIRECT
from o2o_mining.attribution.credit.windows import window_starts
from o2o_mining.attribution.effects.experiments import Z95
from o2o_mining.attribution.effects.pooling import Pooled, pooled
from o2o_mining.contracts.attribution import NO_CAMPAIGN

SCALED_MODEL = "linear"
"""The touch-level model whose credit is scaled."""

_METHODS = ("itt", "cuped")


def ratios(credited: pd.Series, found: pd.DataFrame) -> Pooled | None:
    """Return purchases caused per purchase credited of each campaign with a draw; None if none can be compared.

    Parameters
    ----------
    credited
        Conversions credited over all history, by campaign.
    found
        The columns of ``incrementality``.
    """
    rows = found[(found["outcome"] == "purchases") & (found["label"] == "experiment") & found["reason_code"].isna()]
    # Of two methods the sharper one: cuped has a row only where it is.
    sharpest = rows.assign(rank=rows["method"].map(_METHODS.index)).sort_values(["campaign_id", "rank"])
    one = sharpest.drop_duplicates("campaign_id", keep="last").set_index("campaign_id")
    base = credited.reindex(one.index).fillna(0.0)
    one, base = one[base > 0], base[base > 0]
    error = (one["effect_high"] - one["effect_low"]) / (2 * Z95) * one["n_treatment"] / base
    ratio, error = (one["total_effect"] / base)[error > 0], error[error > 0]
    if ratio.empty:
        return None
    return pooled(ratio, error)


def calibrated_credit(credit: pd.DataFrame, found: pd.DataFrame, *, as_of: date) -> pa.Table | None:
    """One channel or campaign in one window: its credit scaled to the experiments; None where there is none.

    Parameters
    ----------
    credit
        What the model scaled credits: ``channel``, ``campaign_id``, ``last_window``, ``parts``, ``revenue_cents``,
        ``refund_cents``.
    found
        The columns of ``incrementality``.
    as_of
        The windows end before this UTC day.

    Returns
    -------
    pyarrow.Table
        As ``channels.channel_credit`` gives. All rows of a level add up to all there is in the window.
    """
    figures = ["millionths", "revenue_cents", "refund_cents"]
    credit = credit.assign(millionths=[round(float(parts) / MILLIONTH) for parts in credit["parts"]])
    credit = credit.assign(campaign_id=credit["campaign_id"].fillna(NO_CAMPAIGN))
    credit[figures] = credit[figures].astype("int64")
    of_campaigns = credit[credit["campaign_id"] != NO_CAMPAIGN]
    scale = ratios(of_campaigns.groupby("campaign_id")["millionths"].sum() / 1e6, found)
    if scale is None:
        return None
    rows = []
    for window in range(len(window_starts(as_of))):
        within = credit[credit["last_window"] >= window]
        cells = within.groupby(["channel", "campaign_id"])[figures].sum()
        factor = pd.Series(cells.index.get_level_values("campaign_id"), index=cells.index)
        factor = factor.map(scale.each).fillna(scale.mean)
        factor[cells.index.get_level_values("campaign_id") == NO_CAMPAIGN] = 1.0
        scaled = cells.mul(factor, axis=0).round().astype("int64")
        left = cells.sum() - scaled.sum()
        for level, rest in (("channel", DIRECT), ("campaign", NO_CAMPAIGN)):
            sums = scaled.groupby(level if level == "channel" else "campaign_id").sum()
            sums.loc[rest] = (sums.loc[rest] if rest in sums.index else 0) + left
            for name, (millionths, revenue, refund) in sums.sort_index().iterrows():
                parts = Decimal(int(millionths) * MILLIONTH)
                rows.append((window, level, name, "calibrated", parts, int(revenue), int(refund)))
    return as_credit(rows)
