"""Forecasts with intervals: of a tree of series that add up, and of any series of a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.core.errors import UsageError
from o2o_mining.demand.backtest import intervals, rarities, run_backtest, wide_intervals
from o2o_mining.demand.hierarchy import Array, Level, coherent
from o2o_mining.demand.model import Calendar, Forecaster, seasonal_naive

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGITS = 6  # kept of what is published; sums are exact in them
REGRESSION, NAIVE = "weighted_regression", "seasonal_naive"
_COLUMNS = ("unique_id", "ds", "y")


@dataclass(frozen=True)
class Forecast:
    """The forecast of one level: ``mean``, ``naive`` and intervals of shape (horizon, series), the rest (series,)."""

    level: Level
    mean: Array
    naive: Array
    intervals: dict[int, tuple[Array, Array]]
    is_naive: Array
    mase: Array


def forecast_tree(
    levels: Sequence[Level],
    calendar: Calendar,
    *,
    horizon: int,
    level: Sequence[int] = (80,),
    alike: Callable[[Array], Array] = rarities,
) -> list[Forecast]:
    """Forecast all series of a tree.

    Parameters
    ----------
    levels
        From the top down.
    calendar
        Of the history and the days to come.
    horizon
        Days to forecast.
    level
        Per cent that the intervals cover.
    alike
        From the values of a level to the group of each series, within which intervals are calibrated.
    """
    forecaster = Forecaster(levels, calendar)
    past = run_backtest(forecaster, horizon)
    means = coherent(forecaster.means(forecaster.days, horizon, past.naive), [part.parent for part in levels], DIGITS)
    made = []
    for depth, part in enumerate(levels):
        if len(past.actual[depth]):
            groups = alike(part.values)
            bounds = intervals(means[depth], past.means[depth], past.actual[depth], groups, level)
        else:
            bounds = wide_intervals(means[depth], part.values, level)
        bounds = {
            cover: (np.minimum(low.round(DIGITS), means[depth]), np.maximum(high.round(DIGITS), means[depth]))
            for cover, (low, high) in bounds.items()
        }
        naive = seasonal_naive(part.values, forecaster.days, horizon)
        made.append(Forecast(part, means[depth], naive, bounds, past.naive[depth], past.mase[depth]))
    return made


def forecast(series: pd.DataFrame, *, horizon: int, level: Sequence[int] = (80,)) -> pd.DataFrame:
    """Forecast daily series, each on its own.

    The mean is that of ridge regressions on weekdays whose observations count half after 14, 28 and 112 days, or after
    7 and 28 where that erred less, from two years on one with a season, too; where it does not beat seasonal naive on
    rolling origins, seasonal naive is taken. The intervals are split conformal: as wide as the errors at those origins.
    With fewer than 42 days and a horizon of history it is seasonal naive with Student's interval.

    Parameters
    ----------
    series
        ``unique_id``, ``ds`` (days) and ``y`` (not negative). Days without a row between the first and the last of a
        series count as zero.
    horizon
        Days to forecast, after the last day of each series.
    level
        Per cent that the intervals cover, each above 0 and below 100.

    Returns
    -------
    DataFrame
        ``unique_id, ds, mean``, ``low_<level>, high_<level>`` for each level, ``method`` (``weighted_regression`` or
        ``seasonal_naive``) and ``mase`` (error over seasonal naive's; 1 for naive itself), by ``unique_id`` and ``ds``.
        Nothing is below zero.

    Raises
    ------
    UsageError
        If a column is missing, a day stands twice, ``y`` is null, infinite or negative, or horizon or level make no
        sense.

    References
    ----------
    Hyndman and Athanasopoulos, *Forecasting: Principles and Practice*, 3rd edition, chapters 5 and 11; Hyndman and
    Koehler (2006), *Another look at measures of forecast accuracy*; Vovk et al. (2005) for conformal prediction.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=140)
    >>> series = pd.DataFrame({"unique_id": "spa", "ds": days, "y": 10.0 + days.day_of_week})
    >>> forecast(series, horizon=2)[["ds", "mean", "low_80", "high_80", "method"]]
              ds  mean  low_80  high_80          method
    0 2024-05-20  10.0    10.0     10.0  seasonal_naive
    1 2024-05-21  11.0    11.0     11.0  seasonal_naive
    """
    _check(series, horizon, level)
    rows = series.loc[:, list(_COLUMNS)].assign(ds=pd.to_datetime(series["ds"]).astype("datetime64[us]"))
    spans = rows.groupby("unique_id", sort=True)["ds"].agg(["min", "max"])
    parts = [
        part
        for _, of_span in spans.groupby(["min", "max"], sort=True)
        for part in _of_span(
            rows, list(of_span.index), pd.date_range(of_span["min"].iloc[0], of_span["max"].iloc[0]), horizon, level
        )
    ]
    bounds = [f"{end}_{cover}" for cover in level for end in ("low", "high")]
    columns = ["unique_id", "ds", "mean", *bounds, "method", "mase"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts)[columns].sort_values(["unique_id", "ds"], ignore_index=True)


def _of_span(
    rows: pd.DataFrame, ids: list[str], days: pd.DatetimeIndex, horizon: int, level: Sequence[int]
) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of series that begin and end on the same days."""
    wide = rows[rows["unique_id"].isin(ids)].pivot_table(index="ds", columns="unique_id", values="y", aggfunc="sum")
    values = wide.reindex(days).fillna(0.0).to_numpy(dtype="float64")
    ahead = pd.date_range(days[-1], periods=horizon + 1)[1:]
    every = pd.DatetimeIndex(days.append(ahead))
    alone = Level("series", tuple(wide.columns), np.arange(values.shape[1]), values)
    calendar = Calendar(every.day_of_week.to_numpy(), np.zeros(len(every), dtype=bool))
    # What is forecast of a series must not depend on the series beside it: each is a group of its own.
    (made,) = forecast_tree([alone], calendar, horizon=horizon, level=level, alike=lambda v: np.arange(v.shape[1]))
    for place, name in enumerate(alone.ids):
        frame = pd.DataFrame({"unique_id": name, "ds": ahead, "mean": made.mean[:, place]})
        for cover, (low, high) in made.intervals.items():
            frame[f"low_{cover}"], frame[f"high_{cover}"] = low[:, place], high[:, place]
        frame["method"] = NAIVE if made.is_naive[place] else REGRESSION
        yield frame.assign(mase=round(float(made.mase[place]), DIGITS))


def _check(series: pd.DataFrame, horizon: int, level: Sequence[int]) -> None:
    """Refuse what cannot be forecast."""
    if lacking := [name for name in _COLUMNS if name not in series.columns]:
        raise UsageError(f"the series lack {', '.join(lacking)}", next_step="pass columns unique_id, ds, y")
    if horizon < 1:
        raise UsageError(f"a horizon of {horizon} days has no day", next_step="pass 1 or more")
    if wrong := [cover for cover in level if not 0 < cover < 100]:
        raise UsageError(f"no interval covers {wrong[0]} per cent", next_step="pass levels such as 80 or 95")
    if series[["unique_id", "ds"]].isna().any(axis=None):
        raise UsageError("a row has no unique_id or no ds", next_step="leave such rows out")
    if series.duplicated(["unique_id", "ds"]).any():
        raise UsageError("a day stands twice in a series", next_step="add up its rows first")
    y = pd.to_numeric(series["y"], errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    if not (np.isfinite(y) & (y >= 0)).all():
        raise UsageError(
            "y is null, infinite or below zero somewhere", next_step="leave such rows out or set them to 0"
        )
