"""What a world leaves on disk: the same bytes each time, and feeds that load without a fault."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import build_data_quality, load_feeds
from o2o_mining.simulator import World, scenario_names, write
from o2o_mining.simulator.writing import EVENTS, FILES

FEEDS = {table.name for table in tables(Kind.FEED)}


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path, kind: str) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(World(customers=150, days=90, seed=seed), tmp_path / name, kind)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    assert _digests(tmp_path / "a") != _digests(tmp_path / "c")


@pytest.mark.parametrize(("scenario", "kind"), [("balanced", "csv"), ("bad-service", "parquet")])
def test_a_world_loads_without_quarantine_duplicates_or_orphans(tmp_path: Path, scenario: str, kind: str) -> None:
    rows = write(World(customers=200, days=120, scenario=scenario), tmp_path / "world", kind)
    engine = DuckDBEngine(":memory:", Settings(threads=1))
    try:
        reports = load_feeds(engine, [FolderSource(tmp_path / "world")])
        build_data_quality(engine, traced_share=None)
        quality = engine.execute(engine.read("data_quality")).query("feed != '(all)'").set_index("feed")
    finally:
        engine.close()
    assert {name: report.rows for name, report in reports.items()} == {name: rows[name] for name in FEEDS}
    assert set(quality.index) == FEEDS
    assert (quality[["rows_quarantined", "rows_duplicate", "orphans"]].sum() == 0).all()
    assert all(report.notes == () for report in reports.values())


def test_every_scenario_makes_a_world(tmp_path: Path) -> None:
    for name in scenario_names():
        assert len(write(World(customers=100, days=60, scenario=name), tmp_path / name)) == FILES


def test_every_feed_has_every_column_of_its_contract_in_order(tmp_path: Path) -> None:
    write(World(customers=100, days=60), tmp_path / "world", "parquet")
    for feed in FEEDS:
        columns = pq.read_schema(tmp_path / "world" / f"{feed}.parquet").names
        assert tuple(columns) == contract(feed).column_names


def test_progress_names_every_file_and_ends_with_the_last(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    rows = write(World(customers=100, days=60), tmp_path / "w", progress=lambda *step: told.append(step))
    assert [name for name, _, _ in told] == list(rows)
    assert told[-1][1:] == (FILES, FILES)


def test_a_sample_world_is_small_and_takes_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    rows = write(World(customers=2_000, days=540), tmp_path / "w")
    assert time.monotonic() - started < 10
    feeds = list((tmp_path / "w").glob("*.csv"))
    assert sum(path.stat().st_size for path in feeds) < 5_000_000
    assert sum(rows[name] for name in EVENTS) > 40_000


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        write(World(customers=100, days=60), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"customers": 1}, "20 customers"), ({"days": 5}, "60 days"), ({"seed": -1}, "seed"), ({"scenario": "x"}, "'x'")],
)
def test_what_makes_no_world_is_refused(arguments: dict[str, int | str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        World(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_number_of_threads_changes_no_byte(tmp_path: Path, kind: str) -> None:
    for threads in ("1", "4"):
        command = [sys.executable, "-m", "o2o_mining.cli", "simulate", "--customers", "600", "--format", kind]
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command += ["--out", str(tmp_path / threads)]
        subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 - our own command
    assert _digests(tmp_path / "1") == _digests(tmp_path / "4")


def test_a_folder_that_cannot_be_made_is_said_before_the_world_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        write(World(customers=100, days=60), tmp_path / "file" / "world")
