"""Every feature equals a slow reckoning one customer at a time, and knows nothing of what came later."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from o2o_mining.contracts.features import FEATURES
from o2o_mining.core.settings import Settings
from o2o_mining.marts import steps
from o2o_mining.simulator import World
from tests.unit.marts.feature_oracle import Oracle
from tests.unit.marts.random_world import random_world
from tests.unit.marts.simulated import cut, load, made
from tests.unit.marts.worlds import fill, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from o2o_mining.engine.duckdb import DuckDBEngine
    from tests.unit.marts.worlds import Row

NAMES = [feature.name for feature in FEATURES]


def computed(engine: DuckDBEngine, day: date, zone: str = "UTC") -> dict[str, Row]:
    settings = Settings(timezone=zone)
    steps.build_known(engine, as_of=day, settings=settings)
    steps.build_customer_features(engine, as_of=day, settings=settings)
    return {row["customer_id"]: {name: row[name] for name in NAMES} for row in rows(engine, "customer_features")}


def expected(engine: DuckDBEngine, day: date, zone: str) -> dict[str, Row]:
    """Ask the oracle, of the feeds cut on the day and the tables as known before it."""
    cut(engine, day)
    tables = {
        "everybody": "known_customers", "customers": "customers", "purchases": "known_purchases",
        "journey_touches": "known_journey_touches", "coupons": "known_coupon_lifecycle", "reviews": "reviews",
        "merchants": "merchants", "stores": "stores",
    }  # fmt: skip
    held = {name: _frame(engine, f"SELECT * FROM {table}") for name, table in tables.items()}  # noqa: S608
    held["touches"] = _frame(
        engine,
        "SELECT customer_id, touched_at, channel, campaign_id, action, device FROM touches UNION ALL"
        " SELECT customer_id, sent_at, channel, campaign_id, 'impression', NULL FROM sends WHERE tracking_code IS NULL"
        " OR tracking_code NOT IN (SELECT tracking_code FROM touches WHERE tracking_code IS NOT NULL)",
    )
    return Oracle(held, day, zone).features()


def _frame(engine: DuckDBEngine, sql: str) -> pd.DataFrame:
    found = engine.connection.execute(sql)
    names = [column[0] for column in found.description or ()]
    return pd.DataFrame(found.fetchall(), columns=names, dtype=object)


def differing(found: dict[str, Row], wanted: dict[str, Row]) -> list[tuple[str, str, Any, Any]]:
    assert sorted(found) == sorted(wanted)
    return [
        (customer, name, row[name], wanted[customer][name])
        for customer, row in found.items()
        for name in NAMES
        if not _alike(row[name], wanted[customer][name])
    ]


def _alike(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return float(found) == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[World], Path]:
    """Write each world once."""
    known: dict[World, Path] = {}

    def folder(given: World) -> Path:
        if given not in known:
            known[given] = made(given, tmp_path_factory.mktemp("world") / "feeds")
        return known[given]

    return folder


@pytest.mark.parametrize(
    ("scenario", "zone", "day"),
    [("balanced", "Asia/Taipei", date(2025, 3, 1)), ("bad-service", "America/New_York", date(2024, 11, 20))],
)
def test_every_feature_of_a_simulated_world_is_as_reckoned_slowly(
    engine: DuckDBEngine, world: Callable[[World], Path], scenario: str, zone: str, day: date
) -> None:
    load(engine, world(World(customers=400, days=480, scenario=scenario, seed=5)))
    found = computed(engine, day, zone)
    assert differing(found, expected(engine, day, zone)) == []
    # No feature stands for nothing here: each tells some from others, but that people there have one device.
    told = {name: {row[name] for row in found.values()} - {None} for name in NAMES}
    assert [name for name, values in told.items() if len(values) < 2] == ["main_device_share"]


@pytest.mark.parametrize("seed", range(3))
def test_features_of_logs_with_gaps_and_ties_are_as_reckoned_slowly(engine: DuckDBEngine, seed: int) -> None:
    fill(engine, random_world(seed))
    day, missing = date(2024, 5, 5), {"merchants", "stores", "reviews"}
    found = computed(engine, day)
    wanted = expected(engine, day, "UTC")
    for row in wanted.values():
        row.update({feature.name: None for feature in FEATURES if missing & set(feature.feeds)})
    assert differing(found, wanted) == []
    assert len(found) > 5


@pytest.mark.parametrize("day", [date(2024, 6, 15), date(2024, 12, 31), date(2025, 4, 7)])
def test_features_of_a_day_are_those_of_feeds_cut_on_that_day(
    engine: DuckDBEngine, world: Callable[[World], Path], day: date
) -> None:
    load(engine, world(World(customers=1000, days=480, seed=9)))
    of_all = computed(engine, day)
    cut(engine, day)
    assert computed(engine, day) == of_all
    assert len(of_all) > 500
