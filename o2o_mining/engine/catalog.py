"""What the tables hold, part by part, and which file of the snapshot folder holds each part.

A mined table has a part for every day; any other table has one, and past a million rows one for every month: what
happened in a month long gone is then not written again when a day is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from o2o_mining.contracts.schema import Kind, Table
from o2o_mining.engine.sql import literal, month_of, quoted

if TYPE_CHECKING:
    import duckdb

    from o2o_mining.engine.snapshot import Stored

WHOLE = "all"
MONTHLY_ABOVE = 1_000_000
_TABLE = """
CREATE TABLE IF NOT EXISTS _slices (
    table_name VARCHAR, as_of DATE, part VARCHAR, rows BIGINT, in_order BOOLEAN, file VARCHAR, sha256 VARCHAR,
    UNIQUE (table_name, as_of, part)
)
"""


@dataclass(frozen=True)
class Part:
    """Some rows of a table: those of one day of a mined table, all of any other, or those of one month.

    ``in_order`` says that the rows lie in the order of the key.
    """

    table: str
    as_of: date | None
    part: str
    rows: int
    in_order: bool

    @property
    def name(self) -> str:
        """The day or month that a file of this part is named after."""
        return str(self.as_of or self.part)


class Catalog:
    """The parts of all tables of a warehouse.

    Parameters
    ----------
    connection
        To the warehouse.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute(_TABLE)

    def days(self, table: str) -> list[date | None]:
        """Return the days a table holds; ``[None]`` for a table without ``as_of`` that was written."""
        return [row[0] for row in self._rows("DISTINCT as_of", "WHERE table_name = ? ORDER BY as_of", table)]

    def is_in_order(self, table: str) -> bool:
        """Return whether all rows of a table lie in the order of the key."""
        found = self._rows("bool_and(in_order)", "WHERE table_name = ?", table)
        return bool(found[0][0])

    def forget(self, table: str) -> None:
        """Forget all parts of a table."""
        self._connection.execute("DELETE FROM _slices WHERE table_name = ?", [table])

    def book(self, table: Table, as_of: date | None, *, in_order: bool = False, months: set[str] | None = None) -> int:
        """Count the parts of a table, or of one day of it, as new and not yet in any file; return their rows.

        Parameters
        ----------
        table, as_of
            The table, and the day of a mined one.
        in_order
            Whether the rows lie in the order of the key.
        months
            The months whose rows changed; none means all.
        """
        parts, before = self._counted(table, as_of), self._parts(table.name, as_of)
        changed = set(parts) if months is None else months | (set(parts) - before)
        if WHOLE in parts and months:
            changed = {WHOLE}
        for part in sorted(changed | (before - set(parts))):
            self._connection.execute(
                "DELETE FROM _slices WHERE table_name = ? AND as_of IS NOT DISTINCT FROM ? AND part = ?",
                [table.name, as_of, part],
            )
        for part in sorted(changed & set(parts)):
            self._connection.execute(
                "INSERT INTO _slices VALUES (?, ?, ?, ?, ?, NULL, NULL)",
                [table.name, as_of, part, parts[part], in_order],
            )
        return sum(parts.values())

    def _counted(self, table: Table, as_of: date | None) -> dict[str, int]:
        name = quoted(table.name)
        where = f"WHERE as_of = {literal(str(as_of))}" if table.kind is Kind.MINED and as_of else ""
        ((rows,),) = self._connection.execute(f"SELECT count(*) FROM {name} {where}").fetchall()
        if not table.at or rows <= MONTHLY_ABOVE:
            return {WHOLE: int(rows)}
        found = self._connection.execute(
            f"SELECT {month_of(quoted(table.at))} AS month, count(*) FROM {name} GROUP BY month"
        )
        return dict(found.fetchall())

    def _parts(self, table: str, as_of: date | None) -> set[str]:
        found = self._connection.execute(
            "SELECT part FROM _slices WHERE table_name = ? AND as_of IS NOT DISTINCT FROM ?", [table, as_of]
        )
        return {part for (part,) in found.fetchall()}

    def changed(self, table: str) -> tuple[set[str], set[str]]:
        """Return the parts of a table that no file holds yet, and those that one holds."""
        found = self._rows("part, file", "WHERE table_name = ?", table)
        return {part for part, file in found if file is None}, {part for part, file in found if file is not None}

    def filed(self) -> list[tuple[Part, str | None]]:
        """Return every part with its file, or none."""
        found = self._rows("table_name, as_of, part, rows, in_order, file", "ORDER BY table_name, as_of, part")
        return [(Part(*row[:5]), row[5]) for row in found]

    def file(self, part: Part, stored: Stored) -> None:
        """Note which file holds a part."""
        self._connection.execute(
            "UPDATE _slices SET file = ?, sha256 = ?"
            " WHERE table_name = ? AND as_of IS NOT DISTINCT FROM ? AND part = ?",
            [stored.file, stored.sha256, part.table, part.as_of, part.part],
        )

    def listed(self, table: str) -> list[dict[str, Any]]:
        """Return the parts of a table as a manifest lists them."""
        found = self._rows("as_of, part, file, rows, sha256", "WHERE table_name = ? ORDER BY as_of, part", table)
        return [
            {"as_of": str(as_of) if as_of else None, "part": part, "file": file, "rows": rows, "sha256": sha256}
            for as_of, part, file, rows, sha256 in found
        ]

    def _rows(self, columns: str, rest: str, *values: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(f"SELECT {columns} FROM _slices {rest}", list(values)).fetchall()
