"""Worlds whose truth is known go through the whole job, and the evaluation says how near the estimates are."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from o2o_mining.cli import main
from o2o_mining.core.errors import UsageError
from o2o_mining.simulator import World, evaluate, write
from tests.scenarios.conftest import Run, miner

# What they share is made once.
pytestmark = pytest.mark.xdist_group("worlds")


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a world with damaged records."""
    place = tmp_path_factory.mktemp("dirty")
    write(World(400, 120), place / "world", dirt=0.1)
    return miner(place)(place / "world").home


def test_estimates_of_a_world_are_near_the_truth(mine: Run, tmp_path: Path) -> None:
    write(World(1_500, 360, "heavy-targeting-bias", 2), tmp_path / "world", "parquet")
    outcome = mine(tmp_path / "world")
    assert outcome.as_of == World(1_500, 360).end
    found = evaluate(outcome.home).set_index("quantity")
    redeemed = found.loc["share of all receipts redeemed"]
    assert redeemed["error"] == pytest.approx(0, abs=0.03)
    rankings = found.dropna(subset=["oracle"])
    rankings = rankings[~rankings.index.str.startswith("clusters")]  # by the adjusted Rand index, which is no AUC
    assert (rankings["estimate"] > 0.7).all()
    assert (rankings["estimate"] < rankings["oracle"] + 0.01).all()
    last = found[found.index.str.startswith("last: conversions by")]
    # The last touch credits channels with far more than they cause: that is what the exam is for.
    assert (last["error"] > 0).all()
    assert found.dropna(subset=["truth", "oracle"], how="all")["error"].notna().all()


def test_a_dirty_world_is_counted_exactly_as_its_damage_says(dirty: Path) -> None:
    found = evaluate(dirty)
    counts = found[found["room"] == "ingest"]
    assert len(counts) == 5 * 18
    assert (counts["error"] == 0).all()
    rejected = counts[counts["quantity"] == "touches: rows_quarantined"]
    assert (rejected["truth"] > 0).all()


def test_the_command_prints_saves_and_speaks_to_machines(dirty: Path) -> None:
    said = CliRunner().invoke(main, ["evaluate", "--home", str(dirty)])
    assert said.exit_code == 0, said.output
    assert "Rankings" in said.stdout
    assert str(dirty / "evaluation.csv") in said.stdout
    saved = pd.read_csv(dirty / "evaluation.csv")
    document = json.loads(CliRunner().invoke(main, ["evaluate", "--home", str(dirty), "--json"]).stdout)
    assert [row["quantity"] for row in document["estimates"]] == saved["quantity"].tolist()


def test_the_truth_of_another_world_is_refused(dirty: Path, tmp_path: Path) -> None:
    write(World(50, 60, seed=2), tmp_path)
    assert len(evaluate(dirty, truth=dirty.parent / "world" / "truth"))
    with pytest.raises(UsageError, match="not the truth of the feeds"):
        evaluate(dirty, truth=tmp_path / "truth")
