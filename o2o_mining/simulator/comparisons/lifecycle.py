"""Lifecycle: who is gone, who will not buy, and what customers will bring, customer by customer and in groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding, auc, share_interval

# How many customers make a group whose sum is looked at, and how far 80 % of a normal distribution reaches.
_GROUP = 50
_Z80 = 1.281552


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare rankings with the best that the feeds allow, and money with what customers really brought later."""
    outlook, scores = world.truth("customer_outlook"), world.estimates("churn_scores")
    if outlook.empty or scores.empty:
        return
    both = outlook.merge(scores, on=["customer_id", "horizon_days"], suffixes=("", "_estimated"))
    if both.empty:  # churn was predicted over other days than the world went on for
        both = outlook.merge(scores.drop(columns="horizon_days"), on="customer_id")
    else:
        yield from _churn(both)
    there = both["is_there"].astype(bool)
    yield Finding(
        "lifecycle", "who is still there, by probability_alive", None, auc(both["probability_alive"], there),
        oracle=auc(both["p_there_observable"], there),
    )  # fmt: skip
    yield Finding("lifecycle", "customers still there", float(there.sum()), float(both["probability_alive"].sum()))
    quality = world.estimates("churn_quality").set_index("metric")["value"]
    yield from _money(both.dropna(subset=["clv_90d"]), common_error=float(quality.get("value_common_error", 0.0)))


def _churn(both: pd.DataFrame) -> Iterator[Finding]:
    leaves = both["purchases"] == 0
    days = int(both["horizon_days"].iloc[0])
    yield Finding(
        "lifecycle", f"who does not buy within {days} days, by churn_probability", None,
        auc(both["churn_probability"], leaves), oracle=auc(both["p_no_purchase_observable"], leaves),
    )  # fmt: skip
    yield Finding(
        "lifecycle", f"customers who do not buy within {days} days", float(leaves.sum()),
        float(both["churn_probability"].sum()),
    )  # fmt: skip


def _money(both: pd.DataFrame, *, common_error: float) -> Iterator[Finding]:
    """Compare sums: of everybody, and of groups of 50 drawn at random, whose intervals should hold in 80 of 100."""
    if both.empty:
        return
    money = {name: both[name].astype(float).to_numpy() for name in ("net_amount", "clv_90d", "clv_90d_sd")}
    total = money["clv_90d"].sum()
    half = _Z80 * np.sqrt((money["clv_90d_sd"] ** 2).sum() + (common_error * total) ** 2)
    yield Finding(
        "lifecycle", "net amount of 90 days, all customers (80 % interval)", money["net_amount"].sum(), total,
        total - half, total + half,
    )  # fmt: skip
    groups = len(both) // _GROUP
    if groups < 2:
        return
    places = np.random.default_rng(0).permutation(len(both))[: groups * _GROUP].reshape(groups, _GROUP)
    expected = money["clv_90d"][places].sum(axis=1)
    off = np.abs(money["net_amount"][places].sum(axis=1) - expected)
    # What all customers do alike, such as in a season, does not average out within a group.
    inside = off <= _Z80 * np.sqrt((money["clv_90d_sd"][places] ** 2).sum(axis=1) + (common_error * expected) ** 2)
    low, high = share_interval(int(inside.sum()), groups)
    yield Finding(
        "lifecycle", f"share of {groups} groups of {_GROUP} whose net amount lies in the 80 % interval", 0.8,
        float(inside.mean()), low, high,
    )  # fmt: skip
