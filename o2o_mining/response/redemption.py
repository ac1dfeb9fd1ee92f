"""Who uses a coupon, once it is received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Every so manieth customer is kept for calibration.
_KEPT = 5
_FEWEST = 5
_MANY = 20_000  # rows
_PART = 32768  # rows
_NEVER = 1e-6


class RedemptionModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The probability that a coupon is used: boosted trees and a logistic regression, stacked, calibrated.

    Learned from four customers in five; on the fifth a regression on the log odds of both weighs and straightens them
    (stacking by Wolpert, 1992, calibration by Platt, 1999). Of few receipts that is done for every fifth in turn and
    the models are averaged; of many once, so that ten million pairs are scored by one model.

    Parameters
    ----------
    random_state
        Seeds the choice of customers and the trees.

    Attributes
    ----------
    classes_
        False and True.
    n_features_in_
        Number of features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"used_share": rng.uniform(0, 1, 600)})
    >>> model = RedemptionModel().fit(X, X.used_share > rng.uniform(0, 1, 600))
    >>> seldom, often = model.predict_proba(pd.DataFrame({"used_share": [0.1, 0.9]}))[:, 1]
    >>> bool(seldom < 0.3 < 0.7 < often)
    True
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: pd.DataFrame | ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from receipts whose time is up.

        Parameters
        ----------
        X
            Shape (n, k). Features as of the receipt; NaN where not known.
        y
            Shape (n,). Whether the coupon was used.
        groups
            Shape (n,). The customer of each row: nobody is both learned from and calibrated on.

        Raises
        ------
        UsageError
            If fewer than 5 rows of either outcome are left to learn from.
        """
        checked, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        rows = np.asarray(checked)
        self.classes_, outcome = np.unique(y, return_inverse=True)
        customers = np.arange(len(outcome)) if groups is None else pd.factorize(np.asarray(groups))[0]
        order = np.random.default_rng(self.random_state).permutation(int(customers.max()) + 1)
        part = order[customers] % _KEPT
        turns = range(_KEPT if len(outcome) < _MANY else 1)
        counts = np.min([np.bincount(outcome[part != turn], minlength=2) for turn in turns], axis=0)
        if len(self.classes_) != 2 or counts.min() < _FEWEST:
            found = dict(zip(self.classes_.tolist(), counts.tolist(), strict=False))
            raise UsageError(
                f"redemption cannot be learned from the outcomes {found}",
                next_step=f"pass at least {_FEWEST} rows each of coupons that were used and that were not",
            )
        self._models_, told, seen = [], [], []
        for turn in turns:
            kept = part == turn
            boosted = _boosted(int((~kept).sum()), self.random_state).fit(rows[~kept], outcome[~kept])
            self._models_.append((boosted, _smooth().fit(rows[~kept], outcome[~kept])))
            told.append(_log_odds(self._models_[-1:], rows[kept]))
            seen.append(outcome[kept])
        self._stack_ = _stacked(np.concatenate(told), np.concatenate(seen))
        return self

    def predict_proba(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of not using and of using the coupon.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.

        Returns
        -------
        Shape (n, 2).
        """
        check_is_fitted(self)
        rows = np.asarray(validate_data(self, X, reset=False, ensure_all_finite="allow-nan"))
        weights, shift = self._stack_
        parts = [_log_odds(self._models_, rows[k : k + _PART]) for k in range(0, max(len(rows), 1), _PART)]
        used = 1 / (1 + np.exp(-(np.concatenate(parts) @ weights + shift)))
        return np.column_stack([1 - used, used])

    def predict(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.bool_]:
        """Return the likelier outcome.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def contributions(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.float64]:
        """Return how much each feature moves the log odds of use, against the mean receipt.

        Taken from the regression alone, where it is exact: the trees have no such parts.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.

        Returns
        -------
        Shape (n, k).
        """
        check_is_fitted(self)
        rows = np.asarray(validate_data(self, X, reset=False, ensure_all_finite="allow-nan"))
        smooth = [model for _, model in self._models_]

        def moved(part: NDArray[np.float64]) -> NDArray[np.float64]:
            each = [model[:-1].transform(part) * (model[-1].coef_[0] / len(smooth)) for model in smooth]
            return np.asarray(np.sum(each, axis=0))

        return np.concatenate([moved(rows[k : k + _PART]) for k in range(0, max(len(rows), 1), _PART)])

    def __sklearn_tags__(self) -> object:
        """Say that NaN is taken and that there are two outcomes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags


def _log_odds(models: list[tuple[Any, Any]], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds by the trees and by the regressions, each the mean of its kind: shape (n, 2)."""
    kinds = [np.mean([model.predict_proba(rows)[:, 1] for model in kind], axis=0) for kind in zip(*models, strict=True)]
    p = np.clip(np.column_stack(kinds), _NEVER, 1 - _NEVER)
    return np.asarray(np.log(p / (1 - p)))


def _stacked(log_odds: NDArray[np.float64], outcome: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Return the weights of both and the shift; halves of each where there is too little to tell."""
    if min(np.bincount(outcome, minlength=2)) < _FEWEST:
        return np.array([0.5, 0.5]), 0.0
    made = LogisticRegression(C=1.0).fit(log_odds, outcome)
    return np.maximum(made.coef_[0], 0.05), float(made.intercept_[0])


def _signed_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.copysign(np.log1p(np.abs(values)), values)


def _boosted(rows: int, random_state: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=80, max_leaf_nodes=16, max_features=0.3, l2_regularization=10,
        min_samples_leaf=max(5, min(60, rows // 50)), early_stopping=False, random_state=random_state,
    )  # fmt: skip


def _smooth() -> Pipeline:
    return Pipeline(
        [
            ("tails", FunctionTransformer(_signed_log)),
            ("known", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("unit", StandardScaler()),
            ("regression", LogisticRegression(C=0.002, max_iter=500)),
        ]
    )
