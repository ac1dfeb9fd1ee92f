"""The exam of the forecasts: rolling origins of a real year and of two made-up worlds, beside seasonal naive and ETS.

``python -m benchmarks.demand HOME`` examines one home.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from o2o_mining.contracts.demand import MEASURES
from o2o_mining.core.settings import Settings
from o2o_mining.demand.forecasting import Forecast, forecast_tree
from o2o_mining.demand.hierarchy import Array
from o2o_mining.demand.model import WEEK
from o2o_mining.demand.steps import Sold, read_sold, tree_of
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts import steps as marts
from o2o_mining.simulator import World

HORIZON, BETWEEN, MOST_ORIGINS = 28, 28, 9
LEAST_HISTORY = 120
WORLDS = (World(2_000, 540, "balanced", 7), World(5_000, 540, "bad-service", 11))
# Below so many a day, more than a fifth of the days sell nothing: no interval around zero can hold as few as 80 %.
OFTEN = 0.5


def measure() -> Iterator[str]:
    """Yield coverage and error by level, on rolling origins, of Complete Journey and two made-up worlds."""
    from pipelines.execution import run

    with tempfile.TemporaryDirectory() as folder:
        home = run("complete-journey", None, Path(folder) / "cj", None, lambda _: None).home
        yield from examine(home, "Complete Journey")
        for world in WORLDS:
            from benchmarks.worlds import written

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
        whole = read_sold(engine, last, HORIZON)
        days = len(whole.days) - HORIZON
        count = min(MOST_ORIGINS, (days - LEAST_HISTORY) // BETWEEN)
        origins = [last - timedelta(days=BETWEEN * back) for back in range(1, count + 1)]
        begun = time.perf_counter()
        found = [row for origin in origins for row in _at(engine, origin, whole)]
        seconds = (time.perf_counter() - begun) / max(len(origins), 1)
    finally:
        engine.close()
    yield f"{name}: {len(origins)} origins, {HORIZON} days each, {seconds:.1f} s an origin with its peers"
    rows = pd.DataFrame(found)
    for (measured, level), some in rows.groupby(["measure", "level"], sort=False):
        errors = some[["ours", "naive", "ets"]].sum(min_count=len(some))
        often = some["covered_often"].dropna()
        yield (
            f"  {measured:<12}{level:<9} covered {some['covered'].mean():.3f}"
            f" (where it sells often {statistics.fmean(often) if len(often) else float('nan'):.3f})"
            f"  MASE {errors['ours'] / errors['naive']:.3f}  ETS {errors['ets'] / errors['naive']:.3f}"
            f"  left to naive {some['left_to_naive'].mean():.2f}"
        )


def _at(engine: DuckDBEngine, origin: date, whole: Sold) -> Iterator[dict[str, Any]]:
    """Yield what the forecasts of one origin were worth, by measure and level."""
    past = whole.before(origin)
    for measured in MEASURES:
        levels, calendar = tree_of(past, measured)
        made = forecast_tree(levels, calendar, horizon=HORIZON)
        rate = tree_of(past, "purchases")[0]
        for one, often in zip(made, rate, strict=True):
            came = whole.came(origin, one.level, measured)
            yield {"measure": measured, "level": one.level.name, **_worth(one, came, _often(often.values, one))}


def _often(values: Array, one: Forecast) -> Array:
    assert values.shape[1] == len(one.level.ids)  # noqa: S101 - measured beside each other
    return np.asarray(values[-HORIZON * 4 :].mean(axis=0) >= OFTEN)


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
