"""Does a rule hold among customers who had no part in finding it? Lift with interval, p and q values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Array = NDArray[Any]

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """How often two things meet, over how often they would by chance.

    Attributes
    ----------
    lift, low, high
        Ratio with its 95 % interval; customers are the clusters.
    p_value
        That the ratio is at most 1.
    """

    lift: float
    low: float
    high: float
    p_value: float


NOTHING = Estimate(0.0, 0.0, np.inf, 1.0)


class Comparison:
    """Transactions among which a rule is compared with chance: alike in their stratum, dependent in their customer.

    Parameters
    ----------
    customer, stratum
        Shape (n,): codes from 0.

    Examples
    --------
    >>> those = Comparison(np.arange(8), np.zeros(8, int))
    >>> those.estimate(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 7])).lift
    1.5
    """

    def __init__(self, customer: Array, stratum: Array) -> None:
        self.customer, self.stratum = customer, stratum
        self.n_customers = int(customer.max(initial=-1)) + 1
        self.sizes = np.bincount(stratum, minlength=1)
        self._of_customers = sparse.coo_array(
            (np.ones(len(customer)), (customer, stratum)), shape=(self.n_customers, len(self.sizes))
        ).tocsr()
        self._marked = np.zeros(len(customer), bool)

    def estimate(self, left: Array, right: Array) -> Estimate:
        """Compare how many transactions hold both sides with how many would, were the sides independent in a stratum.

        Parameters
        ----------
        left, right
            The transactions that hold the left and the right side, each once.

        Notes
        -----
        The expected number is the sum over strata of ``n_left * n_right / n`` (indirect standardisation). The variance
        is the delta method's, with every transaction's influence on the logarithm added up by customer.
        """
        share_left, share_right = self._shares(left), self._shares(right)
        expected = float((share_left * share_right * self.sizes).sum())
        self._marked[left] = True
        both = right[self._marked[right]]
        self._marked[left] = False
        if not len(both) or not expected:
            return NOTHING
        observed = np.bincount(self.customer[both], minlength=self.n_customers)
        by_left = self._added(left, share_right)
        chance = by_left + self._added(right, share_left) - self._of_customers @ (share_left * share_right)
        return _estimated(observed, chance, by_left, expected)

    def within(self, some: Array) -> tuple[Comparison, Array]:
        """Return the comparison among some transactions, and the new number of each of the old ones, or -1."""
        place = np.full(len(self.customer), -1)
        place[some] = np.arange(len(some))
        return Comparison(self.customer[some], self.stratum[some]), place

    def _shares(self, held: Array) -> Array:
        return np.bincount(self.stratum[held], minlength=len(self.sizes)) / np.maximum(self.sizes, 1)

    def _added(self, held: Array, share: Array) -> Array:
        return np.bincount(self.customer[held], weights=share[self.stratum[held]], minlength=self.n_customers)


def by_habit(observed: Array, expected: Array) -> Estimate:
    """Compare what each customer did with what the same customer's habits give by chance.

    Parameters
    ----------
    observed, expected
        Shape (customers,).

    Examples
    --------
    >>> by_habit(np.array([2, 2, 2]), np.array([1.0, 1.0, 1.0])).lift
    2.0
    """
    total = float(expected.sum())
    if not observed.any() or not total:
        return NOTHING
    return _estimated(observed, expected, expected, total)


def _estimated(observed: Array, chance: Array, by_customer: Array, expected: float) -> Estimate:
    """Turn sums by customer into an estimate.

    Two tests that each hold by themselves share the error: one by the spread between customers, for many of them, and
    one by how many customers did it at all, for few. The number of those is a sum of independent yes and no, each with
    a chance of at most what is expected of the customer, so a Poisson tail bounds it however unlike customers are.
    """
    found = float(observed.sum())
    lift = found / expected
    spread = float(np.sqrt(np.square(observed / found - chance / expected).sum()))
    deviation = float(np.sqrt(np.square(observed - chance).sum()))
    by_spread = special.ndtr((expected - found) / deviation) if deviation else 1.0
    by_number = special.pdtrc(np.count_nonzero(observed) - 1, np.minimum(by_customer, 1.0).sum())
    p_value = min(1.0, 2.0 * float(min(by_spread, by_number)))
    return Estimate(lift, float(lift * np.exp(-Z95 * spread)), float(lift * np.exp(Z95 * spread)), p_value)


def q_values(p_values: Array) -> Array:
    """Return the smallest false discovery rate at which each hypothesis is rejected.

    Parameters
    ----------
    p_values
        Shape (n,), of all hypotheses tested.

    Returns
    -------
    ndarray
        Shape (n,).

    Notes
    -----
    Source: Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, JRSS B 57 (1995).

    Examples
    --------
    >>> q_values(np.array([0.01, 0.04, 0.03])).round(6).tolist()
    [0.03, 0.04, 0.04]
    """
    n = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * n / np.arange(1, n + 1)
    q = np.empty(n)
    q[order] = np.minimum(1.0, np.minimum.accumulate(stepped[::-1])[::-1])
    return q
