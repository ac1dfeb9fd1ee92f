"""The customers: what the feeds show of them, and the hidden states behind all they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.places import CATEGORY_SHARES, Places
from o2o_mining.simulator.seasons import seconds_of_day
from o2o_mining.simulator.world import START, World

TYPES = ("persuadable", "sure_thing", "lost_cause", "put_off")


@dataclass(frozen=True)
class People:
    """Arrays over customers. Visible: block to referrer. Hidden: rate to one_time. Times are seconds from the start."""

    block: Array
    city: Array
    joined: Array
    birth_year: Array
    gender: Array
    referrer: Array
    rate_mean: Array
    type_prior: Array
    rate: Array
    tastes: Array
    sensitivity: Array
    response_type: Array
    left: Array
    first_visit: Array
    one_time: Array

    def alive(self, who: Array, at: Array) -> Array:
        """Return whether customers have joined and not left."""
        return np.asarray((self.joined[who] <= at) & (at < self.left[who]))


def build_people(world: World, places: Places) -> People:
    """Draw the customers of a world."""
    count, given = world.customers, world.parameters
    seen = stream(world.seed, "people seen")
    block = seen.choice(len(places.block_city), count, p=places.block_weight)
    before = seen.random(count) < given.joined_before_share
    joined_day = np.where(before, seen.uniform(-365, 0, count), seen.uniform(0, 0.97 * world.days, count))
    joined = np.sort((joined_day * DAY).astype(np.int64))
    age = np.clip(seen.normal(38, 12, count), 18, 80)
    birth_year = START.year - age.astype(np.int64)
    gender = seen.choice(3, count, p=[0.54, 0.44, 0.02])
    referrer = _referrers(seen, given.referred_share, joined)
    # Ages as the feeds show them, in whole years, are what the priors depend on.
    years = (START.year - birth_year - 38) / 12
    out = (places.block_out_km[block] - 4) / 2
    rate_mean = given.visits_per_month / 30.0 * np.exp(0.25 * years - 0.03)
    prior = _type_prior(world, years, out)
    hidden = stream(world.seed, "people hidden")
    rate = hidden.gamma(given.rate_shape, 1.0, count) * rate_mean / given.rate_shape
    tastes = hidden.standard_gamma(given.taste_concentration * CATEGORY_SHARES, (count, len(CATEGORY_SHARES)))
    tastes = np.maximum(tastes, 1e-12)
    response_type = (hidden.random(count)[:, None] > np.cumsum(prior, axis=1)).sum(axis=1).clip(0, 3)
    first_day = joined // DAY + hidden.exponential(2.0, count).astype(np.int64)
    first_visit = np.maximum(first_day * DAY + seconds_of_day(hidden.random(count)), joined)
    life = np.where(one_time := hidden.random(count) < given.one_time_share, 0.0, hidden.exponential(1.0, count))
    return People(
        block=block,
        city=places.block_city[block],
        joined=joined,
        birth_year=birth_year,
        gender=gender,
        referrer=referrer,
        rate_mean=rate_mean,
        type_prior=prior,
        rate=rate,
        tastes=tastes / tastes.sum(axis=1, keepdims=True),
        sensitivity=hidden.beta(2.0, 2.0, count),
        response_type=response_type,
        left=(first_day + 1 + np.floor(life * given.mean_life_days).astype(np.int64)) * DAY,
        first_visit=first_visit,
        one_time=one_time,
    )


def _referrers(chance: np.random.Generator, share: float, joined: Array) -> Array:
    """Draw who brought whom: somebody who had joined before; -1 for nobody. Customers stand in the order of joining."""
    place = np.arange(len(joined))
    friend = (chance.random(len(joined)) * place).astype(np.int64)
    brought = (chance.random(len(joined)) < share) & (joined[friend] < joined) & (joined >= 0)
    return np.asarray(np.where(brought, friend, -1))


def _type_prior(world: World, years: Array, out: Array) -> Array:
    """Return the softmax of observables by which the response type is drawn, shape (customers, types)."""
    if world.parameters.only_type:
        only = np.array([float(name == world.parameters.only_type) for name in TYPES])
        return np.tile(only, (len(years), 1))
    score = world.parameters.type_sharpness * np.stack(
        [-0.8 * years + 0.1, 0.9 * years, 0.9 * out - 0.3, -0.9 * out - 0.9], axis=1
    )
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
