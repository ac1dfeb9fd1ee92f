"""What changed since a table was made: the customers, codes and keys that the changed rows of other tables name.

A table of events is then made anew for the customers concerned alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from o2o_mining.engine.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb

    from o2o_mining.contracts.schema import Table

# Who a row concerns, and what other rows know it by; a row that concerns no customer is known by its key.
_CONCERNS = ("customer_id", "tracking_code")
# Past this share of a feed everything counts as changed: making all anew is faster then.
_MOST = 0.2
_TABLES = """
CREATE TABLE IF NOT EXISTS _changed (number BIGINT, table_name VARCHAR, name VARCHAR, value VARCHAR);
CREATE TABLE IF NOT EXISTS _made (table_name VARCHAR PRIMARY KEY, number BIGINT, told VARCHAR);
"""


class Changes:
    """The changes of tables, numbered, and up to which number each table that is made of them has followed.

    Parameters
    ----------
    connection
        To the warehouse.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute(_TABLES)

    def note(self, table: Table, *rows: str, changed: int, held: int) -> None:
        """Note which customers, codes and keys the rows of queries name.

        Parameters
        ----------
        table
            The table that changes.
        rows
            Queries for the rows that come and those that go.
        changed, held
            How many rows change, and how many the table held before.
        """
        if changed > _MOST * held:
            self.note_all(table)
            return
        number = self._last() + 1
        for name, query in self._named(table, rows):
            self._connection.execute(
                f"INSERT INTO _changed SELECT DISTINCT {number}, {literal(table.name)}, {literal(name)}, {quoted(name)}"
                f" FROM ({query}) WHERE {quoted(name)} IS NOT NULL"
            )

    def note_all(self, table: Table) -> None:
        """Note that anything in a table may have changed."""
        self._connection.execute("INSERT INTO _changed VALUES (?, ?, NULL, NULL)", [self._last() + 1, table.name])

    def _named(self, table: Table, rows: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        concerned = [name for name in _CONCERNS if name in table.column_names]
        for name in concerned if "customer_id" in concerned else table.key:
            yield name, " UNION ALL ".join(f"SELECT {quoted(name)} FROM ({query})" for query in rows)

    def followed(self, table: str, told: Mapping[str, Any]) -> None:
        """Note that a table has followed all changes, and what else it was made with; forget what all have followed."""
        self._connection.execute(
            "INSERT OR REPLACE INTO _made VALUES (?, ?, ?)", [table, self._last(), json.dumps(dict(told))]
        )
        self._connection.execute("DELETE FROM _changed WHERE number <= (SELECT min(number) FROM _made)")

    def since(self, table: str, inputs: Sequence[str]) -> tuple[dict[str, Any], str] | None:
        """Return what a table was made with, and a query for what changed in its inputs since.

        None if it was never made, or if everything may have changed.
        """
        made = self._connection.execute("SELECT number, told FROM _made WHERE table_name = ?", [table]).fetchall()
        if not made:
            return None
        ((number, told),) = made
        among = ", ".join(map(literal, inputs))
        later = f"FROM _changed WHERE number > {int(number)} AND table_name IN ({among})"
        if self._connection.execute(f"SELECT 1 {later} AND name IS NULL LIMIT 1").fetchall():
            return None
        return json.loads(told), f'SELECT DISTINCT table_name AS "table", name, value {later}'

    def _last(self) -> int:
        query = "SELECT greatest((SELECT max(number) FROM _changed), (SELECT max(number) FROM _made))"
        ((number,),) = self._connection.execute(query).fetchall()
        return int(number or 0)
