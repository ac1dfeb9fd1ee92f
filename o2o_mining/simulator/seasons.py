"""How demand moves over the year, the week and the day: what multiplies everybody's rate."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.world import START, World

WEEKDAYS = np.array([0.8, 0.8, 0.85, 0.95, 1.2, 1.35, 1.05])  # Monday first
HOLIDAYS = {(1, 1), (2, 14), (5, 1), (6, 18), (10, 1), (11, 11), (12, 25)}
HOLIDAY_FACTOR = 1.6
HOURS = np.array([0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 4, 8, 10, 7, 4, 4, 5, 8, 11, 12, 9, 5, 3, 1], dtype=float)


def daily_factors(world: World) -> Array:
    """Return the factor of every day lived: season x weekday x holiday x trend, 1 on average without the trend."""
    days = [START + timedelta(days=number) for number in range(world.lived_days)]
    number = np.arange(world.lived_days)
    season = 1.0 + 0.15 * np.cos(2 * np.pi * (number - 350) / 365.25)
    weekday = WEEKDAYS[[day.weekday() for day in days]]
    holiday = np.array([HOLIDAY_FACTOR if (day.month, day.day) in HOLIDAYS else 1.0 for day in days])
    return np.asarray(season * weekday * holiday * (1.0 + world.parameters.yearly_trend * number / 365.25))


def operational_time(world: World) -> Array:
    """Return the sum of the factors before each day, shape (lived days + 1,): the clock by which visits are uniform."""
    return np.concatenate([[0.0], np.cumsum(daily_factors(world))])


def seconds_of_day(uniform: Array) -> Array:
    """Turn uniform numbers into a time of day, with the rush at noon and in the evening."""
    cumulative = np.concatenate([[0.0], np.cumsum(HOURS / HOURS.sum())])
    second = np.interp(uniform, cumulative, np.arange(25) * 3600.0).astype(np.int64)
    return np.asarray(np.minimum(second, DAY - 1))
