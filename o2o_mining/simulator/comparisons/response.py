"""Response: who would use the coupons of campaigns that start with the day, if asked, and whom they would move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding, auc

_TENTHS = 10


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare the ranking and the sum of probabilities with the best that the feeds allow, and with what would come."""
    effects, scores = world.truth("campaign_effects"), world.estimates("response_scores")
    if effects.empty or scores.empty:
        return
    effects = effects.dropna(subset=["p1_observable"])
    offered = scores.dropna(subset=["campaign_id"])
    both = effects.merge(offered, on=["campaign_id", "customer_id"], suffixes=("_true", ""))
    if both.empty:
        return
    comes = both["occasion1"].astype(bool)
    yield Finding(
        "response", "who uses a coupon, by redemption_probability", None, auc(both["redemption_probability"], comes),
        oracle=auc(both["p1_observable"], comes),
    )  # fmt: skip
    expected = float(both["redemption_probability"].sum())
    yield Finding("response", "coupons used if all received one", float(comes.sum()), expected)
    yield from _uplift(both)


def _uplift(both: pd.DataFrame) -> Iterator[Finding]:
    """Compare the mean uplift of tenths of like uplift with what an offer truly adds."""
    # The ends of a mean's interval are the means of the ends: customers of a campaign err together.
    told = both.dropna(subset=["uplift"])
    if told.empty:
        return
    true = told["p1"] - told["p0"]
    order = np.lexsort((told["campaign_id"], told["customer_id"], told["uplift"]))
    for number, part in enumerate(np.array_split(order, _TENTHS), start=1):
        if len(part):
            mean = told.iloc[part][["uplift", "uplift_low", "uplift_high"]].mean()
            yield Finding(
                "response", f"mean uplift of tenth {number}", float(true.iloc[part].mean()), float(mean["uplift"]),
                low=float(mean["uplift_low"]), high=float(mean["uplift_high"]),
            )  # fmt: skip
