"""What a plan sends comes back as a feed: the next plan knows it, and a code that it sent tells its life."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from o2o_mining.cli import main
from o2o_mining.core.settings import write_settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import load_feeds, loaded_inputs
from o2o_mining.tracking import read, read_keys
from tests.unit.offers.shop import DAY, NOBODY_HELD_OUT, planned, rows_of, shop


def _o2o(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def _publish(engine: DuckDBEngine, home: Path, now: date) -> None:
    engine.publish(home / "snapshots", inputs=loaded_inputs(engine), now=now, keep=5, run_id="test")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose plan is published and not yet approved; this run and the next are in memory."""
    home = tmp_path_factory.mktemp("loop")
    (home / "home.json").write_text(json.dumps({"source": "folder", "input": str(home)}))
    write_settings(home, NOBODY_HELD_OUT)
    engine = shop()
    planned(engine)
    _publish(engine, home, DAY)
    engine.close()
    return home


def test_an_approved_plan_is_read_and_nobody_is_asked_twice(home: Path) -> None:
    done = _o2o("offers", "approve", "--home", str(home))
    assert done.exit_code == 0, done.output
    assert "spring" in done.stdout
    assert all(said in done.stdout for said in ("consent withdrawn", "profiling refused", "held out"))
    again = _o2o("offers", "approve", "--home", str(home), "--json")
    assert json.loads(again.stdout)[0]["files"] == []

    (file,) = (home / "landing" / "sends").iterdir()
    with file.open(encoding="utf-8") as opened:
        sends = list(csv.DictReader(opened))
    code = read(sends[0]["tracking_code"], keys=read_keys(home), on=DAY)
    assert code.valid_until == DAY + timedelta(days=10)

    engine = shop()
    load_feeds(engine, [FolderSource(home / "landing", prefix="landing/")])
    for feed in ("sends", "assignments"):
        assert len(engine.execute(engine.read(feed))) == len(sends)
    assert len(engine.execute(engine.read("quarantine"))) == 0
    # Sent on the day itself, so the plan of the day stays what it was, and that of the next day knows.
    planned(engine)
    assert set(rows_of(engine, "targeted_offers")["customer_id"]) == {row["customer_id"] for row in sends}
    planned(engine, as_of=DAY + timedelta(days=1))
    later = rows_of(engine, "targeted_offers", DAY + timedelta(days=1))
    assert len(later) > 0
    assert not {row["customer_id"] for row in sends} & set(later["customer_id"])

    _publish(engine, home, DAY + timedelta(days=1))
    engine.close()
    life = _o2o("trace", sends[0]["tracking_code"], "--home", str(home))
    assert life.exit_code == 0, life.output
    assert sends[0]["customer_id"] in life.stdout
    stale = _o2o("offers", "approve", "--as-of", str(DAY), "--home", str(home))
    assert (stale.exit_code, "is stale" in stale.output) == (1, True), stale.output
