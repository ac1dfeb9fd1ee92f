"""Every type takes the forms that the page of the feeds names and refuses what would lose something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.contracts.schema import Column
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.casting import parse

BAD = "bad type"
ENGINE = DuckDBEngine(":memory:", Settings(threads=1))


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    ENGINE.close()


def _values(type_: str, values: ibis.Table) -> list[Any]:
    typed, bad = parse(Column("x", type_, "A column."), values.f0)
    said = ENGINE.execute(values.select(typed=typed, bad=bad, _ordinal=values._ordinal).order_by("_ordinal"))
    assert not said["bad"].isna().any()
    assert said.loc[said["bad"], "typed"].isna().all()
    return [BAD if bad else _plain(v) for v, bad in zip(said["typed"], said["bad"], strict=True)]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or value != value:
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def from_text(type_: str, *texts: str | None) -> list[Any]:
    rows = ibis.memtable(
        {"f0": list(texts), "_ordinal": list(range(len(texts)))}, schema={"f0": "string", "_ordinal": "int64"}
    )
    return _values(type_, rows)


@pytest.fixture
def parquet(tmp_path: Path) -> Iterator[Any]:
    def cast(type_: str, values: pa.Array | list[Any], given: pa.DataType | None = None) -> list[Any]:
        column = values if isinstance(values, pa.Array | pa.DictionaryArray) else pa.array(values, given)
        path = tmp_path / "given.parquet"
        pq.write_table(pa.table({"x": column}), path)
        return _values(type_, ENGINE.scan_parquet(path, ["x"]))

    yield cast
    ENGINE.drop_staged()


# -- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["id", "text", "int", "double", "money", "timestamp", "date", "boolean"])
def test_an_empty_field_is_null_in_every_type(type_: str) -> None:
    assert from_text(type_, "", None) == [None, None]


def test_ids_and_texts_are_taken_as_they_are() -> None:
    assert from_text("id", "007", " x ", "é", "null") == ["007", " x ", "é", "null"]
    assert from_text("text", "1e3", "a\nb") == ["1e3", "a\nb"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-3", -3), ("+4", 4), ("007", 7), ("1985.0", 1985), ("12.", 12), (str(2**63 - 1), 2**63 - 1)],
)
def test_an_integer_is_taken(text: str, value: int) -> None:
    assert from_text("int", text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "12.5",
        "1e3",
        "0x10",
        "1_000",
        "1,000",
        " 12",
        "12 ",
        "--1",
        "+",
        "abc",
        "true",
        "NaN",
        "inf",
        "٣",
        str(2**63),
        "9" * 30,
    ],
)
def test_what_is_no_integer_is_refused(text: str) -> None:
    assert from_text("int", text) == [BAD]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), (".5", 0.5), ("5.", 5.0), ("-2.75", -2.75), ("1e3", 1000.0), ("1E-3", 0.001), ("0.1", 0.1)],
)
def test_a_double_is_taken(text: str, value: float) -> None:
    assert from_text("double", text) == [value]


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "inf", "-Infinity", "1e999", "0x1p3", "1_0.5", "1,5", ".", "e5", "", " 1"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    assert from_text("double", text) == [BAD if text else None]


MONEY = [
    ("12", "12.00"), ("12.3", "12.30"), ("12.34", "12.34"), (".5", "0.50"), ("7.", "7.00"), ("-0.01", "-0.01"),
    ("9999999999999999.99", "9999999999999999.99"), ("0", "0.00"), ("0012.30", "12.30"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), MONEY)
def test_money_is_taken(text: str, value: str) -> None:
    assert from_text("money", text) == [Decimal(value)]


@pytest.mark.parametrize(
    "text", ["12.345", "12.340", "1e2", "1,000.00", "$5", "5 USD", "NaN", "10000000000000000", "1_0", "."]
)
def test_what_is_no_money_is_refused(text: str) -> None:
    assert from_text("money", text) == [BAD]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2017-07-01 12:30:45", datetime(2017, 7, 1, 12, 30, 45)),
        ("2017-07-01T12:30:45", datetime(2017, 7, 1, 12, 30, 45)),
        ("2017-07-01 12:30:45.5", datetime(2017, 7, 1, 12, 30, 45, 500_000)),
        ("2017-07-01 12:30:45.123456", datetime(2017, 7, 1, 12, 30, 45, 123_456)),
        ("2017-07-01", datetime(2017, 7, 1)),
        ("2017-07-01T12:30:45Z", datetime(2017, 7, 1, 12, 30, 45)),
        ("2017-07-01T12:30:45+08:00", datetime(2017, 7, 1, 4, 30, 45)),
        ("2017-07-01T12:30:45.25-0530", datetime(2017, 7, 1, 18, 0, 45, 250_000)),
        ("2017-07-01 12:30:45+05", datetime(2017, 7, 1, 7, 30, 45)),
        ("2017-07-01 12:30:45 +05:45", datetime(2017, 7, 1, 6, 45, 45)),
        ("2017-12-31T20:00:00-08:00", datetime(2018, 1, 1, 4)),
        ("2016-02-29 23:59:59.999999", datetime(2016, 2, 29, 23, 59, 59, 999_999)),
        ("0001-01-01", datetime(1, 1, 1)),
        ("9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_timestamp_is_taken_in_utc(text: str, value: datetime) -> None:
    assert from_text("timestamp", text) == [value]


NO_TIMESTAMPS = [
    "2017-07-01 24:00:00", "2017-07-01 12:60:00", "2017-07-01 12:30:60", "2017-02-29", "2017-13-01", "2017-7-1",

        "01.07.2017",
        "20170701",
        "1498867200",
        "2017-07-01 12:30:45.1234567",
        "2017-07-01 12:30:45 PM",
        "2017-07-01+08:00",
    "2017-07-01 12:30:45+16:00", "2017-07-01 12:30:45 UTC", "2017-07-01 12:30:45+08:00:30", "now", "infinity",
    "0000-01-01", "10000-01-01", "2017-07-01T", "2017-07-01 12",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_TIMESTAMPS)
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    assert from_text("timestamp", text) == [BAD]


def test_a_day_is_a_moment_at_midnight_utc() -> None:
    day = pd.Timestamp(2017, 7, 1).to_pydatetime()
    taken = ["2017-07-01", "2017-07-01 00:00:00", "2017-07-01T00:00:00Z", "2017-07-01T08:00:00+08:00"]
    assert from_text("date", *taken) == [day] * 4
    assert (
        from_text("date", "2017-07-01 00:00:01", "2017-07-01T00:00:00+08:00", "2017-02-30", "07/01/2017") == [BAD] * 4
    )


def test_booleans_are_true_false_one_and_zero() -> None:
    assert from_text("boolean", "true", "1", "True", "TRUE") == [True] * 4
    assert from_text("boolean", "false", "0", "False", "FALSE") == [False] * 4
    assert from_text("boolean", "yes", "t", "T", "2", "-1", "tRuE", "1.0", "on", " true") == [BAD] * 9


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_a_double_written_by_python_comes_back_the_same(numbers: list[float]) -> None:
    assert from_text("double", *map(repr, numbers)) == numbers


@settings(max_examples=30, deadline=None)
@given(st.lists(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), min_size=1, max_size=40))
def test_a_moment_written_by_python_comes_back_the_same(moments: list[datetime]) -> None:
    assert from_text("timestamp", *(m.isoformat() for m in moments)) == moments
    assert from_text("timestamp", *(f"{m.isoformat()}+00:00" for m in moments)) == moments


# -- Parquet -------------------------------------------------------------------------------------------------------


def test_ids_from_parquet_may_be_numbers(parquet: Any) -> None:
    assert parquet("id", [7, None, -1], pa.int64()) == ["7", None, "-1"]
    assert parquet("id", [2**64 - 1], pa.uint64()) == ["18446744073709551615"]
    # A column of whole numbers with gaps comes from pandas as floats.
    assert parquet("id", [12.0, None, 3.5], pa.float64()) == ["12", None, "3.5"]
    assert parquet("id", [float("nan")], pa.float64()) == [BAD]
    assert parquet("id", [Decimal("12.00")], pa.decimal128(10, 2)) == ["12"]
    assert parquet("id", [Decimal(1200)], pa.decimal128(10, 0)) == ["1200"]


def test_texts_from_parquet_may_be_dictionaries_large_or_bytes(parquet: Any) -> None:
    assert parquet("text", pa.array(["a", "b", None, "a"]).dictionary_encode()) == ["a", "b", None, "a"]
    assert parquet("text", ["a", ""], pa.large_string()) == ["a", None]
    assert parquet("text", ["café".encode(), None], pa.binary()) == ["café", None]
    assert parquet("text", [None, None], pa.null()) == [None, None]


def test_integers_from_parquet_may_be_of_any_size_and_whole_floats_or_decimals(parquet: Any) -> None:
    for given_type in (
        pa.int8(),
        pa.uint8(),
        pa.int16(),
        pa.uint32(),
        pa.int64(),
        pa.uint64(),
        pa.float32(),
        pa.float64(),
    ):
        assert parquet("int", [7, None], given_type) == [7, None]
    assert parquet("int", [2**63], pa.uint64()) == [BAD]
    assert parquet("int", [12.5, float("inf"), float("nan")], pa.float64()) == [BAD] * 3
    assert parquet("int", [Decimal("12.00"), Decimal("12.50")], pa.decimal128(20, 2)) == [12, BAD]
    assert parquet("int", ["12", "x"], pa.string()) == [12, BAD]
    assert parquet("int", [True], pa.bool_()) == [BAD]


def test_doubles_from_parquet_may_be_any_number_that_a_double_holds(parquet: Any) -> None:
    assert parquet("double", [0.1, None, -0.0, 1e300], pa.float64()) == [0.1, None, 0.0, 1e300]
    assert parquet("double", [0.5], pa.float32()) == [0.5]
    assert parquet("double", [float("nan"), float("inf")], pa.float64()) == [BAD, BAD]
    assert parquet("double", [7, 2**53, 2**53 + 1], pa.int64()) == [7.0, 2.0**53, BAD]
    assert parquet("double", [Decimal("12.3400")], pa.decimal128(20, 4)) == [12.34]
    assert parquet("double", [Decimal("1.00000000000000000001")], pa.decimal128(30, 20)) == [BAD]


def test_money_from_parquet_may_have_any_scale_if_the_further_decimals_are_zero(parquet: Any) -> None:
    assert parquet("money", [Decimal("12.34"), None], pa.decimal128(18, 2)) == [Decimal("12.34"), None]
    assert parquet("money", [Decimal("12.3400"), Decimal("12.3450")], pa.decimal128(20, 4)) == [Decimal("12.34"), BAD]
    assert parquet("money", [Decimal(5)], pa.decimal128(9, 0)) == [Decimal("5.00")]
    assert parquet("money", [Decimal(10**17), Decimal(3)], pa.decimal128(18, 0)) == [BAD, Decimal("3.00")]
    assert parquet("money", [12, 10**17], pa.int64()) == [Decimal("12.00"), BAD]
    assert parquet("money", [3], pa.int8()) == [Decimal("3.00")]


def test_money_from_parquet_may_be_a_float_of_two_decimals(parquet: Any) -> None:
    floats = [12.34, 0.1 + 0.2, 12.0, 1e-16, float("nan"), 1e15, 1e16]
    taken = [Decimal("12.34"), BAD, Decimal("12.00"), BAD, BAD, Decimal(10**15), BAD]
    assert parquet("money", floats, pa.float64()) == taken
    assert parquet("money", [12.34], pa.float32()) == [Decimal("12.34")]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_from_parquet_may_have_any_unit_and_zone(parquet: Any, unit: str, zone: str | None) -> None:
    moment = datetime(2017, 7, 1, 12, 30, 45)
    given_type = pa.timestamp(unit, zone)
    stored = pa.array([moment, None], pa.timestamp(unit)).cast(pa.int64()).cast(given_type)  # zones are stored in UTC
    assert parquet("timestamp", stored) == [moment, None]


def test_timestamps_from_parquet_keep_microseconds_and_refuse_nanoseconds(parquet: Any) -> None:
    whole, lost = 1_498_912_245_123_456_000, 1_498_912_245_123_456_789
    for zone in (None, "UTC"):
        given_type = pa.timestamp("ns", zone)
        assert parquet("timestamp", [whole, lost], given_type) == [datetime(2017, 7, 1, 12, 30, 45, 123_456), BAD]


def test_timestamps_from_parquet_may_be_days_or_text(parquet: Any) -> None:
    assert parquet("timestamp", [date(2017, 7, 1)], pa.date32()) == [datetime(2017, 7, 1)]
    assert parquet("timestamp", ["2017-07-01T08:00:00+08:00", "x"], pa.string()) == [datetime(2017, 7, 1), BAD]
    assert parquet("timestamp", [1_498_912_245], pa.int64()) == [BAD]
    assert parquet("timestamp", [2**62], pa.timestamp("us")) == [BAD]  # the year 148108


def test_days_from_parquet_may_be_midnights(parquet: Any) -> None:
    day = datetime(2017, 7, 1)
    assert parquet("date", [date(2017, 7, 1), None], pa.date32()) == [day, None]
    assert parquet("date", [datetime(2017, 7, 1), datetime(2017, 7, 1, 1)], pa.timestamp("us")) == [day, BAD]
    assert parquet("date", [datetime(2017, 7, 1)], pa.timestamp("ns", "UTC")) == [day]


def test_booleans_from_parquet_may_be_numbers_or_text(parquet: Any) -> None:
    assert parquet("boolean", [True, False, None], pa.bool_()) == [True, False, None]
    assert parquet("boolean", [1, 0, 2], pa.int64()) == [True, False, BAD]
    assert parquet("boolean", [1.0, 0.0, None, 0.5], pa.float64()) == [True, False, None, BAD]
    assert parquet("boolean", ["true", "no"], pa.string()) == [True, BAD]


@pytest.mark.parametrize("type_", ["id", "text", "int", "double", "money", "timestamp", "date", "boolean"])
def test_what_is_nested_fits_no_column(parquet: Any, type_: str) -> None:
    assert parquet(type_, [[1, 2], None], pa.list_(pa.int64())) == [BAD, None]
    assert parquet(type_, [{"a": 1}], pa.struct({"a": pa.int64()})) == [BAD]
