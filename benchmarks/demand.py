"""The exam of the forecasts: rolling origins of a real year and of two made-up worlds, beside seasonal naive and ETS.

``python -m benchmarks.demand HOME`` examines one home.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.worlds import written
from o2o_mining.contracts.demand import EVERYTHING, UNKNOWN
from o2o_mining.core.settings import Settings
from o2o_mining.demand.forecasting import Forecast, forecast_tree
from o2o_mining.demand.hierarchy import Array
from o2o_mining.demand.model import WEEK
from o2o_mining.demand.sold import Sold
from o2o_mining.demand.steps import read_sold
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts import steps as marts
from o2o_mining.simulator import World

HORIZON, BETWEEN, MOST_ORIGINS = 28, 28, 9
LEAST_HISTORY = 120
WORLDS = (World(2_000, 540, "balanced", 7), World(5_000, 540, "bad-service", 11))
# Below so many a day, more than a fifth of the days sell nothing: no interval around zero can hold as few as 80 %.
OFTEN, RECENT_DAYS = 0.5, 112


def measure() -> Iterator[str]:
    """Yield coverage and error by level, on rolling origins, of Complete Journey and two made-up worlds."""
    from pipelines.execution import run

    with tempfile.TemporaryDirectory() as folder:
        home = run("complete-journey", None, Path(folder) / "cj", None, lambda _: None).home
        yield from examine(home, "Complete Journey")
        for world in WORLDS:
            with written(world) as feeds:
                home = run("folder", feeds, Path(folder) / world.scenario, None, lambda _: None).home
            yield from examine(home, f"{world.scenario}, {world.customers:,} customers")


def examine(home: Path | str, name: str) -> Iterator[str]:
    """Yield one line a measure and level of a home: what was forecast at each origin, against what came."""
    engine = DuckDBEngine(Path(home) / "warehouse.duckdb", Settings(threads=2))
    try:
        last = marts.default_as_of(engine)
        if last is None:
            return
        whole = read_sold(engine, as_of=last, horizon=HORIZON)
    finally:
        engine.close()
    days = (last - pd.to_datetime(whole.daily["ds"]).min().date()).days
    count = min(MOST_ORIGINS, (days - LEAST_HISTORY) // BETWEEN)
    origins = [last - timedelta(days=BETWEEN * back) for back in range(1, count + 1)]
    begun = time.perf_counter()
    rows = pd.DataFrame([row for origin in origins for row in _at(origin, whole)])
    seconds = (time.perf_counter() - begun) / count
    yield f"{name}: {count} origins, {HORIZON} days each, {seconds:.1f} s an origin with its peers"
    for (measured, level), some in rows.groupby(["measure", "level"], sort=False):
        errors = some[["ours", "naive", "ets"]].sum(min_count=len(some))
        yield (
            f"  {measured:<12}{level:<9} covered {some['covered'].mean():.3f}"
            f" (where it sells often {some['covered_often'].mean():.3f})"
            f"  MASE {errors['ours'] / errors['naive']:.3f}  ETS {errors['ets'] / errors['naive']:.3f}"
            f"  left to naive {some['left_to_naive'].mean():.2f}"
        )


def _at(origin: date, whole: Sold) -> Iterator[dict[str, Any]]:
    """Yield what the forecasts of one origin were worth, by measure and level."""
    trees = replace(whole, as_of=origin).trees(HORIZON)
    later = whole.daily.assign(ds=pd.to_datetime(whole.daily["ds"]))
    ahead = pd.date_range(origin, periods=HORIZON)
    rates = [level.values[-RECENT_DAYS:].mean(axis=0) for level in trees["purchases"][0]]
    for measured, (levels, calendar) in trees.items():
        for one, rate in zip(forecast_tree(levels, calendar, horizon=HORIZON), rates, strict=True):
            came = _came(later, one, measured, ahead)
            yield {"measure": measured, "level": one.level.name, **_worth(one, came, rate >= OFTEN)}


def _came(later: pd.DataFrame, one: Forecast, measured: str, ahead: pd.DatetimeIndex) -> Array:
    """Return what came of each series, shape (horizon, series); a store is counted whosever it is."""
    column, scale = ("net_cents", 0.01) if measured == "net_revenue" else (measured, 1.0)
    keys = {"category": later["category"].fillna(UNKNOWN), "merchant": later["merchant_id"]}
    keys["store"] = later["store_id"].fillna(UNKNOWN + ":" + later["merchant_id"])
    ids = keys.get(one.level.name, pd.Series(EVERYTHING, index=later.index))
    wide = later.assign(id=ids).pivot_table(index="ds", columns="id", values=column, aggfunc="sum")
    return wide.reindex(index=ahead, columns=list(one.level.ids)).fillna(0.0).to_numpy(dtype="float64") * scale


def _worth(one: Forecast, came: Array, often: Array) -> dict[str, float]:
    low, high = one.intervals[80]
    inside = (low <= came) & (came <= high)
    few = one.level.name in ("total", "category")
    return {
        "covered": float(inside.mean()),
        "covered_often": float(inside[:, often].mean()) if often.any() else float("nan"),
        "ours": float(np.abs(one.mean - came).sum()),
        "naive": float(np.abs(one.naive - came).sum()),
        "ets": float(np.abs(_ets(one.level.values) - came).sum()) if few else float("nan"),
        "left_to_naive": float(one.is_naive.mean()),
    }


def _ets(values: Array) -> Array:
    """Return the forecasts of statsmodels' additive ETS with a week's season, never below zero."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of every fit that ends early
        fitted = [
            ExponentialSmoothing(column, seasonal="add", seasonal_periods=WEEK, initialization_method="estimated")
            .fit()
            .forecast(HORIZON)
            for column in values.T
        ]
    return np.maximum(np.column_stack(fitted), 0.0)


if __name__ == "__main__":
    for line in examine(sys.argv[1], sys.argv[1]):
        print(line)  # noqa: T201 - for whoever called it
