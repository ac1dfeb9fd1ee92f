"""One source a home, one process at a time, built with today's contracts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from o2o_mining.core.errors import HomeError, WarehouseBusyError
from o2o_mining.core.settings import Settings, read_settings
from o2o_mining.engine import warehouse
from o2o_mining.engine.origin import read_origin
from o2o_mining.engine.warehouse import Origin, holder, open_warehouse
from tests.unit.engine.conftest import all_rows, journey, rows

ORIGIN = Origin("folder", "/data/feeds", Settings(timezone="Asia/Taipei", threads=1))

HOLD = """
import sys
from pathlib import Path
from o2o_mining.core.settings import Settings
from o2o_mining.engine.warehouse import Origin, open_warehouse
with open_warehouse(Path(sys.argv[1]), Origin("folder", "/data/feeds", Settings(threads=1))):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_new_home_is_made_with_its_folders_settings_and_origin(tmp_path: Path) -> None:
    home = tmp_path / "var" / "folder"
    assert read_origin(home) == {}
    with open_warehouse(home, ORIGIN) as engine:
        assert all_rows(engine, "journeys") == []
    assert {"landing", "snapshots", "exports"} <= {path.name for path in home.iterdir() if path.is_dir()}
    assert 'timezone = "Asia/Taipei"' in (home / "settings.toml").read_text()
    bound = read_origin(home)
    assert (bound["source"], bound["input"]) == ("folder", "/data/feeds")
    assert not (home / "warehouse.holder.json").exists()


def test_a_home_is_opened_again_as_it_was_left(tmp_path: Path) -> None:
    with open_warehouse(tmp_path, ORIGIN) as engine:
        engine.write("journeys", rows("journeys", journey(1)))
    (tmp_path / "settings.toml").write_text("lookback_days = 7\n")
    with open_warehouse(tmp_path, ORIGIN) as engine:
        assert len(all_rows(engine, "journeys")) == 1
    assert read_settings(tmp_path, ORIGIN.defaults).lookback_days == 7
    assert read_settings(tmp_path, ORIGIN.defaults).timezone == "Asia/Taipei"


@pytest.mark.parametrize(
    "other", [Origin("folder", "/data/other", Settings()), Origin("complete-journey", "", Settings())]
)
def test_a_home_refuses_another_source(tmp_path: Path, other: Origin) -> None:
    with open_warehouse(tmp_path, ORIGIN) as engine:
        engine.write("journeys", rows("journeys", journey(1)))
    with (
        pytest.raises(HomeError, match="holds the source folder /data/feeds, not") as raised,
        open_warehouse(tmp_path, other),
    ):
        pass
    assert "pass another --home" in str(raised.value)
    with open_warehouse(tmp_path, ORIGIN) as engine:
        assert len(all_rows(engine, "journeys")) == 1


def test_a_warehouse_of_other_contracts_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_warehouse(tmp_path, ORIGIN) as engine:
        engine.write("journeys", rows("journeys", journey(1)))
    monkeypatch.setattr(warehouse, "contracts_version", lambda: "another")
    (tmp_path / "settings.toml").write_text("lookback_days = 7\n")
    with open_warehouse(tmp_path, ORIGIN) as engine:
        assert all_rows(engine, "journeys") == []
        engine.write("journeys", rows("journeys", journey(2)))
    assert read_origin(tmp_path)["contracts"] == "another"
    assert read_settings(tmp_path, ORIGIN.defaults).lookback_days == 7
    with open_warehouse(tmp_path, ORIGIN) as engine:
        assert len(all_rows(engine, "journeys")) == 1


def test_a_second_process_is_refused_and_told_who_holds_the_warehouse(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(WarehouseBusyError) as raised, open_warehouse(tmp_path, ORIGIN):
            pass
        assert f"the warehouse of {tmp_path} is held by process {other.pid} (-c" in str(raised.value)
        assert "since 20" in str(raised.value)
        assert json.loads((tmp_path / "warehouse.holder.json").read_text())["process"] == other.pid
        assert holder(tmp_path).startswith(f"process {other.pid} (-c")
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait(timeout=60) == 0
    assert holder(tmp_path) == ""
    with open_warehouse(tmp_path, ORIGIN) as engine:
        assert all_rows(engine, "journeys") == []


def test_a_process_that_died_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.kill()
        other.wait(timeout=60)
    assert (tmp_path / "warehouse.holder.json").exists()
    with open_warehouse(tmp_path, ORIGIN):
        assert json.loads((tmp_path / "warehouse.holder.json").read_text())["process"] == os.getpid()


def test_the_warehouse_is_given_back_when_something_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with open_warehouse(tmp_path, ORIGIN):
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    with open_warehouse(tmp_path, ORIGIN):
        pass


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match=r"cannot write to .*file"), open_warehouse(tmp_path / "file" / "home", ORIGIN):
        pass
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "landing").write_text("")
    with pytest.raises(HomeError, match=r"cannot write to .*home"), open_warehouse(tmp_path / "home", ORIGIN):
        pass


def test_settings_that_are_wrong_stop_before_the_warehouse_is_touched(tmp_path: Path) -> None:
    with open_warehouse(tmp_path, ORIGIN):
        pass
    (tmp_path / "settings.toml").write_text("lookback = 7\n")
    with pytest.raises(HomeError, match="unknown setting 'lookback'"), open_warehouse(tmp_path, ORIGIN):
        pass


def test_what_a_full_disk_left_of_a_new_warehouse_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb.new").write_bytes(b"half a file")
    (tmp_path / "warehouse.duckdb.new.wal").write_bytes(b"half a log")
    with open_warehouse(tmp_path, ORIGIN) as engine:
        assert all_rows(engine, "customers") == []
    assert sorted(file.name for file in tmp_path.glob("warehouse.duckdb*")) == ["warehouse.duckdb"]
