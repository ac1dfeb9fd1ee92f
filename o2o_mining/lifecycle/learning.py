"""Windows that end before the day: what was known at their beginning, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from o2o_mining.lifecycle.churn import ChurnModel
from o2o_mining.lifecycle.inputs import Processes, model_inputs
from o2o_mining.lifecycle.quality import deciles, ranking_quality
from o2o_mining.lifecycle.value import ValueModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from o2o_mining.lifecycle.visits import Visits

VALUE_DAYS = 90
# A model learns from as many rows at most: beyond, it gains little and takes in proportion.
_ROWS = 60_000
_FEWEST_OF_EACH = 10


@dataclass(frozen=True)
class Windows:
    """Customers at the beginning of several windows, and what became of them.

    Attributes
    ----------
    as_of
        Nothing of that day or later is known.
    horizon_days
        Length of the windows of churn.
    processes
        Fitted on what was known at the first window.
    inputs
        Shape (n, k). What the models look at, indexed by customer.
    day
        Shape (n,). Beginning of the window.
    churned
        Shape (n,). Whether nothing was bought within the horizon.
    money
        Shape (n,). What was bought for within 90 days.
    """

    as_of: date
    horizon_days: int
    processes: Processes
    inputs: pd.DataFrame
    day: NDArray[np.object_]
    churned: NDArray[np.bool_]
    money: NDArray[np.float64]

    def ending(self, until: date, days: int) -> NDArray[np.bool_]:
        """Return which rows belong to a window of some length that ends before a day."""
        return np.asarray(self.day <= until - timedelta(days=days), dtype=bool)


@dataclass(frozen=True)
class Evaluation:
    """What the models were worth on windows after those they had learned from.

    Attributes
    ----------
    measures
        Values by name.
    value_deciles
        Money predicted and seen, by decile of the prediction; empty where value could not be tried.
    """

    measures: dict[str, float]
    value_deciles: pd.DataFrame


def learning_windows(past: pd.DataFrame, visits: Visits, *, as_of: date, horizon_days: int) -> Windows | None:
    """Return what the models learn from; None without a window.

    Parameters
    ----------
    past
        ``known_on``, ``customer_id`` and the features as of that day.
    visits
        Purchases before as_of.
    as_of
        The day of the run.
    horizon_days
        How far churn looks ahead.
    """
    days = sorted(past["known_on"].unique())
    if not days:
        return None
    processes = Processes.fitted(visits, days[0])
    inputs, churned, money = [], [], []
    for day in days:
        features = past[past["known_on"] == day].drop(columns="known_on").set_index("customer_id").sort_index()
        # Who had only ordered what was cancelled since had bought something as was known then; now nothing is known.
        features = features[features.index.isin(visits.before(day).customers)]
        inputs.append(model_inputs(features, visits, processes, day=day, horizon_days=horizon_days))
        churned.append((visits.within(day, horizon_days).loc[features.index, "purchases"] == 0).to_numpy())
        money.append(visits.within(day, VALUE_DAYS).loc[features.index, "net_amount"].to_numpy())
    told = np.repeat(np.array(days, dtype=object), [len(part) for part in inputs])
    return Windows(
        as_of, horizon_days, processes, pd.concat(inputs), told, np.concatenate(churned), np.concatenate(money)
    )


def fit_churn(windows: Windows, rows: NDArray[np.bool_]) -> tuple[ChurnModel, list[str]] | None:
    """Return the model learned from some rows and the inputs it looks at; None where too few churned or stayed."""
    kept = _at_most(rows)
    outcome = windows.churned[kept]
    if min(int(outcome.sum()), int((~outcome).sum())) < _FEWEST_OF_EACH:
        return None
    chosen = windows.inputs.iloc[kept]
    names = _telling(chosen)
    model = ChurnModel(horizon_days=windows.horizon_days)
    with _one_thread():
        return model.fit(chosen[names], outcome, groups=chosen.index.to_numpy()), names


def fit_value(windows: Windows, rows: NDArray[np.bool_]) -> tuple[ValueModel, list[str]] | None:
    """Return the model learned from some rows and the inputs it looks at; None where too few bought."""
    kept = _at_most(rows)
    if int((windows.money[kept] > 0).sum()) < _FEWEST_OF_EACH:
        return None
    chosen = windows.inputs.iloc[kept]
    names = _telling(chosen)
    with _one_thread():
        return ValueModel().fit(chosen[names], windows.money[kept], groups=chosen.index.to_numpy()), names


def evaluated(windows: Windows) -> Evaluation:
    """Try the models on the last window, learned from windows that had ended before it began.

    Parameters
    ----------
    windows
        All windows.

    Returns
    -------
    Evaluation
        Empty where no window had ended by then.
    """
    measures: dict[str, float] = {}
    table = pd.DataFrame(columns=["decile", "customers", "predicted", "seen"])
    last = max(windows.day)
    test = windows.day == last
    learned = fit_churn(windows, windows.ending(last, windows.horizon_days))
    if learned:
        model, names = learned
        probability, churned = model.predict_proba(windows.inputs[test][names])[:, 1], windows.churned[test]
        silence = windows.inputs["recency_days"].to_numpy()[test]
        measures = {"customers": float(test.sum()), "churned_share": float(churned.mean())}
        measures |= ranking_quality(probability, churned)
        if "auc" in measures:
            ranks = np.asarray(pd.Series(silence).rank(pct=True), dtype=np.float64)
            measures["auc_of_recency"] = ranking_quality(ranks, churned)["auc"]
    ended = windows.day[windows.ending(windows.as_of, VALUE_DAYS)]
    if len(ended):
        test = windows.day == max(ended)
        valued = fit_value(windows, windows.ending(max(ended), VALUE_DAYS))
        if valued:
            worth, names = valued
            about, money = worth.predict_distribution(windows.inputs[test][names]), windows.money[test]
            mean = about["mean"].to_numpy()
            measures |= {
                "value_error": float((about["median"] - money).abs().mean()),
                "value_predicted": float(mean.mean()),
                "value_seen": float(money.mean()),
                "value_common_error": float(abs(mean.sum() / max(float(money.sum()), 0.01) - 1)),
                "value_coverage": float(((about["low"] <= money) & (money <= about["high"])).mean()),
            }
            table = deciles(mean, money)
    return Evaluation({name: round(value, 6) for name, value in measures.items()}, table)


def _one_thread() -> threadpool_limits:
    """Return a context in which sums do not vary, and small trees on busy cores do not wait: 3 s instead of 98."""
    return threadpool_limits(limits=1)


def _at_most(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the places of the rows, evenly thinned where there are too many."""
    places = np.flatnonzero(rows)
    step = max(1, -(-len(places) // _ROWS))
    return places[::step]


def _telling(inputs: pd.DataFrame) -> list[str]:
    """Return the inputs that are not the same for everybody."""
    return [name for name in inputs.columns if inputs[name].nunique() > 1]
