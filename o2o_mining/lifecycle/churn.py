"""Who will not buy within the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

_FOLDS = 5
_PART = 32768  # rows


class ChurnModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The probability of no purchase within a horizon: boosted trees and a logistic regression, averaged, calibrated.

    Trees find what acts together, the regression goes on smoothly where there are few customers; their mean ranks
    better than either (docs/decisions/0013). Calibration is by temperature on customers the models have not seen,
    fold by fold, which leaves the ranking alone; the folds' models are averaged.

    Parameters
    ----------
    horizon_days
        How far is looked ahead; labels given to `fit` must be of that length.
    random_state
        Seeds folds and trees.

    Attributes
    ----------
    classes_
        False and True.
    n_features_in_
        Number of features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"recency_days": rng.exponential(30, 400)})
    >>> model = ChurnModel(horizon_days=56).fit(X, X.recency_days > rng.exponential(30, 400))
    >>> early, late = model.predict_proba(pd.DataFrame({"recency_days": [1.0, 90.0]}))[:, 1]
    >>> bool(early < 0.3 < 0.7 < late)
    True
    """

    def __init__(self, horizon_days: int = 90, random_state: int = 0) -> None:
        self.horizon_days = horizon_days
        self.random_state = random_state

    def fit(self, X: pd.DataFrame | ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from customers whose horizon is over.

        Parameters
        ----------
        X
            Shape (n, k). Features as of the beginning of the horizon; NaN where not known.
        y
            Shape (n,). Whether nothing was bought within it.
        groups
            Shape (n,). The customer of each row, where one customer stands in several windows: no customer is then
            both learned from and calibrated on.

        Raises
        ------
        UsageError
            If fewer than 5 rows of either outcome are given.
        """
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        # Trees do not mind, and the regression needs it: once for both, and for all folds.
        X = signed_log(X)
        self.classes_, outcome = np.unique(y, return_inverse=True)
        counts = np.bincount(outcome)
        if len(counts) != 2 or counts.min() < _FOLDS:
            found = dict(zip(self.classes_.tolist(), counts.tolist(), strict=True))
            raise UsageError(
                f"churn cannot be learned from the outcomes {found}",
                next_step=f"pass at least {_FOLDS} rows each of customers who bought and who did not",
            )
        rows = np.arange(len(outcome)) if groups is None else np.asarray(groups)
        folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=self.random_state).split(X, outcome, rows)
        models = [("boosted", _boosted(len(outcome), self.random_state)), ("smooth", _smooth())]
        averaged = VotingClassifier(models, voting="soft")
        self._fitted_ = CalibratedClassifierCV(averaged, method="temperature", cv=list(folds)).fit(X, outcome)
        return self

    def predict_proba(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of buying and of not buying.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.

        Returns
        -------
        Shape (n, 2).
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return in_parts(lambda part: self._fitted_.predict_proba(signed_log(part)), np.asarray(X))

    def predict(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.bool_]:
        """Return the likelier outcome.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.
        """
        likelier = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likelier])

    def contributions(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.float64]:
        """Return how much each feature moves the log odds of not buying, against the mean customer.

        Taken from the regressions alone, where it is exact: the trees have no such parts.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.

        Returns
        -------
        Shape (n, k).
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        smooth = [fold.estimator.named_estimators_["smooth"] for fold in self._fitted_.calibrated_classifiers_]

        def moved(part: NDArray[np.float64]) -> NDArray[np.float64]:
            part = signed_log(part)
            each = [m[:-1].transform(part) * (m[-1].coef_[0] / len(smooth)) for m in smooth]
            return np.asarray(np.sum(each, axis=0))

        return in_parts(moved, np.asarray(X))

    def __sklearn_tags__(self) -> object:
        """Say that NaN is taken and that there are two outcomes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags


def in_parts(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], X: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what a function makes of rows that do not depend on each other, some thousands at a time.

    What lies in the processor's cache is copied much faster: the regressions of half a million customers took thrice as
    long in one part.

    Examples
    --------
    >>> in_parts(lambda rows: rows.sum(axis=1), np.ones((3, 2))).tolist()
    [2.0, 2.0, 2.0]
    """
    return np.concatenate([function(X[k : k + _PART]) for k in range(0, max(len(X), 1), _PART)])


def signed_log(values: ArrayLike) -> NDArray[np.float64]:
    """Return the logarithm of 1 + the size, with the sign: heavy tails come near.

    Examples
    --------
    >>> signed_log(np.array([-1.0, 0.0, 1.0])).round(3).tolist()
    [-0.693, 0.0, 0.693]
    """
    numbers = np.asarray(values, dtype=np.float64)
    return np.copysign(np.log1p(np.abs(numbers)), numbers)


def _boosted(rows: int, random_state: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=80, max_leaf_nodes=8, max_features=0.3, l2_regularization=10,
        min_samples_leaf=max(5, min(100, rows // 50)), early_stopping=False, random_state=random_state,
    )  # fmt: skip


def _smooth() -> Pipeline:
    return Pipeline(
        [
            ("known", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("unit", StandardScaler()),
            ("regression", LogisticRegression(C=0.02, max_iter=500)),
        ]
    )
