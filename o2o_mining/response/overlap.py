"""Whether comparable customers were treated and not treated: propensities, and what is refused without overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# An arm that a customer gets less often than this says nothing of customers like that one.
FLOOR = 0.02
# So many customers may lack a counterpart before the whole comparison is refused.
_SHARE_WITHOUT = 0.05
_FOLDS = 5


def propensities(
    X: ArrayLike, treatment: ArrayLike, *, groups: ArrayLike | None = None, random_state: int = 0
) -> NDArray[np.float64]:
    """Return for every row the chance of each arm, learned from the other rows.

    Parameters
    ----------
    X
        Shape (n, k). What was known when arms were given out; NaN where not known.
    treatment
        Shape (n,). The arm of each row.
    groups
        Shape (n,). The customer of each row, where customers have several: none is told from itself.
    random_state
        Seeds folds and trees.

    Returns
    -------
    Shape (n, arms), the arms sorted; rows add up to 1.

    Raises
    ------
    UsageError
        If there is one arm alone, or an arm with fewer rows than folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(size=2000)
    >>> treated = rng.random(2000) < 1 / (1 + np.exp(-age))
    >>> chance = propensities(age[:, None], treated)[:, 1]
    >>> bool(chance[age < -1].mean() < 0.3 < 0.7 < chance[age > 1].mean())
    True
    """
    inputs, (arms, arm) = np.asarray(X, dtype=np.float64), np.unique(np.asarray(treatment), return_inverse=True)
    counts = np.bincount(arm)
    if len(counts) < 2 or counts.min() < _FOLDS:
        rows_of = dict(zip(arms.tolist(), counts.tolist(), strict=True))
        raise UsageError(
            f"propensities cannot be learned from the arms {rows_of}",
            next_step=f"pass at least {_FOLDS} rows of two arms",
        )
    found = np.empty((len(arm), len(arms)))
    rows = np.arange(len(arm)) if groups is None else np.asarray(groups)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=random_state).split(inputs, arm, rows)
    with threadpool_limits(1):
        for learned, told in folds:
            model = HistGradientBoostingClassifier(
                max_iter=60, max_leaf_nodes=8, l2_regularization=10, early_stopping=False, random_state=random_state
            )
            found[told] = model.fit(inputs[learned], arm[learned]).predict_proba(inputs[told])
    return found


def check_overlap(propensity: ArrayLike) -> NDArray[np.bool_]:
    """Return which rows have a fair chance of every arm, and refuse when too few have.

    Parameters
    ----------
    propensity
        Shape (n, arms). Chance of each arm; rows add up to 1.

    Returns
    -------
    Shape (n,). Whether every arm has a chance of at least 2 %.

    Raises
    ------
    UsageError
        If more than 5 % of the rows have not: what the others tell would be carried over to customers unlike them.

    References
    ----------
    Crump, Hotz, Imbens and Mitnik, *Dealing with limited overlap in estimation of average treatment effects*,
    Biometrika 96 (2009).

    Examples
    --------
    >>> check_overlap([[0.3, 0.7], [0.6, 0.4]]).tolist()
    [True, True]
    >>> check_overlap([[0.0, 1.0], [0.6, 0.4]])
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.UsageError: no overlap: 1 of 2 rows (50.0 %) have an arm with a chance below 0.02. Next: ...
    """
    chance = np.asarray(propensity, dtype=np.float64)
    if chance.ndim != 2 or not np.isfinite(chance).all() or np.abs(chance.sum(axis=1) - 1).max(initial=0) > 1e-6:
        raise UsageError(
            f"propensities of shape {chance.shape} are no chances of arms",
            next_step="pass shape (n, arms), finite, rows that add up to 1",
        )
    covered = np.asarray(chance.min(axis=1) >= FLOOR)
    without = int((~covered).sum())
    if without > _SHARE_WITHOUT * len(covered):
        raise UsageError(
            f"no overlap: {without:,} of {len(covered):,} rows ({100 * without / len(covered):.1f} %) have an arm with "
            f"a chance below {FLOOR}",
            next_step="hold out a control at random, or leave out those who were always or never treated",
        )
    return covered
