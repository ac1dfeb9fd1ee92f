"""The scores of a small simulated world, from its feeds to the table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest import FolderSource
from o2o_mining.ingest.steps import load_feeds
from o2o_mining.marts.event_steps import build_coupon_lifecycle, build_purchases
from o2o_mining.marts.steps import build_known, default_as_of
from o2o_mining.response import scoring
from o2o_mining.response.candidates import MOST
from o2o_mining.response.steps import build_response_scores
from o2o_mining.simulator import World, write
from o2o_mining.simulator.findings import auc


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DuckDBEngine, Path, date]]:
    folder = tmp_path_factory.mktemp("world")
    write(World(700, 300, "balanced", 3), folder, "parquet")
    engine = DuckDBEngine(":memory:", Settings())
    load_feeds(engine, [FolderSource(folder)])
    day = default_as_of(engine)
    assert day is not None
    build_purchases(engine)
    build_coupon_lifecycle(engine, now=day)
    build_known(engine, as_of=day, settings=Settings())
    yield engine, folder, day
    engine.close()


def scored(engine: DuckDBEngine, day: date) -> tuple[pd.DataFrame, list[StepReport]]:
    reports = build_response_scores(engine, as_of=day)
    rows: pd.DataFrame = engine.execute(engine.slice("response_scores", day))
    return rows, reports


def test_the_likeliest_come_and_scores_are_the_same_however_many_are_scored_at_a_time(
    shop: tuple[DuckDBEngine, Path, date], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, folder, day = shop
    scores, reports = scored(engine, day)
    key = ["customer_id", "coupon_id"]
    assert (scores[key].sort_values(key).to_numpy() == scores[key].to_numpy()).all()
    assert scores["customer_id"].value_counts().max() <= MOST
    assert set(scores["basis"]) == {"experiment"}
    assert reports[0].rows == len(scores) == reports[0].figures["pairs"]
    truth = pd.read_parquet(folder / "truth" / "campaign_effects.parquet").dropna(subset=["p1_observable"])
    both = scores.merge(truth, on=["campaign_id", "customer_id"])
    comes = both["occasion1"].astype(bool)
    best = auc(both["p1_observable"], comes)
    assert auc(both["redemption_probability"], comes) > best - 0.1
    assert np.corrcoef(both["uplift_x"], both["p1"] - both["p0"])[0, 1] > 0.4

    monkeypatch.setattr(scoring, "_CUSTOMERS", 250)
    again, _ = scored(engine, day)
    pd.testing.assert_frame_equal(again, scores)
