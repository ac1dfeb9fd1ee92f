"""Every record is accepted, quarantined or a duplicate, in one run or several, whatever its file and its place."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from o2o_mining.core.errors import O2OError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import (
    ALL,
    build_customer_contacts,
    build_data_quality,
    ignored_files,
    load_feeds,
    loaded_inputs,
    report_quarantine,
)
from tests.unit.ingest.conftest import World
from tests.unit.ingest.feeds_page import good_row

STORES = "store_id,merchant_id,lat\n"


# -- duplicates within a file --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_of_a_key_twice_in_a_file_the_later_row_wins(world: World, ending: str) -> None:
    rows = [{"store_id": s, "merchant_id": m} for s, m in [("a", "first"), ("b", "m"), ("a", "second"), ("a", "third")]]
    world.put(f"stores.{ending}", rows)
    world.load()
    assert world.values("stores", "store_id", "merchant_id") == [("a", "third"), ("b", "m")]
    assert world.quality() == {f"stores.{ending}": (4, 2, 0, 2)}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_later_row_that_fails_the_checks_does_not_win(world: World, ending: str) -> None:
    rows = [
        {"store_id": "a", "merchant_id": "first", "lat": "1"},
        {"store_id": "a", "merchant_id": "second", "lat": "91"},
    ]
    world.put(f"stores.{ending}", rows)
    world.load()
    assert world.values("stores", "merchant_id") == [("first",)]
    assert world.quality() == {f"stores.{ending}": (2, 1, 1, 0)}


def test_rows_without_a_key_never_meet(world: World) -> None:
    world.put("coupon_products.csv", "coupon_id,product_id\n,p\n,p\na,\na,\n,\n,\na,p\na,p\n")
    world.load()
    assert world.quality() == {"coupon_products.csv": (8, 1, 6, 1)}


def test_a_key_of_many_columns_is_one_key(world: World) -> None:
    header = "campaign_id,channel,spent_on,cost\n"
    world.put(
        "campaign_costs.csv",
        header + "a,map,2017-07-01,1\na,map,2017-07-02,2\na,sms,2017-07-01,3\na,map,2017-07-01,4\n",
    )
    world.load()
    assert [float(cost) for (cost,) in world.values("campaign_costs", "cost")] == [2, 3, 4]


def test_a_big_file_keeps_its_lines_and_the_last_of_a_key(world: World) -> None:
    lines = [f"{i % 70_000},m{i},{'x' if i % 1000 == 0 else 1}" for i in range(100_000)]
    world.put("stores.csv", STORES + "\n".join(lines) + "\n")
    world.load()
    assert world.quality() == {"stores.csv": (100_000, 70_000 - 70, 100, 30_000 - 30)}
    assert [line for line, _, _ in world.quarantine()] == [2 + i for i in range(0, 100_000, 1000)]
    found = dict(world.values("stores", "store_id", "merchant_id"))
    assert found["29999"] == "m99999"
    assert found["30001"] == "m30001"
    assert "1000" not in found  # both of its rows are bad


def test_the_order_of_rows_counts_for_repeated_keys_alone(make_world: Callable[[], World]) -> None:
    rows = [good_row("online_orders", i) for i in range(30)]
    for i, (column, value) in enumerate(
        [("paid_amount", "1.234"), ("status", "?"), ("order_id", ""), ("ordered_at", "")]
    ):
        rows[i] |= {column: value}
    seen = []
    for seed in range(3):
        world = make_world()
        world.put("online_orders.csv", random.Random(seed).sample(rows, len(rows)))  # noqa: S311 - shuffled, not secret
        world.load()
        rejected = sorted((r["reason"], r["raw"]) for r in world.rows("quarantine"))
        seen.append((world.values("online_orders", *rows[0]), rejected, world.quality()))
    assert seen[0] == seen[1] == seen[2]


# -- corrections across files --------------------------------------------------------------------------------------


def test_a_row_of_a_later_file_corrects_and_the_corrected_one_stays_accepted(world: World) -> None:
    world.put("stores/b.csv", STORES + "a,new,1\n")
    world.put("stores/a.csv", STORES + "a,old,1\nb,m,1\n")
    world.load()
    assert world.values("stores", "store_id", "merchant_id") == [("a", "new"), ("b", "m")]
    assert world.quality() == {"stores/a.csv": (2, 2, 0, 0), "stores/b.csv": (1, 1, 0, 0)}


def test_a_correction_in_another_run_counts_the_same(make_world: Callable[[], World]) -> None:
    one, two = make_world(), make_world()
    for world in (one, two):
        world.put("stores/a.csv", STORES + "a,old,1\nb,m,1\n")
        if world is two:
            world.load()
        world.put("stores/b.csv", STORES + "a,new,1\nb,m,1\n")
        world.load()
    assert one.values("stores", "store_id", "merchant_id") == two.values("stores", "store_id", "merchant_id")
    assert one.quality() == two.quality() == {"stores/a.csv": (2, 2, 0, 0), "stores/b.csv": (2, 1, 0, 1)}


def test_files_are_loaded_in_byte_order_of_their_paths(world: World) -> None:
    # Bytes: "stores.csv" < "stores/…" ("." before "/"), "Z" before "a", "é" after all of ASCII, "10" before "9".
    names = ["stores.csv", "stores/10.csv", "stores/9.csv", "stores/Z.csv", "stores/a.csv", "stores/é.csv"]
    for name in reversed(names):
        world.put(name, STORES + f"a,{name},1\n")
    assert [file.path for file in FolderSource(world.folder).find().inputs] == names
    world.load()
    assert world.values("stores", "merchant_id") == [("stores/é.csv",)]


def test_a_row_identical_to_a_loaded_one_is_a_duplicate_also_with_nulls(world: World) -> None:
    world.put("stores/a.csv", "store_id,merchant_id,lat,lon\na,m,,\nb,m,1.0,2\n")
    world.put("stores/b.csv", "lon,merchant_id,store_id\n,m,a\n2.000,m,b\n")
    world.put("stores/c.parquet", pa.table({"store_id": ["a", "b"], "merchant_id": ["m", "m"], "lat": [None, 1.0]}))
    world.load()
    # Of b the second file lacks lat, the third lon: these are corrections.
    assert world.quality() == {
        "stores/a.csv": (2, 2, 0, 0),
        "stores/b.csv": (2, 1, 0, 1),
        "stores/c.parquet": (2, 1, 0, 1),
    }
    assert world.values("stores", "store_id", "lat") == [("a", None), ("b", 1.0)]


def test_landing_files_are_read_after_the_source_and_keep_their_paths_apart(world: World) -> None:
    world.put("stores.csv", STORES + "a,source,1\n")
    (world.landing / "stores.csv").write_text(STORES + "a,landed,1\n")
    (world.landing / "notes.txt").write_text("x")
    world.load()
    assert world.values("stores", "merchant_id") == [("landed",)]
    assert world.quality() == {"stores.csv": (1, 1, 0, 0), "landing/stores.csv": (1, 1, 0, 0)}
    assert ignored_files([FolderSource(world.landing, prefix="landing/")]) == ("landing/notes.txt",)


# -- loading again -------------------------------------------------------------------------------------------------


def test_loading_again_changes_nothing(world: World) -> None:
    world.put("stores.csv", STORES + "a,m,1\na,m,2\nb,m,91\n")
    world.load()
    before = (world.rows("stores"), world.rows("quarantine"), world.quality(), loaded_inputs(world.engine))
    report = world.load()["stores"]
    assert (report.rows, report.notes, report.figures["files loaded"]) == (1, (), 0)
    assert (world.rows("stores"), world.rows("quarantine"), world.quality(), loaded_inputs(world.engine)) == before


def test_the_same_content_under_another_path_changes_nothing_and_is_counted(world: World) -> None:
    content = STORES + "a,old,1\na,older,91\nb,m,1\nb,m,1\n"
    world.put("stores/a.csv", content)
    world.put("stores/b.csv", STORES + "a,new,1\n")
    world.put("stores/c.csv", content)
    world.load()
    assert world.values("stores", "store_id", "merchant_id") == [("a", "new"), ("b", "m")]
    assert world.quality()["stores/a.csv"] == (4, 2, 1, 1)
    assert world.quality()["stores/c.csv"] == (4, 0, 1, 3)


def test_a_path_loaded_again_with_other_content_replaces_its_counts_and_its_quarantine(world: World) -> None:
    world.put("stores.csv", STORES + "a,m,1\nb,m,91\nc,m,x\n")
    world.put("stores/other.csv", STORES + "d,m,91\n")
    world.load()
    world.put("stores.csv", STORES + "a,m,1\nb,m,90\n,m,1\n")
    world.load()
    assert world.quality() == {"stores.csv": (3, 1, 1, 1), "stores/other.csv": (1, 0, 1, 0)}
    assert world.quarantine() == [(4, "missing_key", None), (2, "out_of_range:lat", "lat")]
    assert world.values("stores", "store_id") == [("a",), ("b",)]


def test_a_path_that_gets_its_first_content_back_is_loaded_again(world: World) -> None:
    for merchant in ("one", "two", "one"):
        world.put("stores.csv", STORES + f"a,{merchant},1\n")
        world.load()
        assert world.values("stores", "merchant_id") == [(merchant,)]


def test_rows_that_a_file_no_longer_has_stay_and_keep_their_file(world: World) -> None:
    world.put("merchants.csv", "merchant_id\nm\n")
    world.put("stores.csv", STORES + "a,unknown,1\nb,unknown,1\n")
    world.load()
    world.put("stores.csv", STORES + "c,m,1\n")
    world.load()
    assert world.values("stores", "store_id") == [("a",), ("b",), ("c",)]
    assert world.orphans()["stores.csv"] == 2


def test_a_file_that_fails_half_way_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("stores.csv", STORES + "a,m,91\nb,m,1\n")

    def fail(*_: object, **__: object) -> None:
        raise O2OError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(world.engine, "upsert", fail)
        with pytest.raises(O2OError, match="the disk is full"):
            world.load()
    assert (world.rows("stores"), world.rows("quarantine"), world.quality()) == ([], [], {})
    world.load()
    assert world.quality() == {"stores.csv": (2, 1, 1, 0)}


# -- orphans -------------------------------------------------------------------------------------------------------


def test_every_reference_to_an_unknown_customer_merchant_or_coupon_is_an_orphan_of_its_file(world: World) -> None:
    world.put("customers.csv", "customer_id,referrer_id\nc1,c2\nc2,c9\nc3,\n")
    world.put("merchants.csv", "merchant_id\nm1\n")
    world.put("coupons.csv", "coupon_id,merchant_id\nk1,m1\nk2,m9\n")
    header = "redemption_id,customer_id,merchant_id,redeemed_at,coupon_id,store_id\n"
    world.put("offline_redemptions/a.csv", f"{header}r1,c1,m1,2017-07-01,k1,s9\nr2,c9,m9,2017-07-01,k9,\n")
    world.put("offline_redemptions/b.csv", f"{header}r3,c3,m1,2017-07-01,,\nr4,c9,m1,2017-07-01,,\n")
    world.load()
    orphans = {"customers.csv": 1, "merchants.csv": 0, "coupons.csv": 1}
    assert world.orphans() == {**orphans, "offline_redemptions/a.csv": 3, "offline_redemptions/b.csv": 1}
    assert len(world.rows("offline_redemptions")) == 4


def test_a_feed_that_is_missing_makes_no_orphans_and_one_without_rows_does(world: World) -> None:
    world.put("stores.csv", STORES + "a,m1,\nb,m2,\n")
    world.load()
    assert world.orphans() == {"stores.csv": 0}
    world.put("merchants.csv", "merchant_id\n")
    world.load()
    assert world.orphans() == {"stores.csv": 2, "merchants.csv": 0}
    world.put("merchants.csv", "merchant_id\nm1\n")
    world.load()
    assert world.orphans() == {"stores.csv": 1, "merchants.csv": 0}


def test_a_row_that_was_corrected_is_no_orphan_of_its_file_any_more(world: World) -> None:
    world.put("merchants.csv", "merchant_id\nm\n")
    world.put("stores/a.csv", STORES + "a,unknown,\n")
    world.put("stores/b.csv", STORES + "a,m,\n")
    world.load()
    assert world.orphans() == {"merchants.csv": 0, "stores/a.csv": 0, "stores/b.csv": 0}


# -- what else the steps tell --------------------------------------------------------------------------------------


def test_data_quality_ends_with_the_traced_share_of_all(world: World) -> None:
    world.put("stores.csv", STORES + "a,m,1\n")
    world.load()
    build_data_quality(world.engine, traced_share=0.25)
    rows = {row["file"]: row for row in world.rows("data_quality")}
    assert set(rows) == {"stores.csv", ALL}
    assert (rows[ALL]["feed"], rows[ALL]["traced_share"], rows[ALL]["rows_read"]) == (ALL, 0.25, None)
    assert rows["stores.csv"]["traced_share"] is None


def test_contact_data_stand_apart_for_those_who_gave_any(world: World) -> None:
    header = "customer_id,city,home_lat,phone,email\n"
    world.put("customers.csv", f"{header}a,Taipei,,,\nb,Taipei,25.0,,\nc,,,+886 2 1234 5678,\nd,,,,d@example.com\n")
    world.load()
    assert build_customer_contacts(world.engine).rows == 3
    assert world.values("customer_contacts", "customer_id") == [("b",), ("c",), ("d",)]


def test_the_report_of_the_quarantine_counts_by_feed_and_reason(world: World) -> None:
    world.put("stores.csv", STORES + "a,m,91\nb,m,92\n,m,1\n")
    world.load()
    report = report_quarantine(world.engine)
    assert report.rows == 3
    assert report.samples["by reason"].to_dict("list") == {
        "feed": ["stores", "stores"], "reason": ["out_of_range:lat", "missing_key"], "rows": [2, 1],
    }  # fmt: skip


def test_progress_names_every_file_before_it_is_loaded(world: World) -> None:
    world.put("stores/a.csv", STORES)
    world.put("merchants.csv", "merchant_id\n")
    said: list[str] = []
    load_feeds(world.engine, [FolderSource(world.folder)], progress=said.append)
    assert said == ["1/2 merchants.csv as merchants", "2/2 stores/a.csv as stores"]


def test_a_report_names_what_went_to_quarantine(world: World) -> None:
    world.put("stores.csv", STORES + "a,m,91\nb,m,1\n")
    assert world.load()["stores"].notes == ("stores.csv: 1 of 2 rows in quarantine",)


# -- size ----------------------------------------------------------------------------------------------------------


def test_a_million_rows_are_loaded_in_little_memory_with_their_lines(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    with (folder / "coupon_products.csv").open("w") as file:
        file.write("coupon_id,product_id\n")
        file.writelines(f"coupon-{i % 1000},{'' if i % 99_999 == 7 else i}\n" for i in range(1_000_000))
    engine = DuckDBEngine(tmp_path / "warehouse.duckdb", Settings(threads=4, memory_limit="400MB"))
    tracemalloc.start()
    load_feeds(engine, [FolderSource(folder)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert int(engine.execute(engine.read("coupon_products").count())) == 1_000_000 - 11
    lines = engine.execute(engine.read("quarantine").line)
    engine.close()
    assert peak < 100 * 2**20
    # Several threads read the file, and still every line has its number.
    assert sorted(lines) == [2 + i for i in range(7, 1_000_000, 99_999)]


def test_no_scratch_file_is_left(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    world.put("stores.csv.gz", gzip.compress((STORES + "a,m,1\nb\n").encode()))
    world.load()
    assert list(scratch.iterdir()) == []


def test_parquet_written_in_row_groups_keeps_its_order(world: World) -> None:
    table = pa.table({"store_id": ["a"] * 5000 + [None], "merchant_id": [str(i) for i in range(5001)]})
    pq.write_table(table, world.folder / "stores.parquet", row_group_size=100)
    world.load()
    assert world.values("stores", "merchant_id") == [("4999",)]
    assert world.quarantine() == [(5001, "missing_key", None)]
