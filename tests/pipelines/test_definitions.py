"""What Dagster is given: every table an asset with its contract's columns and check, days, schedule and sensor."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from o2o_mining.contracts.catalogue import TABLES
from o2o_mining.contracts.schema import Kind
from pipelines.definitions import JOB, build_definitions, days_from
from pipelines.instance import configuration
from pipelines.reporting import CHECK

# The ledger of files belongs to the loading of feeds; nobody asks for it.
NO_ASSET = {"loaded_files", "touch_credits"}


@pytest.fixture(scope="module")
def job() -> dg.JobDefinition:
    return build_definitions().resolve_job_def(JOB)


def test_importing_the_definitions_touches_no_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import pipelines.definitions"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_table_is_an_asset_and_so_are_the_snapshot_and_the_files_made_from_it(job: dg.JobDefinition) -> None:
    keys = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    assert keys == {name for name in TABLES if name not in NO_ASSET} | {"snapshot", "offer_files"}


def test_every_asset_shows_the_columns_and_the_room_of_its_contract(job: dg.JobDefinition) -> None:
    for key in job.asset_layer.executable_asset_keys:
        node = job.asset_layer.get(key)
        assert node.description, key
        assert node.owners, key
        if (name := key.to_user_string()) in TABLES:
            shown = node.metadata["dagster/column_schema"].columns
            assert [column.name for column in shown] == list(TABLES[name].column_names)
            assert node.group_name == TABLES[name].room


def test_every_table_has_one_check_and_only_mined_tables_have_days(job: dg.JobDefinition) -> None:
    for name, table in TABLES.items():
        if name in NO_ASSET:
            continue
        key = dg.AssetKey(name)
        assert [check.name for check in job.asset_layer.get(key).check_keys] == [CHECK]
        by_day = job.asset_layer.get(key).partitions_def is not None
        assert by_day == (table.kind in (Kind.MINED, Kind.WORKING)), name


def test_tomorrow_is_the_last_day_and_the_first_is_a_setting() -> None:
    days = days_from(date(2024, 1, 1))
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert days.get_first_partition_key() == "2024-01-01"
    assert days.get_last_partition_key() == tomorrow.isoformat()


def test_the_schedule_runs_the_day_on_which_it_fires() -> None:
    schedule = build_definitions().resolve_schedule_def("nightly")
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2024, 5, 6, 3, 30, tzinfo=UTC))
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2024-05-06"


def test_the_sensor_fires_once_for_a_file_that_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2O_HOME", str(tmp_path))
    sensor = build_definitions().resolve_sensor_def("landing")
    assert isinstance(sensor(dg.build_sensor_context()), dg.SkipReason)
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "touches.csv").write_text("touch_id\n")
    fired = sensor(dg.build_sensor_context())
    assert isinstance(fired, dg.SensorResult)
    assert len(fired.run_requests or []) == 1
    assert isinstance(sensor(dg.build_sensor_context(cursor=fired.cursor)), dg.SkipReason)


def test_the_yaml_and_a_run_from_the_command_line_agree_on_where_the_state_lies() -> None:
    root = Path(__file__).parents[2]
    said = yaml.safe_load((root / "dagster.yaml").read_text(encoding="utf-8"))
    assert said == configuration(Path("var/dagster"))
