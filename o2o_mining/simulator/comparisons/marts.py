"""Marts: how many coupons come back, against the chance that each had."""

from __future__ import annotations

from collections.abc import Iterator

from o2o_mining.simulator.findings import Evaluated, Finding, share_interval


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare the share of ended receipts that was redeemed with the mean of their true chances."""
    chances, receipts = world.truth("receipt_probabilities"), world.estimates("coupon_lifecycle")
    if chances.empty or receipts.empty:
        return
    ended = chances.merge(receipts[receipts["state"] != "open"], on="receipt_id")
    if ended.empty:
        return
    for name, some in (("all", ended), ("campaigns'", ended.dropna(subset=["campaign_id"]))):
        used = int((some["state"] == "redeemed").sum())
        low, high = share_interval(used, len(some))
        yield Finding(
            "marts", f"share of {name} receipts redeemed", float(some["p_true"].mean()), used / max(len(some), 1),
            low, high,
        )  # fmt: skip
