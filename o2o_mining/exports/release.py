"""Lets a file leave the house: whole, with its manifest beside it, or not at all."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.moments import parse_day
from o2o_mining.engine.origin import rerun
from o2o_mining.exports.files import WRITERS, Field
from o2o_mining.exports.headings import code_names, heading, known_language

if TYPE_CHECKING:
    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.home import Home

FORMATS = tuple(WRITERS)
EXPORTS_FOLDER = "exports"

# The layout of files for people. The version changes when the same rows would give other bytes.
SPEC = "people"
SPEC_VERSION = 2


@dataclass(frozen=True)
class ExportReport:
    """What left the house.

    Attributes
    ----------
    path, manifest_path
        The file and the manifest beside it.
    rows
        Rows of the file, without the heading.
    left_out
        Rows left out, by reason code.
    notes
        Sentences a user should read.
    manifest
        What the manifest says.
    """

    path: Path
    manifest_path: Path
    rows: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Order:
    """How a file is asked for.

    Attributes
    ----------
    settings
        Of the home: currency, usual language, assumed consent.
    format
        ``csv``, ``xlsx`` or ``parquet``.
    language
        Of headings and names: ``en``, ``zh-Hant`` or ``zh-Hans``; None for that of the settings.
    out
        A file with the format's ending, or a folder; None for the ``exports`` of the home.
    requested_by
        Who asks; None for the user of the operating system.

    Raises
    ------
    UsageError
        If there is no such format or language, or ``out`` has another ending.
    """

    settings: Settings
    format: str = "csv"
    language: str | None = None
    out: Path | str | None = None
    requested_by: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made before anything is read."""
        if self.format not in WRITERS:
            raise UsageError(f"there is no format '{self.format}'", next_step=f"use one of {', '.join(FORMATS)}")
        known_language(self.spoken)
        ending = "" if self.out is None or Path(self.out).is_dir() else Path(self.out).suffix
        if ending not in ("", f".{self.format}"):
            raise UsageError(f"{self.out} does not end with .{self.format}", next_step="name a folder or such a file")

    @property
    def spoken(self) -> str:
        """The language of the headings."""
        return self.settings.language if self.language is None else self.language

    def path(self, home: Path, stem: str) -> Path:
        """Return the file to write; ``stem`` is the usual name without language and ending."""
        plain = re.sub(r"[^\w.=-]", "_", stem)
        name = f"{plain}.{self.spoken}.{self.format}"
        if self.out is None:
            return home / EXPORTS_FOLDER / name
        out = Path(self.out)
        return out if out.suffix == f".{self.format}" and not out.is_dir() else out / name


@dataclass(frozen=True)
class Content:
    """What a file holds, checked and ready to leave.

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
    rows: pa.Table
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
    manifest_path = path.with_name(f"{path.name}.manifest.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A hidden folder of the same disk, so that both files appear whole by a rename.
        with TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            made, beside = Path(folder) / path.name, Path(folder) / manifest_path.name
            neutralised = WRITERS[order.format](made, content.rows, content.fields, content.title)
            manifest = _manifest(content, order, home, made) | {"cells_neutralised": neutralised}
            beside.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            made.replace(path)
            beside.replace(manifest_path)
    except OSError as error:
        raise O2OError(f"{path} cannot be written: {error.strerror}", next_step="name another place") from error
    notes = content.notes
    if neutralised:
        notes += (f"{neutralised} cells that a spreadsheet would take for a formula begin with an apostrophe",)
    return ExportReport(path, manifest_path, content.rows.num_rows, dict(content.left_out), notes, manifest)


def _manifest(content: Content, order: Order, home: Home, made: Path) -> dict[str, Any]:
    with made.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": made.name,
        "rows": content.rows.num_rows,
        "sha256": sha256,
        "spec": SPEC,
        "spec_version": SPEC_VERSION,
        "format": order.format,
        "language": order.spoken,
        "columns": [column.name for column in content.fields],
        "snapshot": home.manifest["snapshot"],
        **content.said,
        "left_out": [{"reason": reason, "rows": rows} for reason, rows in sorted(content.left_out.items())],
        "requested_by": order.requested_by or _user(),
    }


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
    rows: pa.Table,
    table: str,
    order: Order,
    *,
    types: Mapping[str, str],
    segment_name: Callable[[str, str], str] | None,
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
    segment_name
        From a ``segment_code`` or a trait and a language to its name; None leaves the codes alone.
    """
    declared = {column.name: column.type for column in contract(table).columns} | dict(types)
    columns: dict[str, Any] = {}
    for name in rows.column_names:
        columns[name] = rows[name]
        names = code_names(name, order.spoken)
        if name == "segment_code" and segment_name is not None:
            codes = rows[name].unique().to_pylist()
            names = {code: segment_name(code, order.spoken) for code in codes if code is not None}
        if name == "traits" and segment_name is not None:
            said = [
                "; ".join(segment_name(code, order.spoken) for code in codes or []) for codes in rows[name].to_pylist()
            ]
            columns["traits_name"] = pa.array(said, pa.string())
            declared["traits_name"] = "text"
        if names:
            beside = name.removesuffix("_code") + "_name"
            columns[beside] = pa.array((names.get(code, code) for code in rows[name].to_pylist()), pa.string())
            declared[beside] = "text"
    currency = order.settings.currency
    fields = [Field(name, declared[name], heading(table, name, order.spoken, currency=currency)) for name in columns]
    return pa.table(columns), fields


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under an id without a name
        return "unknown"
