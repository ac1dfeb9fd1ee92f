"""What a run leaves in Dagster, and what stops one."""

from __future__ import annotations

import errno
from datetime import date
from pathlib import Path

import dagster as dg
import ibis
import pandas as pd
import pytest

import o2o_mining
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import O2OError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts import event_steps
from pipelines.definitions import JOB, build_definitions
from pipelines.execution import run
from pipelines.house import House
from pipelines.instance import PROCESS_TAG, end_orphans, open_instance
from pipelines.reporting import as_markdown, result
from tests.scenarios.feeds import write


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_a_run_shows_in_dagster_with_its_day_rows_checks_and_charts(tmp_path: Path) -> None:
    run("folder", write(tmp_path / "in"), "home", date(2024, 3, 21), lambda _: None)
    with open_instance() as instance:
        (record,) = instance.get_runs()
        assert record.status is dg.DagsterRunStatus.SUCCESS
        assert record.tags["dagster/partition"] == "2024-03-21"
        event = instance.get_latest_materialization_event(dg.AssetKey("segment_profiles"))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert metadata["dagster/row_count"].value == 6  # three by RFM, two stages, one by rule
        page = Path(str(metadata["chart segments"].value).removeprefix("file://"))
        assert "<html>" in page.read_text(encoding="utf-8")
        assert (page.parent / "plotly.min.js").exists()
        assert "| segment |" in str(metadata["Segments"].value)


def test_a_broken_step_stops_the_run_names_itself_and_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> StepReport:
        raise O2OError("the ledger is on fire")

    monkeypatch.setattr("o2o_mining.attribution.credit.steps.build_attribution_ledger", broken)
    with pytest.raises(O2OError, match=r"attribution_ledger failed: .*the ledger is on fire"):
        run("folder", write(tmp_path / "in", "offline_redemptions"), "home", None, lambda _: None)
    assert not Path("home/snapshots/current.json").exists()


def test_a_table_that_breaks_a_rule_stops_the_run_before_it_leaves_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(engine: DuckDBEngine) -> StepReport:
        row = dict.fromkeys(contract("purchases").column_names) | {
            "purchase_id": "o:1", "customer_id": "c", "merchant_id": "m", "purchased_at": "2024-01-01", "source": "fax",
            "refunded_amount": "0",
        }  # fmt: skip
        schema = contract("purchases").schema
        text = ibis.memtable([row], schema=dict.fromkeys(schema, "string"))
        return StepReport("purchases", engine.write("purchases", text.cast(schema)))

    monkeypatch.setattr("o2o_mining.marts.event_steps.build_purchases", build)
    with pytest.raises(O2OError, match=r"purchases: not_allowed:source in 1 rows"):
        run("folder", write(tmp_path / "in", "offline_redemptions"), "home", None, lambda _: None)
    assert not Path("home/snapshots/current.json").exists()


def test_a_run_whose_process_is_gone_is_ended() -> None:
    with open_instance() as instance:
        gone = {PROCESS_TAG: "999999999"}
        ours = instance.add_run(dg.DagsterRun(job_name="daily", status=dg.DagsterRunStatus.STARTED, tags=gone))
        end_orphans(instance)
        ended = instance.get_run_by_id(ours.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE


def test_notes_and_small_tables_become_markdown(tmp_path: Path) -> None:
    engine = DuckDBEngine(":memory:", Settings())
    house = House(tmp_path, engine, Settings(), (), lambda _: None)
    frame = pd.DataFrame({"a|b": [1.0, None], "c": [0.123456, 2.0]})
    shown = result(house, StepReport("merchants", 0, notes=("no feed merchants",)), as_of=None)
    assert shown.metadata is not None
    assert as_markdown(frame) == "| a\\|b | c |\n| --- | --- |\n| 1 | 0.1235 |\n|  | 2 |"
    engine.close()


def test_an_interrupt_from_the_keyboard_ends_the_run_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> StepReport:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("o2o_mining.marts.event_steps.build_purchases", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("folder", write(tmp_path / "in", "offline_redemptions"), "home", None, lambda _: None)
    assert not Path("home/snapshots/current.json").exists()


def test_a_step_that_the_disk_failed_is_tried_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []
    original = event_steps.build_purchases

    def hiccup(engine: DuckDBEngine) -> StepReport:
        tries.append(engine)
        if len(tries) == 1:
            raise OSError("the disk hiccups")
        return original(engine)

    monkeypatch.setattr("o2o_mining.marts.event_steps.build_purchases", hiccup)
    monkeypatch.setattr("pipelines.assets.SECONDS_TO_RETRY", 0)
    outcome = run("folder", write(tmp_path / "in", "offline_redemptions"), "home", None, lambda _: None)
    assert len(tries) == 2
    assert outcome.reports["purchases"].rows == 3


def test_a_run_started_in_dagster_works_on_what_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("O2O_SOURCE", "folder")
    monkeypatch.setenv("O2O_INPUT", str(write(tmp_path / "in", "offline_redemptions")))
    monkeypatch.setenv("O2O_HOME", str(tmp_path / "mine"))
    job = build_definitions().resolve_job_def(JOB)
    silent = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with open_instance() as instance:
        assert job.execute_in_process(instance=instance, partition_key="2024-03-21", run_config=silent).success
    assert len(o2o_mining.load("purchases", home=tmp_path / "mine")) == 3


def test_a_chart_that_cannot_be_written_leaves_no_part_of_what_all_charts_need(tmp_path: Path) -> None:
    class Picture:
        def write_html(self, file: Path, **_: object) -> None:
            (file.parent / "plotly.min.js").write_text("half of it")
            raise OSError("the disk is full")

    engine = DuckDBEngine(":memory:", Settings())
    (tmp_path / "charts").mkdir()
    house = House(tmp_path, engine, Settings(), (), lambda _: None)
    with pytest.raises(OSError, match="the disk is full"):
        result(house, StepReport("merchants", 0, charts={"a picture": Picture}), as_of=None)
    assert list((tmp_path / "charts").iterdir()) == []
    engine.close()


def test_what_the_environment_caused_is_told_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> StepReport:
        raise OSError(errno.ENOSPC, "No space left on device", "purchases.parquet")

    monkeypatch.setattr("o2o_mining.marts.event_steps.build_purchases", full)
    monkeypatch.setattr("pipelines.assets.SECONDS_TO_RETRY", 0)
    with pytest.raises(O2OError, match=r"purchases failed: purchases\.parquet: No space left on device") as said:
        run("folder", write(tmp_path / "in", "offline_redemptions"), "home", None, lambda _: None)
    assert said.value.next_step.startswith("make room on the disks of home")
    assert not Path("home/snapshots/current.json").exists()
