"""Lift with its interval against closed forms and a bootstrap; p and q values against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from o2o_mining.association.holdout import Comparison, Estimate, by_habit, either, q_values


def _world(seed: int, customers: int = 400, each: int = 12) -> tuple[NDArray[np.int64], ...]:
    """Draw customers who like A, B or both more than others do: baskets of one customer are alike."""
    chance = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), each)
    taste_a, taste_b = chance.beta(1, 5, (2, customers))
    a = chance.random(len(customer)) < taste_a[customer]
    b = chance.random(len(customer)) < np.where(a, 0.15 + taste_b[customer], taste_b[customer]).clip(0, 1)
    return customer, np.flatnonzero(a), np.flatnonzero(b)


def _compared(customer: NDArray[np.int64]) -> Comparison:
    return Comparison(customer, np.zeros(len(customer), int), np.full(len(customer), 9))


def test_in_one_stratum_the_lift_is_the_plain_one() -> None:
    customer, a, b = _world(1)
    both = len(np.intersect1d(a, b))
    estimate = _compared(customer).estimate(a, b, n_left=0)
    assert estimate.lift == pytest.approx(both * len(customer) / (len(a) * len(b)))
    assert estimate.low < estimate.lift < estimate.high


def test_places_that_sell_both_do_not_make_a_rule() -> None:
    chance = np.random.default_rng(2)
    place = np.repeat([0, 1], 5_000)
    held = chance.random((2, 10_000)) < np.where(place == 0, 0.3, 0.01)
    a, b = (np.flatnonzero(side) for side in held)
    customer, size = np.arange(10_000), np.full(10_000, 9)
    assert Comparison(customer, np.zeros(10_000, int), size).estimate(a, b, n_left=0).lift > 1.8
    alike = Comparison(customer, place, size).estimate(a, b, n_left=0)
    assert alike.low < 1 < alike.high
    assert alike.p_value > 0.01


def test_baskets_that_hold_more_of_everything_do_not_make_a_rule() -> None:
    chance = np.random.default_rng(3)
    size_of = np.where(chance.random(20_000) < 0.5, 3, 30)
    held = chance.random((2, 20_000)) < size_of / 200
    a, b = (np.flatnonzero(side) for side in held)
    size = size_of + held.sum(axis=0)
    plain = _compared(np.arange(20_000)).estimate(a, b, n_left=0)
    alike = Comparison(np.arange(20_000), np.zeros(20_000, int), size).estimate(a, b, n_left=1)
    assert plain.low > 1.4
    assert alike.low < 1 < alike.high


def test_the_interval_is_that_of_a_bootstrap_over_customers() -> None:
    customer, a, b = _world(4)
    estimate = _compared(customer).estimate(a, b, n_left=0)
    held = np.zeros((3, len(customer)))
    held[0, a], held[1, b] = 1, 1
    held[2] = held[0] * held[1]
    sums = np.stack([np.bincount(customer, weights=row) for row in held])
    drawn = np.random.default_rng(0).multinomial(400, np.full(400, 1 / 400), 4_000).astype(float)
    left, right, both = (drawn @ row for row in sums)
    lifts = both * 4_800 / (left * right)
    spread = float(np.log(lifts).std())
    assert np.log(estimate.high / estimate.low) / (2 * 1.959964) == pytest.approx(spread, rel=0.06)


def test_baskets_of_few_customers_say_less_than_those_of_many() -> None:
    held = np.random.default_rng(5).random((2, 800)) < 0.3
    a, b = (np.flatnonzero(np.repeat(side, 9)) for side in held)  # nine times the same basket
    few = _compared(np.repeat(np.arange(800), 9)).estimate(a, b, n_left=0)
    many = _compared(np.arange(7_200)).estimate(a, b, n_left=0)
    assert few.lift == many.lift
    assert np.log(few.high / few.low) == pytest.approx(3 * np.log(many.high / many.low))


@pytest.mark.parametrize("rare", [0.02, 0.15])
def test_p_values_of_what_is_not_true_are_no_smaller_than_they_should_be(rare: float) -> None:
    chance = np.random.default_rng(6)
    customer = np.repeat(np.arange(150), 10)
    compared, p_values = _compared(customer), []
    for _ in range(1_500):
        taste = chance.gamma(1.0, rare, (2, 150)).clip(0, 0.9)
        held = chance.random((2, 1_500)) < taste[:, customer]
        p_values.append(compared.estimate(*(np.flatnonzero(side) for side in held), n_left=0).p_value)
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p_values) <= level) <= level + 3 * np.sqrt(level / 1_500)


def test_what_never_meets_is_no_rule() -> None:
    compared = _compared(np.arange(10))
    for a, b in ((np.array([0]), np.array([1])), (np.array([], int), np.array([1]))):
        assert compared.estimate(a, b, n_left=0) == Estimate(0.0, 0.0, np.inf, 1.0)


def test_comparing_leaves_nothing_behind() -> None:
    customer, a, b = _world(7)
    compared = _compared(customer)
    first = compared.estimate(a, b, n_left=1)
    compared.estimate(b[:9], a[:5], n_left=1)
    assert compared.estimate(a, b, n_left=1) == first


def test_habits_explain_what_a_customer_does_anyway() -> None:
    chance = np.random.default_rng(9)
    expected = chance.gamma(1.0, 1.0, 2_000)
    none, some = by_habit(chance.poisson(expected), expected), by_habit(chance.poisson(1.5 * expected), expected)
    assert none.low < 1 < none.high
    assert none.p_value > 0.01
    assert some.low > 1.3
    assert some.p_value < 1e-9


def test_one_customer_alone_proves_nothing() -> None:
    estimate = by_habit(np.array([40, 0, 0, 0, 0]), np.array([0.5, 0.1, 0.1, 0.1, 0.1]))
    assert estimate.p_value > 0.3


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    p = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324])
    # The example of their paper has 15 tests, of which four are rejected at .05.
    rest = np.array([0.4262, 0.5719, 0.6528, 0.759, 1.0])
    assert int((q_values(np.concatenate([p, rest])) <= 0.05).sum()) == 4
    assert q_values(np.array([])).tolist() == []
    assert q_values(np.array([0.02, 0.02])).tolist() == [0.02, 0.02]


def test_a_half_that_found_nothing_to_judge_doubles_the_p_value_alone() -> None:
    one = Estimate(2.0, 1.5, 3.0, 0.01)
    assert either(one, Estimate(0.0, 0.0, np.inf, 1.0)) == Estimate(2.0, 1.5, 3.0, 0.02)
