"""Marts: how many coupons come back, against the chance that each had."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding, share_interval


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare the share of ended receipts that was redeemed with the mean of their true chances."""
    chances, receipts = world.truth("receipt_probabilities"), world.estimates("coupon_lifecycle")
    if chances.empty or receipts.empty:
        return
    # A receipt counts when its time is over: one used early would otherwise be counted, and its unused twin not yet.
    over = receipts[receipts["expires_at"] <= pd.Timestamp(world.as_of)]
    ended = chances.merge(over, on="receipt_id")
    if ended.empty:
        return
    for name, some in (("all", ended), ("campaigns'", ended.dropna(subset=["campaign_id"]))):
        used = int((some["state"] == "redeemed").sum())
        low, high = share_interval(used, len(some))
        yield Finding(
            "marts", f"share of {name} receipts redeemed", float(some["p_true"].mean()), used / max(len(some), 1),
            low, high,
        )  # fmt: skip
