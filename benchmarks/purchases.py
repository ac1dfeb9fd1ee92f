"""BG/NBD on a million customers beside lifetimes, and scoring half a million customers."""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from o2o_mining.lifecycle import BetaGeoNBD, Visits
from o2o_mining.lifecycle.inputs import model_inputs
from o2o_mining.lifecycle.learning import VALUE_DAYS, fit_churn, fit_value, learning_windows
from o2o_mining.lifecycle.reasons import reason_codes
from o2o_mining.lifecycle.steps import read_features, read_visits
from o2o_mining.marts.steps import build_known
from pipelines.execution import run
from pipelines.house import open_house

CUSTOMERS = 1_000_000
SCORED = 500_000
ROUNDS = 3
PEER = "pip install --no-deps lifetimes autograd autograd-gamma dill"


def measure() -> Iterator[str]:
    """Seconds to fit a million customers, ours and lifetimes' in turn; seconds to score half a million."""
    yield from _fitting()
    yield from _scoring()


def _fitting() -> Iterator[str]:
    x, t_x, until = _histories()
    try:
        from lifetimes import BetaGeoFitter
    except ImportError:
        yield f"lifetimes is not installed: {PEER}"
        return
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_timed(lambda: BetaGeoNBD().fit(x, t_x, until)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.append(_timed(lambda: BetaGeoFitter().fit(x, t_x, until)))
        off = max(abs(ours[-1][1].params_[name] / theirs[-1][1].params_[name] - 1) for name in ("r", "alpha", "a", "b"))
        yield f"BG/NBD: ours {ours[-1][0]:.2f} s, lifetimes {theirs[-1][0]:.2f} s, parameters apart by {off:.1e}"
    ratio = statistics.median(t[0] for t in theirs) / statistics.median(t[0] for t in ours)
    yield f"BG/NBD on {CUSTOMERS:,} customers: lifetimes takes {ratio:.2f} times as long"


def _histories() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw histories in days from the model itself."""
    draw = np.random.default_rng(0)
    rate, leaves = draw.gamma(0.6, 1 / 30, CUSTOMERS), draw.beta(0.8, 2.5, CUSTOMERS)
    until = draw.integers(30, 540, CUSTOMERS).astype(float)
    x, t_x, at = np.zeros(CUSTOMERS), np.zeros(CUSTOMERS), np.zeros(CUSTOMERS)
    there = np.ones(CUSTOMERS, dtype=bool)
    while there.any():
        at = at + draw.exponential(1 / rate)
        bought = there & (at <= until)
        x[bought] += 1
        t_x[bought] = np.floor(at[bought])
        there = bought & (draw.random(CUSTOMERS) > leaves)
    return x, t_x, until


def _scoring() -> Iterator[str]:
    """Score the sample's customers many times over, with models fitted on the sample."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run("sample", None, home, None, lambda _: None)
        with open_house("sample", None, home, lambda _: None) as house:
            day = house.now
            if day is None:
                raise RuntimeError("the sample is empty")
            build_known(house.engine, as_of=day, settings=house.settings)
            visits, features = read_visits(house.engine, day), read_features(house.engine, day).sort_index()
            past = house.engine.execute(house.engine.slice("past_features", day).order_by(["known_on", "customer_id"]))
            past["known_on"] = pd.to_datetime(past["known_on"]).dt.date
            windows = learning_windows(past, visits, as_of=day, horizon_days=house.settings.churn_horizon_days)
            if windows is None:
                raise RuntimeError("the sample has no window")
            with threadpool_limits(limits=1):
                churn = fit_churn(windows, windows.ending(day, windows.horizon_days))
                value = fit_value(windows, windows.ending(day, VALUE_DAYS))
            if churn is None or value is None:
                raise RuntimeError("the sample teaches nothing")
            many, visits = _many(features, visits)

            def score() -> object:
                inputs = model_inputs(many, visits, windows.processes, day=day, horizon_days=windows.horizon_days)
                shown = inputs[churn[1]]
                churn[0].predict_proba(shown)
                reason_codes(churn[0].contributions(shown), shown, many)
                return value[0].predict_distribution(inputs[value[1]])

            seconds = [_timed(score)[0] for _ in range(ROUNDS)]
    each = ", ".join(f"{one:.1f}" for one in seconds)
    yield f"scoring {len(many):,} customers with reasons and value: {statistics.median(seconds):.1f} s ({each})"


def _many(features: pd.DataFrame, visits: Visits) -> tuple[pd.DataFrame, Visits]:
    """Return the customers repeated under other names until there are enough."""
    times = -(-SCORED // len(features))
    names = np.array([f"{i:04}{name}" for i in range(times) for name in visits.customers], dtype=object)
    code = np.concatenate([visits.code + i * len(visits.customers) for i in range(times)])
    columns = (np.tile(visits.day, times), np.tile(visits.amount, times), np.tile(visits.offered, times))
    repeated = Visits(names, code, *columns)
    index = pd.Index([f"{i:04}{name}" for i in range(times) for name in features.index], name="customer_id")
    return pd.concat([features] * times).set_axis(index), repeated


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    made = function()
    return time.perf_counter() - started, made
