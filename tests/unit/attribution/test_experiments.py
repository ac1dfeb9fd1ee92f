"""What a draw shows, against published figures, closed forms and draws of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from o2o_mining.attribution.effects.experiments import (
    adjusted,
    confidence_sequence,
    difference_of_means,
    difference_of_shares,
    sample_ratio_p,
)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    # Newcombe (1998), table II, method 10.
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_intervals_of_shares_are_those_published(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    found = difference_of_shares(*counts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_groups_that_never_buy_have_no_effect_and_an_interval() -> None:
    found = difference_of_shares(0, 50, 0, 50)
    assert (found.effect, found.p_value) == (0.0, 1.0)
    assert found.low < 0 < found.high


def test_means_are_compared_as_welch_does() -> None:
    from scipy import stats

    draw = np.random.default_rng(1)
    treated, held = draw.gamma(2, 10, 40), draw.gamma(2, 8, 300)
    found, other = difference_of_means(treated, held), stats.ttest_ind(treated, held, equal_var=False)
    assert found.p_value == pytest.approx(other.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(other.confidence_interval(0.95)))


def test_outcomes_that_are_all_the_same_leave_no_doubt() -> None:
    found = difference_of_means(np.full(5, 2.0), np.full(5, 2.0))
    assert (found.effect, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_time_before_sharpens_the_figure_and_leaves_it_true() -> None:
    draw = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        before = draw.gamma(1, 20, 400)
        outcome = 0.8 * before + draw.normal(0, 5, 400)
        treated = draw.random(400) < 0.5
        outcome[treated] += 2.0
        found = adjusted(outcome[treated], outcome[~treated], before[treated], before[~treated])
        assert found is not None
        plain = difference_of_means(outcome[treated], outcome[~treated])
        assert found.standard_error < plain.standard_error / 2
        held += found.low <= 2.0 <= found.high
    assert 0.92 <= held / 300 <= 0.98


def test_where_nothing_came_before_nothing_can_be_taken_out() -> None:
    assert adjusted(np.ones(3), np.zeros(3), np.zeros(3), np.zeros(3)) is None


def test_an_effect_of_the_smallest_size_is_found_four_times_of_five() -> None:
    draw = np.random.default_rng(3)
    size = difference_of_shares(100, 1000, 100, 1000).detectable
    found = 0
    for _ in range(2000):
        treated, held = draw.binomial(1000, 0.1 + size), draw.binomial(1000, 0.1)
        found += difference_of_shares(treated, 1000, held, 1000).p_value < 0.05
    assert found / 2000 == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("groups", "alarm"), [((5000, 5000), False), ((9010, 990), False), ((5250, 4750), True)])
def test_groups_as_unequal_as_no_draw_makes_them_raise_an_alarm(groups: tuple[int, int], alarm: bool) -> None:
    assert (sample_ratio_p(*groups) < 0.001) is alarm


def test_looking_every_day_does_no_harm() -> None:
    draw = np.random.default_rng(4)
    missed, missed_by_fixed = 0, 0
    for _ in range(1000):
        # Each day 50 more customers of either group come to a decision; the true effect is 0.
        effects = np.cumsum(draw.normal(0, 1, 60) * 50**0.5) / 3000
        errors = np.sqrt(np.arange(1, 61) * 50) / 3000
        low, high = confidence_sequence(effects, errors)
        missed += bool(((low > 0) | (high < 0)).any())
        missed_by_fixed += bool((np.abs(effects) > 1.96 * errors).any())
    assert missed <= 50
    assert missed_by_fixed > 200
