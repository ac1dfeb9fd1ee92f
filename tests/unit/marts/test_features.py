"""Features of a customer: what they count, and that they know nothing of later."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.operations as ops
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.features import FEATURES
from o2o_mining.contracts.schema import Column
from o2o_mining.core.errors import ContractError
from o2o_mining.core.settings import Settings
from o2o_mining.marts import KnownLogs, all_touches, customer_features, event_steps, leak_guard, steps
from o2o_mining.marts.knowledge import OWN_TIME
from tests.unit.marts.random_world import random_world
from tests.unit.marts.worlds import at, build, fill, order, receipt, review, rows, send, touch, use, visit

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row, World

DAY = date(2024, 6, 1)


def features(engine: DuckDBEngine, timezone: str = "UTC", /, **feeds: list[Row]) -> dict[str, Row]:
    settings = Settings(timezone=timezone)
    steps.build_known(fill(engine, feeds), as_of=DAY, settings=settings)
    steps.build_customer_features(engine, as_of=DAY, settings=settings)
    found = rows(engine, "customer_features")
    assert {row["as_of"] for row in found} <= {DAY}
    return {row["customer_id"]: row for row in found}


def test_purchases_are_counted_in_windows_that_end_with_the_day(engine: DuckDBEngine) -> None:
    moments = ["05-31 23:59", "05-02", "05-01 23:59", "03-03", "03-02 23:59", "2023-06-02", "2023-06-01 23:59", "06-01"]
    row = features(engine, offline_redemptions=[visit(str(i), moment) for i, moment in enumerate(moments)])["c"]
    assert [row[f"n_purchases{window}"] for window in ("", "_30d", "_90d", "_365d")] == [7, 2, 4, 6]


def test_days_are_reckoned_from_the_day_and_between_purchases(engine: DuckDBEngine) -> None:
    row = features(engine, offline_redemptions=[visit("a", "05-01"), visit("b", "05-04"), visit("d", "05-30 12:00")])[
        "c"
    ]
    assert (row["recency_days"], row["tenure_days"], row["mean_gap_days"]) == (1.5, 31.0, 14.75)


def test_one_purchase_has_no_gap(engine: DuckDBEngine) -> None:
    row = features(engine, offline_redemptions=[visit("a", "05-01")])["c"]
    assert (row["n_purchases"], row["mean_gap_days"]) == (1, None)


def test_amounts_are_net_of_refunds_known_before_the_day(engine: DuckDBEngine) -> None:
    row = features(
        engine,
        online_orders=[
            order("1", "05-01", list_amount=20, paid_amount=15, refunded_at="05-02", refunded_amount=5),
            order("2", "05-01", list_amount=20, paid_amount=20, refunded_at="06-01", refunded_amount=5),
            order("3", "01-01", paid_amount=Decimal("7.01")),
            order("4", "05-01"),
            order("5", "05-01", list_amount=99, paid_amount=99, status="cancelled"),
        ],
    )["c"]
    assert (row["net_amount"], row["net_amount_90d"]) == (Decimal("37.01"), Decimal("30.00"))
    assert (row["refunded_amount"], row["discount_share"]) == (Decimal("5.00"), 0.125)
    assert row["mean_net_amount"] == pytest.approx(37.01 / 3)


def test_money_is_unknown_where_no_amount_is_known_and_nothing_where_nothing_was_bought(engine: DuckDBEngine) -> None:
    made = features(
        engine,
        offline_redemptions=[visit("a", "05-01"), visit("b", "01-01", customer_id="d", paid_amount=3)],
        customers=[{"customer_id": "prospect"}],
    )
    found = {name: (row["net_amount"], row["net_amount_90d"], row["refunded_amount"]) for name, row in made.items()}
    assert found == {"c": (None, None, 0), "d": (3, 0, 0), "prospect": (None, None, 0)}


def test_stores_merchants_and_the_online_log_are_counted(engine: DuckDBEngine) -> None:
    row = features(
        engine,
        online_orders=[order("1", "05-01", merchant_id="a", store_id="chosen, never seen")],
        offline_redemptions=[visit("1", "05-01", merchant_id="a", store_id="s"),
                             visit("2", "05-01", merchant_id="b", store_id="s"), visit("3", "05-01", merchant_id="b")],
    )["c"]  # fmt: skip
    assert (row["n_merchants"], row["n_stores"], row["online_share"]) == (2, 1, 0.25)


def test_weekends_and_evenings_are_local(engine: DuckDBEngine) -> None:
    # Friday 2024-05-03 18:00 UTC is Saturday 02:00 in Taipei; Sunday 12:00 UTC is Sunday 20:00 there.
    visits = [
        visit("a", "05-03 18:00"),
        visit("b", "05-05 12:00"),
        visit("d", "05-06 12:00"),
        visit("e", "05-07 01:00"),
    ]
    utc = features(engine, offline_redemptions=visits)["c"]
    assert (utc["weekend_share"], utc["evening_share"]) == (0.25, 0.25)
    local = features(engine, "Asia/Taipei", offline_redemptions=visits)["c"]
    assert (local["weekend_share"], local["evening_share"]) == (0.5, 0.5)


def test_touches_and_coupons_are_counted(engine: DuckDBEngine) -> None:
    row = features(
        engine,
        touches=[touch("a", "05-02", "map"), touch("b", "05-01 23:59", "map"), touch("d", "06-01", "push")],
        sends=[send("1", "05-31", channel="sms")],
        coupon_receipts=[receipt("q", "05-01"), receipt("p", "05-01"), receipt("later", "06-01")],
        coupon_redemptions=[use("1", "05-02"), use("2", "05-02", coupon_id="z"), use("3", "06-01")],
    )["c"]
    assert (row["n_touches_30d"], row["n_touch_channels"]) == (2, 2)
    assert (row["n_receipts"], row["n_coupon_uses"], row["redemption_share"]) == (2, 2, 0.5)


def test_everybody_known_before_the_day_has_a_row(engine: DuckDBEngine) -> None:
    feeds: World = {
        "customers": [{"customer_id": "known"}, {"customer_id": "later", "joined_at": "06-01"}],
        "offline_redemptions": [visit("a", "05-01", customer_id="buyer")],
        "touches": [touch("a", "05-01", customer_id="touched"), touch("b", "06-01", customer_id="touched later")],
    }
    assert sorted(features(engine, **feeds)) == ["buyer", "known"]
    assert sorted(features(engine, **(feeds | {"customers": []}))) == ["buyer", "touched"]


def test_a_later_day_changes_nothing_about_an_earlier_one(engine: DuckDBEngine) -> None:
    world = random_world(5)
    day = date(2024, 4, 20)
    fill(engine, world)
    steps.build_known(engine, as_of=day, settings=Settings())
    steps.build_customer_features(engine, as_of=day, settings=Settings())
    before = rows(engine, "customer_features")
    later = [touch("new", "04-20"), touch("newer", "05-20")]
    fill(
        engine,
        {
            "touches": [*world["touches"], *later],
            "offline_redemptions": [*world["offline_redemptions"], visit("new", "04-20")],
        },
    )
    steps.build_known(engine, as_of=day, settings=Settings())
    steps.build_customer_features(engine, as_of=day, settings=Settings())
    assert rows(engine, "customer_features") == before
    assert len(before) > 5


PLANTED: dict[str, tuple[World, str]] = {
    "a touch": ({"touches": [touch("x", "06-01")]}, "n_touches_7d leaks: 1 rows of touches have touched_at"),
    "a message": ({"sends": [send("x", "06-02")]}, "n_touches_7d leaks: 1 rows of touches have touched_at"),
    "a purchase": (
        {"online_orders": [order("x", "06-01")]},
        "n_purchases leaks: 1 rows of purchases have purchased_at",
    ),
    "a cancellation": (
        {"online_orders": [order("x", "05-01", status="cancelled", cancelled_at="06-05")]},
        "n_purchases leaks: 1 rows of purchases have cancelled_at",
    ),
    "a refund": (
        {"offline_redemptions": [visit("x", "05-01", paid_amount=9, refunded_at="06-05")]},
        "net_amount leaks: 1 rows of purchases have refunded_at",
    ),
    "a visit": (
        {"online_orders": [order("x", "05-01")], "offline_redemptions": [visit("x", "06-05", order_id="x")]},
        "n_stores leaks: 1 rows of purchases have consumed_at",
    ),
    "a receipt": (
        {"coupon_receipts": [receipt("x", "06-01")]},
        "n_receipts leaks: 1 rows of coupon_lifecycle have received_at",
    ),
    "the use of a coupon": (
        {"coupon_receipts": [receipt("x", "05-01")], "coupon_redemptions": [use("x", "06-01", receipt_id="x")]},
        "n_coupon_uses leaks: 1 rows of coupon_lifecycle have redeemed_at",
    ),
    "a review": (
        {"reviews": [review("x", "06-01"), review("y", "05-31")]},
        "n_reviews leaks: 1 rows of reviews have reviewed_at",
    ),
    "what a customer said when joining": (
        {"customers": [{"customer_id": "x", "joined_at": "06-01", "birth_year": 1990, "referrer_id": "c"}]},
        "home_to_visits_km leaks: 1 rows of customers have joined_at",
    ),
}


def unmasked(engine: DuckDBEngine) -> dict[str, ir.Table]:
    """Return what features are computed from, with all that is known by now."""
    build(engine, now=date(2025, 1, 1))
    event_steps.build_coupon_lifecycle(engine, now=date(2025, 1, 1))
    tables = {name: engine.read(name) for name in ("purchases", "coupon_lifecycle", "customers", "reviews")}
    return tables | {"touches": all_touches(engine.read("touches"), engine.read("sends"))}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_leak_is_refused_by_feature_table_and_rows(engine: DuckDBEngine, what: str) -> None:
    feeds, refusal = PLANTED[what]
    tables = unmasked(fill(engine, feeds))
    with pytest.raises(ContractError, match=f"feature {refusal} on or after 2024-06-01"):
        leak_guard(tables, as_of=DAY, execute=engine.execute)
    leak_guard(tables, as_of=date(2024, 6, 6), execute=engine.execute)


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_known_later_leaves_no_trace_in_the_features(engine: DuckDBEngine, what: str) -> None:
    feeds, _ = PLANTED[what]
    before: World = {
        "customers": [{"customer_id": "c"}], "touches": [touch("a", "05-20")], "sends": [send("a", "05-20")],
        "online_orders": [order("a", "05-20")], "offline_redemptions": [visit("a", "05-20")],
        "coupon_receipts": [receipt("a", "05-20")], "coupon_redemptions": [use("a", "05-21")],
        "reviews": [review("a", "05-21")],
    }  # fmt: skip
    known = {feed: [*rows, *_known(feed, feeds.get(feed, []))] for feed, rows in before.items()}
    planted = {feed: [*rows, *feeds.get(feed, [])] for feed, rows in before.items()}
    assert features(engine, **planted) == features(engine, **known)


def _known(feed: str, planted: list[Row]) -> list[Row]:
    """Take from planted rows what was not known on the day: the whole row or what it says of later."""
    own_time = OWN_TIME[feed]
    rows = [{k: v for k, v in row.items() if k not in {"cancelled_at", "refunded_at"}} for row in planted]
    return [row | ({"status": "paid"} if "status" in row else {}) for row in rows if at(row[own_time]) < at("06-01")]


def test_a_feature_may_not_rest_on_a_reservation_that_lies_ahead(engine: DuckDBEngine) -> None:
    fill(engine, {"online_orders": [order("1", "05-30", reserved_for="06-02", fulfilment="reservation")]})
    ahead = Column("ahead", "int", "Reservations ahead.", available_at="reserved_for")
    event_steps.build_purchases(engine)
    tables = {"purchases": engine.read("purchases")}
    with pytest.raises(ContractError, match="feature ahead leaks: 1 rows of purchases have reserved_for"):
        leak_guard(tables, as_of=DAY, execute=engine.execute, features=[ahead])


def test_no_moment_is_read_that_no_feature_declares() -> None:
    names = (
        "purchases",
        "journey_touches",
        "coupon_lifecycle",
        "touches",
        "customers",
        "reviews",
        "merchants",
        "stores",
    )
    tables = [ibis.table(contract(name).schema, name=name) for name in (*names, "customers")]
    made = customer_features(KnownLogs(*tables), as_of=DAY)
    moments = {column.name for name in names for column in contract(name).columns if column.type == "timestamp"}
    read = {field.name for field in made.op().find(ops.Field)} & moments
    declared = {moment.strip() for feature in FEATURES for moment in feature.available_at.split(",")}
    # A reservation is a plan: its time is compared with the day, so that those ahead do not count.
    assert read - declared == {"reserved_for"}


def test_the_step_refuses_a_working_table_that_knows_too_much(engine: DuckDBEngine) -> None:
    fill(engine, {"online_orders": [order("1", "05-01", paid_amount=9)]})
    steps.build_known(engine, as_of=DAY, settings=Settings())
    engine.connection.execute("UPDATE known_purchases SET refunded_at = ?", [at("06-02")])
    with pytest.raises(ContractError, match="feature net_amount leaks: 1 rows of purchases have refunded_at"):
        steps.build_customer_features(engine, as_of=DAY, settings=Settings())


def test_a_feature_that_rests_on_an_unknown_moment_is_refused(engine: DuckDBEngine) -> None:
    guess = Column("guess", "int", "A guess.", available_at="guessed_at")
    with pytest.raises(ContractError, match="feature guess rests on guessed_at, which no table has"):
        leak_guard({"touches": engine.read("touches")}, as_of=DAY, execute=engine.execute, features=[guess])


def test_every_feature_says_from_when_on_it_is_known() -> None:
    assert [feature.name for feature in FEATURES if not feature.available_at] == []
    assert contract("customer_features").column_names[2:] == tuple(feature.name for feature in FEATURES)


def test_what_a_missing_feed_would_tell_is_null_and_the_step_says_so(engine: DuckDBEngine) -> None:
    fill(engine, {"offline_redemptions": [visit("a", "05-01", paid_amount=9)]})
    steps.build_known(engine, as_of=DAY, settings=Settings())
    report = steps.build_customer_features(engine, as_of=DAY, settings=Settings())
    (row,) = rows(engine, "customer_features")
    nulls = ("n_touches_30d", "n_receipts", "n_reviews", "n_friends", "n_categories", "n_no_shows", "online_share")
    assert [row[name] for name in nulls] == [None] * len(nulls)
    assert (row["n_purchases"], row["net_amount"], row["n_refunds"]) == (1, 9, 0)
    assert "The feed reviews is missing." in report.notes
    told = [note for note in report.notes if note.startswith("Without reviews")]
    assert told == ["Without reviews these features are null: n_reviews, mean_rating, n_complaints, n_complaints_90d."]


def test_what_an_empty_feed_tells_is_nothing(engine: DuckDBEngine) -> None:
    ledger: tuple[Any, ...] = ("reviews", "reviews.csv", 1, "0", 0, 0, 0, 0, [], [])
    fill(engine, {"offline_redemptions": [visit("a", "05-01")]})
    engine.connection.execute("INSERT INTO loaded_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ledger)
    steps.build_known(engine, as_of=DAY, settings=Settings())
    report = steps.build_customer_features(engine, as_of=DAY, settings=Settings())
    (row,) = rows(engine, "customer_features")
    assert (row["n_reviews"], row["mean_rating"]) == (0, None)
    assert "The feed reviews is empty." in report.notes
