"""Segmentation: do the scores put those first who are still there, and who buy again?"""

from __future__ import annotations

from collections.abc import Iterator

from o2o_mining.simulator.findings import Evaluated, Finding, auc


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare what RFM ranks with who is there and who buys, beside the best ranking that the feeds allow."""
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
    for name, ranking in (("recency", -both["recency_days"].astype(float)), ("the sum of r, f and m", score)):
        yield Finding(
            "segmentation", f"who buys within {days} days, by {name}", None, auc(ranking, buys), oracle=auc(best, buys)
        )
