"""Published tables without customers as files; groups of people only from a size on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind, Table
from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.home import Home
from o2o_mining.exports.files import Stream
from o2o_mining.exports.headings import title
from o2o_mining.exports.release import Content, ExportReport, Order, named, release, slice_day

if TYPE_CHECKING:
    import ibis.expr.types as ir

# The smallest group that a file may describe.
K_MIN = 10

TOO_SMALL = "group_smaller_than_k_min"
COMPLEMENT = "group_that_would_give_a_smaller_one_away"

# Columns that lead to one person. A basket_id is the order or the visit of one customer.
_OF_ONE_PERSON = {"customer_id", "customer_ids", "referrer_id", "basket_id"}
# What says how many people a row describes, in whichever of these columns a table has; a journey is one person's.
_HOW_MANY = ("customers", "people", "journeys")
# Tables of which one row tells of the next, as who was lost on the way does: shown together, or not at all.
_TOLD_TOGETHER = {"funnel": ("as_of", "window_start", "dimension", "id")}
# Tables whose groups add up to a whole, and the columns that say which whole.
_WHOLES = {
    "segment_profiles": ("as_of", "scheme"),
    "market_analysis": ("as_of", "dimension", "month"),
    "segment_migration": ("as_of", "previous_as_of", "scheme"),
}


def exportable_tables() -> list[str]:
    """Return the tables that may leave whole: no column says anything about one person.

    Returns
    -------
    list of str
        Names, sorted.

    Examples
    --------
    >>> "campaign_attribution" in exportable_tables(), "purchases" in exportable_tables()
    (True, False)
    """
    return sorted(t.name for t in tables(Kind.FEED, Kind.EVENTS, Kind.MINED) if not _personal(t))


def _personal(table: Table) -> list[str]:
    return [c.name for c in table.columns if c.personal or c.name in _OF_ONE_PERSON]


def export_table(
    home: Home,
    table: str,
    *,
    settings: Settings,
    as_of: date | str | None = None,
    where: Mapping[str, str] | None = None,
    format: str = "csv",  # noqa: A002 - what the user calls it
    language: str | None = None,
    out: Path | str | None = None,
    requested_by: str | None = None,
    segment_name: Callable[[str, str], str] | None = None,
    k_min: int = K_MIN,
) -> ExportReport:
    """Write a table without customers, above all ``campaign_attribution``, with a manifest beside the file.

    Parameters
    ----------
    home
        The published snapshot.
    table
        One of ``exportable_tables()``.
    settings
        Of the home: currency, usual language.
    as_of
        Day of the slice of a mined table; the latest by default.
    where
        Key columns, or ``merchant_id``, and the values to keep, as text: ``{"model": "linear"}``.
    segment_name
        From a ``segment_code`` and a language to a name; None leaves the codes alone.
    k_min
        Groups of fewer people are left out, and what would give them away.
    format, language, out, requested_by
        As ``Order`` has them.

    Returns
    -------
    ExportReport
        Where the file is, its rows, and what was left out and why.

    Raises
    ------
    UsageError
        If there is no such table, slice, column, value, format or language, or the table holds people.
    O2OError
        If every group asked for is too small.

    Examples
    --------
    >>> from o2o_mining.engine.home import open_home
    >>> export_table(open_home("no-such-home"), "campaign_attribution", settings=Settings())
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    order = Order(settings, format, language, out, requested_by)
    _refuse_people(home, table)
    day = _day(home, table, as_of)
    return release(_content(home, table, day, where or {}, order, segment_name, k_min), order, home)


def _content(
    home: Home,
    table: str,
    day: date | None,
    where: Mapping[str, str],
    order: Order,
    segment_name: Callable[[str, str], str] | None,
    k_min: int,
) -> Content:
    rows = home.table(table)
    if day is not None:
        rows = rows.filter(rows.as_of == ibis.literal(day))
    # What is left out does not depend on what is asked for: several files together give no more away than one.
    marked = _marked(rows, table, k_min).order_by(list(contract(table).key)).to_pyarrow()
    asked = _filtered(marked, table, where)
    reasons = asked["_left_out"].to_pylist()
    left_out = {reason: reasons.count(reason) for reason in (TOO_SMALL, COMPLEMENT) if reason in reasons}
    if left_out and None not in reasons:
        raise O2OError(
            f"{table}: no group of the {len(reasons)} asked for may be described, the least size is {k_min} people",
            next_step="ask for larger groups",
        )
    shown = asked.filter(pa.array([reason is None for reason in reasons], pa.bool_())).drop_columns(["_left_out"])
    words = {} if segment_name is None else {"segment_code": segment_name, "traits": segment_name}
    filled, fields = named(shown, table, order, types={}, words=words)
    said: dict[str, Any] = {
        "table": table,
        "as_of": str(day) if day else None,
        "where": dict(sorted(where.items())),
        "purpose": None,
        "consent": {"basis": "none needed: no row is about one customer"},
    }
    if _how_many(table):
        said["k_min"] = k_min
    return Content(
        stem="-".join([table, *([str(day)] if day else []), *(f"{k}={v}" for k, v in sorted(where.items()))]),
        title=title(table, order.spoken),
        rows=Stream.of(filled),
        fields=fields,
        said=said,
        left_out=left_out,
        notes=tuple(f"{rows} groups left out: {_SAID[reason].format(k_min)}" for reason, rows in left_out.items()),
    )


_SAID = {TOO_SMALL: "smaller than {} people", COMPLEMENT: "with the rest they would give away groups under {} people"}


def _refuse_people(home: Home, table: str) -> None:
    known = [name for name in exportable_tables() if name in home.tables()]
    if table not in home.tables():
        raise UsageError(f"no table '{table}' is published", next_step=f"use one of {', '.join(known)}")
    if columns := _personal(contract(table)):
        raise UsageError(
            f"table {table} is about single persons ({', '.join(columns)}) and never leaves whole",
            next_step=f"export a segment, or one of {', '.join(known)}",
        )


def _day(home: Home, table: str, as_of: date | str | None) -> date | None:
    if contract(table).kind is Kind.MINED:
        return slice_day(home, table, as_of)
    if as_of is not None:
        raise UsageError(f"table {table} is not mined as of a day", next_step="leave as_of out")
    return None


def _how_many(table: str) -> str | None:
    return next((name for name in _HOW_MANY if name in contract(table).column_names), None)


def _marked(rows: ir.Table, table: str, k_min: int) -> ir.Table:
    """One row with ``_left_out``: null, or why the group that it describes must not be shown.

    Where the groups add up to a whole, whose total is known from the shares, one missing group can be reckoned from
    the rest. So the smallest others are left out too, until those left out are at least ``k_min`` people together.
    """
    nothing = ibis.null("string")
    counted = _how_many(table)
    if counted is None:
        return rows.mutate(_left_out=nothing)
    people = rows[counted]
    small = people < k_min
    if table in _TOLD_TOGETHER:
        small = people.between(1, k_min - 1)
        any_small = small.any().over(group_by=[rows[name] for name in _TOLD_TOGETHER[table]])
        reason = ibis.cases((small, ibis.literal(TOO_SMALL)), (any_small, ibis.literal(COMPLEMENT)), else_=nothing)
        return rows.mutate(_left_out=reason)
    reason = ibis.cases((small, ibis.literal(TOO_SMALL)), else_=nothing)
    if table in _WHOLES:
        whole = [rows[name] for name in _WHOLES[table]]
        others = [rows[name] for name in contract(table).key if name not in _WHOLES[table]]
        any_small = small.any().over(group_by=whole)
        smaller = people.sum().over(
            group_by=whole, order_by=[people, *others], rows=(None, -1)
        ).fill_null(0)  # fmt: skip
        gives_away = any_small & (smaller < k_min)
        reason = ibis.cases(
            (small, ibis.literal(TOO_SMALL)), (gives_away, ibis.literal(COMPLEMENT)), else_=nothing
        )  # fmt: skip
    return rows.mutate(_left_out=reason)


def _filtered(rows: Any, table: str, where: Mapping[str, str]) -> Any:
    """Keep the rows whose key columns, or whose merchant, have the given values."""
    declared = contract(table)
    keys = [name for name in declared.column_names if name in {*declared.key, "merchant_id"} - {"as_of"}]
    for name, value in where.items():
        if name not in keys:
            raise UsageError(f"table {table} cannot be asked by '{name}'", next_step=f"use one of {', '.join(keys)}")
        given = [str(held) for held in rows[name].to_pylist()]
        kept = [held == value for held in given]
        if not any(kept):
            held = sorted(set(given))
            said = ", ".join(held[:20]) + (", …" if len(held) > 20 else "")
            raise UsageError(f"table {table} has no row with {name} = {value}", next_step=f"use one of {said}")
        rows = rows.filter(pa.array(kept, pa.bool_()))
    return rows
