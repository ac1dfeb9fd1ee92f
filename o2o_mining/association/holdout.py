"""Does a rule hold among customers who had no part in finding it? Lift with interval, p and q values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Array = NDArray[Any]

Z95 = 1.959963984540054
# Baskets of one size hold as much; from the last size on they are alike enough. None and one are one class: a basket
# that holds nothing but the rule has no like without it.
_SIZE_CLASSES = np.array([2, 3, 4, 5, 7, 10, 15, 22, 32])
N_SIZES = len(_SIZE_CLASSES) + 1
_CLASS_OF_SIZE = np.searchsorted(_SIZE_CLASSES, np.arange(_SIZE_CLASSES[-1] + 1), side="right")
_MANY = 50.0  # expected meetings from which on the spread between customers says enough


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
    """Transactions among which a rule is compared with chance: alike in place and size, dependent in their customer.

    Parameters
    ----------
    customer, place
        Shape (n,): codes from 0.
    size
        Shape (n,): how much lies in the basket that holds the right side.

    Examples
    --------
    >>> those = Comparison(np.arange(8), np.zeros(8, int), np.ones(8, int))
    >>> those.estimate(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 7]), n_left=0).lift
    1.5
    """

    def __init__(self, customer: Array, place: Array, size: Array) -> None:
        self.customer, self.place, self.size = customer, place, size.copy()
        self.n_customers = int(customer.max(initial=-1)) + 1
        self.n_strata = (int(place.max(initial=0)) + 1) * N_SIZES
        self.stratum = strata(place, size)
        self.sizes = np.bincount(self.stratum, minlength=self.n_strata)
        self._of_customers = sparse.coo_array(
            (np.ones(len(customer)), (customer, self.stratum)), shape=(self.n_customers, self.n_strata)
        ).tocsr()
        self._marked = np.zeros(len(customer), bool)

    def estimate(self, left: Array, right: Array, *, n_left: int) -> Estimate:
        """Compare how many transactions hold both sides with how many would, were the sides independent.

        Parameters
        ----------
        left, right
            The transactions that hold the left and the right side, each once.
        n_left
            Items of the left side that lie in the basket of the right side.

        Notes
        -----
        Independent within a stratum: a place, and a class of how much *else* lies in the basket. To compare baskets of
        one size instead would let what the rule itself brings make a basket large, and so hide it. The expected
        number is the sum over strata of ``n_left * n_right / n`` (indirect standardisation). The variance is the
        delta method's, with every transaction's influence on the logarithm added up by customer.
        """
        self._marked[left] = True
        both, other = right[self._marked[right]], right[~self._marked[right]]
        self._marked[left] = False
        moved = np.concatenate([left, other])
        of_left, of_right, now = self._strata_without(left, right, moved, n_left)
        before = self.stratum[moved]
        sizes = self.sizes + np.bincount(now, minlength=self.n_strata) - np.bincount(before, minlength=self.n_strata)
        share_left, share_right = (
            np.bincount(some, minlength=self.n_strata) / np.maximum(sizes, 1) for some in (of_left, of_right)
        )
        by_chance = share_left * share_right
        expected = float((by_chance * sizes).sum())
        if not len(both) or expected <= 0:
            return NOTHING
        by_left = self._added(left, share_right[of_left])
        by_right = self._added(right, share_left[of_right])
        base = self._of_customers @ by_chance + self._added(moved, by_chance[now] - by_chance[before])
        observed = np.bincount(self.customer[both], minlength=self.n_customers)
        return _estimated(observed, by_left + by_right - base, min(by_left, by_right, key=np.count_nonzero), expected)

    def _strata_without(self, left: Array, right: Array, moved: Array, n_left: int) -> tuple[Array, Array, Array]:
        """Return the strata of transactions by what lies in them beside the rule."""
        self.size[left] -= n_left
        self.size[right] -= 1
        made = (strata(self.place[some], self.size[some]) for some in (left, right, moved))
        of_left, of_right, of_moved = made
        self.size[left] += n_left
        self.size[right] += 1
        return of_left, of_right, of_moved

    def _added(self, held: Array, values: Array) -> Array:
        return np.bincount(self.customer[held], weights=values, minlength=self.n_customers)


def strata(place: Array, size: Array) -> Array:
    """Return one code for the place and the class of the size of a basket.

    Examples
    --------
    >>> strata(np.array([0, 0, 1]), np.array([0, 1, 2])).tolist()
    [0, 0, 11]
    """
    return np.asarray(place * N_SIZES + _CLASS_OF_SIZE[np.minimum(size, len(_CLASS_OF_SIZE) - 1)])


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

    Where many meetings are expected, the spread between customers tests the ratio. Where few are, the number of
    customers with any does: a sum of independent yes and no, each with a chance of at most what is expected of the
    customer, so that a binomial tail bounds it however unlike customers are (W. Hoeffding, On the distribution of the
    number of successes in independent trials, Ann. Math. Stat. 27, 1956).
    """
    found = float(observed.sum())
    lift = found / expected
    spread = float(np.sqrt(np.square(observed / found - chance / expected).sum()))
    if expected >= _MANY:
        deviation = float(np.sqrt(np.square(observed - chance).sum()))
        p_value = float(special.ndtr((expected - found) / deviation)) if deviation else 1.0
    else:
        did, could = np.count_nonzero(observed), np.count_nonzero(by_customer)
        share = float(np.minimum(by_customer, 1.0).sum()) / could
        p_value = float(special.bdtrc(did - 1, could, share)) if did <= could else 0.0
    return Estimate(lift, float(lift * np.exp(-Z95 * spread)), float(lift * np.exp(Z95 * spread)), p_value)


def either(first: Estimate, second: Estimate) -> Estimate:
    """Return what two halves of the customers say of a rule that each judged because the other found it.

    The p value is the smaller one, doubled; the logarithms of the lifts are weighed by their variances.

    Examples
    --------
    >>> both = either(Estimate(2.0, 1.0, 4.0, 0.01), Estimate(2.0, 1.0, 4.0, 0.5))
    >>> both.lift, round(both.low, 3), both.p_value
    (2.0, 1.225, 0.02)
    """
    p_value = min(1.0, 2 * first.p_value, 2 * second.p_value)
    judged = [one for one in (first, second) if one.lift > 0 and 0 < one.low < one.high < np.inf]
    if not judged:
        return Estimate(0.0, 0.0, np.inf, p_value)
    if len(judged) == 1:
        return Estimate(judged[0].lift, judged[0].low, judged[0].high, p_value)
    weights = np.array([np.log(one.high / one.low) ** -2.0 for one in judged])
    mean = float(np.log([one.lift for one in judged]) @ weights / weights.sum())
    half = float(weights.sum() ** -0.5) / 2
    return Estimate(float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(mean + half)), p_value)


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
