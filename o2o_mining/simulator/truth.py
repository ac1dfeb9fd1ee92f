"""The truth tables: the hidden states, both outcomes of every unit, and what was planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_mining.simulator.baskets import PAIRS, PRODUCTS, TRIPLE
from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.columns import dates, ids, moments, values, words
from o2o_mining.simulator.history import History
from o2o_mining.simulator.observable import alive_at
from o2o_mining.simulator.offers import CHANNELS, WINDOW_DAYS
from o2o_mining.simulator.people import TYPES
from o2o_mining.simulator.places import CATEGORIES, CATEGORY_SHARES, CITIES, DECAY_PER_KM
from o2o_mining.simulator.visits import own_visits_within
from o2o_mining.simulator.world import World

ARMS = ("none", "treatment", "control")
CATCHMENTS = (0.5, 0.8)


def truth_tables(history: History) -> Iterator[tuple[str, Any]]:
    """Give name and table of everything that no feed shows."""
    yield "parameters", _parameters(history.world)
    yield "customer_states", _customers(history)
    yield "alive_probabilities", _alive(history)
    yield "receipt_probabilities", _receipts(history)
    yield "campaign_effects", _effects(history)
    yield "channel_increments", _channels(history)
    yield "store_catchments_true", _stores(history)
    yield "merchant_gaps", _gaps(history)
    yield "planted_affinities", _affinities(history.world)


def _parameters(world: World) -> Any:
    numbers = {
        "customers": world.customers, "days": world.days, "scenario": world.scenario, "seed": world.seed,
    } | asdict(world.parameters)  # fmt: skip
    return pa.table({"parameter": list(numbers), "value": [str(value) for value in numbers.values()]})


def _customers(history: History) -> Any:
    people = history.people
    known = np.flatnonzero(people.joined < history.world.days * DAY)
    tastes = {f"taste_{name}": values(people.tastes[known, n]) for n, name in enumerate(CATEGORIES)}
    priors = {f"prior_{name}": values(people.type_prior[known, n]) for n, name in enumerate(TYPES)}
    return pa.table({
        "customer_id": ids("c", known), "rate_per_day": values(people.rate[known]),
        "rate_prior_mean": values(people.rate_mean[known]), **tastes,
        "price_sensitivity": values(people.sensitivity[known]),
        "response_type": words(TYPES, people.response_type[known]), **priors,
        "first_visit_at": moments(people.first_visit[known]), "left_at": moments(people.left[known]),
        "is_one_time": values(people.one_time[known]),
    })  # fmt: skip


def _alive(history: History) -> Any:
    """One row per customer: whether there at the end of the log, and the best that the feeds let anybody say."""
    who, chance = alive_at(history, history.world.days)
    return pa.table({
        "customer_id": ids("c", who), "as_of": dates(np.full(len(who), history.world.days)),
        "is_alive": values(history.people.left[who] >= history.world.days * DAY),
        "p_observable": values(np.round(chance, 6)),
    })  # fmt: skip


def _receipts(history: History) -> Any:
    units = history.units
    unit = np.flatnonzero(history.given_out)
    return pa.table({
        "receipt_id": ids("e", unit), "p_true": values(units.p1[unit]), "p_without": values(units.p0[unit]),
        "redeems": values(units.y1[unit]), "would_come_anyway": values(units.y0[unit]),
    })  # fmt: skip


def _effects(history: History) -> Any:
    units, offers = history.units, history.offers
    merchants = len(history.places.merchant_city)
    merchant, until = offers.merchant[units.coupon], units.start + WINDOW_DAYS * DAY
    own = own_visits_within(history.visits, units, merchant, until, merchants)
    u = np.flatnonzero(units.coupon < offers.campaigns)
    return pa.table({
        "campaign_id": ids("g", units.coupon[u]), "customer_id": ids("c", units.customer[u]),
        "arm": words(ARMS, units.arm[u]), "exposed": values(units.exposed[u]),
        "p0": values(units.p0[u]), "p1": values(units.p1[u]), "uplift": values(units.p1[u] - units.p0[u]),
        "occasion0": values(units.y0[u]), "occasion1": values(units.y1[u]), "own_visits": values(own[u]),
        "y0": values(units.y0[u] | (own[u] > 0)), "y1": values(units.y1[u] | (own[u] > 0)),
    })  # fmt: skip


def _channels(history: History) -> Any:
    """One row per campaign and channel: what would be lost had the channel alone been silent."""
    units, offers = history.units, history.offers
    reached = units.exposed & (units.coupon < offers.campaigns)
    count = offers.campaigns

    def per_campaign(chosen: Array, weight: Array) -> Array:
        return np.bincount(units.coupon[chosen], weights=weight[chosen].astype(float), minlength=count)

    again = reached & units.second
    number = np.arange(count)
    of_main = per_campaign(reached, units.y1.astype(np.int64) - units.y_no_main)
    of_second = per_campaign(again, units.y1.astype(np.int64) - units.y_no_second)
    together = per_campaign(reached, units.y1.astype(np.int64) - units.y0)
    ones = np.ones(len(units.coupon))
    return pa.table({
        "campaign_id": ids("g", np.tile(number, 2)),
        "channel": words(CHANNELS, np.concatenate([offers.main, offers.second])),
        "is_main": values(np.repeat([True, False], count)),
        "customers": values(np.concatenate([per_campaign(reached, ones), per_campaign(again, ones)]).astype(np.int64)),
        "incremental_conversions": values(np.concatenate([of_main, of_second])),
        "campaign_incremental_conversions": values(np.tile(together, 2)),
    })  # fmt: skip


def _stores(history: History) -> Any:
    """One row per store: its decay, and the radius that holds a share of its expected visits."""
    places = history.places
    stores = np.arange(len(places.store_merchant))
    category = places.merchant_category[places.store_merchant]
    city = places.merchant_city[places.store_merchant]
    radius: Array = np.zeros((len(CATCHMENTS), len(stores)))
    for c in range(len(CITIES)):
        blocks = np.flatnonzero(places.block_city == c)
        for g in range(len(CATEGORIES)):
            here = np.flatnonzero((city == c) & (category == g))
            expected = places.shares(blocks, here) * places.block_weight[blocks, None]
            for column, store in enumerate(here):
                distance = places.distance_km[blocks, store]
                order = np.argsort(distance, kind="stable")
                inside = np.cumsum(expected[order, column]) / expected[:, column].sum()
                for row, share in enumerate(CATCHMENTS):
                    radius[row, store] = distance[order][np.searchsorted(inside, share)]
    return pa.table({
        "store_id": ids("s", stores), "decay_per_km": values(DECAY_PER_KM[category]),
        "pull": values(places.store_pull), "catchment_50_m": values(np.round(radius[0] * 1000)),
        "catchment_80_m": values(np.round(radius[1] * 1000)),
        "category_share": values(CATEGORY_SHARES[category]),
    })  # fmt: skip


def _gaps(history: History) -> Any:
    """One row per merchant and day from which its gap holds until the next row."""
    places, gap = history.places, history.world.parameters.gap_min
    merchant = np.arange(len(places.merchant_city))
    always = places.merchant_bad_from < 0
    turns = merchant[(places.merchant_bad_from >= 0) & (places.merchant_bad_from < history.world.days * DAY)]
    return pa.table({
        "merchant_id": ids("m", np.concatenate([merchant, turns])),
        "from_on": dates(np.concatenate([np.zeros(len(merchant)), places.merchant_bad_from[turns] // DAY])),
        "gap_min": values(np.concatenate([np.where(always, gap, 0.0), np.full(len(turns), gap)])),
    })  # fmt: skip


def _affinities(world: World) -> Any:
    chance = world.parameters.affinity
    rules = [*(((a,), b) for a, b in PAIRS), (TRIPLE[:2], TRIPLE[2])] if chance else []
    rows = [
        (name, " + ".join(f"p{g * PRODUCTS + a}" for a in need), f"p{g * PRODUCTS + b}", chance)
        for g, name in enumerate(CATEGORIES)
        for need, b in rules
    ]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    kinds = (pa.string(), pa.string(), pa.string(), pa.float64())
    names = ("category", "antecedent", "consequent", "chance_added")
    return pa.table({n: pa.array(list(c), k) for n, c, k in zip(names, columns, kinds, strict=True)})
