"""The truth tables: the hidden states, both outcomes of every unit, what was planted, and what became of everybody.

Beside what is true stands, where estimates are compared with it, what is observable: the best that the feeds allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_mining.simulator.baskets import PAIRS, PRODUCTS, SEQUENCE_DAYS, SEQUENCES, TRIPLE
from o2o_mining.simulator.beliefs import Evidence, collect
from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.columns import dates, ids, moments, money, values, words
from o2o_mining.simulator.demand import demand_after
from o2o_mining.simulator.future import foretell
from o2o_mining.simulator.harm import bad_visits
from o2o_mining.simulator.history import History
from o2o_mining.simulator.offers import CHANNELS, CONTACT_COST, WINDOW_DAYS, known_coupons
from o2o_mining.simulator.outlook import foresee, recent
from o2o_mining.simulator.people import LIFESTYLE_SHARES, LIFESTYLES, SENSITIVITIES, TASTES, TYPES
from o2o_mining.simulator.places import CATEGORIES, CITIES, DECAY_PER_KM
from o2o_mining.simulator.visits import own_visits_within
from o2o_mining.simulator.world import AFTERMATH_DAYS, World
from o2o_mining.simulator.worth import Worth, expected_worth

OBSERVED = 100_000  # in larger worlds so many customers get observable probabilities
ARMS = ("none", "treatment", "control")
CATCHMENTS = (0.5, 0.8)


def truth_tables(history: History) -> Iterator[tuple[str, Any]]:
    """Give name and table of everything that no feed shows."""
    yield "parameters", _parameters(history.world)
    yield "customer_states", _customers(history)
    evidence, worth = collect(history), expected_worth(history.world, history.places, history.offers)
    yield "customer_outlook", _outlook(history, evidence, worth)
    yield "receipt_probabilities", _receipts(history, evidence)
    yield "campaign_effects", _effects(history, evidence)
    yield "offer_values", _offer_values(history, worth)
    yield "channel_increments", _channels(history)
    yield "store_catchments_true", _stores(history)
    yield "merchant_gaps", _gaps(history)
    yield "bad_visits", bad_visits(history)
    yield "planted_affinities", _affinities(history.world)
    yield "demand_truth", demand_after(history)


def _parameters(world: World) -> Any:
    numbers = {
        "customers": world.customers, "days": world.days, "scenario": world.scenario, "seed": world.seed,
    } | asdict(world.parameters)  # fmt: skip
    return pa.table({"parameter": list(numbers), "value": [str(value) for value in numbers.values()]})


def _customers(history: History) -> Any:
    people = history.people
    known = np.flatnonzero(people.joined < history.world.days * DAY)
    priors = {f"prior_{name}": _rounded(people.type_prior[known, n]) for n, name in enumerate(TYPES)}
    return pa.table({
        "customer_id": ids("c", known), "rate_per_day": _rounded(people.rate[known]),
        "rate_prior_mean": _rounded(people.rate_mean[known]),
        "lifestyle": words(LIFESTYLES, people.lifestyle[known]),
        "price_sensitivity": values(SENSITIVITIES[people.sensitivity[known]]),
        "response_type": words(TYPES, people.response_type[known]), **priors,
        "first_visit_at": moments(people.first_visit[known]), "left_at": moments(people.left[known]),
        "is_one_time": values(people.one_time[known]),
        "fraud_ring": values(people.ring[known], missing=people.ring[known] < 0),
    })  # fmt: skip


def _observed(history: History) -> Array:
    """Return which customers get observable probabilities: all but rings, evenly thinned in large worlds."""
    people, world = history.people, history.world
    step = -(-world.customers // OBSERVED)
    number = np.arange(world.customers)
    return np.asarray((number % step == 0) & (people.ring < 0) & (people.joined < world.days * DAY))


def _outlook(history: History, evidence: Evidence, worth: Worth) -> Any:
    """One row per customer: whether there at the end of the log, what follows, and the best forecast of both."""
    world, visits = history.world, history.visits
    who = np.flatnonzero(_observed(history))
    end, horizon = world.days * DAY, world.lived_days * DAY
    future = foretell(history, evidence, worth, who)
    later = (history.bought_at >= end) & (history.bought_at < horizon) & ~visits.no_show
    net = np.where(history.refunded, 0, history.baskets.total - history.discount)

    def per_customer(weight: Array) -> Array:
        return np.bincount(visits.customer[later], weights=weight[later], minlength=world.customers)[who]

    return pa.table({
        "customer_id": ids("c", who), "as_of": dates(np.full(len(who), world.days)),
        "horizon_days": values(np.full(len(who), AFTERMATH_DAYS)),
        "is_there": values(history.people.left[who] >= end), "p_there_observable": _rounded(future.still_there),
        "purchases": values(per_customer(np.ones(len(visits))).astype(np.int64)),
        "p_no_purchase_observable": _rounded(future.no_purchase),
        "purchases_observable": _rounded(future.purchases),
        "net_amount": money(per_customer(net).astype(np.int64)), "net_amount_observable": _rounded(future.value / 100),
    })  # fmt: skip


def _receipts(history: History, evidence: Evidence) -> Any:
    units = history.units
    unit = np.flatnonzero(history.given_out & (history.people.ring[units.customer] < 0))
    known = np.flatnonzero((recent(history) & _observed(history)[units.customer])[unit])
    forecast = foresee(history, evidence, unit[known], received=True)
    return pa.table({
        "receipt_id": ids("e", unit), "p_true": _rounded(units.p1[unit]), "p_without": _rounded(units.p0[unit]),
        "redeems": values(units.y1[unit]), "would_come_anyway": values(units.y0[unit]),
        "p_observable": _scattered(forecast.p1, known, len(unit)),
        "p_without_observable": _scattered(forecast.p0, known, len(unit)),
    })  # fmt: skip


def _effects(history: History, evidence: Evidence) -> Any:
    """One row per announced campaign and customer whom it could reach."""
    units, offers = history.units, history.offers
    merchants = len(history.places.merchant_city)
    merchant, until = offers.merchant[units.coupon], units.start + WINDOW_DAYS * DAY
    own = own_visits_within(history.visits, units, merchant, until, merchants)
    u = np.flatnonzero(units.coupon < offers.announced)
    known = np.flatnonzero((recent(history) & _observed(history)[units.customer])[u])
    forecast = foresee(history, evidence, u[known], received=False)
    return pa.table({
        "campaign_id": ids("g", units.coupon[u]), "customer_id": ids("c", units.customer[u]),
        "arm": words(ARMS, units.arm[u]), "exposed": values(units.exposed[u]),
        "p0": _rounded(units.p0[u]), "p1": _rounded(units.p1[u]), "uplift": _rounded(units.p1[u] - units.p0[u]),
        "occasion0": values(units.y0[u]), "occasion1": values(units.y1[u]), "own_visits": values(own[u]),
        "y0": values(units.y0[u] | (own[u] > 0)), "y1": values(units.y1[u] | (own[u] > 0)),
        "p0_observable": _scattered(forecast.p0, known, len(u)),
        "p1_observable": _scattered(forecast.p1, known, len(u)),
    })  # fmt: skip


def _rounded(numbers: Array) -> Any:
    # Six digits: nothing here is known better, and the last bits of sums are the machine's own.
    return values(np.round(numbers, 6))


def _scattered(numbers: Array, place: Array, count: int) -> Any:
    """Return a column that holds numbers at some places and nothing at the others."""
    column, missing = np.zeros(count), np.ones(count, dtype=bool)
    column[place], missing[place] = np.round(numbers, 6), False
    return values(column, missing=missing)


def _offer_values(history: History, worth: Worth) -> Any:
    """One row per coupon: what the merchant's margin on a visit is without it and with it, and what a contact costs."""
    offers, places = history.offers, history.places
    number = known_coupons(offers)
    margin = places.merchant_margin[offers.merchant[number]]
    campaign = np.minimum(number, offers.campaigns - 1)
    contact = np.where(number < offers.campaigns, CONTACT_COST[offers.main[campaign]], 0)

    def units_of_money(hundredths: Array) -> Any:
        return values(np.round(hundredths / 100, 4))

    return pa.table({
        "coupon_id": ids("k", number), "margin_without": units_of_money(worth.without[number] * margin),
        "margin_with": units_of_money(worth.bought[number] * margin),
        "discount": units_of_money(worth.taken_off[number]), "contact_cost": money(contact),
    })  # fmt: skip


def _channels(history: History) -> Any:
    """One row per campaign and channel: what would be lost had the channel alone been silent."""
    units, offers = history.units, history.offers
    reached = units.exposed & (units.coupon < offers.announced)
    # An increment counts when its visit was within the log.
    seen = (units.at < history.world.days * DAY).astype(np.int64)
    count = offers.announced

    def per_campaign(chosen: Array, weight: Array) -> Array:
        return np.bincount(units.coupon[chosen], weights=weight[chosen].astype(float), minlength=count)

    again = reached & units.second
    number = np.arange(count)
    of_main = per_campaign(reached, seen * (units.y1.astype(np.int64) - units.y_no_main))
    of_second = per_campaign(again, seen * (units.y1.astype(np.int64) - units.y_no_second))
    together = per_campaign(reached, seen * (units.y1.astype(np.int64) - units.y0))
    ones = np.ones(len(units.coupon))
    return pa.table({
        "campaign_id": ids("g", np.tile(number, 2)),
        "channel": words(CHANNELS, np.concatenate([offers.main[:count], offers.second[:count]])),
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
        "pull": _rounded(places.store_pull), "catchment_50_m": values(np.round(radius[0] * 1000)),
        "catchment_80_m": values(np.round(radius[1] * 1000)),
        "category_share": _rounded((LIFESTYLE_SHARES @ TASTES)[category]),
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
    together = [*(("basket", (a,), b, None) for a, b in PAIRS), ("basket", TRIPLE[:2], TRIPLE[2], None)]
    rules = [*together, *(("sequence", (a,), b, SEQUENCE_DAYS) for a, b in SEQUENCES)] if chance else []
    rows = [
        (scope, name, " + ".join(f"p{g * PRODUCTS + a}" for a in need), f"p{g * PRODUCTS + b}", chance, days)
        for g, name in enumerate(CATEGORIES)
        for scope, need, b, days in rules
    ]
    columns = list(zip(*rows, strict=True)) or [()] * 6
    kinds = (pa.string(), pa.string(), pa.string(), pa.string(), pa.float64(), pa.int64())
    names = ("scope", "category", "antecedent", "consequent", "chance_added", "within_days")
    return pa.table({n: pa.array(list(c), k) for n, c, k in zip(names, columns, kinds, strict=True)})
