"""Orders for the store beside orders delivered: what is due to who the customers are is taken out."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from o2o_mining.attribution.outcomes.overlap import compared_orders, overlap_weights, weighted_difference
from o2o_mining.attribution.outcomes.steps import build_o2o_b2c
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, World
from tests.unit.attribution.worlds import table as rows_of

START = datetime(2017, 1, 10)  # of 2017-07-01
PLANTED, PER_PURCHASE = 2.0, 6.0


def _planted(seed: int, n: int = 1500) -> pd.DataFrame:
    """Return orders of which faithful customers place more for the store and pay more, whatever the kind."""
    chance = np.random.default_rng(seed)
    before = chance.poisson(chance.gamma(1.0, 4.0, n))
    in_store = chance.random(n) < 1 / (1 + np.exp(-(np.log1p(before) - 1.2)))
    basket = 20 + PLANTED * in_store + PER_PURCHASE * np.log1p(before) + chance.normal(0, 8, n)
    spent = {"cents_before": before * 2000, "deliveries_before": before // 2, "coupons_before": before // 3}
    known = {"days_since_first": before * 10.0, "days_since_last": 5.0, "has_coupon": 0, "days_ago": 50.0}
    outcomes = {"converted": 1, "repeat": 0, "margin": (basket * 30).round(), "acquisition_cost": None}
    return pd.DataFrame(
        {
            "customer_id": [f"c{i // 2}" for i in range(n)], "channel": "search", "category": "cafe",
            "purchases_before": before, "in_store": in_store, "basket": (basket * 100).round(),
            **spent, **known, **outcomes,
        }
    )  # fmt: skip


def test_the_planted_difference_is_found_where_plain_means_are_far_off() -> None:
    found = compared_orders(_planted(1, 4000)).set_index(["dimension", "outcome"])
    row: Any = found.loc[("total", "basket")]
    assert row["difference_low"] < PLANTED < row["difference_high"]
    assert row["difference_high"] - row["difference_low"] < 1.5
    assert row["plain_difference"] > PLANTED + 3
    assert row["label"] == "observational"
    # Everything is weighted alike: of one channel and one category there is nothing else to find.
    same: Any = found.loc[("category", "basket")]
    assert same["difference"] == row["difference"]


def test_intervals_hold_the_planted_difference_as_often_as_they_say() -> None:
    inside = []
    for seed in range(100):
        orders = _planted(seed, 800)
        in_store, basket = orders["in_store"].to_numpy(), orders["basket"].to_numpy() / 100
        before = np.log1p(orders[["purchases_before"]].to_numpy(dtype=float))
        weights, reason = overlap_weights(in_store, before)
        store, delivered, error = weighted_difference(in_store, weights, basket, np.arange(800, dtype=np.int64) // 2)
        assert reason == ""
        inside.append(abs(store - delivered - PLANTED) <= 1.96 * error)
    assert 0.89 <= np.mean(inside) <= 1.0


def test_both_kinds_have_the_same_weighted_mean_of_what_was_known() -> None:
    orders = _planted(3)
    features = np.log1p(orders[["purchases_before", "cents_before"]].to_numpy(dtype=float))
    in_store = orders["in_store"].to_numpy()
    weights, _ = overlap_weights(in_store, features)
    sides = [np.average(features[side], axis=0, weights=weights[side]) for side in (in_store, ~in_store)]
    assert sides[0] == pytest.approx(sides[1], abs=0.01)


def test_orders_of_one_customer_are_no_independent_draws() -> None:
    in_store = np.array([True, False] * 50)
    ones = np.where(in_store, 1.0, 0.0)
    outcome: npt.NDArray[np.float64] = ones + np.repeat(np.arange(50.0) % 2, 2) * ones
    alone = weighted_difference(in_store, np.ones(100), outcome, np.arange(100))
    assert alone[:2] == (1.5, 0.0)
    assert alone[2] == pytest.approx(0.5 / np.sqrt(50))
    # Ten orders of a customer that go up and down together tell no more than one.
    tenfold = weighted_difference(
        np.repeat(in_store, 10), np.ones(1000), np.repeat(outcome, 10), np.repeat(np.arange(100), 10)
    )
    assert tenfold[2] == pytest.approx(alone[2])


@pytest.mark.parametrize(("n", "reason"), [(40, "too_few"), (2000, "no_overlap")])
def test_without_comparable_orders_the_figure_is_refused(n: int, reason: str) -> None:
    orders = _planted(5, n)
    if reason == "no_overlap":  # newcomers have it delivered, all others do not
        orders["in_store"] = orders["purchases_before"] > 2
    row = compared_orders(orders).query("dimension == 'total' and outcome == 'basket'").to_dict("records")[0]
    assert (row["label"], row["reason_code"], row["difference"]) == ("refused", reason, None)


def _order(name: str, customer: str, day: float, paid: int, fulfilment: str | None, **facts: Any) -> dict[str, Any]:
    at = START + timedelta(days=day)
    return {
        "purchase_id": f"o:{name}", "order_id": name, "customer_id": customer, "merchant_id": "m", "source": "online",
        "purchased_at": at, "paid_amount": paid, "list_amount": paid, "net_amount": paid, "refunded_amount": 0,
        "fulfilment": fulfilment, "channel": "search", "consumed_at": at if fulfilment == "in_store" else None, **facts,
    }  # fmt: skip


@pytest.fixture(scope="module")
def engine_of() -> Any:
    """Return how a log is mined."""

    def mined(purchases: list[dict[str, Any]], **feeds: list[dict[str, Any]]) -> tuple[pd.DataFrame, Any]:
        engine = DuckDBEngine(":memory:", Settings())
        World().store(engine)
        engine.write("known_purchases", rows_of("purchases", purchases), as_of=AS_OF)
        path = [
            {"journey_id": "o:s0", "touch_id": "x", "customer_id": "s0", "position": 1, "touched_at": START,
             "channel": "sms"}
        ]  # fmt: skip
        engine.write("known_journey_touches", rows_of("journey_touches", path), as_of=AS_OF)
        for feed, rows in feeds.items():
            engine.upsert(feed, engine.stage(rows_of(feed, rows).mutate(_ordinal=ibis.row_number())), file_id=1)
        report = build_o2o_b2c(engine, as_of=AS_OF, settings=Settings())
        assert engine.violations(contract("o2o_b2c"), as_of=AS_OF) == []
        found = engine.execute(engine.slice("o2o_b2c", AS_OF))
        engine.close()
        return found, report

    return mined


def _alike(n: int) -> list[dict[str, Any]]:
    """Return orders of newcomers: for the store 30 each, delivered 20; of the first kind half come back."""
    store = [_order(f"s{i}", f"s{i}", 0, 30, "in_store") for i in range(n)]
    delivered = [_order(f"d{i}", f"d{i}", 0, 20, "delivery") for i in range(n)]
    back = [_order(f"b{i}", f"s{i}", 10, 5, None, source="offline", order_id=None) for i in range(n // 2)]
    return [*store, *delivered, *back]


TOUCH = {
    "touch_id": "x", "customer_id": "s0", "touched_at": START, "channel": "sms", "action": "click", "cost": Decimal(8)
}  # fmt: skip


def test_outcomes_are_reckoned_by_hand(engine_of: Any) -> None:
    purchases = [
        *_alike(40),
        # A reservation that nobody came for earns nothing, and is an order all the same.
        _order("no", "no", 0, 30, "reservation", cancelled_at=START + timedelta(days=2)),
        # Not yet decided, not an order, no word how it is consumed.
        _order("new", "new", 170, 99, "reservation"),
        _order("top", "s39", 0.5, 1, None, source="offline", order_id="s39"),
        _order("odd", "odd", 0, 99, None),
    ]
    merchants = [{"merchant_id": "m", "category": "cafe", "margin_share": 0.5}]
    found, report = engine_of(purchases, touches=[TOUCH], merchants=merchants)
    rows = found[found["dimension"] == "total"].set_index("outcome")
    assert rows["n_store"].to_dict() == {
        "converted": 41, "repeat": 41, "basket": 42, "margin": 42, "acquisition_cost": 41,
    }  # fmt: skip
    assert set(rows["n_delivered"]) == {40}
    assert rows.loc["converted", "plain_difference"] == pytest.approx(40 / 41 - 1, abs=1e-6)
    # What s39 paid on top of its own order is no second purchase.
    assert rows.loc["repeat", "plain_difference"] == pytest.approx(20 / 41, abs=1e-6)
    # Half of the price is kept, nothing of what was cancelled; the new reservation stands.
    margin = (40 * 15 + 0 + 49.5) / 42 - 10
    assert rows.loc["margin", "plain_difference"] == pytest.approx(margin, abs=1e-6)
    # The 8 for the touch of s0, over the 41 orders for the store that stand.
    assert rows.loc["acquisition_cost", "plain_difference"] == pytest.approx(8 / 41, abs=1e-6)
    assert set(found["dimension"] + " " + found["id"]) == {"total (all)", "channel search", "category cafe"}
    assert report.figures["repeat"] == pytest.approx(rows.loc["repeat", "difference"])


def test_alike_customers_need_no_weights(engine_of: Any) -> None:
    found, report = engine_of(_alike(40))
    row = found[(found["dimension"] == "total") & (found["outcome"] == "basket")].to_dict("records")[0]
    assert (row["mean_store"], row["mean_delivered"], row["difference"]) == pytest.approx((30.0, 20.0, 10.0))
    assert (row["customers"], row["customers_of_both"]) == (80, 0)
    assert [note.split(" is missing")[0] for note in report.notes[:3]] == [
        "feed online_orders", "feed touches", "feed merchants",
    ]  # fmt: skip
    figure: Any = report.charts["store_beside_delivery"]()
    assert [part.name for part in figure.data][:2] == ["alike customers, 95 %", "as they are"]


def test_touches_without_a_cost_give_no_cost_of_winning_an_order(engine_of: Any) -> None:
    found, _ = engine_of(_alike(40), touches=[{**TOUCH, "cost": None}])
    rows = found[found["outcome"] == "acquisition_cost"]
    assert set(rows["reason_code"]) == {"too_few"}
    assert set(rows["n_store"]) == {0}


def test_a_log_without_orders_is_an_empty_table(engine_of: Any) -> None:
    found, report = engine_of([_order("a", "a", 0, 5, None, source="offline", order_id=None)])
    assert found.empty
    assert report.charts == {}
