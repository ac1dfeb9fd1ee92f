"""Turns what a file holds into the types of a feed: a value that would lose something is a bad type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.schema import Column

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Casts alone are too generous: '12.5' becomes the integer 13, '1e3', '0x10' and '1_000' pass, 24:00 is tomorrow.
_INTEGER = r"^[+-]?[0-9]{1,18}(\.0*)?$"
_DOUBLE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_MONEY = r"^[+-]?([0-9]{1,16}\.?[0-9]{0,2}|\.[0-9]{1,2})$"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_OFFSET = r"(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
_TIMESTAMP = rf"^{_DATE}([ T]{_CLOCK} ?{_OFFSET}?)?$"
_MIDNIGHT = rf"^{_DATE}([ T]00:00(:00(\.0{{1,6}})?)?)?$"
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
    given = value.type()
    if given.is_null():
        return ibis.null(column.engine_type), ibis.literal(False)
    if _is_of_type(column, value):
        return value.cast(column.engine_type), ibis.literal(False)
    text = value if given.is_string() else value.cast("string")
    text = text.nullif("")
    typed = _FROM_TEXT[column.type](text)
    return typed, text.notnull() & typed.isnull()


def _is_of_type(column: Column, value: ir.Value) -> bool:
    """Whether a value's type fits, so that it needs no detour through text."""
    given = value.type()
    return (
        (column.type in ("id", "text") and given.is_integer())
        or (column.type in ("int", "money", "double") and given.is_integer() and given.nbytes < 8)  # type: ignore[attr-defined]
        or (column.type == "int" and given.is_signed_integer())
        or (column.type == "money" and given.is_decimal() and given.precision <= 18 and given.scale <= 2)  # type: ignore[attr-defined]
        or (column.type == "timestamp" and given.is_timestamp() and given.timezone is None and given.scale in (0, 3, 6))  # type: ignore[attr-defined]
        or (column.type == "timestamp" and given.is_date())
        or (column.type == "date" and given.is_date())
        or (column.type == "boolean" and given.is_boolean())
    )


def _matching(text: ir.StringValue, pattern: str) -> ir.StringValue:
    return ibis.cases((text.re_search(pattern), text))


def _timestamp(text: ir.StringValue) -> ir.TimestampValue:
    """Read a moment; an offset is taken off by hand, since casts drop it without a word."""
    fits = _matching(text, _TIMESTAMP)
    offset = ibis.cases((fits.re_search(rf"{_CLOCK} ?{_OFFSET}$"), fits.re_extract(rf"{_OFFSET}$", 0)))
    moment = ibis.cases((offset.notnull(), fits.re_replace(rf" ?{_OFFSET}$", "")), else_=fits).try_cast("timestamp(6)")
    digits = offset.re_replace("[^0-9]", "")
    minutes = digits.left(2).try_cast("int64") * 60 + digits.substr(2, 2).try_cast("int64").fill_null(0)
    east = ibis.cases((offset.startswith("-"), -minutes), else_=minutes)
    return ibis.cases((minutes.notnull(), moment - east.as_interval("m")), else_=moment)


_FROM_TEXT = {
    "id": lambda text: text,
    "text": lambda text: text,
    "int": lambda text: _matching(text, _INTEGER).re_replace(r"\..*$", "").try_cast("int64"),
    "double": lambda text: _matching(text, _DOUBLE).try_cast("float64"),
    "money": lambda text: _matching(text, _MONEY).try_cast("decimal(18, 2)"),
    "timestamp": _timestamp,
    "date": lambda text: _matching(text, _MIDNIGHT).left(10).try_cast("date"),
    "boolean": lambda text: ibis.cases(
        (text.re_search(_BOOLEAN), text.lower().isin(["true", "1"])), else_=ibis.null("boolean")
    ),
}
