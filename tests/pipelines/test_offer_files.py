"""The daily job leaves the lists of its plan in the home, and says so where it may not."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest.mock import create_autospec

import dagster as dg
import ibis
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine
from o2o_mining.engine.duckdb import DuckDBEngine
from pipelines.assets import publication
from pipelines.definitions import days_from
from pipelines.house import House

DAY = date(2024, 3, 21)


def _publish(home: Path, offers: list[dict[str, object]]) -> None:
    usual = {"money": Decimal(0), "int": 1, "double": 0.5, "codes": [], "date": DAY, "boolean": True}
    columns = contract("targeted_offers").columns
    blank = {c.name: None if c.nullable else next(iter(c.allowed), usual.get(c.type, "x")) for c in columns}
    schema = ibis.schema(contract("targeted_offers").schema).to_pyarrow()
    engine = DuckDBEngine(":memory:", Settings(threads=1))
    rows = pa.Table.from_pylist([blank | offer for offer in offers], schema=schema)
    engine.write("targeted_offers", ibis.memtable(rows), as_of=DAY)
    engine.publish(home / "snapshots", inputs=[], now=DAY, keep=1, run_id="test")
    engine.close()


def _run(home: Path, settings: Settings) -> tuple[list[str], dict[str, object]]:
    """Materialise the asset and return what was said, and its metadata."""
    said: list[str] = []
    house = House(home, create_autospec(Engine), settings, (), said.append)
    (asset,) = (
        one for one in publication.assets(days_from(DAY)) if one.key.to_user_string() == publication.OFFER_FILES
    )
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([asset], instance=instance, partition_key=str(DAY), resources={"house": house})
        (made,) = done.asset_materializations_for_node(publication.OFFER_FILES)
    return said, {name: value.value for name, value in made.metadata.items()}


@pytest.mark.parametrize(("assumed", "lists"), [(True, 4), (False, 0)])
def test_the_lists_of_a_plan_lie_in_the_home_or_it_is_said_why_not(tmp_path: Path, assumed: bool, lists: int) -> None:
    _publish(tmp_path, [{"customer_id": "ann", "campaign_id": one} for one in ("spring", "autumn")])
    said, metadata = _run(tmp_path, Settings(assumed_consent=assumed, language="zh-Hant"))
    names = [f"offers-{one}-{DAY}.zh-Hant.{ending}" for one in ("autumn", "spring") for ending in ("csv", "xlsx")]
    assert metadata["files"] == names[:lists]
    if assumed:
        with (tmp_path / "exports" / names[0]).open(encoding="utf-8-sig", newline="") as file:
            assert [row["顧客編號"] for row in csv.DictReader(file)] == ["ann"]
        assert said == [f"4 lists of offers in {tmp_path / 'exports'}"]
    else:
        assert said[0] == "no list of offers to write"
        assert ["assumed_consent" in line for line in said[1:]] == [True, True]


def test_a_day_without_offers_writes_nothing_and_does_not_fail(tmp_path: Path) -> None:
    _publish(tmp_path, [])
    said, metadata = _run(tmp_path, Settings())
    assert (said, metadata["files"]) == (["no list of offers to write"], [])
    assert not (tmp_path / "exports").exists()
