"""Every visit: the customers' own, as a Poisson process on the clock of the seasons, and the occasions of offers."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, running, stream
from o2o_mining.simulator.people import People
from o2o_mining.simulator.places import Places
from o2o_mining.simulator.responses import Units, choose_categories
from o2o_mining.simulator.seasons import operational_time, seconds_of_day
from o2o_mining.simulator.service import serve
from o2o_mining.simulator.world import World

WALK_IN, IN_STORE, RESERVATION, DELIVERY = range(4)
KIND_SHARES = (0.42, 0.28, 0.14, 0.16)
NO_SHOW_SHARE = 0.08
SHIFT = 2**31  # more than the seconds of any world


@dataclass(frozen=True)
class Visits:
    """Arrays over visits, by customer and time. ``unit`` is the offer's unit, or -1 for a visit of one's own."""

    customer: Array
    at: Array
    store: Array
    merchant: Array
    unit: Array
    kind: Array
    no_show: Array
    waited_min: Array
    bad: Array

    def __len__(self) -> int:
        return len(self.customer)


def build_visits(world: World, places: Places, people: People, units: Units) -> Visits:
    """Draw all visits, and keep of the customers' own those that bad visits before did not deter."""
    every, uniform = draw_visits(world, places, people, units)
    kept = undeterred(world, people, every, uniform)
    return Visits(**{f.name: getattr(every, f.name)[kept] for f in fields(Visits)})


def draw_visits(world: World, places: Places, people: People, units: Units) -> tuple[Visits, Array]:
    """Draw all visits there would be if bad ones deterred nobody, and the number of each that decides whether it is."""
    customer, at, store = _own_candidates(world, places, people)
    happened = np.flatnonzero(units.y & (units.at < world.lived_days * DAY))
    unit = np.concatenate([np.full(len(customer), -1), happened])
    customer = np.concatenate([customer, units.customer[happened]])
    at = np.concatenate([at, units.at[happened]])
    store = np.concatenate([store, units.store[happened]])
    order = np.lexsort((unit, at, customer))
    customer, at, store, unit = customer[order], at[order], store[order], unit[order]
    chance = stream(world.seed, "visits")
    kind = chance.choice(4, len(customer), p=KIND_SHARES)
    kind[people.ring[customer] >= 0] = WALK_IN
    no_show = (kind == RESERVATION) & (unit < 0) & (chance.random(len(customer)) < NO_SHOW_SHARE)
    merchant = places.store_merchant[store]
    waited, bad = serve(world, places, merchant, at)
    bad &= (kind != DELIVERY) & ~no_show
    return Visits(customer, at, store, merchant, unit, kind, no_show, waited, bad), chance.random(len(customer))


def _own_candidates(world: World, places: Places, people: People) -> tuple[Array, Array, Array]:
    chance = stream(world.seed, "own visits")
    clock = operational_time(world)
    begin = clock[np.clip(people.first_visit // DAY + 1, 0, world.lived_days)]
    stop = clock[np.clip(people.left // DAY, 0, world.lived_days)]
    count = chance.poisson(people.rate * np.maximum(stop - begin, 0.0))
    who = np.repeat(np.arange(world.customers), count)
    reading = begin[who] + chance.random(len(who)) * (stop - begin)[who]
    day = np.clip(np.searchsorted(clock, reading, side="right") - 1, 0, world.lived_days - 1)
    at = day * DAY + seconds_of_day(chance.random(len(who)))
    seen = (people.first_visit >= 0) & (people.first_visit < world.lived_days * DAY) & (people.ring < 0)
    first = np.flatnonzero(seen)
    who = np.concatenate([who, first])
    at = np.concatenate([at, people.first_visit[first]])
    category = choose_categories(chance, people.lifestyle[who])
    return who, at, places.choose_open_stores(chance, people.block[who], category, at)


def undeterred(world: World, people: People, every: Visits, uniform: Array) -> Array:
    """Return which visits are left: own ones are thinned by ``exp(-effect * bad visits before)``.

    Those of the referrer count in part. A visit depends on earlier ones alone, so going over all of them until nothing
    changes settles them in time order.
    """
    given = world.parameters
    referrer = people.referrer[every.customer]
    place = every.customer.astype(np.int64) * SHIFT
    of_friend = np.where(referrer >= 0, referrer, 0).astype(np.int64) * SHIFT
    first = running(np.bincount(every.customer, minlength=world.customers)) == 0
    always = (every.unit >= 0) | first
    kept = np.ones(len(every), dtype=bool)
    while True:
        bad = place[every.bad & kept] + every.at[every.bad & kept]
        own = np.searchsorted(bad, place + every.at) - np.searchsorted(bad, place)
        heard = np.searchsorted(bad, of_friend + every.at) - np.searchsorted(bad, of_friend)
        burden = own + given.friend_effect_share * np.where(referrer >= 0, heard, 0)
        now = always | (uniform < np.exp(-given.bad_visit_effect * burden))
        if np.array_equal(now, kept):
            return kept
        kept = now


def own_visits_within(visits: Visits, units: Units, merchant: Array, until: Array, merchants: int) -> Array:
    """Return for each unit how many own visits its customer made to its merchant from its start until a moment."""
    own = visits.unit < 0
    keys = (visits.customer[own].astype(np.int64) * merchants + visits.merchant[own]) * SHIFT + visits.at[own]
    keys.sort()
    place = (units.customer.astype(np.int64) * merchants + merchant) * SHIFT
    return np.asarray(np.searchsorted(keys, place + until) - np.searchsorted(keys, place + units.start))
