"""Purchases until a customer leaves for good: what BG/NBD and MBG/NBD have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from scipy.special import betaln, digamma, expit, gammaln
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from o2o_mining.core.errors import UsageError
from o2o_mining.lifecycle.fitting import columns, covariance, grouped, maximised, parameter_table, quantile

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from o2o_mining.lifecycle.fitting import Floats

PARAMETERS = ("r", "alpha", "a", "b")
_NAMES = ("frequency", "recency", "T")
_NODES = 32
_STEP = 1e-4
_CHUNK = 1 << 16


class PurchaseProcess(BaseEstimator):  # type: ignore[misc]
    """Purchases at a rate of one's own until leaving, which may happen after any purchase.

    Rates differ between customers as a gamma distribution (shape ``r``, rate ``alpha``), chances of leaving after a
    purchase as a beta distribution (``a``, ``b``). The two models differ in whether one may leave after the first
    purchase.

    Parameters
    ----------
    penalizer
        How much the squared logarithms of the parameters are held down, per customer; 0 for maximum likelihood.

    Attributes
    ----------
    params_
        ``r, alpha, a, b``.
    log_likelihood_
        Of the data, summed over customers.
    """

    # 1 where one may leave right after the first purchase, else 0.
    _chances_at_first: ClassVar[int]

    def __init__(self, penalizer: float = 0.0) -> None:
        self.penalizer = penalizer

    def fit(
        self,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        weights: ArrayLike | None = None,
    ) -> Self:
        """Fit the four parameters by maximum likelihood, with the exact slope, over distinct rows.

        Parameters
        ----------
        frequency
            Shape (n,). Purchases after the first.
        recency
            Shape (n,). Time from the first purchase to the last, in the unit of ``T``.
        T
            Shape (n,). Time from the first purchase to the day that is looked from.
        weights
            Shape (n,). How many customers a row stands for; by default 1.

        Returns
        -------
        The fitted model.

        Raises
        ------
        UsageError
            If there is no customer, or a row cannot be: recency beyond T, or without a second purchase.
        """
        given = list(_histories(frequency, recency, T))
        ones = np.ones(len(given[0]))
        one_each = ones if weights is None else columns(("frequency", "weights"), (frequency, weights))[1]
        x, t_x, until, weight = grouped(given, one_each)
        if not weight.sum():
            raise UsageError("no customer to learn from", next_step="pass at least one row of positive weight")
        # Time is taken in units of its mean, so that one start serves days and weeks.
        unit = float(np.average(until, weights=weight)) or 1.0
        data = _Grouped(x, t_x / unit, until / unit, weight, self._chances_at_first)
        scale = np.array([0.0, np.log(unit), 0.0, 0.0])
        at = maximised(data.likelihood, np.zeros(4), penalty=self.penalizer, weight=float(weight.sum())) + scale
        self._log_params_ = at
        self._covariance_ = covariance(data.likelihood, at - scale)
        self.params_ = dict(zip(PARAMETERS, np.exp(at).tolist(), strict=True))
        # A density of times in a smaller unit is smaller, once for each purchase.
        self.log_likelihood_ = data.likelihood(at - scale)[0] - float((weight * x).sum()) * float(np.log(unit))
        return self

    def parameter_intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Return ``estimate``, ``low`` and ``high`` of each parameter, from the curvature of the likelihood.

        Parameters
        ----------
        level
            Of the interval.
        """
        check_is_fitted(self, "params_")
        return parameter_table(PARAMETERS, self._log_params_, self._covariance_, level=level)

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Return the probability that a customer has not left for good.

        Parameters
        ----------
        frequency, recency, T
            As in `fit`.

        Returns
        -------
        Shape (n,).
        """
        check_is_fitted(self, "params_")
        x, t_x, until = _histories(frequency, recency, T)
        return _alive(self._log_params_, x, t_x, until, self._chances_at_first)

    def expected_purchases(
        self,
        t: float,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
    ) -> Floats:
        """Return the expected number of purchases in the time to come.

        Parameters
        ----------
        t
            Length of that time.
        frequency, recency, T
            As in `fit`.

        Returns
        -------
        Shape (n,). By Gauss-Jacobi quadrature over the chance of leaving, which neither overflows for long histories
        nor breaks at a = 1, as the hypergeometric closed form does.
        """
        check_is_fitted(self, "params_")
        x, t_x, until = _histories(frequency, recency, T)
        return _expected(self._log_params_, _checked_time(t), x, t_x, until, self._chances_at_first)

    def expected_purchases_interval(
        self,
        t: float,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        *,
        level: float = 0.95,
    ) -> tuple[Floats, Floats]:
        """Return the interval of the expected number of purchases, for what is not known of the parameters.

        Parameters
        ----------
        t, frequency, recency, T
            As in `expected_purchases`.
        level
            Of the interval.

        Returns
        -------
        low, high
            Shape (n,) each, by the delta method on the logarithm.
        """
        check_is_fitted(self, "params_")
        x, t_x, until = _histories(frequency, recency, T)
        at, ahead = self._log_params_, _checked_time(t)

        def expected(at: Floats) -> Floats:
            return _expected(at, ahead, x, t_x, until, self._chances_at_first)

        middle = expected(at)
        slopes = [(expected(at + one) - expected(at - one)) / (2 * _STEP) for one in _STEP * np.eye(4)]
        slope = np.stack(slopes) / np.maximum(middle, np.finfo(float).tiny)
        half = quantile(level) * np.sqrt(np.einsum("in,ij,jn->n", slope, self._covariance_, slope))
        return middle * np.exp(-half), middle * np.exp(half)


class _Grouped:
    """Distinct histories with their weights, and the likelihood of all of them."""

    def __init__(
        self, x: Floats, t_x: Floats, until: Floats,
        weight: Floats, chances_at_first: int,
    ) -> None:  # fmt: skip
        self.x, self.t_x, self.until, self.weight = x, t_x, until, weight
        self.first = chances_at_first
        # What depends on the number of purchases alone is reckoned once for each number.
        self.count, self.place = np.unique(x, return_inverse=True)
        self.count_weight = np.bincount(self.place, weights=weight)

    def likelihood(self, at: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood and its slope in log r, log alpha, log a, log b."""
        r, alpha, a, b = np.exp(at)
        n, k = self.count, self.count + self.first
        by_count = gammaln(r + n) - gammaln(r) + betaln(a, b + k) - betaln(a, b)
        log_until, log_last = np.log(alpha + self.until), np.log(alpha + self.t_x)
        odds = _log_odds_of_leaving(at, n, self.first)[self.place]
        power = r + self.x
        odds += power * (log_until - log_last)
        left = expit(odds)
        w, total = self.weight, float(self.weight.sum())
        both = np.logaddexp(0, odds) - power * log_until
        value = float(self.count_weight @ by_count + w @ both) + total * r * at[1]
        # Of one's chances to leave, none was taken (there) or the last one was (left).
        w_left, w_there = w * left, w * (1 - left)
        left_by_count = np.bincount(self.place, weights=w_left)
        in_all = digamma(a + b) - digamma(a + b + k)
        slope = np.array(
            [
                self.count_weight @ (digamma(r + n) - digamma(r)) + total * at[1]
                - w_there @ log_until - w_left @ log_last,
                total * r / alpha - (w_there * power) @ (1 / (alpha + self.until))
                - (w_left * power) @ (1 / (alpha + self.t_x)),
                self.count_weight @ in_all + w_left.sum() / a,
                self.count_weight @ (in_all + digamma(b + k) - digamma(b))
                - left_by_count @ (1 / np.where(k > 0, b + k - 1, 1.0)),
            ]
        )  # fmt: skip
        return value, slope * np.array([r, alpha, a, b])


def _log_odds_of_leaving(at: Floats, x: Floats, first: int) -> Floats:
    """Return the log odds of having left at the last of one's chances; none where there was no chance."""
    chances = x + first
    return np.where(chances > 0, at[2] - np.log(np.where(chances > 0, np.exp(at[3]) + chances - 1, 1.0)), -np.inf)


def _alive(at: Floats, x: Floats, t_x: Floats, until: Floats, first: int) -> Floats:
    r, alpha = np.exp(at[:2])
    late = (r + x) * (np.log(alpha + until) - np.log(alpha + t_x))
    return np.asarray(expit(-(_log_odds_of_leaving(at, x, first) + late)))


def _expected(
    at: Floats, t: float, x: Floats, t_x: Floats, until: Floats,
    first: int,
) -> Floats:  # fmt: skip
    """Return purchases to come: those of who is there, whose chance p of leaving is beta distributed.

    Given p, the rate thins by leaving, and ``(1 - (1 + p t / (alpha + T)) ** -(r + x)) / p`` purchases are expected.
    """
    r, alpha, a, b = np.exp(at)
    counts, place = np.unique(x, return_inverse=True)
    nodes, shares = beta_quadrature(a, b + counts + first)
    found = np.empty(len(x))
    for begin in range(0, len(x), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        p, power = nodes[place[part]], (r + x[part])[:, None]
        thinned = -np.expm1(-power * np.log1p(p * (t / (alpha + until[part]))[:, None])) / p
        found[part] = np.einsum("ij,ij->i", shares[place[part]], thinned)
    return found * _alive(at, x, t_x, until, first)


def beta_quadrature(a: float, b: Floats) -> tuple[Floats, Floats]:
    """Return nodes in (0, 1) and weights that sum to 1 for beta distributions with parameters a and each of b.

    Source: G. H. Golub and J. H. Welsch, Calculation of Gauss quadrature rules, Math. Comp. 23 (1969).

    Examples
    --------
    >>> nodes, weights = beta_quadrature(2.0, np.array([3.0]))
    >>> round(float((nodes * weights).sum()), 12)
    0.4
    """
    k = np.arange(_NODES, dtype=np.float64)
    one, two = (b - 1.0)[:, None], a - 1.0
    both = 2 * k + one + two
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (two**2 - one**2) / (both * (both + 2))
        square = 4 * k * (k + one) * (k + two) * (k + one + two) / (both**2 * (both + 1) * (both - 1))
    middle[:, 0] = ((two - one) / (one + two + 2))[:, 0]
    square[:, 1] = (4 * (1 + one) * (1 + two) / ((2 + one + two) ** 2 * (3 + one + two)))[:, 0]
    matrices = np.zeros((len(b), _NODES, _NODES))
    diagonal = np.arange(_NODES)
    matrices[:, diagonal, diagonal] = middle
    matrices[:, diagonal[1:], diagonal[:-1]] = np.sqrt(square[:, 1:])
    values, vectors = np.linalg.eigh(matrices)
    return np.clip((1 + values) / 2, 1e-12, 1.0), vectors[:, 0, :] ** 2


def _histories(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the three columns, and refuse rows that no customer can have."""
    x, t_x, until = columns(_NAMES, (frequency, recency, T))
    rules = (
        (t_x > until, "recency lies beyond T", "recency and T are both counted from the first purchase"),
        ((x == 0) & (t_x > 0), "recency is above 0 without a second purchase", "frequency counts repeat purchases"),
    )
    for broken, rule, next_step in rules:
        if broken.any():
            raise UsageError(f"row {int(np.argmax(broken))}: {rule}", next_step=next_step)
    return x, t_x, until


def _checked_time(t: float) -> float:
    if not (np.isfinite(t) and t >= 0):
        raise UsageError(f"t is {t}", next_step="pass a length of time, 0 or more")
    return float(t)
