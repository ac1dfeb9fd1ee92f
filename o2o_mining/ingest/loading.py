"""Loads one file of one feed: judged, split, deduplicated, and booked in the ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import ORDINAL, REASON, Upsert
from o2o_mining.ingest.inputs import Input, Staged, with_lines
from o2o_mining.ingest.validation import MALFORMED_LINE, RAW, judged

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine

LEDGER = "loaded_files"
_MALFORMED = pa.schema({"_line": pa.int64(), RAW: pa.string()})


@dataclass(frozen=True)
class Booking:
    """What the ledger says of a file."""

    feed: str
    file: str
    file_id: int
    sha256: str
    rows_read: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    unknown_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()


class Ledger:
    """The files loaded so far, by path and by content."""

    def __init__(self, engine: Engine) -> None:
        rows = engine.execute(engine.read(LEDGER).order_by("file_id")).to_dict("records")
        self.bookings = [_booking(row) for row in rows]

    def knows(self, found: Input, sha256: str) -> bool:
        """Whether this content was loaded under this path."""
        return any(b.feed == found.feed and b.file == found.path and b.sha256 == sha256 for b in self.bookings)

    def knows_content(self, feed: str, sha256: str) -> bool:
        """Whether good rows of this content were loaded under any path: under a wrong ending there are none."""
        return any(b.feed == feed and b.sha256 == sha256 and b.rows_read > b.rows_quarantined for b in self.bookings)

    def id_of(self, found: Input) -> int:
        """Return the number of a file: its own if its path was loaded before, so that no row loses its file."""
        own = (b.file_id for b in self.bookings if (b.feed, b.file) == (found.feed, found.path))
        return next(own, max((b.file_id for b in self.bookings), default=0) + 1)

    def gives(self, feed: str, *, beside: str) -> bool:
        """Whether a file of a feed was loaded, beside the one that stands in for it."""
        return any(b.feed == feed and b.file != beside for b in self.bookings)

    def withdraw(self, engine: Engine, stand_in: Input) -> None:
        """Take back what a file brought that stood in for a feed, as if it had never been loaded."""
        gone = [b for b in self.bookings if (b.feed, b.file) == (stand_in.feed, stand_in.path)]
        for booking in gone:
            with engine.transaction():
                engine.delete(booking.feed, _file=str(booking.file_id))
                engine.delete(LEDGER, feed=booking.feed, file=booking.file)
        self.bookings = [b for b in self.bookings if b not in gone]

    def enter(self, engine: Engine, booking: Booking) -> None:
        """Book a file in place of what was booked for its path."""
        kept = [b for b in self.bookings if (b.feed, b.file) != (booking.feed, booking.file)]
        engine.delete(LEDGER, feed=booking.feed, file=booking.file)
        engine.append(LEDGER, _table(LEDGER, {name: [value] for name, value in vars(booking).items()}))
        self.bookings = [*kept, booking]


def load(engine: Engine, ledger: Ledger, found: Input) -> Booking | None:
    """Load a file unless the ledger knows it, and return its booking.

    The same content under another path is judged again, so that the path has its own counts,
    but changes no feed: what it holds was loaded and may have been corrected since.
    """
    fingerprint = found.fingerprint()
    sha256 = fingerprint.sha256
    if ledger.knows(found, sha256):
        return None
    booking = Booking(found.feed, found.path, ledger.id_of(found), sha256)
    with tempfile.TemporaryDirectory(prefix="o2o-") as scratch:
        with fingerprint.holding():
            staged = found.stage(engine, Path(scratch))
            # Before the transaction: of a table that is new in it, deleting a row would write all others again.
            records = _judged(engine, booking, staged)
        with engine.transaction():
            engine.delete("quarantine", feed=found.feed, file=found.path)
            if staged is not None:
                again = ledger.knows_content(found.feed, sha256)
                booking = _load_staged(engine, booking, staged, records, apply=not again)
            ledger.enter(engine, booking)
    return booking


def _judged(engine: Engine, booking: Booking, staged: Staged | None) -> ir.Table | None:
    if staged is None or staged.table is None:
        return None
    return engine.stage(judged(contract(booking.feed), staged.table, staged.names, staged.raw))


def _load_staged(engine: Engine, booking: Booking, staged: Staged, records: ir.Table | None, *, apply: bool) -> Booking:
    feed = contract(booking.feed)
    lines = {"_line": [m.line for m in staged.malformed], RAW: [m.raw for m in staged.malformed]}
    broken = ibis.memtable(pa.table(lines, _MALFORMED))
    rejected = _quarantine(engine, booking, broken.mutate(**{REASON: ibis.literal(MALFORMED_LINE)}))
    done, good = Upsert(0, 0), 0
    if records is not None:
        bad = engine.numbered(records)
        bad = with_lines(bad.filter(bad[REASON].notnull()).select(ORDINAL, REASON, RAW), staged.line_changes)
        bad_records = _quarantine(engine, booking, bad)
        rejected += bad_records
        good = int(engine.execute(records.count())) - bad_records
        done = engine.upsert(feed.name, records, file_id=booking.file_id) if apply else Upsert(0, good)
    present = set(staged.names.values())
    return replace(
        booking,
        rows_read=good + rejected,
        rows_accepted=done.accepted,
        rows_quarantined=rejected,
        rows_duplicate=done.duplicates,
        unknown_columns=tuple(sorted(present - set(feed.column_names))),
        missing_columns=tuple(c.name for c in feed.columns if not c.nullable and c.name not in present)
        if staged.names
        else (),
    )


def _quarantine(engine: Engine, booking: Booking, bad: ir.Table) -> int:
    """Add rejected records to the quarantine and return how many."""
    prefix = ibis.literal(f"{booking.feed}\0{booking.file}\0")
    rows = bad.select(
        rejection_id=(prefix + bad._line.cast("string")).hexdigest("sha256").left(32),
        feed=ibis.literal(booking.feed),
        file=ibis.literal(booking.file),
        line=bad._line,
        reason=bad[REASON],
        column=bad[REASON].re_extract(":(.*)$", 1).nullif(""),
        raw=bad[RAW],
    )
    return engine.append("quarantine", rows)


def _table(name: str, rows: Mapping[str, Any]) -> ir.Table:
    declared = contract(name)
    return ibis.memtable(pd.DataFrame({c: rows[c] for c in declared.column_names}), schema=declared.schema)


def _booking(row: dict[str, Any]) -> Booking:
    listed = {name: tuple(row[name]) for name in ("unknown_columns", "missing_columns")}
    return Booking(**{**row, **listed})
