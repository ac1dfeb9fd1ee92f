"""Homes and redemptions as the room counts them."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.local.visits import homes, store_customers, store_visits
from tests.unit.local.rows import AS_OF, NOON, person, shop, table, visit

SINCE = date(2024, 1, 1)


def visits(engine: DuckDBEngine, purchases: list[dict[str, object]], people: list[dict[str, object]]) -> pd.DataFrame:
    told = store_visits(
        table("purchases", purchases), table("customers", people), table("stores", [shop("s1", 1.0)]), since=SINCE
    )
    rows: pd.DataFrame = engine.execute(told).sort_values(["store_id", "steps"], ignore_index=True)
    return rows


def test_a_home_counts_everybody_there_who_had_joined(engine: DuckDBEngine) -> None:
    people = [
        person("a"), person("b", 0.01), person("c", 5.0, joined_at=datetime(2024, 7, 1)),
        person("d", None), person("e", 5.0, joined_at=None),
    ]  # fmt: skip
    found = engine.execute(homes(table("customers", people), as_of=AS_OF)).sort_values("grid_lon", ignore_index=True)
    assert found["people"].tolist() == [2, 1]
    assert found["lon"].tolist() == pytest.approx([0.01 / 111.195 * 1e6, 5 / 111.195 * 1e6], abs=1)


def test_the_distance_of_the_log_goes_before_that_from_the_home(engine: DuckDBEngine) -> None:
    told = visits(engine, [visit("1", distance_m=214.0), visit("2"), visit("3", customer_id="?")], [person("ann")])
    assert told["steps"].tolist()[:2] == [21, 100]
    assert pd.isna(told["steps"][2])
    assert told["redemptions"].tolist() == [1, 1, 1]


def test_what_is_paid_on_top_a_delivery_and_a_cancelled_order_are_no_redemptions(engine: DuckDBEngine) -> None:
    purchases = [
        visit("1", purchase_id="o:1", source="online", coupon_id="k"), visit("1"),
        visit("2", purchase_id="o:2", source="online", fulfilment="delivery"),
        visit("3", purchase_id="o:3", source="online", cancelled_at=NOON),
        visit("4", consumed_at=None), visit("5", store_id=None), visit("6", consumed_at=datetime(2023, 12, 31)),
    ]  # fmt: skip
    told = visits(engine, purchases, [person("ann")])
    assert told[["redemptions", "own"]].values.tolist() == [[1, 0]]


def test_customers_who_come_again_and_again_cluster(engine: DuckDBEngine) -> None:
    purchases = [visit("1"), visit("2"), visit("3"), visit("4", customer_id="bob")]
    row = engine.execute(store_customers(table("purchases", purchases), since=SINCE)).iloc[0]
    assert row[["customers", "visits", "squares"]].tolist() == [2, 4, 10]
