"""The funnel: who reached which stage, who is lost and who may still go on, and what that costs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pytest

from o2o_mining.attribution.outcomes.steps import build_funnel
from o2o_mining.contracts.attribution import STAGES
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, World
from tests.unit.attribution.worlds import table as rows_of

START = datetime(2017, 1, 10)  # of 2017-07-01: long over
ALL_HISTORY, LAST_30 = date(1970, 1, 1), date(2017, 6, 1)


def _touch(customer: str, day: float = 0.0, channel: str = "sms", **facts: Any) -> dict[str, Any]:
    return {
        "touch_id": f"x{customer}{day}{channel}", "customer_id": customer, "touched_at": START + timedelta(days=day),
        "channel": channel, "action": "impression", "device": "phone", "cost": Decimal("0.10"), **facts,
    }  # fmt: skip


def _coupon(customer: str, day: float, receipt: str = "e") -> dict[str, Any]:
    return {
        "receipt_id": f"{receipt}{customer}", "customer_id": customer, "coupon_id": "k", "merchant_id": "m",
        "received_at": START + timedelta(days=day), "state": "open",
    }  # fmt: skip


def _order(customer: str, day: float, paid: int, consumed: float | None = None, **facts: Any) -> dict[str, Any]:
    return {
        "purchase_id": f"o:{customer}{day}", "customer_id": customer, "merchant_id": "m", "source": "online",
        "purchased_at": START + timedelta(days=day), "paid_amount": paid, "net_amount": paid, "refunded_amount": 0,
        "consumed_at": None if consumed is None else START + timedelta(days=consumed), **facts,
    }  # fmt: skip


def _reserved(customer: str, day: float, paid: int, until: float, **facts: Any) -> dict[str, Any]:
    return _order(customer, day, paid, fulfilment="reservation", reserved_for=START + timedelta(days=until), **facts)


# By sms: ann comes and comes back, bob comes once, cleo reserves and does not come, dan takes a coupon and no more, eve
# does nothing. flo walks in, fay orders a delivery and nobody asked either.
TOUCHES = [*map(_touch, ("ann", "bob", "cleo", "dan", "eve")), _touch("eve", 40)]
COUPONS = [_coupon("ann", 0), _coupon("dan", 1), _coupon("eve", 0, receipt="u:")]
PURCHASES = [
    _order("ann", 1, 30, consumed=2),
    _order("ann", 20, 50, consumed=20, merchant_id="n"),
    _order("bob", 3, 10, consumed=3),
    _reserved("cleo", 1, 20, 5, cancelled_at=START + timedelta(days=5)),
    _order("flo", 0, 8, consumed=0, source="offline"),
    _order("fay", 0, 12, fulfilment="delivery"),
]


def _mined(
    touches: list[dict[str, Any]], coupons: list[dict[str, Any]], purchases: list[dict[str, Any]], **feeds: Any
) -> tuple[Any, Any]:
    """Return the table by window, dimension, id and stage, and the report."""
    engine = DuckDBEngine(":memory:", Settings())
    World().store(engine)
    engine.write("known_purchases", rows_of("purchases", purchases), as_of=AS_OF)
    engine.write("known_coupon_lifecycle", rows_of("coupon_lifecycle", coupons), as_of=AS_OF)
    for feed, rows in {"touches": touches, **feeds}.items():
        engine.upsert(feed, engine.stage(rows_of(feed, rows).mutate(_ordinal=ibis.row_number())), file_id=1)
    report = build_funnel(engine, as_of=AS_OF, settings=Settings(lookback_days=30))
    assert engine.violations(contract("funnel"), as_of=AS_OF) == []
    found = engine.execute(engine.slice("funnel", AS_OF))
    engine.close()
    found["window_start"] = [moment.date() for moment in found["window_start"]]
    found = found.set_index(["window_start", "dimension", "id", "stage"]).sort_index()
    return found.astype(object).where(lambda t: t.notna(), None), report


@pytest.fixture(scope="module")
def mined() -> tuple[Any, Any]:
    return _mined(TOUCHES, COUPONS, PURCHASES)


def _stages(found: Any, dimension: str, id_: str, column: str, window: date = ALL_HISTORY) -> list[Any]:
    rows = found.loc[(window, dimension, id_)]
    return [rows.loc[stage, column] for stage in STAGES]


def test_people_of_a_channel_are_counted_by_the_stage_they_reached(mined: tuple[Any, Any]) -> None:
    assert _stages(mined[0], "channel", "sms", "people") == [5, 4, 3, 2, 1]
    # bob and cleo never had a coupon: they stand past that stage, and were not seen in it.
    assert _stages(mined[0], "channel", "sms", "observed") == [5, 2, 3, 2, 1]
    assert _stages(mined[0], "channel", "sms", "lost") == [1, 1, 1, 1, 0]
    assert _stages(mined[0], "channel", "sms", "open") == [0, 0, 0, 0, 0]
    assert _stages(mined[0], "channel", "sms", "pass_share") == pytest.approx([0.8, 0.75, 2 / 3, 0.5, None])


def test_those_lost_are_worth_what_the_others_brought(mined: tuple[Any, Any]) -> None:
    # ann consumed 30 + 50 within 30 days, bob 10: 90 over those who reached the next stage. Coming back brought 50.
    worth = _stages(mined[0], "channel", "sms", "lost_amount")
    assert worth == [Decimal("22.50"), Decimal("30.00"), Decimal("45.00"), Decimal("50.00"), None]
    # eve's second touch lies past her 30 days.
    assert _stages(mined[0], "channel", "sms", "spent_on_lost") == [*[Decimal("0.10")] * 4, None]


def test_reservations_that_nobody_came_for_are_counted_with_their_money(mined: tuple[Any, Any]) -> None:
    row = mined[0].loc[(ALL_HISTORY, "merchant", "m", "ordered")]
    assert (row["reservations"], row["no_shows"], row["no_show_amount"]) == (1, 1, Decimal("20.00"))
    assert _stages(mined[0], "channel", "sms", "no_shows") == [None, None, 1, None, None]


def test_everybody_and_merchants_count_those_who_came_unasked(mined: tuple[Any, Any]) -> None:
    assert _stages(mined[0], "total", "(all)", "people") == [7, 6, 5, 4, 1]
    assert _stages(mined[0], "total", "(all)", "observed") == [5, 2, 5, 4, 1]
    # At m: ann, bob, cleo, dan (a coupon), flo, fay. ann came back elsewhere: to m nobody did.
    assert _stages(mined[0], "merchant", "m", "people") == [6, 6, 5, 4, 0]
    assert _stages(mined[0], "merchant", "n", "people") == [1, 1, 1, 1, 0]
    assert _stages(mined[0], "device", "phone", "people") == [5, 4, 3, 2, 1]


def test_a_window_begins_people_anew(mined: tuple[Any, Any]) -> None:
    assert set(mined[0].index.get_level_values("window_start")) == {ALL_HISTORY}
    found, _ = _mined([*TOUCHES, _touch("ann", 150)], COUPONS, PURCHASES)
    # Touched on 2017-06-09: a person of the last 30 days, whose time is not over.
    assert _stages(found, "channel", "sms", "people", LAST_30) == [1, 0, 0, 0, 0]
    assert _stages(found, "channel", "sms", "open", LAST_30) == [1, 0, 0, 0, 0]
    assert _stages(found, "channel", "sms", "people") == [5, 4, 3, 2, 1]


def test_what_may_still_come_is_open_and_not_lost() -> None:
    soon = (datetime(2017, 7, 5) - START) / timedelta(days=1)
    purchases = [
        _reserved("ann", 150, 20, soon),  # 2017-06-09, for after the day
        _reserved("bob", 1, 20, soon),  # long ago, for after the day
        _order("cleo", 150, 20, consumed=151),  # may come back until September
        _order("dan", 1, 20),  # never consumed
    ]
    found, _ = _mined([], [], purchases)
    assert _stages(found, "total", "(all)", "people") == [4, 4, 4, 1, 0]
    assert _stages(found, "total", "(all)", "open") == [0, 0, 2, 1, 0]
    assert _stages(found, "total", "(all)", "lost") == [0, 0, 1, 0, 0]
    assert found.loc[(ALL_HISTORY, "total", "(all)", "ordered"), "reservations"] == 0


def test_a_reservation_given_up_in_time_is_no_no_show() -> None:
    early = _reserved("ann", 1, 20, 5, cancelled_at=START + timedelta(days=3))
    kept = _reserved("bob", 1, 20, 5, consumed=5)
    found, _ = _mined([], [], [early, kept])
    row = found.loc[(ALL_HISTORY, "total", "(all)", "ordered")]
    assert (row["people"], row["lost"], row["reservations"], row["no_shows"]) == (2, 1, 1, 0)


def test_a_merchant_is_touched_by_its_own_campaigns() -> None:
    campaign = {"campaign_id": "c", "merchant_id": "m", "starts_at": START, "ends_at": START}
    found, _ = _mined([_touch("ann", campaign_id="c"), _touch("bob")], [], [], campaigns=[campaign])
    assert _stages(found, "merchant", "m", "people") == [1, 0, 0, 0, 0]
    assert _stages(found, "merchant", "m", "pass_share") == [0.0, None, None, None, None]
    assert _stages(found, "merchant", "m", "lost_amount") == [None, *[None] * 4]


def test_touches_without_a_cost_say_nothing_of_money_spent() -> None:
    found, _ = _mined([_touch("ann", cost=None)], [], [])
    assert _stages(found, "channel", "sms", "spent_on_lost") == [None] * 5


def test_missing_feeds_are_named_and_an_empty_log_is_an_empty_table() -> None:
    found, report = _mined([], [], [])
    assert found.empty
    assert [note.split(" is missing")[0] for note in report.notes] == [
        "feed touches", "feed coupon_receipts", "feed online_orders",
    ]  # fmt: skip
    assert report.charts == {}


def test_it_is_drawn(mined: tuple[Any, Any]) -> None:
    figure: Any = mined[1].charts["funnel"]()
    assert [(part.name, list(part.x)) for part in figure.data] == [
        ("(all)", [7, 6, 5, 4, 1]), ("sms", [5, 4, 3, 2, 1]), ("phone", [5, 4, 3, 2, 1]),
    ]  # fmt: skip
    # 110 were consumed; 3 of 4 who came did not come back, at 50 each.
    assert "after 'redeemed'" in figure.layout.title.text
