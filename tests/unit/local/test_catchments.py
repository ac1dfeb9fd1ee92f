"""Catchments of a town that was made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.local.catchments import Drawn, fit_category, radii
from o2o_mining.local.sites import new_store_draw
from o2o_mining.local.steps import build_store_catchments
from tests.unit.local.rows import AS_OF, TOWN_VISITS, Logs, person, shop, table, town, visit

TABLES = ("store_catchments", "distance_decay", "store_sites")


def stored(engine: DuckDBEngine, logs: Logs) -> None:
    engine.write("known_purchases", table("purchases", logs.get("known_purchases", [])), as_of=AS_OF)
    for feed in ("customers", "stores", "merchants"):
        engine.connection.execute(f"DELETE FROM {feed}")  # noqa: S608 - names of the catalogue
        engine.upsert(feed, engine.stage(table(feed, logs.get(feed, []))), file_id=1)


def mined(engine: DuckDBEngine, logs: Logs) -> tuple[dict[str, StepReport], dict[str, pd.DataFrame]]:
    stored(engine, logs)
    reports = {report.table: report for report in build_store_catchments(engine, as_of=AS_OF)}
    frames = {}
    for name in TABLES:
        rows = engine.execute(engine.slice(name, AS_OF).order_by(list(contract(name).key[1:])))
        assert engine.violations(contract(name), as_of=AS_OF) == []
        assert len(rows) == reports[name].rows
        frames[name] = rows
    return reports, frames


@pytest.fixture(scope="module")
def other() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def made(engine: DuckDBEngine) -> tuple[dict[str, StepReport], dict[str, pd.DataFrame]]:
    return mined(engine, town())


def test_a_radius_holds_four_fifths_of_the_redemptions(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]],
) -> None:
    cards = made[1]["store_catchments"].set_index("store_id")
    assert cards.index.tolist() == ["r1", "s1", "s2"]  # nobody came to the idle one
    assert cards["redemptions"].to_dict() == {store: sum(counts) for store, counts in TOWN_VISITS.items()}
    # 70 + 30 of 116 begin within a kilometre of s1, 62 + 26 + 58 of 172 of the rival.
    assert cards["radius_m"].tolist() == pytest.approx([1000, 1000, 1000], abs=10)
    assert cards.loc["s1", "half_radius_m"] == pytest.approx(0, abs=10)
    assert (cards["radius_m_low"] <= cards["radius_m"]).all()
    assert cards["customers"].tolist() == [40, 34, 32]


def test_sisters_are_told_what_they_share_and_what_they_would_get(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]],
) -> None:
    cards = made[1]["store_catchments"].set_index("store_id")
    assert cards.loc["s1", "overlap_store_id"] == "s2"
    # From 2 and 3 km, within a kilometre of s2, begin 12 + 4 of the 116 redemptions of s1.
    assert cards.loc["s1", "overlap_share"] == pytest.approx(16 / 116, abs=1e-4)
    assert 0.05 < float(cards["cannibalised_share"]["s1"]) < 0.3
    assert cards.loc["r1", ["overlap_store_id"]].isna().all()
    assert cards.loc["r1", "overlap_share"] == 0  # of its sister nobody knows a catchment


def test_the_decay_is_that_of_the_town(made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]]) -> None:
    decay = made[1]["distance_decay"].iloc[0]
    assert (decay["category"], decay["stores"], decay["redemptions"]) == ("cafe", 4, 400)
    assert decay["decay_per_km_low"] < 0.95 < decay["decay_per_km_high"]
    assert made[0]["distance_decay"].figures == {"cafe": decay["decay_per_km"]}


def test_sites_are_told_where_ten_people_live(made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]]) -> None:
    sites = made[1]["store_sites"]
    assert sites["customers"].sum() == 40
    assert sites["visits_share"].between(0, 1).all()
    assert set(sites["nearest_store_id"]) <= {"s1", "s2", "r1", "idle"}
    # 400 visits in 100 days are 1,460 a year; no site draws more than all.
    assert (sites["visits_365d"] <= 1460.1).all()


def test_pictures_show_every_hexagon_and_every_store(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]],
) -> None:
    figures = {name: draw() for report in made[0].values() for name, draw in report.charts.items()}
    assert set(figures) == {"catchments", "decay", "sites"}
    texts = [text for trace in figures["catchments"].data for text in (trace.text if trace.text is not None else ())]  # type: ignore[attr-defined]  # Plotly has no types
    assert sorted(texts) == ["r1", "s1", "s2"]
    corners = sum(np.isnan(trace.x).sum() for trace in figures["sites"].data)  # type: ignore[attr-defined]  # as above
    assert corners == len(made[1]["store_sites"])


def test_the_order_of_rows_and_what_comes_later_change_nothing(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]], other: DuckDBEngine
) -> None:
    logs = {name: rows[::-1] for name, rows in town().items()}
    late = [person(f"late{n}", 20.0, joined_at=datetime(2024, 7, 1)) for n in range(30)]
    _, again = mined(other, logs | {"customers": [*late, *logs["customers"]]})
    for name in TABLES:
        pd.testing.assert_frame_equal(made[1][name], again[name], check_exact=True)


def test_without_homes_the_distances_of_the_log_stand_alone(other: DuckDBEngine) -> None:
    logs = {"known_purchases": [visit(str(n), distance_m=float(100 * n)) for n in range(1, 11)]}
    reports, frames = mined(other, logs)
    row = frames["store_catchments"].iloc[0]
    assert (row["radius_m"], row["basis"], row["category"]) == (800.0, "redemptions", "(unknown)")
    assert row[["decay_per_km", "overlap_share", "cannibalised_share"]].isna().all()
    assert frames["distance_decay"].empty
    assert frames["store_sites"].empty
    assert "feed stores is missing: nobody knows where a store is" in reports["store_catchments"].notes


def test_stores_without_a_distance_have_no_catchment(other: DuckDBEngine) -> None:
    logs = {
        "known_purchases": [visit(str(n)) for n in range(200)],
        "customers": [person("ann", None, joined_at=None)], "stores": [shop("s1", None), shop("s2", None)],
    }  # fmt: skip
    reports, frames = mined(other, logs)
    assert all(frame.empty for frame in frames.values())
    assert "no customer has coordinates of a home" in " ".join(reports["store_catchments"].notes)


def test_a_home_without_anything_has_empty_tables_and_says_so(other: DuckDBEngine) -> None:
    reports, frames = mined(other, {})
    assert all(frame.empty for frame in frames.values())
    assert reports["store_catchments"].notes[-1].endswith("there are no catchments")
    assert reports["store_catchments"].charts == {}


def test_few_redemptions_are_drawn_to_the_model_and_many_are_not() -> None:
    places = pd.DataFrame({"people": 50, "lat": 0.0, "lon": np.arange(40) / 200})
    stores = pd.DataFrame(
        {"store_id": ["a", "b"], "merchant_id": ["m", "n"], "lat": 0.0, "lon": [0.0, 0.195], "clustering": 1.0}
    )
    own = np.round(100 / (1 + np.exp(0.5 * (np.arange(40) - 19.5)))).astype(int)
    place, store = np.tile(np.arange(40), 2), np.repeat([0, 1], 40)
    drawn = fit_category(
        places, stores, pd.DataFrame({"place": place, "store": store, "own": np.append(own, own[::-1])})
    )
    model = radii(drawn, pd.DataFrame({"store": [0], "steps": [1], "redemptions": [0]}), weight=50)["radius_m"][0]
    for count, near in ((2, model), (100_000, 10.0)):
        seen = pd.DataFrame({"store": [0], "steps": [1], "redemptions": [count]})
        found = radii(drawn, seen, weight=50)
        assert found["radius_m"][0] == pytest.approx(near, rel=0.1), count
        assert found["basis"][0] == "model"
    assert model > 5_000


def test_a_new_store_of_no_pull_draws_nobody_and_a_category_without_a_model_refuses() -> None:
    places = pd.DataFrame({"people": [10, 10], "lat": [0.0, 0.02], "lon": [0.0, 0.0]})
    stores = pd.DataFrame(
        {"store_id": ["a", "b"], "merchant_id": "m", "lat": [0.0, 0.02], "lon": 0.0, "clustering": 1.0}
    )
    visits = pd.DataFrame({"place": [0, 0, 1, 1], "store": [0, 1, 0, 1], "own": [90, 10, 10, 90]})
    drawn = fit_category(places, stores, visits)
    assert new_store_draw(drawn, places, lat=0.0, lon=0.0, pull=1e-9).places["share"].max() < 1e-8
    far = new_store_draw(drawn, places, lat=2.0, lon=0.0)
    assert far.places.empty
    assert far.stores.empty
    few = fit_category(places, stores, visits.assign(own=1))
    assert isinstance(few, Drawn)
    assert few.choice is None
    with pytest.raises(ValueError, match="no model"):
        new_store_draw(few, places, lat=0.0, lon=0.0)
