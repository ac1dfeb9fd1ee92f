"""Splits a CSV file into records: which are well formed, where each begins, and which lines are none.

The database reads well-formed records fast, but neither numbers their lines nor agrees with the
feeds' rules on broken ones. So each file is scanned once: what every record is, is decided here, and
the database is given either the file itself or a copy without the lines that are no records.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

BOM = b"\xef\xbb\xbf"
LINES_OF_A_RECORD = 100
RECORD_BYTES = 16 * 2**20  # the database refuses longer ones
_WINDOW = 2**20
_SLOW_STRETCH = 2**16
_QUOTED = rb'"[^"]*(?:""[^"]*)*"(?=,|\r?\n|\r?\Z)'
_FIELD = re.compile(rb"(" + _QUOTED + rb'|[^",\n][^,\n]*|)(,|\n|\Z)')

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Malformed:
    """A line that is no record: its number and its text."""

    line: int
    raw: str


@dataclass(frozen=True)
class Edit:
    """Bytes of the file that the readable copy replaces."""

    start: int
    end: int
    by: bytes = b""


@dataclass(frozen=True)
class Records:
    """What a scan found.

    Attributes
    ----------
    fields
        Names in the header; none for an empty file.
    good
        Number of well-formed records.
    malformed
        The lines that are none.
    edits
        What separates the file from one that holds only well-formed records.
    mixed_ends
        Whether lines end in both ways, which the database does not read.
    """

    fields: tuple[str, ...]
    good: int
    malformed: tuple[Malformed, ...]
    edits: tuple[Edit, ...]
    mixed_ends: bool
    _ordinals: _Ints
    _offsets: _Ints

    def line_of(self, ordinals: _Ints) -> _Ints:
        """Return the first line of well-formed records, counted from 1 with the header.

        Parameters
        ----------
        ordinals
            Numbers of records from 0, shape (n,).
        """
        index = np.searchsorted(self._ordinals, ordinals, side="right") - 1
        return ordinals + self._offsets[index]

    @property
    def readable(self) -> bool:
        """Whether the database can read the file as it is."""
        return not self.edits and not self.mixed_ends


def scan(path: Path) -> Records:
    """Scan a CSV file, gzipped if its name ends so.

    Raises
    ------
    OSError, EOFError, zlib.error
        If the file cannot be read to its end.
    """
    scanner = _Scanner()
    with open_bytes(path) as file:
        scanner.run(file)
    return scanner.result()


def write_readable(path: Path, records: Records, target: Path) -> None:
    """Write a copy of a scanned file that holds its header and its well-formed records alone."""
    with open_bytes(path) as source, target.open("wb") as out:
        for start, end, by in _pieces(records.edits):
            _copy(source, out, start, end, unify=records.mixed_ends)
            out.write(by)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading its bytes, unpacked if its name ends in .gz."""
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


UNREADABLE = (OSError, EOFError, zlib.error)


def _pieces(edits: tuple[Edit, ...]) -> Iterator[tuple[int, int | None, bytes]]:
    """Yield the ranges between edits, each with what follows it; the last one reaches to the end."""
    at = 0
    for edit in edits:
        yield at, edit.start, edit.by
        at = edit.end
    yield at, None, b""


def _copy(source: IO[bytes], out: IO[bytes], start: int, end: int | None, *, unify: bool) -> None:
    source.seek(start)
    if not unify and end is None:
        shutil.copyfileobj(source, out, _WINDOW)
        return
    left = end - start if end is not None else None
    held = b""
    while left is None or left > 0:
        block = source.read(_WINDOW if left is None else min(_WINDOW, left))
        if not block:
            break
        left = left if left is None else left - len(block)
        if unify:  # a carriage return at the end of a block may belong to the next line feed
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            block = block[: len(block) - len(held)].replace(b"\r\n", b"\n")
        out.write(block)
    out.write(held)


class _Scanner:
    """Walks through a file window by window; vectorised where lines are regular, by hand where not."""

    def __init__(self) -> None:
        self.fields: tuple[str, ...] = ()
        self.good = 0
        self.line = 1
        self.offset = 0
        self.malformed: list[Malformed] = []
        self.edits: list[Edit] = []
        self.line_feeds = 0
        self.returns = 0
        self._ordinals: list[_Ints] = []
        self._offsets: list[_Ints] = []

    def run(self, file: IO[bytes]) -> None:
        window = file.read(_WINDOW)
        if window.startswith(BOM):
            window = window[len(BOM) :]
            self.offset = len(BOM)
        final = False
        while not final or window:
            used = self._header(window, final) if not self.fields else self._records(window, final)
            window = window[used:]
            self.offset += used
            if final and not used:
                break
            if not used or len(window) < _WINDOW // 2:
                block = file.read(max(_WINDOW, len(window)))
                final = not block
                window += block

    def result(self) -> Records:
        ordinals = np.concatenate([np.zeros(1, np.int64), *self._ordinals])
        offsets = np.concatenate([np.full(1, 2, np.int64), *self._offsets])
        return Records(
            fields=self.fields,
            good=self.good,
            malformed=tuple(self.malformed),
            edits=tuple(self.edits),
            mixed_ends=bool(self.returns and self.line_feeds),
            _ordinals=ordinals,
            _offsets=offsets,
        )

    # -- the header ----------------------------------------------------------------------------------------------

    def _header(self, window: bytes, final: bool) -> int:
        """Read the first line that is not blank as the header and return the bytes used."""
        end = window.find(b"\n") + 1
        if not end:
            if not final:
                return 0
            end = len(window)
        text = window[:end].decode("utf-8", errors="replace").rstrip("\r\n")
        self._count_ends(window[:end])
        if text:
            self.fields = tuple(next(csv.reader([text])))
        elif end:
            self.edits.append(Edit(self.offset, self.offset + end))
        self.line += 1
        if self.fields:
            self._note_line(self.line)
        return end

    # -- records -------------------------------------------------------------------------------------------------

    def _records(self, window: bytes, final: bool) -> int:
        """Take as many records as the window holds and return the bytes used."""
        used = self._regular(window, final)
        return self._by_hand(window, final) if used is None else used

    def _regular(self, window: bytes, final: bool) -> int | None:
        """Take all records of a window at once, or none if something in it needs a closer look."""
        if window.count(b"\r") != window.count(b"\r\n"):
            return None
        buffer = np.frombuffer(window, np.uint8)
        ends = np.flatnonzero(buffer == 10) + 1
        if final and (not len(ends) or ends[-1] != len(window)):
            ends = np.append(ends, len(window))
        commas = np.flatnonzero(buffer == 44)
        lines_before = np.arange(len(ends))
        if b'"' in window:
            quotes = np.flatnonzero(buffer == 34)
            if not _quotes_are_regular(buffer, quotes):
                return None
            commas = commas[np.searchsorted(quotes, commas) % 2 == 0]
            outside = np.searchsorted(quotes, ends) % 2 == 0
            if final and not outside[-1]:
                return None
            ends, lines_before = ends[outside], lines_before[outside]
        if not len(ends):
            return None if b'"' in window or len(window) > RECORD_BYTES else 0
        return self._take(window, buffer, ends, commas, lines_before)

    def _take(self, window: bytes, buffer: npt.NDArray[np.uint8], ends: _Ints, commas: _Ints, last: _Ints) -> int | None:
        """Book regular records that end at ``ends``, the last line of each being ``last``."""
        starts = np.concatenate([[0], ends[:-1]])
        used = int(ends[-1])
        first = np.concatenate([[0], last[:-1] + 1])
        fields = np.diff(np.searchsorted(commas, np.concatenate([[0], ends]))) + 1
        blank = (ends - starts <= 2) & np.isin(buffer[starts], (10, 13))
        right = (fields == len(self.fields)) & (ends - starts <= RECORD_BYTES)
        try:
            window[:used].decode("utf-8")
        except UnicodeDecodeError:
            right &= _decodable(window, buffer, starts, ends)
        several = last > first
        if np.any(several & (~right | (last - first >= LINES_OF_A_RECORD))):
            return None
        self._count_ends(window[:used])
        for i in np.flatnonzero(blank | ~right):
            begin, end = int(starts[i]), int(ends[i])
            if not blank[i]:
                self._reject(window[begin:end], self.line + int(first[i]))
            self.edits.append(Edit(self.offset + begin, self.offset + end))
        good = first[right & ~blank] + self.line
        self._note_lines(good)
        self.line += int(last[-1]) + 1
        return used

    def _by_hand(self, window: bytes, final: bool) -> int:
        """Take a stretch of records one by one and return the bytes used; 0 asks for more bytes."""
        at = 0
        while at < len(window) and at < _SLOW_STRETCH:
            end = window.find(b"\n", at) + 1
            if not end:
                if not final:
                    break
                end = len(window)
            record_end, rewritten = self._record_end(window, at, end, final)
            if record_end is None:
                break
            blank = not window[at:end].strip(b"\r\n")
            if blank or not record_end:
                if not blank:
                    self._reject(window[at:end], self.line)
                self.edits.append(Edit(self.offset + at, self.offset + end))
                record_end = end
            else:
                if rewritten is not None:
                    self.edits.append(Edit(self.offset + at, self.offset + record_end, rewritten))
                self._note_line(self.line)
                self.good += 1
            self._count_ends(window[at:record_end])
            self.line += max(window.count(b"\n", at, record_end), 1)
            at = record_end
        return at

    def _record_end(self, window: bytes, at: int, end: int, final: bool) -> tuple[int | None, bytes | None]:
        """Return where the record that begins at ``at`` ends: 0 if it is malformed, nothing if more bytes are needed.

        Beside it the record as it must be written for the database, where that differs.
        """
        if b'"' not in window[at:end]:
            return _checked(window, at, end, window[at:end].rstrip(b"\r\n").split(b","), len(self.fields))
        limit = _nth_line_end(window, at, LINES_OF_A_RECORD)
        fields, stop = _split(window, at, limit or len(window))
        if fields is not None:
            return _checked(window, at, stop, fields, len(self.fields))
        complete = limit or final or len(window) - at > RECORD_BYTES
        return (0 if complete else None), None

    # -- bookkeeping ---------------------------------------------------------------------------------------------

    def _reject(self, raw: bytes, line: int) -> None:
        self.malformed.append(Malformed(line, raw.rstrip(b"\r\n").decode("utf-8", errors="replace")))

    def _count_ends(self, taken: bytes) -> None:
        returns = taken.count(b"\r\n")
        self.returns += returns
        self.line_feeds += taken.count(b"\n") - returns

    def _note_line(self, line: int) -> None:
        self._ordinals.append(np.array([self.good], np.int64))
        self._offsets.append(np.array([line - self.good], np.int64))

    def _note_lines(self, lines: _Ints) -> None:
        """Keep where the distance between a record's number and its line changes."""
        if len(lines):
            ordinals = np.arange(self.good, self.good + len(lines))
            offsets = lines - ordinals
            change = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
            self._ordinals.append(ordinals[change])
            self._offsets.append(offsets[change])
            self.good += len(lines)


def _quotes_are_regular(buffer: npt.NDArray[np.uint8], quotes: _Ints) -> bool:
    """Whether every opening quote begins a field and every closing one ends it."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = buffer[opening[opening > 0] - 1]
    after = buffer[closing[closing < len(buffer) - 1] + 1]
    return bool(np.isin(before, (44, 10, 34)).all() and np.isin(after, (44, 10, 13, 34)).all())


def _decodable(window: bytes, buffer: npt.NDArray[np.uint8], starts: _Ints, ends: _Ints) -> npt.NDArray[np.bool_]:
    right = np.ones(len(starts), np.bool_)
    beyond_ascii = np.add.reduceat((buffer >= 128).astype(np.int64), starts)
    for i in np.flatnonzero(beyond_ascii):
        right[i] = _is_text(window[int(starts[i]) : int(ends[i])])
    return right


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _nth_line_end(window: bytes, at: int, n: int) -> int | None:
    """Return where the n-th line from ``at`` ends, or nothing if the window holds fewer."""
    for _ in range(n):
        at = window.find(b"\n", at) + 1
        if not at:
            return None
    return at


def _split(window: bytes, at: int, limit: int) -> tuple[list[bytes] | None, int]:
    """Return a record's fields as written and where it ends, or nothing if its quotes do not close."""
    fields: list[bytes] = []
    while True:
        match = _FIELD.match(window, at, limit)
        if match is None:
            return None, at
        fields.append(match[1])
        at = match.end()
        if match[2] != b",":
            return fields, at


def _checked(window: bytes, at: int, end: int, fields: list[bytes], expected: int) -> tuple[int, bytes | None]:
    """Return the end of a record, 0 if it is malformed, and how it must be written for the database."""
    if len(fields) != expected or end - at > RECORD_BYTES or not _is_text(window[at:end]):
        return 0, None
    fields[-1] = fields[-1].removesuffix(b"\r") if not fields[-1].startswith(b'"') else fields[-1]
    if not any(b"\r" in field and not field.startswith(b'"') for field in fields):
        return end, None
    # A lone carriage return ends a line for the database unless it is quoted.
    plain = [f.decode() if not f.startswith(b'"') else f[1:-1].replace(b'""', b'"').decode() for f in fields]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(plain)
    return end, text.getvalue().encode()
