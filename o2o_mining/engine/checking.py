"""Counts in the warehouse how many rows of a table break the rules of its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.engine.base import Violation
from o2o_mining.engine.checks import counting
from o2o_mining.engine.sql import quoted

if TYPE_CHECKING:
    import duckdb

    from o2o_mining.contracts.schema import Table


def broken(connection: duckdb.DuckDBPyConnection, table: Table, *, rows: str, where: str = "") -> list[Violation]:
    """Return the rules over rows that are broken.

    Parameters
    ----------
    connection
        To the warehouse.
    table
        The contract.
    rows, where
        Name of the table that is looked at, and which of its rows.
    """
    rules, sql = counting(table.name, rows)
    (counts,) = connection.execute(f"{sql} {where}").fetchall()
    return [Violation(name, int(count)) for name, count in zip(rules, counts, strict=True) if count]


def repeated(
    connection: duckdb.DuckDBPyConnection, table: Table, *, where: str = "", in_order: bool = False
) -> list[Violation]:
    """Return the rule that no key comes twice, if it is broken.

    Parameters
    ----------
    connection, table
        The warehouse and the contract.
    where
        Which rows are looked at.
    in_order
        Whether the rows looked at lie in the order of the key: that none comes before the one above it is found out in
        a third of the time that counting them by key takes. Days lie in the order in which they were mined.
    """
    keys, name = ", ".join(map(quoted, table.key)), quoted(table.name)
    if in_order:
        row = f"({keys})" if len(table.key) > 1 else keys
        query = f"SELECT 1 FROM (SELECT {row} <= lag({row}) OVER () AS b FROM {name} {where}) WHERE b"
    else:
        query = f"SELECT 1 FROM {name} {where} GROUP BY {keys} HAVING count(*) > 1"
    ((count,),) = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()
    return [Violation("repeated_key", int(count))] if count else []


def among(table: Table, came: str) -> str:
    """Return the condition that a row has the key of one of those that came."""
    keys = ", ".join(map(quoted, table.key))
    return f"WHERE ({keys}) IN (SELECT ({keys}) FROM {quoted(came)})"
