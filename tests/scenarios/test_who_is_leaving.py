"""Churn and value in a simulated world of 1,200 customers, as of its end and as of a window before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.steps import load_feeds
from o2o_mining.lifecycle.reasons import reason_text
from o2o_mining.lifecycle.steps import build_churn_scores
from o2o_mining.marts import event_steps
from o2o_mining.marts.steps import build_customer_features, build_known, build_past_features
from o2o_mining.simulator import World, write
from pipelines.house import House, open_house

# What they share is made once.
pytestmark = pytest.mark.xdist_group("leaving")

WORLD = World(1_200, 400, "balanced", 5)
EARLIER = WORLD.end - timedelta(days=91)
OWN_TIMES = {"online_orders": "ordered_at", "offline_redemptions": "redeemed_at", "touches": "touched_at"}


@dataclass
class Mined:
    """A home that was mined as of the earlier day and as of the end, and what was found."""

    house: House
    world: Path
    reports: list[StepReport]

    def slice(self, table: str, day: date) -> pd.DataFrame:
        rows: pd.DataFrame = self.house.engine.execute(self.house.engine.slice(table, day))
        return rows.set_index("customer_id").sort_index() if "customer_id" in rows else rows


def load(house: House, *, now: date) -> None:
    """Load the feeds and put the events together."""
    load_feeds(house.engine, house.sources, progress=lambda _: None)
    event_steps.build_purchases(house.engine)
    event_steps.build_journey_touches(house.engine, now=now, settings=house.settings)
    event_steps.build_journeys(house.engine)
    event_steps.build_coupon_lifecycle(house.engine, now=now)


def mine(house: House, day: date) -> list[StepReport]:
    """Run everything that the scores are made of."""
    for build in (build_known, build_customer_features, build_past_features):
        build(house.engine, as_of=day, settings=house.settings)
    return build_churn_scores(house.engine, as_of=day, settings=house.settings)


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mined]:
    world = tmp_path_factory.mktemp("leaving") / "world"
    write(WORLD, world, "parquet")
    with open_house("folder", world, world.parent / "home", lambda _: None) as house:
        load(house, now=WORLD.end)
        mine(house, EARLIER)
        yield Mined(house, world, mine(house, WORLD.end))


def test_features_of_a_window_are_those_that_a_run_of_that_day_computes(mined: Mined) -> None:
    past = mined.slice("past_features", WORLD.end)
    past = past[pd.to_datetime(past["known_on"]) == pd.Timestamp(EARLIER)]
    then = mined.slice("customer_features", EARLIER)
    then = then[then["n_purchases"] > 0]
    assert len(past) > 800
    assert past.index.equals(then.index)
    # These the module names: chosen stores that were not visited by then, and ages.
    told = [name for name in then.columns if name not in ("n_stores", "home_to_visits_km", "age_years")]
    pd.testing.assert_frame_equal(past[told].astype(float), then[told].astype(float), rtol=1e-9)


def test_every_buyer_has_one_row_inside_its_ranges_and_reasons_that_can_be_said(mined: Mined) -> None:
    scores, features = mined.slice("churn_scores", WORLD.end), mined.slice("customer_features", WORLD.end)
    assert scores.index.equals(features.index[features["n_purchases"] > 0])
    assert not mined.house.engine.violations(contract("churn_scores"), as_of=WORLD.end)
    assert (scores["clv_365d"] >= scores["clv_90d"]).all()
    assert all(reason_text(code, "zh-Hans") for codes in scores["reason_codes"] for code in codes)
    assert 1 < scores["reason_codes"].map(len).mean() <= 3


def test_the_interval_of_customers_with_one_order_holds_what_they_bring(mined: Mined) -> None:
    outlook = pd.read_parquet(mined.world / "truth" / "customer_outlook.parquet").set_index("customer_id")
    scores = mined.slice("churn_scores", WORLD.end)
    n = mined.slice("customer_features", WORLD.end)["n_purchases"]
    once = scores[n.reindex(scores.index) == 1].join(outlook["net_amount"], how="inner")
    held = (
        once["net_amount"].astype(float).between(once["clv_90d_low"].astype(float), once["clv_90d_high"].astype(float))
    )
    assert len(once) > 150
    assert held.mean() >= 0.8


def test_scores_are_the_same_again(mined: Mined) -> None:
    once = mined.slice("churn_scores", WORLD.end)
    build_churn_scores(mined.house.engine, as_of=WORLD.end, settings=mined.house.settings)
    pd.testing.assert_frame_equal(mined.slice("churn_scores", WORLD.end), once, check_exact=True)


def test_scores_know_nothing_of_later(mined: Mined, tmp_path: Path) -> None:
    write(WORLD, tmp_path / "cut", "parquet")
    for feed, at in OWN_TIMES.items():
        rows = pd.read_parquet(tmp_path / "cut" / f"{feed}.parquet")
        rows[pd.to_datetime(rows[at]) < pd.Timestamp(EARLIER)].to_parquet(tmp_path / "cut" / f"{feed}.parquet")
    with open_house("folder", tmp_path / "cut", tmp_path / "home", lambda _: None) as house:
        load(house, now=EARLIER)
        reports = mine(house, EARLIER)
        cut = Mined(house, tmp_path / "cut", reports).slice("churn_scores", EARLIER)
    pd.testing.assert_frame_equal(cut, mined.slice("churn_scores", EARLIER), check_exact=True)


def test_the_models_are_tried_out_of_time_beat_recency_and_are_drawn(mined: Mined) -> None:
    figures = mined.reports[0].figures
    assert float(figures["auc"] or 0) > float(figures["auc_of_recency"] or 1)
    measures = mined.slice("churn_quality", WORLD.end).set_index("metric")["value"]
    assert measures["calibration_error"] < 0.1
    assert 0.7 < measures["value_coverage"] <= 1
    assert 0 <= float(figures["stability index"] or 0) < 5
    assert {name for report in mined.reports for name in report.charts} == {"churn", "value_deciles", "cohorts"}
    assert all(chart() for report in mined.reports for chart in report.charts.values())


def test_cohorts_add_up_to_the_customers(mined: Mined) -> None:
    scores, cohorts = mined.slice("churn_scores", WORLD.end), mined.slice("customer_cohorts", WORLD.end)
    assert cohorts["customers"].sum() == len(scores)
    assert cohorts["clv_90d"].sum() == scores["clv_90d"].sum()
    assert (cohorts["clv_90d_low"] <= cohorts["clv_90d"]).all()
    assert cohorts["there"].sum() == pytest.approx(scores["probability_alive"].sum(), abs=0.1)


def test_a_home_without_purchases_has_empty_tables_and_says_so() -> None:
    engine, day = DuckDBEngine(":memory:", Settings()), date(2024, 1, 1)
    for build in (build_known, build_customer_features, build_past_features):
        build(engine, as_of=day, settings=Settings())
    reports = build_churn_scores(engine, as_of=day, settings=Settings())
    assert [report.rows for report in reports] == [0, 0, 0]
    assert reports[0].notes == ("no purchase is known before 2024-01-01: nobody can leave",)
    assert not any(report.charts for report in reports)
