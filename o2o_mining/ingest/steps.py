"""Steps of ingest: load the feeds, count what came of each file, keep contact data apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.redaction import redact
from o2o_mining.engine.base import StepReport
from o2o_mining.ingest.inputs import Input, Source
from o2o_mining.ingest.loading import LEDGER, Booking, Ledger, load
from o2o_mining.ingest.quality import orphans

if TYPE_CHECKING:
    from o2o_mining.engine.base import Engine

# The row of data_quality that speaks of all files together.
ALL = "(all)"
# Where a file has no header its first record stands for one, or all of it.
_SHOWN_COLUMNS, _SHOWN_LETTERS = 20, 64


def load_feeds(
    engine: Engine, sources: Sequence[Source], *, progress: Callable[[str], None] = lambda _: None
) -> dict[str, StepReport]:
    """Load what the sources hold and the ledger does not know; return a report per feed.

    Parameters
    ----------
    engine
        Where to load to.
    sources
        In the order in which their files are loaded.
    progress
        Told of every file before it is loaded.
    """
    ledger = Ledger(engine)
    every = _in_force(engine, ledger, [file for source in sources for file in source.find().inputs])
    loaded: dict[str, list[Booking]] = {}
    number = 0
    for _, feeds_of_a_file in groupby(every, key=lambda file: file.path):
        try:
            for file in feeds_of_a_file:
                number += 1
                progress(f"{number}/{len(every)} {file.path} as {file.feed}")
                booking = load(engine, ledger, file)
                if booking is not None:
                    loaded.setdefault(file.feed, []).append(booking)
        finally:
            engine.drop_staged()
    reports = {
        table.name: _feed_report(engine, ledger, table.name, loaded.get(table.name, [])) for table in tables(Kind.FEED)
    }
    for file in (file for file in every if file.stands_in):
        said = f"{file.path} is a guess; a file {file.feed}.csv in the landing folder takes its place"
        reports[file.feed] = replace(reports[file.feed], notes=(*reports[file.feed].notes, said))
    return reports


def _in_force(engine: Engine, ledger: Ledger, found: list[Input]) -> list[Input]:
    """Return the files to load: what only stands in for a feed makes way, also afterwards, for who gives the feed."""
    given = {file.feed for file in found if not file.stands_in}
    replaced = [
        file for file in found if file.stands_in and (file.feed in given or ledger.gives(file.feed, beside=file.path))
    ]
    for file in replaced:
        ledger.withdraw(engine, file)
    return [file for file in found if file not in replaced]


def _feed_report(engine: Engine, ledger: Ledger, feed: str, loaded: list[Booking]) -> StepReport:
    if feed not in {booking.feed for booking in ledger.bookings}:
        return StepReport(feed, 0, notes=(f"no feed {feed}",), figures={"files loaded": 0, "rows read": 0})
    notes = []
    for booking in loaded:
        if booking.rows_quarantined:
            notes.append(f"{booking.file}: {booking.rows_quarantined} of {booking.rows_read} rows in quarantine")
        if booking.missing_columns:
            notes.append(f"{booking.file}: lacks the column(s) {', '.join(booking.missing_columns)}")
        if booking.unknown_columns:
            more = len(booking.unknown_columns) - _SHOWN_COLUMNS
            shown = ", ".join(redact(name[:_SHOWN_LETTERS]) for name in booking.unknown_columns[:_SHOWN_COLUMNS])
            unknown = f"{shown} and {more} more" if more > 0 else shown
            notes.append(f"{booking.file}: column(s) {unknown} left out, {feed} has none such")
    rows = engine.execute(engine.read(feed).count())
    return StepReport(
        table=feed,
        rows=int(rows),
        notes=tuple(notes),
        figures={"files loaded": len(loaded), "rows read": sum(booking.rows_read for booking in loaded)},
    )


def ignored_files(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the files of the sources that are no feed."""
    return tuple(path for source in sources for path in source.find().ignored)


def loaded_inputs(engine: Engine) -> list[dict[str, str]]:
    """Return feed, file and sha256 of every file loaded, in the order of loading."""
    return [{"feed": b.feed, "file": b.file, "sha256": b.sha256} for b in Ledger(engine).bookings]


def build_customer_contacts(engine: Engine) -> StepReport:
    """Write how customers can be reached, apart from the customers themselves."""
    customers = engine.read("customers")
    reachable = ibis.or_(*(customers[c.name].notnull() for c in contract("customers").columns if c.withheld))
    rows = engine.write("customer_contacts", customers.filter(reachable))
    return StepReport("customer_contacts", rows)


def report_quarantine(engine: Engine) -> StepReport:
    """Report what lies in quarantine, by feed and reason."""
    quarantine = engine.read("quarantine")
    by_reason = quarantine.group_by("feed", "reason").aggregate(rows=quarantine.count())
    sample = engine.execute(by_reason.order_by(ibis.desc("rows"), "feed", "reason").limit(20))
    return StepReport("quarantine", int(engine.execute(quarantine.count())), samples={"by reason": sample})


def build_data_quality(engine: Engine, *, traced_share: float | None) -> StepReport:
    """Write the counts of every file, its orphans, and the traced share of all.

    Parameters
    ----------
    engine
        Where the feeds lie.
    traced_share
        Share of the net amount consumed in stores that leads back online.
    """
    ledger = Ledger(engine)
    lost = _orphans_by_file(engine, {booking.feed for booking in ledger.bookings})
    rows: list[dict[str, Any]] = [
        {
            "feed": b.feed, "file": b.file, "rows_read": b.rows_read, "rows_accepted": b.rows_accepted,
            "rows_quarantined": b.rows_quarantined, "rows_duplicate": b.rows_duplicate,
            "orphans": lost.get(b.file_id, 0), "traced_share": None,
        }
        for b in ledger.bookings
    ]  # fmt: skip
    counts = dict.fromkeys(("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate", "orphans"))
    rows.append({"feed": ALL, "file": ALL, **counts, "traced_share": traced_share})
    frame = pd.DataFrame(rows)
    written = engine.write("data_quality", ibis.memtable(frame, schema=contract("data_quality").schema))
    return StepReport(
        "data_quality", written, figures={"traced share": traced_share}, samples={"files": frame.iloc[:-1]}
    )


def _orphans_by_file(engine: Engine, given: set[str]) -> dict[int, int]:
    known = {name: engine.read(name) for name in given}
    lost: dict[int, int] = {}
    for feed in sorted(given):
        counted = orphans(contract(feed), engine.read(feed), known)
        if counted is not None:
            frame = engine.execute(counted)
            lost.update(zip(frame["_file"].astype(int), frame["orphans"].astype(int), strict=True))
    return lost


__all__ = [
    "LEDGER",
    "build_customer_contacts",
    "build_data_quality",
    "ignored_files",
    "load_feeds",
    "loaded_inputs",
    "report_quarantine",
]
