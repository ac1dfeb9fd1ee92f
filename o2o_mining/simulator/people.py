"""The customers: what the feeds show of them, and the hidden states behind all they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.places import Places
from o2o_mining.simulator.seasons import seconds_of_day
from o2o_mining.simulator.world import START, World

TYPES = ("persuadable", "sure_thing", "lost_cause", "put_off")
# Hidden tastes: the shares of restaurant, cafe, hotpot, hair, spa, cinema, fitness, bakery in a customer's visits.
LIFESTYLES = ("diner", "coffee_lover", "groomed", "homely")
LIFESTYLE_SHARES = np.array([0.35, 0.25, 0.2, 0.2])
TASTES = np.array([
    [0.42, 0.08, 0.24, 0.04, 0.02, 0.10, 0.04, 0.06],
    [0.18, 0.42, 0.06, 0.05, 0.04, 0.09, 0.04, 0.12],
    [0.16, 0.12, 0.06, 0.22, 0.18, 0.06, 0.16, 0.04],
    [0.22, 0.12, 0.12, 0.07, 0.03, 0.07, 0.07, 0.30],
])  # fmt: skip
SENSITIVITIES = np.array([0.1, 0.5, 0.9])  # to price: low, middle, high
SENSITIVITY_SHARES = np.array([0.3, 0.4, 0.3])
RING_ACCOUNTS = 10


@dataclass(frozen=True)
class People:
    """Arrays over customers. Visible: block to referrer. Hidden: rate to ring. Times are seconds from the start.

    ``lifestyle`` is a row of TASTES, ``sensitivity`` a place in SENSITIVITIES, ``ring`` -1 for all who are honest.
    """

    block: Array
    city: Array
    joined: Array
    birth_year: Array
    gender: Array
    referrer: Array
    rate_mean: Array
    type_prior: Array
    rate: Array
    lifestyle: Array
    sensitivity: Array
    response_type: Array
    left: Array
    first_visit: Array
    one_time: Array
    ring: Array

    def alive(self, who: Array, at: Array) -> Array:
        """Return whether customers have joined and not left."""
        return np.asarray((self.joined[who] <= at) & (at < self.left[who]))


def build_people(world: World, places: Places) -> People:
    """Draw the customers of a world."""
    count, given = world.customers, world.parameters
    seen = stream(world.seed, "people seen")
    block = seen.choice(len(places.block_city), count, p=places.block_weight)
    joined, ring = _joined(world, seen)
    age = np.clip(seen.normal(38, 12, count), 18, 80)
    birth_year = START.year - age.astype(np.int64)
    gender = seen.choice(3, count, p=[0.54, 0.44, 0.02])
    referrer = _referrers(seen, given.referred_share, joined)
    _conspire(ring, block, referrer)
    # Ages as the feeds show them, in whole years, are what the priors depend on.
    years = (START.year - birth_year - 38) / 12
    out = (places.block_out_km[block] - 4) / 2
    rate_mean = given.visits_per_month / 30.0 * np.exp(0.25 * years - 0.03)
    prior = _type_prior(world, years, out)
    hidden = stream(world.seed, "people hidden")
    rate = hidden.gamma(given.rate_shape, 1.0, count) * rate_mean / given.rate_shape
    lifestyle = hidden.choice(len(LIFESTYLES), count, p=LIFESTYLE_SHARES)
    response_type = (hidden.random(count)[:, None] > np.cumsum(prior, axis=1)).sum(axis=1).clip(0, 3)
    first_day = joined // DAY + hidden.exponential(2.0, count).astype(np.int64)
    first_visit = np.maximum(first_day * DAY + seconds_of_day(hidden.random(count)), joined)
    one_time = (hidden.random(count) < given.one_time_share) | (ring >= 0)
    life = np.where(one_time, 0.0, hidden.exponential(1.0, count))
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
        lifestyle=lifestyle,
        sensitivity=hidden.choice(len(SENSITIVITIES), count, p=SENSITIVITY_SHARES),
        response_type=response_type,
        left=(first_day + 1 + np.floor(life * given.mean_life_days).astype(np.int64)) * DAY,
        first_visit=first_visit,
        one_time=one_time,
        ring=ring,
    )


def _joined(world: World, chance: np.random.Generator) -> tuple[Array, Array]:
    """Draw moments of joining, in order, and which accounts belong to a ring: those of one join within three days."""
    count, given = world.customers, world.parameters
    before = chance.random(count) < given.joined_before_share
    day = np.where(before, chance.uniform(-365, 0, count), chance.uniform(0, 0.97 * world.days, count))
    rings = round(given.fraud_share * count / RING_ACCOUNTS)
    ring = np.full(count, -1)
    ring[: rings * RING_ACCOUNTS] = np.repeat(np.arange(rings), RING_ACCOUNTS)
    begin = chance.uniform(0.1, 0.6, rings) * world.days
    day[ring >= 0] = np.repeat(begin, RING_ACCOUNTS) + chance.uniform(0, 3, rings * RING_ACCOUNTS)
    joined = (day * DAY).astype(np.int64)
    order = np.argsort(joined, kind="stable")
    return joined[order], ring[order]


def _referrers(chance: np.random.Generator, share: float, joined: Array) -> Array:
    """Draw who brought whom: somebody who had joined before; -1 for nobody. Customers stand in the order of joining."""
    place = np.arange(len(joined))
    friend = (chance.random(len(joined)) * place).astype(np.int64)
    brought = (chance.random(len(joined)) < share) & (joined[friend] < joined) & (joined >= 0)
    return np.asarray(np.where(brought, friend, -1))


def _conspire(ring: Array, block: Array, referrer: Array) -> None:
    """Let the accounts of a ring live on one block, each brought by the one that joined before it."""
    referrer[(referrer >= 0) & (ring[referrer] >= 0)] = -1
    for number in range(ring.max(initial=-1) + 1):
        accounts = np.flatnonzero(ring == number)
        block[accounts] = block[accounts[0]]
        referrer[accounts] = np.concatenate([[-1], accounts[:-1]])


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
