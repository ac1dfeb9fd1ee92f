"""What comes with a source as a guess holds until somebody says better, and then is gone without a trace."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from o2o_mining.core.settings import Settings
from o2o_mining.ingest.inputs import Found
from o2o_mining.ingest.sources.complete_journey import ASSUMED_COSTS
from o2o_mining.ingest.sources.folder import FolderSource, StandIn
from o2o_mining.ingest.steps import load_feeds
from tests.unit.ingest.conftest import World

COSTS = "campaign_id,channel,spent_on,cost\n"
GUESS = COSTS + "c1,mail,2017-01-01,5.00\nc2,mail,2017-02-01,7.00\n"
OWN = COSTS + "c1,mail,2017-01-15,9.00\n"


@dataclass(frozen=True)
class Guessing:
    """A source that holds nothing but a guess."""

    file: Path
    kind: str = "guessing"
    place: str = ""
    defaults: Settings = Settings()

    def find(self) -> Found:
        return Found((StandIn("campaign_costs", "assumed/campaign_costs.csv", self.file),))


@pytest.fixture
def guess(tmp_path: Path) -> Guessing:
    (tmp_path / "guess.csv").write_text(GUESS)
    return Guessing(tmp_path / "guess.csv")


def _load(world: World, guess: Guessing) -> tuple[str, ...]:
    landing = FolderSource(world.landing, prefix="landing/")
    return load_feeds(world.engine, [guess, landing])["campaign_costs"].notes


def _costs(world: World) -> list[tuple[str, str, str]]:
    rows = world.values("campaign_costs", "campaign_id", "spent_on", "cost")
    return [(name, str(day)[:10], str(cost)) for name, day, cost in rows]


def test_a_guess_is_loaded_and_said_to_be_one(world: World, guess: Guessing) -> None:
    (note,) = _load(world, guess)
    assert note == (
        "assumed/campaign_costs.csv is a guess; a file campaign_costs.csv in the landing folder takes its place"
    )
    assert _costs(world) == [("c1", "2017-01-01", "5.00"), ("c2", "2017-02-01", "7.00")]


def test_it_makes_way_for_a_file_that_is_there_from_the_beginning(world: World, guess: Guessing) -> None:
    (world.landing / "campaign_costs.csv").write_text(OWN)
    assert _load(world, guess) == ()
    assert _costs(world) == [("c1", "2017-01-15", "9.00")]
    assert world.quality() == {"landing/campaign_costs.csv": (1, 1, 0, 0)}


def test_it_makes_way_for_a_file_that_comes_later_with_all_it_had_brought(world: World, guess: Guessing) -> None:
    _load(world, guess)
    (world.landing / "campaign_costs.csv").write_text(OWN)
    assert _load(world, guess) == ()
    assert _costs(world) == [("c1", "2017-01-15", "9.00")]
    assert world.quality() == {"landing/campaign_costs.csv": (1, 1, 0, 0)}


def test_it_does_not_come_back_once_the_landing_folder_is_cleared(world: World, guess: Guessing) -> None:
    (world.landing / "campaign_costs.csv").write_text(OWN)
    _load(world, guess)
    (world.landing / "campaign_costs.csv").unlink()
    _load(world, guess)
    assert _costs(world) == [("c1", "2017-01-15", "9.00")]


def test_another_feed_in_the_landing_folder_leaves_it_in_force(world: World, guess: Guessing) -> None:
    (world.landing / "stores.csv").write_text("store_id,merchant_id\ns,m\n")
    _load(world, guess)
    assert len(_costs(world)) == 2


def test_the_guess_of_complete_journey_has_one_row_for_each_of_its_27_campaigns() -> None:
    with ASSUMED_COSTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["campaign_id"] for row in rows] == [str(number) for number in range(1, 28)]
    assert {row["channel"] for row in rows} == {"mail"}
    # 1,076 households of the personal selection 8 at 0.65 each; 13 of the leaflet 1 at 0.50 each.
    costs = {row["campaign_id"]: (date.fromisoformat(row["spent_on"]), row["cost"]) for row in rows}
    assert costs["8"] == (date(2017, 5, 8), "699.40")
    assert costs["1"] == (date(2017, 3, 3), "6.50")
