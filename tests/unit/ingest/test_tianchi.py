"""The files of the Tianchi competition become canonical feeds, whatever they look like."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources import source_of
from o2o_mining.ingest.sources.tianchi import OFFLINE, ONLINE, TianchiSource
from o2o_mining.ingest.steps import build_data_quality, load_feeds
from o2o_mining.marts.event_steps import build_coupon_lifecycle, build_purchases
from o2o_mining.marts.steps import default_as_of
from o2o_mining.simulator import World, write

TRAIN, CLICKS, TEST = (
    "ccf_offline_stage1_train.csv",
    "ccf_online_stage1_train.csv",
    "ccf_offline_stage1_test_revised.csv",
)
HEADERS = {TRAIN: OFFLINE, CLICKS: ONLINE, TEST: OFFLINE[:-1]}


class Log:
    """A folder of the competition's files, and the engine they are loaded into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = DuckDBEngine(":memory:", Settings(threads=2))

    def put(self, name: str, *lines: str, header: bool = True, end: str = "\n") -> None:
        every = [",".join(HEADERS[name]), *lines] if header else list(lines)
        (self.folder / name).write_bytes("".join(line + end for line in every).encode())

    def load(self) -> None:
        load_feeds(self.engine, [TianchiSource(self.folder)])

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        frame = self.engine.execute(self.engine.read(table).select(*columns)).astype(object)
        return sorted(map(tuple, frame.where(frame.notna(), None).to_numpy()), key=str)

    def quality(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return read, accepted, quarantined and duplicate rows by feed and file, and check that they add up."""
        build_data_quality(self.engine, traced_share=None)
        counts = ("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate")
        found = {}
        for feed, file, *values in self.rows("data_quality", "feed", "file", *counts):
            if feed != "(all)":
                read, *parts = found[feed, file] = tuple(map(int, values))
                assert read == sum(parts), (feed, file)
        return found

    def rejected(self) -> list[tuple[Any, ...]]:
        return self.rows("quarantine", "feed", "line", "reason", "raw")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path)
    yield opened
    opened.engine.close()


def test_an_offline_row_is_a_receipt_a_redemption_or_both(log: Log) -> None:
    log.put(
        TRAIN,
        "7,1,11,0.9,3,20160101,20160109",
        "7,1,11,0.9,3,20160102,null",
        "8,2,null,null,null,null,20160103",
        "9,2,12,150:20,10,null,20160104",
    )
    log.load()
    assert log.rows("coupon_receipts", "receipt_id", "customer_id", "coupon_id", "received_at", "distance_m") == [
        ("offline:2", "7", "11", datetime(2016, 1, 1), 1500.0),
        ("offline:3", "7", "11", datetime(2016, 1, 2), 1500.0),
    ]
    redemptions = log.rows(
        "offline_redemptions", "redemption_id", "customer_id", "merchant_id", "redeemed_at", "coupon_id", "receipt_id"
    )
    assert redemptions == [
        ("offline:2", "7", "1", datetime(2016, 1, 9), "11", "offline:2"),
        ("offline:4", "8", "2", datetime(2016, 1, 3), None, None),
        ("offline:5", "9", "2", datetime(2016, 1, 4), "12", None),
    ]
    assert log.rows("offline_redemptions", "paid_amount") == [(None,)] * 3
    assert log.rejected() == []


def test_distances_are_steps_of_500_metres_and_unknown_ones_stay_unknown(log: Log) -> None:
    log.put(TEST, *(f"{i},1,11,0.9,{x},20160701" for i, x in enumerate(["0", "1", "9", "10", "null", ""])))
    log.load()
    assert [metres for _, metres in log.rows("coupon_receipts", "customer_id", "distance_m")] == [
        0.0, 500.0, 4500.0, 5000.0, None, None,
    ]  # fmt: skip


def test_discounts_are_rates_or_thresholds_and_of_fixed_ones_nothing_is_known(log: Log) -> None:
    log.put(
        CLICKS,
        "7,1,2,11,0.9,20160101,null",
        "7,1,2,12,150:20,20160101,null",
        "7,1,2,13,30.5:4.25,20160101,null",
        "7,5,1,fixed,fixed,20160101,20160101",
        "7,6,1,fixed,fixed,20160101,20160101",
        "7,1,2,14,null,20160101,null",
    )
    log.load()
    assert log.rows("coupons", "coupon_id", "merchant_id", "kind", "threshold", "discount") == [
        ("11", "1", "rate", None, 0.1),
        ("12", "1", "threshold", Decimal("150.00"), 20.0),
        ("13", "1", "threshold", Decimal("30.50"), 4.25),
        ("14", "1", None, None, None),
        ("fixed:5", "5", None, None, None),
        ("fixed:6", "6", None, None, None),
    ]


def test_an_online_row_is_a_click_an_order_or_a_receipt(log: Log) -> None:
    log.put(
        CLICKS,
        "7,1,0,null,null,null,20160101",
        "7,1,1,null,null,null,20160102",
        "7,1,1,fixed,fixed,20160103,20160103",
        "7,1,1,11,20:5,20160102,20160104",
        "7,1,2,11,20:5,20160105,null",
    )
    log.load()
    assert log.rows("touches", "touch_id", "customer_id", "touched_at", "channel", "action") == [
        ("online:2", "7", datetime(2016, 1, 1), "online", "click")
    ]
    assert log.rows("online_orders", "order_id", "merchant_id", "ordered_at", "coupon_id", "paid_amount", "status") == [
        ("online:3", "1", datetime(2016, 1, 2), None, None, "paid"),
        ("online:4", "1", datetime(2016, 1, 3), "fixed:1", None, "paid"),
        ("online:5", "1", datetime(2016, 1, 4), "11", None, "paid"),
    ]
    assert log.rows("coupon_receipts", "receipt_id", "coupon_id", "received_at", "channel") == [
        ("online:6", "11", datetime(2016, 1, 5), "online")
    ]


def test_receipts_of_the_test_file_stay_open(log: Log) -> None:
    log.put(TRAIN, "7,1,11,0.9,3,20160601,20160602")
    log.put(TEST, "7,1,11,0.9,3,20160715")
    log.load()
    assert default_as_of(log.engine) == date(2016, 6, 3)
    build_purchases(log.engine)
    build_coupon_lifecycle(log.engine, now=date(2016, 6, 3))
    assert log.rows("coupon_lifecycle", "receipt_id", "state") == [("offline:2", "redeemed"), ("test:2", "open")]


def test_a_use_that_lies_before_its_receipt_does_not_stop_the_run(log: Log) -> None:
    log.put(TRAIN, "7,1,11,0.9,3,20160603,20160602", "8,1,11,0.9,3,2016x603,20160602")
    log.load()
    build_purchases(log.engine)
    build_coupon_lifecycle(log.engine, now=date(2016, 6, 5))
    assert [state for (state,) in log.rows("coupon_lifecycle", "state")] == ["redeemed", "redeemed"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_without_a_header_the_first_line_is_a_record(log: Log, end: str) -> None:
    log.put(TEST, "7,1,11,0.9,3,20160715", "8,1,11,0.9,3,20160716", header=False, end=end)
    log.load()
    assert log.rows("coupon_receipts", "receipt_id", "customer_id") == [("test:1", "7"), ("test:2", "8")]


def test_a_header_counts_in_any_case_and_behind_a_bom(log: Log) -> None:
    (log.folder / TEST).write_text("\ufeff" + ",".join(OFFLINE[:-1]).upper() + "\n7,1,11,0.9,3,20160715\n")
    (log.folder / TRAIN).write_text("\ufeff7,1,11,0.9,3,20160101,null\n")
    log.load()
    assert log.rows("coupon_receipts", "receipt_id", "customer_id") == [("offline:1", "7"), ("test:2", "7")]


def test_what_is_none_of_the_layout_goes_to_the_quarantine_with_its_line_and_reason(log: Log) -> None:
    log.put(
        TRAIN,
        "7,1,11,0.9,3,2016-01-01,null",
        "7,1,11,0.9,3,20160231,null",
        "7,1,11,0.9,11,20160101,null",
        "null,1,11,0.9,3,20160101,null",
        "7,1,11,0.9,3,null,null",
        "7,1,null,null,3,null,null",
        "7,1,11,0.9,3,20160101,soon",
        "7,1",
        "7,null,null,null,0,null,20160101",
    )
    log.load()
    receipts = [
        (2, "bad_type:received_at", "7,1,11,0.9,3,2016-01-01,null"),
        (3, "bad_type:received_at", "7,1,11,0.9,3,20160231,null"),
        (4, "bad_type:distance_m", "7,1,11,0.9,11,20160101,null"),
        (5, "missing_value:customer_id", "null,1,11,0.9,3,20160101,null"),
        (6, "missing_value:received_at", "7,1,11,0.9,3,null,null"),
        (9, "malformed_line", "7,1"),
    ]
    redemptions = [
        (10, "missing_value:merchant_id", "7,null,null,null,0,null,20160101"),
        (7, "missing_value:redeemed_at", "7,1,null,null,3,null,null"),
        (8, "bad_type:redeemed_at", "7,1,11,0.9,3,20160101,soon"),
    ]
    assert log.rejected() == [
        *(("coupon_receipts", *row) for row in receipts),
        *(("offline_redemptions", *row) for row in redemptions),
    ]
    assert log.quality() == {
        ("coupon_receipts", TRAIN): (7, 1, 6, 0),
        ("coupons", TRAIN): (1, 1, 0, 0),
        ("offline_redemptions", TRAIN): (3, 0, 3, 0),
    }


@pytest.mark.parametrize(
    ("discount", "reason"),
    [
        ("0.9.1", "bad_type:discount"),
        ("150:20:1", "bad_type:discount"),
        ("150.555:20", "bad_type:discount"),
        ("1", "out_of_range:discount"),
        ("1.5", "out_of_range:discount"),
        ("0", "out_of_range:discount"),
    ],
)
def test_a_discount_that_is_none_rejects_the_coupon_and_keeps_its_receipts(
    log: Log, discount: str, reason: str
) -> None:
    log.put(TEST, f"7,1,11,{discount},3,20160715", f"8,1,11,{discount},3,20160716")
    log.load()
    assert log.rejected() == [("coupons", 3, reason, f"8,1,11,{discount},3,20160716")]
    assert len(log.rows("coupon_receipts", "receipt_id")) == 2


def test_an_action_that_is_none_is_a_touch_that_is_not_allowed(log: Log) -> None:
    log.put(CLICKS, "7,1,3,null,null,null,20160101", "7,1,null,null,null,null,20160101", "7,1,0,null,null,null,null")
    log.load()
    assert [row[1:3] for row in log.rejected()] == [
        (2, "not_allowed:action"), (3, "missing_value:action"), (4, "missing_value:touched_at"),
    ]  # fmt: skip


def test_the_same_row_twice_is_two_events_and_a_coupon_is_made_once_a_file(log: Log) -> None:
    log.put(TRAIN, "7,1,11,0.9,3,20160101,null", "7,1,11,0.9,3,20160101,null", "7,1,11,0.8,3,20160102,null")
    log.put(TEST, "7,1,11,0.8,3,20160715", "7,1,12,0.5,3,20160715")
    log.load()
    assert log.quality() == {
        ("coupon_receipts", TEST): (2, 2, 0, 0),
        ("coupon_receipts", TRAIN): (3, 3, 0, 0),
        ("coupons", TEST): (2, 2, 0, 0),
        ("coupons", TRAIN): (2, 0, 0, 2),
        ("offline_redemptions", TRAIN): (0, 0, 0, 0),
    }
    assert log.rows("coupons", "coupon_id", "discount") == [("11", pytest.approx(0.2)), ("12", 0.5)]


def test_lines_that_are_no_records_leave_the_ids_of_the_others_at_their_lines(log: Log) -> None:
    log.put(TEST, "7,1,11,0.9,3,20160701", "", "7,1,11", "8,1,11,0.9,3,20160702", '"9', "9,1,11,0.9,3,20160703")
    log.load()
    assert [row for (row,) in log.rows("coupon_receipts", "receipt_id")] == ["test:2", "test:5", "test:7"]
    assert [row[1:3] for row in log.rejected()] == [(4, "malformed_line"), (6, "malformed_line")]


def test_an_empty_file_and_one_of_a_header_alone_make_nothing(log: Log) -> None:
    log.put(TEST)
    log.put(TRAIN, header=False)
    log.load()
    assert set(log.quality().values()) == {(0, 0, 0, 0)}


def test_loading_again_changes_nothing_and_a_file_that_comes_later_is_added(log: Log) -> None:
    log.put(TRAIN, "7,1,11,0.9,3,20160101,null")
    log.load()
    before = log.quality()
    log.load()
    assert log.quality() == before
    log.put(TEST, "7,1,11,0.9,3,20160715")
    log.load()
    assert log.rows("coupon_receipts", "receipt_id") == [("offline:2",), ("test:2",)]
    assert log.quality()["coupons", TEST] == (1, 0, 0, 1)


def test_a_folder_without_any_of_the_files_is_wrong_usage_and_others_are_ignored(log: Log) -> None:
    with pytest.raises(UsageError, match="has none of the files ccf_offline"):
        TianchiSource(log.folder).find()
    with pytest.raises(UsageError, match="there is no folder"):
        TianchiSource(log.folder / "none").find()
    log.put(CLICKS)
    (log.folder / "notes.txt").write_text("x")
    found = source_of("tianchi", log.folder).find()
    assert [(file.feed, file.path) for file in found.inputs] == [
        (feed, CLICKS) for feed in ("touches", "online_orders", "coupon_receipts", "coupons")
    ]
    assert found.ignored == ("notes.txt",)


def _given(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_simulated_world_loads_whole_with_the_counts_of_its_files(log: Log) -> None:
    world = log.folder / "world"
    write(World(customers=5000), world, "tianchi")
    load_feeds(log.engine, [TianchiSource(world)])
    train, clicks, test = (_given(world / name) for name in (TRAIN, CLICKS, TEST))
    actions = Counter(row["Action"] for row in clicks)
    quality = log.quality()
    expected = {
        ("coupon_receipts", TRAIN): sum(row["Date_received"] != "null" for row in train),
        ("offline_redemptions", TRAIN): sum(row["Date"] != "null" for row in train),
        ("coupon_receipts", TEST): len(test),
        ("touches", CLICKS): actions["0"],
        ("online_orders", CLICKS): actions["1"],
        ("coupon_receipts", CLICKS): actions["2"],
    }
    assert {key: quality[key] for key in expected} == {key: (count, count, 0, 0) for key, count in expected.items()}
    truth = _given(world / "truth" / "receipt_probabilities.csv")
    within = {
        f"offline:{i}"
        for i, row in enumerate(train, start=2)
        if "null" not in (row["Date_received"], row["Date"]) and _days(row) <= 15
    }
    # The truth knows of uses in July, too, which the file does not show.
    assert within <= {f"offline:{row['line']}" for row in truth if row["redeems"] == "true"}
    named = {receipt for (receipt,) in log.rows("offline_redemptions", "receipt_id") if receipt}
    assert within <= named
    assert {f"offline:{row['line']}" for row in truth} == {
        receipt for (receipt,) in log.rows("coupon_receipts", "receipt_id") if receipt.startswith("offline")
    }


def _days(row: dict[str, str]) -> int:
    used, received = (date.fromisoformat(row[name]) for name in ("Date", "Date_received"))
    return (used - received).days
