"""Purchases: one payment, whichever log it comes from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from o2o_mining.marts import event_steps
from tests.unit.marts.worlds import at, by_key, coupon, fill, order, use, visit

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row


def purchases(engine: DuckDBEngine, **feeds: list[Row]) -> dict[str, Row]:
    fill(engine, feeds)
    event_steps.build_purchases(engine)
    return by_key(engine, "purchases")


def picked(row: Row, *names: str) -> list[Any]:
    return [row[name] for name in names]


def test_an_order_is_a_purchase_at_its_order_time(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[
            order("1", "03-01 10:00", store_id="s", list_amount=Decimal("20.00"), paid_amount=Decimal("15.50"),
                  channel="map", tracking_code="t", fulfilment="delivery", campaign_id="x")
        ],
    )  # fmt: skip
    assert list(made) == ["o:1"]
    row = made["o:1"]
    assert picked(row, "purchased_at", "consumed_at", "source", "store_id") == [at("03-01 10:00"), None, "online", "s"]
    assert picked(row, "list_amount", "discount_amount", "paid_amount", "net_amount") == [
        Decimal("20.00"), Decimal("4.50"), Decimal("15.50"), Decimal("15.50"),
    ]  # fmt: skip
    assert picked(row, "channel", "tracking_code", "fulfilment", "campaign_id") == ["map", "t", "delivery", "x"]
    assert picked(row, "refunded_at", "refunded_amount", "cancelled_at") == [None, Decimal("0.00"), None]


def test_the_first_redemption_fills_its_order_and_is_no_purchase(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01", store_id="s", paid_amount=10)],
        offline_redemptions=[visit("a", "03-02", order_id="1", store_id="z", distance_m=70.0, paid_amount=0)],
    )
    assert list(made) == ["o:1"]
    assert picked(made["o:1"], "consumed_at", "redemption_id", "store_id", "distance_m") == [
        at("03-02"), "a", "z", 70.0,
    ]  # fmt: skip


def test_the_store_of_the_order_stays_where_the_redemption_names_none(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01", store_id="s")],
        offline_redemptions=[visit("a", "03-02", order_id="1")],
    )
    assert made["o:1"]["store_id"] == "s"


def test_what_was_paid_on_top_is_a_second_purchase_of_that_amount(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01", paid_amount=10)],
        offline_redemptions=[visit("a", "03-02", order_id="1", paid_amount=Decimal("3.20"))],
    )
    assert {key: row["paid_amount"] for key, row in made.items()} == {"o:1": 10, "r:a": Decimal("3.20")}
    assert made["o:1"]["consumed_at"] == made["r:a"]["consumed_at"] == at("03-02")
    assert made["r:a"]["purchased_at"] == at("03-02")


def test_of_redemptions_at_one_moment_the_smallest_id_is_the_first(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01", paid_amount=10)],
        offline_redemptions=[visit(name, "03-02", order_id="1") for name in ("b", "a", "c")],
    )
    assert made["o:1"]["redemption_id"] == "a"
    assert sorted(made) == ["o:1", "r:b", "r:c"]
    assert made["r:b"]["paid_amount"] is None


def test_a_redemption_of_an_unknown_order_or_of_none_is_a_purchase(engine: DuckDBEngine) -> None:
    made = purchases(
        engine, offline_redemptions=[visit("a", "03-02", order_id="lost"), visit("b", "03-03", paid_amount=4)]
    )
    assert sorted(made) == ["r:a", "r:b"]
    assert picked(made["r:a"], "order_id", "source", "net_amount") == ["lost", "offline", None]
    assert picked(made["r:b"], "consumed_at", "net_amount") == [at("03-03"), Decimal("4.00")]


@pytest.mark.parametrize(("paid", "ids"), [(None, ["o:1"]), (0, ["o:1"]), (5, ["o:1", "r:a"])])
def test_a_redemption_of_a_cancelled_order_is_a_purchase_only_if_paid(
    engine: DuckDBEngine, paid: int | None, ids: list[str]
) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01", status="cancelled", cancelled_at="03-03")],
        offline_redemptions=[visit("a", "03-02", order_id="1", paid_amount=paid)],
    )
    assert sorted(made) == ids
    assert picked(made["o:1"], "consumed_at", "redemption_id") == [None, None]


def test_a_cancellation_without_a_time_counts_from_the_order(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[
            order("1", "03-01", status="cancelled"),
            order("2", "03-01", status="cancelled", cancelled_at="03-04"),
            order("3", "03-01", status="refunded", cancelled_at="03-05"),
        ],
    )
    assert [made[key]["cancelled_at"] for key in ("o:1", "o:2", "o:3")] == [at("03-01"), at("03-04"), at("03-05")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"status": "refunded"}, ("03-01", "10.00", "0.00")),
        ({"status": "refunded", "refunded_at": "03-05", "refunded_amount": 4}, ("03-05", "4.00", "6.00")),
        ({"refunded_at": "03-05"}, ("03-05", "10.00", "0.00")),
        ({"refunded_amount": 4}, ("03-01", "4.00", "6.00")),
        ({"refunded_amount": 0}, (None, "0.00", "10.00")),
        ({}, (None, "0.00", "10.00")),
    ],
)
def test_a_refund_without_a_time_counts_from_the_order_and_without_an_amount_is_all(
    engine: DuckDBEngine, given: Row, expected: tuple[str | None, str, str]
) -> None:
    row = purchases(engine, online_orders=[order("1", "03-01", **{"paid_amount": 10, **given})])["o:1"]
    refunded_on, refunded, net = expected
    assert row["refunded_at"] == (refunded_on and at(refunded_on))
    assert picked(row, "refunded_amount", "net_amount") == [Decimal(refunded), Decimal(net)]


def test_an_unknown_amount_gives_an_unknown_net_amount_and_a_refund_of_nothing(engine: DuckDBEngine) -> None:
    row = purchases(engine, online_orders=[order("1", "03-01", status="refunded")])["o:1"]
    assert picked(row, "refunded_at", "refunded_amount", "net_amount") == [at("03-01"), Decimal("0.00"), None]


def test_the_refund_of_a_redemption_that_is_no_purchase_is_its_orders(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[
            order("1", "03-01", paid_amount=10),
            order("2", "03-01", paid_amount=10),
            order("3", "03-01", paid_amount=10, refunded_at="03-02", refunded_amount=1),
            order("4", "03-01", paid_amount=10),
        ],
        offline_redemptions=[
            visit("a", "03-03", order_id="1", refunded_at="03-04", refunded_amount=2),
            visit("b", "03-03", order_id="2", refunded_at="03-04"),
            visit("c", "03-03", order_id="3", refunded_at="03-04", refunded_amount=2),
            visit("d", "03-03", order_id="4", paid_amount=5, refunded_amount=2),
        ],
    )
    found = {key: (row["refunded_at"], row["refunded_amount"]) for key, row in made.items()}
    assert found == {
        "o:1": (at("03-04"), 2),
        "o:2": (at("03-04"), 10),
        "o:3": (at("03-02"), 1),
        "o:4": (None, 0),
        "r:d": (at("03-03"), 2),
    }


def test_coupon_and_receipt_are_the_rows_own_before_those_of_its_smallest_use(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01", coupon_id="own"), order("2", "03-01"), order("3", "03-01", coupon_id="k")],
        coupon_redemptions=[
            use("9", "03-01", order_id="2", coupon_id="late"),
            use("10", "03-01", order_id="2", coupon_id="k", receipt_id="q"),
            use("11", "03-01", order_id="1", coupon_id="k", receipt_id="q"),
            use("12", "03-01", order_id="3", coupon_id="k", receipt_id="q"),
        ],
    )
    found = {key: (row["coupon_id"], row["receipt_id"]) for key, row in made.items()}
    # "10" is smaller than "9": ids are texts. The receipt of another coupon is nobody's.
    assert found == {"o:1": ("own", None), "o:2": ("k", "q"), "o:3": ("k", "q")}


def test_a_use_belongs_to_one_purchase_only(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        online_orders=[order("1", "03-01"), order("2", "03-01")],
        offline_redemptions=[visit("a", "03-02", order_id="1"), visit("b", "03-02", order_id="2", paid_amount=5)],
        coupon_redemptions=[
            use("1", "03-02", redemption_id="a"),
            use("2", "03-02", redemption_id="b", order_id="2"),
            use("3", "03-02", redemption_id="nowhere", order_id="nowhere"),
        ],
    )
    assert {key: row["coupon_id"] for key, row in made.items()} == {"o:1": "k", "o:2": None, "r:b": "k"}


def test_the_campaign_is_the_orders_then_the_coupons(engine: DuckDBEngine) -> None:
    made = purchases(
        engine,
        coupons=[coupon("k", campaign_id="of coupon")],
        online_orders=[
            order("1", "03-01", campaign_id="x", coupon_id="k"),
            order("2", "03-01", coupon_id="k"),
            order("3", "03-01", coupon_id="unknown"),
        ],
    )
    assert [row["campaign_id"] for row in made.values()] == ["x", "of coupon", None]


def test_ids_of_any_length_and_letters_are_kept(engine: DuckDBEngine) -> None:
    huge = "9" * 64
    made = purchases(
        engine,
        online_orders=[order(huge, "03-01")],
        offline_redemptions=[visit("é'\"; 名", "03-02", order_id=huge), visit(huge, "03-03")],
    )
    assert sorted(made) == [f"o:{huge}", f"r:{huge}"]
    assert made[f"o:{huge}"]["redemption_id"] == "é'\"; 名"


def test_amounts_stay_exact_to_the_cent(engine: DuckDBEngine) -> None:
    most = Decimal("9999999999999999.99")
    made = purchases(
        engine, online_orders=[order("1", "03-01", list_amount=most, paid_amount=most, refunded_amount="0.01")]
    )
    assert made["o:1"]["net_amount"] == Decimal("9999999999999999.98")


def test_missing_feeds_are_named_in_the_report(engine: DuckDBEngine) -> None:
    fill(engine, {"offline_redemptions": [visit("a", "03-02")]})
    report = event_steps.build_purchases(engine)
    assert (report.table, report.rows) == ("purchases", 1)
    assert report.notes[0] == "The feed online_orders is missing."
