"""Damages the CSV files of a world on request, and writes down what loading them must say.

A seeded share of each feed's records is damaged, one kind each, evenly over the kinds that the feed can have:

================== ==================================================================== ===========
kind               what is done                                                         outcome
================== ==================================================================== ===========
cut_line           the line ends early, with too few fields                             quarantined
extra_field        one field too many                                                   quarantined
not_utf8           bytes that are no UTF-8                                              quarantined
unclosed_quote     a quote opens and never closes                                       quarantined
swallowed_line     a quote closes at the end of the next line: two lines, one record    quarantined
swallowed_lines    the same over 100 lines, the most that a record may have            quarantined
too_far            a quote closes on the 101st line: it closes nothing                  quarantined
stray_quote        the end of that quote, text at the end of a number                   quarantined
the seven reasons  a value that breaks one rule, see ``faults``                         quarantined
duplicate_row      the row stands twice; the first of the two is the duplicate          duplicate
older_row          the key stands with other values before; they are the duplicate      duplicate
resent_row         the row stands in the late file too, where it is the duplicate       duplicate
unknown_id         a reference to a customer, merchant or coupon that does not exist    orphan
line_break         a quoted text over two lines                                         accepted
late_row           the row stands in the late file only                                 accepted
drift              the late file has its columns backwards and one that no feed knows   drift
================== ==================================================================== ===========

An event feed with late rows becomes a folder, ``<feed>/1-log.csv`` and ``<feed>/2-late.csv``, loaded in that order;
drift is one line of the truth for each late file, at its header. A record that nobody can read any more takes its key
with it, so what pointed to a lost customer, merchant or coupon is an orphan too: the counts hold it, the list does not.
The quotes over 100 and 101 lines stand once in each feed with 200 records to damage and a number in its last column.
Clean worlds quote nothing, so the first quote after an unclosed one always opens a field, with text behind it: the
quote is not closed, and by the page of the feeds the line it stands in is rejected alone.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.schema import Table
from o2o_mining.simulator.chance import stream
from o2o_mining.simulator.faults import Fault, cell_faults, other_value

MALFORMED = ("cut_line", "extra_field", "not_utf8", "unclosed_quote")
LINES_OF_A_RECORD = 100
FEW = 200  # with fewer records to damage, a quote over 100 lines would be most of the damage
REFERRED = ("merchants", "customers", "coupons")  # in an order in which each refers to those before it, or to itself
UNKNOWN_COLUMN = b"export_version"


@dataclass(frozen=True)
class Damage:
    """One line of the truth: where the damage is, of which kind, and what must come of it."""

    feed: str
    file: str
    line: int
    kind: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Expected:
    """The counts that loading a file must give, as in ``data_quality``."""

    feed: str
    file: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    rows_duplicate: int
    orphans: int


@dataclass(frozen=True)
class _Record:
    """A record as it will stand in a file; ``kept`` is the row that loading it leaves in force, if it does."""

    text: bytes
    kept: bytes | None
    kind: str = ""
    outcome: str = "accepted"
    reason: str = ""


class _Soiled:
    """The records of one feed while they are damaged."""

    def __init__(self, feed: Table, lines: list[bytes], *, events: bool, rng: np.random.Generator) -> None:
        self.feed, self.lines, self.rng = feed, lines, rng
        self.instead: dict[int, list[_Record]] = {}  # what stands in the place of a row
        self.after: dict[int, list[_Record]] = defaultdict(list)  # what follows a row
        self.late: list[_Record] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        for fault in cell_faults(feed):
            self.faults[fault.kind].append(fault)
        columns = list(enumerate(feed.columns))
        self.references = [place for place, column in columns if column.references in REFERRED]
        self.texts = [place for place, column in columns if column.type == "text" and not column.allowed]
        self.texts = [place for place in self.texts if feed.columns[place].name != "channel"]
        self.kinds = [*MALFORMED, *self.faults, "duplicate_row"]
        self.kinds += ["swallowed_line"] if feed.columns[-1].type not in ("id", "text") else []
        self.kinds += ["older_row"] if len(feed.key) < len(feed.columns) else []
        self.kinds += ["unknown_id"] if self.references else []
        self.kinds += ["line_break"] if self.texts else []
        self.kinds += ["late_row", "resent_row"] if events else []

    def damage(self, rate: float) -> None:
        """Damage a share of the records, each in one way."""
        count, free = round(rate * len(self.lines)), np.ones(len(self.lines), bool)
        if count >= FEW and "swallowed_line" in self.kinds:
            half = len(self.lines) // 2
            for low, lines in ((0, LINES_OF_A_RECORD), (half, LINES_OF_A_RECORD + 1)):
                row = int(self.rng.integers(low, low + half - lines))
                count -= self._long_quote(row, lines)
                free[row : row + lines] = False
        chosen = np.sort(self.rng.choice(np.flatnonzero(free), count, replace=False))
        free[chosen] = False
        kinds = self.rng.integers(0, len(self.kinds), count)
        for row, number in zip(chosen.tolist(), kinds, strict=True):
            kind = self.kinds[number]
            if kind == "swallowed_line" and not free[row + 1 : row + 2].any():
                kind = "cut_line"
            self._one(row, kind)

    def _long_quote(self, row: int, lines: int) -> int:
        """Open a quote in the last column of a row, close it some lines later; return how many records are rejected."""
        first, *between, last = self.lines[row : row + lines]
        opening, closing = _put(first, -1, b'"x'), _put(last, -1, b'x"')
        reason = f"bad_type:{self.feed.columns[-1].name}"
        self.instead |= {place: [] for place in range(row, row + lines)}
        if lines <= LINES_OF_A_RECORD:
            text = b"\n".join([opening, *between, closing])
            self.instead[row] = [_Record(text, None, "swallowed_lines", "quarantined", reason)]
            return 1
        self.instead[row] = [
            _Record(opening, None, "too_far", "quarantined", "malformed_line"),
            *(_Record(line, line) for line in between),
            _Record(closing, None, "stray_quote", "quarantined", reason),
        ]
        return 2

    def _one(self, row: int, kind: str) -> None:
        line = self.lines[row]
        if kind in MALFORMED:
            self.instead[row] = [_Record(self._broken(line, kind), None, kind, "quarantined", "malformed_line")]
        elif kind in self.faults:
            fault = self.faults[kind][self.rng.integers(len(self.faults[kind]))]
            self.instead[row] = [
                _Record(_put(line, fault.column, fault.value), None, kind, "quarantined", fault.reason)
            ]
        elif kind == "swallowed_line":
            head, last = line.rsplit(b",", 1)
            text = head + b',"x' + last + b"\n" + self.lines[row + 1] + b'"'
            reason = f"bad_type:{self.feed.columns[-1].name}"
            self.instead[row], self.instead[row + 1] = [_Record(text, None, kind, "quarantined", reason)], []
        elif kind in ("duplicate_row", "older_row"):
            first = line if kind == "duplicate_row" else self._older(line)
            self.instead[row] = [_Record(first, None, kind, "duplicate")]
            self.after[int(self.rng.integers(row, len(self.lines)))].append(_Record(line, line))
        elif kind == "unknown_id":
            place = self.references[self.rng.integers(len(self.references))]
            text = _put(line, place, b"unknown-%d" % row)
            self.instead[row] = [_Record(text, text, kind, "orphan")]
        elif kind == "line_break":
            place = self.texts[self.rng.integers(len(self.texts))]
            text = _put(line, place, b'"over two\nlines ' + line.split(b",")[place] + b'"')
            self.instead[row] = [_Record(text, line, kind)]
        elif kind == "late_row":
            self.instead[row] = []
            self.late.append(_Record(line, line, kind))
        else:
            self.late.append(_Record(line, None, kind, "duplicate"))

    def _broken(self, line: bytes, kind: str) -> bytes:
        if kind == "cut_line":
            return line[: self.rng.integers(1, line.rindex(b",") + 1)]
        if kind == "extra_field":
            return line + b",1"
        values = line.split(b",")
        filled = [place for place, value in enumerate(values) if value]
        place = filled[self.rng.integers(len(filled))]
        return _put(line, place, (b"\xff\xfe" if kind == "not_utf8" else b'"') + values[place])

    def _older(self, line: bytes) -> bytes:
        """Return the row with every value that can easily be another one changed, its key apart."""
        values = zip(self.feed.columns, line.split(b","), strict=True)
        return b",".join(value if column.key else other_value(column, value) for column, value in values)

    def log(self) -> list[_Record]:
        """Return the records of the main file in their order."""
        records: list[_Record] = []
        for row, line in enumerate(self.lines):
            records += self.instead[row] if row in self.instead else [_Record(line, line)]
            records += self.after.get(row, ())
        return records


def _put(line: bytes, place: int, value: bytes) -> bytes:
    values = line.split(b",")
    values[place] = value
    return b",".join(values)


def soil(folder: Path, feeds: Iterable[str], *, events: Sequence[str], rate: float, seed: int) -> dict[str, int]:
    """Damage the CSV files of a clean world in place and write ``truth/damage`` and ``truth/expected_quality``.

    Parameters
    ----------
    folder
        Where the world lies: ``<feed>.csv``, nothing quoted, columns as in the contracts, and ``truth/``.
    feeds, events
        Names of the feeds, and of those that can have late rows.
    rate
        Share of the records of each feed to damage.
    seed
        The same seed damages the same records.

    Returns
    -------
    dict of str to int
        Records of each file, by its path without the ending.
    """
    known: dict[str, set[bytes]] = {}
    damages: list[Damage] = []
    expected: list[Expected] = []
    for name in sorted(feeds, key=lambda feed: REFERRED.index(feed) if feed in REFERRED else len(REFERRED)):
        feed, clean = contract(name), folder / f"{name}.csv"
        header, *lines = clean.read_bytes().removesuffix(b"\n").split(b"\n")
        soiled = _Soiled(feed, lines, events=name in events, rng=stream(seed, f"dirt in {name}"))
        soiled.damage(rate)
        log = soiled.log()
        if name in REFERRED:
            known[name] = {record.kept.split(b",", 1)[0] for record in log if record.kept is not None}
        place = {column.name: number for number, column in enumerate(feed.columns)}
        checked = [(place[c.name], known[c.references]) for c in feed.columns if c.references in REFERRED]
        files = [(f"{name}.csv", header, log)]
        if soiled.late:
            clean.unlink()
            (folder / name).mkdir()
            files = [(f"{name}/1-log.csv", header, log), (f"{name}/2-late.csv", _drifted(header), soiled.late)]
            damages.append(Damage(name, f"{name}/2-late.csv", 1, "drift", "drift", ""))
        for file, head, records in files:
            texts = [record.text for record in records]
            shown = texts if head == header else [_backwards(text) + b",2" for text in texts]
            (folder / file).write_bytes(b"\n".join([head, *shown, b""]))
            damages += _located(name, file, records)
            expected.append(_expected(name, file, records, checked))
    _write(folder / "truth" / "damage.csv", Damage, sorted(damages, key=lambda d: (d.feed, d.file, d.line)))
    _write(folder / "truth" / "expected_quality.csv", Expected, sorted(expected, key=lambda e: (e.feed, e.file)))
    rows = {counts.file.removesuffix(".csv"): counts.rows_read for counts in expected}
    return {**rows, "truth/damage": len(damages), "truth/expected_quality": len(expected)}


def _backwards(line: bytes) -> bytes:
    return b",".join(reversed(line.split(b",")))


def _drifted(header: bytes) -> bytes:
    return _backwards(header) + b"," + UNKNOWN_COLUMN


def _located(feed: str, file: str, records: list[_Record]) -> list[Damage]:
    """Give damaged records the number of their first line."""
    found, line = [], 2
    for record in records:
        if record.kind:
            found.append(Damage(feed, file, line, record.kind, record.outcome, record.reason))
        line += record.text.count(b"\n") + 1
    return found


def _expected(feed: str, file: str, records: list[_Record], checked: list[tuple[int, set[bytes]]]) -> Expected:
    quarantined = sum(record.outcome == "quarantined" for record in records)
    duplicate = sum(record.outcome == "duplicate" for record in records)
    orphans = 0
    for record in records:
        if record.kept is not None:
            values = record.kept.split(b",")
            orphans += sum(bool(values[place]) and values[place] not in known for place, known in checked)
    read = len(records)
    return Expected(feed, file, read, read - quarantined - duplicate, quarantined, duplicate, orphans)


def _write(path: Path, kind: type[Any], rows: Sequence[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(field.name for field in fields(kind))
        written.writerows(astuple(row) for row in rows)
