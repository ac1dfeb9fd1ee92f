"""What is told of visits, and what the store cannot help."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from o2o_mining.merchants.visits import observations
from tests.unit.merchants.rows import AS_OF, NOON, Row, order, promised, review, table, walk_in

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine

SINCE = date(2024, 1, 1)


def told(
    engine: DuckDBEngine, purchases: list[Row], orders: list[Row] | None = None, reviews: list[Row] | None = None
) -> dict[str, list[tuple[date, float, int]]]:
    """Return by measure the days, values and counts."""
    logs = table("purchases", purchases), table("online_orders", orders or []), table("reviews", reviews or [])
    frame = engine.execute(observations(*logs, as_of=AS_OF, since=SINCE).order_by(["measure", "day", "hundredths"]))
    frame["day"] = frame["day"].map(lambda day: date.fromisoformat(str(day)[:10]))
    return {
        str(measure): list(zip(rows["day"], rows["hundredths"] / 100, rows["n"], strict=True))
        for measure, rows in frame.groupby("measure")
    }


def values(found: dict[str, list[tuple[date, float, int]]], measure: str) -> list[float]:
    return [value for _, value, n in found.get(measure, []) for _ in range(n)]


def test_a_wait_is_what_goes_beyond_the_promise(engine: DuckDBEngine) -> None:
    found = told(engine, [order("1", waited_min=17.5), order("2", waited_min=8.0)])
    assert found["wait"] == [(NOON.date(), -2.0, 1), (NOON.date(), 7.5, 1)]


def test_what_is_promised_to_everybody_alike_holds_for_those_who_walk_in(engine: DuckDBEngine) -> None:
    alike = told(engine, [order("1"), order("2"), walk_in(waited_min=30.0)])
    assert values(alike, "wait") == [0.0, 0.0, 20.0]
    unlike = told(engine, [order("1"), order("2", promised_wait_min=5.0), walk_in(waited_min=30.0)])
    assert values(unlike, "wait") == [0.0, 5.0]


def test_deliveries_and_cancelled_orders_are_left_out(engine: DuckDBEngine) -> None:
    found = told(engine, [order("1", fulfilment="delivery", waited_min=90.0), order("2", cancelled_at=NOON)])
    assert found == {}


def test_a_clock_that_is_hours_off_counts_as_an_hour(engine: DuckDBEngine) -> None:
    found = told(engine, [order("1", waited_min=1e9), order("2", waited_min=-1e9), order("3", waited_min=None)])
    assert values(found, "wait") == [-60.0, 60.0]


def test_stars_are_compared_with_the_promise_and_unknown_promises_tell_nothing(engine: DuckDBEngine) -> None:
    orders = [promised("1"), promised("2", None) | {"merchant_id": "m2"}]
    two = [order("1"), order("2", merchant_id="m2")]
    found = told(engine, two, orders, [review("1", rating=2), review("2", rating=1, merchant_id="m2")])
    assert found["rating"] == [((NOON + timedelta(days=2)).date(), 2.5, 1)]


def test_a_complaint_counts_once_a_visit_on_the_day_it_came(engine: DuckDBEngine) -> None:
    complaints = [
        review("1", is_complaint=True),
        review("1", review_id="again", is_complaint=True, reviewed_at=NOON + timedelta(days=5)),
    ]
    found = told(engine, [order("1"), order("2")], reviews=complaints)
    assert found["complaint"] == [(NOON.date(), 0.0, 1), ((NOON + timedelta(days=2)).date(), 1.0, 1)]


def test_a_complaint_that_names_no_visit_counts_and_one_about_a_delivery_does_not(engine: DuckDBEngine) -> None:
    complaints = [review("1", is_complaint=True, order_id=None), review("2", is_complaint=True)]
    found = told(engine, [order("2", fulfilment="delivery"), order("3")], reviews=complaints)
    assert values(found, "complaint") == [0.0, 1.0]


def test_what_is_told_on_the_day_or_later_is_not_known(engine: DuckDBEngine) -> None:
    late = datetime(2024, 7, 1)
    complaint = review("1", is_complaint=True, reviewed_at=late)
    found = told(engine, [order("1"), order("2", consumed_at=late)], [promised("1")], [complaint])
    assert values(found, "complaint") == [0.0]
    assert "rating" not in found
    assert len(found["wait"]) == 1


def test_a_refund_counts_on_its_own_day(engine: DuckDBEngine) -> None:
    found = told(engine, [order("1", refunded_at=NOON + timedelta(days=3)), order("2")])
    assert found["refund"] == [(NOON.date(), 0.0, 1), ((NOON + timedelta(days=3)).date(), 1.0, 1)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [0.0]),
        ({"consumed_at": None}, [1.0]),
        ({"consumed_at": None, "cancelled_at": NOON}, [1.0]),
        ({"consumed_at": None, "cancelled_at": NOON - timedelta(minutes=1)}, []),
        ({"reserved_for": datetime(2024, 6, 30, 12), "consumed_at": None}, []),
    ],
    ids=["kept", "nobody came", "cancelled at its time", "cancelled before its time", "not a day ago"],
)
def test_a_reservation_is_kept_or_not_a_day_after_its_time(
    engine: DuckDBEngine, more: Row, expected: list[float]
) -> None:
    found = told(engine, [order("1", **({"fulfilment": "reservation", "reserved_for": NOON} | more))])
    assert values(found, "reservation") == expected


def test_what_is_taken_on_top_is_a_share_of_the_price_and_no_visit_of_its_own(engine: DuckDBEngine) -> None:
    extra = walk_in("r1", order_id="1", paid_amount=Decimal("2.50"), waited_min=10.0)
    found = told(engine, [order("1"), order("2"), extra])
    assert values(found, "price") == [0.0, 0.25]
    assert len(values(found, "wait")) == 2


def test_no_visits_tell_nothing(engine: DuckDBEngine) -> None:
    assert told(engine, []) == {}
