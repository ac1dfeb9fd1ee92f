"""The default engine: DuckDB, embedded, one file, one writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import ibis.expr.operations as ops
import pyarrow.parquet as pq

from o2o_mining.contracts.catalogue import TABLES, contract, contracts_version
from o2o_mining.contracts.schema import Kind, Table
from o2o_mining.core.errors import ContractError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import ORDINAL, Engine, Upsert, Violation
from o2o_mining.engine.catalog import WHOLE, Catalog
from o2o_mining.engine.changes import Changes
from o2o_mining.engine.checking import among, broken, repeated
from o2o_mining.engine.checks import conform
from o2o_mining.engine.failures import judging_bytes
from o2o_mining.engine.publication import write_changed
from o2o_mining.engine.rewriting import rewrite
from o2o_mining.engine.snapshot import last_published, put_manifest, remove_old
from o2o_mining.engine.sql import csv_reader, in_month, literal, parquet_reader, quoted, sql_type, understood
from o2o_mining.engine.upserts import FILE_COLUMN, upsert

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Putting nested queries into one takes longer than all the rest of compiling, and DuckDB does it anyway.
ibis.options.sql.fuse_selects = False


class DuckDBEngine(Engine):
    """Contract tables in one DuckDB file.

    Parameters
    ----------
    path
        The file, made when missing; ``:memory:`` for none.
    settings
        Memory limit, threads and spill folder.

    Examples
    --------
    >>> engine = DuckDBEngine(":memory:", Settings())
    >>> int(engine.execute(engine.read("customers").count()))
    0
    >>> engine.close()
    """

    def __init__(self, path: Path | str, settings: Settings) -> None:
        config: dict[str, Any] = {}
        if settings.memory_limit:
            config["memory_limit"] = settings.memory_limit
        if settings.threads:
            config["threads"] = settings.threads
        if settings.spill_folder or path != ":memory:":
            config["temp_directory"] = settings.spill_folder or str(Path(path).parent / "spill")
        self._ibis = ibis.duckdb.connect(str(path), **config)
        self.connection: duckdb.DuckDBPyConnection = self._ibis.con
        self.connection.execute("SET enable_progress_bar = false")  # the command line says what is going on
        self._staged: dict[str, str] = {}
        self._names = 0  # never reused: a failed transaction takes tables away
        self._depth = 0
        self._changes: list[str] = []  # tables in the order in which they last changed
        self._violations: dict[tuple[str, date | None], list[Violation]] = {}
        self._catalog = Catalog(self.connection)
        self._log = Changes(self.connection)
        self._views = self._views_now()
        self._create_tables()

    def _create_tables(self) -> None:
        # A process that was killed leaves what it had staged.
        for (name,) in self.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, '_staged_')"
        ).fetchall():
            self.connection.execute(f"DROP TABLE {quoted(name)}")
        for table in TABLES.values():
            if table.name not in self._views:
                self._create_table(table)

    def _views_now(self) -> set[str]:
        """Return the contract tables that are reckoned from others when they are read."""
        found = self.connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary")
        return {name for (name,) in found.fetchall()}

    def _create_table(self, table: Table) -> None:
        columns = [f"{quoted(c.name)} {sql_type(c)}" for c in table.columns]
        if table.kind is Kind.FEED:
            columns.append(f"{quoted(FILE_COLUMN)} INTEGER")
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS {quoted(table.name)} ({', '.join(columns)})")

    # -- reading -------------------------------------------------------------------------------------------------

    def scan_text(self, path: Path, n_fields: int, *, header: bool = True) -> ir.Table:
        """Return the records of a CSV file as text ``f0, f1, …``, with ``_ordinal`` counting them from 0."""
        return self._view(f"SELECT *, row_number() OVER () - 1 AS {ORDINAL} FROM {csv_reader(path, n_fields, header)}")

    def scan_parquet(self, path: Path, names: Sequence[str]) -> ir.Table:
        """Return columns of a Parquet file as ``f0, f1, …``, with ``_ordinal`` counting the rows from 0."""
        given = pq.read_schema(path).names
        read = parquet_reader(path, given)
        with judging_bytes():
            types = [row[1] for row in self.connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]
        places = [given.index(name) for name in names]
        columns = ", ".join(f"{understood(f'c{place}', types[place])} AS f{i}" for i, place in enumerate(places))
        return self._view(f"SELECT {columns}, {ORDINAL} FROM {read}")

    def read(self, table: str) -> ir.Table:
        """Return a contract table; of feeds also ``_file``."""
        return _contract_table(table)

    def slices(self, table: str) -> list[date | None]:
        """Return the days a table holds; ``[None]`` for a table without ``as_of`` that was written."""
        return self._catalog.days(table)

    def is_current(self, table: str, inputs: Sequence[str]) -> bool:
        """Return whether a table was written since the engine was opened, and after all of its inputs changed."""
        if table not in self._changes:
            return False
        later = self._changes[self._changes.index(table) :]
        return not set(later) & set(inputs)

    def execute(self, expr: ir.Expr) -> Any:
        """Return the result of an expression: a DataFrame for a table, a value for a scalar."""
        return self._ibis.execute(expr)

    def is_known_whole(self, table: str) -> bool:
        """Return whether an event table stands for what was known of it."""
        return f"known_{table}" in self._views

    # -- writing -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is inside, or nothing of it. Inner transactions join the outer one."""
        if self._depth:
            yield
            return
        self.connection.execute("BEGIN")
        self._depth = 1
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            self._violations.clear()
            self._changes.clear()
            self._views = self._views_now()
            raise
        else:
            self.connection.execute("COMMIT")
        finally:
            self._depth = 0

    def write(self, table: str, expr: ir.Table, *, as_of: date | None = None, in_order: bool = False) -> int:
        """Replace a table, or one slice of it, and return its rows."""
        declared = contract(table)
        if "as_of" in declared.key:
            if as_of is None:
                raise ContractError(f"table {table} is written slice by slice", next_step="pass as_of")
            expr = expr.mutate(as_of=ibis.literal(as_of))
        sql = self._compile(conform(declared, expr))
        with self.transaction():
            for name in (table, f"known_{table}"):
                self._end_view(name)
            if declared.kind is Kind.MINED:
                self.connection.execute(f"DELETE FROM {quoted(table)} WHERE as_of = ?", [as_of])
                self.connection.execute(f"INSERT INTO {quoted(table)} {sql}")
            else:
                self.connection.execute(f"CREATE OR REPLACE TABLE {quoted(table)} AS {sql}")
                self._catalog.forget(table)
                self._log.note_all(declared)
            rows = self._mark_changed(table, as_of, in_order=in_order)
            self._enforce(declared, as_of)
        return rows

    def derive(self, table: str, expr: ir.Table, *, as_of: date | None = None, in_order: bool = False) -> int:
        """Let a table be what an expression over other tables gives whenever it is read, and return its rows."""
        sql = self._compile(conform(contract(table), expr))
        with self.transaction():
            self._end_view(table)
            self.connection.execute(f"DROP TABLE {quoted(table)}")
            self.connection.execute(f"CREATE VIEW {quoted(table)} AS {sql}")
            self._views.add(table)
            self._catalog.forget(table)
            return self._mark_changed(table, as_of, in_order=in_order)

    def let_stand(self, table: str, as_of: date) -> int:
        """Let an event table stand for what was known of it before a day, and return its rows."""
        return self.derive(f"known_{table}", self.read(table).mutate(as_of=ibis.literal(as_of)), as_of=as_of)

    def _end_view(self, name: str) -> None:
        if name in self._views:
            self.connection.execute(f"DROP VIEW {quoted(name)}")
            self._create_table(contract(name))
            self._catalog.forget(name)
            self._views.remove(name)

    def append(self, table: str, expr: ir.Table) -> int:
        """Add rows to a table of events and return how many."""
        sql = self._compile(conform(contract(table), expr))
        with self.transaction():
            added = self._number(f"INSERT INTO {quoted(table)} {sql}")
            self._mark_changed(table, None)
        return added

    def delete(self, table: str, **equal: str) -> None:
        """Delete the rows whose columns have the given values, written as text."""
        where = " AND ".join(f"{quoted(name)} = ?" for name in equal)
        with self.transaction():
            self.connection.execute(f"DELETE FROM {quoted(table)} WHERE {where}", list(equal.values()))
            self._mark_changed(table, None)

    def stage(self, expr: ir.Table) -> ir.Table:
        """Materialise an expression and return it as a table, until what was staged is dropped.

        It is no temporary table: those stay in memory, uncompressed, and cannot become a feed.
        """
        name = self._next_name()
        self.connection.execute(f"CREATE TABLE {name} AS {self._compile(expr)}")
        return self._unbound(name, "TABLE")

    def numbered(self, staged: ir.Table) -> ir.Table:
        """Return a staged table with ``_ordinal``, counting its rows from 0 as they came if it has none."""
        if ORDINAL in staged.columns:
            return staged
        name = quoted(staged.get_name())
        # Rows lie in the order of their file; their numbers begin at 0 only once they are committed.
        return self._view(f"SELECT *, rowid - (SELECT min(rowid) FROM {name}) AS {ORDINAL} FROM {name}")

    def drop_staged(self) -> None:
        """Forget everything that was staged."""
        for name, kind in reversed(self._staged.items()):
            self.connection.execute(f"DROP {kind} IF EXISTS {name}")
        self._staged.clear()

    def _view(self, sql: str) -> ir.Table:
        name = self._next_name()
        self.connection.execute(f"CREATE TEMP VIEW {name} AS {sql}")
        return self._unbound(name, "VIEW")

    def _unbound(self, name: str, kind: str) -> ir.Table:
        """Return what was staged without this engine, so that what is made of it compiles the same for all."""
        self._staged[name] = kind
        return ibis.table(self._ibis.table(name).schema(), name=name)

    def _next_name(self) -> str:
        self._names += 1
        return f"_staged_{self._names}"

    def upsert(self, feed: str, staged: ir.Table, *, file_id: int) -> Upsert:
        """Load the staged rows without a ``_reason`` into a feed, and use up the staged table."""
        declared = contract(feed)
        with self.transaction():
            loaded = upsert(self.connection, self._log, declared, staged.get_name(), list(staged.columns), int(file_id))
            if loaded.counts.accepted:
                self._mark_changed(feed, None, months=loaded.months)
        return loaded.counts

    def rewrite(self, table: str, expr: ir.Table, customers: ir.Table, *, derived: Sequence[str] = ()) -> int:
        """Replace the rows of some customers in a table of events, and return the rows of the table."""
        declared, came = contract(table), self._next_name()
        fresh = self.stage(conform(declared, expr))
        with self.transaction():
            self._end_view(f"known_{table}")
            months = rewrite(
                self.connection, self._log, declared, fresh=fresh.get_name(), customers=customers.get_name(), came=came
            )
            for name in (*derived, table):
                rows = self._mark_changed(name, None, months=months)
            self._violations[table, None] = [
                *repeated(self.connection, declared, where=among(declared, came)),
                *broken(self.connection, declared, rows=came),
            ]
            self.connection.execute(f"DROP TABLE {came}")
            self._enforce(declared, None)
        return rows

    def changes_since(self, table: str, inputs: Sequence[str]) -> tuple[dict[str, Any], ir.Table] | None:
        """Return what a table was made with, and the ``table, name, value`` that changed in its inputs since."""
        found = self._log.since(table, inputs)
        return None if found is None else (found[0], self._view(found[1]))

    def followed(self, table: str, told: Mapping[str, Any]) -> None:
        """Note that a table has followed all changes of its inputs, and what else it was made with."""
        self._log.followed(table, told)

    # -- checking ------------------------------------------------------------------------------------------------

    def violations(self, table: Table, *, as_of: date | None = None) -> list[Violation]:
        """Check a table, or one slice, against its contract and return the rules that are broken."""
        if table.name in self._views:
            table = contract(table.name.removeprefix("known_"))  # it has the same rows
        as_of = as_of if table.kind is Kind.MINED else None
        if (table.name, as_of) not in self._violations:
            where = f"WHERE as_of = {literal(str(as_of))}" if table.kind is Kind.MINED else ""
            found = broken(self.connection, table, rows=table.name, where=where)
            if table.name not in self._views:
                in_order = self._catalog.is_in_order(table.name)
                found = [*repeated(self.connection, table, where=where, in_order=in_order), *found]
            self._violations[table.name, as_of] = found
        return self._violations[table.name, as_of]

    def _enforce(self, table: Table, as_of: date | None) -> None:
        nulls = [v for v in self.violations(table, as_of=as_of) if v.rule.startswith(("missing_value", "repeated"))]
        if nulls:
            said = "; ".join(f"{v.rule} in {v.rows} rows" for v in nulls)
            raise ContractError(f"table {table.name} breaks its contract: {said}")

    # -- publishing ----------------------------------------------------------------------------------------------

    def publish(
        self, folder: Path, *, inputs: Sequence[Mapping[str, str]], now: date | None, keep: int, run_id: str
    ) -> str:
        """Write what changed as Parquet, list everything in a manifest, switch the pointer; return the snapshot."""
        write_changed(self.connection, self._catalog, folder)
        manifest = {
            "code_version": version("o2o-mining"),
            "contracts": contracts_version(),
            "inputs": list(inputs),
            "now": str(now) if now else None,
            "tables": {
                table.name: {"kind": table.kind.value, "slices": self._catalog.listed(table.name)}
                for table in TABLES.values()
                if table.published
            },
        }
        name = put_manifest(folder, manifest, run_id=run_id)
        remove_old(folder, keep=keep)
        return name

    def restated(self, folder: Path, table: str) -> tuple[ir.Table, ir.Table, date] | None:
        """Return what the last snapshot has of a table and the table, where they may differ, and when it was told."""
        found = last_published(folder, table, contracts=contracts_version())
        if found is None:
            return None
        files, now = found
        changed, same = self._catalog.changed(table)
        old = [file for part, file in files.items() if part not in same]
        if not changed and not old:
            return None
        declared = contract(table)
        columns = ", ".join(map(quoted, declared.published_names))
        months = " OR ".join(in_month(quoted(declared.at), part) for part in changed) or "false"
        where = "" if WHOLE in changed else f" WHERE {months}"
        listed = ", ".join(literal(str(file)) for file in old)
        empty = f"SELECT {columns} FROM {quoted(table)} WHERE false"
        before = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)" if old else empty
        return self._view(before), self._view(f"SELECT {columns} FROM {quoted(table)}{where}"), now

    # -- small things --------------------------------------------------------------------------------------------

    def _compile(self, expr: ir.Table) -> str:
        if expr.op().find(ops.InMemoryTable):
            self._ibis._run_pre_execute_hooks(expr)  # makes tables held in memory known to the connection
            return str(self._ibis.compile(expr))
        return _compiled(expr.op())

    def _number(self, sql: str) -> int:
        """Return the one number that a statement gives: a count, or the rows it changed.

        All rows are fetched: a result that is not exhausted blocks the connection.
        """
        ((number,),) = self.connection.execute(sql).fetchall()
        return int(number)

    def _mark_changed(
        self, table: str, as_of: date | None, *, in_order: bool = False, months: set[str] | None = None
    ) -> int:
        self._violations = {key: found for key, found in self._violations.items() if key[0] != table}
        self._changes = [*(name for name in self._changes if name != table), table]
        return self._catalog.book(contract(table), as_of, in_order=in_order, months=months)

    def close(self) -> None:
        """Give the file back."""
        self._ibis.disconnect()


@cache
def _contract_table(name: str) -> ir.Table:
    """Return a contract table without an engine, so that what is made of it compiles the same for all."""
    table = contract(name)
    extra = {FILE_COLUMN: "int32"} if table.kind is Kind.FEED else {}
    return ibis.table({**table.schema, **extra}, name=name)


@lru_cache(maxsize=512)
def _compiled(op: ops.Node) -> str:
    """Return an expression as SQL. Compiling takes longer than running it on a small home."""
    return str(ibis.to_sql(op.to_expr(), dialect="duckdb", pretty=False))
