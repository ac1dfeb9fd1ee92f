"""Loads staged rows into a feed: of one key the last one holds, and who is concerned is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from o2o_mining.engine.base import ORDINAL, REASON, Upsert
from o2o_mining.engine.sql import month_of, quoted

if TYPE_CHECKING:
    import duckdb

    from o2o_mining.contracts.schema import Table
    from o2o_mining.engine.changes import Changes

FILE_COLUMN = "_file"


@dataclass(frozen=True)
class Loaded:
    """What became of the rows, and the months in which the feed is another one than before; none means all."""

    counts: Upsert
    months: set[str] | None


def upsert(
    connection: duckdb.DuckDBPyConnection, changes: Changes, feed: Table, staged: str, columns: list[str], file_id: int
) -> Loaded:
    """Load the staged rows without a ``_reason`` into a feed, and use up the staged table.

    Parameters
    ----------
    connection
        To the warehouse, in a transaction.
    changes
        Told of what changes.
    feed
        The contract of the feed.
    staged, columns
        Name and columns of the staged table.
    file_id
        Number of the file the rows come from.
    """

    def number_of(sql: str) -> int:
        ((number,),) = connection.execute(sql).fetchall()
        return int(number)

    given, target = quoted(staged), quoted(feed.name)
    keys = ", ".join(map(quoted, feed.key))
    number = ORDINAL if ORDINAL in columns else "rowid"
    if REASON in columns:
        connection.execute(f"DELETE FROM {given} WHERE {REASON} IS NOT NULL")
    repeats = number_of(
        f"DELETE FROM {given} WHERE {number} IN (SELECT {number} FROM {given}"
        f" QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {number} DESC) > 1)"
    )
    held = number_of(f"SELECT count(*) FROM {target}")
    if not held:
        accepted = number_of(f"SELECT count(*) FROM {given}")
        if accepted:
            changes.note_all(feed)
            _become(connection, feed, staged, columns, file_id)
        return Loaded(Upsert(accepted, repeats), None)
    same_key = " AND ".join(f"s.{quoted(k)} = t.{quoted(k)}" for k in feed.key)
    same_row = " AND ".join(f"s.{quoted(c)} IS NOT DISTINCT FROM t.{quoted(c)}" for c in feed.column_names)
    repeats += number_of(f"DELETE FROM {given} AS s USING {target} AS t WHERE {same_key} AND {same_row}")
    accepted = number_of(f"SELECT count(*) FROM {given}")
    replaced = f"SELECT t.* FROM {target} AS t JOIN {given} AS s ON {same_key}"
    changes.note(feed, f"SELECT * FROM {given}", replaced, changed=accepted, held=held)
    months = _months(connection, feed, f"SELECT * FROM {given}", replaced)
    connection.execute(f"DELETE FROM {target} AS t USING {given} AS s WHERE {same_key}")
    names = ", ".join(map(quoted, feed.column_names))
    connection.execute(f"INSERT INTO {target} SELECT {names}, {int(file_id)} FROM {given}")
    return Loaded(Upsert(accepted, repeats), months)


def _months(connection: duckdb.DuckDBPyConnection, feed: Table, *rows: str) -> set[str] | None:
    if not feed.at:
        return None
    every = " UNION ALL ".join(f"SELECT {quoted(feed.at)} AS moment FROM ({query})" for query in rows)
    found = connection.execute(f"SELECT DISTINCT {month_of('moment')} FROM ({every})").fetchall()
    return {month for (month,) in found}


def _become(connection: duckdb.DuckDBPyConnection, feed: Table, staged: str, columns: list[str], file_id: int) -> None:
    """Let a staged table become an empty feed, since writing its rows again takes longer than judging them."""
    given, target = quoted(staged), quoted(feed.name)
    for name in columns:
        if name not in feed.column_names:
            connection.execute(f"ALTER TABLE {given} DROP COLUMN {quoted(name)}")
    connection.execute(f"ALTER TABLE {given} ADD COLUMN {FILE_COLUMN} INTEGER DEFAULT {int(file_id)}")
    connection.execute(f"ALTER TABLE {given} ALTER COLUMN {FILE_COLUMN} DROP DEFAULT")
    connection.execute(f"DROP TABLE {target}")
    connection.execute(f"ALTER TABLE {given} RENAME TO {target}")
