"""The rules that follow from a contract, as expressions that mark the rows breaking them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.schema import Column, Table
from o2o_mining.core.errors import ContractError

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir


ID_LENGTH = 64


def conform(table: Table, expr: ir.Table) -> ir.Table:
    """Return the contract's columns in order and of its types.

    Parameters
    ----------
    table
        The contract.
    expr
        A table that has all its columns; others are left out.

    Raises
    ------
    ContractError
        If a column is missing, or of a type whose cast could lose something.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> conform(contract("coupon_products"), ibis.table({"product_id": "string", "coupon_id": "string"})).columns
    ('coupon_id', 'product_id')
    """
    missing = [name for name in table.column_names if name not in expr.columns]
    if missing:
        raise ContractError(f"table {table.name}: columns {', '.join(missing)} are missing")
    return expr.select(**{column.name: _conform(table, column, expr[column.name]) for column in table.columns})


def _conform(table: Table, column: Column, value: ir.Value) -> ir.Value:
    target = ibis.dtype(column.engine_type)
    given = value.type()
    if given.copy(nullable=True) == target:
        return value
    if not _loses_nothing(given, target):
        raise ContractError(f"table {table.name}: column {column.name} is {given}, the contract says {target}")
    return value.cast(target)


def _loses_nothing(given: dt.DataType, target: dt.DataType) -> bool:
    if given.is_null():
        return True
    if target.is_array():
        return bool(given.is_array())
    if target.is_decimal():
        return bool(given.is_integer() or (given.is_decimal() and (given.scale or 0) <= 2))
    if target.is_floating():
        return bool(given.is_numeric())
    if target.is_timestamp():
        return bool(given.is_timestamp() or given.is_date())
    families = ((t.is_integer(), t.is_string(), t.is_boolean(), t.is_date()) for t in (given, target))
    return any(all(same) for same in zip(*families, strict=True))


def broken_rules(table: Table, expr: ir.Table) -> Iterator[tuple[str, ir.BooleanValue]]:
    """Yield each rule over rows with the column that is true where it is broken.

    Keys are not among them: they are a rule over the whole table.
    """
    for column in table.columns:
        value = expr[column.name]
        if not column.nullable:
            yield f"missing_value:{column.name}", value.isnull()
        refused = not_allowed(column, value)
        if refused is not None:
            yield f"not_allowed:{column.name}", refused
        out = out_of_range(column, value)
        if out is not None:
            yield f"out_of_range:{column.name}", out
    for check in table.checks:
        yield check.name, check.violates(expr)


def not_allowed(column: Column, value: ir.Value) -> ir.BooleanValue | None:
    """Return where a value is not one of its column's, or nothing for a column that takes any."""
    if column.allowed:
        return value.notin(column.allowed)
    return value.contains(column.forbidden) if column.forbidden else None


def out_of_range(column: Column, value: ir.Value) -> ir.BooleanValue | None:
    """Return where a value leaves its column's range, or nothing for a column without one."""
    bounds = []
    if column.type == "id":
        bounds.append(value.length() > ID_LENGTH)
    if column.low is not None:
        bounds.append(value <= column.low if column.open_ends else value < column.low)
    if column.high is not None:
        bounds.append(value >= column.high if column.open_ends else value > column.high)
    return ibis.or_(*bounds) if bounds else None


@cache
def counting(name: str, rows_of: str) -> tuple[tuple[str, ...], str]:
    """Return a contract's rules over rows, and the query that counts how many rows of a table break each."""
    table = contract(name)
    rows = ibis.table(table.schema, name=rows_of)
    rules: dict[str, ir.BooleanValue] = {}
    for rule, broken in broken_rules(table, rows):  # an order has two rules named time_order
        rules[rule] = rules[rule] | broken if rule in rules else broken
    counts = rows.aggregate(**{f"r{i}": rule.sum() for i, rule in enumerate(rules.values())})
    return tuple(rules), str(ibis.to_sql(counts, dialect="duckdb", pretty=False))
