"""A new day on top of a large home, and the same files built anew.

``python -m benchmarks.new_day CUSTOMERS`` measures a smaller world.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tianchi_job import CUSTOMERS, apart
from o2o_mining.engine.home import open_home
from o2o_mining.engine.snapshot import read_manifest

# Feeds that get a day more: their key and their moment.
GROWING = {
    "touches": ("touch_id", "touched_at"),
    "online_orders": ("order_id", "ordered_at"),
    "coupon_receipts": ("receipt_id", "received_at"),
    "offline_redemptions": ("redemption_id", "redeemed_at"),
}
LAST_DAY = "2016-06-30"


def measure(customers: int = CUSTOMERS) -> Iterator[str]:
    """Yield what a day more costs on top of a home of the Tianchi layout, beside building all of it anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world, grown, anew = folder / "world", folder / "grown", folder / "anew"
        run = ("o2o_mining.cli", "run", "--source", "tianchi", "--input", world, "--home")
        apart(folder, "o2o_mining.cli", "simulate", "--format", "tianchi", "--customers", customers, "--out", world)
        first, _ = apart(folder, *run, grown)
        rows = {feed: _one_day_more(grown, feed, key, at) for feed, (key, at) in GROWING.items()}
        day, _ = apart(folder, *run, grown)
        shutil.copytree(grown / "landing", anew / "landing")
        again, _ = apart(folder, *run, anew)
        if _files(grown) != _files(anew):
            raise AssertionError("the day on top gives other bytes than building anew")
    yield f"{customers:,} customers; the day has " + ", ".join(f"{count:,} {feed}" for feed, count in rows.items())
    for what in first:
        costs = {"all before it": first, "the day on top": day, "all of it anew": again}
        yield f"{what:<20} " + "   ".join(f"{title} {cost[what]:8,.1f}" for title, cost in costs.items())
    yield "the same bytes on top and anew, restatements and slices of earlier days apart"


def _one_day_more(home: Path, feed: str, key: str, at: str) -> int:
    """Land the last day of a feed once more, a day later and under new ids; return its rows."""
    folder = home / "landing" / feed
    folder.mkdir(parents=True)
    opened = open_home(home)
    receipt = ", NULL AS receipt_id" if feed == "offline_redemptions" else ""  # of the day before, and used up
    query = (  # of our own names alone
        f"SELECT * REPLACE ('later:' || {key} AS {key}, {at} + INTERVAL 1 DAY AS {at}{receipt}) FROM {feed}"  # noqa: S608
        f" WHERE CAST({at} AS DATE) = DATE '{LAST_DAY}' ORDER BY {key}"
    )
    rows = opened.sql(query).to_pandas()
    opened.close()
    rows.to_csv(folder / "later.csv", index=False)
    return len(rows)


def _files(home: Path) -> dict[tuple[str, str], Any]:
    tables = read_manifest(home / "snapshots")["tables"]
    last = max(part["as_of"] for part in tables["segments"]["slices"])
    return {
        (table, part["part"]): part["sha256"]
        for table, found in tables.items()
        for part in found["slices"]
        if table != "restatements" and part["as_of"] in (None, last)
    }


if __name__ == "__main__":
    for line in measure(int(sys.argv[1])):
        print(line)  # noqa: T201 - this is its output
