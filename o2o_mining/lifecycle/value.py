"""What a customer will be worth: the money of the days to come, with an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.utils.validation import check_is_fitted, validate_data

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_FOLDS = 3
_BINS = 20
# A Poisson mean cannot be learned from zeros alone.
_NOTHING = 1e-6


class ValueModel(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The money that a customer will bring: boosted trees for the mean and the median, and how far reality strays.

    Customers are predicted by models that have not seen them, and sorted by that prediction into bins of equal size;
    what the customers of a bin really brought gives its interval and its spread. So the interval is as wide as it was
    for customers who looked alike.

    Parameters
    ----------
    random_state
        Seeds the trees.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rate = rng.exponential(40, 600)
    >>> model = ValueModel().fit(pd.DataFrame({"rate": rate}), rng.poisson(rate))
    >>> (about,) = model.predict_distribution(pd.DataFrame({"rate": [100.0]})).to_dict("records")
    >>> bool(about["low"] < 100 < about["high"])
    True
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: pd.DataFrame | ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from customers whose days are over.

        Parameters
        ----------
        X
            Shape (n, k). Features as of the first of the days; NaN where not known.
        y
            Shape (n,). Money that they brought; below 0 counts as 0.
        groups
            Shape (n,). The customer of each row, where one customer stands in several windows.

        Raises
        ------
        UsageError
            If the rows are of fewer than two customers.
        """
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", y_numeric=True)
        money = np.maximum(np.asarray(y, dtype=np.float64), 0.0)
        some = np.maximum(money, _NOTHING)
        rows = np.arange(len(money)) if groups is None else np.asarray(groups)
        customers = len(np.unique(rows))
        if customers < 2:
            raise UsageError(
                "value cannot be learned from one customer", next_step="pass rows of at least two customers"
            )
        folds = GroupKFold(min(_FOLDS, customers))
        mean = self._trees("poisson", len(money))
        unseen = cross_val_predict(mean, X, some, groups=rows, cv=folds)
        self._mean_ = mean.fit(X, some)
        # The median of the root is the root of the median, and trees see the root's tails better.
        self._median_ = self._trees("absolute_error", len(money)).fit(X, np.sqrt(money))
        self._spread_ = _spread(unseen, money)
        return self

    def predict(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.float64]:
        """Return the expected money, shape (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return np.asarray(self._mean_.predict(X))

    def predict_distribution(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Return what to expect of what the customer will bring.

        Parameters
        ----------
        X
            Shape (n, k). Features as in `fit`.

        Returns
        -------
        DataFrame
            ``mean``; ``median``, the guess of least absolute error; ``low`` and ``high``, the 80 % interval; ``sd``,
            the standard deviation: variances of a group add up.
        """
        mean = self.predict(X)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        median = np.maximum(self._median_.predict(X), 0.0) ** 2
        ends = {name: self._between(mean, name) for name in ("low", "high", "sd")}
        return pd.DataFrame({"mean": mean, "median": median, **ends})

    def _between(self, mean: NDArray[np.float64], what: str) -> NDArray[np.float64]:
        """Read a column of the bins at each prediction, in proportion to the prediction beyond the last bin."""
        at, values = self._spread_["mean"].to_numpy(), self._spread_[what].to_numpy()
        beyond = np.maximum(mean / max(float(at[-1]), 1e-9), 1.0)
        return np.asarray(np.interp(mean, at, values) * beyond)

    def _trees(self, loss: str, rows: int) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            loss=loss, learning_rate=0.05, max_iter=150, max_leaf_nodes=8, max_features=0.4, l2_regularization=5,
            min_samples_leaf=max(5, min(60, rows // 50)), early_stopping=False, random_state=self.random_state,
        )  # fmt: skip


def _spread(predicted: NDArray[np.float64], money: NDArray[np.float64]) -> pd.DataFrame:
    """Return for bins of customers of like prediction: mean prediction, interval and spread of what they brought."""
    order = np.lexsort((money, predicted))
    rows = []
    for part in np.array_split(order, min(_BINS, max(1, len(order) // 30))):
        brought, expected = money[part], predicted[part]
        off = brought - expected
        low, high = np.quantile(brought, [0.1, 0.9])
        rows.append((expected.mean(), low, high, np.sqrt((off**2).mean())))
    return pd.DataFrame(rows, columns=["mean", "low", "high", "sd"]).groupby("mean", as_index=False).mean()
