"""What merchants sold, and what that cost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from o2o_mining.merchants.sales import SoldFrom, merchant_sales
from tests.unit.merchants.rows import AS_OF, NOON, Row, order, table

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine

SINCE = date(2024, 4, 2)
CAMPAIGN = {"campaign_id": "g", "merchant_id": "m1", "starts_at": NOON, "ends_at": NOON}
COST = {"campaign_id": "g", "channel": "sms", "spent_on": NOON.date(), "cost": Decimal("7.00")}
TOUCH = {
    "touch_id": "t", "customer_id": "ann", "touched_at": NOON, "channel": "sms", "campaign_id": "g", "action": "click",
    "cost": Decimal("0.50"),
}  # fmt: skip


def sold(engine: DuckDBEngine, **feeds: list[Row]) -> dict[str, dict[str, Any]]:
    logs = SoldFrom(*(table(name, feeds.get(name, [])) for name in SoldFrom._fields))
    frame = engine.execute(merchant_sales(logs, as_of=AS_OF, since=SINCE))
    return {str(row["merchant_id"]): row for row in frame.to_dict("records")}


def priced(name: str, **more: Any) -> Row:
    return order(name, list_amount=Decimal(12), discount_amount=Decimal(2), **more)


def test_money_is_added_up_over_purchases_that_count(engine: DuckDBEngine) -> None:
    rows = [priced("1"), priced("2", store_id="s2"), priced("3", cancelled_at=NOON), order("4")]
    found = sold(engine, purchases=[*rows, priced("5", purchased_at=datetime(2024, 4, 1))])["m1"]
    assert [found[name] for name in ("list_amount", "discount_amount", "net_amount", "stores")] == [24, 4, 30, 2]


def test_costs_are_those_of_the_feed_and_of_touches_only_without_it(engine: DuckDBEngine) -> None:
    both = sold(engine, purchases=[priced("1")], campaigns=[CAMPAIGN], campaign_costs=[COST], touches=[TOUCH])
    assert both["m1"]["media"] == Decimal("7.00")
    alone = sold(engine, purchases=[priced("1")], campaigns=[CAMPAIGN], touches=[TOUCH])
    assert alone["m1"]["media"] == Decimal("0.50")


def test_coupons_still_open_are_neither_used_nor_expired(engine: DuckDBEngine) -> None:
    coupons = [
        {"receipt_id": f"e{n}", "customer_id": "ann", "coupon_id": "k", "merchant_id": "m1", "received_at": NOON,
         "state": s}
        for n, s in enumerate(["redeemed", "expired", "expired", "open"])
    ]  # fmt: skip
    found = sold(engine, purchases=[priced("1")], coupon_lifecycle=coupons)["m1"]
    assert (found["used"], found["expired"]) == (1, 2)


def test_no_purchases_are_no_merchants(engine: DuckDBEngine) -> None:
    assert sold(engine) == {}
