"""Journeys: which touches lie before which purchase, and which led to none."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from o2o_mining.core.settings import Settings
from tests.unit.marts.references import converting, without_purchase
from tests.unit.marts.worlds import (
    at,
    build,
    by_key,
    campaign,
    coupon,
    fill,
    order,
    receipt,
    rows,
    send,
    touch,
    visit,
)  # fmt: skip

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row

NOW = date(2024, 7, 1)


def journeys(engine: DuckDBEngine, *, settings: Settings | None = None, **feeds: list[Row]) -> dict[str, Row]:
    build(fill(engine, feeds), now=NOW, settings=settings)
    return by_key(engine, "journeys")


def touched(engine: DuckDBEngine) -> dict[str, list[str]]:
    found: dict[str, list[Row]] = {}
    for row in rows(engine, "journey_touches"):
        found.setdefault(row["journey_id"], []).append(row)
    return {key: [r["touch_id"] for r in sorted(group, key=lambda r: r["position"])] for key, group in found.items()}


def test_a_journey_tells_the_touches_before_a_purchase_in_order(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        online_orders=[order("1", "03-10 12:00", paid_amount=10, refunded_amount=4)],
        touches=[touch("b", "03-05", "map"), touch("a", "03-01", "search", action="impression"),
                 touch("c", "03-10 12:00", "email", action="visit"), touch("d", "03-10 12:01", "sms")],
    )  # fmt: skip
    row = made["o:1"]
    assert (row["path"], row["n_touches"], row["converted"]) == ("search > map > email", 3, True)
    assert (row["started_at"], row["ended_at"]) == (at("03-01"), at("03-10 12:00"))
    assert row["days_to_convert"] == pytest.approx(9.5, abs=0)
    assert (row["value"], row["net_value"]) == (Decimal("10.00"), Decimal("6.00"))


def test_a_touch_serves_the_first_purchase_after_it(engine: DuckDBEngine) -> None:
    journeys(
        engine,
        online_orders=[order("1", "03-10"), order("2", "03-12")],
        touches=[touch("a", "03-01"), touch("b", "03-10"), touch("c", "03-11")],
    )
    assert touched(engine) == {"o:1": ["a", "b"], "o:2": ["c"]}


def test_a_touch_belongs_up_to_the_lookback_and_not_a_microsecond_longer(engine: DuckDBEngine) -> None:
    bought = datetime(2024, 6, 30)
    edge = bought - timedelta(days=30)
    journeys(
        engine,
        online_orders=[order("1", bought)],
        touches=[touch("at", edge), touch("before", edge - timedelta(microseconds=1))],
    )
    assert touched(engine)["o:1"] == ["at"]


def test_a_touch_whose_first_purchase_is_too_far_serves_no_later_one_either(engine: DuckDBEngine) -> None:
    journeys(
        engine,
        settings=Settings(lookback_days=7),
        online_orders=[order("1", "03-20"), order("2", "03-21")],
        touches=[touch("a", "03-01")],
    )
    assert touched(engine) == {"n:a": ["a"]}


def test_of_purchases_at_one_moment_the_smallest_id_takes_the_touches(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        online_orders=[order("2", "03-10"), order("10", "03-10")],
        offline_redemptions=[visit("0", "03-10")],
        touches=[touch("a", "03-01")],
    )
    assert touched(engine) == {"o:10": ["a"]}
    assert made["o:2"]["path"] == made["r:0"]["path"] == "direct"


def test_with_touches_used_again_every_purchase_within_the_lookback_has_them(engine: DuckDBEngine) -> None:
    journeys(
        engine,
        settings=Settings(reuse_touches=True),
        online_orders=[order("1", "03-10"), order("2", "03-10"), order("3", "03-12"), order("4", "05-12")],
        touches=[touch("a", "03-01"), touch("b", "03-11"), touch("never", "01-01")],
    )
    assert touched(engine) == {"o:1": ["a"], "o:2": ["a"], "o:3": ["a", "b"], "n:never": ["never"]}


def test_a_cancelled_purchase_takes_no_touch_and_is_no_journey(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        online_orders=[order("1", "03-10", status="cancelled"), order("2", "03-12")],
        touches=[touch("a", "03-01")],
    )
    assert list(made) == ["o:2"]
    assert touched(engine) == {"o:2": ["a"]}


def test_a_purchase_of_nothing_or_of_unknown_amount_is_a_conversion(engine: DuckDBEngine) -> None:
    made = journeys(engine, online_orders=[order("1", "03-10", paid_amount=0), order("2", "03-12")])
    assert [(row["converted"], row["value"]) for row in made.values()] == [(True, 0), (True, None)]


def test_a_purchase_without_any_touch_is_direct(engine: DuckDBEngine) -> None:
    row = journeys(engine, offline_redemptions=[visit("a", "03-10")])["r:a"]
    assert (row["path"], row["n_touches"], row["days_to_convert"]) == ("direct", 0, 0.0)
    assert row["started_at"] == row["ended_at"] == at("03-10")
    assert rows(engine, "journey_touches") == []


def test_a_purchase_with_a_campaign_and_no_touch_of_it_gets_one_at_its_time(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        campaigns=[campaign("x", "mail")],
        online_orders=[order("1", "03-10", campaign_id="x", tracking_code="t")],
        touches=[touch("a", "03-01", "map", campaign_id="y")],
    )
    assert made["o:1"]["path"] == "map > mail"
    made_touch = next(row for row in rows(engine, "journey_touches") if row["touch_id"] == "p:o:1")
    assert (made_touch["touched_at"], made_touch["position"]) == (at("03-10"), 2)
    assert (made_touch["campaign_id"], made_touch["tracking_code"]) == ("x", "t")


@pytest.mark.parametrize("known", [{"campaign_id": "x"}, {"tracking_code": "t"}])
def test_a_touch_of_the_campaign_or_of_the_code_is_enough(engine: DuckDBEngine, known: Row) -> None:
    journeys(
        engine,
        online_orders=[order("1", "03-10", campaign_id="x", tracking_code="t")],
        touches=[touch("a", "03-01", **known)],
    )
    assert touched(engine) == {"o:1": ["a"]}


def test_a_touch_of_the_campaign_that_serves_another_purchase_is_not_enough(engine: DuckDBEngine) -> None:
    journeys(
        engine,
        online_orders=[order("1", "03-10", campaign_id="x"), order("2", "03-12", campaign_id="x")],
        touches=[touch("a", "03-01", campaign_id="x")],
    )
    assert touched(engine) == {"o:1": ["a"], "o:2": ["p:o:2"]}


def test_a_code_that_nobody_carries_makes_no_touch(engine: DuckDBEngine) -> None:
    journeys(engine, online_orders=[order("1", "03-10", tracking_code="t")], touches=[touch("a", "05-01")])
    assert touched(engine) == {"n:a": ["a"]}


def test_the_channel_of_a_made_touch_goes_by_campaign_carrier_purchase_and_direct(engine: DuckDBEngine) -> None:
    journeys(
        engine,
        campaigns=[campaign("x", "mail"), campaign("mute")],
        online_orders=[
            order("1", "03-10", tracking_code="of x", channel="push"),
            order("2", "03-10", tracking_code="of mute", channel="push"),
            order("3", "03-10", tracking_code="of receipt", channel="push"),
            order("4", "03-10", campaign_id="mute", channel="push"),
            order("5", "03-10", campaign_id="lost"),
        ],
        touches=[
            touch("1", "03-01", "map", customer_id="other", tracking_code="of x", campaign_id="x"),
            touch("2", "03-01", "social", customer_id="other", tracking_code="of mute", campaign_id="mute"),
        ],
        coupon_receipts=[receipt("q", "03-01", tracking_code="of receipt")],
    )
    made = [row for row in rows(engine, "journey_touches") if row["touch_id"].startswith("p:")]
    assert [(row["channel"], row["campaign_id"]) for row in made] == [
        ("mail", "x"), ("social", "mute"), ("push", None), ("push", "mute"), ("direct", "lost"),
    ]  # fmt: skip


def test_of_rows_that_carry_a_code_touches_speak_before_messages_before_receipts(engine: DuckDBEngine) -> None:
    far = {"customer_id": "other"}
    journeys(
        engine,
        online_orders=[order(code, "03-10", tracking_code=code) for code in ("1", "2", "3")],
        touches=[touch("b", "03-01", "map", tracking_code="1", **far),
                 touch("a", "03-05", "social", tracking_code="1", **far)],
        sends=[send("a", "03-01", tracking_code="1", channel="sms", **far),
               send("b", "03-01", tracking_code="2", channel="push", **far)],
        coupon_receipts=[receipt(code, "03-01", channel="email", tracking_code=code, **far) for code in "123"],
    )  # fmt: skip
    made = [row["channel"] for row in rows(engine, "journey_touches") if row["touch_id"].startswith("p:")]
    assert made == ["social", "push", "email"]


def test_a_message_whose_code_no_touch_carries_is_a_touch(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        online_orders=[order("1", "03-10", tracking_code="unseen")],
        touches=[touch("a", "03-05", "display", tracking_code="seen")],
        sends=[
            send("1", "03-01", tracking_code="seen"),
            send("2", "03-02", tracking_code="unseen"),
            send("3", "03-03", channel="email"),
        ],
    )
    assert touched(engine) == {"o:1": ["s:2", "s:3", "a"]}
    assert made["o:1"]["path"] == "sms > email > display"


def test_the_campaign_of_the_coupon_makes_a_touch_too(engine: DuckDBEngine) -> None:
    journeys(
        engine,
        coupons=[coupon("k", campaign_id="x")],
        campaigns=[campaign("x", "mail")],
        offline_redemptions=[visit("a", "03-10", coupon_id="k")],
    )
    assert touched(engine) == {"r:a": ["p:r:a"]}


def test_touches_that_led_to_none_are_split_where_the_gap_exceeds_the_lookback(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        settings=Settings(lookback_days=10),
        touches=[touch("a", "03-01", "map"), touch("b", "03-11"), touch("c", "03-21 00:01", "sms"),
                 touch("other", "03-11", customer_id="d")],
    )  # fmt: skip
    assert touched(engine) == {"n:a": ["a", "b"], "n:c": ["c"], "n:other": ["other"]}
    row = made["n:a"]
    assert (row["converted"], row["path"], row["purchase_id"]) == (False, "map > search", None)
    assert (row["started_at"], row["ended_at"]) == (at("03-01"), at("03-11"))
    assert (row["days_to_convert"], row["value"], row["net_value"]) == (None, None, None)


def test_touches_that_led_to_none_are_told_once_the_last_is_older_than_the_lookback(engine: DuckDBEngine) -> None:
    edge = datetime(2024, 6, 1)
    journeys(
        engine,
        touches=[touch("edge", edge), touch("older", edge - timedelta(microseconds=1), customer_id="d"),
                 touch("old", "05-20", customer_id="e"), touch("young", "06-10", customer_id="e")],
    )  # fmt: skip
    assert touched(engine) == {"n:older": ["older"]}


def test_touches_at_one_moment_go_by_their_id(engine: DuckDBEngine) -> None:
    made = journeys(
        engine,
        online_orders=[order("1", "03-10")],
        touches=[touch("b", "03-01", "map"), touch("a", "03-01", "sms"), touch("10", "03-01", "email")],
    )
    assert made["o:1"]["path"] == "email > sms > map"


def test_a_path_of_many_touches_keeps_their_order(engine: DuckDBEngine) -> None:
    start = datetime(2024, 3, 1)
    many = [touch(f"{i:04}", start + timedelta(seconds=i), f"c{i % 7}") for i in range(1200)]
    made = journeys(engine, online_orders=[order("1", "03-02")], touches=many[::-1])
    assert made["o:1"]["path"] == " > ".join(row["channel"] for row in many)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reuse", [False, True])
def test_random_worlds_agree_with_the_slow_and_obvious_way(engine: DuckDBEngine, seed: int, reuse: bool) -> None:
    draw = np.random.default_rng(seed)
    lookback = int(draw.integers(1, 12))

    def moment() -> datetime:
        # Whole days collide: with purchases, with each other, with the edge of the lookback.
        return datetime(2024, 4, 1) + timedelta(days=int(draw.integers(0, 80)), hours=12 * int(draw.integers(0, 2)))

    orders = [order(str(i), moment(), customer_id=f"c{draw.integers(0, 15)}") for i in range(120)]
    touches = [touch(f"t{i}", moment(), customer_id=f"c{draw.integers(0, 15)}") for i in range(360)]
    journeys(
        engine,
        settings=Settings(lookback_days=lookback, reuse_touches=reuse),
        online_orders=orders,
        touches=touches,
    )
    expected = converting(orders, touches, lookback, reuse=reuse)
    used = {name for names in expected.values() for name in names}
    expected |= without_purchase(touches, used, lookback, datetime(2024, 7, 1))
    assert touched(engine) == {key: names for key, names in expected.items() if names}
