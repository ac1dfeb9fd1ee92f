"""What the steps may ask of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import ibis

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.schema import Table
from o2o_mining.core.errors import ContractError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd


class Chart(Protocol):
    """A picture; Plotly's figures are such."""

    def write_html(self, file: Path, **options: Any) -> None:
        """Write the picture as a page."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What a step says of the table it wrote.

    Attributes
    ----------
    table, rows
        The table and the rows written.
    notes
        Sentences a user should read, such as which feed was missing.
    figures
        Numbers by name.
    samples
        Small tables by title, shown as they are.
    charts
        Pictures by name, drawn only when asked for.
    """

    table: str
    rows: int
    notes: tuple[str, ...] = ()
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)
    samples: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    charts: Mapping[str, Callable[[], Chart]] = field(default_factory=dict)


# Columns of staged records beside those of their feed: their number in the file, and why a record cannot be taken.
ORDINAL = "_ordinal"
REASON = "_reason"


@dataclass(frozen=True)
class Upsert:
    """What became of the rows of a file: repeats within it, repeats of loaded rows, and rows accepted."""

    accepted: int
    duplicates: int


@dataclass(frozen=True)
class Violation:
    """A rule of a contract and how many rows break it."""

    rule: str
    rows: int


class Engine(ABC):
    """A store of contract tables. One process has it open at a time."""

    @abstractmethod
    def scan_text(self, path: Path, n_fields: int, *, header: bool = True) -> ir.Table:
        """Return the records of a CSV file as text ``f0, f1, …``, with ``_ordinal`` counting them from 0.

        A header is skipped, whatever it says.
        """

    @abstractmethod
    def scan_parquet(self, path: Path, names: Sequence[str]) -> ir.Table:
        """Return columns of a Parquet file as ``f0, f1, …``, with ``_ordinal`` counting the rows from 0.

        Raises
        ------
        UnreadableError
            If the file is none to this engine.
        """

    @abstractmethod
    def read(self, table: str) -> ir.Table:
        """Return a contract table; of feeds also ``_file``, the number of the file a row came from."""

    def feed(self, name: str) -> ir.Table:
        """Return the columns of a feed that its contract names."""
        return self.read(name).select(*contract(name).column_names)

    def known(self, table: str, as_of: date) -> ir.Table:
        """Return an event table as it was known before a day.

        Raises
        ------
        ContractError
            If the working table holds another day.
        """
        name = f"known_{table}"
        if as_of not in self.slices(name):
            raise ContractError(
                f"{name} does not hold {as_of}", next_step=f"materialise {name} for the partition {as_of} first"
            )
        return self.read(name).drop("as_of")

    def slice(self, table: str, as_of: date) -> ir.Table:
        """Return what was mined as of a day, without the day."""
        rows = self.read(table)
        return rows.filter(rows.as_of == ibis.literal(as_of)).drop("as_of")

    @abstractmethod
    def let_stand(self, table: str, as_of: date) -> int:
        """Let an event table stand for what was known of it before a day, and return its rows.

        Until the table is written again: then nothing is known of that day.
        """

    @abstractmethod
    def is_known_whole(self, table: str) -> bool:
        """Return whether an event table stands for what was known of it."""

    @abstractmethod
    def is_current(self, table: str, inputs: Sequence[str]) -> bool:
        """Return whether a table was written since the engine was opened, and after all of its inputs changed."""

    def absence(self, feed: str) -> str:
        """Return whether a feed is ``missing`` (no file of it was ever loaded) or ``empty``; nothing if it has rows."""
        if int(self.execute(self.read(feed).limit(1).count())):
            return ""
        files = self.read("loaded_files")
        return "empty" if int(self.execute(files.filter(files.feed == feed).count())) else "missing"

    @abstractmethod
    def slices(self, table: str) -> list[date | None]:
        """Return the days a table holds; ``[None]`` for a table without ``as_of`` that was written."""

    @abstractmethod
    def write(self, table: str, expr: ir.Table, *, as_of: date | None = None, in_order: bool = False) -> int:
        """Replace a table, or one slice of it, and return its rows.

        Parameters
        ----------
        table
            The table.
        expr
            Its rows.
        as_of
            The day, of a table that has one.
        in_order
            Whether the rows come in the order of the key, so that publishing need not sort them.

        Raises
        ------
        ContractError
            If names, types, keys or nulls break the contract; nothing is changed then.
        """

    @abstractmethod
    def rewrite(self, table: str, expr: ir.Table, customers: ir.Table, *, derived: Sequence[str] = ()) -> int:
        """Replace the rows of some customers in a table of events, and return the rows of the table.

        Parameters
        ----------
        table
            The table.
        expr
            All rows that these customers have now.
        customers
            The customers, staged.
        derived
            Tables that are derived from this one.

        Raises
        ------
        ContractError
            If keys or nulls break the contract; nothing is changed then.
        """

    @abstractmethod
    def changes_since(self, table: str, inputs: Sequence[str]) -> tuple[dict[str, Any], ir.Table] | None:
        """Return what a table was made with, and the ``table, name, value`` that changed in its inputs since.

        Changed rows, old and new, are told of by the customers and tracking codes that they name; those of tables that
        concern no customer by their keys. None if everything may have changed.
        """

    def concerned(self, table: str, events: Sequence[str]) -> ir.Table | None:
        """Return the customers, staged, whose rows in tables of events changed since a table was made of these.

        None if all may have changed.
        """
        since = self.changes_since(table, events)
        if since is None:
            return None
        _, changed = since
        named = changed.filter(changed.name == "customer_id")
        return self.stage(named.select(customer_id="value").distinct())

    @abstractmethod
    def followed(self, table: str, told: Mapping[str, Any]) -> None:
        """Note that a table has followed all changes of its inputs, and what else it was made with."""

    @abstractmethod
    def derive(self, table: str, expr: ir.Table, *, as_of: date | None = None, in_order: bool = False) -> int:
        """Let a table be what an expression over other tables gives whenever it is read, and return its rows.

        Parameters
        ----------
        table
            The table.
        expr
            Its rows; their key must follow from the keys of the other tables, since it is not checked.
        as_of
            The day, of a table that has one.
        in_order
            Whether the rows come in the order of the key.
        """

    @abstractmethod
    def append(self, table: str, expr: ir.Table) -> int:
        """Add rows to a table of events and return how many."""

    @abstractmethod
    def delete(self, table: str, **equal: str) -> None:
        """Delete the rows whose columns have the given values, written as text."""

    @abstractmethod
    def stage(self, expr: ir.Table) -> ir.Table:
        """Materialise an expression and return it as a table, until what was staged is dropped."""

    @abstractmethod
    def numbered(self, staged: ir.Table) -> ir.Table:
        """Return a staged table with ``_ordinal``, counting its rows from 0 as they came if it has none."""

    @abstractmethod
    def drop_staged(self) -> None:
        """Forget everything that was staged."""

    @abstractmethod
    def upsert(self, feed: str, staged: ir.Table, *, file_id: int) -> Upsert:
        """Load the staged rows without a ``_reason`` into a feed, and use up the staged table.

        Of one key the last ``_ordinal`` wins, without that column the last row; a loaded row is replaced.
        """

    @abstractmethod
    def execute(self, expr: ir.Expr) -> Any:
        """Return the result of an expression: a DataFrame for a table, a value for a scalar."""

    @abstractmethod
    def violations(self, table: Table, *, as_of: date | None = None) -> list[Violation]:
        """Check a table, or one slice, against its contract and return the rules that are broken."""

    @abstractmethod
    def publish(
        self, folder: Path, *, inputs: Sequence[Mapping[str, str]], now: date | None, keep: int, run_id: str
    ) -> str:
        """Publish all tables as a snapshot and return its name.

        Parameters
        ----------
        folder
            The snapshot folder of the home.
        inputs
            Feed, file and sha256 of every file loaded.
        now
            The default day: after the last order or redemption.
        keep
            Number of snapshots kept.
        run_id
            Who published; goes to ``runs.jsonl``.
        """

    @abstractmethod
    def restated(self, folder: Path, table: str) -> tuple[ir.Table, ir.Table, date] | None:
        """Return what the last snapshot has of a table of events, the table, and the snapshot's default day.

        Months in which nothing has changed since are left out of both. None if nothing has changed at all, if nothing
        was published, or before anything was mined, or under other contracts.
        """

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Do all that is inside, or nothing of it."""

    @abstractmethod
    def close(self) -> None:
        """Give the store back."""
