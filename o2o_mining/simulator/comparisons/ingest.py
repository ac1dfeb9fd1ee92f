"""Ingest: what was damaged on purpose, against what loading found."""

from __future__ import annotations

from collections.abc import Iterator

from o2o_mining.simulator.findings import Evaluated, Finding

COUNTS = ("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate", "orphans")


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare the counts of every feed with those that its damage must give; a clean world has nothing to compare."""
    expected, quality = world.truth("expected_quality"), world.estimates("data_quality")
    if expected.empty:
        return
    expected = expected.groupby("feed", sort=True)[list(COUNTS)].sum().reset_index()
    found = quality[quality["feed"] != "(all)"].groupby("feed")[list(COUNTS)].sum()
    for row in expected.to_dict("records"):
        for count in COUNTS:
            estimate = float(found[count].get(row["feed"], 0))
            yield Finding("ingest", f"{row['feed']}: {count}", float(row[count]), estimate)
