"""A folder of canonical feeds: ``<feed>.csv``, ``.csv.gz``, ``.parquet``, or a folder of such files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.errors import UnreadableError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import ORDINAL, Engine
from o2o_mining.ingest.inputs import Fingerprint, Found, Input, Staged, fingerprint_of, reading
from o2o_mining.ingest.readable import write_readable
from o2o_mining.ingest.records import UNREADABLE, Malformed, scan

ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class FolderSource:
    """Canonical feeds in a folder.

    Attributes
    ----------
    folder
        Where the files lie.
    prefix
        Put before the paths that users see.

    Examples
    --------
    >>> FolderSource(Path("no-such-folder")).kind
    'folder'
    """

    folder: Path
    prefix: str = ""
    kind: str = "folder"
    defaults: Settings = Settings()

    @property
    def place(self) -> str:
        """The folder, absolute."""
        return str(self.folder.resolve())

    def find(self) -> Found:
        """Return the feeds' files in byte order of their paths, and the files of other names.

        Raises
        ------
        UsageError
            If there is no such folder.
        """
        if not self.folder.is_dir():
            raise UsageError(f"there is no folder {self.folder}", next_step="pass --input DIR")
        feeds = {table.name for table in tables(Kind.FEED)}
        inputs: list[Input] = []
        ignored: list[str] = []
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda path: path.relative_to(self.folder).as_posix().encode()):
            relative = path.relative_to(self.folder)
            shown = self.prefix + relative.as_posix()
            feed = _feed_of(relative, feeds)
            if feed:
                reader = ParquetFile if path.name.endswith(".parquet") else CsvFile
                inputs.append(reader(feed, shown, path))
            else:
                ignored.append(shown)
        return Found(tuple(inputs), tuple(ignored))


def _feed_of(relative: Path, feeds: set[str]) -> str | None:
    ending = next((ending for ending in ENDINGS if relative.name.endswith(ending)), None)
    if ending is None:
        return None
    name = relative.name.removesuffix(ending) if len(relative.parts) == 1 else relative.parts[0]
    return name if name in feeds and len(relative.parts) <= 2 else None


@dataclass(frozen=True)
class CsvFile(Input):
    """One CSV file, gzipped or not."""

    feed: str
    path: str
    file: Path

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the file."""
        return fingerprint_of(self.file)

    def stage(self, engine: Engine, scratch: Path) -> Staged | None:
        """Return the records as text; a file that cannot be read to its end is one malformed line."""
        try:
            records = scan(self.file)
        except UNREADABLE as error:
            return _unreadable(self.file, error)
        if not records.fields:
            return None
        names = {f"f{i}": name for i, name in enumerate(records.fields)}
        if not records.good:  # a file without line feeds may be one header of a million names
            return Staged(None, names, malformed=records.malformed)
        readable = self.file
        if self.file.name.endswith(".gz") or not records.readable:  # not every gzip is one to the database
            readable = scratch / "readable.csv"
            write_readable(self.file, records, readable)
        return Staged(
            table=engine.scan_text(readable, len(records.fields)).drop(ORDINAL),
            names=names,
            malformed=records.malformed,
            line_changes=records.line_changes,
        )


@dataclass(frozen=True)
class StandIn(CsvFile):
    """A CSV file that comes with a source and makes way for the same feed from anywhere else."""

    stands_in: ClassVar[bool] = True


@dataclass(frozen=True)
class ParquetFile(Input):
    """One Parquet file."""

    feed: str
    path: str
    file: Path

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the file."""
        return fingerprint_of(self.file)

    def stage(self, engine: Engine, scratch: Path) -> Staged | None:
        """Return the rows in the file's own types; ``line`` is the row's number from 1."""
        known = contract(self.feed).column_names
        try:
            names = pq.read_schema(self.file).names
            _read_through(self.file, known)
            table = engine.scan_parquet(self.file, names) if names else None
        except (OSError, ValueError, pa.ArrowException, UnreadableError) as error:
            return _unreadable(self.file, error)
        if table is None:
            return None
        return Staged(table=table, names={f"f{i}": name for i, name in enumerate(names)})


def _read_through(file: Path, known: Sequence[str]) -> None:
    """Fail on what the database would only stumble over within a statement: broken pages, text that is not UTF-8."""
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches():
            batch.validate(full=True)
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if name in known and pa.types.is_binary(column.type):
                    column.cast(pa.string())


def _unreadable(file: Path, error: Exception) -> Staged:
    """Return one malformed line for a file that is broken; a disk or a right that fails says nothing of the file."""
    if isinstance(error, OSError) and error.errno:
        with reading(file):
            raise error
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Staged(table=None, names={}, malformed=(Malformed(1, f"(the file cannot be read: {said})"),))
