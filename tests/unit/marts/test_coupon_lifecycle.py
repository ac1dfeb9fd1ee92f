"""The life of a coupon: received, used, expired."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from o2o_mining.marts import event_steps
from tests.unit.marts.references import matched
from tests.unit.marts.worlds import at, by_key, coupon, fill, order, receipt, use, visit

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row

NOW = date(2024, 7, 1)


def lifecycle(engine: DuckDBEngine, **feeds: list[Row]) -> dict[str, Row]:
    event_steps.build_coupon_lifecycle(fill(engine, feeds), now=NOW)
    return by_key(engine, "coupon_lifecycle")


def test_a_use_that_names_its_receipt_takes_it(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupons=[coupon("k", merchant_id="owner", campaign_id="x")],
        coupon_receipts=[receipt("q", "03-01", distance_m=50.0), receipt("p", "02-01")],
        coupon_redemptions=[
            use("1", "03-02 12:00", receipt_id="q", redemption_id="a", discount_amount=Decimal("2.50"))
        ],
        offline_redemptions=[visit("a", "03-02 12:00", distance_m=900.0)],
    )
    row = made["q"]
    assert (row["state"], row["redeemed_at"], row["redemption_id"]) == ("redeemed", at("03-02 12:00"), "a")
    assert (row["days_to_redeem"], row["distance_m"], row["discount_amount"]) == (1.5, 50.0, Decimal("2.50"))
    assert (row["merchant_id"], row["campaign_id"], row["customer_id"]) == ("owner", "x", "c")
    assert (made["p"]["state"], made["p"]["redeemed_at"]) == ("open", None)


def test_a_use_without_a_receipt_takes_the_earliest_unused_one_received_before_it(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_receipts=[receipt("late", "03-05"), receipt("b", "03-01"), receipt("a", "03-01"),
                         receipt("named", "02-01"), receipt("other coupon", "01-01", coupon_id="z"),
                         receipt("other", "01-01", customer_id="d")],
        coupon_redemptions=[use("1", "03-02"), use("2", "03-03", receipt_id="named")],
    )  # fmt: skip
    assert [key for key, row in made.items() if row["redeemed_at"]] == ["a", "named"]


def test_an_expired_receipt_is_taken_too(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupons=[coupon(valid_days=1)],
        coupon_receipts=[receipt("q", "03-01")],
        coupon_redemptions=[use("1", "04-01")],
    )
    assert (made["q"]["state"], made["q"]["expires_at"]) == ("redeemed", at("03-02"))


def test_a_receipt_of_the_moment_of_its_use_is_taken(engine: DuckDBEngine) -> None:
    made = lifecycle(engine, coupon_receipts=[receipt("z", "03-01")], coupon_redemptions=[use("1", "03-01")])
    assert (list(made), made["z"]["days_to_redeem"]) == (["z"], 0.0)


def test_a_use_with_no_receipt_is_a_row_of_its_own(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_receipts=[receipt("q", "03-09")],
        coupon_redemptions=[use("1", "03-01", redemption_id="a")],
        offline_redemptions=[visit("a", "03-01", merchant_id="shop", distance_m=7.0),
                             visit("b", "03-02", coupon_id="k", list_amount=9, paid_amount=7)],
        online_orders=[order("d", "03-03", coupon_id="k", merchant_id="web", list_amount=5, paid_amount=4)],
    )  # fmt: skip
    assert sorted(made) == ["q", "u:1", "u:b", "u:d"]
    row = made["u:1"]
    assert (row["received_at"], row["redeemed_at"], row["days_to_redeem"]) == (at("03-01"), at("03-01"), None)
    assert (row["merchant_id"], row["distance_m"], row["redemption_id"]) == ("shop", 7.0, "a")
    assert (made["u:b"]["discount_amount"], made["u:d"]["discount_amount"]) == (2, 1)
    assert (made["u:d"]["merchant_id"], made["u:d"]["redemption_id"], made["q"]["merchant_id"]) == (
        "web",
        None,
        "(unknown)",
    )


def test_a_use_named_in_both_feeds_counts_once(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_redemptions=[use("1", "03-01", redemption_id="a"), use("2", "03-01", order_id="o"),
                            use("3", "03-01", redemption_id="a", coupon_id="second")],
        offline_redemptions=[visit("a", "03-01", coupon_id="k"), visit("b", "03-02", order_id="o", coupon_id="k"),
                             visit("c", "03-02", order_id="p", coupon_id="k"), visit("d", "03-02", coupon_id="k")],
        online_orders=[order("o", "03-01", coupon_id="k"), order("p", "03-01", coupon_id="k")],
    )  # fmt: skip
    assert sorted(made) == ["u:1", "u:2", "u:3", "u:c", "u:d"]


def test_a_row_that_names_the_visit_of_an_order_is_the_orders_use_too(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_redemptions=[use("1", "03-02", redemption_id="a")],
        offline_redemptions=[visit("a", "03-02", order_id="o")],
        online_orders=[order("o", "03-01", coupon_id="k")],
    )
    assert sorted(made) == ["u:1"]


def test_a_cancelled_order_uses_no_coupon(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        online_orders=[order("o", "03-01", coupon_id="k", status="cancelled")],
        coupon_redemptions=[use("1", "03-01", order_id="o")],
    )
    assert made == {}


def test_a_receipt_named_twice_goes_to_the_first_use(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_receipts=[receipt("q", "03-01"), receipt("free", "03-01")],
        coupon_redemptions=[use("2", "03-02", receipt_id="q"), use("1", "03-03", receipt_id="q")],
    )
    assert made["q"]["redeemed_at"] == at("03-02")
    assert sorted(made) == ["free", "q", "u:1"]
    assert made["free"]["state"] == "open"


def test_a_use_that_names_an_unknown_receipt_takes_no_other(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine, coupon_receipts=[receipt("q", "03-01")], coupon_redemptions=[use("1", "03-02", receipt_id="lost")]
    )
    assert {key: row["state"] for key, row in made.items()} == {"q": "open", "u:1": "redeemed"}


def test_a_named_receipt_later_than_its_use_leaves_the_days_unknown(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine, coupon_receipts=[receipt("q", "03-05")], coupon_redemptions=[use("1", "03-02", receipt_id="q")]
    )
    assert (made["q"]["state"], made["q"]["days_to_redeem"]) == ("redeemed", None)


def test_uses_of_two_feeds_with_one_id_both_stay(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_redemptions=[use("1", "03-01")],
        offline_redemptions=[visit("1", "03-02", coupon_id="k")],
        online_orders=[order("1", "03-03", coupon_id="k")],
    )
    assert {key: row["redeemed_at"] for key, row in made.items()} == {
        "u:1": at("03-01"), "u:offline_redemptions:1": at("03-02"), "u:online_orders:1": at("03-03"),
    }  # fmt: skip


def test_what_a_visit_took_off_is_not_what_a_row_of_its_coupons_took_off(engine: DuckDBEngine) -> None:
    made = lifecycle(
        engine,
        coupon_redemptions=[
            use("1", "03-01", redemption_id="a"),
            use("2", "03-01", redemption_id="a", discount_amount=1),
        ],
        offline_redemptions=[visit("a", "03-01", list_amount=9, paid_amount=6)],
    )
    assert {key: row["discount_amount"] for key, row in made.items()} == {"u:1": None, "u:2": 1}


@pytest.mark.parametrize(
    ("given", "expires_at", "state"),
    [
        ({}, None, "open"),
        ({"valid_days": 10}, "03-11", "expired"),
        ({"ends_at": "03-05"}, "03-05", "expired"),
        ({"valid_days": 10, "ends_at": "03-05"}, "03-05", "expired"),
        ({"valid_days": 10, "ends_at": "05-05"}, "03-11", "expired"),
        ({"ends_at": "07-01"}, "07-01", "open"),
        ({"ends_at": "2024-06-30 23:59:59.999999"}, "2024-06-30 23:59:59.999999", "expired"),
        ({"valid_days": 2**62}, "3023-07-03", "open"),
    ],
)
def test_a_coupon_expires_with_its_validity_or_its_end(
    engine: DuckDBEngine, given: Row, expires_at: str | None, state: str
) -> None:
    made = lifecycle(engine, coupons=[coupon(**given)], coupon_receipts=[receipt("q", "03-01")])
    assert (made["q"]["expires_at"], made["q"]["state"]) == (expires_at and at(expires_at), state)


@pytest.mark.parametrize("seed", range(5))
def test_random_worlds_agree_with_the_slow_and_obvious_way(engine: DuckDBEngine, seed: int) -> None:
    draw = np.random.default_rng(seed)

    def held() -> Row:
        return {"customer_id": f"c{draw.integers(0, 9)}", "coupon_id": f"k{draw.integers(0, 3)}"}

    def moment() -> datetime:
        return datetime(2024, 4, 1) + timedelta(days=int(draw.integers(0, 15)))

    receipts = [receipt(f"q{i}", moment(), **held()) for i in range(180)]
    uses = [use(f"{i}", moment(), **held()) for i in range(210)]
    for row in uses:
        if draw.random() < 0.3:
            row["receipt_id"] = f"q{draw.integers(0, 200)}"
    made = lifecycle(engine, coupon_receipts=receipts, coupon_redemptions=uses)
    expected = matched(receipts, uses)
    redeemed = {row["receipt_id"]: row["redeemed_at"] for row in made.values() if row["receipt_id"][0] == "q"}
    times = {row["coupon_redemption_id"]: row["redeemed_at"] for row in uses}
    assert {key: when for key, when in redeemed.items() if when} == {q: times[u] for u, q in expected.items()}
    assert {key for key in made if key[0] == "u"} == {f"u:{name}" for name in times if name not in expected}
