"""Clusters of customers by behaviour, with a criterion for their number and a test of whether they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from o2o_mining.core.errors import UsageError
from o2o_mining.segmentation.scaling import learn_scaling, nearest, rounded
from o2o_mining.segmentation.traits import is_stable

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS = ("kmeans", "diagonal", "full")
_STARTS = 4
_SILHOUETTE_ROWS = 3_000
_WHOLE_SEED = 2**31 - 1


class BehaviourSegmenter(ClusterMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Group customers by behaviour: k-means or a Gaussian mixture over features brought to one scale.

    Missing values become the column's median, columns with a heavy tail (skewness over 2) their signed logarithm; all
    are standardised and weighed. What was learned on ``fit`` is kept. The fit is made on a sample that does not depend
    on the order of the rows, and everybody is assigned by ``predict``. Clusters are numbered from the largest.

    Parameters
    ----------
    n_clusters
        The number, or ``"auto"``: of 2 to ``max_clusters`` the one with the largest mean silhouette (k-means; Rousseeuw
        1987) or the smallest BIC (mixtures; Schwarz 1978).
    random_state
        Seed of the sample, the starts and the bootstraps.
    method
        ``kmeans``, or a Gaussian mixture with ``diagonal`` or ``full`` covariances.
    max_clusters
        The largest number tried.
    n_bootstraps
        Samples drawn with replacement for ``stability_``.
    sample_size
        Rows fitted on.
    feature_weights
        Shape (n_features,); how much each feature counts, all alike by default.

    Attributes
    ----------
    labels_
        Shape (n,), from 0.
    n_clusters_
        The number of clusters.
    criterion_
        Value of the criterion by number of clusters; empty if the number was given.
    stability_
        Mean adjusted Rand index (Hubert and Arabie 1985) between the clusters and those of bootstraps, over the
        customers of the sample (Hennig 2007); NaN with a single cluster.
    is_stable_
        Whether ``stability_`` is at least 0.7.
    scaling_, cluster_centers_
        What was learned of the columns; centres on that scale, shape (clusters, features).
    profiles_
        One dict a cluster: ``customers``, ``share``, and by feature its ``mean``, the ``population`` mean, and
        ``difference`` in standard deviations.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (50, 2)), rng.normal(9, 1, (50, 2))])
    >>> fitted = BehaviourSegmenter(random_state=0).fit(X)
    >>> fitted.n_clusters_, fitted.stability_, fitted.predict([[9.0, 9.0]]).tolist() == fitted.labels_[-1:].tolist()
    (2, 1.0, True)
    """

    def __init__(
        self,
        n_clusters: int | str = "auto",
        random_state: int = 0,
        *,
        method: str = "kmeans",
        max_clusters: int = 8,
        n_bootstraps: int = 20,
        sample_size: int = 10_000,
        feature_weights: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state
        self.method = method
        self.max_clusters = max_clusters
        self.n_bootstraps = n_bootstraps
        self.sample_size = sample_size
        self.feature_weights = feature_weights

    def fit(self, X: Any, y: Any = None) -> BehaviourSegmenter:
        """Learn scales, number of clusters, clusters and their stability.

        Parameters
        ----------
        X
            Shape (n, features), numbers, NaN where unknown.
        y
            Not used.

        Raises
        ------
        UsageError
            If there is no such method, or more clusters are asked for than there are different customers.
        """
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        if self.method not in METHODS:
            raise UsageError(f"there is no method '{self.method}'", next_step=f"use one of {', '.join(METHODS)}")
        sample = self._sample(values)
        self.scaling_ = learn_scaling(sample, self._weights(values.shape[1]))
        points = self.scaling_.apply(sample)
        # One thread: several would add up in whatever order they end.
        with threadpool_limits(1):
            self._model = self._chosen(points)
            self._number_by_size(points)
            labels = self._assign(points)
            self.stability_ = self._stability(points, labels)
        self.is_stable_ = is_stable(self.stability_)
        self.labels_ = self._assign(self.scaling_.apply(values))
        self.profiles_ = self._profiles(values)
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Assign customers to the clusters without fitting anew.

        Parameters
        ----------
        X
            Shape (n, features), columns as in ``fit``.

        Returns
        -------
        ndarray
            Shape (n,), the clusters from 0.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self._assign(self.scaling_.apply(values))

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _weights(self, features: int) -> NDArray[Any]:
        given = np.ones(features) if self.feature_weights is None else np.asarray(self.feature_weights, np.float64)
        if given.shape != (features,):
            raise UsageError(f"{given.size} feature_weights do not fit {features} features")
        return given

    def _sample(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return rows in an order of their own values, at most ``sample_size`` of them drawn by chance."""
        ordered: NDArray[Any] = values[np.lexsort(values.T[::-1])]
        if len(ordered) <= self.sample_size:
            return ordered
        chance = np.random.default_rng(self.random_state)
        return ordered[np.sort(chance.choice(len(ordered), self.sample_size, replace=False))]

    def _chosen(self, points: NDArray[Any]) -> Any:
        """Fit the number asked for, or every number and keep the best by the criterion."""
        self.criterion_: dict[int, float] = {}
        different = len(np.unique(points[: 100 * self.max_clusters], axis=0))
        if len(points) > 100 * self.max_clusters and different <= self.max_clusters:
            different = len(np.unique(points, axis=0))
        if self.n_clusters != "auto":
            number = int(self.n_clusters)
            if not 1 <= number <= different:
                raise UsageError(f"n_clusters={number} does not fit {different} different customers (n_samples)")
            return self._fitted(points, number)
        models = {}
        for number in range(2, min(self.max_clusters, different - 1) + 1):
            models[number] = self._fitted(points, number)
            self.criterion_[number] = float(rounded(self._criterion(points, models[number]), 6))
        if not models:
            return self._fitted(points, min(different, 1))
        best = max(models, key=lambda number: self.criterion_[number] * (1 if self.method == "kmeans" else -1))
        return models[best]

    def _fitted(self, points: NDArray[Any], number: int, seed: int = 0, start: NDArray[Any] | None = None) -> Any:
        state = (self.random_state + seed) % _WHOLE_SEED
        if self.method == "kmeans":
            usual = {"n_init": _STARTS} if start is None else {"n_init": 1, "init": start}
            return KMeans(number, random_state=state, **usual).fit(points)
        covariance = {"diagonal": "diag", "full": "full"}[self.method]
        return GaussianMixture(number, covariance_type=covariance, random_state=state, reg_covar=1e-4).fit(points)

    def _criterion(self, points: NDArray[Any], model: Any) -> float:
        if self.method != "kmeans":
            return float(model.bic(points))
        step = -(-len(points) // _SILHOUETTE_ROWS)
        some, labels = points[::step], model.labels_[::step]
        return float(silhouette_score(some, labels)) if 1 < len(np.unique(labels)) < len(some) else -1.0

    def _number_by_size(self, points: NDArray[Any]) -> None:
        """Put the clusters in order, the largest of the sample first; ties go by the centres."""
        centres = self._centres(self._model)
        self._order = np.arange(len(centres))
        self.cluster_centers_ = rounded(centres)
        sizes = np.bincount(self._assign(points), minlength=len(centres))
        self._order = np.lexsort((*self.cluster_centers_.T[::-1], -sizes))
        self.cluster_centers_ = self.cluster_centers_[self._order]
        self.n_clusters_ = len(centres)

    def _centres(self, model: Any) -> NDArray[Any]:
        centres: NDArray[Any] = model.cluster_centers_ if self.method == "kmeans" else model.means_
        return centres

    def _assign(self, points: NDArray[Any]) -> NDArray[np.int64]:
        if self.method == "kmeans":
            return nearest(points, self.cluster_centers_)
        place = np.argsort(self._order)
        found: NDArray[np.int64] = place[self._model.predict(points)].astype(np.int64)
        return found

    def _stability(self, points: NDArray[Any], labels: NDArray[np.int64]) -> float:
        """Fit bootstraps of the sample, assign the sample by each, and compare."""
        if self.n_clusters_ < 2:
            return float("nan")
        agreements = []
        for number in range(1, self.n_bootstraps + 1):
            chance = np.random.default_rng([self.random_state % _WHOLE_SEED, number])
            drawn = points[np.sort(chance.integers(0, len(points), len(points)))]
            model = self._fitted(drawn, min(self.n_clusters_, len(np.unique(drawn, axis=0))), seed=number)
            agreements.append(adjusted_rand_score(labels, model.predict(points)))
        return float(rounded(np.mean(agreements), 4)) if agreements else float("nan")

    def _profiles(self, values: NDArray[Any]) -> list[dict[str, Any]]:
        names = [str(name) for name in getattr(self, "feature_names_in_", range(self.n_features_in_))]
        filled = np.where(np.isnan(values), self.scaling_.fill, values)
        whole, spread = filled.mean(axis=0), filled.std(axis=0)
        found = []
        for cluster in range(self.n_clusters_):
            members = filled[self.labels_ == cluster]
            mean = members.mean(axis=0) if len(members) else np.full(len(names), np.nan)
            away = (mean - whole) / np.where(spread > 0, spread, 1.0)
            features = {
                name: {"mean": m, "population": w, "difference": d}
                for name, m, w, d in zip(names, mean.tolist(), whole.tolist(), away.tolist(), strict=True)
            }
            found.append({"customers": len(members), "share": len(members) / len(values), "features": features})
        return found
