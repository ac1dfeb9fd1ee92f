"""Local time, ordered texts and shares are what the standard library says they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.engine.portable import days_between, joined_in_order, moment, share, to_local, to_utc

UNTIL = date(2030, 1, 1)
ZONES = [
    "UTC", "America/New_York", "Europe/London", "Asia/Taipei", "Asia/Kolkata", "Asia/Shanghai", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo",
]  # fmt: skip


def _column(*values: datetime) -> ibis.Table:
    return ibis.memtable({"at": list(values)}, schema={"at": "timestamp(6)"})


def _local(timezone: str, *moments: datetime) -> list[datetime]:
    return [t.to_pydatetime() for t in to_local(_column(*moments)["at"], timezone, until=UNTIL).execute()]


def _utc(timezone: str, *walls: datetime) -> list[datetime]:
    return [t.to_pydatetime() for t in to_utc(_column(*walls)["at"], timezone, until=UNTIL).execute()]


def _by_zoneinfo(timezone: str, at: datetime) -> datetime:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def _changes(timezone: str) -> list[datetime]:
    """Return the UTC hours around which a zone's offset changes."""
    start = datetime(1970, 1, 2)
    hours = [start + timedelta(hours=h) for h in range(0, 60 * 366 * 24, 24)]
    offsets = [_by_zoneinfo(timezone, hour) - hour for hour in hours]
    days = [hour for hour, a, b in zip(hours, offsets, offsets[1:], strict=False) if a != b]
    return [day + timedelta(minutes=m) for day in days for m in range(0, 24 * 60 + 1, 30)]


@pytest.mark.parametrize("timezone", ZONES)
def test_wall_clocks_follow_the_zone_on_both_sides_of_every_change(timezone: str) -> None:
    moments = [m for m in _changes(timezone) if m.date() < UNTIL] or [datetime(2017, 7, 1)]
    moments += [m - timedelta(microseconds=1) for m in moments]
    assert _local(timezone, *moments) == [_by_zoneinfo(timezone, m) for m in moments]


@pytest.mark.parametrize("timezone", ZONES)
def test_wall_clocks_come_back_to_their_moment_unless_the_hour_comes_twice(timezone: str) -> None:
    moments = [m for m in _changes(timezone) if m.date() < UNTIL] or [datetime(2017, 7, 1)]
    walls = [_by_zoneinfo(timezone, m) for m in moments]
    for found, at, wall in zip(_utc(timezone, *walls), moments, walls, strict=True):
        assert found >= at
        assert _by_zoneinfo(timezone, found) == wall


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2029, 12, 31)), min_size=1, max_size=50),
    st.sampled_from(ZONES),
)
def test_any_moment_has_the_wall_clock_of_the_standard_library(moments: list[datetime], timezone: str) -> None:
    assert _local(timezone, *moments) == [_by_zoneinfo(timezone, m) for m in moments]


def test_days_begin_where_they_begin_in_new_york() -> None:
    days = [datetime(2017, 3, 12), datetime(2017, 3, 13), datetime(2017, 11, 5), datetime(2017, 11, 6)]
    assert [at.hour for at in _utc("America/New_York", *days)] == [5, 4, 4, 5]


def test_zones_without_summer_time_have_one_offset() -> None:
    at = datetime(2017, 7, 1, 20)
    assert _local("Asia/Taipei", at) == [datetime(2017, 7, 2, 4)]
    assert _local("Asia/Kolkata", at) == [datetime(2017, 7, 2, 1, 30)]


def test_an_hour_that_comes_twice_is_the_later_one_and_a_missing_one_lies_after_the_change() -> None:
    twice, missing = datetime(2017, 11, 5, 1, 30), datetime(2017, 3, 12, 2, 30)
    assert _utc("America/New_York", twice) == [datetime(2017, 11, 5, 6, 30)]
    assert _local("America/New_York", *_utc("America/New_York", missing)) != [missing]


def test_texts_are_joined_in_the_order_of_their_positions_in_every_group() -> None:
    given_rows = [("b", 2, "9 lives"), ("a", 10, "x"), ("a", 9, "000000001"), ("b", 1, "é > ü"), ("a", 100, "x")]
    t = ibis.memtable(given_rows, schema={"g": "string", "i": "int64", "c": "string"})
    joined = t.group_by("g").aggregate(path=joined_in_order(t.c, t.i, " > ")).order_by("g").execute()
    assert joined["path"].tolist() == ["000000001 > x > x", "é > ü > 9 lives"]


def test_a_share_of_nothing_is_null() -> None:
    t = ibis.memtable({"a": [1.0, 0.0, None, 3.0], "b": [0.0, 0.0, 1.0, 2.0]})
    found = t.mutate(s=share(t.a, t.b)).execute()["s"]
    assert found.isna().tolist() == [True, True, True, False]
    assert found[3] == 1.5


def test_a_share_of_decimals_and_integers_is_exact_to_the_float() -> None:
    t = ibis.memtable({"a": [1], "b": [3]}).mutate(a=ibis._.a.cast("decimal(18, 2)"))
    assert share(t.a, t.b).execute()[0] == 1 / 3


def test_days_are_exact_to_the_microsecond() -> None:
    t = ibis.memtable({"a": [datetime(2017, 7, 1)], "b": [datetime(2017, 7, 1, 0, 0, 0, 1)]})
    assert days_between(t.b, t.a).execute()[0] == 1 / 86_400_000_000
    assert days_between(t.a, t.b).execute()[0] == -1 / 86_400_000_000


def test_a_day_begins_at_midnight_utc() -> None:
    assert ibis.duckdb.connect().execute(moment(date(2017, 7, 1))).to_pydatetime() == datetime(2017, 7, 1)
