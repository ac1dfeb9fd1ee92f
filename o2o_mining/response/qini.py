"""How well uplift was ranked: the Qini curve and the uplift of the first, each with an interval and a p-value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LEVEL = 0.9
# How many rows of samples are reckoned at once.
_CELLS = 500_000


class Measured(NamedTuple):
    """A figure that never stands without its uncertainty.

    Attributes
    ----------
    value
        The figure.
    low, high
        Ends of its 90 % interval.
    p_value
        Chance of a figure at least as far from zero if there were nothing to find.
    """

    value: float
    low: float
    high: float
    p_value: float


def qini_curve(
    y: ArrayLike, uplift: ArrayLike, treatment: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what treating the first brings, by how many they are.

    Parameters
    ----------
    y
        Shape (n,). Outcome.
    uplift
        Shape (n,). The ranking, highest first. Equal values are taken together, so the order of rows does not count.
    treatment
        Shape (n,). Whether treated; arms were drawn by chance.

    Returns
    -------
    share, incremental
        Shape (m,) each, from 0 on: the share of customers treated, and outcomes gained per customer of all.

    Raises
    ------
    UsageError
        If an arm is empty, lengths differ, or numbers are not finite.

    References
    ----------
    Radcliffe, *Using control groups to target on predicted lift*, Direct Marketing Analytics Journal (2007).

    Examples
    --------
    >>> share, gained = qini_curve([1, 0, 0, 0], [2.0, 2.0, 1.0, 1.0], [True, False, True, False])
    >>> share.tolist(), gained.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5, 0.5])
    """
    outcome, treated, ends = _ranked(y, uplift, treatment)
    n = len(outcome)
    return np.r_[0.0, (ends + 1) / n], np.r_[0.0, _gained(outcome, treated, np.ones((1, n)), ends)[0]]


def qini_coefficient(
    y: ArrayLike, uplift: ArrayLike, treatment: ArrayLike, *, n_bootstrap: int = 200, random_state: int = 0
) -> Measured:
    """Return the area between the Qini curve and the straight line of a random order.

    Its unit is outcomes gained per customer, averaged over all shares that could be treated. The p-value is that of a
    permutation test, which is exact: rankings by chance are found significant as often as the level says. The interval
    is a bootstrap over rows: pass one row per customer.

    Parameters
    ----------
    y
        Shape (n,). Outcome.
    uplift
        Shape (n,). Predicted before the outcome was known.
    treatment
        Shape (n,). Whether treated; arms were drawn by chance.
    n_bootstrap
        How many samples for the interval, and how many permutations for the p-value.
    random_state
        Seeds both.

    Returns
    -------
    Measured
        ``value, low, high, p_value``.

    Raises
    ------
    UsageError
        If an arm is empty, lengths differ, numbers are not finite, or there is to be no sample.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> moved, treated = rng.random(4000) < 0.5, rng.random(4000) < 0.5
    >>> came = rng.random(4000) < 0.1 + 0.4 * (moved & treated)
    >>> qini = qini_coefficient(came, moved, treated)
    >>> bool(qini.low < 0.05 < qini.high), qini.p_value < 0.01
    (True, True)
    """
    if n_bootstrap < 1:
        raise UsageError(f"n_bootstrap is {n_bootstrap}", next_step="draw one sample at least, better 200")
    outcome, treated, ends = _ranked(y, uplift, treatment)
    n, rng = len(outcome), np.random.default_rng(random_state)
    once = np.ones((1, n))
    value = float(_areas(outcome, treated, once, ends)[0])
    drawn, permuted = np.empty(n_bootstrap), np.empty(n_bootstrap)
    at_once = max(1, _CELLS // n)
    for k in range(0, n_bootstrap, at_once):
        part = slice(k, min(k + at_once, n_bootstrap))
        count = part.stop - k
        drawn[part] = _areas(outcome, treated, rng.multinomial(n, np.full(n, 1 / n), count).astype(np.float64), ends)
        order = rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)
        permuted[part] = _areas(outcome[order], treated[order], once, ends)
    # Rounded: sums in another order must not make a permutation differ from what it equals.
    extreme = (np.abs(permuted).round(12) >= round(abs(value), 12)).sum()
    low, high = _around(value, drawn)
    return Measured(value, low, high, float((1 + extreme) / (1 + n_bootstrap)))


def uplift_at_k(y: ArrayLike, uplift: ArrayLike, treatment: ArrayLike, *, k: float = 0.1) -> Measured:
    """Return the effect among the share of customers ranked first: treated less control, by Welch's interval.

    Where outcomes do not differ within either arm, Welch's interval does not exist. Then it is Agresti and Caffo's, of
    shares of the span of all outcomes, and the p-value is that of Fisher's exact test.

    Parameters
    ----------
    y
        Shape (n,). Outcome.
    uplift
        Shape (n,). Predicted before the outcome was known. Who ties with the last one counted is counted, too.
    treatment
        Shape (n,). Whether treated; arms were drawn by chance.
    k
        Share of customers, above 0 up to 1.

    Returns
    -------
    Measured
        ``value, low, high, p_value``; the p-value is of no effect among them.

    Raises
    ------
    UsageError
        If k is no share, fewer than two of an arm are among the first, lengths differ, or numbers are not finite.

    References
    ----------
    Agresti and Caffo, *Simple and effective confidence intervals for proportions and differences of proportions result
    from adding two successes and two failures*, The American Statistician 54 (2000).

    Examples
    --------
    >>> first = uplift_at_k([1, 0, 1, 0, 0, 0, 0, 0], [2] * 6 + [1] * 2, [1, 1, 1, 0, 0, 0, 1, 0], k=0.5)
    >>> round(first.value, 3), first.low < 0.667 < first.high
    (0.667, True)
    """
    if not 0 < k <= 1:
        raise UsageError(f"k is {k}", next_step="pass a share above 0, up to 1")
    outcome, treated, ends = _ranked(y, uplift, treatment)
    # The small allowance: .1 of 30 rows are 3, whatever floats make of it.
    last = ends[np.searchsorted(ends + 1, int(np.ceil(k * len(outcome) - 1e-9)))]
    of_arm = [outcome[: last + 1][treated[: last + 1] == arm] for arm in (1.0, 0.0)]
    if min(map(len, of_arm)) < 2:
        raise UsageError(
            f"among the first {last + 1} rows are {len(of_arm[0])} treated and {len(of_arm[1])} not treated",
            next_step="pass a larger k or more rows: two of each arm at least",
        )
    if not any(map(np.ptp, of_arm)):
        return _without_spread(outcome, *of_arm)
    value = float(of_arm[0].mean() - of_arm[1].mean())
    spread = np.array([part.var(ddof=1) / len(part) for part in of_arm])
    freedom = spread.sum() ** 2 / (spread**2 / [len(part) - 1 for part in of_arm]).sum()
    error = float(np.sqrt(spread.sum()))
    reach = float(stats.t.ppf((1 + _LEVEL) / 2, freedom)) * error
    return Measured(value, value - reach, value + reach, float(2 * stats.t.sf(abs(value) / error, freedom)))


def _without_spread(
    outcome: NDArray[np.float64], with_offer: NDArray[np.float64], without: NDArray[np.float64]
) -> Measured:
    """Return the effect where each arm has one outcome only, measured within the span of all outcomes."""
    least, span = float(outcome.min()), float(np.ptp(outcome))
    value = float(with_offer[0] - without[0])
    if not span:
        return Measured(0.0, 0.0, 0.0, 1.0)
    n = np.array([len(with_offer), len(without)])
    # One more at either end of the span in each arm.
    share = ((np.array([with_offer[0], without[0]]) - least) / span * n + 1) / (n + 2)
    reach = float(stats.norm.ppf((1 + _LEVEL) / 2) * np.sqrt((share * (1 - share) / (n + 2)).sum()))
    middle = float(share[0] - share[1])
    low, high = (float(np.clip(end, -1, 1)) * span for end in (middle - reach, middle + reach))
    chance = float(stats.fisher_exact(np.diag(n)).pvalue) if value else 1.0
    return Measured(value, min(low, value), max(high, value), chance)


def _ranked(
    y: ArrayLike, uplift: ArrayLike, treatment: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return outcomes and arms by falling uplift, and the places where a run of equal uplift ends."""
    try:
        outcome, score, treated = (np.asarray(given, dtype=np.float64) for given in (y, uplift, treatment))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"y, uplift or treatment do not hold numbers only: {error}",
            next_step="pass numbers, and True and False for the treatment",
        ) from error
    if not (outcome.ndim == 1 and outcome.shape == score.shape == treated.shape):
        raise UsageError(
            f"y, uplift and treatment have the shapes {outcome.shape}, {score.shape} and {treated.shape}",
            next_step="pass one value of each per row",
        )
    if not all(np.isfinite(given).all() for given in (outcome, score, treated)):
        raise UsageError("y, uplift or treatment are not finite everywhere", next_step="drop the rows without a value")
    if set(np.unique(treated)) != {0.0, 1.0}:
        raise UsageError(
            f"treatment holds {np.unique(treated)[:5].tolist()}", next_step="pass True and False, some rows of each"
        )
    order = np.lexsort((outcome, treated, -score))
    falls = np.flatnonzero(np.diff(score[order]))
    return outcome[order], treated[order], np.r_[falls, len(score) - 1]


def _gained(
    outcome: NDArray[np.float64], treated: NDArray[np.float64], weight: NDArray[np.float64], ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return outcomes gained per customer of all, if all up to each end were treated: their number times the effect.

    The effect is that of the arms' means among them; where an arm has nobody yet, nothing is claimed. Arrays have shape
    (samples, n), or broadcast to it.
    """
    asked, rest = weight * treated, weight * (1 - treated)
    n_treated, n_control, with_offer, without = (
        np.cumsum(part, axis=-1)[..., ends] for part in (asked, rest, asked * outcome, rest * outcome)
    )
    some = (n_treated > 0) & (n_control > 0)
    effect = with_offer / np.where(some, n_treated, 1) - without / np.where(some, n_control, 1)
    gained: NDArray[np.float64] = np.where(some, effect, 0.0) * (n_treated + n_control)
    return np.asarray(gained / weight.sum(axis=-1, keepdims=True))


def _areas(
    outcome: NDArray[np.float64], treated: NDArray[np.float64], weight: NDArray[np.float64], ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the area between the curve of each sample and the straight line to its end, shape (samples,)."""
    gained = _gained(outcome, treated, weight, ends)
    share = np.cumsum(weight, axis=-1)[..., ends] / weight.sum(axis=-1, keepdims=True)
    share, gained = (np.concatenate([np.zeros((len(of), 1)), of], axis=-1) for of in (share, gained))
    return np.asarray(np.trapezoid(gained, share, axis=-1) - gained[:, -1] / 2)


def _around(value: float, drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 90 % interval of bootstrapped values, widened to hold the value itself."""
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return min(float(low), value), max(float(high), value)
