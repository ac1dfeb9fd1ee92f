"""Lets a file leave the house: whole, with its manifest beside it, or not at all."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.languages import known_language
from o2o_mining.core.moments import parse_day
from o2o_mining.engine.consent import MARKETING
from o2o_mining.engine.origin import rerun
from o2o_mining.exports.files import WRITERS, Field, Stream
from o2o_mining.exports.headings import code_names, heading
from o2o_mining.exports.specs import Spec, read_spec

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.home import Home

FORMATS = tuple(WRITERS)
EXPORTS_FOLDER = "exports"
MANIFEST = ".manifest.json"
# From a code and a language to words.
Words = Callable[[str, str], str]

# The layout of files for people. The version changes when the same rows would give other bytes.
SPEC = "people"
SPEC_VERSION = 3
_BATCH = 50_000


@dataclass(frozen=True)
class ExportReport:
    """What left the house, or would have.

    Attributes
    ----------
    path, manifest_path
        The first file and the manifest beside it.
    rows
        Rows of all files, without headings.
    left_out
        Rows left out, by reason code.
    notes
        Sentences a user should read.
    manifest
        What the manifest of the first file says.
    files
        All files, where a platform's cap needs several.
    rejects_path
        The values that could not be normalised; none if all could.
    dry_run
        Whether nothing was written.
    """

    path: Path
    manifest_path: Path
    rows: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    manifest: Mapping[str, Any]
    files: tuple[Path, ...] = ()
    rejects_path: Path | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Order:
    """How a file is asked for.

    Attributes
    ----------
    settings
        Of the home: currency, usual language, assumed consent.
    format
        For people: ``csv``, ``xlsx`` or ``parquet``.
    language
        For people, of headings and names: ``en``, ``zh-Hant`` or ``zh-Hans``; None for that of the settings.
    out
        A file with the right ending, or a folder; None for the ``exports`` of the home.
    requested_by
        Who asks; None for the user of the operating system.
    platform
        The ad platform whose file it shall be, one of ``platforms()``; empty for a file for people.
    operation
        What shall be done with the list there, where the platform asks; empty for its default.
    dry_run
        Whether to say only what would be in the file and what would be left out.

    Raises
    ------
    UsageError
        If there is no such format, language, platform or operation, or ``out`` has another ending.
    """

    settings: Settings
    format: str = "csv"
    language: str | None = None
    out: Path | str | None = None
    requested_by: str | None = None
    platform: str = ""
    operation: str = ""
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be made before anything is read."""
        if self.format not in WRITERS:
            raise UsageError(f"there is no format '{self.format}'", next_step=f"use one of {', '.join(FORMATS)}")
        known_language(self.spoken)
        self._refuse_operation()
        ending = "" if self.out is None or Path(self.out).is_dir() else Path(self.out).suffix
        if ending not in ("", f".{self.ending}"):
            raise UsageError(f"{self.out} does not end with .{self.ending}", next_step="name a folder or such a file")

    def _refuse_operation(self) -> None:
        known = self.spec.operations if self.spec else ()
        if self.operation and self.operation not in known:
            raise UsageError(
                f"{self.platform or 'a file for people'} knows no operation '{self.operation}'",
                next_step=f"use one of {', '.join(known)}" if known else "leave the operation out",
            )

    @property
    def spec(self) -> Spec | None:
        """The format of the platform's file; none for people."""
        return read_spec(self.platform) if self.platform else None

    @property
    def spoken(self) -> str:
        """The language of the headings."""
        return self.settings.language if self.language is None else self.language

    @property
    def ending(self) -> str:
        """How the name of the file ends."""
        return self.spec.ending if self.spec else self.format

    @property
    def purpose(self) -> str:
        """What customers on a list must have consented to."""
        return self.spec.purpose if self.spec else MARKETING

    def path(self, home: Path, stem: str) -> Path:
        """Return the file to write; ``stem`` is the usual name without language and ending."""
        plain = re.sub(r"[^\w.=-]", "_", stem)
        kind = "-".join(filter(None, (self.platform, self.operation))) or self.spoken
        name = f"{plain}.{kind}.{self.ending}"
        if self.out is None:
            return home / EXPORTS_FOLDER / name
        out = Path(self.out)
        return out if out.suffix == f".{self.ending}" and not out.is_dir() else out / name


@dataclass(frozen=True)
class Content:
    """What a file for people holds, checked and ready to leave.

    Attributes
    ----------
    stem, title
        Usual name of the file, without language and ending; what a sheet is called.
    rows, fields
        The rows and their columns, in the same order.
    said
        What the manifest says of them.
    left_out, notes
        Rows left out by reason code; sentences a user should read.
    """

    stem: str
    title: str
    rows: Stream
    fields: Sequence[Field]
    said: Mapping[str, Any]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def release(content: Content, order: Order, home: Home) -> ExportReport:
    """Write the file and its manifest; a failure leaves neither.

    The manifest holds no clock and no folder: the same request on the same snapshot gives the same bytes of both.

    Raises
    ------
    O2OError
        If the folder cannot be written to.
    """
    path = order.path(home.path, content.stem)
    if order.dry_run:
        return _report(content, path, content.said, content.notes, dry_run=True)
    with making(path, dry_run=False) as folder:
        made = folder / path.name
        neutralised = WRITERS[order.format](made, content.rows, content.fields, content.title)
        said = {
            "spec": SPEC,
            "spec_version": SPEC_VERSION,
            "format": order.format,
            "language": order.spoken,
            "columns": [column.name for column in content.fields],
            **content.said,
        }
        manifest = describe(made, content.rows.num_rows, said, content.left_out, order, home)
        manifest["cells_neutralised"] = neutralised
        write_manifest(made, manifest)
    notes = content.notes
    if neutralised:
        notes += (f"{neutralised} cells that a spreadsheet would take for a formula begin with an apostrophe",)
    return _report(content, path, manifest, notes)


def _report(
    content: Content, path: Path, manifest: Mapping[str, Any], notes: tuple[str, ...], *, dry_run: bool = False
) -> ExportReport:
    return ExportReport(
        path=path,
        manifest_path=path.with_name(path.name + MANIFEST),
        rows=content.rows.num_rows,
        left_out=dict(content.left_out),
        notes=notes,
        manifest=manifest,
        files=(path,),
        dry_run=dry_run,
    )


@contextmanager
def making(path: Path, *, dry_run: bool) -> Iterator[Path]:
    """Give a hidden folder; what lies in it at the end appears whole beside ``path``, or nowhere in a dry run.

    Raises
    ------
    O2OError
        If the disk fails.
    """
    try:
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Of the same disk, so that every file appears by a rename; manifests last.
        with TemporaryDirectory(dir=None if dry_run else path.parent, prefix=".writing-") as folder:
            yield Path(folder)
            if not dry_run:
                for file in sorted(Path(folder).iterdir(), key=lambda made: (made.name.endswith(MANIFEST), made.name)):
                    file.replace(path.with_name(file.name))
    except OSError as error:
        raise O2OError(f"{path} cannot be written: {error.strerror}", next_step="name another place") from error


def describe(
    file: Path, rows: int, said: Mapping[str, Any], left_out: Mapping[str, int], order: Order, home: Home
) -> dict[str, Any]:
    """Return what the manifest of a file says."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return {
        "file": file.name,
        "rows": rows,
        "sha256": sha256,
        "snapshot": home.manifest["snapshot"],
        **said,
        "left_out": [{"reason": reason, "rows": count} for reason, count in sorted(left_out.items())],
        "requested_by": order.requested_by or _user(),
    }


def write_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest beside a file."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    file.with_name(file.name + MANIFEST).write_text(text, encoding="utf-8")


def slice_day(home: Home, table: str, as_of: date | str | None) -> date:
    """Return the day of the slice asked for, by default the latest.

    Raises
    ------
    UsageError
        If the snapshot holds no such slice.
    """
    days = home.days(table)
    if not days:
        raise UsageError(f"table {table} has no slice", next_step=rerun(home.path))
    day = parse_day(as_of) if isinstance(as_of, str) else as_of
    if day is None:
        return days[-1]
    if day not in days:
        known = ", ".join(map(str, days[-10:]))
        raise UsageError(
            f"table {table} has no slice {day}, only {known}", next_step=rerun(home.path, "--as-of", str(day))
        )
    return day


def named(
    rows: pa.Table, table: str, order: Order, *, types: Mapping[str, str], words: Mapping[str, Words]
) -> tuple[pa.Table, list[Field]]:
    """Return rows with names beside their codes, and their fields.

    Parameters
    ----------
    rows
        Columns of one table, with codes.
    table
        The table; its contract says the types.
    order
        Says the language and the currency.
    types
        Types of columns that are not in the contract.
    words
        For columns whose codes only another room can name: from a code and a language to its name.
    """
    declared = {column.name: column.type for column in contract(table).columns} | dict(types)
    columns: dict[str, Any] = {}
    for name in rows.column_names:
        columns[name] = rows[name]
        names = code_names(name, order.spoken)
        if name in words:
            names = _said_by(words[name], rows[name], order.spoken)
        if names or name in words:
            beside = re.sub("_codes?$", "", name) + "_name"
            columns[beside] = pa.array([_in_words(held, names) for held in rows[name].to_pylist()], pa.string())
            declared[beside] = "text"
    currency = order.settings.currency
    fields = [Field(name, declared[name], heading(table, name, order.spoken, currency=currency)) for name in columns]
    return pa.table(columns), fields


def named_stream(
    home: Home, rows: ir.Table, n_rows: int, table: str, order: Order, *, words: Mapping[str, Words]
) -> tuple[Stream, list[Field]]:
    """Return rows that come a batch at a time with names beside their codes, as ``named`` does, and their fields.

    They are asked for when the first is read: a dry run reads none.

    Parameters
    ----------
    home
        The published snapshot.
    rows, n_rows
        Columns of one table, with codes and ``consent``; how many rows come.
    table, order, words
        As ``named`` has them.
    """

    def named_batch(batch: pa.Table) -> tuple[pa.Table, list[Field]]:
        return named(batch, table, order, types={"consent": "text"}, words=words)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in home.batches(rows, _BATCH):
            yield from named_batch(pa.Table.from_batches([batch]))[0].to_batches()

    shape, fields = named_batch(home.batches(rows.limit(0), _BATCH).schema.empty_table())
    return Stream(shape.schema, n_rows, batches()), fields


def _said_by(word: Words, column: pa.ChunkedArray, language: str) -> dict[str, str]:
    """Return the name of each code in a column of codes or of lists of codes."""
    codes = column.combine_chunks()
    codes = codes.flatten() if pa.types.is_list(codes.type) else codes
    return {code: word(code, language) for code in codes.unique().to_pylist() if code is not None}


def _in_words(held: str | list[str] | None, names: Mapping[str, str]) -> str | None:
    if isinstance(held, list):
        return "; ".join(names[code] for code in held)
    return None if held is None else names.get(held, held)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under an id without a name
        return "unknown"
