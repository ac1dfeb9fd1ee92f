"""Lists for ad platforms: what each of them matches people by, in files that it takes."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.core.errors import UsageError
from o2o_mining.core.redaction import redact
from o2o_mining.exports.consent import SILENT
from o2o_mining.exports.files import neutral
from o2o_mining.exports.identifiers import encode
from o2o_mining.exports.phones import is_region
from o2o_mining.exports.release import MANIFEST, ExportReport, Order, describe, making, write_manifest
from o2o_mining.exports.specs import Column, Spec
from o2o_mining.exports.standing import ASSUME, NobodyError, reasons

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.home import Home

# What a snapshot knows of a customer that a platform can match.
FIELDS = ("customer_id", "email", "phone")
NO_IDENTIFIER = "no_identifier"

_BATCH = 50_000
_ZIPPED_AT = (1980, 1, 1, 0, 0, 0)  # a zip holds the moment of its files; the same rows must give the same bytes


@dataclass(frozen=True)
class Audience:
    """Who is on a list for a platform, checked and ready to leave.

    Attributes
    ----------
    stem
        Usual name of the file, without platform and ending.
    people
        ``customer_id`` of those who may be listed, each once.
    said
        What the manifest says of them.
    left_out, notes
        Customers left out by reason code; sentences a user should read.
    """

    stem: str
    people: ir.Table
    said: Mapping[str, Any]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def release_audience(audience: Audience, order: Order, home: Home) -> ExportReport:
    """Write the files of a platform, a manifest beside each, and what could not be normalised.

    Raises
    ------
    NobodyError
        If fewer customers can be matched than the platform takes.
    O2OError
        If the folder cannot be written to.
    """
    spec, region = order.spec, order.settings.phone_region
    assert spec is not None  # noqa: S101 - the caller asks for a platform
    if region and not is_region(region):
        raise UsageError(
            f"setting phone_region = '{region}' is no country with phone numbers",
            next_step="use an ISO 3166 code such as TW",
        )
    path = order.path(home.path, audience.stem)
    with making(path, dry_run=order.dry_run) as folder:
        made = write_audience(_contacts(home, audience.people), spec, folder / path.name, region=region)
        left = dict(audience.left_out) | ({NO_IDENTIFIER: made.unmatched} if made.unmatched else {})
        _refuse_few(made, spec, left)
        said = {**_format(spec, made, order), **audience.said}
        manifests = []
        for number, (file, rows) in enumerate(made.parts, start=1):
            part = {"part": number, "parts": len(made.parts), "rows_of_all_parts": made.rows}
            manifests.append(describe(file, rows, said | part, left, order, home))
            write_manifest(file, manifests[-1])
    files = tuple(path.with_name(file.name) for file, _ in made.parts)
    rejects = path.with_name(made.rejects.name) if made.rejects else None
    if not order.dry_run:
        _remove_former(path, {*files, *([rejects] if rejects else [])})
    return ExportReport(
        path=files[0],
        manifest_path=files[0].with_name(files[0].name + MANIFEST),
        rows=made.rows,
        left_out=left,
        notes=(*audience.notes, *_notes(made, spec)),
        manifest=manifests[0],
        files=files,
        rejects_path=rejects,
        dry_run=order.dry_run,
    )


def _contacts(home: Home, people: ir.Table) -> pa.RecordBatchReader:
    """Return the contact data of people in batches, in the order of their ids."""
    contacts = home.table("customer_contacts").select(*FIELDS)
    rows = people.left_join(contacts, "customer_id").select(*FIELDS).order_by("customer_id")
    return home.batches(rows, _BATCH)


@dataclass
class Made:
    """What was written.

    Attributes
    ----------
    parts
        The files, each with its rows.
    rejects
        The file of values that could not be normalised; none if all could.
    rejected
        How many values of a field were rejected for which reason.
    unmatched
        Customers who have nothing to be matched by.
    """

    parts: list[tuple[Path, int]]
    rejects: Path | None
    rejected: Counter[tuple[str, str]]
    unmatched: int

    @property
    def rows(self) -> int:
        """Rows of all parts together."""
        return sum(rows for _, rows in self.parts)


def write_audience(batches: Iterable[pa.RecordBatch], spec: Spec, path: Path, *, region: str) -> Made:
    """Write the files of a platform, as many as its caps ask for.

    Parameters
    ----------
    batches
        ``customer_id`` and what else of ``FIELDS`` is known, in the order in which it shall stand in the files.
    spec
        What the platform takes; of its columns those are written that the batches have.
    path
        The file, if one is enough.
    region
        The country of phone numbers without ``+``.

    Returns
    -------
    Made
        The files and what is not in them.
    """
    columns = [column for column in spec.columns if column.holds in FIELDS]
    rejected: Counter[tuple[str, str]] = Counter()
    seen = unmatched = 0
    rejects = path.with_name(f"{path.name.removesuffix(f'.{spec.ending}')}.rejects.csv")
    parts = _Parts(spec, path, _line([column.heading for column in columns]) if spec.layout == "csv" else "")
    with ExitStack() as stack:
        stack.enter_context(parts)
        complain = csv.writer(stack.enter_context(rejects.open("w", encoding="utf-8-sig", newline="")))
        complain.writerow(["row", "customer_id", "field", "reason"])
        for batch in batches:
            cells, usable, found = _encoded(batch, columns, region)
            for place, holds, reason in found:
                customer = neutral(redact(batch["customer_id"][place].as_py()))
                complain.writerow([seen + place + 1, customer, holds, reason])
                rejected[holds, reason] += 1
            for row, use in zip(zip(*cells, strict=True), usable, strict=True):
                if use:
                    parts.add(_line(row) if spec.layout == "csv" else f"{row[0]}\n")
            seen += batch.num_rows
            unmatched += usable.count(False)
    if not rejected:
        rejects.unlink()
    return Made(parts.finished(), rejects if rejected else None, rejected, unmatched)


def _encoded(
    batch: pa.RecordBatch, columns: list[Column], region: str
) -> tuple[list[list[str | None]], list[bool], list[tuple[int, str, str]]]:
    """Return the cells by column, whether each row can be matched, and what was rejected: row, field, reason."""
    cells, rejected = [], []
    usable = pa.array([False] * batch.num_rows, pa.bool_())
    for column in columns:
        values, reasons = encode(batch[column.holds], column, region=region)
        cells.append(values.to_pylist())
        if column.identifies:
            usable = pc.or_(usable, pc.is_valid(values))
        places = pc.indices_nonzero(pc.is_valid(reasons)).to_pylist()
        rejected += [(place, column.holds, reasons[place].as_py()) for place in places]
    return cells, usable.to_pylist(), sorted(rejected)


def _line(cells: Iterable[str | None]) -> str:
    lines: list[str] = []
    csv.writer(SimpleNamespace(write=lines.append), lineterminator="\n").writerow(cells)
    return lines[0]


class _Parts:
    """Files that are begun anew whenever the next line would break a cap of the platform."""

    def __init__(self, spec: Spec, path: Path, heading: str) -> None:
        self._spec, self._path, self._heading = spec, path, heading
        self._made: list[tuple[Path, int]] = []
        self._file: IO[bytes] | None = None
        self._rows = self._bytes = 0

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def add(self, line: str) -> None:
        """Write a line into the file that has room for it."""
        text = line.encode(self._spec.encoding)
        full = 0 < self._spec.most_rows <= self._rows or 0 < self._spec.most_bytes < self._bytes + len(text)
        if self._file is None or full:
            self._end()
            self._begin()
        assert self._file is not None  # noqa: S101 - begun above
        self._file.write(text)
        self._rows, self._bytes = self._rows + 1, self._bytes + len(text)

    def _begin(self) -> None:
        file = self._path.with_name(f".part-{len(self._made) + 1}")
        self._file = file.open("wb")
        heading = self._heading.encode(self._spec.encoding)
        self._file.write(heading)
        self._rows, self._bytes = 0, len(heading)
        self._made.append((file, 0))

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._made[-1] = self._made[-1][0], self._rows
            self._file = None

    def finished(self) -> list[tuple[Path, int]]:
        """Give the files their names, now that their number is known, and zip them where the platform wants that."""
        name, many = self._path.name.removesuffix(f".{self._spec.ending}"), len(self._made)
        finished = []
        for number, (file, rows) in enumerate(self._made, start=1):
            stem = name if many == 1 else f"{name}.part-{number}-of-{many}"
            target = self._path.with_name(f"{stem}.{self._spec.ending}")
            if self._spec.archived:
                _zip(file, target, f"{stem}.{self._spec.archived}")
                file.unlink()
            else:
                file.replace(target)
            finished.append((target, rows))
        return finished


def _zip(file: Path, target: Path, inside: str) -> None:
    about = zipfile.ZipInfo(inside, date_time=_ZIPPED_AT)
    about.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w") as archive, archive.open(about, "w") as member, file.open("rb") as lines:
        while block := lines.read(2**20):
            member.write(block)


def _refuse_few(made: Made, spec: Spec, left_out: Mapping[str, int]) -> None:
    least = max(spec.least_rows, 1)
    if made.rows >= least:
        return
    why = [f"{made.unmatched} have nothing to be matched by"] if made.unmatched else []
    why += [f"{rows} values of {holds} rejected: {reason}" for (holds, reason), rows in sorted(made.rejected.items())]
    others = {reason: count for reason, count in left_out.items() if reason != NO_IDENTIFIER}
    why += [reasons(others, purpose=spec.purpose)] if others else []
    next_step = "ask for a larger list"
    if left_out.get(SILENT, 0) + made.rows >= least:
        next_step = ASSUME
    elif made.unmatched + made.rows >= least:
        next_step = "fill phone and email in the feed customers, or set phone_region in settings.toml"
    raise NobodyError(
        f"{made.rows} customers can be matched, but a list for {spec.id} has at least {least}: "
        f"{'; '.join(why) or 'there are no more'}",
        next_step=next_step,
        left_out=left_out,
    )


def _format(spec: Spec, made: Made, order: Order) -> dict[str, Any]:
    """Return what a manifest says of the format."""
    said: dict[str, Any] = {
        "spec": spec.id,
        "spec_version": spec.version,
        "format": spec.ending,
        "encoding": spec.encoding,
        "columns": [column.heading for column in spec.columns if column.holds in FIELDS],
        "variants": spec.variants,
        "phone_region": order.settings.phone_region,
        "rejected": [{"field": f, "reason": reason, "rows": n} for (f, reason), n in sorted(made.rejected.items())],
    }
    if spec.id_type:
        said["id_type"] = spec.id_type
    if spec.operations:
        said["operation"] = order.operation or spec.operations[0]
    return said


def _notes(made: Made, spec: Spec) -> Iterator[str]:
    if len(made.parts) > 1:
        yield f"split into {len(made.parts)} files: {spec.id} takes no larger ones"
    if made.unmatched:
        yield f"{made.unmatched} customers left out: they have nothing that {spec.id} could match"
    for (holds, reason), rows in sorted(made.rejected.items()):
        yield f"{rows} values of {holds} rejected: {reason}"


def _remove_former(path: Path, made: set[Path]) -> None:
    """Remove files that the same request left before and did not make again: parts, manifests, rejects."""
    stem = path.name.removesuffix(path.suffix)
    kept = {file.name for file in made} | {f"{file.name}{MANIFEST}" for file in made}
    for file in path.parent.glob(f"{stem}.*"):
        ours = file.name.removeprefix(stem).removesuffix(MANIFEST)
        is_part = ours == path.suffix or (ours.startswith(".part-") and ours.endswith(path.suffix))
        if (is_part or ours == ".rejects.csv") and file.name not in kept:
            file.unlink()
