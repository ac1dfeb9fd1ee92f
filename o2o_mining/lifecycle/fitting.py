"""Maximum likelihood with exact gradients: what the purchase and spend models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = NDArray[np.float64]
# Log-likelihood of the data, and its slope in the logarithms of the parameters.
Likelihood = Callable[[Floats], tuple[float, Floats]]

# No parameter of a real log lies outside e^-12 to e^12; without a wall, data of one customer run away to infinity.
_WALL = 12.0
_STEP = 1e-4


def columns(names: tuple[str, ...], values: tuple[ArrayLike, ...]) -> list[Floats]:
    """Return columns as arrays of floats of one length, without nulls and not negative.

    Raises
    ------
    UsageError
        If they are not of one length, or one of them is null, infinite or below 0.

    Examples
    --------
    >>> columns(("frequency", "recency"), ([0, 2], [0.0, 3.5]))
    [array([0., 2.]), array([0. , 3.5])]
    """
    arrays = [np.asarray(value, dtype=np.float64).ravel() for value in values]
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in zip(names, arrays, strict=True))
        raise UsageError(f"columns differ in length: {lengths}", next_step="pass one value for each customer")
    for name, array in zip(names, arrays, strict=True):
        wrong = ~np.isfinite(array) | (array < 0)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise UsageError(f"{name}[{first}] is {array[first]}", next_step="pass finite numbers, none below 0")
    return arrays


def grouped(columns: list[Floats], weights: Floats) -> list[Floats]:
    """Return the distinct rows in their order, and last how much weight each has.

    Examples
    --------
    >>> grouped([np.array([1.0, 0.0, 1.0])], np.ones(3))
    [array([0., 1.]), array([1., 2.])]
    """
    keys = [f"key{place}" for place in range(len(columns))]
    frame = pd.DataFrame(dict(zip(keys, columns, strict=True)))
    rows = frame.assign(weight=weights).groupby(keys, sort=False)["weight"].sum().reset_index()
    order = np.lexsort([rows[name].to_numpy() for name in reversed(keys)])
    return [rows[name].to_numpy()[order] for name in rows.columns]


def maximised(likelihood: Likelihood, start: Floats, *, penalty: float, weight: float) -> Floats:
    """Return the logarithms of the parameters at which the likelihood is largest.

    Parameters
    ----------
    likelihood
        Of the data, with its slope.
    start
        Logarithms of the parameters to begin with.
    penalty
        How much the squared logarithms of the parameters are held down, per unit of weight.
    weight
        Number of customers.
    """

    def loss(at: Floats) -> tuple[float, Floats]:
        value, slope = likelihood(at)
        return penalty * float(at @ at) - value / weight, 2 * penalty * at - slope / weight

    bounds = [(-_WALL, _WALL)] * len(start)
    options = {"maxiter": 500, "ftol": 1e-15, "gtol": 1e-10, "maxls": 50}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, dtype=np.float64)


def covariance(likelihood: Likelihood, at: Floats) -> Floats:
    """Return the covariance of the logarithms of the parameters: the inverse of the observed information.

    The information is taken from differences of the exact slope. Where the data say nothing of a parameter, its
    variance is large rather than infinite.
    """
    n = len(at)
    steps = _STEP * np.eye(n)
    rows = [(likelihood(at + step)[1] - likelihood(at - step)[1]) / (2 * _STEP) for step in steps]
    information = -np.array(rows)
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    held = np.maximum(values, _WALL**-2)
    inverse: Floats = (vectors / held) @ vectors.T
    return inverse


def quantile(level: float) -> float:
    """Return how many standard deviations an interval of a level reaches to either side.

    Raises
    ------
    UsageError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> round(quantile(0.95), 3)
    1.96
    """
    if not 0 < level < 1:
        raise UsageError(f"level {level} is not between 0 and 1", next_step="pass 0.95, say")
    return float(norm.ppf((1 + level) / 2))


def parameter_table(names: tuple[str, ...], at: Floats, spread: Floats, *, level: float) -> pd.DataFrame:
    """Return the parameters with their intervals, which are symmetric in the logarithm."""
    half = quantile(level) * np.sqrt(np.diag(spread))
    values = {"estimate": np.exp(at), "low": np.exp(at - half), "high": np.exp(at + half)}
    return pd.DataFrame(values, index=pd.Index(names, name="parameter"))
