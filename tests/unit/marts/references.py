"""Slow and obvious: touches and coupons assigned one by one, as the tables' definition says it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.unit.marts.worlds import at

if TYPE_CHECKING:
    from datetime import datetime

    from tests.unit.marts.worlds import Row


def converting(orders: list[Row], touches: list[Row], lookback_days: int, *, reuse: bool) -> dict[str, list[str]]:
    """Return the touches of every order, in order."""
    lookback = timedelta(days=lookback_days)
    journeys = {}
    for bought in orders:
        mine = at(bought["ordered_at"])
        same = [o for o in orders if o["customer_id"] == bought["customer_id"] and o is not bought]
        found = []
        for touch in touches:
            seen = at(touch["touched_at"])
            if touch["customer_id"] != bought["customer_id"] or not mine - lookback <= seen <= mine:
                continue
            earlier = any(seen <= at(o["ordered_at"]) < mine for o in same)
            twin = any(at(o["ordered_at"]) == mine and o["order_id"] < bought["order_id"] for o in same)
            if reuse or not (earlier or twin):
                found.append(touch)
        journeys[f"o:{bought['order_id']}"] = _in_order(found)
    return journeys


def without_purchase(touches: list[Row], used: set[str], lookback_days: int, now: datetime) -> dict[str, list[str]]:
    """Return the journeys of the touches that no order used."""
    lookback = timedelta(days=lookback_days)
    runs: list[list[Row]] = []
    for touch in sorted(touches, key=lambda t: (t["customer_id"], at(t["touched_at"]), t["touch_id"])):
        if touch["touch_id"] in used:
            continue
        last = runs[-1][-1] if runs else None
        if (
            last is None
            or last["customer_id"] != touch["customer_id"]
            or at(touch["touched_at"]) - at(last["touched_at"]) > lookback
        ):
            runs.append([])
        runs[-1].append(touch)
    over = [run for run in runs if now - at(run[-1]["touched_at"]) > lookback]
    return {f"n:{run[0]['touch_id']}": _in_order(run) for run in over}


def _in_order(touches: list[Row]) -> list[str]:
    return [t["touch_id"] for t in sorted(touches, key=lambda t: (at(t["touched_at"]), t["touch_id"]))]


def matched(receipts: list[Row], uses: list[Row]) -> dict[str, str]:
    """Return the receipt that each use takes."""
    known = {row["receipt_id"] for row in receipts}
    in_time = sorted(uses, key=lambda row: (at(row["redeemed_at"]), row["coupon_redemption_id"]))
    taken: dict[str, str] = {}
    for row in in_time:
        named = row.get("receipt_id")
        if named in known and named not in taken.values():
            taken[row["coupon_redemption_id"]] = str(named)
    for row in in_time:
        if row.get("receipt_id"):
            continue
        free = [
            (at(r["received_at"]), r["receipt_id"])
            for r in receipts
            if (r["customer_id"], r["coupon_id"]) == (row["customer_id"], row["coupon_id"])
            and at(r["received_at"]) <= at(row["redeemed_at"])
            and r["receipt_id"] not in taken.values()
        ]
        if free:
            taken[row["coupon_redemption_id"]] = min(free)[1]
    return taken
