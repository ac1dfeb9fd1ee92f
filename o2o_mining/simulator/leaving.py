"""When did customers leave? What the feeds before a day say of it, hidden rates integrated out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.history import History
from o2o_mining.simulator.offers import WINDOW_DAYS
from o2o_mining.simulator.people import People
from o2o_mining.simulator.seasons import daily_factors
from o2o_mining.simulator.visits import SHIFT, Visits
from o2o_mining.simulator.world import World

BIN_DAYS = 14  # moments of leaving are known to so many days where they meet offers


@dataclass(frozen=True)
class Signs:
    """What the feeds show before the morning of a day of customers' own doing, shape (n,).

    ``first_day`` is the day of the first visit, or of joining when that was before the log; ``own`` counts the visits
    after it; ``last_day`` is the last day on which the customer was seen, -1 for never.
    """

    first_day: Array
    own: Array
    last_day: Array


def own_signs(history: History) -> tuple[Array, Array]:
    """Return keys (customer and second) of visits that only a habit explains, and of standing coupons taken; sorted.

    A visit with a coupon says nothing of the habit. Neither does one to a merchant whose campaign is running, by
    somebody without its coupon: it may be the occasion. Both are left out, and so what is observable uses a little
    less than the feeds hold.
    """
    visits, units, offers = history.visits, history.units, history.offers
    counts = history.coupon < 0
    for number in range(offers.campaigns):
        start = offers.start[number]
        begin, stop = np.searchsorted(units.coupon[: history.campaign_units], [number, number + 1])
        has_coupon: Array = np.zeros(history.world.customers, dtype=bool)
        has_coupon[units.customer[begin:stop][units.exposed[begin:stop]]] = True
        running = (visits.at >= start) & (visits.at < start + WINDOW_DAYS * DAY)
        counts &= ~(running & (visits.merchant == offers.merchant[number]) & ~has_coupon[visits.customer])
    standing = units.coupon >= offers.campaigns
    return (
        np.sort(moment_keys(visits.customer[counts], visits.at[counts])),
        np.sort(moment_keys(units.customer[standing], units.start[standing])),
    )


def moment_keys(customer: Array, at: Array) -> Array:
    """Return one whole number for a customer and a second, so that one search finds both."""
    return np.asarray(customer.astype(np.int64) * SHIFT + at)


def signs_of_life(history: History, who: Array, day: Array, signs: tuple[Array, Array]) -> Signs:
    """Collect the signs of life of customers before the morning of a day each; ``signs`` come from own_signs."""
    people = history.people
    first = np.where(people.joined[who] < 0, people.joined[who], people.first_visit[who]) // DAY
    last = np.where(first < 0, -1, first)
    until = moment_keys(who, day * DAY)
    for keys in signs:
        place = np.searchsorted(keys, until) - 1
        newest = keys[np.maximum(place, 0)] if len(keys) else np.zeros(len(who), dtype=np.int64)
        seen = (place >= 0) & (newest // SHIFT == who)
        last = np.where(seen, np.maximum(last, newest % SHIFT // DAY), last)
    after = moment_keys(who, np.maximum(first + 1, 0) * DAY)
    own = np.searchsorted(signs[0], until) - np.searchsorted(signs[0], after)
    return Signs(first, np.maximum(own, 0), last)


def leaving_weights(world: World, signs: Signs, *, day: Array, rate_mean: Array, clock: Array) -> tuple[Array, Array]:
    """Return how likely the signs make it that customers are still there, and that they left within each bin of days.

    A rate is gamma, own visits are Poisson on the clock of the seasons, taking standing coupons is Poisson with a known
    rate, and leaving is exponential in whole days with an atom right after the first visit. The rate integrates out in
    closed form for every day of leaving: no draws, hence no error of drawing.

    Parameters
    ----------
    world
        For the scenario's numbers.
    signs
        What was seen; ``first_day`` and ``last_day`` lie before ``day``.
    day
        The day asked for, shape (n,).
    rate_mean
        Mean of the prior of the rate, shape (n,).
    clock
        Each customer's operational time before each day, bad visits counted, shape (n, lived days + 1).

    Returns
    -------
    still, gone
        Shapes (n,) and (n, bins); each row adds up to 1.
    """
    given, width = world.parameters, int(day.max()) + 1
    days = np.arange(width)[None, :]
    begin = signs.first_day[:, None] + 1
    start = np.take_along_axis(clock, np.maximum(begin, 0), axis=1)
    exposure = np.maximum(clock[:, :width] - start, 0.0)
    # The log likelihood of what was seen, had the customer left on that day; what does not depend on it is left out.
    seen = -(given.rate_shape + signs.own[:, None]) * np.log1p(exposure * rate_mean[:, None] / given.rate_shape)
    seen -= given.receipts_per_month / 30.0 * np.maximum(days - np.maximum(begin - 1, 0), 0)
    seen -= np.take_along_axis(seen, day[:, None], axis=1)
    still = (1 - given.one_time_share) * np.exp(-np.maximum(days - begin, 0) / given.mean_life_days)
    leaving = still * -np.expm1(-1 / given.mean_life_days) + given.one_time_share * (days == begin)
    # On day 0 lies all that happened before the log.
    leaving[:, 0] = np.where(begin[:, 0] < 0, 1.0 - still[:, 0], 0.0) + leaving[:, 0]
    possible = (days > signs.last_day[:, None]) & (days >= begin) & (days < day[:, None])
    gone = np.where(possible, leaving * np.exp(np.where(possible, seen, 0.0)), 0.0)
    gone = np.add.reduceat(gone, np.arange(0, width, BIN_DAYS), axis=1)
    there = np.take_along_axis(still, day[:, None], axis=1)[:, 0]
    # Who has not come yet has not left.
    there = np.where(signs.first_day >= day, 1.0, there)
    total = there + gone.sum(axis=1)
    return np.asarray(there / total), np.asarray(gone / total[:, None])


def clocks(world: World, people: People, visits: Visits, who: Array) -> Array:
    """Return customers' operational time: what bad visits, their own and their referrers', left of the seasons."""
    given = world.parameters
    lost = np.zeros((len(who), world.lived_days + 1))
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
