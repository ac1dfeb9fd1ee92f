"""A new day on top of a home changes what it must, and leaves what building it all anew from the same files gives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.engine import catalog
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.snapshot import read_manifest
from o2o_mining.simulator import World, write
from pipelines.execution import Outcome
from tests.scenarios.conftest import Run

WORLD = World(
    customers=int(os.environ.get("O2O_CUSTOMERS", "200")), days=100, seed=int(os.environ.get("O2O_SEED", "11"))
)
DELIVERIES = 2
MONTHLY_ABOVE = 1000  # some of the tables are parted, some are whole
FOLLOWING = {"purchases", "journey_touches", "journeys", "coupon_lifecycle", "touch_credits"}


@pytest.fixture
def deliveries(tmp_path: Path) -> list[Path]:
    """Write a world into a folder up to a day, and deliveries after it, each with late rows and corrections."""
    write(WORLD, tmp_path / "world", "csv")
    folders = [tmp_path / "in", *(tmp_path / f"delivery-{number}" for number in range(1, DELIVERIES))]
    chance = np.random.default_rng(3)
    for feed in tables(Kind.FEED):
        file = tmp_path / "world" / f"{feed.name}.csv"
        if file.exists():
            rows = pd.read_csv(file, dtype=str, keep_default_na=False)
            for number, part in enumerate(_delivered(feed.name, rows, chance)):
                if len(part) or not number:
                    folders[number].mkdir(exist_ok=True)
                    part.to_csv(folders[number] / f"{feed.name}.csv", index=False)
    return folders


def _delivered(feed: str, rows: pd.DataFrame, chance: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Yield what comes with each delivery: the rows of its days, some a delivery late, some corrected by the next."""
    number = np.zeros(len(rows), dtype=int)
    at = contract(feed).at
    if at:
        days = pd.to_datetime(rows[at].where(rows[at] != "")).fillna(pd.Timestamp(0)).to_numpy()
        borders = np.datetime64(WORLD.end) - np.arange(DELIVERIES - 1, 0, -1).astype("timedelta64[D]")
        number = np.searchsorted(borders, days, side="right")
    late = chance.random(len(rows)) < 0.02
    number = np.minimum(number + late, DELIVERIES - 1)
    wrong = rows.copy()
    for column, other in (("paid_amount", "1.00"), ("tracking_code", ""), ("coupon_id", ""), ("customer_id", "x")):
        if column in rows and column not in contract(feed).key:
            wrong.loc[chance.random(len(rows)) < 0.004, column] = other
    for delivery in range(DELIVERIES):
        corrected = (number == delivery - 1) & (wrong != rows).any(axis=1)
        first = wrong[number == delivery] if delivery < DELIVERIES - 1 else rows[number == delivery]
        yield pd.concat([first, rows[corrected]])


def _land(home: Path, delivery: Path) -> None:
    for file in delivery.glob("*.csv"):
        (home / "landing" / file.stem).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, home / "landing" / file.stem / f"{delivery.name}.csv")


def _files(outcome: Outcome) -> dict[tuple[str, str], tuple[str, int]]:
    """Return the files of events, and of what was mined as of the last day."""
    listed = read_manifest(outcome.home / "snapshots")["tables"]
    return {
        (table, part["part"]): (part["sha256"], part["rows"])
        for table, found in listed.items()
        for part in found["slices"]
        if table not in ("restatements", "segment_migration") and part["as_of"] in (None, str(outcome.as_of))
    }


def test_days_that_come_one_by_one_give_the_bytes_of_a_home_built_anew(
    deliveries: list[Path], mine_few: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MONTHLY_ABOVE", MONTHLY_ABOVE)
    rewritten: list[str] = []
    rewrite = DuckDBEngine.rewrite

    def watched(self: DuckDBEngine, table: str, *args: object, **options: object) -> int:
        rewritten.append(table)
        return rewrite(self, table, *args, **options)  # type: ignore[arg-type]

    grown = mine_few(deliveries[0])
    monkeypatch.setattr(DuckDBEngine, "rewrite", watched)
    for delivery in deliveries[1:]:
        _land(grown.home, delivery)
        grown = mine_few(deliveries[0])
    assert set(rewritten) == FOLLOWING
    anew = tmp_path / "anew"
    for delivery in deliveries[1:]:
        _land(anew, delivery)
    assert _files(mine_few(deliveries[0], home=anew)) == _files(grown)
