"""Customers of a few hidden kinds, told from how each took earlier offers: a finite mixture of logits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import expit, logsumexp
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Who comes if asked, and who comes if not: two answers make four kinds.
KINDS = 4
_RIDGE, _FREE = 3.0, 0.1
# Observables may tell the kinds sharply: held back little, or what is told of a kind is blurred for good.
_RIDGE_OF_KINDS = 0.05
_TOLERANCE = 2e-6
_OF_OFFERS = ("base", "offer", "reach", "asked", "came", "chosen", "targeted")


@dataclass(frozen=True)
class Panel:
    """Offers to customers as arrays.

    Attributes
    ----------
    customer
        Shape (n,). Row of ``traits`` that each offer belongs to.
    base, offer, reach
        Shape (n, b), (n, o), (n, r). What shifts the log odds of a visit; what shifts them if the customer is asked;
        what shifts those of being chosen by a campaign. The first column of each is 1.
    asked, came, chosen, targeted
        Shape (n,). Whether asked; whether came; whether the campaign chose the customer, for treatment or control; and
        whether there was a campaign to choose.
    traits
        Shape (customers, t). What shifts the odds of the kinds; the first column is 1.
    """

    customer: NDArray[np.int64]
    base: Floats
    offer: Floats
    reach: Floats
    asked: NDArray[np.bool_]
    came: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    targeted: NDArray[np.bool_]
    traits: Floats

    def of(self, who: NDArray[np.bool_]) -> Panel:
        """Return the offers of some customers, and those alone."""
        which = who[self.customer]
        some = {name: getattr(self, name)[which] for name in _OF_OFFERS}
        return replace(self, customer=(np.cumsum(who) - 1)[self.customer[which]], traits=self.traits[who], **some)


class ResponseMixture(BaseEstimator):  # type: ignore[misc]
    """Four hidden kinds of customers, each with its own odds of coming, of coming when asked, and of being asked.

    Given the kind, whom a campaign asks and who comes are independent, so ads that seek those who come anyway do no
    harm: the kind explains both. Fitted by EM; each M-step is one Newton step of ridge regressions, which never
    needs to be exact. The kinds start as the four answers to "comes if asked?" and "comes if not asked?", with chances
    of their own: moved by the offer, coming anyway, never coming, put off by it.

    Parameters
    ----------
    max_iter
        Most rounds of EM.

    Attributes
    ----------
    come_, offer_, reach_
        Shape (b, 4), (o, 4), (r, 4). Coefficients by kind.
    kinds_
        Shape (t, 4). Coefficients of the odds of the kinds; 0 for the first.
    log_likelihood_
        Of the last round.

    References
    ----------
    Kamakura and Russell, *A probabilistic choice model for market segmentation and elasticity structure*, Journal of
    Marketing Research 26 (1989). Frangakis and Rubin, *Principal stratification in causal inference*, Biometrics 58
    (2002).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> customer, one = np.repeat(np.arange(500), 8), np.ones((4000, 1))
    >>> moved, asked = (np.arange(500) < 200)[customer], rng.random(4000) < 0.5
    >>> came, no = rng.random(4000) < 0.02 + 0.7 * (moved & asked), np.zeros(4000, dtype=bool)
    >>> panel = Panel(customer, one, one, one, asked, came, no, no, np.ones((500, 1)))
    >>> model = ResponseMixture().fit(panel)
    >>> without, with_offer = model.chances(model.beliefs(panel), one[:500], one[:500])
    >>> gain = with_offer - without
    >>> bool(gain[:200].mean() > 0.5 > 0.2 > gain[200:].mean())
    True
    """

    def __init__(self, max_iter: int = 80) -> None:
        self.max_iter = max_iter

    def fit(self, panel: Panel) -> Self:
        """Learn from offers that are over.

        Parameters
        ----------
        panel
            The offers.
        """
        design = np.hstack([panel.base, panel.asked[:, None] * panel.offer])
        weight = _first_guess(panel)
        width, penalty = panel.base.shape[1], np.full(design.shape[1], _RIDGE)
        penalty[[0, width]] = _FREE
        come = np.zeros((design.shape[1], KINDS))
        self.reach_, self.kinds_ = np.zeros((panel.reach.shape[1], KINDS)), np.zeros((panel.traits.shape[1], KINDS))
        reach, chosen, targeted = (
            panel.reach[panel.targeted],
            panel.chosen[panel.targeted],
            panel.customer[panel.targeted],
        )
        last = -np.inf
        with threadpool_limits(1):
            for number in range(self.max_iter):
                for k in range(KINDS):
                    for _ in range(1 if number else 3):
                        come[:, k] = _step(design, panel.came, weight[panel.customer, k], come[:, k], penalty)
                        if len(reach):
                            ridge = np.ones(reach.shape[1])
                            self.reach_[:, k] = _step(reach, chosen, weight[targeted, k], self.reach_[:, k], ridge)
                self.come_, self.offer_ = come[:width], come[width:]
                self.kinds_ = _kinds_step(panel.traits, weight, self.kinds_)
                joint = self._joint(panel)
                total = logsumexp(joint, axis=1)
                weight = np.exp(joint - total[:, None])
                self.log_likelihood_ = float(total.sum())
                if self.log_likelihood_ - last < _TOLERANCE * abs(last):
                    break
                last = self.log_likelihood_
        return self

    def evidence(self, panel: Panel) -> Floats:
        """Return the log likelihood of what each offer showed, shape (n, 4)."""
        found = np.empty((len(panel.customer), KINDS))
        for k in range(KINDS):
            odds = panel.base @ self.come_[:, k] + panel.asked * (panel.offer @ self.offer_[:, k])
            chosen = _log_chance(panel.reach @ self.reach_[:, k], panel.chosen)
            found[:, k] = _log_chance(odds, panel.came) + panel.targeted * chosen
        return found

    def beliefs(self, panel: Panel) -> Floats:
        """Return the chances of the kinds given all that is in a panel.

        Parameters
        ----------
        panel
            What is known of the customers.

        Returns
        -------
        Shape (customers, 4).
        """
        joint = self._joint(panel)
        return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))

    def chances(self, beliefs: Floats, base: Floats, offer: Floats) -> tuple[Floats, Floats]:
        """Return the chances of a visit without and with an offer, shape (n,) each.

        Parameters
        ----------
        beliefs
            Shape (n, 4). Chances of the kinds.
        base, offer
            Shape (n, b), (n, o). As in a panel.

        Returns
        -------
        without, with_offer
        """
        odds = base @ self.come_
        return (beliefs * expit(odds)).sum(axis=1), (beliefs * expit(odds + offer @ self.offer_)).sum(axis=1)

    def _joint(self, panel: Panel) -> Floats:
        """Return the log chances of each kind and of all that its customer's offers showed, shape (customers, 4)."""
        odds = panel.traits @ self.kinds_
        prior = odds - logsumexp(odds, axis=1, keepdims=True)
        return np.asarray(prior + by_customer(panel.customer, self.evidence(panel), len(panel.traits)))


def by_customer(customer: NDArray[np.int64], values: Floats, customers: int) -> Floats:
    """Return the sums of each column over the rows of each customer.

    Examples
    --------
    >>> by_customer(np.array([0, 0, 2]), np.array([[1.0], [2.0], [4.0]]), 3).tolist()
    [[3.0], [0.0], [4.0]]
    """
    return np.column_stack([np.bincount(customer, column, minlength=customers) for column in values.T])


def _first_guess(panel: Panel) -> Floats:
    """Return starting chances of the kinds: who comes how often without and with an offer, against the mean of all."""
    without, with_offer = (panel.came[some].mean() if some.any() else 0.5 for some in (~panel.asked, panel.asked))
    often = 2 * with_offer
    start = [(without / 4, often), (often, often), (without / 10, without / 10), (1.5 * without, without / 3)]
    chance = np.clip(start, 0.001, 0.7).T[panel.asked.astype(np.int64)]
    seen = np.log(np.where(panel.came[:, None], chance, 1 - chance))
    joint = by_customer(panel.customer, seen, len(panel.traits))
    return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))


def _step(X: Floats, y: NDArray[np.bool_], weight: Floats, at: Floats, ridge: Floats) -> Floats:
    """Return coefficients of a weighted ridge logit after one Newton step."""
    told = expit(X @ at)
    slope = X.T @ (weight * (y - told)) - ridge * at
    bend = (X * (weight * told * (1 - told))[:, None]).T @ X + np.diag(ridge)
    return np.asarray(at + np.linalg.solve(bend, slope))


def _kinds_step(traits: Floats, weight: Floats, at: Floats) -> Floats:
    """Return coefficients of the multinomial logit of the kinds after two rounds of Newton steps, kind by kind."""
    found = at.copy()
    for _ in range(2):
        odds = traits @ found
        told = np.exp(odds - logsumexp(odds, axis=1, keepdims=True))
        for k in range(1, KINDS):
            slope = traits.T @ (weight[:, k] - told[:, k]) - _RIDGE_OF_KINDS * found[:, k]
            bend = (traits * (told[:, k] * (1 - told[:, k]))[:, None]).T @ traits
            bend += _RIDGE_OF_KINDS * np.eye(traits.shape[1])
            found[:, k] += np.linalg.solve(bend, slope)
    return found


def _log_chance(odds: Floats, happened: NDArray[np.bool_]) -> Floats:
    return np.asarray(-np.logaddexp(0.0, np.where(happened, -odds, odds)))
