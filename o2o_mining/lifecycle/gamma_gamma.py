"""Gamma-Gamma: how much a customer spends on one purchase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import digamma, gammaln
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from o2o_mining.core.errors import UsageError
from o2o_mining.lifecycle.fitting import columns, covariance, grouped, maximised, parameter_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

PARAMETERS = ("p", "q", "v")


class GammaGamma(BaseEstimator):  # type: ignore[misc]
    """The Gamma-Gamma model of the amount of a purchase, independent of how often a customer buys.

    Amounts of one customer are gamma distributed (shape ``p``), their rates differ between customers as a gamma
    distribution (shape ``q``, rate ``v``). ``q`` is held above 1: below it the mean amount of a new customer would be
    infinite.

    Parameters
    ----------
    penalizer
        How much the squared logarithms of p, q - 1 and v are held down, per customer; 0 for maximum likelihood.

    Attributes
    ----------
    params_
        ``p, q, v``.
    log_likelihood_
        Of the data, summed over customers.

    References
    ----------
    P. S. Fader and B. G. S. Hardie, The Gamma-Gamma model of monetary value (2013).

    Examples
    --------
    >>> model = GammaGamma().fit(frequency=[1, 2, 4, 8], monetary_value=[10.0, 30.0, 12.0, 22.0])
    >>> few, many = model.expected_spend([1, 50], [40.0, 40.0])
    >>> bool(few < many < 40)
    True
    """

    def __init__(self, penalizer: float = 0.0) -> None:
        self.penalizer = penalizer

    def fit(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Self:
        """Fit the three parameters by maximum likelihood, with the exact slope.

        Parameters
        ----------
        frequency
            Shape (n,). Purchases that the mean was taken over; rows with 0 say nothing and are left out.
        monetary_value
            Shape (n,). Their mean amount, above 0.

        Returns
        -------
        The fitted model.

        Raises
        ------
        UsageError
            If nobody bought, or a mean amount is 0.
        """
        x, mean = columns(("frequency", "monetary_value"), (frequency, monetary_value))
        x, mean = x[x > 0], mean[x > 0]
        if not len(x):
            raise UsageError("no purchase to learn from", next_step="pass at least one customer with frequency 1")
        if not (mean > 0).all():
            raise UsageError(
                f"the mean amount of {int((mean <= 0).sum())} customers is 0",
                next_step="leave them out: a gamma distributed amount is above 0",
            )
        # Amounts are taken in units of their mean, so that one start serves every currency.
        unit = float(mean.mean())
        data = _Spent(*grouped([x, mean / unit], np.ones(len(x))))
        scale = np.array([0.0, 0.0, np.log(unit)])
        at = maximised(data.likelihood, np.zeros(3), penalty=self.penalizer, weight=float(len(x))) + scale
        self._log_params_, self._covariance_ = at, covariance(data.likelihood, at - scale)
        self.params_ = dict(zip(PARAMETERS, _params(at).tolist(), strict=True))
        self.log_likelihood_ = data.likelihood(at - scale)[0] - len(x) * float(np.log(unit))
        return self

    def parameter_intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Return ``estimate``, ``low`` and ``high`` of each parameter, from the curvature of the likelihood.

        Parameters
        ----------
        level
            Of the interval.
        """
        check_is_fitted(self, "params_")
        table = parameter_table(PARAMETERS, self._log_params_, self._covariance_, level=level)
        table.loc["q"] += 1
        return table

    def expected_spend(self, frequency: ArrayLike, monetary_value: ArrayLike) -> NDArray[np.float64]:
        """Return the expected amount of a customer's purchases: their own mean, drawn towards everybody's.

        Parameters
        ----------
        frequency
            Shape (n,). Purchases that the mean was taken over, 0 included.
        monetary_value
            Shape (n,). Their mean amount.

        Returns
        -------
        Shape (n,).
        """
        check_is_fitted(self, "params_")
        x, mean = columns(("frequency", "monetary_value"), (frequency, monetary_value))
        p, q, v = _params(self._log_params_)
        return np.asarray(p * (v + x * mean) / (p * x + q - 1))


class _Spent:
    """Distinct purchase counts and mean amounts with their weights."""

    def __init__(self, x: NDArray[np.float64], mean: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        self.x, self.mean, self.weight = x, mean, weight

    def likelihood(self, at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the log-likelihood and its slope in log p, log (q - 1), log v."""
        p, q, v = _params(at)
        x, w, spent = self.x, self.weight, self.x * self.mean
        shape, rate = p * x, np.log(spent + v)
        value = (
            gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
            + shape * np.log(spent) - np.log(self.mean) - (shape + q) * rate
        )  # fmt: skip
        slope = np.array(
            [
                w @ (x * (digamma(shape + q) - digamma(shape) + np.log(spent) - rate)),
                w @ (digamma(shape + q) - digamma(q) + np.log(v) - rate),
                w @ (q / v - (shape + q) / (spent + v)),
            ]
        )
        return float(w @ value), slope * np.array([p, q - 1, v])


def _params(at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(at) + np.array([0.0, 1.0, 0.0]))
