"""Turns what a file holds into the types of a feed: a value that would lose something is a bad type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import ibis

from o2o_mining.contracts.schema import Column

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Casts alone are too generous: '12.5' becomes the integer 13, '1e3', '0x10' and '1_000' pass, 24:00 is tomorrow.
_INTEGER = r"^[+-]?[0-9]+(\.0*)?$"
_DOUBLE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_MONEY = r"^[+-]?([0-9]{1,16}\.?[0-9]{0,2}|\.[0-9]{1,2})$"
_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DATE = rf"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
_TIMESTAMP = rf"^{_DATE}(?:[ T]{_CLOCK} ?{_OFFSET}?)?$"
_PLAIN_TIMESTAMP = rf"^{_DATE} {_CLOCK}$"
_FOUR_DIGITS = (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))  # no year of the feeds has more or less
_BOOLEAN = r"^([Tt]rue|TRUE|[Ff]alse|FALSE|0|1)$"


def parse(column: Column, value: ir.Value) -> tuple[ir.Value, ir.BooleanValue]:
    """Return a column's value in its type, and where there is a value that has no such form.

    Parameters
    ----------
    column
        The contract's column.
    value
        Text, or any type that a Parquet file may hold.

    Examples
    --------
    >>> t = ibis.memtable({"x": ["12", "12.5"]})
    >>> typed, bad = parse(Column("stock", "int", "How many."), t.x)
    >>> bad.execute().tolist()
    [False, True]
    """
    if value.type().is_nested():
        return ibis.null(column.engine_type), value.notnull()
    if _is_of_type(column, value):
        given, typed = value, value.cast(column.engine_type)
        if column.type in ("timestamp", "date"):
            typed = ibis.cases((typed.between(*_FOUR_DIGITS), typed))
    else:
        given = _as_text(value).nullif("")
        typed = _FROM_TEXT[column.type](given)
    if value.type().is_floating():
        typed = ibis.cases((~value.isnan() & ~value.isinf(), typed))
    if column.type == "double" and _is_exact(value):
        typed = ibis.cases((typed.try_cast(value.type()) == value, typed))
    return typed, given.notnull() & typed.isnull()


def _as_text(value: ir.Value) -> ir.StringValue:
    """Return a value of a Parquet file as a CSV file would have it: a number without zeros that say nothing."""
    given = value.type()
    if given.is_string():
        return value
    text = value.cast("string")
    return text.re_replace(r"\.?0+$", "") if given.is_decimal() and given.scale else text.re_replace(r"\.0+$", "")


def _is_exact(value: ir.Value) -> bool:
    return bool(value.type().is_integer() or value.type().is_decimal())


def _is_of_type(column: Column, value: ir.Value) -> bool:
    """Whether a value's type fits, so that it needs no detour through text."""
    given = value.type()
    return (
        (column.type in ("id", "text") and given.is_integer())
        or (column.type in ("int", "money", "double") and given.is_integer() and given.nbytes < 8)
        or (column.type == "int" and given.is_signed_integer())
        or (column.type == "money" and given.is_decimal() and given.precision - given.scale <= 16 and given.scale <= 2)
        or (column.type == "timestamp" and given.is_timestamp() and given.timezone is None and given.scale in (0, 3, 6))
        or (column.type == "timestamp" and given.is_date())
        or (column.type == "date" and given.is_date())
        or (column.type == "boolean" and given.is_boolean())
    )


def _matching(text: ir.StringValue, pattern: str) -> ir.StringValue:
    return ibis.cases((text.re_search(pattern), text))


def _timestamp(text: ir.StringValue) -> ir.TimestampValue:
    """Read a moment; an offset is taken off by hand, since casts drop it without a word.

    Nearly all moments of nearly all files have the plain form, which a cast alone reads several times as fast.
    """
    return ibis.cases((text.re_search(_PLAIN_TIMESTAMP), text.try_cast("timestamp(6)")), else_=_any_timestamp(text))


def _any_timestamp(text: ir.StringValue) -> ir.TimestampValue:
    fits = _matching(text, _TIMESTAMP)
    moment = fits.re_extract(rf"^({_DATE}(?:[ T]{_CLOCK})?)", 1).try_cast("timestamp(6)")
    offset = fits.re_extract(rf"{_CLOCK} ?({_OFFSET})$", 1).replace(":", "").rpad(5, "0")  # +0530, Z0000, 00000
    east = (offset.try_cast("int64") - offset.left(3).try_cast("int64") * 40).fill_null(0)
    return moment - east.as_interval("m")


def _date(text: ir.StringValue) -> ir.DateValue:
    """Read a day: a moment at midnight."""
    moment = _timestamp(text)
    return ibis.cases((moment == moment.truncate("D"), moment.date()))


def _double(text: ir.StringValue) -> ir.FloatingValue:
    number = _matching(text, _DOUBLE).try_cast("float64")
    return ibis.cases((~number.isinf(), number))


_FROM_TEXT: dict[str, Callable[[Any], Any]] = {
    "id": lambda text: text,
    "text": lambda text: text,
    "int": lambda text: _matching(text, _INTEGER).re_replace(r"\..*$", "").try_cast("int64"),
    "double": _double,
    "money": lambda text: _matching(text, _MONEY).try_cast("decimal(18, 2)"),
    "timestamp": _timestamp,
    "date": _date,
    "boolean": lambda text: ibis.cases(
        (text.re_search(_BOOLEAN), text.lower().isin(["true", "1"])), else_=ibis.null("boolean")
    ),
}
