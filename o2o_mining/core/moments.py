"""Days and moments: everything mined is as of a day D, which means events before D 00:00 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from o2o_mining.core.errors import UsageError


def parse_day(text: str) -> date:
    """Read a day as users and partitions write it.

    Parameters
    ----------
    text
        ``YYYY-MM-DD``.

    Raises
    ------
    UsageError
        If the text is no day.

    Examples
    --------
    >>> parse_day("2017-07-01")
    datetime.date(2017, 7, 1)
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise UsageError(f"'{text}' is not a day", next_step="write it as YYYY-MM-DD") from None


def midnight(day: date) -> datetime:
    """Return the moment a day begins in UTC, without time zone, as the warehouse stores moments.

    Examples
    --------
    >>> midnight(date(2017, 7, 1))
    datetime.datetime(2017, 7, 1, 0, 0)
    """
    return datetime.combine(day, time())


def local_midnight(day: date, timezone: str) -> datetime:
    """Return the UTC moment at which a local day begins.

    Parameters
    ----------
    day
        The local calendar day.
    timezone
        An IANA name, such as ``America/New_York``.

    Examples
    --------
    >>> local_midnight(date(2017, 7, 1), "America/New_York")
    datetime.datetime(2017, 7, 1, 4, 0)
    """
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC).replace(tzinfo=None)
