"""Judges every record of a feed: its typed values, or the first reason why it cannot be taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.schema import Column, Table
from o2o_mining.engine.base import ORDINAL, REASON
from o2o_mining.engine.checks import not_allowed, out_of_range
from o2o_mining.ingest.casting import parse

if TYPE_CHECKING:
    import ibis.expr.types as ir

MALFORMED_LINE = "malformed_line"
MISSING_KEY = "missing_key"
RAW = "_raw"


def judged(feed: Table, staged: ir.Table, names: Mapping[str, str], raw: Sequence[str] = ()) -> ir.Table:
    """One row per record: the feed's columns in their types, ``_reason``, ``_raw``, and ``_ordinal`` if it has one.

    Parameters
    ----------
    feed
        The feed's contract.
    staged
        The records as read.
    names
        Staged column to name in the file, in the file's order. Columns the feed does not know
        count for ``_raw`` only.
    raw
        Staged columns that make ``_raw``, where it is not made of the named ones.

    Returns
    -------
    ir.Table
        ``_reason`` is null for a good record, and so is ``_raw``.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> staged = ibis.memtable({"f0": ["c1", "c2"], "f1": ["p1", None], "_ordinal": [0, 1]})
    >>> table = judged(contract("coupon_products"), staged, {"f0": "coupon_id", "f1": "product_id"})
    >>> table.order_by("_ordinal")._reason.fill_null("good").execute().tolist()
    ['good', 'missing_key']
    """
    source = {name: staged[field] for field, name in reversed(list(names.items()))}
    parsed = {c.name: parse(c, source.get(c.name, ibis.null("string"))) for c in feed.columns}
    typed = staged.mutate(
        **{name: value for name, (value, _) in parsed.items()},
        **{_bad(name): bad for name, (_, bad) in parsed.items()},
    )
    reason = ibis.cases(*((broken, code) for code, broken in _faults(feed, typed)), else_=ibis.null("string"))
    with_reason = typed.mutate(**{REASON: reason})
    numbers = [ORDINAL] if ORDINAL in staged.columns else []
    shown = _as_csv([with_reason[field] for field in raw or names])
    return with_reason.select(
        *feed.column_names, *numbers, REASON, **{RAW: ibis.cases((with_reason[REASON].notnull(), shown))}
    )


def _bad(name: str) -> str:
    return f"_bad_{name}"


def _faults(feed: Table, typed: ir.Table) -> Iterator[tuple[str, ir.BooleanValue]]:
    """Yield reasons in the order in which the first one counts."""

    def absent(column: Column) -> ir.BooleanValue:
        return typed[column.name].isnull() & ~typed[_bad(column.name)]

    keys = [column for column in feed.columns if column.key]
    yield MISSING_KEY, ibis.or_(*(absent(column) for column in keys))
    for column in feed.columns:
        yield f"bad_type:{column.name}", typed[_bad(column.name)]
    for column in feed.columns:
        if not column.nullable and not column.key:
            yield f"missing_value:{column.name}", absent(column)
    for rule in (not_allowed, out_of_range):
        for column in feed.columns:
            broken = rule(column, typed[column.name])
            if broken is not None:
                yield f"{rule.__name__}:{column.name}", broken.fill_null(False)
            for check in feed.checks:  # a rule over the row that ends in a column stands at that column's place
                if check.name == f"{rule.__name__}:{column.name}":
                    yield check.name, check.violates(typed).fill_null(False)
    for check in feed.checks:
        if ":" not in check.name:
            yield check.name, check.violates(typed).fill_null(False)


def _as_csv(values: list[ir.Value]) -> ir.StringValue:
    """Write a record as a CSV line, as it would be written today."""

    def written(value: ir.Value) -> ir.StringValue:
        text = (value if value.type().is_string() else value.cast("string")).fill_null("")
        quoted = ibis.literal('"') + text.replace('"', '""') + '"'
        return ibis.cases((text.re_search('[",\\r\\n]'), quoted), else_=text)

    # One operation: a chain of hundreds, in a file without line feeds, is deeper than Python recurses.
    line: ir.StringValue = ibis.literal(",").join([written(value) for value in values])
    return line
