"""Known groups come back as clusters, the same from every order of the rows; what does not hold says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator

from o2o_mining.core.errors import UsageError
from o2o_mining.segmentation import BehaviourSegmenter
from o2o_mining.segmentation.scaling import learn_scaling, nearest, rounded


def _groups(customers: int = 900, apart: float = 6.0, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, customers)
    centres = apart * np.array([[0, 0, 0], [1, 0, 1], [0, 1, 1]])
    return centres[group] + rng.normal(0, 1, (customers, 3)), group


@pytest.mark.filterwarnings("ignore")
def test_it_is_an_estimator_as_scikit_learn_wants_them() -> None:
    results = check_estimator(BehaviourSegmenter(n_clusters=2, n_bootstraps=1), on_skip=None)
    assert len(results) > 30


@pytest.mark.parametrize("method", ["kmeans", "diagonal", "full"])
def test_known_groups_come_back_with_their_number(method: str) -> None:
    points, group = _groups()
    fitted = BehaviourSegmenter(method=method, n_bootstraps=3).fit(points)
    assert fitted.n_clusters_ == 3
    assert adjusted_rand_score(group, fitted.labels_) > 0.95
    assert fitted.is_stable_
    best = max if method == "kmeans" else min
    assert best(fitted.criterion_, key=fitted.criterion_.__getitem__) == 3
    assert list(fitted.criterion_) == [2, 3, 4, 5, 6, 7, 8]


def test_the_order_of_the_rows_does_not_matter() -> None:
    points, _ = _groups(500, apart=2.0)
    order = np.random.default_rng(1).permutation(len(points))
    one, other = BehaviourSegmenter(n_bootstraps=3).fit(points), BehaviourSegmenter(n_bootstraps=3).fit(points[order])
    assert one.labels_[order].tolist() == other.labels_.tolist()
    assert one.cluster_centers_.tolist() == other.cluster_centers_.tolist()
    assert (one.stability_, one.criterion_) == (other.stability_, other.criterion_)


def test_a_sample_is_fitted_and_the_rest_is_assigned() -> None:
    points, group = _groups(5_000)
    fitted = BehaviourSegmenter(sample_size=400, n_bootstraps=2).fit(points)
    assert len(fitted.labels_) == 5_000
    assert adjusted_rand_score(group, fitted.labels_) > 0.95
    assert fitted.predict(points).tolist() == fitted.labels_.tolist()


def test_one_cloud_is_not_stable() -> None:
    points = np.random.default_rng(2).normal(size=(600, 4))
    fitted = BehaviourSegmenter(n_clusters=6, n_bootstraps=5).fit(points)
    assert fitted.stability_ < 0.7
    assert not fitted.is_stable_


def test_clusters_are_numbered_from_the_largest_and_profiles_add_up() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(0, 1, (50, 2)), rng.normal(9, 1, (150, 2))])
    fitted = BehaviourSegmenter(n_bootstraps=2).fit(points)
    sizes = [profile["customers"] for profile in fitted.profiles_]
    assert sizes == [150, 50]
    assert sum(profile["share"] for profile in fitted.profiles_) == pytest.approx(1.0)
    first = fitted.profiles_[0]["features"]["0"]
    assert first["mean"] == pytest.approx(points[50:, 0].mean())
    assert first["population"] == pytest.approx(points[:, 0].mean())


def test_a_heavy_tail_is_tamed_and_what_is_missing_is_the_median() -> None:
    rng = np.random.default_rng(4)
    tail = np.exp(rng.normal(0, 2, 500))
    values = np.column_stack([tail, rng.normal(size=500)])
    values[:10] = np.nan
    learned = learn_scaling(values, np.ones(2))
    assert learned.is_log.tolist() == [True, False]
    assert learned.fill[0] == pytest.approx(np.median(tail[10:]))
    scaled = learned.apply(values)
    assert np.abs(scaled.mean(axis=0)).max() < 1e-6
    assert scaled.std(axis=0) == pytest.approx([1.0, 1.0])
    assert np.abs(learned.apply(np.array([[1e300, -1e300]]))).max() < np.inf


def test_columns_without_any_value_and_constant_ones_do_no_harm() -> None:
    points, group = _groups(300)
    more = np.column_stack([points, np.full(300, np.nan), np.full(300, 7.0)])
    fitted = BehaviourSegmenter(n_bootstraps=2).fit(more)
    assert adjusted_rand_score(group, fitted.labels_) > 0.95


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_or_equal_customers_are_few_clusters(rows: int) -> None:
    fitted = BehaviourSegmenter().fit(np.ones((rows, 2)))
    assert fitted.n_clusters_ == 1
    assert fitted.labels_.tolist() == [0] * rows
    assert np.isnan(fitted.stability_)
    assert not fitted.is_stable_


def test_more_clusters_than_customers_and_unknown_methods_are_refused() -> None:
    with pytest.raises(UsageError, match="n_clusters=5 does not fit 2 different customers"):
        BehaviourSegmenter(n_clusters=5).fit([[0.0], [1.0]])
    with pytest.raises(UsageError, match=r"no method 'dbscan'.*kmeans, diagonal, full"):
        BehaviourSegmenter(method="dbscan").fit([[0.0], [1.0]])
    with pytest.raises(UsageError, match="3 feature_weights do not fit 1 features"):
        BehaviourSegmenter(feature_weights=[1, 2, 3]).fit([[0.0], [1.0]])


def test_a_feature_without_weight_does_not_count() -> None:
    points, group = _groups(400)
    noise = np.where(np.arange(400) % 2, 50.0, -50.0)
    fitted = BehaviourSegmenter(feature_weights=[1, 1, 1, 0], n_bootstraps=2).fit(np.column_stack([points, noise]))
    assert adjusted_rand_score(group, fitted.labels_) > 0.95


def test_of_two_equally_near_centres_the_first_is_taken_and_rounding_keeps_significant_digits() -> None:
    assert nearest(np.array([[1.0]]), np.array([[0.0], [2.0]])).tolist() == [0]
    assert rounded([1234567890123.0, 0.000123456789012]).tolist() == [1234567890000.0, 0.000123456789]
