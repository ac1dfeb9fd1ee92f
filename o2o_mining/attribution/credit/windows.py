"""The windows over which credit and cost are added up: all history, 90 days, 30 days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WINDOW_DAYS = (90, 30)
_EPOCH = date(1970, 1, 1)


def window_starts(as_of: date) -> tuple[date, ...]:
    """Return the first days of the windows that end before as_of, the longest first.

    Examples
    --------
    >>> [str(day) for day in window_starts(date(2017, 7, 1))]
    ['1970-01-01', '2017-04-02', '2017-06-01']
    """
    return (_EPOCH, *(as_of - timedelta(days=days) for days in _WINDOW_DAYS))


def last_window(at: ir.TimestampValue, as_of: date) -> ir.IntegerValue:
    """Return the number of the shortest window that a moment before as_of lies in; windows lie in one another."""
    starts = list(enumerate(window_starts(as_of)))
    return ibis.cases(
        *((at >= moment(day), ibis.literal(number, "int64")) for number, day in reversed(starts)), else_=-1
    )
