"""Segmentation: do scores and rhythm put those first who are still there, and do clusters find the hidden tastes?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from o2o_mining.simulator.chance import Array
from o2o_mining.simulator.findings import Evaluated, Finding, auc
from o2o_mining.simulator.people import LIFESTYLE_SHARES, LIFESTYLES, TASTES
from o2o_mining.simulator.places import CATEGORIES

# The more visits a customer made, the better hidden tastes can be seen.
_VISITS = (5, 20)


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare rankings with who is there and who buys, and clusters with hidden tastes."""
    yield from _rankings(world)
    yield from _tastes(world)


def _rankings(world: Evaluated) -> Iterator[Finding]:
    """Compare what is ranked with who is there and who buys, beside the best ranking that the feeds allow."""
    outlook, segments = world.truth("customer_outlook"), world.estimates("segments")
    if outlook.empty or segments.empty:
        return
    both = outlook.merge(segments.dropna(subset=["recency_days"]), on="customer_id")
    there, buys = both["is_there"].astype(bool), both["purchases"] > 0
    days = int(both["horizon_days"].iloc[0]) if len(both) else 0
    score = both[["r_score", "f_score", "m_score"]].fillna(0).astype(float).sum(axis=1)
    best = 1 - both["p_no_purchase_observable"]
    yield Finding(
        "segmentation", "who is still there, by recency", None, auc(-both["recency_days"].astype(float), there),
        oracle=auc(both["p_there_observable"], there),
    )  # fmt: skip
    if "silence_probability" in both:
        yield Finding(
            "segmentation", "who is still there, by silence against the own rhythm", None,
            auc(both["silence_probability"].astype(float), there), oracle=auc(both["p_there_observable"], there),
        )  # fmt: skip
    for name, ranking in (("recency", -both["recency_days"].astype(float)), ("the sum of r, f and m", score)):
        yield Finding(
            "segmentation", f"who buys within {days} days, by {name}", None, auc(ranking, buys), oracle=auc(best, buys)
        )


def _tastes(world: Evaluated) -> Iterator[Finding]:
    """Compare clusters with tastes by the adjusted Rand index, beside the likeliest taste given all visits.

    The oracle knows the share of each category in each taste; no clustering does.
    """
    states, segments = world.truth("customer_states"), world.estimates("segments")
    if states.empty or segments.empty or segments["cluster"].isna().all():
        return
    # Loading scikit-learn takes a second, which worlds without clusters need not wait for.
    from sklearn.metrics import adjusted_rand_score

    purchases, merchants = world.estimates("purchases"), world.estimates("merchants")
    bought = purchases[purchases["cancelled_at"].isna()].merge(merchants[["merchant_id", "category"]], on="merchant_id")
    counts = pd.crosstab(bought["customer_id"], bought["category"]).reindex(columns=list(CATEGORIES), fill_value=0)
    known = segments.dropna(subset=["cluster"]).merge(states[["customer_id", "lifestyle"]], on="customer_id")
    known = known.merge(counts, left_on="customer_id", right_index=True)
    likeliest = _likeliest(known[list(CATEGORIES)].to_numpy())
    for least in _VISITS:
        some = (known["frequency"] >= least).to_numpy()
        if some.any():
            yield Finding(
                "segmentation", f"clusters against tastes, of customers with {least} purchases or more", None,
                float(adjusted_rand_score(known["lifestyle"][some], known["cluster"][some])),
                oracle=float(adjusted_rand_score(known["lifestyle"][some], likeliest[some])),
            )  # fmt: skip


def _likeliest(counts: Array) -> Array:
    """Return the taste of the largest posterior for each row of counts by category."""
    score = counts @ np.log(TASTES).T + np.log(LIFESTYLE_SHARES)
    return np.asarray(np.array(LIFESTYLES)[score.argmax(axis=1)])
