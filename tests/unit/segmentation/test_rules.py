"""Segments by rule: each condition means what it says, and what is wrong is said with file, segment and condition."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import UsageError
from o2o_mining.segmentation.rule_query import Known, with_rule_segments
from o2o_mining.segmentation.rules import parse_rules, read_rules
from o2o_mining.segmentation.words import namer

AS_OF = date(2024, 7, 1)
MIDNIGHT = datetime(2024, 7, 1)


def _table(name: str, rows: list[dict[str, Any]]) -> Any:
    schema = ibis.schema({n: t for n, t in contract(name).schema.items() if n != "as_of"}).to_pyarrow()
    loose = pa.schema([pa.field(field.name, field.type) for field in schema])
    return ibis.memtable(pa.Table.from_pylist(rows, schema=loose))


def _buy(number: int, who: str, days: float, merchant: str = "m1", **more: Any) -> dict[str, Any]:
    at = MIDNIGHT - timedelta(days=days)
    return {"purchase_id": f"o:{number}", "customer_id": who, "merchant_id": merchant, "purchased_at": at, **more}


def _known() -> Known:
    people = ("ann", "bob", "cleo")
    segments: list[dict[str, Any]] = [
        {"customer_id": who, "frequency": n, "monetary": money, "lifecycle_stage": stage, "rule_segments": []}
        for who, n, money, stage in (
            ("ann", 3, Decimal("30.00"), "active"), ("bob", 1, Decimal("5.50"), "lost"), ("cleo", 0, None, "prospect"),
        )
    ]  # fmt: skip
    features = [
        {"customer_id": "ann", "evening_share": 0.6, "is_referred": True, "net_amount": Decimal("30.00")},
        {"customer_id": "bob", "evening_share": 0.2, "is_referred": False, "net_amount": Decimal("5.50")},
    ]
    purchases = [
        _buy(1, "ann", 10), _buy(2, "ann", 100, store_id="s1"), _buy(3, "ann", 20, "m2"), _buy(4, "bob", 10),
        _buy(5, "bob", 5, cancelled_at=MIDNIGHT - timedelta(days=1)), _buy(6, "bob", 0),
    ]  # fmt: skip
    homes = [{"customer_id": who, "home_lat": 25.0 + place, "home_lon": 121.5} for place, who in enumerate(people[:2])]
    return Known(
        _table("segments", segments),
        _table("customer_features", features),
        _table("purchases", purchases),
        _table("merchants", [{"merchant_id": "m1", "category": "cafe"}, {"merchant_id": "m2"}]),
        _table("customers", [*homes, {"customer_id": "cleo"}]),
        _table("stores", [
            {"store_id": "s1", "merchant_id": "m1", "lat": 25.01, "lon": 121.5},
            {"store_id": "s2", "merchant_id": "m1", "lat": 26.0, "lon": 121.5},
        ]),
    )  # fmt: skip


def _members(condition: str) -> list[str]:
    rules = list(parse_rules(f"found: {{name: Found, {condition}}}", "mine.yaml"))
    rows = with_rule_segments(_known(), rules, as_of=AS_OF).execute()
    return sorted(who for who, codes in zip(rows["customer_id"], rows["rule_segments"], strict=True) if len(codes))


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        ("feature: evening_share, at_least: 0.6", ["ann"]),
        ("feature: evening_share, more_than: 0.6", []),
        ("feature: evening_share, at_most: 0.6, more_than: 0.1", ["ann", "bob"]),
        ("feature: frequency, less_than: 1", ["cleo"]),
        ("feature: lifecycle_stage, in: [lost, prospect]", ["bob", "cleo"]),
        ("feature: lifecycle_stage, is_not: lost", ["ann", "cleo"]),
        ("feature: is_referred, is: true", ["ann"]),
        ("feature: evening_share, known: false", ["cleo"]),
        ("feature: monetary, at_least: 5.5", ["ann", "bob"]),
        ("not: {feature: evening_share, at_least: 0.6}", ["bob", "cleo"]),
        ("any: [{feature: frequency, is: 0}, {feature: is_referred, is: true}]", ["ann", "cleo"]),
        ("all: [{feature: frequency, at_least: 1}, {not: {feature: is_referred, is: true}}]", ["bob"]),
        ("purchases: {within_days: 90}, at_least: 2", ["ann"]),
        ("purchases: {}, at_least: 3", ["ann"]),
        ("purchases: {category: cafe, within_days: 90}, is: 1", ["ann", "bob"]),
        ("purchases: {merchant: [m2, m9]}, at_least: 1", ["ann"]),
        ("purchases: {store: s1}, is: 0", ["bob", "cleo"]),
        ("purchases: {within_days: 10}, at_least: 1", ["ann", "bob"]),
        ("purchases: {within_days: 9}, at_least: 1", []),
        ("distance_to: {store: s1}, at_most_km: 2", ["ann"]),
        ("distance_to: {merchant: m1}, at_most_km: 2", ["ann", "bob"]),
        ("distance_to: {merchant: m9}, known_km: true", []),
        ("not: {distance_to: {store: s1}, at_most_km: 2}", ["bob", "cleo"]),
    ],
)  # fmt: skip
def test_a_condition_means_what_it_says(condition: str, members: list[str]) -> None:
    assert _members(condition) == members


def test_codes_of_a_customer_are_sorted_and_nobody_is_lost_or_doubled() -> None:
    rules = list(parse_rules("""
b_two: {name: B, feature: frequency, at_least: 1}
a_one: {name: A, purchases: {within_days: 90}, at_least: 1}
""", "mine.yaml"))  # fmt: skip
    rows = with_rule_segments(_known(), rules, as_of=AS_OF).execute().set_index("customer_id")["rule_segments"]
    assert {who: list(codes) for who, codes in rows.items()} == {
        "ann": ["a_one", "b_two"], "bob": ["a_one", "b_two"], "cleo": [],
    }  # fmt: skip
    none = with_rule_segments(_known(), [], as_of=AS_OF).execute()
    assert [list(codes) for codes in none["rule_segments"]] == [[], [], []]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {name: x, feature: evening_shar, at_least: 1}", "^mine.yaml: segment 'a', condition feature evening_sh"),
        ("a: {name: x, feature: evening_shar, at_least: 1}", r"no feature 'evening_shar'\. Next: use evening_share"),
        ("a: {name: x, all: [{feature: frequency, at_leas: 1}]}", r"condition all\.1\.feature frequency: .*at_least"),
        ("a: {name: x, any: [{not: {purchases: {categry: x}, is: 1}}]}", r"any\.1\.not\.1\.purchases: .*use category"),
        ("lost: {name: x, feature: frequency, is: 1}", "a named segment or a stage already"),
        ("a: {name: x, all: []}", "no list of conditions"),
        ("a: {name: x, feature: evening_share, at_least: many}", "'many' is not a number"),
        ("a: {name: x, feature: evening_share, at_least: true}", "True is not a number"),
        ("a: {name: x, feature: evening_share, at_least: .nan}", "is not a number"),
        ("a: {name: x, feature: is_referred, at_least: true}", "at_least does not fit boolean"),
        ("a: {name: x, feature: lifecycle_stage, in: lost}", "in: takes a list"),
        ("a: {name: x, purchases: {within_days: 0}, is: 1}", "within_days 0"),
        ("a: {name: x, purchases: {category: 3}, is: 1}", "category 3 is not text"),
        ("a: {name: x, distance_to: {store: s1}, at_most: 2}", "in kilometres.*at_most_km"),
        ("a: {name: x, distance_to: {city: x}, at_most_km: 2}", "takes one store"),
        ("a: {name: x, feature: frequency}", "compared with nothing"),
        ("a: {name: x}", "this is no condition"), ("a: {name: x, at_least: 2}", "exactly one of"),
        ("a: {name: x, feature: frequency, at_least: 1, any: []}", "here is any and feature"),
        ("a: {feature: frequency, is: 1}", "has no name"),
        ("a: {name: {fr: x}, feature: frequency, is: 1}", "no language 'fr'"),
        ("Night Owls: {name: x, feature: frequency, is: 1}", "small letters"),
        ("a: 3", "no condition"), ("- a", "holds no segments"), ("a: {", "is not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(parse_rules(text, "mine.yaml"))


def test_a_home_adds_and_replaces_rules_and_names_them(tmp_path: Path) -> None:
    shipped = [rule.code for rule in read_rules()]
    assert read_rules(tmp_path / "no-such-folder")
    mine = "discount_only: {name: Mine, feature: frequency, is: 1}"
    also = "zz: {name: {en: Z, zh-Hant: 乙}, feature: frequency, is: 2}"
    (tmp_path / "mine.yaml").write_text(f"{mine}\n{also}\n", encoding="utf-8")
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    rules = read_rules(tmp_path)
    assert [rule.code for rule in rules] == sorted([*shipped, "zz"])
    name = namer(rules)
    assert (name("discount_only"), name("zz", "zh-Hant"), name("zz", "zh-Hans")) == ("Mine", "乙", "Z")
    (tmp_path / "other.yaml").write_text("zz: {name: Z, feature: frequency, is: 2}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"other.yaml: segment 'zz': it is in .*mine.yaml already"):
        read_rules(tmp_path)
