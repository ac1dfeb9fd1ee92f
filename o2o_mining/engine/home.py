"""Reads the published snapshot of a home, also while a run is going on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.errors import HomeError, UsageError
from o2o_mining.core.moments import parse_day
from o2o_mining.engine.origin import rerun
from o2o_mining.engine.snapshot import read_manifest
from o2o_mining.engine.sql import literal, quoted, sql_type

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

# What whoever shares a machine with others takes of its memory at most.
SPILLED_FROM = "512MB"


def home_path(path: Path | str | None = None, *, source: str = "") -> Path:
    """Return the folder of a home: the path given, else ``O2O_HOME``, else ``var/<source>``.

    Raises
    ------
    HomeError
        If nothing says which and ``var`` does not hold exactly one.

    Examples
    --------
    >>> home_path("var/sample").name
    'sample'
    """
    if path is not None:
        return Path(path)
    if given := os.environ.get("O2O_HOME"):
        return Path(given)
    if source:
        return Path("var") / source
    homes = usual_homes()
    if not homes:
        raise HomeError("no home in var", next_step="o2o run")
    if len(homes) > 1:
        raise HomeError(
            f"several homes in var: {', '.join(map(str, homes))}",
            next_step=f"say which: --home {homes[0]}, home='{homes[0]}' in Python, or O2O_HOME={homes[0]}",
        )
    return homes[0]


def usual_homes() -> list[Path]:
    """Return the homes in ``var`` that have a snapshot."""
    return sorted(file.parent.parent for file in Path("var").glob("*/snapshots/current.json"))


class Home:
    """The published snapshot of a home, as it was when opened.

    Parameters
    ----------
    path
        Folder of the home.
    spill_to
        Folder for what does not fit into ``SPILLED_FROM`` of memory; without one, all memory may be used.

    Attributes
    ----------
    path, manifest
        The folder; what the snapshot holds.
    """

    def __init__(self, path: Path, *, spill_to: Path | None = None) -> None:
        self.path = path
        self.manifest: dict[str, Any] = read_manifest(path / "snapshots")
        bounds = {"memory_limit": SPILLED_FROM, "temp_directory": str(spill_to)} if spill_to else {}
        self._ibis = ibis.duckdb.connect(**bounds)
        self._views = 0
        for name in self.manifest["tables"]:
            self._ibis.con.execute(f"CREATE VIEW {quoted(name)} AS {self._select(name)}")

    def _select(self, name: str) -> str:
        files = [literal(str(self.path / "snapshots" / part["file"])) for part in self._slices(name)]
        if files:
            return f"SELECT * FROM read_parquet([{', '.join(files)}], hive_partitioning = false)"  # noqa: S608 - quoted
        types = ", ".join(f"NULL::{sql_type(c)} AS {quoted(c.name)}" for c in contract(name).columns if not c.withheld)
        return f"SELECT {types} WHERE false"

    def _slices(self, name: str) -> list[dict[str, Any]]:
        slices: list[dict[str, Any]] = self.manifest["tables"][name]["slices"]
        return slices

    def tables(self) -> list[str]:
        """Return the names of the published tables."""
        return sorted(self.manifest["tables"])

    def table(self, name: str) -> ir.Table:
        """Return a published table as an Ibis table.

        Raises
        ------
        UsageError
            If the snapshot holds no such table.
        """
        self._refuse_unknown(name)
        return self._ibis.table(name)

    def days(self, name: str) -> list[date]:
        """Return the days for which a mined table has a slice, in order."""
        self._refuse_unknown(name)
        return [parse_day(part["as_of"]) for part in self._slices(name) if part["as_of"]]

    def _refuse_unknown(self, name: str) -> None:
        if name not in self.manifest["tables"]:
            raise UsageError(f"no table '{name}' is published", next_step=f"use one of {', '.join(self.tables())}")

    def sql(self, query: str) -> ir.Table:
        """Return the result of an SQL query over the published tables, as an Ibis table."""
        self._views += 1
        name = f"_query_{self._views}"
        self._ibis.con.execute(f"CREATE TEMP VIEW {name} AS {query}")
        return self._ibis.table(name)

    def batches(self, rows: ir.Table, size: int) -> pa.RecordBatchReader:
        """Return rows made of the published tables a batch at a time, for what need not lie in memory whole.

        Until they are read, nothing else can be asked of this home.
        """
        return self._ibis.con.sql(self._ibis.compile(rows)).to_arrow_reader(size)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows of an SQL query over the published tables; several threads may ask at once.

        Parameters
        ----------
        query
            With a question mark for each parameter.
        parameters
            Their values.
        """
        found = self._ibis.con.cursor().sql(query, params=list(parameters)).to_arrow_table()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows

    def keep(self, name: str, query: str) -> None:
        """Keep the rows of a query in memory as a table of this name, for what is asked again and again."""
        self._ibis.con.cursor().execute(f"CREATE TABLE {quoted(name)} AS {query}")

    def close(self) -> None:
        """Give the connection back."""
        self._ibis.disconnect()


def open_home(path: Path | str | None = None) -> Home:
    """Open the published snapshot of a home.

    Parameters
    ----------
    path
        Folder of the home; by default ``O2O_HOME``, else the only home in ``var``.

    Returns
    -------
    Home
        A fixed view: a later publication does not change it.

    Raises
    ------
    HomeError
        If nothing was published there.

    Examples
    --------
    >>> open_home("no-such-home")
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    return Home(home_path(path))


def load(table: str, as_of: date | str | None = None, home: Path | str | None = None) -> pd.DataFrame:
    """Return a published table as a DataFrame.

    Parameters
    ----------
    table
        Its name.
    as_of
        For mined tables: the day of the slice; all slices by default.
    home
        Folder of the home; by default ``O2O_HOME``, else the only home in ``var``.

    Returns
    -------
    pandas.DataFrame
        Sorted by key; money as ``decimal.Decimal``.

    Raises
    ------
    HomeError
        If nothing was published there.
    UsageError
        If there is no such table or slice.

    Examples
    --------
    >>> load("segments", as_of="2017-07-01", home="no-such-home")
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    opened = open_home(home)
    try:
        rows = opened.table(table)
        if as_of is not None:
            day = parse_day(as_of) if isinstance(as_of, str) else as_of
            if contract(table).kind is not Kind.MINED:
                raise UsageError(f"table {table} is not mined as of a day", next_step="leave as_of out")
            if day not in opened.days(table):
                raise UsageError(f"table {table} has no slice {day}", next_step=rerun(opened.path, "--as-of", str(day)))
            rows = rows.filter(rows.as_of == ibis.literal(day))
        found: pd.DataFrame = rows.order_by(list(contract(table).key)).execute()
        return found
    finally:
        opened.close()
