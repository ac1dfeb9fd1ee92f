"""What was known before a day, and nothing else."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pytest

from o2o_mining.core.errors import ContractError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.marts import event_steps, known_rows, steps
from tests.unit.marts.random_world import random_world
from tests.unit.marts.worlds import at, build, by_key, fill, order, receipt, rows, touch, use, visit

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row, World

DAY = date(2024, 4, 20)
MIDNIGHT = at("04-20")
TABLES = ("purchases", "journeys", "journey_touches", "coupon_lifecycle")
OWN_TIME = {
    "customers": "joined_at", "sends": "sent_at", "touches": "touched_at", "coupon_receipts": "received_at",
    "online_orders": "ordered_at", "offline_redemptions": "redeemed_at", "coupon_redemptions": "redeemed_at",
}  # fmt: skip


def known(engine: DuckDBEngine, feed: str, *given: Row) -> list[Row]:
    fill(engine, {feed: given})
    masked = known_rows(feed, engine.read(feed), as_of=DAY)
    return [dict(row) for row in engine.execute(masked).to_dict("records")]


def cut(world: World) -> World:
    """Leave out, row by row, what nobody knew before the day."""
    left: World = {}
    for feed, given in world.items():
        left[feed] = []
        for row in given:
            when = row.get(OWN_TIME.get(feed, ""))
            if when is not None and at(when) >= MIDNIGHT:
                continue
            row = dict(row)
            for effect, state in (("refunded_at", "refunded"), ("cancelled_at", "cancelled")):
                if row.get(effect) and at(row[effect]) >= MIDNIGHT:
                    row[effect] = None
                    if effect == "refunded_at":
                        row["refunded_amount"] = None
                    if row.get("status") == state:
                        row["status"] = "paid"
            left[feed].append(row)
    return left


def everything(engine: DuckDBEngine, prefix: str = "") -> dict[str, list[Row]]:
    found = {table: rows(engine, prefix + table) for table in TABLES}
    return {table: [{k: v for k, v in row.items() if k != "as_of"} for row in made] for table, made in found.items()}


@pytest.mark.parametrize(
    ("feed", "make"),
    [
        ("touches", touch),
        ("online_orders", order),
        ("offline_redemptions", visit),
        ("coupon_receipts", receipt),
        ("coupon_redemptions", use),
    ],
)
def test_a_row_is_known_if_it_happened_before_the_day_began(engine: DuckDBEngine, feed: str, make: Any) -> None:
    given = [make("last", "2024-04-19 23:59:59.999999"), make("first", "04-20"), make("later", "05-01")]
    assert len(known(engine, feed, *given)) == 1


def test_a_customer_who_joined_nobody_knows_when_is_known(engine: DuckDBEngine) -> None:
    given = [
        {"customer_id": "a"},
        {"customer_id": "b", "joined_at": "04-19"},
        {"customer_id": "d", "joined_at": "04-20"},
    ]
    assert [row["customer_id"] for row in known(engine, "customers", *given)] == ["a", "b"]


def test_lists_to_look_things_up_in_are_whole(engine: DuckDBEngine) -> None:
    assert len(known(engine, "coupons", {"coupon_id": "k", "merchant_id": "m", "starts_at": "12-01"})) == 1


def test_basket_lines_cannot_be_masked_alone(engine: DuckDBEngine) -> None:
    with pytest.raises(UsageError, match="basket_lines carry no time"):
        known_rows("basket_lines", engine.read("basket_lines"), as_of=DAY)


def test_a_later_cancellation_or_refund_is_taken_back_with_its_effect(engine: DuckDBEngine) -> None:
    given: dict[str, Row] = {
        "cancelled": {"status": "cancelled", "cancelled_at": "04-20"},
        "refunded": {"status": "refunded", "refunded_at": "04-20", "refunded_amount": 5},
        "before": {"status": "refunded", "refunded_at": "04-19", "refunded_amount": 5},
        "no time": {"status": "cancelled"},
        "both": {"status": "cancelled", "cancelled_at": "04-19", "refunded_at": "04-21", "refunded_amount": 5},
    }
    fill(engine, {"online_orders": [order(name, "04-01", paid_amount=9, **row) for name, row in given.items()]})
    steps.build_known(engine, as_of=DAY, settings=Settings())
    made = by_key(engine, "known_purchases")
    assert {key: (row["cancelled_at"], row["refunded_at"], row["refunded_amount"]) for key, row in made.items()} == {
        "o:before": (None, at("04-19"), 5),
        "o:both": (at("04-19"), None, 0),
        "o:cancelled": (None, None, 0),
        "o:no time": (at("04-01"), None, 0),
        "o:refunded": (None, None, 0),
    }


def test_a_coupon_used_later_is_still_open(engine: DuckDBEngine) -> None:
    fill(
        engine, {"coupon_receipts": [receipt("q", "04-01")], "coupon_redemptions": [use("1", "04-20", receipt_id="q")]}
    )
    steps.build_known(engine, as_of=DAY, settings=Settings())
    assert by_key(engine, "known_coupon_lifecycle")["q"]["state"] == "open"


def test_a_journey_not_yet_converted_has_none(engine: DuckDBEngine) -> None:
    fill(engine, {"touches": [touch("a", "04-15"), touch("old", "03-01")], "online_orders": [order("1", "04-21")]})
    steps.build_known(engine, as_of=DAY, settings=Settings())
    assert list(by_key(engine, "known_journeys")) == ["n:old"]


@pytest.mark.parametrize("seed", range(4))
def test_tables_as_of_a_day_are_those_of_feeds_cut_on_that_day(engine: DuckDBEngine, seed: int) -> None:
    world = random_world(seed)
    settings = Settings(lookback_days=10)
    fill(engine, world)
    steps.build_known(engine, as_of=DAY, settings=settings)
    masked = everything(engine, "known_")
    fill(engine, cut(world))
    build(engine, now=DAY, settings=settings)
    event_steps.build_coupon_lifecycle(engine, now=DAY)
    assert masked == everything(engine)
    assert all(masked.values())


def test_where_nothing_is_later_the_event_tables_are_copied_and_are_what_making_them_gives(
    engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(engine, random_world(7))
    day = max(steps.default_as_of(engine) or DAY, date(2025, 1, 1))  # later than any refund
    fill(engine, {"offline_redemptions": [visit("last", datetime.combine(day, time(12)) - timedelta(days=1))]})
    steps.build_known(engine, as_of=day, settings=Settings())
    made = everything(engine, "known_")
    build(engine, now=day)
    event_steps.build_coupon_lifecycle(engine, now=day)
    with monkeypatch.context() as patched:
        for name in ("purchases_from_logs", "journey_touches", "journeys_from_touches", "coupon_states"):
            patched.setattr(steps, name, lambda *_, **__: None)  # whoever writes what these make fails
        steps.build_known(engine, as_of=day, settings=Settings())
    assert everything(engine, "known_") == made
    assert all(made.values())


def test_event_tables_that_are_older_than_a_feed_are_not_copied(engine: DuckDBEngine) -> None:
    fill(engine, {"online_orders": [order("1", "04-19")]})
    build(engine, now=DAY)
    assert engine.is_current("journeys", ("online_orders", "purchases"))
    other = engine.read("online_orders").drop("_file").mutate(order_id=ibis.literal("2"), _ordinal=0)
    engine.upsert("online_orders", engine.stage(other), file_id=1)
    assert not engine.is_current("purchases", ("online_orders",))


def test_tables_do_not_depend_on_the_order_of_rows(engine: DuckDBEngine) -> None:
    world = random_world(99)
    draw = np.random.default_rng(0)
    found = []
    for shuffled in (False, True):
        given = {
            feed: [given[i] for i in draw.permutation(len(given))] if shuffled else given
            for feed, given in world.items()
        }
        build(fill(engine, given), now=DAY, settings=Settings(lookback_days=10))
        event_steps.build_coupon_lifecycle(engine, now=DAY)
        found.append(everything(engine))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"offline_redemptions": [visit("a", "04-02")]},
        {"touches": [touch("a", "04-02")]},
        {"coupon_receipts": [receipt("q", "04-02")]},
    ],
)
def test_every_step_works_when_feeds_are_missing(engine: DuckDBEngine, feeds: World) -> None:
    fill(engine, feeds)
    # Without any order or redemption there is no default day; the first of all days stands for it.
    now = steps.default_as_of(engine) or date.min
    build(engine, now=now)
    event_steps.build_coupon_lifecycle(engine, now=now)
    assert steps.traced_share(engine, settings=Settings()) is None
    steps.build_known(engine, as_of=DAY, settings=Settings())
    report = steps.build_customer_features(engine, as_of=DAY, settings=Settings())
    assert report.rows == len(feeds)
    assert "The feed customers is missing." in report.notes


def test_a_slice_of_another_day_is_not_served(engine: DuckDBEngine) -> None:
    steps.build_known(engine, as_of=DAY, settings=Settings())
    with pytest.raises(ContractError, match="known_purchases does not hold 2024-04-21"):
        steps.build_customer_features(engine, as_of=date(2024, 4, 21), settings=Settings())


def test_the_default_day_is_the_one_after_the_last_order_or_redemption(engine: DuckDBEngine) -> None:
    assert steps.default_as_of(engine) is None
    fill(engine, {"online_orders": [order("1", "04-02 23:59")], "touches": [touch("a", "06-01")]})
    assert steps.default_as_of(engine) == date(2024, 4, 3)
    fill(engine, {"coupon_redemptions": [use("1", "04-05")], "offline_redemptions": [visit("1", "04-04")]})
    assert steps.default_as_of(engine) == date(2024, 4, 6)
