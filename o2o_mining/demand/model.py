"""The forecast of the mean: a weighted regression at the top, proportions below, seasonal naive where it is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from o2o_mining.demand.hierarchy import Array, Level, added_up, shared_out

WEEK = 7
YEAR = 365.25
# Days after which an observation counts half, for series that stay and for those whose level moves. Short and long
# together follow a change and still know the weekdays; decision 0012 has the figures.
MEMORIES = ((14, 28, 112), (7, 28))
SHARE_HALF_LIFE = 112
# A season is believed once it was seen twice, and only partly: its terms are scaled down against the penalty.
SEASON_DAYS, SEASON_HALF_LIFE, SEASON_SCALE = 730, 365, 1 / 3
# Penalties on the weekdays' effects: at the top, which has data enough, and on a category's departure from it.
PENALTY, PENALTY_OF_DEPARTURE = 0.1, 10.0
# What is usual on a day is the mean of so many same weekdays before it; no event is believed to change it more.
USUAL_WEEKS, LEAST_LIFT, MOST_LIFT = 8, 0.2, 5.0
# Days of campaigns are cleared of what campaigns bring on average; of what a merchant sells usually they say less.
CAMPAIGN_DAY_WEIGHT = 0.1
# An effect of campaigns is shrunk as if so many days of them had shown none.
DAYS_OF_DOUBT = 14


@dataclass(frozen=True)
class Calendar:
    """What is known of the days of the history and of those to come.

    Attributes
    ----------
    weekdays
        0 to 6, shape (days,).
    holidays
        Whether a day is a holiday, shape (days,).
    campaigns
        Whether a campaign of the merchant runs, shape (days, merchants); None without a level of merchants.
    """

    weekdays: Array
    holidays: Array
    campaigns: Array | None = None


class Forecaster:
    """Forecasts of all series of a tree from any day of its history.

    Parameters
    ----------
    levels
        From the top down; series of the top level are independent of each other.
    calendar
        Of the history and at least the days to forecast.

    Attributes
    ----------
    memory
        Which of ``MEMORIES`` each series of the top level has, shape (series,); the first until ``remember``.
    """

    def __init__(self, levels: Sequence[Level], calendar: Calendar) -> None:
        self.levels, self.calendar = levels, calendar
        self.memory = np.zeros(len(levels[0].ids), dtype=np.int64)
        self.days = len(levels[0].values)
        top = levels[0].values.sum(axis=1, keepdims=True)
        self._holiday_lifts = lifts(top, calendar.holidays[: self.days, None])
        self._merchants = next((depth for depth, level in enumerate(levels) if level.name == "merchant"), None)
        if self._merchants is not None and calendar.campaigns is not None:
            seen = calendar.campaigns[: self.days]
            some = seen.any(axis=0)
            self._campaign_effects = campaign_effects(levels[self._merchants].values[:, some], seen[:, some])

    def means(self, origin: int, horizon: int, naive: Sequence[Array] | None = None) -> list[Array]:
        """Return the means of each level, shape (horizon, series), adding up from level to level.

        Parameters
        ----------
        origin
            How many days of the history are known.
        horizon
            How many days after it are forecast.
        naive
            Per level, which series take seasonal naive instead; below the top in its proportions only.
        """
        ahead = slice(origin, origin + horizon)
        profiles = self._profiles(origin)
        expected = [self._top(origin, horizon, profiles[0])]
        for depth, level in enumerate(self.levels):
            if depth:
                profile = profiles[depth][ahead]
                mean = shared_out(profile, expected[-1], level.parent, profile)
                if level.name == "category" and len(level.ids) > 1:
                    mean = self._departed(depth, origin, mean, expected[-1])
                expected.append(mean)
            if naive is not None and naive[depth].any():
                base = np.where(naive[depth], seasonal_naive(level.values, origin, horizon), expected[depth])
                expected[depth] = (
                    shared_out(base, expected[depth - 1], level.parent, expected[depth]) if depth else base
                )
        return expected

    def remember(self, origins: Sequence[int], horizon: int) -> None:
        """Give each series of the top level the memory that erred least from some origins."""
        errors = np.zeros((len(MEMORIES), len(self.memory)))
        for origin in origins:
            came = self.levels[0].values[origin : origin + horizon]
            profile = self._profiles(origin)[0]
            for number in range(len(MEMORIES)):
                self.memory[:] = number
                errors[number] += np.abs(self._top(origin, horizon, profile) - came).sum(axis=0)
        self.memory = errors.argmin(axis=0)

    def _profiles(self, origin: int) -> list[Array]:
        """Return in what proportions the series of each level sell on every day, campaigns included."""
        weights = recency_weights(origin, SHARE_HALF_LIFE)
        recent = [weights @ level.values[:origin] for level in self.levels]
        days = len(self.calendar.weekdays)
        if self._merchants is None or self.calendar.campaigns is None:
            return [np.broadcast_to(row, (days, len(row))) for row in recent]
        campaigns, values = self.calendar.campaigns, self.levels[self._merchants].values[:origin]
        added, multiplied = self._campaign_effects[origin]
        running = campaigns[:origin]
        cleared = np.where(running, (values - added) / (1 + multiplied), values)
        counted = weights[:, None] * np.where(running, CAMPAIGN_DAY_WEIGHT, 1.0)
        usual = np.maximum((counted * cleared).sum(axis=0) / counted.sum(axis=0), 0.0)
        during = np.maximum(usual * (1 + multiplied) + added, usual * LEAST_LIFT)
        profiles = [np.where(campaigns, during, usual)]
        for depth in range(self._merchants, 0, -1):
            profiles.insert(0, added_up(profiles[0], self.levels[depth].parent))
        # A campaign is the merchant's: its stores have the proportions they always have.
        below = recent[self._merchants + 1 :]
        return profiles + [np.broadcast_to(row, (days, len(row))) for row in below]

    def _top(self, origin: int, horizon: int, profile: Array) -> Array:
        """Return the forecast of the top level: what is usual, times what is known of the days to come."""
        known = np.where(self.calendar.holidays, self._holiday_lifts[origin], 1.0)[:, None]
        usual = profile[:origin].mean(axis=0)
        factor = known * np.divide(profile, usual, out=np.ones_like(profile), where=usual > 0)
        values = self.levels[0].values[:origin] / factor[:origin]
        weekdays = self.calendar.weekdays
        mean = np.zeros((horizon, len(self.memory)))
        for number in np.unique(self.memory):
            some = self.memory == number
            mean[:, some] = _combined(values[:, some], weekdays, horizon, MEMORIES[number])
        return np.asarray(mean * factor[origin : origin + horizon])

    def _departed(self, depth: int, origin: int, mean: Array, above: Array) -> Array:
        """Return the means of categories with what their weekdays have of their own."""
        level, top = self.levels[depth], self.levels[depth - 1]
        weights = recency_weights(origin, SHARE_HALF_LIFE)
        sold = weights @ level.values[:origin]
        whole = np.maximum(weights @ top.values[:origin], 1e-12)
        rest = level.values[:origin] - top.values[:origin] * (sold / whole)
        own = regressed(
            rest, self.calendar.weekdays, len(mean), half_life=SHARE_HALF_LIFE, penalty=PENALTY_OF_DEPARTURE
        )
        return shared_out(np.maximum(mean + own, 0.0), above, level.parent, mean)


def _combined(values: Array, weekdays: Array, horizon: int, half_lives: Sequence[int]) -> Array:
    """Return the mean of the regressions of a memory, with one on the season once it was seen twice."""
    fitted = [regressed(values, weekdays, horizon, half_life=half, penalty=PENALTY) for half in half_lives]
    if len(values) >= SEASON_DAYS:
        fitted.append(regressed(values, weekdays, horizon, half_life=SEASON_HALF_LIFE, penalty=PENALTY, season=True))
    return np.asarray(np.maximum(np.mean(fitted, axis=0), 0.0))


def recency_weights(days: int, half_life: float) -> Array:
    """Return the weight of each day, the last of which counts 1.

    Examples
    --------
    >>> recency_weights(3, 1).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.asarray(0.5 ** (np.arange(days)[::-1] / half_life))


def regressed(
    values: Array, weekdays: Array, horizon: int, *, half_life: float, penalty: float, season: bool = False
) -> Array:
    """Return the forecast of a ridge regression on weekdays, in which recent days count more.

    Parameters
    ----------
    values
        The history, shape (days, series).
    weekdays
        Of the history and the days to come.
    horizon
        How many days to forecast.
    half_life
        Days after which an observation counts half.
    penalty
        On the squares of the effects; the mean is free.
    season
        Whether a trend and two waves a year are fitted, too.

    Returns
    -------
    ndarray
        Shape (horizon, series). What is forecast for sums is the sum of the forecasts.
    """
    # Learning libraries take a second to import, and most commands need none.
    from sklearn.linear_model import Ridge

    days = len(values)
    known = [(weekdays[: days + horizon, None] == np.arange(WEEK)) - 1 / WEEK]
    if season:
        time = (np.arange(days + horizon) - days)[:, None] / YEAR
        waves = [wave(2 * np.pi * k * time) / k for k in (1, 2) for wave in (np.cos, np.sin)]
        known.append(SEASON_SCALE * np.hstack([time, *waves]))
    features = np.hstack(known)
    fit = Ridge(alpha=penalty, solver="cholesky").fit(
        features[:days], values, sample_weight=recency_weights(days, half_life)
    )
    return np.asarray(fit.predict(features[days:])).reshape(horizon, -1)


def seasonal_naive(values: Array, origin: int, horizon: int) -> Array:
    """Return the last week again and again; where there is less than a week, the mean of the days there are.

    Parameters
    ----------
    values
        Shape (days, series).
    origin
        How many days are known, one at least.
    horizon
        How many days to forecast.

    Examples
    --------
    >>> seasonal_naive(np.arange(8.0)[:, None], 8, 3).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    week = values[max(origin - WEEK, 0) : origin]
    if len(week) < WEEK:
        week = np.broadcast_to(week.mean(axis=0), (WEEK, values.shape[1]))
    return np.asarray(week[np.arange(horizon) % WEEK])


def lifts(values: Array, event: Array) -> Array:
    """Return by which factor an event changes what is sold, as known after each number of days.

    All series share the factor. What is usual on a day is the mean of the same weekdays before it on which there was no
    event; one day's usual sales are added on both sides of the ratio, so that few events change little.

    Parameters
    ----------
    values
        Shape (days, series).
    event
        Whether it was on, of the same shape.

    Returns
    -------
    ndarray
        Shape (days + 1,).
    """
    days = len(values)
    if not event.any():
        return np.ones(days + 1)
    usual, counted = _usual(values, event)
    sold = np.where(counted, values, 0.0).sum(axis=1)
    one_day = np.cumsum(values.sum(axis=1)) / np.arange(1, days + 1)
    ratio = (np.cumsum(sold) + one_day) / np.maximum(np.cumsum(usual.sum(axis=1)) + one_day, 1e-12)
    return np.asarray(np.clip(np.concatenate([[1.0], ratio]), LEAST_LIFT, MOST_LIFT))


def campaign_effects(values: Array, running: Array) -> Array:
    """Return what a day of a campaign adds to a merchant's sales, as known after each number of days.

    A campaign brings customers of its own, however small the merchant, and more to one who sells more: what is sold
    beyond the usual is regressed on a constant and on the usual, over the campaign days of all merchants together.

    Parameters
    ----------
    values
        Shape (days, merchants).
    running
        Whether a campaign ran, of the same shape.

    Returns
    -------
    ndarray
        Shape (days + 1, 2): sales added, and added per usual sale; zero before campaigns were seen.
    """
    effects = np.zeros((len(values) + 1, 2))
    usual, counted = _usual(values, running)
    extra = np.where(counted, values - usual, 0.0)
    count, one, two, target, cross = (
        np.cumsum(of.sum(axis=1)) for of in (counted, usual, usual**2, extra, extra * usual)
    )
    seen = count > 0
    if not seen.any():
        return effects
    doubt = DAYS_OF_DOUBT / count[seen]
    squares = np.empty((int(seen.sum()), 2, 2))
    squares[:, 0, 0] = count[seen] * (1 + doubt)
    squares[:, 1, 1] = two[seen] * (1 + doubt) + 1e-9
    squares[:, 0, 1] = squares[:, 1, 0] = one[seen]
    products = np.stack([target[seen], cross[seen]], axis=1)[:, :, None]
    effects[1:][seen] = np.linalg.solve(squares, products)[:, :, 0]
    # No campaign makes a merchant sell less than nothing.
    effects[:, 1] = np.maximum(effects[:, 1], LEAST_LIFT - 1)
    return effects


def _usual(values: Array, event: Array) -> tuple[Array, Array]:
    """Return what is usual on the days of an event, zero on others, and for which of them that is known."""
    days = len(values)
    total, count = np.zeros_like(values), np.zeros_like(values)
    for weeks in range(1, min(USUAL_WEEKS, (days - 1) // WEEK) + 1):
        before = slice(0, days - weeks * WEEK)
        total[weeks * WEEK :] += np.where(event[before], 0.0, values[before])
        count[weeks * WEEK :] += ~event[before]
    counted = event & (count > 0)
    return np.where(counted, total / np.maximum(count, 1), 0.0), counted
