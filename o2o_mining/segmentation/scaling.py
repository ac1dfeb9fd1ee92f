"""Brings features to one scale: fills gaps, tames heavy tails, centres and weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beyond this skewness a column is taken by the signed logarithm; an exponential has 2, a normal 0.
SKEWED = 2.0
DIGITS = 9


@dataclass(frozen=True)
class Scaling:
    """What was learned of each column; arrays of shape (columns,).

    Attributes
    ----------
    fill
        The median, for what is missing.
    is_log
        Whether the column is taken as ``sign(x) * log(1 + |x|)``.
    location, scale
        Mean and standard deviation after that; a constant column has scale 1.
    weight
        What the standardised column is multiplied by.
    """

    fill: NDArray[Any]
    is_log: NDArray[Any]
    location: NDArray[Any]
    scale: NDArray[Any]
    weight: NDArray[Any]

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the columns on one scale, shape (n, columns)."""
        filled = np.where(np.isnan(values), self.fill, values)
        tamed = np.where(self.is_log, signed_log(filled), filled)
        scaled: NDArray[Any] = (tamed - self.location) / self.scale * self.weight
        return scaled


def learn_scaling(values: NDArray[Any], weight: NDArray[Any]) -> Scaling:
    """Learn fills, logarithms, locations and scales; rounded, so that what is kept is what is used.

    Parameters
    ----------
    values
        Shape (n, columns), NaN where missing, rows in a fixed order.
    weight
        Shape (columns,).

    Examples
    --------
    >>> learned = learn_scaling(np.array([[1.0], [3.0], [np.nan]]), np.ones(1))
    >>> learned.fill.tolist(), learned.location.tolist()
    ([2.0], [2.0])
    """
    missing = np.isnan(values)
    empty = missing.all(axis=0)
    fill = np.nanmedian(np.where(empty, 0.0, values), axis=0)
    filled = np.where(missing, fill, values)
    is_log = np.array([_skewness(column) > SKEWED for column in filled.T], dtype=bool)
    tamed = np.where(is_log, signed_log(filled), filled)
    spread = tamed.std(axis=0)
    level = np.abs(tamed).max(axis=0, initial=0.0)
    scale = np.where(spread > 1e-12 * np.maximum(level, 1e-300), spread, 1.0)
    return Scaling(rounded(fill), is_log, rounded(tamed.mean(axis=0)), rounded(scale), rounded(weight))


def signed_log(values: NDArray[Any]) -> NDArray[Any]:
    """Return ``sign(x) * log(1 + |x|)``.

    Examples
    --------
    >>> signed_log(np.array([0.0, -1.0])).round(3).tolist()
    [0.0, -0.693]
    """
    logs: NDArray[Any] = np.sign(values) * np.log1p(np.abs(values))
    return logs


def rounded(values: Any, digits: int = DIGITS) -> NDArray[Any]:
    """Round to significant digits.

    Examples
    --------
    >>> rounded([0.123456, 1234.56], 3).tolist()
    [0.123, 1230.0]
    """
    given = np.asarray(values, dtype=np.float64)
    short = [float(f"{value:.{digits - 1}e}") for value in given.ravel().tolist()]
    return np.array(short, dtype=np.float64).reshape(given.shape)


def nearest(points: NDArray[Any], centres: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each point the number of its nearest centre; of two equally near the first.

    The squares are added up feature by feature, so that the order of the sum is the same everywhere.

    Parameters
    ----------
    points, centres
        Shapes (n, features) and (clusters, features).

    Examples
    --------
    >>> nearest(np.array([[0.0], [3.0]]), np.array([[0.0], [4.0]])).tolist()
    [0, 1]
    """
    best = np.full(len(points), np.inf)
    found = np.zeros(len(points), dtype=np.int64)
    columns = np.ascontiguousarray(points.T)
    for number, centre in enumerate(centres):
        distance = np.zeros(len(points))
        for column, value in zip(columns, centre.tolist(), strict=True):
            distance += (column - value) ** 2
        closer = distance < best
        best[closer], found[closer] = distance[closer], number
    return found


def _skewness(column: NDArray[Any]) -> float:
    """Return the absolute third standardised moment; 0 of a constant."""
    with np.errstate(over="ignore", invalid="ignore"):
        away = column - column.mean()
        deviation = np.sqrt(np.mean(away * away))
        if not deviation > 1e-12 * max(float(np.abs(column).max()), 1e-300):
            return 0.0
        return float(abs(np.mean((away / deviation) ** 3)))
