"""The share of what was consumed in stores that leads back to the online log."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from o2o_mining.core.settings import Settings
from o2o_mining.marts import event_steps, steps
from tests.unit.marts.worlds import fill, order, receipt, send, touch, use, visit

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row

NOW = date(2024, 7, 1)


def share(engine: DuckDBEngine, **feeds: list[Row]) -> float | None:
    fill(engine, feeds)
    event_steps.build_purchases(engine)
    event_steps.build_coupon_lifecycle(engine, now=NOW)
    return steps.traced_share(engine, settings=Settings())


# Beside 3.00 paid by an unknown passer-by, 1.00 that may be traced.
PLAIN = visit("plain", "03-10", customer_id="passer-by", paid_amount=3)


@pytest.mark.parametrize(
    ("feeds", "expected"),
    [
        ({}, 0.0),
        ({"touches": [touch("a", "03-01")]}, 0.25),
        ({"touches": [touch("a", "03-10")]}, 0.25),
        ({"touches": [touch("a", "03-11")]}, 0.0),
        ({"touches": [touch("a", "02-01")]}, 0.0),
        ({"sends": [send("a", "03-01")]}, 0.25),
        ({"touches": [touch("a", "06-01", customer_id="d", tracking_code="t")]}, 0.25),
        ({"sends": [send("a", "06-01", customer_id="d", tracking_code="t")]}, 0.25),
        ({"coupon_receipts": [receipt("a", "06-01", customer_id="d", tracking_code="t")]}, 0.25),
        ({"coupon_receipts": [receipt("q", "03-01")]}, 0.0),
        (
            {"coupon_receipts": [receipt("q", "03-01")], "coupon_redemptions": [use("1", "03-10", redemption_id="a")]},
            0.25,
        ),
        ({"coupon_redemptions": [use("1", "03-10", redemption_id="a")]}, 0.0),
        ({"coupon_redemptions": [use("1", "03-10", redemption_id="a", receipt_id="lost")]}, 0.0),
    ],
)
def test_a_touch_a_code_or_a_receipt_traces_a_visit(
    engine: DuckDBEngine, feeds: dict[str, list[Row]], expected: float
) -> None:
    visits = [PLAIN, visit("a", "03-10", paid_amount=1, tracking_code="t")]
    assert share(engine, offline_redemptions=visits, **feeds) == expected


def test_the_consumption_of_an_order_is_traced_and_that_of_an_unknown_order_is_not(engine: DuckDBEngine) -> None:
    visits = [PLAIN, visit("a", "03-10", order_id="1"), visit("b", "03-10", order_id="lost", paid_amount=6)]
    assert share(engine, offline_redemptions=visits, online_orders=[order("1", "03-01", paid_amount=1)]) == 0.1


def test_a_touch_that_another_purchase_used_counts_too(engine: DuckDBEngine) -> None:
    visits = [visit("a", "03-10", paid_amount=1), visit("b", "03-11", paid_amount=2)]
    assert share(engine, offline_redemptions=visits, touches=[touch("a", "03-01")]) == 1.0


def test_only_what_was_consumed_not_cancelled_and_of_known_amount_counts(engine: DuckDBEngine) -> None:
    made = share(
        engine,
        offline_redemptions=[PLAIN, visit("a", "03-10", order_id="1"), visit("unknown", "03-10", tracking_code="t")],
        online_orders=[
            order("1", "03-01", paid_amount=3, refunded_amount=2),
            order("eaten nowhere", "03-01", paid_amount=50),
            order("gone", "03-01", paid_amount=50, status="cancelled"),
        ],
        sends=[send("a", "03-01", customer_id="d", tracking_code="t")],
    )
    assert made == 0.25


def test_without_any_amount_there_is_no_share(engine: DuckDBEngine) -> None:
    assert share(engine, offline_redemptions=[visit("a", "03-10")]) is None
    assert share(engine, offline_redemptions=[visit("a", "03-10", paid_amount=0)]) is None
