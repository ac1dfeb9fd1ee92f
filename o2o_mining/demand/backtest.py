"""Rolling origins: how the forecasts would have done, where seasonal naive does better, and how wide an interval is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from o2o_mining.demand.hierarchy import Array
from o2o_mining.demand.model import Forecaster, seasonal_naive

ORIGINS, DAYS_BETWEEN = 8, 14
LEAST_DAYS = 42  # of history before an origin
# Series that sold on fewer of the days looked at are judged together: a handful of sales tells no two methods apart.
LEAST_SALES_DAYS = 28
# So many days in a row err about as one; decision 0012 has what that does to coverage.
DAYS_ALIKE = 5
# Series are calibrated beside those that sell about as rarely, by the share of days without a sale.
RARITIES = (0.2, 0.5, 0.7, 0.8)


@dataclass(frozen=True)
class Backtest:
    """What the past says of a tree's forecasts.

    Attributes
    ----------
    naive
        Per level, which series take seasonal naive.
    mase
        Per level, the mean absolute error over seasonal naive's on the same days; 1 where naive itself is taken.
    means, actual
        Per level, what was forecast and what came, shape (origins, horizon, series); no origins in a short history.
    """

    naive: list[Array]
    mase: list[Array]
    means: list[Array]
    actual: list[Array]


def origins(days: int, horizon: int) -> list[int]:
    """Return from which days of a history forecasts are tried, the last first.

    Examples
    --------
    >>> origins(100, 28)
    [72, 58, 44]
    """
    tried = (days - horizon - DAYS_BETWEEN * number for number in range(ORIGINS))
    return [origin for origin in tried if origin >= LEAST_DAYS]


def run_backtest(forecaster: Forecaster, horizon: int) -> Backtest:
    """Try the forecasts on rolling origins, and give seasonal naive every series that it forecasts as well.

    Parameters
    ----------
    forecaster
        Of the whole tree.
    horizon
        Days to forecast.
    """
    starts, levels = origins(forecaster.days, horizon), forecaster.levels
    naive = [np.full(len(level.ids), not starts) for level in levels]
    if not starts:
        nothing = [np.zeros((0, horizon, len(level.ids))) for level in levels]
        return Backtest(naive, [np.ones(len(level.ids)) for level in levels], nothing, nothing)
    forecaster.remember(starts, horizon)
    actual = [np.stack([level.values[n : n + horizon] for n in starts]) for level in levels]
    weekly = [np.stack([seasonal_naive(level.values, n, horizon) for n in starts]) for level in levels]
    while True:
        tried = [forecaster.means(n, horizon, naive) for n in starts]
        means = [np.stack(of_level) for of_level in zip(*tried, strict=True)]
        mase = [scaled_error(*arrays) for arrays in zip(means, weekly, actual, strict=True)]
        worse = [(ratio >= 1) & ~taken for ratio, taken in zip(mase, naive, strict=True)]
        # Giving one series to naive moves its neighbours a little, so all are judged again; each can change but once.
        if not any(level.any() for level in worse):
            break
        naive = [taken | level for taken, level in zip(naive, worse, strict=True)]
    mase = [np.where(taken, 1.0, ratio) for ratio, taken in zip(mase, naive, strict=True)]
    return Backtest(naive, mase, means, actual)


def scaled_error(means: Array, naive: Array, actual: Array) -> Array:
    """Return the mean absolute scaled error of each series: its error over that of seasonal naive on the same days.

    Parameters
    ----------
    means, naive, actual
        Shape (origins, horizon, series). Series with few days of sales share the ratio of all of them together.

    Returns
    -------
    ndarray
        Shape (series,); 1 where both err nothing.
    """
    ours, theirs = (np.abs(tried - actual).sum(axis=(0, 1)) for tried in (means, naive))
    few = (actual > 0).sum(axis=(0, 1)) < LEAST_SALES_DAYS
    ours, theirs = (np.where(few, error[few].sum(), error) for error in (ours, theirs))
    ratio = np.divide(ours, theirs, out=np.full(len(ours), np.inf), where=theirs > 0)
    return np.where((ours == 0) & (theirs == 0), 1.0, ratio)


def rarities(values: Array) -> Array:
    """Return for each series to which group it belongs by its share of days without a sale.

    Examples
    --------
    >>> rarities(np.array([[1.0, 0.0], [2.0, 0.0]])).tolist()
    [0, 4]
    """
    return np.asarray(np.searchsorted(np.array(RARITIES), (values <= 0).mean(axis=0), side="right"))


def intervals(
    mean: Array, tried: Array, actual: Array, groups: Array, levels: Sequence[int]
) -> dict[int, tuple[Array, Array]]:
    """Return central prediction intervals, as wide as the errors of the past were.

    Split conformal: each error is divided by its usual size, a series' own where it has enough errors, and the
    quantiles of these scores are taken over all series of a group, all origins and all days ahead.

    Parameters
    ----------
    mean
        The forecasts, shape (horizon, series).
    tried, actual
        Forecasts of the past and what came, shape (origins, horizon, series).
    groups
        Group of each series.
    levels
        Per cent to cover.

    Returns
    -------
    dict
        By level, low and high, of the shape of ``mean``; never below zero, and the mean always between.
    """
    error, usual = actual - tried, tried.mean(axis=(0, 1))
    size = _spread(error, tried, usual)
    scores = np.divide(error, size(tried), out=np.zeros_like(error), where=size(tried) > 0)
    made = {}
    for level in levels:
        low, high = np.zeros(mean.shape[1]), np.zeros(mean.shape[1])
        tail = (1 - level / 100) / 2
        for group in np.unique(groups):
            of_group = scores[:, :, groups == group]
            beyond = min(1.0, (1 - tail) * (1 + 1 / _independent(*of_group.shape)))
            low[groups == group] = np.quantile(of_group, 1 - beyond)
            high[groups == group] = np.quantile(of_group, beyond)
        scale = size(mean)
        made[level] = (np.clip(mean + low * scale, 0.0, mean), np.maximum(mean + high * scale, mean))
    return made


def _independent(tried: int, horizon: int, series: int) -> float:
    """Return for how many independent errors those of the past stand, for the n + 1 of conformal prediction.

    Days near each other err together, and so do series: some days count as one, series by their root.
    """
    return float((horizon + DAYS_BETWEEN * (tried - 1)) / DAYS_ALIKE * np.sqrt(series))


class _Spread:
    """The usual size of an error: the square root of what is forecast, times a factor of the series."""

    def __init__(self, factor: Array, usual: Array) -> None:
        self.factor, self.usual = factor, usual

    def __call__(self, mean: Array) -> Array:
        """Return sizes of the shape of the means."""
        return np.sqrt((mean + self.usual) / 2 * self.factor)


def _spread(error: Array, tried: Array, usual: Array) -> _Spread:
    squares, forecast = (error**2).sum(axis=(0, 1)), tried.sum(axis=(0, 1))
    common = squares.sum() / max(forecast.sum(), 1e-12)
    own = (squares + LEAST_SALES_DAYS * common * usual) / np.maximum(forecast + LEAST_SALES_DAYS * usual, 1e-12)
    return _Spread(np.where(usual > 0, own, common), usual)


def wide_intervals(mean: Array, values: Array, levels: Sequence[int]) -> dict[int, tuple[Array, Array]]:
    """Return intervals where the history is too short for errors of the past: Student's, with the days there are.

    Parameters
    ----------
    mean
        The forecasts, shape (horizon, series).
    values
        The history, shape (days, series), one day at least.
    levels
        Per cent to cover.
    """
    from scipy.stats import t  # half a second that a home with a history does not need

    days = len(values)
    centre = values.mean(axis=0)
    # A count varies by its own square root at least, whatever a few days show; naive repeats one noisy week.
    spread = np.sqrt(2 * np.maximum(values.var(axis=0, ddof=1) if days > 1 else centre**2, centre))
    made = {}
    for level in levels:
        reach = t.ppf(0.5 + level / 200, max(days - 1, 1)) * np.sqrt(1 + 1 / days) * spread
        made[level] = (np.clip(centre - reach, 0.0, mean), np.maximum(centre + reach, mean))
    return made
