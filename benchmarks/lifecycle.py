"""Churn and value on a retailer's real year, out of time, beside boosting over nine plain features."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from o2o_mining.lifecycle.learning import VALUE_DAYS, Windows, learning_windows
from o2o_mining.lifecycle.quality import calibration_error
from o2o_mining.lifecycle.scores import churn_scores
from o2o_mining.lifecycle.steps import read_features, read_visits
from o2o_mining.lifecycle.visits import Visits
from o2o_mining.marts.steps import build_customer_features, build_known, build_past_features
from pipelines.execution import run
from pipelines.house import House, open_house

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATES = [date(2017, month, 1) for month in range(6, 12)]
HORIZON_DAYS = 56
RESAMPLES = 1000
# What a data scientist would write down in five minutes.
PLAIN = [
    "n_purchases", "n_purchases_30d", "n_purchases_90d", "net_amount", "net_amount_30d", "recency_days", "tenure_days",
    "mean_gap_days", "recency_over_gap",
]  # fmt: skip
# Held back a little, which makes the nine features much better than scikit-learn's defaults do.
HELD_BACK: dict[str, Any] = {
    "learning_rate": 0.03, "max_iter": 150, "max_leaf_nodes": 8, "min_samples_leaf": 100, "l2_regularization": 10,
    "random_state": 0,
}  # fmt: skip


class Day(NamedTuple):
    """What one date gives: predictions of each kind and what came, by customer."""

    churn: pd.DataFrame
    value: pd.DataFrame


def measure() -> Iterator[str]:
    """Complete Journey, six dates: no basket in 56 days, and the net amount of 90 days."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run("complete-journey", None, home, None, lambda _: None)
        with open_house("complete-journey", None, home, lambda _: None) as house:
            later = _later(house)
            days = [_day(house, day, later) for day in DATES]
    yield from _told_churn([day.churn for day in days])
    yield from _told_value([day.value for day in days[:-1]])


def _later(house: House) -> Visits:
    """Return the purchases of the whole year, to see what came."""
    end = house.now or DATES[-1]
    build_known(house.engine, as_of=end, settings=house.settings)
    return read_visits(house.engine, end)


def _day(house: House, day: date, later: Visits) -> Day:
    """Predict as of a day with ours and with the nine plain features, from the same windows."""
    settings = replace(house.settings, churn_horizon_days=HORIZON_DAYS)
    for build in (build_known, build_customer_features, build_past_features):
        build(house.engine, as_of=day, settings=settings)
    visits, features = read_visits(house.engine, day), read_features(house.engine, day).sort_index()
    past = house.engine.execute(house.engine.slice("past_features", day).order_by(["known_on", "customer_id"]))
    past["known_on"] = pd.to_datetime(past["known_on"]).dt.date
    with threadpool_limits(limits=1):
        windows = learning_windows(past, visits, as_of=day, horizon_days=HORIZON_DAYS)
        if windows is None:
            raise RuntimeError(f"no window ends before {day}")
        scores = churn_scores(features, visits, windows, as_of=day, horizon_days=HORIZON_DAYS).set_index("customer_id")
        plain = past.set_index("customer_id")[PLAIN].astype(float)
        shown = features[PLAIN].astype(float)
        churn = {
            "ours": scores["churn_probability"],
            "recency": features["recency_days"],
            **_plain(plain, windows, shown),
        }
        value = {
            "ours": scores["clv_90d_median"].astype(float),
            "expected": scores["clv_90d"].astype(float),
            "own rate": shown["net_amount"] / shown["tenure_days"] * VALUE_DAYS,
            **_plain_value(plain, windows, shown, day),
        }
    came = later.within(day, HORIZON_DAYS).loc[features.index, "purchases"] == 0
    brought = later.within(day, VALUE_DAYS).loc[features.index, "net_amount"]
    return Day(pd.DataFrame(churn).assign(came=came), pd.DataFrame(value).assign(came=brought))


def _plain(past: pd.DataFrame, windows: Windows, shown: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    kinds: dict[str, dict[str, Any]] = {"plain": {"random_state": 0}, "plain, held back": HELD_BACK}
    fitted = {
        name: HistGradientBoostingClassifier(**options).fit(past, windows.churned) for name, options in kinds.items()
    }
    return {name: model.predict_proba(shown)[:, 1] for name, model in fitted.items()}


def _plain_value(
    past: pd.DataFrame, windows: Windows, shown: pd.DataFrame, day: date
) -> dict[str, NDArray[np.float64]]:
    rows = windows.ending(day, VALUE_DAYS)
    last = rows & (windows.day == max(windows.day[rows]))
    return {
        name: HistGradientBoostingRegressor(loss="absolute_error", random_state=0)
        .fit(past[kept], windows.money[kept])
        .predict(shown)
        for name, kept in (("plain", rows), ("plain, last window", last))
    }


def _told_churn(days: list[pd.DataFrame]) -> Iterator[str]:
    for name in ("ours", "plain", "plain, held back"):
        aucs = [roc_auc_score(day["came"], day[name]) for day in days]
        brier = np.mean([((day[name] - day["came"]) ** 2).mean() for day in days])
        off = [calibration_error(day[name].to_numpy(), day["came"].to_numpy()) for day in days]
        pooled = pd.concat(days)
        all_off = calibration_error(pooled[name].to_numpy(), pooled["came"].to_numpy())
        yield (
            f"churn, {name}: AUC {np.mean(aucs):.4f} ({', '.join(f'{auc:.3f}' for auc in aucs)}), Brier {brier:.5f}, "
            f"calibration error {np.mean(off):.4f} a date, {all_off:.4f} pooled"
        )
    yield f"churn, recency alone: AUC {np.mean([roc_auc_score(day['came'], day['recency']) for day in days]):.4f}"
    for other in ("plain", "plain, held back"):
        gains = _resampled(days, other)
        for what, drawn in zip(("AUC", "Brier"), gains.T, strict=True):
            low, high = np.quantile(drawn, [0.025, 0.975])
            yield f"churn, ours less {other}: {what} {drawn.mean():+.5f} ({low:+.5f} to {high:+.5f})"


def _resampled(days: list[pd.DataFrame], other: str) -> NDArray[np.float64]:
    """Return the gain over another model, averaged over the dates, with customers drawn anew for all dates at once."""
    customers = sorted(set().union(*(day.index for day in days)))
    place = pd.Series(np.arange(len(customers)), index=customers)
    draw = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        weight = np.bincount(draw.integers(0, len(customers), len(customers)), minlength=len(customers))
        gain = []
        for day in days:
            w = weight[place[day.index]]
            auc = [roc_auc_score(day["came"], day[name], sample_weight=w) for name in ("ours", other)]
            brier = [np.average((day[name] - day["came"]) ** 2, weights=w) for name in ("ours", other)]
            gain.append((auc[0] - auc[1], brier[0] - brier[1]))
        gains.append(np.mean(gain, axis=0))
    return np.array(gains)


def _told_value(days: list[pd.DataFrame]) -> Iterator[str]:
    for name in ("ours", "expected", "own rate", "plain", "plain, last window"):
        errors = [(day[name] - day["came"]).abs().mean() for day in days]
        each = ", ".join(f"{error:.1f}" for error in errors)
        yield f"value, {name}: mean absolute error {np.mean(errors):.1f} ({each})"
