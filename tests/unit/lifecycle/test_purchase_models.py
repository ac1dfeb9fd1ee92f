"""The models of purchases and amounts, against published figures, closed forms and worlds of known parameters."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.special import hyp2f1

from o2o_mining.core.errors import UsageError
from o2o_mining.lifecycle import BetaGeoNBD, GammaGamma, ModifiedBetaGeoNBD
from o2o_mining.lifecycle.gamma_gamma import _Spent
from o2o_mining.lifecycle.purchases import PurchaseProcess, _Grouped

CDNOW = pd.read_csv(Path(__file__).parents[2] / "fixtures" / "cdnow" / "customers.csv")
HISTORY = (CDNOW["frequency"], CDNOW["recency"], CDNOW["T"])
MODELS = [BetaGeoNBD, ModifiedBetaGeoNBD]


def simulated(n: int, *, r: float, alpha: float, a: float, b: float, first: int) -> tuple[np.ndarray, ...]:
    """Draw histories of 60 weeks from the model itself; first: whether one may leave after the first purchase."""
    draw = np.random.default_rng(7)
    rate, leaves = draw.gamma(r, 1 / alpha, n), draw.beta(a, b, n)
    until = draw.uniform(30, 60, n)
    x, t_x = np.zeros(n), np.zeros(n)
    there = draw.random(n) >= leaves if first else np.ones(n, dtype=bool)
    at = np.zeros(n)
    while there.any():
        at = np.where(there, at + draw.exponential(1 / rate), np.inf)
        bought = there & (at <= until)
        x[bought] += 1
        t_x[bought] = at[bought]
        there = bought & (draw.random(n) >= leaves)
    return x, t_x, until


def test_bg_nbd_gives_the_published_parameters_of_cdnow() -> None:
    model = BetaGeoNBD().fit(*HISTORY)
    assert model.params_ == pytest.approx({"r": 0.24259, "alpha": 4.41353, "a": 0.79289, "b": 2.42575}, rel=1e-3)
    assert model.log_likelihood_ == pytest.approx(-9582.4256, abs=0.001)


def test_gamma_gamma_gives_the_published_parameters_of_cdnow() -> None:
    model = GammaGamma().fit(CDNOW["frequency"], CDNOW["mean_spend"])
    assert model.params_ == pytest.approx({"p": 6.249, "q": 3.745, "v": 15.448}, rel=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_the_second_39_weeks_of_cdnow_are_predicted_better_than_by_a_constant_rate(
    model: type[PurchaseProcess],
) -> None:
    later = CDNOW["purchases_later"]
    expected = model().fit(*HISTORY).expected_purchases(39, *HISTORY)
    constant = CDNOW["frequency"] / CDNOW["T"] * 39
    assert np.abs(expected - later).mean() < 0.8 < 1.0 < np.abs(constant - later).mean()
    assert ((expected - later) ** 2).mean() < 0.6 * ((constant - later) ** 2).mean()


def test_expected_purchases_equal_the_hypergeometric_closed_form() -> None:
    model = BetaGeoNBD().fit(*HISTORY)
    r, alpha, a, b = (model.params_[name] for name in ("r", "alpha", "a", "b"))
    x, t_x, until = (np.asarray(column, dtype=float) for column in HISTORY)
    t = 39
    sums = hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + until + t))
    there = 1 / (1 + (x > 0) * a / (b + np.maximum(x, 1) - 1) * ((alpha + until) / (alpha + t_x)) ** (r + x))
    closed = (a + b + x - 1) / (a - 1) * (1 - ((alpha + until) / (alpha + until + t)) ** (r + x) * sums) * there
    assert model.expected_purchases(t, *HISTORY) == pytest.approx(closed, rel=1e-10, abs=1e-12)
    assert model.probability_alive(*HISTORY) == pytest.approx(there, rel=1e-12)


def test_modified_expected_purchases_equal_the_hypergeometric_closed_form() -> None:
    model = ModifiedBetaGeoNBD().fit(*HISTORY)
    r, alpha, a, b = (model.params_[name] for name in ("r", "alpha", "a", "b"))
    x, t_x, until = (np.asarray(column, dtype=float) for column in HISTORY)
    t = 39
    sums = hyp2f1(r + x, b + x + 1, a + b + x, t / (alpha + until + t))
    there = 1 / (1 + a / (b + x) * ((alpha + until) / (alpha + t_x)) ** (r + x))
    closed = (a + b + x) / (a - 1) * (1 - ((alpha + until) / (alpha + until + t)) ** (r + x) * sums) * there
    assert model.expected_purchases(t, *HISTORY) == pytest.approx(closed, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("first", [0, 1])
def test_the_slope_of_the_likelihood_is_exact(first: int) -> None:
    x, t_x, until = (np.asarray(column, dtype=float)[:300] for column in HISTORY)
    data = _Grouped(x, t_x, until, np.ones(300), first)
    at = np.array([-1.0, 1.2, -0.3, 0.8])
    numeric = approx_fprime(at, lambda point: data.likelihood(point)[0], 1e-6)
    assert data.likelihood(at)[1] == pytest.approx(numeric, rel=1e-4)


def test_the_slope_of_the_likelihood_of_amounts_is_exact() -> None:
    data = _Spent(np.array([1.0, 3.0, 9.0]), np.array([0.4, 1.0, 2.0]), np.array([2.0, 1.0, 4.0]))
    at = np.array([0.3, 0.5, -0.2])
    numeric = approx_fprime(at, lambda point: data.likelihood(point)[0], 1e-7)
    assert data.likelihood(at)[1] == pytest.approx(numeric, rel=1e-4)


def test_modified_bg_nbd_recovers_the_parameters_of_a_world_of_its_own() -> None:
    truth = {"r": 0.9, "alpha": 6.0, "a": 0.8, "b": 2.5}
    model = ModifiedBetaGeoNBD().fit(*simulated(30_000, **truth, first=1))
    intervals = model.parameter_intervals(0.999).to_dict()
    for name, value in truth.items():
        assert intervals["low"][name] < value < intervals["high"][name], name
    assert model.params_ == pytest.approx(truth, rel=0.15)


def test_who_bought_once_is_there_for_certain_only_without_a_chance_to_leave_at_first() -> None:
    one_time = ([0], [0], [200])
    assert BetaGeoNBD().fit(*HISTORY).probability_alive(*one_time) == 1
    assert ModifiedBetaGeoNBD().fit(*HISTORY).probability_alive(*one_time) < 0.5


@pytest.mark.parametrize("model", MODELS)
def test_weights_stand_for_repeated_rows_and_order_does_not_matter(model: type[PurchaseProcess]) -> None:
    few = CDNOW.sample(200, random_state=0)
    weighted = model().fit(few["frequency"], few["recency"], few["T"], weights=np.full(200, 3.0))
    repeated = pd.concat([few] * 3).sample(frac=1, random_state=1)
    plain = model().fit(repeated["frequency"], repeated["recency"], repeated["T"])
    assert weighted.params_ == plain.params_
    assert weighted.log_likelihood_ == plain.log_likelihood_


@pytest.mark.parametrize("model", MODELS)
def test_long_histories_neither_overflow_nor_vanish(model: type[PurchaseProcess]) -> None:
    fitted = model().fit([0, 1, 20_000, 5], [0, 3, 3_000, 900], [3_001, 3_001, 3_001, 3_001])
    expected = fitted.expected_purchases(365, [20_000, 20_000, 0], [3_000, 10, 0], [3_001, 3_001, 3_001])
    alive = fitted.probability_alive([20_000, 20_000], [3_000, 10], [3_001, 3_001])
    assert np.isfinite(expected).all()
    assert 0 < expected[0] <= 20_000 / 3_000 * 365 * 1.01
    assert expected[1] == pytest.approx(0, abs=1e-9)
    assert alive[0] > 0.5 > alive[1]


@pytest.mark.parametrize("model", MODELS)
def test_one_customer_is_enough_to_get_finite_answers(model: type[PurchaseProcess]) -> None:
    fitted = model(penalizer=0.01).fit([0], [0], [10])
    assert 0 <= fitted.expected_purchases(90, [0], [0], [10])[0] < 90
    low, high = fitted.expected_purchases_interval(90, [0], [0], [10], level=0.8)
    assert np.isfinite([low, high]).all()
    assert low <= high


def test_more_purchases_and_a_later_last_one_never_expect_less() -> None:
    model = ModifiedBetaGeoNBD().fit(*HISTORY)
    by_recency = [float(model.expected_purchases(39, [4], [t_x], [38])[0]) for t_x in (5, 15, 25, 37)]
    assert all(less < more for less, more in pairwise(by_recency))
    assert model.expected_purchases(0, [4], [20], [38])[0] == 0


def test_the_interval_of_an_expectation_narrows_with_the_customers_learned_from() -> None:
    few = CDNOW.iloc[::20]
    widths = []
    for data in (few, CDNOW):
        model = BetaGeoNBD().fit(data["frequency"], data["recency"], data["T"])
        low, high = model.expected_purchases_interval(39, [2], [30], [38])
        widths.append(float(high[0] - low[0]))
    assert widths[1] < 0.5 * widths[0]


def test_a_single_amount_is_drawn_to_the_mean_of_all_and_many_are_not() -> None:
    model = GammaGamma().fit(CDNOW["frequency"], CDNOW["mean_spend"])
    p, q, v = (model.params_[name] for name in ("p", "q", "v"))
    everybody = p * v / (q - 1)
    new, once, often = model.expected_spend([0, 1, 1000], [0, 100, 100])
    assert new == pytest.approx(everybody)
    assert everybody < once < 81 < 99 < often < 100


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([1], [5], [3]), "recency lies beyond T"),
        (([0], [5], [9]), "without a second purchase"),
        (([-1], [0], [9]), r"frequency\[0\] is -1"),
        (([np.nan], [0], [9]), r"frequency\[0\] is nan"),
        (([1, 2], [1], [9]), "columns differ in length: frequency 2, recency 1, T 1"),
        (([], [], []), "no customer to learn from"),
    ],
)
def test_histories_that_cannot_be_are_refused(given: tuple[list[float], ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        BetaGeoNBD().fit(*given)


def test_amounts_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="mean amount of 1 customers is 0"):
        GammaGamma().fit([1, 2], [0, 5])
    with pytest.raises(UsageError, match="no purchase to learn from"):
        GammaGamma().fit([0], [5])
    with pytest.raises(UsageError, match=r"level 1\.5"):
        GammaGamma().fit([1, 2], [3, 5]).parameter_intervals(1.5)
