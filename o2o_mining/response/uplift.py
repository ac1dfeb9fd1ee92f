"""What a treatment adds, customer by customer: T-, X- and DR-learners over any scikit-learn estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.stats import norm
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from o2o_mining.core.errors import UsageError
from o2o_mining.response.overlap import FLOOR, check_overlap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEARNERS = ("t", "x", "dr")
# What an arm without treatment may be called.
_CONTROL = ("control", 0, False)
_FOLDS = 5


class UpliftModel(BaseEstimator):  # type: ignore[misc]
    """The change of an outcome that a treatment causes, given features.

    `t` learns an outcome model per arm and takes the difference. `x` learns what each customer would have done in the
    other arm from that arm's model, and regresses the differences; good where one arm is small. `dr` regresses doubly
    robust scores, made fold by fold: right if either the propensities or the outcome models are.

    Parameters
    ----------
    learner
        ``"t"``, ``"x"`` or ``"dr"``.
    base
        A scikit-learn estimator for outcomes and effects; a classifier is used for outcomes alone, which are then 0 or
        1, and effects are regressed by the default: boosted trees.
    n_bootstrap
        How many half samples of customers the model is refitted on, for `predict_interval`; 0 for none.
    random_state
        Seeds folds, samples and the default base.

    Attributes
    ----------
    control_
        The arm without treatment: the one called ``control``, 0 or False.
    treatments_
        Shape (k,). The other arms, sorted.
    n_features_in_
        Number of features.

    References
    ----------
    Künzel, Sekhon, Bickel and Yu, *Metalearners for estimating heterogeneous treatment effects using machine
    learning*, PNAS 116 (2019). Kennedy, *Towards optimal doubly robust estimation of heterogeneous causal effects*,
    Electronic Journal of Statistics 17 (2023).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, treated = rng.normal(size=(3000, 1)), rng.random(3000) < 0.5
    >>> came = rng.random(3000) < 0.2 + 0.4 * (treated & (age[:, 0] > 0))
    >>> model = UpliftModel("dr", n_bootstrap=0).fit(age, treated, came)
    >>> young, old = model.predict([[-1.0], [1.0]])
    >>> bool(young < 0.2 < old)
    True
    """

    def __init__(
        self,
        learner: str = "dr",
        base: BaseEstimator | None = None,
        *,
        n_bootstrap: int = 20,
        random_state: int = 0,
    ) -> None:
        self.learner = learner
        self.base = base
        self.n_bootstrap = n_bootstrap
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        treatment: ArrayLike,
        y: ArrayLike,
        propensity: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn from customers whose outcome is known.

        Parameters
        ----------
        X
            Shape (n, k). What was known before arms were given out.
        treatment
            Shape (n,). The arm of each; one of them is called ``control``, 0 or False.
        y
            Shape (n,). The outcome.
        propensity
            Shape (n, arms), control first, then the other arms sorted. Chance of each arm where assignment depended
            on X; without it arms were drawn by chance, at their shares.
        groups
            Shape (n,). The customer of each row, where customers have several.

        Raises
        ------
        UsageError
            If the learner is unknown, no arm is a control, an arm is too small, or propensities show no overlap.
        """
        if self.learner not in LEARNERS:
            raise UsageError(f"there is no learner '{self.learner}'", next_step=f"use {', '.join(LEARNERS)}")
        # The base judges for itself whether it takes NaN.
        found = validate_data(self, X, y, y_numeric=True, ensure_all_finite=False, dtype=np.float64)
        inputs, outcome = (np.asarray(part, dtype=np.float64) for part in found)
        arm = self._arms(np.asarray(treatment), len(outcome))
        shares = np.bincount(arm) / len(arm)
        chance = np.tile(shares, (len(arm), 1)) if propensity is None else np.asarray(propensity, dtype=np.float64)
        if chance.shape != (len(arm), len(shares)):
            raise UsageError(
                f"propensities have the shape {chance.shape}", next_step=f"pass shape ({len(arm)}, {len(shares)})"
            )
        if propensity is not None:
            check_overlap(chance)
        chance = np.maximum(chance, FLOOR)
        owner = np.unique(np.arange(len(arm)) if groups is None else np.asarray(groups), return_inverse=True)[1]
        with threadpool_limits(1):
            # Scores are made once: their error moves the effects in second order alone.
            scores = self._doubly_robust(inputs, arm, outcome, chance, owner) if self.learner == "dr" else chance
            self._model_ = self._learn(inputs, arm, outcome, scores)
            halves = [self._half(arm, owner, k) for k in range(self.n_bootstrap)]
            self._refits_ = [self._learn(inputs[h], arm[h], outcome[h], scores[h]) for h in halves]
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Return what the treatment adds to the outcome.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.

        Returns
        -------
        Shape (n,); shape (n, treatments) where there are several.
        """
        return self._squeezed(self._effects(X)[0])

    def predict_interval(self, X: ArrayLike, level: float = 0.9) -> Floats:
        """Return an interval of the mean effect on customers with such features.

        Its width is that of refits on half samples of customers, which is what a whole sample spreads; it holds the
        error that all predictions share, and not how far a base smooths over what it cannot follow.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.
        level
            How often it should hold the truth, between 0 and 1.

        Returns
        -------
        Shape (n, 2), low and high; shape (n, treatments, 2) where there are several.

        Raises
        ------
        UsageError
            If the level is no chance, or the model was fitted with fewer than two refits.
        """
        if not 0 < level < 1:
            raise UsageError(f"the level is {level}", next_step="pass one between 0 and 1")
        if self.n_bootstrap < 2:
            raise UsageError(f"{self.n_bootstrap} refits have no spread", next_step="set n_bootstrap to 20")
        effect, refits = self._effects(X)
        reach = norm.ppf((1 + level) / 2) * refits.std(axis=0, ddof=1)
        return self._squeezed(np.stack([effect - reach, effect + reach], axis=-1))

    def _arms(self, treatment: NDArray[np.generic], rows: int) -> NDArray[np.int64]:
        """Return the number of each row's arm, 0 for the control."""
        if treatment.shape != (rows,):
            raise UsageError(f"treatment has the shape {treatment.shape}", next_step=f"pass shape ({rows},)")
        labels, number, counts = np.unique(treatment, return_inverse=True, return_counts=True)
        control = [k for k, label in enumerate(labels.tolist()) if label in _CONTROL]
        if len(control) != 1 or len(labels) < 2 or counts.min() < 2 * _FOLDS:
            raise UsageError(
                f"uplift cannot be learned from the arms {dict(zip(labels.tolist(), counts.tolist(), strict=True))}",
                next_step=f"pass a control (called control, 0 or False) and treatments, {2 * _FOLDS} rows each",
            )
        self.control_, self.treatments_ = labels[control[0]], np.delete(labels, control[0])
        place = np.insert(np.arange(1, len(labels)), control[0], 0)
        return np.asarray(place[number], dtype=np.int64)

    def _half(self, arm: NDArray[np.int64], owner: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """Return the rows of half of the customers: the spread over such is that of the whole sample's bootstrap."""
        draw = np.random.default_rng([self.random_state, number])
        chosen = np.zeros(owner.max() + 1, dtype=bool)
        chosen[draw.permutation(len(chosen))[: len(chosen) // 2]] = True
        rows = np.flatnonzero(chosen[owner])
        if np.bincount(arm[rows], minlength=arm.max() + 1).min() < _FOLDS:
            raise UsageError(
                "half of the customers leave an arm with too few rows to refit on",
                next_step="pass more customers of the smallest arm, or set n_bootstrap to 0",
            )
        return rows

    def _learn(self, X: Floats, arm: NDArray[np.int64], y: Floats, known: Floats) -> list[_Effect]:
        """Return one fitted effect for each treatment; `known` are the doubly robust scores, else the chances."""
        arms = range(1, len(self.treatments_) + 1)
        if self.learner == "dr":
            return [_Effect([(1.0, self._effect_model().fit(X, known[:, k - 1]))]) for k in arms]
        outcomes = [self._outcome_model(X[arm == k], y[arm == k]) for k in (0, *arms)]
        if self.learner == "t":
            return [_Effect([(1.0, outcomes[k]), (-1.0, outcomes[0])]) for k in arms]
        found = []
        for k in arms:
            asked, control = arm == k, arm == 0
            gained = self._effect_model().fit(X[asked], y[asked] - _told(outcomes[0], X[asked]))
            missed = self._effect_model().fit(X[control], _told(outcomes[k], X[control]) - y[control])
            # The rarer the treatment, the better its counterpart is known: that of the treated then counts more.
            share = float((known[:, k] / (known[:, k] + known[:, 0])).mean())
            found.append(_Effect([(1 - share, gained), (share, missed)]))
        return found

    def _doubly_robust(
        self, X: Floats, arm: NDArray[np.int64], y: Floats, chance: Floats, owner: NDArray[np.int64]
    ) -> Floats:
        """Return the scores whose mean, given features, is the effect: shape (n, treatments)."""
        told = np.empty(chance.shape)
        folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=self.random_state).split(X, arm, owner)
        for learned, left in folds:
            for k in range(chance.shape[1]):
                of_arm = learned[arm[learned] == k]
                if not len(of_arm):
                    raise UsageError(
                        "an arm is all in the rows of a few customers", next_step="pass more customers of each arm"
                    )
                told[left, k] = _told(self._outcome_model(X[of_arm], y[of_arm]), X[left])
        rows = np.arange(len(arm))
        residual = np.zeros(chance.shape)
        residual[rows, arm] = (y - told[rows, arm]) / chance[rows, arm]
        scores: Floats = told + residual
        return scores[:, 1:] - scores[:, :1]

    def _outcome_model(self, X: Floats, y: Floats) -> BaseEstimator:
        base = self._default() if self.base is None else self.base
        if is_classifier(base) and len(np.unique(y)) == 1:
            # All alike: a classifier refuses what the default says well.
            base = self._default()
        return clone(base).fit(X, y)

    def _effect_model(self) -> BaseEstimator:
        return self._default() if self.base is None or is_classifier(self.base) else clone(self.base)

    def _default(self) -> BaseEstimator:
        return HistGradientBoostingRegressor(
            learning_rate=0.08, max_iter=60, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=20,
            early_stopping=False, random_state=self.random_state,
        )  # fmt: skip

    def _effects(self, X: ArrayLike) -> tuple[Floats, Floats]:
        """Return the effects, shape (n, treatments), and those of the refits, shape (refits, n, treatments)."""
        check_is_fitted(self, "_model_")
        given = validate_data(self, X, reset=False, ensure_all_finite=False, dtype=np.float64)
        inputs: Floats = np.asarray(given, dtype=np.float64)
        with threadpool_limits(1):
            found = [np.column_stack([e.of(inputs) for e in model]) for model in (self._model_, *self._refits_)]
        return found[0], np.reshape(found[1:], (len(found) - 1, *found[0].shape))

    def _squeezed(self, effects: Floats) -> Floats:
        return effects[:, 0] if len(self.treatments_) == 1 else effects


class _Effect:
    """A weighted sum of fitted models."""

    def __init__(self, parts: list[tuple[float, BaseEstimator]]) -> None:
        self.parts = parts

    def of(self, X: Floats) -> Floats:
        """Return the effect on rows of features."""
        return np.asarray(sum(weight * _told(model, X) for weight, model in self.parts), dtype=np.float64)


def _told(model: BaseEstimator, X: Floats) -> Floats:
    """Return the expected outcome: of a classifier, the probability of the higher of two outcomes."""
    if is_classifier(model):
        return np.asarray(model.predict_proba(X)[:, 1], dtype=np.float64)
    return np.asarray(model.predict(X), dtype=np.float64)
