"""Splits a CSV file into records: which are well formed, where each begins, and which lines are none.

The database reads well-formed records fast, but neither numbers their lines nor agrees with the
feeds' rules on broken ones. So each file is scanned once: what every record is, is decided here, and
the database is given either the file itself or a copy without the lines that are no records.
"""

from __future__ import annotations

import gzip
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from o2o_mining.ingest.lines import (
    LINES_OF_A_RECORD,
    RECORD_BYTES,
    is_blank,
    is_regular,
    is_text,
    plain,
    read_record,
    without_end,
)
from o2o_mining.ingest.marks import Ints, Marks

BOM = b"\xef\xbb\xbf"
UNREADABLE = (OSError, EOFError, zlib.error)
_WINDOW = 2**20
_SLOW_STRETCH = 2**16


@dataclass(frozen=True)
class Malformed:
    """A record that is none: the number of its first line, and its text."""

    line: int
    raw: str


@dataclass(frozen=True)
class Edit:
    """Bytes of the file that the readable copy leaves out, or writes anew."""

    start: int
    end: int
    rewrite: bool = False


@dataclass(frozen=True)
class Records:
    """What a scan found.

    Attributes
    ----------
    fields
        Names in the header; none for an empty file.
    start
        Where the first byte after the header lies.
    good
        How many records are well formed.
    malformed
        What is no record.
    edits
        What separates the rest of the file from one that holds only well-formed records.
    line_feeds, returns
        Number of records that end in a line feed alone, and in a carriage return before it.
    plain_header
        Whether the database can skip the header, or there is none.
    header
        Whether the first record is a header.
    """

    fields: tuple[str, ...]
    start: int
    good: int
    malformed: tuple[Malformed, ...]
    edits: tuple[Edit, ...]
    line_feeds: int
    returns: int
    plain_header: bool
    header: bool
    _ordinals: Ints
    _offsets: Ints

    @property
    def line_changes(self) -> tuple[list[int], list[int]]:
        """From which record on, counted from 0, which distance lies between its number and its line."""
        last = np.append(np.diff(self._ordinals) > 0, True)  # of several for one record the last one holds
        return self._ordinals[last].tolist(), self._offsets[last].tolist()

    @property
    def readable(self) -> bool:
        """Whether the database can read the file as it is: it does not read lines that end in both ways."""
        return self.plain_header and not self.edits and not (self.returns and self.line_feeds)


def scan(path: Path, names: tuple[str, ...] = ()) -> Records:
    """Scan a CSV file, gzipped if its name ends so.

    Parameters
    ----------
    path
        The file.
    names
        Names of the fields where the layout fixes them; a first record that is not these names is no header then.

    Raises
    ------
    OSError, EOFError, zlib.error
        If the file cannot be read to its end.
    """
    scanner = _Scanner(names)
    with open_bytes(path) as file:
        scanner.run(file)
    return scanner.result()


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading its bytes, unpacked if its name ends in .gz."""
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


class _Scanner:
    """Walks through a file window by window; vectorised where lines are regular, by hand where not."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.fields: tuple[str, ...] = ()
        self.header = True
        self.start = 0
        self.plain_header = True
        self.good = 0
        self.line = 1
        self.offset = 0
        self.malformed: list[Malformed] = []
        self.edits: list[Edit] = []
        self.line_feeds = 0
        self.returns = 0
        # Where the distance between a record's number and its line changes, and to what.
        self._ordinals = array("q", [0])
        self._offsets = array("q", [0])

    def run(self, file: IO[bytes]) -> None:
        window = file.read(max(_WINDOW, len(BOM)))
        if window.startswith(BOM):
            window = window[len(BOM) :]
            self.offset = len(BOM)
        final = False
        while not final or window:
            used = self._header(window, final=final) if not self.fields else self._records(window, final=final)
            window = window[used:]
            self.offset += used
            if final and not used:
                break
            if not used or len(window) < _WINDOW // 2:
                block = file.read(max(_WINDOW, len(window)))
                final = not block
                window += block

    def result(self) -> Records:
        return Records(
            fields=self.fields,
            start=self.start,
            good=self.good,
            malformed=tuple(self.malformed),
            edits=tuple(self.edits),
            line_feeds=self.line_feeds,
            returns=self.returns,
            plain_header=self.plain_header,
            header=self.header,
            _ordinals=np.array(self._ordinals, np.int64),
            _offsets=np.array(self._offsets, np.int64),
        )

    # -- the header ----------------------------------------------------------------------------------------------

    def _header(self, window: bytes, *, final: bool) -> int:
        """Read the first record as the header and return the bytes used."""
        end = _line_end(window, 0, final=final)
        if not end:
            return 0
        if is_blank(window[:end]):
            self.line += 1
            self.plain_header = False
            return end
        read = read_record(window, 0, end, final=final)
        if read is None:
            return 0
        fields, stop = read
        if self.names and [plain(field).lower() for field in fields] != [name.lower() for name in self.names]:
            self.fields, self.header, self.start = self.names, False, self.offset
            self.plain_header &= not self.offset  # with nothing before it, such as a BOM
            return self._records(window, final=final)
        if fields:
            self.fields = tuple(map(plain, fields))
        else:  # its quotes do not close: names are what stands between the commas of the first line
            stop = end
            self.fields = tuple(without_end(window[:end]).decode("utf-8", errors="replace").split(","))
        # The database takes the first line break it sees for the one of all lines, also inside quotes.
        one_line = not {10, 13} & set(without_end(window[:stop])) and not window.endswith(b"\r", 0, stop)
        self.plain_header &= bool(fields) and is_regular(fields) and one_line and is_text(window[:stop])
        self.plain_header &= stop <= RECORD_BYTES
        self.start = self.offset + stop
        self._count_end(window, stop)
        self.line += max(window.count(b"\n", 0, stop), 1)
        return stop

    # -- records -------------------------------------------------------------------------------------------------

    def _records(self, window: bytes, *, final: bool) -> int:
        """Take as many records as the window holds and return the bytes used."""
        marks = Marks(window, final=final)
        at, stretch = 0, 1
        while at < len(window):
            stop = self._regular(window, marks, at)
            # Where hardly a record is regular, looking for the next costs more than reading some by hand.
            stretch = 1 if stop - at > _SLOW_STRETCH // 64 else min(2 * stretch, _SLOW_STRETCH)
            at = self._by_hand(window, stop, stretch, final=final)
            if at == stop:
                break
        return at

    def _regular(self, window: bytes, marks: Marks, at: int) -> int:
        """Take the records from ``at`` that need no closer look, all at once, and return where the last ends."""
        run = marks.run(at)
        right = (run.fields == len(self.fields)) & (run.ends - run.starts <= RECORD_BYTES)
        several = run.last > run.first
        odd = np.flatnonzero(several & (~right | (run.last - run.first >= LINES_OF_A_RECORD)))
        if len(odd):
            run, right = run.until(int(odd[0])), right[: int(odd[0])]
        if not len(run.ends):
            return at
        starts, ends, used = run.starts, run.ends, int(run.ends[-1])
        blank = (ends - starts <= 2) & np.isin(marks.buffer[starts], (10, 13))
        if not is_text(window[at:used]):
            right &= _decodable(window, starts, ends)
        for i in np.flatnonzero(blank | ~right):
            begin, end = int(starts[i]), int(ends[i])
            if not blank[i]:
                self._reject(window[begin:end], self.line + int(run.first[i]))
            self._edit(self.offset + begin, self.offset + end)
        good = right & ~blank
        fed = good & (marks.buffer[ends - 1] == 10)
        returned = int(np.count_nonzero(fed & (marks.buffer[ends - 2] == 13)))
        self.returns += returned
        self.line_feeds += int(np.count_nonzero(fed)) - returned
        self._note_lines(run.first[good] + self.line)
        self.line += int(run.last[-1]) + 1
        return used

    def _by_hand(self, window: bytes, begin: int, stretch: int, *, final: bool) -> int:
        """Take some bytes of records one by one and return where the last ends; ``begin`` asks for more bytes."""
        at = begin
        while at < len(window) and at - begin < stretch:
            end = _line_end(window, at, final=final)
            if not end:
                break
            if is_blank(window[at:end]):
                self._edit(self.offset + at, self.offset + end)
                self.line += 1
                at = end
                continue
            read = read_record(window, at, end, final=final)
            if read is None:
                break
            at = self._judge(window, at, end, *read)
        return at

    def _judge(self, window: bytes, at: int, end: int, fields: list[bytes], stop: int) -> int:
        """Book what was read from ``at`` as a record, or its first line as none, and return where it ends."""
        if len(fields) != len(self.fields) or stop - at > RECORD_BYTES:
            stop, good = end, False
        else:
            good = is_text(window[at:stop])
        if good:
            if not is_regular(fields) or window.endswith(b"\r", at, stop):
                self._edit(self.offset + at, self.offset + stop, rewrite=True)
            self._count_end(window[at:stop], stop - at)
            if self.line - self.good != self._offsets[-1]:
                self._ordinals.append(self.good)
                self._offsets.append(self.line - self.good)
            self.good += 1
        else:
            self._reject(window[at:stop], self.line)
            self._edit(self.offset + at, self.offset + stop)
        self.line += max(window.count(b"\n", at, stop), 1)
        return stop

    # -- bookkeeping ---------------------------------------------------------------------------------------------

    def _reject(self, raw: bytes, line: int) -> None:
        self.malformed.append(Malformed(line, without_end(raw).decode("utf-8", errors="replace")))

    def _edit(self, start: int, end: int, *, rewrite: bool = False) -> None:
        """Note bytes to leave out or to write anew, together with what lies before them while that is short."""
        last = self.edits[-1] if self.edits else None
        if last and last.end == start and last.rewrite == rewrite and (not rewrite or end - last.start < _WINDOW):
            self.edits[-1] = Edit(last.start, end, rewrite)
        else:
            self.edits.append(Edit(start, end, rewrite))

    def _count_end(self, window: bytes, stop: int) -> None:
        self.returns += window.endswith(b"\r\n", 0, stop)
        self.line_feeds += window.endswith(b"\n", 0, stop) and not window.endswith(b"\r\n", 0, stop)

    def _note_lines(self, lines: Ints) -> None:
        """Keep where the distance between a record's number and its line changes."""
        ordinals = np.arange(self.good, self.good + len(lines))
        offsets = lines - ordinals
        change = np.flatnonzero(np.diff(offsets, prepend=self._offsets[-1]))
        self._ordinals.extend(ordinals[change].tolist())
        self._offsets.extend(offsets[change].tolist())
        self.good += len(lines)


def _line_end(window: bytes, at: int, *, final: bool) -> int:
    """Return where a line ends, its line break included; 0 if the window does not hold it wholly."""
    return window.find(b"\n", at) + 1 or (len(window) if final else 0)


def _decodable(window: bytes, starts: Ints, ends: Ints) -> npt.NDArray[np.bool_]:
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    return np.fromiter((is_text(window[start:end]) for start, end in pairs), np.bool_, len(starts))
