"""The best that anybody could know of who is still there: hidden rates and moments of leaving integrated out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.history import History
from o2o_mining.simulator.offers import WINDOW_DAYS
from o2o_mining.simulator.people import People
from o2o_mining.simulator.seasons import daily_factors
from o2o_mining.simulator.visits import Visits
from o2o_mining.simulator.world import World

CHUNK = 4096  # customers whose days are held at once


@dataclass(frozen=True)
class Signs:
    """What the feeds show until the morning of a day of customers' own doing, shape (n,).

    ``first_day`` is the day of the first visit, or of joining when that was before the log; ``own`` counts the visits
    after it; ``last_day`` is the last day on which the customer was seen, -1 for never.
    """

    first_day: Array
    own: Array
    last_day: Array


def signs_of_life(history: History, day: int) -> Signs:
    """Collect the signs of life before a day.

    A visit with a coupon says nothing of the habit, and neither does one to a merchant whose campaign is running: it
    may be the occasion. Both are left out, and so the probability uses a little less than the feeds hold.
    """
    visits, people, units = history.visits, history.people, history.units
    count = history.world.customers
    counts = (visits.at < day * DAY) & (history.coupon < 0)
    for number in range(history.offers.campaigns):
        start = history.offers.start[number]
        running = (visits.at >= start) & (visits.at < start + WINDOW_DAYS * DAY)
        counts &= ~(running & (visits.merchant == history.offers.merchant[number]))
    first = np.where(people.joined < 0, people.joined, people.first_visit) // DAY
    last = np.where(first < 0, -1, first)
    on = visits.at // DAY
    np.maximum.at(last, visits.customer[counts], on[counts])
    standing = (units.coupon >= history.offers.campaigns) & (units.start < day * DAY)
    np.maximum.at(last, units.customer[standing], units.start[standing] // DAY)
    own = np.bincount(visits.customer[counts & (on > first[visits.customer])], minlength=count)
    return Signs(first, own, last)


def alive_probability(world: World, signs: Signs, *, day: int, rate_mean: Array, clock: Array) -> Array:
    """Return the probability that customers have not left before the morning of a day, given the signs until then.

    A rate is gamma, own visits are Poisson on the clock of the seasons, taking standing coupons is Poisson with a known
    rate, and leaving is exponential in whole days with an atom right after the first visit. The rate integrates out in
    closed form for every day of leaving, and the days of leaving are summed up: no draws, hence no error of drawing.

    Parameters
    ----------
    world
        For the scenario's numbers.
    signs
        What was seen; ``first_day`` and ``last_day`` lie before ``day``.
    day
        The day asked for, within the log.
    rate_mean
        Mean of the prior of the rate, shape (n,).
    clock
        Each customer's operational time before each day, bad visits counted, shape (n, days + 1).
    """
    given = world.parameters
    days = np.arange(day + 1)[None, :]
    begin = signs.first_day[:, None] + 1
    start = np.take_along_axis(clock, np.maximum(begin, 0), axis=1)
    exposure = np.maximum(clock[:, : day + 1] - start, 0.0)
    # The log likelihood of what was seen, had the customer left on that day; what does not depend on it is left out.
    seen = -(given.rate_shape + signs.own[:, None]) * np.log1p(exposure * rate_mean[:, None] / given.rate_shape)
    seen -= given.receipts_per_month / 30.0 * np.maximum(days - np.maximum(begin - 1, 0), 0)
    still = (1 - given.one_time_share) * np.exp(-np.maximum(days - begin, 0) / given.mean_life_days)
    leaving = still * -np.expm1(-1 / given.mean_life_days) + given.one_time_share * (days == begin)
    # On day 0 lies all that happened before the log.
    leaving[:, 0] = np.where(begin[:, 0] < 0, 1.0 - still[:, 0], 0.0) + leaving[:, 0]
    possible = (days > signs.last_day[:, None]) & (days >= begin) & (days < day)
    gone = np.where(possible, leaving * np.exp(np.where(possible, seen - seen[:, -1:], 0.0)), 0.0).sum(axis=1)
    return np.asarray(still[:, -1] / (still[:, -1] + gone))


def alive_at(history: History, day: int) -> tuple[Array, Array]:
    """Return the customers who had visited or joined before a day, and the probability that they are still there."""
    signs = signs_of_life(history, day)
    known = np.flatnonzero(signs.first_day < day)
    chance = np.zeros(len(known))
    for at in range(0, len(known), CHUNK):
        who = known[at : at + CHUNK]
        part = Signs(signs.first_day[who], signs.own[who], signs.last_day[who])
        clock = _clock(history.world, history.people, history.visits, who)
        chance[at : at + CHUNK] = alive_probability(
            history.world, part, day=day, rate_mean=history.people.rate_mean[who], clock=clock
        )
    return known, chance


def _clock(world: World, people: People, visits: Visits, who: Array) -> Array:
    """Return customers' operational time: what bad visits, their own and their referrers', left of the seasons."""
    given = world.parameters
    lost = np.zeros((len(who), world.days + 1))
    for source, share in ((who, 1.0), (people.referrer[who], given.friend_effect_share)):
        # A person may have brought several of these customers: go from customers to visits by where the visits begin.
        begin = np.searchsorted(visits.customer, source, side="left")
        count = np.where(source >= 0, np.searchsorted(visits.customer, source, side="right") - begin, 0)
        row = np.repeat(np.arange(len(who)), count)
        place = np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(len(row))
        bad = visits.bad[place]
        np.add.at(lost, (row[bad], visits.at[place[bad]] // DAY + 1), share)
    left_over = np.exp(-given.bad_visit_effect * np.cumsum(lost, axis=1))[:, :-1]
    return np.concatenate([np.zeros((len(who), 1)), np.cumsum(daily_factors(world) * left_over, axis=1)], axis=1)
