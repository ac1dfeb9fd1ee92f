"""Every rule of the page is planted in every feed and found, with its column, in CSV and in Parquet."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from tests.unit.ingest.conftest import World
from tests.unit.ingest.feeds_page import FEEDS, Fault, faults, good_row

COUPONS = "coupon_id,merchant_id,kind,discount\n"
ALL_FEEDS = pytest.mark.parametrize("feed", FEEDS)
FORMATS = pytest.mark.parametrize("ending", ["csv", "parquet"])


def _planted(feed: str, *planted: Fault, number: int) -> dict[str, str]:
    row = good_row(feed, number)
    for fault in planted:
        row |= fault.values
    return row


def _column(reason: str) -> str | None:
    return reason.split(":")[1] if ":" in reason else None


def test_the_contracts_have_the_feeds_of_the_page_and_no_others() -> None:
    assert [table.name for table in tables(Kind.FEED)] == list(FEEDS)


@ALL_FEEDS
def test_a_contract_has_the_columns_types_keys_and_values_of_the_page(feed: str) -> None:
    declared = [(c.name, c.type, c.key, c.nullable, c.allowed, c.low, c.high) for c in contract(feed).columns]
    assert declared == [(c.name, c.type, c.key, c.nullable, c.allowed, c.low, c.high) for c in FEEDS[feed]]
    assert [c.name for c in contract(feed).columns if c.forbidden] == [
        c.name for c in FEEDS[feed] if c.name == "channel"
    ]


@FORMATS
@ALL_FEEDS
def test_every_fault_is_found_and_good_rows_pass(world: World, feed: str, ending: str) -> None:
    every = list(faults(feed))
    rows = [_planted(feed, fault, number=i) for i, fault in enumerate(every)]
    rows = [good_row(feed, 100), *rows, good_row(feed, 101)]
    world.put(f"{feed}.{ending}", rows)
    world.load()
    first = 3 if ending == "csv" else 2
    assert world.quarantine() == [(first + i, f.reason, _column(f.reason)) for i, f in enumerate(every)]
    assert world.quality() == {f"{feed}.{ending}": (len(rows), 2, len(every), 0)}


@ALL_FEEDS
def test_of_two_faults_the_first_in_the_order_of_reasons_then_columns_counts(world: World, feed: str) -> None:
    pairs = [
        (first, second)
        for first, second in itertools.combinations(faults(feed), 2)
        if not first.values.keys() & second.values.keys()
    ]
    if not pairs:
        pytest.skip("the feed has no two faults that a row can have together")
    # The rows of one file; the order of the two in the row plays no part.
    world.put(f"{feed}.csv", [_planted(feed, b, a, number=i) for i, (a, b) in enumerate(pairs)])
    world.load()
    assert [reason for _, reason, _ in world.quarantine()] == [first.reason for first, _ in pairs]


@ALL_FEEDS
def test_a_malformed_line_counts_before_every_other_fault(world: World, feed: str) -> None:
    names = list(good_row(feed, 0))
    world.put(f"{feed}.csv", ",".join(names) + "\n" + "," * len(names) + "\n")
    world.load()
    assert world.quarantine() == [(2, "malformed_line", None)]


@FORMATS
@ALL_FEEDS
def test_every_allowed_value_passes_and_nullable_columns_may_be_empty(world: World, feed: str, ending: str) -> None:
    rows = []
    for column in FEEDS[feed]:
        rows += [{column.name: value} for value in column.allowed]
        rows += [{column.name: str(int(end))} for end in (column.low, column.high) if end is not None]
        rows += [{column.name: "x" * 64}] if column.type == "id" else []
    rows.append({column.name: "" for column in FEEDS[feed] if column.nullable})
    rows = [good_row(feed, i) | ({"kind": "fixed"} if "discount" in row else {}) | row for i, row in enumerate(rows)]
    world.put(f"{feed}.{ending}", rows)
    world.load()
    assert world.quarantine() == []


def test_a_name_of_a_channel_that_is_not_listed_passes_unless_it_holds_the_sign_of_paths(world: World) -> None:
    names = ["search", "小红书", "TV spot", "a>b", ">", ""]
    world.put("campaign_costs.csv", [good_row("campaign_costs", i) | {"channel": c} for i, c in enumerate(names)])
    world.load()
    found = [(5, "not_allowed:channel", "channel"), (6, "not_allowed:channel", "channel"), (7, "missing_key", None)]
    assert world.quarantine() == found


DISCOUNTS = [
    ("rate", "0.1", None), ("rate", "0", "out_of_range:discount"), ("rate", "1", "out_of_range:discount"),
    ("rate", "15", "out_of_range:discount"), ("fixed", "15", None), ("threshold", "20", None), ("", "3", None),
    ("rate", "", None), ("fixed", "-1", "out_of_range:discount"), ("fixed", "0", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "discount", "reason"), DISCOUNTS)
def test_a_discount_is_judged_by_its_kind(world: World, kind: str, discount: str, reason: str | None) -> None:
    world.put("coupons.csv", f"{COUPONS}c,m,{kind},{discount}\n")
    world.load()
    assert [r for _, r, _ in world.quarantine()] == ([reason] if reason else [])


def test_moments_that_are_equal_are_in_order_also_across_offsets(world: World) -> None:
    header = "campaign_id,starts_at,ends_at\n"
    world.put(
        "campaigns.csv", f"{header}a,2017-07-01,2017-07-01T08:00:00+08:00\nb,2017-07-01,2017-07-01T08:00:00+09:00\n"
    )
    world.load()
    assert world.quarantine() == [(3, "time_order", None)]


# -- headers -------------------------------------------------------------------------------------------------------


@FORMATS
def test_a_header_in_another_order_loads_the_same(world: World, ending: str) -> None:
    rows = [good_row("online_orders", i) for i in range(3)]
    world.put(f"online_orders.{ending}", [dict(reversed(row.items())) for row in rows])
    world.load()
    assert world.quarantine() == []
    assert [row["order_id"] for row in world.rows("online_orders")] == ["order_id-0", "order_id-1", "order_id-2"]


@FORMATS
def test_a_missing_key_column_rejects_record_by_record_and_is_named(world: World, ending: str) -> None:
    rows = [{"joined_at": "2017-07-01", "city": "Taipei"}, {"joined_at": "x", "city": ""}]
    world.put(f"customers.{ending}", rows)
    report = world.load()["customers"]
    assert [reason for _, reason, _ in world.quarantine()] == ["missing_key", "missing_key"]
    assert f"customers.{ending}: lacks the column(s) customer_id" in report.notes


@FORMATS
def test_a_missing_required_column_rejects_record_by_record_and_is_named(world: World, ending: str) -> None:
    rows = [good_row("touches", i) for i in range(3)]
    for row in rows:
        del row["touched_at"], row["action"]
    rows[1]["cost"] = "x"
    world.put(f"touches.{ending}", rows)
    report = world.load()["touches"]
    reasons = [reason for _, reason, _ in world.quarantine()]
    assert reasons == ["missing_value:touched_at", "bad_type:cost", "missing_value:touched_at"]
    assert f"touches.{ending}: lacks the column(s) touched_at, action" in report.notes


@FORMATS
def test_nullable_columns_may_be_missing(world: World, ending: str) -> None:
    rows = [{c.name: c.good(i) for c in FEEDS["online_orders"] if not c.nullable} for i in range(2)]
    world.put(f"online_orders.{ending}", rows)
    assert not [note for note in world.load()["online_orders"].notes if "lacks" in note]
    assert world.quality() == {f"online_orders.{ending}": (2, 2, 0, 0)}


@FORMATS
def test_an_unknown_column_is_left_out_and_reported(world: World, ending: str) -> None:
    world.put(f"products.{ending}", [good_row("products", 1) | {"Name": "x", "colour": "red", "product_id": ""}])
    world.put(f"stores.{ending}", [good_row("stores", 1) | {"area": "5"}])
    reports = world.load()
    assert f"products.{ending}: column(s) Name, colour left out, products has none such" in reports["products"].notes
    assert f"stores.{ending}: column(s) area left out, stores has none such" in reports["stores"].notes
    assert world.quality()[f"stores.{ending}"] == (1, 1, 0, 0)
    (rejected,) = world.rows("quarantine")
    assert rejected["raw"] == ",any text,any text,any text,any text,merchant_id-1,x,red"


def test_of_a_column_named_twice_the_first_counts(world: World) -> None:
    world.put("coupon_products.csv", "coupon_id,product_id,coupon_id\na,p,b\n")
    world.load()
    assert world.values("coupon_products", "coupon_id", "product_id") == [("a", "p")]


# -- what the quarantine tells -------------------------------------------------------------------------------------


def test_the_quarantine_holds_the_record_as_it_was_written(world: World) -> None:
    text = "review_id,customer_id,merchant_id,reviewed_at,rating,is_complaint,text\n"
    text += 'r1,c,m,2017-07-01,6,false,"so, so ""good""\n五星"\n'
    text += "r2,c,m,2017-07-01,5\n"
    world.put("reviews.csv", text)
    world.load()
    one, two = world.rows("quarantine")
    assert (one["feed"], one["file"], one["line"], one["reason"]) == (
        "reviews",
        "reviews.csv",
        2,
        "out_of_range:rating",
    )
    assert one["raw"] == 'r1,c,m,2017-07-01,6,false,"so, so ""good""\n五星"'
    assert (two["line"], two["reason"], two["raw"]) == (4, "malformed_line", "r2,c,m,2017-07-01,5")


def test_rejections_have_ids_of_their_own_across_files(world: World) -> None:
    for name in ("stores.csv", "stores/a.csv", "products.csv"):
        world.put(name, "store_id,merchant_id\n,\n,\n")
    world.load()
    ids: list[Any] = [row["rejection_id"] for row in world.rows("quarantine")]
    assert len(set(ids)) == len(ids) == 6
