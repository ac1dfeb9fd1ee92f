"""The mean: weekdays, levels, campaigns and holidays are found again."""

from __future__ import annotations

import numpy as np
import pytest

from o2o_mining.demand.backtest import (
    Backtest,
    intervals,
    origins,
    run_backtest,
    scaled_error,
    wide_intervals,
)
from o2o_mining.demand.hierarchy import Array, Level
from o2o_mining.demand.model import Calendar, Forecaster, campaign_effects, lifts, regressed, seasonal_naive

WEEKDAYS = np.arange(450) % 7


def alone(values: Array, name: str = "series") -> Level:
    return Level(name, tuple(f"s{n}" for n in range(values.shape[1])), np.arange(values.shape[1]), values)


def plain(days: int) -> Calendar:
    return Calendar(WEEKDAYS[:days], np.zeros(days, dtype=bool))


def test_a_weekly_pattern_is_forecast_as_it_is() -> None:
    values = (10.0 + WEEKDAYS[:200] ** 2)[:, None]
    (mean,) = Forecaster([alone(values)], plain(228)).means(200, 28)
    assert mean.ravel() == pytest.approx(10.0 + WEEKDAYS[200:228] ** 2, rel=0.03)


def test_the_forecast_of_a_sum_is_the_sum_of_the_forecasts() -> None:
    values = np.random.default_rng(1).poisson(5, (150, 3)).astype(float)
    each, whole = (
        regressed(of, WEEKDAYS, 14, half_life=28, penalty=0.1) for of in (values, values.sum(axis=1, keepdims=True))
    )
    assert each.sum(axis=1) == pytest.approx(whole.ravel())


def test_the_mean_is_never_below_zero() -> None:
    falling = np.maximum(50.0 - np.arange(100), 0.0)[:, None]
    (mean,) = Forecaster([alone(falling)], plain(128)).means(100, 28)
    assert (mean >= 0).all()


def test_the_season_of_the_year_is_seen_once_two_years_are_known() -> None:
    days = np.arange(1_000)
    values = (100 + 30 * np.cos(2 * np.pi * days / 365.25))[:, None]
    calendar = Calendar(days % 7, np.zeros(1_000, dtype=bool))
    with_season = Forecaster([alone(values[:972])], calendar).means(972, 28)[0]
    without = Forecaster([alone(values[972 - 700 : 972])], Calendar(days[272:] % 7, calendar.holidays[272:]))
    error, error_without = (np.abs(mean - values[972:]).mean() for mean in (with_season, without.means(700, 28)[0]))
    assert error < 0.8 * error_without


def test_seasonal_naive_repeats_the_last_week_and_knows_the_mean_of_less() -> None:
    assert seasonal_naive(np.array([[3.0], [5.0]]), 2, 2).tolist() == [[4.0], [4.0]]
    assert seasonal_naive(np.arange(20.0)[:, None], 10, 8).ravel().tolist() == [3, 4, 5, 6, 7, 8, 9, 3]


def test_the_lift_of_an_event_is_found_and_known_only_after_it() -> None:
    values, event = np.full((100, 2), 10.0), np.zeros((100, 2), dtype=bool)
    event[60:70, 0] = True
    values[60:70, 0] = 30.0
    lift = lifts(values, event)
    assert lift.shape == (101,)
    assert set(lift[:61]) == {1.0}
    # Ten days of 30 instead of 10, and the mean day of both series so far added to both sides.
    day = (70 * 20 + 200) / 70
    assert lift[70] == pytest.approx((300 + day) / (100 + day))
    assert (lifts(values, np.zeros_like(event)) == 1).all()


def test_what_campaigns_add_is_parted_into_a_constant_and_a_share() -> None:
    usual = np.tile(np.arange(1.0, 21.0), (200, 1))
    running = np.zeros((200, 20), dtype=bool)
    for merchant in range(20):
        running[60 + 5 * merchant : 74 + 5 * merchant, merchant] = True
    effects = campaign_effects(np.where(running, 4 + 1.5 * usual, usual), running)
    assert (effects[:61] == 0).all()
    assert effects[200] == pytest.approx([4.0, 0.5], rel=0.1)
    assert (campaign_effects(usual, np.zeros_like(running)) == 0).all()


def tree(seed: int = 0, days: int = 300) -> tuple[list[Level], Calendar]:
    """Two categories of two merchants; campaigns of m0 sell three times as much, one is to come."""
    chance = np.random.default_rng(seed)
    running = np.zeros((days + 28, 4), dtype=bool)
    for start in (40, 120, 200, 260, 305):
        running[start : start + 14, 0] = True
    running[150:164, 3] = True
    usual = np.array([8.0, 5.0, 3.0, 6.0]) * np.where(WEEKDAYS[: days + 28, None] > 4, 2.0, 1.0)
    leaves = chance.poisson(usual * np.where(running, 3.0, 1.0)).astype(float)[:days]
    merchants = Level("merchant", ("m0", "m1", "m2", "m3"), np.array([0, 0, 1, 1]), leaves)
    categories = Level("category", ("a", "b"), np.zeros(2, int), leaves.reshape(days, 2, 2).sum(axis=2))
    total = Level("total", ("(all)",), np.zeros(1, int), leaves.sum(axis=1, keepdims=True))
    return [total, categories, merchants], Calendar(WEEKDAYS[: days + 28], np.zeros(days + 28, dtype=bool), running)


def test_campaigns_that_are_planned_are_expected() -> None:
    levels, calendar = tree()
    total, categories, merchants = Forecaster(levels, calendar).means(300, 28)
    during, after = merchants[5:19, 0].mean(), merchants[19:26, 0].mean()
    assert during / after == pytest.approx(3.0, rel=0.25)
    assert merchants[5:19, 1].mean() == pytest.approx(merchants[19:26, 1].mean(), rel=0.15)
    assert total.ravel() == pytest.approx(categories.sum(axis=1))
    assert categories[:, 0] == pytest.approx(merchants[:, :2].sum(axis=1))


def test_what_comes_after_the_origin_changes_nothing() -> None:
    levels, calendar = tree()
    spoiled = [Level(part.name, part.ids, part.parent, part.values.copy()) for part in levels]
    for part in spoiled:
        part.values[250:] = 999.0
    for mean, again in zip(
        Forecaster(levels, calendar).means(250, 28), Forecaster(spoiled, calendar).means(250, 28), strict=True
    ):
        assert (mean == again).all()


def test_origins_leave_six_weeks_before_and_the_horizon_after() -> None:
    assert origins(69, 28) == []
    assert origins(70, 28) == [42]
    assert origins(1_000, 28) == [972 - 14 * number for number in range(8)]


def test_a_series_that_repeats_its_week_is_left_to_seasonal_naive() -> None:
    chance = np.random.default_rng(3)
    exact = (10.0 + WEEKDAYS[:200])[:, None]
    noisy = chance.poisson(20, (200, 1)).astype(float)
    past = run_backtest(Forecaster([alone(np.hstack([exact, noisy]))], plain(228)), 28)
    assert past.naive[0].tolist() == [True, False]
    assert past.mase[0][0] == 1
    # The mean absolute deviation of a Poisson variable over that of the difference of two: about 1 / sqrt(2).
    assert past.mase[0][1] == pytest.approx(2**-0.5, abs=0.09)


def test_a_walk_at_random_is_no_easier_than_naive_says() -> None:
    steps = np.random.default_rng(5).normal(0, 1, 400).cumsum()
    past = run_backtest(Forecaster([alone((500 + 20 * steps)[:, None])], plain(428)), 28)
    assert 0.7 < past.mase[0][0] <= 1


def test_a_series_whose_level_moves_remembers_less() -> None:
    chance = np.random.default_rng(9)
    days = np.arange(300)
    steady = chance.poisson(300, 300).astype(float)
    moving = chance.poisson(300 + 200 * np.sin(days / 40)).astype(float)
    forecaster = Forecaster([alone(np.column_stack([steady, moving]))], plain(328))
    run_backtest(forecaster, 14)
    assert forecaster.memory.tolist() == [0, 1]


def test_a_history_too_short_to_be_tried_is_naive() -> None:
    past = run_backtest(Forecaster([alone(np.ones((10, 2)))], plain(38)), 28)
    assert isinstance(past, Backtest)
    assert past.naive[0].all()
    assert past.mase[0].tolist() == [1.0, 1.0]


def test_series_that_hardly_sell_are_judged_together() -> None:
    actual = np.zeros((1, 28, 3))
    actual[0, ::7, 0] = 1.0
    actual[0, 3, 1] = 1.0
    actual[0, :, 2] = 5.0
    naive, ours = np.zeros_like(actual), np.full_like(actual, 0.1)
    naive[..., 2] = ours[..., 2] = 4.0
    ours[..., 2] = 4.5
    ratio = scaled_error(ours, naive, actual)
    together = np.abs(ours - actual)[..., :2].sum() / np.abs(naive - actual)[..., :2].sum()
    assert ratio.tolist() == pytest.approx([together, together, 0.5])
    assert scaled_error(actual, actual, actual).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("mean", [1.5, 4.0, 40.0])
def test_eighty_per_cent_intervals_hold_eighty_per_cent_of_days(mean: float) -> None:
    chance = np.random.default_rng(11)
    tried = np.full((8, 28, 30), mean)
    past, to_come = chance.poisson(tried).astype(float), chance.poisson(mean, (28, 30))
    low, high = intervals(tried[0], tried, past, np.zeros(30, int), [80])[80]
    assert 0.72 <= ((low <= to_come) & (to_come <= high)).mean() <= 0.93  # counts are lumpy
    assert (low >= 0).all()
    assert ((low <= mean) & (mean <= high)).all()


def test_wider_levels_have_wider_intervals() -> None:
    chance = np.random.default_rng(2)
    tried = np.full((8, 28, 5), 20.0)
    made = intervals(tried[0], tried, chance.poisson(tried).astype(float), np.zeros(5, int), [50, 80, 95])
    assert (made[50][1] < made[80][1]).all()
    assert (made[80][1] < made[95][1]).all()
    assert (made[80][0] > made[95][0]).all()


def test_one_day_of_history_has_an_interval_that_admits_it_knows_little() -> None:
    low, high = wide_intervals(np.full((2, 1), 5.0), np.array([[5.0]]), [80])[80]
    assert low.tolist() == [[0.0], [0.0]]
    assert (high > 20).all()
    ten = wide_intervals(np.full((2, 1), 5.0), np.full((10, 1), 5.0), [80])[80]
    assert (ten[1] < 12).all()
