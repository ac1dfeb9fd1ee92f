"""Who has left for good: purchases at a rate of one's own until leaving, and a trickle afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, gammaln
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from o2o_mining.core.errors import UsageError
from o2o_mining.lifecycle.visits import Visits, day_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARAMETERS = ("r", "alpha", "leaving_per_day", "trickle_per_day", "once_share")
_START = np.array([0.0, np.log(30.0), -6.0, -7.0, -1.5])
_BOUNDS = [(-6, 8), (-3, 12), (-14, 0), (-14, -1), (-9, 4)]
_CUSTOMERS = 2500
# Leaving is most likely soon after a purchase: the nodes of each gap crowd there.
_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_PLACES, _WEIGHTS = ((_PLACES + 1) / 2) ** 2, (_PLACES + 1) / 2 * _WEIGHTS


class LeavingProcess(BaseEstimator):  # type: ignore[misc]
    """A gamma distributed rate of purchases, an exponential life, some who come once, and a trickle after leaving.

    The models that look at the last purchase alone (BG/NBD, MBG/NBD, Pareto/NBD) take a single late purchase, as an
    offer may bring, for a sign of life. Here all gaps count: many short gaps, then one purchase in a year, is somebody
    who left and came back once.

    Attributes
    ----------
    params_
        ``r, alpha``: shape and rate of the gamma distributed rates a day; ``leaving_per_day``; ``trickle_per_day``, the
        rate of purchases after leaving; ``once_share``, of those who leave right after the first purchase.

    References
    ----------
    D. C. Schmittlein, D. G. Morrison and R. Colombo, Counting your customers, Management Science 33 (1987), for rate
    and life; the trickle is ours.

    Examples
    --------
    >>> import pandas as pd
    >>> when = pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-20", "2024-02-01", "2024-05-01", "2024-06-20"])
    >>> bought = pd.DataFrame({"customer_id": list("aaaabb"), "purchased_at": when})
    >>> visits, day = Visits.of(bought.assign(net_amount=1.0, offered=False)), date(2024, 7, 1)
    >>> often_then_silent, seldom = LeavingProcess().fit(visits, day).probability_alive(visits, day)
    >>> bool(often_then_silent < seldom)
    True
    """

    def fit(self, visits: Visits, day: date) -> Self:
        """Fit the five parameters by maximum likelihood, on an even choice of at most 2,500 customers.

        Parameters
        ----------
        visits
            Purchases before the day.
        day
            The day that is looked from.

        Raises
        ------
        UsageError
            If nobody bought.
        """
        if not len(visits.customers):
            raise UsageError("no customer to learn from", next_step="pass the purchases of at least one")
        step = max(1, -(-len(visits.customers) // _CUSTOMERS))
        gaps = _Gaps.of(visits.before(day, visits.customers[::step]), day)
        found = minimize(lambda at: -float(_fates(at, gaps)[0].mean()), _START, method="L-BFGS-B", bounds=_BOUNDS)
        self._at_ = np.asarray(found.x)
        self.params_ = dict(zip(PARAMETERS, [*np.exp(self._at_[:4]).tolist(), float(expit(self._at_[4]))], strict=True))
        return self

    def probability_alive(self, visits: Visits, day: date) -> NDArray[np.float64]:
        """Return the probability that each customer has not left for good.

        Parameters
        ----------
        visits, day
            As in `fit`.

        Returns
        -------
        Shape (c,), in the order of ``visits.customers``.
        """
        check_is_fitted(self, "params_")
        return _fates(self._at_, _Gaps.of(visits, day))[1]


@dataclass(frozen=True)
class _Gaps:
    """Every purchase with the time until the next one, in which its customer may have left.

    Attributes
    ----------
    code, first
        Customer of each purchase; place of each customer's first purchase.
    done, rest
        Purchases before it and after it.
    left_at, weight
        Shape (n, nodes). Moments of leaving since the first purchase, and what each stands for in days.
    until
        Shape (c,). Time from the first purchase to the day.
    """

    code: NDArray[np.int64]
    first: NDArray[np.int64]
    done: NDArray[np.int64]
    rest: NDArray[np.int64]
    left_at: NDArray[np.float64]
    weight: NDArray[np.float64]
    until: NDArray[np.float64]

    @classmethod
    def of(cls, visits: Visits, day: date) -> Self:
        n = np.bincount(visits.code, minlength=len(visits.customers))
        first = np.r_[0, np.cumsum(n)[:-1]]
        begun = visits.day[first]
        at, until = visits.day - begun[visits.code], day_number(day) - begun
        following = np.r_[at[1:], 0.0]
        following[first + n - 1] = until
        span = (following - at)[:, None]
        done = np.arange(len(at)) - first[visits.code]
        rest = n[visits.code] - 1 - done
        return cls(visits.code, first, done, rest, at[:, None] + span * _PLACES, span * _WEIGHTS, until)


def _fates(at: NDArray[np.float64], gaps: _Gaps) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each customer's log-likelihood and the probability of being there still."""
    r, alpha, leaving, trickle = np.exp(at[:4])
    once, stays = -np.logaddexp(0, -at[4]), -np.logaddexp(0, at[4])
    n, until = gaps.rest[gaps.first], gaps.until

    def before(purchases: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(gammaln(r + purchases) - gammaln(r) + r * at[1])

    steps = (
        (before(gaps.done) + gaps.rest * at[3])[:, None] + at[2] - leaving * gaps.left_at
        - (r + gaps.done)[:, None] * np.log(alpha + gaps.left_at)
        - trickle * (until[gaps.code][:, None] - gaps.left_at)
    )  # fmt: skip
    most = steps.max(axis=1)
    in_gap = most + np.log(np.maximum((np.exp(steps - most[:, None]) * gaps.weight).sum(axis=1), 1e-300)) + stays
    there = stays - leaving * until + before(n) - (r + n) * np.log(alpha + until)
    at_once = once + n * at[3] - trickle * until
    top = np.maximum(np.maximum.reduceat(in_gap, gaps.first), np.maximum(there, at_once))
    total = np.add.reduceat(np.exp(in_gap - top[gaps.code]), gaps.first) + np.exp(there - top) + np.exp(at_once - top)
    likelihood = top + np.log(total)
    return likelihood, np.exp(there - likelihood)
