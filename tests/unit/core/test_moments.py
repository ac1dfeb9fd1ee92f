"""Days are read strictly, and begin where they should."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from o2o_mining.core.errors import ContractError, HomeError, O2OError, UsageError, WarehouseBusyError
from o2o_mining.core.moments import local_midnight, midnight, parse_day


@pytest.mark.parametrize(
    "text", ["2017-02-29", "2017/07/01", "20170701", "July", "", "2017-07-01 00:00", " 2017-07-01"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a day\. Next: write it as YYYY-MM-DD"):
        parse_day(text)


def test_a_day_is_read_and_begins_at_midnight() -> None:
    assert midnight(parse_day("2016-02-29")) == datetime(2016, 2, 29)


@pytest.mark.parametrize(
    ("timezone", "day", "begins"),
    [
        ("America/New_York", date(2017, 3, 12), datetime(2017, 3, 12, 5)),
        ("America/New_York", date(2017, 3, 13), datetime(2017, 3, 13, 4)),
        ("America/New_York", date(2017, 11, 6), datetime(2017, 11, 6, 5)),
        ("Asia/Taipei", date(2017, 7, 1), datetime(2017, 6, 30, 16)),
        ("Asia/Kolkata", date(2017, 7, 1), datetime(2017, 6, 30, 18, 30)),
    ],
)
def test_a_local_day_begins_when_its_clock_says_so(timezone: str, day: date, begins: datetime) -> None:
    assert local_midnight(day, timezone) == begins


def test_errors_say_what_to_do_next() -> None:
    assert str(O2OError("it broke", next_step="mend it")) == "it broke. Next: mend it"
    assert str(O2OError("it broke")) == "it broke"
    assert issubclass(WarehouseBusyError, HomeError)
    assert all(issubclass(error, O2OError) for error in (UsageError, ContractError, HomeError))
