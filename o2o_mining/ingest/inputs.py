"""What a source hands over: the files of feeds, and how each is read into records."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import ibis
import pyarrow as pa

from o2o_mining.core.errors import O2OError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import ORDINAL
from o2o_mining.ingest.records import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine


@dataclass(frozen=True)
class Staged:
    """The records of one file, as read.

    Attributes
    ----------
    table
        The records, with ``_ordinal`` unless they come in the order of the file; nothing if no line is a record.
    names
        Column of the table to name in the file.
    raw
        Columns that show a rejected record as the file has it; none means all that are named.
    malformed
        Lines that are no records.
    line_changes
        From which records on, counted from 0, which distances lie between their numbers and their lines.
    """

    table: ir.Table | None
    names: Mapping[str, str]
    raw: tuple[str, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    line_changes: tuple[Sequence[int], Sequence[int]] = ((0,), (1,))


@dataclass(frozen=True)
class Fingerprint:
    """What identifies the content of files.

    Attributes
    ----------
    sha256
        Of the contents, one after the other.
    states
        What the system said of each file before its content was read.
    """

    sha256: str
    states: Mapping[Path, tuple[int, ...]]

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Refuse what is read of the files meanwhile if they are no longer those the digest was taken of.

        A second digest would be a second pass over all data; the system's own record of a change costs nothing.

        Raises
        ------
        O2OError
            If a file changed or is gone.
        """
        try:
            yield
        except Exception:
            self._check()  # a file that changes can fail in any way
            raise
        self._check()

    def _check(self) -> None:
        for path, state in self.states.items():
            with reading(path):
                changed = _state(path) != state
            if changed:
                raise O2OError(
                    f"{path} changed while it was read",
                    next_step="put whole files into the folder, by renaming them when they are written; then run again",
                )


class Input(ABC):
    """One file of one feed.

    Attributes
    ----------
    feed, path
        The feed, and the path relative to the source, as users see it.
    stands_in
        Whether it holds only as long as nobody gives the feed himself: a guess that comes with a source.
    """

    feed: str
    path: str
    stands_in: ClassVar[bool] = False

    @abstractmethod
    def fingerprint(self) -> Fingerprint:
        """Return what identifies the content."""

    @abstractmethod
    def stage(self, engine: Engine, scratch: Path) -> Staged | None:
        """Return the records, or nothing for a file without any."""


@dataclass(frozen=True)
class Found:
    """What a source found: files in the order they are loaded, and files that are none of its own."""

    inputs: tuple[Input, ...]
    ignored: tuple[str, ...] = ()


class Source(Protocol):
    """A place that logs come from."""

    @property
    def kind(self) -> str:
        """The name of this kind of source."""
        ...

    @property
    def defaults(self) -> Settings:
        """What a new home of this source is set to."""
        ...

    @property
    def place(self) -> str:
        """The folder it reads, or what stands for it."""
        ...

    def find(self) -> Found:
        """Return the source's files."""
        ...


def with_lines(records: ir.Table, changes: tuple[Sequence[int], Sequence[int]]) -> ir.Table:
    """Return records with ``_line``, the line of the file at which each begins.

    Parameters
    ----------
    records
        With ``_ordinal``.
    changes
        The ``line_changes`` of their file.

    Examples
    --------
    >>> records = ibis.memtable({"_ordinal": [0, 1, 2]})
    >>> with_lines(records, ([0, 2], [2, 5])).order_by("_ordinal")._line.execute().tolist()
    [2, 3, 7]
    """
    since, offsets = changes
    if len(since) == 1:
        return records.mutate(_line=records[ORDINAL] + int(offsets[0]))
    known = ibis.memtable(pa.table({"_since": pa.array(since, "int64"), "_offset": pa.array(offsets, "int64")}))
    joined = records.asof_join(known, records[ORDINAL] >= known._since)
    return joined.mutate(_line=joined[ORDINAL] + joined._offset).drop("_since", "_offset")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a failure to read a file into an error that names it."""
    try:
        yield
    except OSError as error:
        raise O2OError(
            f"cannot read {path}: {error.strerror or error}", next_step="check the file, then run again"
        ) from error


def fingerprint_of(*paths: Path) -> Fingerprint:
    """Return the fingerprint of files.

    Raises
    ------
    O2OError
        If a file cannot be read.

    Examples
    --------
    >>> fingerprint_of().sha256[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    states = {}
    for path in paths:
        with reading(path), path.open("rb") as file:
            states[path] = _state(path)
            while block := file.read(2**20):
                digest.update(block)
    return Fingerprint(digest.hexdigest(), states)


def _state(path: Path) -> tuple[int, ...]:
    """Return what differs once a file was written to or replaced; the moment of change cannot be set back."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
