"""``o2o simulate`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from o2o_mining.cli import main

SMALL = ["simulate", "--customers", "60", "--days", "60"]


def test_it_says_what_was_written_where_and_what_to_do_next(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [*SMALL, "--out", str(tmp_path / "w")])
    assert done.exit_code == 0, done.output
    assert "truth/customer_states" in done.stdout
    assert "o2o run --source folder" in done.stdout
    assert "30/30" in done.stderr


def test_for_machines_it_is_one_document(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [*SMALL, "--out", str(tmp_path / "w"), "--format", "parquet", "--json"])
    said = json.loads(done.stdout)
    assert said["rows"]["customers"] == 60
    assert (tmp_path / "w" / "customers.parquet").exists()


def test_an_unknown_scenario_is_wrong_usage_and_names_those_there_are(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [*SMALL, "--scenario", "sunny", "--out", str(tmp_path / "w")])
    assert done.exit_code == 2
    assert "heavy-targeting-bias" in done.output


def test_dirt_is_asked_for_by_its_rate(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [*SMALL, "--dirt", "0.1", "--out", str(tmp_path / "w")])
    assert done.exit_code == 0, done.output
    assert "truth/expected_quality" in done.stdout
    refused = CliRunner().invoke(main, [*SMALL, "--dirt", "0.1", "--format", "parquet", "--out", str(tmp_path / "p")])
    assert refused.exit_code == 2
    assert "dirt of 0.1 in parquet files is not made" in refused.output
    assert not (tmp_path / "p").exists()


def test_the_tianchi_layout_tells_its_own_days_and_the_source_that_reads_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["simulate", "--customers", "60", "--format", "tianchi", "--out", str(tmp_path / "w")]
    )
    assert done.exit_code == 0, done.output
    assert "182 days to 2016-07-01" in done.stdout
    assert f"o2o run --source tianchi --input {tmp_path / 'w'}" in done.stdout
    assert "7/7" in done.stderr
    refused = CliRunner().invoke(main, [*SMALL, "--format", "tianchi", "--out", str(tmp_path / "x")])
    assert refused.exit_code == 2
    assert "leave out --days" in refused.output
