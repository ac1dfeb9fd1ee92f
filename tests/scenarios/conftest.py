"""Runs of the whole job on small folders, each in a folder of its own; those that are only read are made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from o2o_mining.core.settings import SETTINGS_FILE, Settings, write_settings
from o2o_mining.engine.snapshot import read_manifest
from pipelines import definitions
from pipelines.assets import Days, attribution, marts, publication, segmentation
from pipelines.execution import Outcome, run
from tests.scenarios.feeds import write

Run = Callable[..., Outcome]


@dataclass(frozen=True)
class Part:
    """Some operations of a room, to stand for all of it."""

    room: ModuleType
    names: frozenset[str]

    def assets(self, days: Days) -> list[dg.AssetsDefinition]:
        return [asset for asset in self.room.assets(days) if asset.node_def.name in self.names]


Rooms = tuple[ModuleType | Part, ...]
# Dagster lists every day there is: the fewer, the sooner. The days of these folders and worlds are later.
FIRST_PARTITION = date(2022, 1, 1)
# Enough where a test asks of what comes in and is added up, not of what is learned from it.
_CREDIT = Part(attribution, frozenset({"attribution_ledger", "campaign_attribution"}))
FEW_ROOMS = (marts, _CREDIT, segmentation, publication)


def miner(place: Path, rooms: Rooms = definitions.ROOMS) -> Run:
    """Return how the job is run with homes in a folder.

    What Dagster records is kept in memory alone. That it is kept on disk, and how, tests/pipelines proves.
    """

    def go(folder: Path, *, home: str = "home", as_of: date | None = None) -> Outcome:
        (place / home).mkdir(parents=True, exist_ok=True)
        if not (place / home / SETTINGS_FILE).exists():
            write_settings(place / home, Settings(first_partition=FIRST_PARTITION))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.execution.open_instance", dg.DagsterInstance.ephemeral)
            patch.setattr(definitions, "ROOMS", rooms)
            return run("folder", folder, place / home, as_of, lambda _: None)

    return go


@pytest.fixture
def mine(tmp_path: Path) -> Run:
    """Run the job on a folder; everything it leaves behind lies in the test's own folder."""
    return miner(tmp_path)


@pytest.fixture
def mine_few(tmp_path: Path) -> Run:
    """Run the job without the rooms that learn, likewise."""
    return miner(tmp_path, FEW_ROOMS)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return a home of all hand-made feeds, to be read only; the folder ``in`` lies beside it."""
    place = tmp_path_factory.mktemp("shop")
    return miner(place)(write(place / "in"))


@pytest.fixture(scope="session")
def early(tmp_path_factory: pytest.TempPathFactory, shop: Outcome) -> Outcome:
    """Return a home of the same folder as of a day two weeks before, to be read only.

    The day lies before o2's refund, the cancellation of o3, and cleo's purchases.
    """
    return miner(tmp_path_factory.mktemp("early"))(shop.home.parent / "in", as_of=date(2024, 3, 7))


@pytest.fixture(scope="session")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return a home of nothing but offline redemptions, to be read only; files of other names lay beside them."""
    place = tmp_path_factory.mktemp("visits")
    folder = write(place / "in", "offline_redemptions")
    (folder / "notes.txt").write_text("hello")
    (folder / "orders.csv").write_text("a\n1\n")
    return miner(place)(folder)


def published(outcome: Outcome) -> dict[tuple[str, str | None], str]:
    """Return the fingerprint of every published table and slice."""
    tables: dict[str, Any] = read_manifest(outcome.home / "snapshots")["tables"]
    return {(name, part["as_of"]): part["sha256"] for name, table in tables.items() for part in table["slices"]}
