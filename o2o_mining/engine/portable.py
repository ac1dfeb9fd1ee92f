"""Expressions that give the same on every engine, for what engines do differently."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import ibis

from o2o_mining.core.moments import midnight

if TYPE_CHECKING:
    import ibis.expr.types as ir

_DAY_US = 86_400_000_000
_EARTH_KM = 6371.0088
_PAD = 9
_MARK = "\x1f"  # separates the position from the text; no channel holds it


def moment(day: date) -> ir.TimestampScalar:
    """Return the beginning of a UTC day as an expression.

    Examples
    --------
    >>> str(ibis.duckdb.connect().execute(moment(date(2017, 7, 1))))
    '2017-07-01 00:00:00'
    """
    return ibis.literal(midnight(day))


def days_between(later: ir.TimestampValue, earlier: ir.TimestampValue) -> ir.FloatingValue:
    """Return the days from one moment to another as float, exact to the microsecond.

    Examples
    --------
    >>> t = ibis.memtable({"a": [datetime(2017, 7, 1)], "b": [datetime(2017, 7, 2, 12)]})
    >>> days_between(t.b, t.a).execute().tolist()
    [1.5]
    """
    return later.delta(earlier, unit="microsecond").cast("float64") / float(_DAY_US)


def share(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """Divide as float64; null where the whole is 0.

    Examples
    --------
    >>> t = ibis.memtable({"a": [1, 1], "b": [2, 0]})
    >>> share(t.a, t.b).isnull().execute().tolist()
    [False, True]
    """
    return part.cast("float64") / whole.cast("float64").nullif(0.0)


def counted(value: ir.NumericValue, parts: int = 1) -> ir.IntegerValue:
    """Count a float in whole parts of a unit, half a part upwards, so that sums do not depend on their order.

    Examples
    --------
    >>> ibis.memtable({"m": [1.004, 1.006]}).m.pipe(counted, 100).execute().tolist()
    [100, 101]
    """
    return (value.cast("float64") * float(parts) + 0.5).floor().cast("int64")


def drawn(subject: ir.StringValue, *, salt: str, share: float) -> ir.BooleanValue:
    """Return whether a subject is drawn: the same in every run, and in about this share of all subjects.

    Examples
    --------
    >>> t = ibis.memtable({"id": ["ann", "bob", "cleo", "dan"]})
    >>> drawn(t.id, salt="s", share=0.5).name("drawn").execute().tolist()
    [False, True, False, False]
    """
    if share >= 1:
        return ibis.literal(True)
    digest = (ibis.literal(f"{salt}:") + subject).hexdigest("md5").substr(0, 8)
    return digest < format(int(share * 2**32), "08x")


def entropy(n: ir.IntegerColumn) -> ir.FloatingScalar:
    """Aggregate the counts of a group into the entropy of their shares in nats, rounded to a millionth.

    Examples
    --------
    >>> t = ibis.memtable({"n": [2, 2]})
    >>> t.aggregate(h=entropy(t.n)).h.execute().tolist()
    [0.693147]
    """
    weighted = counted(n * n.cast("float64").ln(), 10**9).sum().cast("float64") / 1e9
    whole = n.sum().cast("float64")
    return (whole.ln() - weighted / whole).round(6).abs()


def km_between(
    lat: ir.FloatingValue, lon: ir.FloatingValue, lat2: ir.FloatingValue, lon2: ir.FloatingValue
) -> ir.Value:
    """Return the kilometres between places in degrees, along the sphere, rounded to the metre.

    Examples
    --------
    >>> t = ibis.memtable({"lat": [25.0], "lon": [121.5], "lat2": [24.1], "lon2": [120.7]})
    >>> km_between(t.lat, t.lon, t.lat2, t.lon2).execute().tolist()
    [128.693]
    """
    half = ((lat2 - lat).radians() / 2).sin(), ((lon2 - lon).radians() / 2).sin()
    chord = half[0] * half[0] + lat.radians().cos() * lat2.radians().cos() * half[1] * half[1]
    # Not least(): it passes over nulls.
    return (2 * _EARTH_KM * (chord > 1).ifelse(1.0, chord).sqrt().asin()).round(3)


def joined_in_order(text: ir.StringValue, position: ir.IntegerValue, separator: str) -> ir.StringValue:
    """Aggregate texts into one, in the order of their positions.

    Each text is sorted behind its padded position, which is cut off again: Spark has no ordered
    aggregation in Ibis, and Ibis writes lambdas for DuckDB in a syntax that DuckDB 2 refuses.

    Parameters
    ----------
    text
        The texts; none null.
    position
        From 1, different within a group, below a billion.
    separator
        Put between.

    Examples
    --------
    >>> t = ibis.memtable({"i": [10, 9], "c": ["map", "search"]})
    >>> t.aggregate(path=joined_in_order(t.c, t.i, " > ")).path.execute().tolist()
    ['search > map']
    """
    padded = position.cast("string").lpad(_PAD, "0") + _MARK + text
    return padded.collect().sort().join(separator).re_replace(f"[0-9]{{{_PAD}}}{_MARK}", "")


def to_local(at: ir.TimestampValue, timezone: str, *, until: date) -> ir.TimestampValue:
    """Return the wall-clock time of UTC moments, without the engines' own time-zone tables.

    Parameters
    ----------
    at
        Moments in UTC.
    timezone
        An IANA name.
    until
        No moment is later than this day; 1970 to that day is covered.

    Examples
    --------
    >>> t = ibis.memtable({"at": [datetime(2017, 1, 1), datetime(2017, 7, 1)]})
    >>> [str(x) for x in to_local(t["at"], "America/New_York", until=date(2018, 1, 1)).execute()]
    ['2016-12-31 19:00:00', '2017-06-30 20:00:00']
    """
    first, *later = _offsets(timezone, until)
    if not later:
        return at + ibis.interval(seconds=first[1])
    seconds = ibis.cases(
        *((at >= ibis.literal(since), ibis.literal(offset, "int64")) for since, offset in reversed(later)),
        else_=ibis.literal(first[1], "int64"),
    )
    return at + seconds.as_interval("s")


def to_utc(local: ir.TimestampValue, timezone: str, *, until: date) -> ir.TimestampValue:
    """Return the UTC moments of wall-clock times; of an hour that comes twice the later one.

    Parameters
    ----------
    local
        Wall-clock times.
    timezone
        An IANA name.
    until
        No moment is later than this day.

    Examples
    --------
    >>> t = ibis.memtable({"at": [datetime(2017, 1, 1), datetime(2017, 7, 1)]})
    >>> [str(x) for x in to_utc(t["at"], "America/New_York", until=date(2018, 1, 1)).execute()]
    ['2017-01-01 05:00:00', '2017-07-01 04:00:00']
    """
    first, *later = _offsets(timezone, until)
    seconds = ibis.cases(
        *(
            (local >= ibis.literal(since + timedelta(seconds=offset)), ibis.literal(offset, "int64"))
            for since, offset in reversed(later)
        ),
        (ibis.literal(True), ibis.literal(first[1], "int64")),
    )
    return local - seconds.as_interval("s")


@cache
def _offsets(timezone: str, until: date) -> list[tuple[datetime, int]]:
    """Return since when, in UTC, which offset in seconds holds; found by halving days in which it changes."""
    zone = ZoneInfo(timezone)

    def offset(moment_utc: datetime) -> int:
        delta = moment_utc.replace(tzinfo=UTC).astimezone(zone).utcoffset()
        return int(delta.total_seconds()) if delta is not None else 0

    day = datetime(1970, 1, 1)
    found = [(day, offset(day))]
    end = midnight(until) + timedelta(days=2)
    while day < end:
        following = day + timedelta(days=1)
        if offset(following) != found[-1][1]:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            found.append((high, offset(high)))
        day = following
    return found
