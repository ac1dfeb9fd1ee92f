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
from tests.scenarios.conftest import Run


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


def test_a_dirty_world_is_counted_exactly_as_its_damage_says(mine: Run, tmp_path: Path) -> None:
    write(World(400, 120), tmp_path / "world", dirt=0.1)
    found = evaluate(mine(tmp_path / "world").home)
    counts = found[found["room"] == "ingest"]
    assert len(counts) == 5 * 18
    assert (counts["error"] == 0).all()
    rejected = counts[counts["quantity"] == "touches: rows_quarantined"]
    assert (rejected["truth"] > 0).all()


def test_the_command_prints_saves_and_speaks_to_machines(mine: Run, tmp_path: Path) -> None:
    write(World(300, 90), tmp_path / "world")
    home = mine(tmp_path / "world").home
    said = CliRunner().invoke(main, ["evaluate", "--home", str(home)])
    assert said.exit_code == 0, said.output
    assert "Rankings" in said.stdout
    assert str(home / "evaluation.csv") in said.stdout
    saved = pd.read_csv(home / "evaluation.csv")
    document = json.loads(CliRunner().invoke(main, ["evaluate", "--home", str(home), "--json"]).stdout)
    assert [row["quantity"] for row in document["estimates"]] == saved["quantity"].tolist()


def test_the_truth_of_another_world_is_refused(mine: Run, tmp_path: Path) -> None:
    for seed in (1, 2):
        write(World(200, 60, seed=seed), tmp_path / str(seed))
    home = mine(tmp_path / "1").home
    assert len(evaluate(home, truth=tmp_path / "1" / "truth"))
    with pytest.raises(UsageError, match="not the truth of the feeds"):
        evaluate(home, truth=tmp_path / "2" / "truth")


def test_a_home_without_truth_is_told_how_to_get_one(mine: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "offline_redemptions.csv").write_text(
        "redemption_id,customer_id,merchant_id,redeemed_at,paid_amount\nr1,ann,m1,2024-03-05 18:00:00,12.50\n"
    )
    home = mine(tmp_path / "in").home
    with pytest.raises(UsageError, match="came without truth"):
        evaluate(home)
    assert CliRunner().invoke(main, ["evaluate", "--home", str(home)]).exit_code == 2
