"""From tables to rules: what is planted is found, what is not is not, and nothing later leaks in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from o2o_mining.association.steps import build_association_rules
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine

AS_OF = date(2024, 7, 1)
BEGIN = datetime(2024, 1, 1)


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    yield engine
    engine.close()


def _table(name: str, rows: list[dict[str, Any]]) -> Any:
    schema = ibis.schema(contract(name).schema).to_pyarrow()
    loose = pa.schema([pa.field(column.name, column.type) for column in schema])
    return ibis.memtable(pa.Table.from_pylist(rows, schema=loose))


def _feed(engine: DuckDBEngine, name: str, rows: list[dict[str, Any]]) -> None:
    engine.upsert(name, engine.stage(_table(name, rows)), file_id=1)


def _shop(seed: int, customers: int = 600, visits: int = 4) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return purchases and lines: tea brings the cup, and who bought a bike buys a helmet on the next visit."""
    chance = np.random.default_rng(seed)
    goods = ["tea", "cup", "bike", "helmet", *(f"p{number}" for number in range(12))]
    purchases, lines = [], []
    for who in range(customers):
        had_bike = False
        for time in range(visits):
            number = f"{who:04d}-{time}"
            at = BEGIN + timedelta(days=int(chance.integers(20)) + 25 * time, hours=10)
            purchases.append({
                "purchase_id": f"r:{number}", "customer_id": f"c{who}", "merchant_id": f"m{chance.integers(4)}",
                "purchased_at": at, "source": "offline", "redemption_id": number, "refunded_amount": Decimal(0),
                "paid_amount": Decimal(10), "net_amount": Decimal(10),
            })  # fmt: skip
            held = {goods[at] for at in chance.choice(len(goods), 1 + chance.poisson(1.0))}
            held |= {"cup"} if "tea" in held and chance.random() < 0.6 else set()
            held |= {"helmet"} if had_bike and chance.random() < 0.6 else set()
            had_bike = "bike" in held
            lines += [
                {"basket_id": number, "line_no": line, "product_id": one, "quantity": 1.0, "amount": Decimal(1)}
                for line, one in enumerate(sorted(held))
            ]
    return purchases, lines


PRODUCTS: list[dict[str, Any]] = [
    {"product_id": "tea", "name": "Green tea", "category": "drinks", "subcategory": "hot"},
    {"product_id": "cup", "name": None, "category": "kitchen", "subcategory": "cups"},
]
MERCHANTS: list[dict[str, Any]] = [
    {"merchant_id": f"m{number}", "name": f"Shop {number}", "category": "shop"} for number in range(4)
]


def _mine(
    engine: DuckDBEngine, purchases: list[dict[str, Any]], lines: list[dict[str, Any]]
) -> tuple[StepReport, pd.DataFrame]:
    engine.write("known_purchases", _table("purchases", purchases), as_of=AS_OF)
    if lines:
        _feed(engine, "basket_lines", lines)
        _feed(engine, "products", PRODUCTS)
        _feed(engine, "merchants", MERCHANTS)
    report = build_association_rules(engine, as_of=AS_OF, settings=Settings())
    rules: pd.DataFrame = engine.execute(engine.read("association_rules"))
    return report, rules


def _told(rules: pd.DataFrame) -> set[tuple[str, str, str, str]]:
    rows: list[Any] = rules.to_dict("records")
    return {(row["scope"], row["level"], "+".join(row["antecedents"]), "+".join(row["consequents"])) for row in rows}


def test_what_was_planted_is_found_and_nothing_else(engine: DuckDBEngine) -> None:
    report, rules = _mine(engine, *_shop(1))
    told = _told(rules)
    assert {
        ("basket", "product", "tea", "cup"), ("basket", "product", "cup", "tea"),
        ("sequence", "product", "bike", "helmet"),
    } <= told  # fmt: skip
    about = {frozenset((*left.split("+"), right)) for _, level, left, right in told if level == "product"}
    assert all({"tea", "cup"} <= one or {"bike", "helmet"} <= one for one in about), told
    assert report.figures["visits"] == 2_400
    assert (rules["holdout_lift_low"] > 1).all()
    assert (rules["q_value"] <= 0.02).all()


def test_plain_metrics_are_counted_over_all_baskets(engine: DuckDBEngine) -> None:
    purchases, lines = _shop(2)
    _, rules = _mine(engine, purchases, lines)
    told = rules[(rules["scope"] == "basket") & (rules["level"] == "product")]
    row: Any = next(one for one in list[Any](told.itertuples(index=False)) if list(one.antecedents) == ["tea"])
    held: dict[str, set[str]] = {}
    for line in lines:
        held.setdefault(line["basket_id"], set()).add(line["product_id"])
    tea, cup = ({number for number, one in held.items() if name in one} for name in ("tea", "cup"))
    assert row.n_baskets == len(held) == 2_400
    assert row.support == pytest.approx(len(tea & cup) / 2_400)
    assert row.confidence == pytest.approx(len(tea & cup) / len(tea))
    assert row.lift == pytest.approx(len(tea & cup) * 2_400 / (len(tea) * len(cup)))
    assert row.customers == len({number[:4] for number in tea & cup})
    assert row.net_amount == Decimal(10) * len(tea & cup)


def test_cancelled_and_later_purchases_do_not_count(engine: DuckDBEngine) -> None:
    purchases, lines = _shop(3)
    for one in purchases[::2]:
        one["cancelled_at"] = one["purchased_at"]
    late = [one | {"purchase_id": f"late:{one['purchase_id']}", "purchased_at": datetime(2024, 7, 1)}
            for one in purchases[:50]]  # fmt: skip
    report, _ = _mine(engine, purchases + late, lines)
    assert report.figures["visits"] == 1_200


def test_the_order_of_rows_does_not_matter_and_names_are_told() -> None:
    purchases, lines = _shop(4)
    found = []
    for mixed in (False, True):
        engine = DuckDBEngine(":memory:", Settings())
        report, rules = _mine(engine, purchases[::-1] if mixed else purchases, lines[::-1] if mixed else lines)
        found.append(rules)
        engine.close()
    said = report.samples["The strongest rules"]["rule"].tolist()
    assert any(one.startswith("Who buys Green tea also buys cup: ") for one in said)
    pd.testing.assert_frame_equal(found[0], found[1])


def test_without_lines_there_are_no_rules_about_products_and_the_run_says_so(engine: DuckDBEngine) -> None:
    report, rules = _mine(engine, _shop(5)[0], [])
    assert rules.empty
    assert "feed basket_lines is missing: there are no rules about products" in report.notes


def test_people_who_always_go_from_one_place_to_another_are_a_rule_about_merchants(engine: DuckDBEngine) -> None:
    chance = np.random.default_rng(6)
    purchases = []
    for who in range(300):
        at, place = BEGIN, int(chance.integers(6))
        for time in range(8):
            at += timedelta(days=int(chance.integers(2, 9)))
            place = 5 if place == 0 and chance.random() < 0.7 else int(chance.integers(6))
            purchases.append({
                "purchase_id": f"r:{who}-{time}", "customer_id": f"c{who}", "merchant_id": f"m{place}",
                "purchased_at": at, "source": "offline", "redemption_id": f"{who}-{time}",
                "refunded_amount": Decimal(0),
            })  # fmt: skip
    _, rules = _mine(engine, purchases, [])
    assert ("sequence", "merchant", "m0", "m5") in _told(rules)
    assert rules["net_amount"].isna().all()


@pytest.mark.parametrize("customers", [0, 1, 3])
def test_next_to_nobody_is_no_rule_and_no_failure(engine: DuckDBEngine, customers: int) -> None:
    report, rules = _mine(engine, *_shop(7, customers=customers))
    assert report.rows == len(rules) == 0
    assert list(rules.columns) == list(contract("association_rules").column_names)
    for chart in report.charts.values():
        chart()


def test_the_charts_show_every_rule(engine: DuckDBEngine) -> None:
    report, rules = _mine(engine, *_shop(8))
    drawn: Any = report.charts["rules"]()
    assert sum(len(trace.x) for trace in drawn.data) == len(rules) > 0
    picture: Any = report.charts["strongest"]()
    (strongest,) = picture.data
    lows = sorted(rules["holdout_lift_low"], reverse=True)[: len(strongest.x)]
    assert len(set(strongest.y)) == len(strongest.x) == min(len(rules), 25)
    assert (strongest.x - strongest.error_x.arrayminus).tolist() == pytest.approx(lows)
