"""Learners of uplift, and the overlap they need."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression

from o2o_mining.core.errors import UsageError
from o2o_mining.response import UpliftModel
from o2o_mining.response.overlap import check_overlap, propensities
from o2o_mining.response.uplift import LEARNERS


def campaign(n: int, *, bias: float = 0.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return features, arm, outcome, true effect and the chance of treatment: those treated come more often anyway."""
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(n, 3))
    chance = 1 / (1 + np.exp(-bias * X[:, 0]))
    treated = draw.random(n) < chance
    effect = 0.15 + 0.1 * X[:, 1].clip(-1.5, 1.5)
    came = draw.random(n) < (0.35 + 0.1 * X[:, 0].clip(-2, 2)).clip(0.05, 0.6) + effect * treated
    return X, treated.astype(int), came.astype(int), effect, chance


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("base", [None, LinearRegression(), LogisticRegression()], ids=["default", "linear", "logit"])
def test_every_learner_finds_the_effect_over_any_base(learner: str, base: BaseEstimator | None) -> None:
    X, treated, came, _, _ = campaign(8_000)
    shown, _, _, effect, _ = campaign(4_000, seed=1)
    found = UpliftModel(learner, base, n_bootstrap=0).fit(X, treated, came).predict(shown)
    assert np.corrcoef(found, effect)[0, 1] > 0.7
    assert abs(found.mean() - effect.mean()) < 0.02


def test_linear_outcomes_over_a_linear_base_are_found_exactly() -> None:
    X, treated, *_ = campaign(200)
    effect = 2 + X @ [0.0, 1.0, -3.0]
    outcome = X @ [1.0, 2.0, 3.0] + treated * effect
    for learner in LEARNERS:
        model = UpliftModel(learner, LinearRegression(), n_bootstrap=2).fit(X, treated, outcome)
        assert np.allclose(model.predict(X), effect)
        assert np.allclose(model.predict_interval(X), effect[:, None])


def test_propensities_take_away_the_bias_of_who_was_treated() -> None:
    X, treated, came, effect, chance = campaign(8_000, bias=1.2)
    naive = came[treated == 1].mean() - came[treated == 0].mean()
    assert naive > effect.mean() + 0.08
    told = propensities(X, treated)
    assert np.abs(told[:, 1] - chance).mean() < 0.04
    # Without features: propensities alone must do.
    blind = UpliftModel("dr", LinearRegression(), n_bootstrap=0).fit(np.zeros((len(X), 1)), treated, came, told)
    assert blind.predict(np.zeros((1, 1)))[0] == pytest.approx(effect.mean(), abs=0.025)
    both = UpliftModel("dr", n_bootstrap=0).fit(X, treated, came, told)
    assert both.predict(X).mean() == pytest.approx(effect.mean(), abs=0.025)


def test_several_treatments_are_told_apart() -> None:
    draw = np.random.default_rng(3)
    X, arm = draw.normal(size=(9_000, 2)), draw.choice(["a", "b", "control"], 9_000)
    came = draw.random(9_000) < 0.2 + 0.1 * (arm == "a") + 0.3 * ((arm == "b") & (X[:, 0] > 0))
    for learner in LEARNERS:
        model = UpliftModel(learner, n_bootstrap=3).fit(X, arm, came)
        assert (model.control_, model.treatments_.tolist()) == ("control", ["a", "b"])
        found = model.predict(X)
        low, high = found[X[:, 0] < -0.2].mean(axis=0), found[X[:, 0] > 0.2].mean(axis=0)
        assert np.r_[low, high] == pytest.approx([0.1, 0.0, 0.1, 0.3], abs=0.05)
        assert model.predict_interval(X[:5]).shape == (5, 2, 2)


def test_intervals_of_the_mean_effect_hold_it_as_often_as_they_say() -> None:
    held = []
    for seed in range(60):
        X, treated, came, _, _ = campaign(400, seed=seed)
        model = UpliftModel("t", LinearRegression(), random_state=seed).fit(X, treated, came)
        low, high = model.predict_interval(np.zeros((1, 3)))[0]
        held.append(low <= 0.15 <= high)
    assert 49 <= sum(held) <= 59


def test_a_higher_level_gives_a_wider_interval_around_the_prediction() -> None:
    X, treated, came, _, _ = campaign(800)
    model = UpliftModel("t", LinearRegression()).fit(X, treated, came)
    narrow, wide = model.predict_interval(X, 0.5), model.predict_interval(X, 0.99)
    assert (wide[:, 0] < narrow[:, 0]).all()
    assert (narrow[:, 1] < wide[:, 1]).all()
    assert np.allclose(narrow.mean(axis=1), model.predict(X))


def test_it_keeps_to_the_conventions_of_scikit_learn() -> None:
    model = UpliftModel("x", RandomForestRegressor(n_estimators=5), n_bootstrap=1, random_state=4)
    again = clone(model)
    assert again.get_params(deep=False)["learner"] == "x"
    assert again.set_params(learner="t", base__n_estimators=3).base.n_estimators == 3
    with pytest.raises(NotFittedError):
        model.predict(np.zeros((1, 3)))
    X, treated, came, _, _ = campaign(300)
    before = X.copy()
    assert model.fit(X, treated, came) is model
    assert (before == X).all()
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="3 features"):
        model.predict(np.zeros((1, 2)))


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_fit_repeats_itself_and_a_missing_feature_is_the_bases_affair(learner: str) -> None:
    X, treated, came, _, _ = campaign(400)
    X[::7, 2] = np.nan
    once, again = (UpliftModel(learner, n_bootstrap=2).fit(X, treated, came).predict_interval(X) for _ in range(2))
    assert (once == again).all()
    with pytest.raises(ValueError, match="NaN"):
        UpliftModel(learner, LinearRegression()).fit(X, treated, came)


def test_one_customer_is_never_scored_by_a_model_that_saw_it() -> None:
    X, treated, came, _, _ = campaign(300)
    twice = (np.r_[X, X], np.r_[treated, treated], np.r_[came, came])
    # A base that remembers: it would reproduce outcomes of rows whose twin it saw, and scores would lose their spread.
    memory = RandomForestRegressor(n_estimators=1, bootstrap=False, random_state=0)
    apart, leaking = (
        UpliftModel("dr", memory, n_bootstrap=0).fit(*twice, groups=groups).predict(X).std()
        for groups in (np.tile(np.arange(300), 2), None)
    )
    assert apart > leaking


def test_a_classifier_that_saw_one_outcome_in_an_arm_is_replaced() -> None:
    X, treated, _, _, _ = campaign(400)
    model = UpliftModel("t", HistGradientBoostingClassifier(max_iter=5), n_bootstrap=0).fit(X, treated, treated)
    assert np.allclose(model.predict(X), 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learner": "s"}, "no learner 's'"),
        ({"treatment": np.ones(100)}, "cannot be learned from the arms"),
        ({"treatment": np.repeat(["a", "b"], 50)}, "control"),
        ({"treatment": np.r_[np.ones(97), np.zeros(3)]}, "0.0: 3"),
        ({"treatment": np.ones(99)}, "shape"),
        ({"y": np.r_[np.inf, np.zeros(99)]}, "infinity"),
        ({"propensity": np.full((100, 3), 1 / 3)}, r"pass shape \(100, 2\)"),
        ({"propensity": np.tile([0.999, 0.001], (100, 1))}, "no overlap: 100 of 100"),
        ({"propensity": np.full((100, 2), 0.7)}, "add up to 1"),
    ],
)
def test_what_tells_nothing_of_an_effect_is_refused(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"treatment": np.tile([0, 1], 50), "y": np.zeros(100), "propensity": None} | change
    learner = str(given.pop("learner", "dr"))
    with pytest.raises((UsageError, ValueError), match=message):
        UpliftModel(learner).fit(np.zeros((100, 1)), **given)


def test_an_interval_needs_refits_and_a_level() -> None:
    X, treated, came, _, _ = campaign(100)
    model = UpliftModel("t", LinearRegression(), n_bootstrap=0).fit(X, treated, came)
    with pytest.raises(UsageError, match="have no spread"):
        model.predict_interval(X)
    with pytest.raises(UsageError, match="level is 1"):
        model.predict_interval(X, level=1.0)


def test_propensities_of_one_arm_are_refused() -> None:
    with pytest.raises(UsageError, match="from the arms"):
        propensities(np.zeros((20, 1)), np.ones(20))


def test_overlap_is_missing_from_one_row_in_twenty_on() -> None:
    fair, unfair = [0.5, 0.5], [0.99, 0.01]
    assert check_overlap([fair] * 19 + [unfair]).tolist() == [True] * 19 + [False]
    with pytest.raises(UsageError, match=r"2 of 20 rows \(10.0 %\)"):
        check_overlap([fair] * 18 + [unfair] * 2)
