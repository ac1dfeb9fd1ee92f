"""What a campaign without a draw changed, as far as comparable customers show it: weighted difference-in-differences.

Those whom the campaign reached are compared with customers whom it did not reach, weighted so that they had
bought alike long before. What counts is the change from the time just before: what keeps the groups apart at all times
cancels out. The figure is refused where the weighted groups moved apart before the campaign already, or where nobody is
comparable.

Abadie, A. (2005). Semiparametric difference-in-differences estimators. Review of Economic Studies 72, 1-19.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.linear_model import LogisticRegression

from o2o_mining.attribution.effects.experiments import DETECTED, LEVEL, Effect

# So many customers on either side, the weighted ones counted as what they are worth, or no figure.
_LEAST = 30

_PRE_TREND_P = 0.05
_LARGEST_GAP = 0.1
_CERTAIN = 0.95


def comparison_weights(
    reached: npt.NDArray[np.bool_], before: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], str]:
    """Return the weight of each customer, and why there is none that will do.

    Parameters
    ----------
    reached
        Whom the campaign reached, shape (n,).
    before
        What was bought long before, not negative, shape (n, n_features).

    Returns
    -------
    numpy.ndarray
        1 for those reached, the odds of being reached for the others.
    str
        Empty, ``too_few`` or ``no_overlap``.
    """
    weights = reached.astype(np.float64)
    if min(reached.sum(), (~reached).sum()) < _LEAST:
        return weights, "too_few"
    # Few buy much: the logarithm keeps them from speaking for all.
    features = np.log1p(before)
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if scaled.shape[1]:
        squared = np.hstack([scaled, scaled**2])
        chance = LogisticRegression(C=1.0, max_iter=1000).fit(squared, reached).predict_proba(squared)[:, 1]
    else:
        chance = np.full(len(reached), reached.mean())
    weights[~reached] = chance[~reached] / (1 - chance[~reached])
    others = weights[~reached]
    worth = others.sum() ** 2 / (others @ others)
    gaps = [_gap(column, reached, others) for column in scaled.T]
    certain = (chance[reached] > _CERTAIN).mean()
    apart = worth < _LEAST or certain > _LARGEST_GAP or max(gaps, default=0.0) > _LARGEST_GAP
    return weights, "no_overlap" if apart else ""


def _gap(column: npt.NDArray[np.float64], reached: npt.NDArray[np.bool_], others: npt.NDArray[np.float64]) -> float:
    """Return how far the weighted means of a feature with spread 1 lie apart."""
    return abs(float(column[reached].mean() - np.average(column[~reached], weights=others)))


def changed(
    reached: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    outcome: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
) -> Effect:
    """Compare the change of those reached with the weighted change of the others.

    Parameters
    ----------
    reached, weights
        Who was reached, and the weights, shape (n,).
    outcome, before
        The outcome in the campaign's time and in the time before, shape (n,).

    Examples
    --------
    >>> reached = np.array([True, True, False, False])
    >>> found = changed(reached, np.ones(4), np.array([3.0, 5.0, 1.0, 3.0]), np.array([1.0, 2.0, 1.0, 2.0]))
    >>> found.effect, found.mean_treatment, found.mean_control
    (2.0, 4.0, 2.0)
    """
    change = outcome - before
    others = weights[~reached] / weights[~reached].sum()
    own, theirs = change[reached].mean(), others @ change[~reached]
    spread = change[reached].var(ddof=1) / reached.sum() + (others**2) @ (change[~reached] - theirs) ** 2
    error = float(np.sqrt(spread))
    effect = float(own - theirs)
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    p_value = float(2 * stats.norm.sf(abs(effect) / error)) if error else float(effect == 0)
    mean = float(outcome[reached].mean())
    return Effect(mean, mean - effect, effect, effect - half, effect + half, p_value, error, DETECTED * error)


def moved_apart(
    reached: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    earlier: npt.NDArray[np.float64],
) -> bool:
    """Return whether the groups moved apart between the two times before the campaign.

    Parameters
    ----------
    reached, weights
        Who was reached, and the weights, shape (n,).
    before, earlier
        The outcome in the time just before and in the one before that, shape (n,).
    """
    return changed(reached, weights, before, earlier).p_value < _PRE_TREND_P
