"""Churn and value learned from features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.lifecycle import ChurnModel, ValueModel, reason_text
from o2o_mining.lifecycle.quality import calibration_error, deciles, ranking_quality, stability_index
from o2o_mining.lifecycle.reasons import _declared, reason_codes


def customers(n: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return inputs, the true chance of churn, and an outcome."""
    draw = np.random.default_rng(seed)
    recency, gap = draw.exponential(40, n), draw.exponential(30, n) + 5
    inputs = pd.DataFrame({"recency_days": recency, "mean_gap_days": gap, "noise": draw.normal(size=n)})
    chance = 1 / (1 + np.exp(-(1.2 * np.log(recency / gap + 0.1) - 0.5)))
    inputs.loc[inputs.index % 17 == 0, "noise"] = np.nan
    return inputs, chance, draw.random(n) < chance


def test_churn_comes_near_the_true_chance_and_is_calibrated() -> None:
    inputs, _, gone = customers(6000)
    shown, chance, later = customers(6000, seed=1)
    predicted = ChurnModel(horizon_days=56).fit(inputs, gone).predict_proba(shown)[:, 1]
    assert roc_auc_score(later, predicted) > roc_auc_score(later, chance) - 0.01
    assert calibration_error(predicted, later) < 0.03
    assert np.abs(predicted - chance).mean() < 0.05


def test_churn_is_a_classifier_that_can_be_cloned_and_repeats_itself() -> None:
    inputs, _, gone = customers(600)
    model = ChurnModel(horizon_days=30, random_state=4)
    assert clone(model).get_params() == {"horizon_days": 30, "random_state": 4}
    once, again = (clone(model).fit(inputs, gone).predict_proba(inputs) for _ in range(2))
    assert (once == again).all()
    assert model.fit(inputs, gone).predict(inputs).dtype == bool
    assert (model.classes_ == [False, True]).all()


def test_one_customer_in_several_windows_is_never_both_learned_from_and_calibrated_on() -> None:
    inputs, _, gone = customers(500)
    twice, outcome = pd.concat([inputs, inputs], ignore_index=True), np.r_[gone, gone]
    groups = np.r_[np.arange(500), np.arange(500)]
    apart = ChurnModel().fit(twice, outcome, groups=groups)
    for learned, tried in apart._fitted_.cv:
        assert not set(groups[learned]) & set(groups[tried])


@pytest.mark.parametrize("outcome", [np.zeros(50, bool), np.ones(50, bool), np.arange(50) < 2])
def test_churn_is_not_learned_from_one_outcome(outcome: np.ndarray) -> None:
    with pytest.raises(UsageError, match="churn cannot be learned"):
        ChurnModel().fit(customers(50)[0], outcome)


def test_the_interval_of_value_holds_eight_in_ten_and_sums_of_groups_too() -> None:
    draw = np.random.default_rng(0)
    rate = draw.gamma(0.7, 60, 8000)
    inputs = pd.DataFrame({"rate": rate, "noise": draw.normal(size=8000)})
    money = np.where(draw.random(8000) < 0.3, 0, draw.poisson(rate) * draw.gamma(4, 0.25, 8000))
    model = ValueModel().fit(inputs[:4000], money[:4000])
    shown, came = inputs[4000:], money[4000:]
    about = model.predict_distribution(shown)
    assert (
        0.77 < ((about["low"] <= came) & (came <= about["high"])).mean() < 0.92
    )  # a third bring nothing, which is its low end
    groups = np.arange(4000).reshape(-1, 50)
    off = np.abs((came - model.predict(shown))[groups].sum(axis=1))
    inside = off <= 1.2816 * np.sqrt((about["sd"].to_numpy() ** 2)[groups].sum(axis=1))
    assert 0.7 < inside.mean() < 0.92
    assert (about["median"] - came).abs().mean() < (about["mean"] - came).abs().mean()


def test_value_of_customers_who_bring_nothing_is_nothing() -> None:
    model = ValueModel().fit(pd.DataFrame({"x": np.arange(60.0)}), np.zeros(60))
    assert model.predict(pd.DataFrame({"x": [3.0]}))[0] == pytest.approx(0, abs=0.01)


def test_value_is_not_learned_from_one_customer() -> None:
    with pytest.raises(UsageError, match="value cannot be learned"):
        ValueModel().fit(pd.DataFrame({"x": [1.0, 2.0]}), [3.0, 4.0], ["ann", "ann"])


def test_reasons_name_what_raises_the_risk_with_its_values() -> None:
    inputs = pd.DataFrame({"recency_days": [258.0, 1.0], "n_purchases": [1.0, 9.0], "n_merchants": [1.0, 5.0]})
    features = pd.DataFrame({name: [np.nan, np.nan] for about in _declared().values() for name in about["values"]})
    features = features.assign(
        recency_days=[258.0, 1.0], recency_over_gap=[2.4, 0.1], n_purchases=[1, 9], n_merchants=[1, 5]
    )
    codes = reason_codes(np.array([[0.9, 1.2, 0.01], [-1.0, -2.0, 0.3]]), inputs, features)
    assert codes == [["bought_once:1", "silence:258:2.4"], []]
    assert reason_text(codes[0][1]) == "no purchase for 258 days, 2.4 times the usual gap"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_said_in_every_language(language: str) -> None:
    texts = [
        reason_text(":".join([word, *["7"] * len(about["values"])]), language) for word, about in _declared().items()
    ]
    assert len(set(texts)) == len(_declared())
    assert all("{" not in text for text in texts)


def test_unknown_reasons_and_languages_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no reason 'weather'"):
        reason_text("weather:3")
    with pytest.raises(UsageError, match="there is no language 'fr'"):
        reason_text("bought_once:1", "fr")


def test_quality_is_measured_as_defined() -> None:
    probability, outcome = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    found = ranking_quality(probability, outcome)
    assert found["auc"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert "auc" not in ranking_quality(probability, np.ones(4, bool))
    assert calibration_error(np.repeat([0.2, 0.8], 50), np.r_[np.arange(50) < 15, np.arange(50) < 40]) == pytest.approx(
        0.05
    )
    table = deciles(np.arange(100.0), np.arange(100.0) + 1)
    assert table["predicted"].tolist() == pytest.approx(np.arange(4.5, 100, 10).tolist())
    assert (table["seen"] - table["predicted"]).tolist() == pytest.approx([1.0] * 10)
    shifted = stability_index(np.arange(1000.0), np.arange(1000.0) + 300)
    assert shifted > 0.25
