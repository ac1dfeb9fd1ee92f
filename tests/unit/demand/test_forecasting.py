"""The public function: any series of a notebook, forecast with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from o2o_mining import demand
from o2o_mining.core.errors import UsageError

COLUMNS = ["unique_id", "ds", "mean", "low_80", "high_80", "method", "mase"]


def counts(name: str, days: int, mean: float, *, first: str = "2024-01-01", seed: int = 0) -> pd.DataFrame:
    ds = pd.date_range(first, periods=days)
    y = np.random.default_rng(seed).poisson(mean * np.where(ds.day_of_week > 4, 1.5, 1.0))
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": y})


def test_each_series_has_a_row_for_each_day_after_its_last() -> None:
    series = pd.concat([counts("b", 200, 20), counts("a", 100, 5, first="2024-03-01")])
    made = demand.forecast(series, horizon=14)
    assert list(made.columns) == COLUMNS
    assert made.groupby("unique_id")["ds"].agg(["min", "max", "size"]).to_numpy().tolist() == [
        [pd.Timestamp("2024-06-09"), pd.Timestamp("2024-06-22"), 14],
        [pd.Timestamp("2024-07-19"), pd.Timestamp("2024-08-01"), 14],
    ]
    assert set(made["method"]) == {"weighted_regression"}
    assert (made["mase"] < 1).all()
    assert made[made["unique_id"] == "b"]["mean"].mean() == pytest.approx(20 * 8 / 7, rel=0.1)


def test_neither_the_order_of_rows_nor_the_series_beside_it_change_a_forecast() -> None:
    series = pd.concat([counts("a", 150, 9), counts("b", 150, 3, seed=1)])
    made = demand.forecast(series, horizon=7)
    mixed = demand.forecast(series.sample(frac=1, random_state=4), horizon=7)
    pd.testing.assert_frame_equal(made, mixed)
    alone = demand.forecast(counts("a", 150, 9), horizon=7)
    pd.testing.assert_frame_equal(made[made["unique_id"] == "a"].reset_index(drop=True), alone)


def test_levels_name_their_columns_and_lie_in_each_other() -> None:
    made = demand.forecast(counts("a", 200, 9), horizon=3, level=(50, 95))
    assert list(made.columns) == ["unique_id", "ds", "mean", "low_50", "high_50", "low_95", "high_95", "method", "mase"]
    assert (made["low_95"] < made["low_50"]).all()
    assert (made["high_50"] < made["high_95"]).all()


def test_days_without_a_row_sold_nothing() -> None:
    series = counts("a", 150, 9)
    zeros = series.assign(y=series["y"].where(series["ds"].dt.day_of_week != 0, 0))
    gaps = zeros[zeros["y"] > 0]
    assert gaps["ds"].iloc[[0, -1]].tolist() != zeros["ds"].iloc[[0, -1]].tolist()
    whole, gappy = (demand.forecast(of[of["ds"] >= gaps["ds"].min()], horizon=7) for of in (zeros, gaps))
    pd.testing.assert_frame_equal(whole, gappy)


@pytest.mark.parametrize("days", [1, 3, 10, 50])
def test_short_histories_are_naive_and_wide(days: int) -> None:
    series = counts("a", days, 12)
    made = demand.forecast(series, horizon=28)
    assert set(made["method"]) == {"seasonal_naive"}
    assert (made["mase"] == 1).all()
    expected = series["y"].tail(7).tolist() if days >= 7 else [series["y"].mean()] * 7
    assert made["mean"].head(7).tolist() == pytest.approx(expected)
    assert (made["low_80"] <= made["mean"]).all()
    if days < 4:
        assert (made["high_80"] - made["low_80"] > 10).all()


def test_a_series_that_never_sold_is_expected_to_sell_nothing() -> None:
    series = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=200), "y": 0.0})
    made = demand.forecast(series, horizon=5)
    assert (made[["mean", "low_80", "high_80"]] == 0).all(axis=None)


def test_huge_numbers_and_rare_sales_stay_finite_and_above_zero() -> None:
    rare = counts("rare", 300, 0.02)
    huge = counts("huge", 300, 50).assign(y=lambda frame: frame["y"] * 1e9)
    made = demand.forecast(pd.concat([rare, huge]), horizon=28)
    numbers = made[["mean", "low_80", "high_80"]]
    assert np.isfinite(numbers).all(axis=None)
    assert (numbers >= 0).all(axis=None)


def test_no_series_give_no_forecast() -> None:
    empty = pd.DataFrame({"unique_id": pd.Series(dtype="str"), "ds": pd.Series(dtype="datetime64[us]"), "y": []})
    made = demand.forecast(empty, horizon=7)
    assert list(made.columns) == COLUMNS
    assert made.empty


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": -1.0}, "below zero"),
        ({"y": None}, "null"),
        ({"y": np.inf}, "infinite"),
        ({"ds": None}, "no ds"),
        ({"ds": pd.Timestamp("2024-01-01")}, "stands twice"),
    ],
)
def test_what_cannot_be_forecast_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        demand.forecast(counts("a", 30, 5).assign(**change), horizon=7)


def test_a_call_that_makes_no_sense_is_refused() -> None:
    series = counts("a", 30, 5)
    with pytest.raises(UsageError, match="lack y"):
        demand.forecast(series.drop(columns="y"), horizon=7)
    with pytest.raises(UsageError, match="horizon of 0"):
        demand.forecast(series, horizon=0)
    with pytest.raises(UsageError, match="covers 100"):
        demand.forecast(series, horizon=7, level=(80, 100))


def test_intervals_of_independent_series_cover_what_they_say() -> None:
    series = pd.concat([counts(f"s{number:02d}", 228, 15, seed=number) for number in range(30)])
    known = series[series["ds"] < pd.Timestamp("2024-07-19")]
    made = demand.forecast(known, horizon=28).merge(series, on=["unique_id", "ds"])
    assert len(made) == 30 * 28
    inside = (made["low_80"] <= made["y"]) & (made["y"] <= made["high_80"])
    assert 0.75 <= inside.mean() <= 0.88
