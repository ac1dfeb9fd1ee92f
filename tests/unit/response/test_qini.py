"""The quality of a ranking by uplift."""

from __future__ import annotations

import math

import numpy as np
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.response import qini_coefficient, qini_curve, uplift_at_k


def trial(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return outcome, arm, and who is moved: a third, of whom .6 come if asked and .1 if not; others .2."""
    draw = np.random.default_rng(seed)
    moved, treated = draw.random(n) < 1 / 3, draw.random(n) < 0.5
    chance = np.where(moved, np.where(treated, 0.6, 0.1), 0.2)
    return draw.random(n) < chance, treated, moved


def test_the_curve_of_four_customers_is_as_reckoned_by_hand() -> None:
    share, gained = qini_curve([1, 0, 1, 1], [4.0, 3.0, 2.0, 1.0], [1, 0, 0, 1])
    assert share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert gained == pytest.approx([0, 0, 2 / 4 * 1, 3 / 4 * 0.5, 0.5])


def test_the_coefficient_of_a_perfect_ranking_has_its_closed_form() -> None:
    # The curve rises with .5 a customer up to a third, then stays: its area above the line is (1/3)(1 - 1/3)/2 x .5.
    came, treated, moved = trial(100_000, 0)
    found = qini_coefficient(came, moved, treated, n_bootstrap=30)
    assert found.value == pytest.approx(1 / 3 * 2 / 3 / 2 * 0.5, abs=0.003)
    assert found.low < 1 / 18 < found.high
    assert found.p_value == pytest.approx(1 / 31)


def test_the_opposite_ranking_has_the_opposite_sign() -> None:
    came, treated, moved = trial(50_000, 1)
    right, wrong = (qini_coefficient(came, sign * moved, treated, n_bootstrap=30) for sign in (1, -1))
    assert wrong.value == pytest.approx(-right.value, abs=0.003)
    assert wrong.high < 0 < right.low


def test_a_random_ranking_looks_significant_in_at_most_a_thirteenth_of_four_hundred_tries() -> None:
    found = []
    for seed in range(400):
        came, treated, _ = trial(200, seed)
        ranking = np.random.default_rng(10_000 + seed).random(200)
        found.append(qini_coefficient(came, ranking, treated, n_bootstrap=199, random_state=seed).p_value < 0.05)
    assert np.mean(found) <= 0.075


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = []
    for seed in range(150):
        came, treated, moved = trial(300, seed)
        found = qini_coefficient(came, moved, treated, n_bootstrap=100, random_state=seed)
        held.append(found.low <= 1 / 18 <= found.high)
    assert 0.83 <= np.mean(held) <= 0.97


def test_the_order_of_rows_and_the_scale_of_the_ranking_do_not_count() -> None:
    came, treated, moved = trial(500, 2)
    order = np.random.default_rng(0).permutation(500)
    once = qini_coefficient(came, moved, treated, n_bootstrap=40)
    assert qini_coefficient(came[order], moved[order], treated[order], n_bootstrap=40) == once
    assert qini_coefficient(came, 3 * moved - 7.0, treated, n_bootstrap=40) == once


def test_a_ranking_that_makes_no_difference_is_worth_nothing() -> None:
    came, treated, _ = trial(300, 3)
    found = qini_coefficient(came, np.zeros(300), treated, n_bootstrap=40)
    assert found == (0.0, 0.0, 0.0, 1.0)


def test_the_uplift_of_the_first_is_that_of_those_who_are_moved() -> None:
    came, treated, moved = trial(60_000, 4)
    first = uplift_at_k(came, moved + np.random.default_rng(0).random(60_000) / 2, treated, k=0.2)
    assert first.low < 0.5 < first.high
    assert first.high - first.low < 0.04
    assert first.p_value < 1e-6
    assert uplift_at_k(came, moved, treated, k=1.0).value == pytest.approx(1 / 6, abs=0.015)


def test_who_ties_with_the_last_of_the_first_is_counted() -> None:
    ranking = np.r_[np.ones(8), np.zeros(12)]
    came, treated = np.r_[1, 1, 1, 0, 0, 0, 0, 1, np.zeros(12)], np.tile([1, 0], 10)
    whole = uplift_at_k(came, ranking, treated, k=0.4)
    assert uplift_at_k(came, ranking, treated, k=0.1) == whole
    assert whole.value == 0.0


def test_the_effect_among_the_first_of_a_null_trial_is_significant_as_often_as_the_level_says() -> None:
    draw = np.random.default_rng(5)
    found = [
        uplift_at_k(draw.random(400) < 0.3, draw.random(400), draw.random(400) < 0.5, k=0.3).p_value < 0.05
        for _ in range(400)
    ]
    assert np.mean(found) <= 0.075


def test_without_any_spread_nothing_is_measured_and_nothing_claimed() -> None:
    assert uplift_at_k(np.zeros(8), np.ones(8), [1, 0] * 4) == (0.0, 0.0, 0.0, 1.0)
    # Two of two in both arms: with one more at either end, 3 of 4 and 3 of 4.
    found = uplift_at_k([1, 1, 1, 1, 0, 0], [2, 2, 2, 2, 1, 1], [1, 0] * 3, k=0.5)
    reach = 1.6448536269515 * math.sqrt(2 * 0.75 * 0.25 / 4)
    assert found == pytest.approx((0.0, -reach, reach, 1.0))


def test_the_clearest_effect_is_found_as_clearly() -> None:
    treated = np.repeat([1, 0], 50)
    low = 50 / 52 - 1.6448536269515 * math.sqrt(2 * 51 / 52 * 1 / 52 / 52)
    # Of all ways to draw the arms, only two would show as much.
    chance = 2 / math.comb(100, 50)
    assert uplift_at_k(treated, np.ones(100), treated, k=1.0) == pytest.approx((1.0, low, 1.0, chance))
    against = uplift_at_k(1 - treated, np.ones(100), treated, k=1.0)
    assert against == pytest.approx((-1.0, -1.0, -low, chance))
    money = uplift_at_k(1e-9 * treated, np.ones(100), treated, k=1.0)
    assert money[:3] == pytest.approx((1e-9, low * 1e-9, 1e-9))
    assert money.p_value == pytest.approx(chance)


def test_few_of_each_arm_prove_little_however_clear() -> None:
    found = uplift_at_k([1, 1, 0, 0], np.ones(4), [1, 1, 0, 0], k=1.0)
    assert found.low == pytest.approx(0.5 - 1.6448536269515 * math.sqrt(2 * 0.75 * 0.25 / 4))
    assert (found.value, found.high, found.p_value) == pytest.approx((1.0, 1.0, 1 / 3))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([0, 1], [1, 2], [1, 1]), "treatment holds"),
        (([], [], []), "treatment holds"),
        (([0, 1], [1, 2], [0, 2]), r"treatment holds \[0.0, 2.0\]"),
        (([0, 1, 1], [1, 2], [0, 1]), "shapes"),
        (([0, np.nan], [1, 2], [0, 1]), "not finite"),
        (([0, 1], [1, np.inf], [0, 1]), "not finite"),
        (([0, 1], [1, 2], ["control", "treated"]), "do not hold numbers only"),
        (([0, 1], [1, 2], [0, None]), "not finite"),
    ],
)
def test_rows_that_cannot_be_ranked_are_refused(given: tuple[list[float], ...], message: str) -> None:
    for measure in (qini_curve, qini_coefficient, uplift_at_k):
        with pytest.raises(UsageError, match=message):
            measure(*given)


def test_an_interval_needs_a_sample() -> None:
    with pytest.raises(UsageError, match="n_bootstrap is 0"):
        qini_coefficient([0, 1], [1, 2], [0, 1], n_bootstrap=0)


def test_the_first_need_two_of_each_arm() -> None:
    with pytest.raises(UsageError, match="2 treated and 0 not"):
        uplift_at_k([1, 0, 0, 1], [4, 3, 2, 1], [1, 1, 0, 0], k=0.5)
    with pytest.raises(UsageError, match="k is 0"):
        uplift_at_k([1, 0], [1, 2], [0, 1], k=0)
