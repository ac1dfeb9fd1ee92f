"""What an offer does to a customer: both potential outcomes of every customer whom a campaign could reach.

A unit is a customer and a campaign, or a customer and a standing coupon taken. One uniform number decides both
outcomes, so the unit's effect is their difference and needs no second world.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, logistic, stream
from o2o_mining.simulator.offers import DOSE, SECOND_DOSE_SHARE, Offers
from o2o_mining.simulator.people import SENSITIVITIES, TASTES, People
from o2o_mining.simulator.places import DECAY_PER_KM, Places
from o2o_mining.simulator.world import World

# By response type: log odds of an occasion without the offer, and what a full dose of it adds.
OCCASION_LOGIT = np.array([-3.8, 0.7, -5.5, -1.5])
OFFER_LOGIT = np.array([4.0, 0.0, 0.0, -1.8])
DISCOUNT_SLOPE = 0.5  # a persuadable's lift is times 1 + slope * (share off - 0.3) * (0.5 + price sensitivity)
TASTE_SLOPE, DISTANCE_SLOPE = 0.12, 0.5
READINESS = np.array([-0.4, 1.2, -1.0, 0.6])  # by response type, what the ad platform sees of it
LEFT_PENALTY = 1.0
REACH = -0.1  # log odds of exposure at readiness 0
SECOND_SHARE = 0.4  # of the units get a contact over the campaign's second channel too
NO_ARM, TREATMENT, CONTROL = 0, 1, 2
RECEIPT_SECONDS = 10_800  # within how long of its start an offer arrives
RING_PAUSE_DAYS, RING_ROUNDS = 12, 8  # how often an account of a ring takes its coupon


@dataclass(frozen=True)
class Units:
    """Arrays over units. Outcomes are occasions: a visit to the coupon's merchant beside the customer's own visits.

    ``p0, p1`` are probabilities given all hidden states; ``y0, y1`` the outcomes without and with the offer as the
    unit would get it; ``y_no_main, y_no_second`` with one channel left out; ``y`` what happened.
    """

    coupon: Array
    customer: Array
    store: Array
    distance_m: Array
    start: Array
    received_at: Array
    at: Array
    arm: Array
    exposed: Array
    second: Array
    p0: Array
    p1: Array
    y0: Array
    y1: Array
    y_no_main: Array
    y_no_second: Array
    y: Array


def respond(world: World, places: Places, people: People, offers: Offers) -> Units:
    """Draw the units of all campaigns, in order, of the standing coupons, and of the rings."""
    parts = [_campaign(world, places, people, offers, number) for number in range(offers.campaigns)]
    parts += [_standing(world, places, people, offers), _rings(world, places, people, offers)]
    return Units(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Units)})


def chance_of_reach(world: World, response_type: Array, left: Array) -> Array:
    """Return with which probability a campaign's ads go to somebody: rather to those who would come anyway."""
    return logistic(REACH + world.parameters.targeting_bias * (READINESS[response_type] - LEFT_PENALTY * left))


def log_odds(
    world: World,
    response_type: Array,
    lifestyle: Array,
    sensitivity: Array,
    *,
    category: Array,
    km: Array,
    share: Array,
) -> tuple[Array, Array]:
    """Return the log odds of an occasion without the offer, and what a full dose of it adds; arrays broadcast.

    ``share`` is what the coupon takes off, ``km`` the way to the merchant's store.
    """
    taste = np.log(np.maximum(TASTES[lifestyle, category], 0.02) / 0.125)
    base = OCCASION_LOGIT[response_type] + TASTE_SLOPE * taste - DISTANCE_SLOPE * DECAY_PER_KM[category] * km
    deal = 1 + DISCOUNT_SLOPE * (share - 0.3) * (0.5 + SENSITIVITIES[sensitivity])
    full = OFFER_LOGIT[response_type]
    return base, world.parameters.effect * full * np.where(full > 0, deal, 1.0)


def doses(offers: Offers, coupon: Array) -> tuple[Array, Array]:
    """Return the dose of a coupon's main channel, and what its second adds: 1 and 0 for a standing coupon."""
    campaign = np.minimum(coupon, offers.campaigns - 1)
    paid = coupon < offers.campaigns
    return (
        np.where(paid, DOSE[offers.main[campaign]], 1.0),
        np.where(paid, DOSE[offers.second[campaign]] * SECOND_DOSE_SHARE, 0.0),
    )


def _campaign(world: World, places: Places, people: People, offers: Offers, number: int) -> Units:
    chance = stream(world.seed, f"campaign {number}")
    merchant, start = offers.merchant[number], offers.start[number]
    here = (people.city == places.merchant_city[merchant]) & (people.joined < start) & (people.ring < 0)
    who = np.flatnonzero(here)
    gone = ~people.alive(who, np.full(len(who), start))
    reached = chance.random(len(who)) < chance_of_reach(world, people.response_type[who], gone)
    coin = chance.random(len(who)) < 0.5
    arm = np.where(reached & offers.randomised[number], np.where(coin, TREATMENT, CONTROL), NO_ARM)
    return _outcomes(
        world, places, people, offers, chance, coupon=np.full(len(who), number), customer=who,
        store=places.nearest_store(merchant)[people.block[who]], start=np.full(len(who), start),
        arm=arm, exposed=reached & (arm != CONTROL),
    )  # fmt: skip


def _standing(world: World, places: Places, people: People, offers: Offers) -> Units:
    """Draw who takes which merchant's standing coupon: a Poisson process while alive, stores chosen as for a visit."""
    chance = stream(world.seed, "standing coupons")
    begin = np.maximum(people.first_visit, 0)
    stop = np.minimum(people.left, world.lived_days * DAY)
    mean = world.parameters.receipts_per_month / 30.0 * np.maximum(stop - begin, 0) / DAY
    count = chance.poisson(np.where(people.ring < 0, mean, 0.0))
    who = np.repeat(np.arange(world.customers), count)
    start = (begin[who] + chance.random(len(who)) * (stop - begin)[who]).astype(np.int64)
    category = choose_categories(chance, people.lifestyle[who])
    store = places.choose_open_stores(chance, people.block[who], category, start)
    return _taken(world, places, people, offers, chance, customer=who, store=store, start=start)


def _rings(world: World, places: Places, people: People, offers: Offers) -> Units:
    """Draw what rings do: every account takes one merchant's coupon again and again and uses it within minutes."""
    chance = stream(world.seed, "rings")
    accounts = np.flatnonzero(people.ring >= 0)
    rings = people.ring.max(initial=-1) + 1
    # Each ring is served at one store of its city.
    city = places.merchant_city[places.store_merchant]
    old = places.merchant_opened[places.store_merchant] < 0
    home = np.zeros(rings, dtype=np.int64)
    home[people.ring[accounts]] = people.city[accounts]
    shop = np.array([chance.choice(np.flatnonzero((city == c) & old)) for c in home], dtype=np.int64)
    who = np.repeat(accounts, RING_ROUNDS)
    rounds = np.tile(np.arange(RING_ROUNDS), len(accounts)) * RING_PAUSE_DAYS
    start = people.joined[who] + ((rounds + 4 + chance.random(len(who))) * DAY).astype(np.int64)
    drawn = _taken(world, places, people, offers, chance, customer=who, store=shop[people.ring[who]], start=start)
    sure, minutes = np.ones(len(who)), chance.integers(2, 20, len(who)) * 60
    yes = sure > 0
    return replace(
        drawn, received_at=start, at=start + minutes, p0=0 * sure, p1=sure, y0=~yes, y1=yes, y=yes,
        y_no_main=~yes, y_no_second=yes,
    )  # fmt: skip


def choose_categories(chance: np.random.Generator, lifestyle: Array) -> Array:
    """Draw a category each by the tastes of a lifestyle."""
    cumulative = np.cumsum(TASTES, axis=1)[lifestyle, :-1]
    return np.asarray((chance.random(len(lifestyle))[:, None] > cumulative).sum(axis=1))


def _taken(
    world: World, places: Places, people: People, offers: Offers, chance: np.random.Generator, *,
    customer: Array, store: Array, start: Array,
) -> Units:  # fmt: skip
    return _outcomes(
        world, places, people, offers, chance, coupon=offers.campaigns + places.store_merchant[store],
        customer=customer, store=store, start=start, arm=np.full(len(customer), NO_ARM),
        exposed=np.ones(len(customer), dtype=bool),
    )  # fmt: skip


def _outcomes(
    world: World, places: Places, people: People, offers: Offers, chance: np.random.Generator, *,
    coupon: Array, customer: Array, store: Array, start: Array, arm: Array, exposed: Array,
) -> Units:  # fmt: skip
    count = len(customer)
    distance = places.distance_km[people.block[customer], store]
    base, lift = log_odds(
        world, people.response_type[customer], people.lifestyle[customer], people.sensitivity[customer],
        category=places.merchant_category[offers.merchant[coupon]], km=distance, share=offers.share[coupon],
    )  # fmt: skip
    main, extra = doses(offers, coupon)
    second = (coupon < offers.campaigns) & (chance.random(count) < SECOND_SHARE)
    more = np.where(second, extra, 0.0)
    days = offers.valid_days[coupon] - 1
    at = start + ((1 + chance.random(count) * (days - 1)) * DAY).astype(np.int64)
    # Leaving ends the habit; some offers still reach those who left.
    share = world.parameters.response_after_leaving
    u, alive = chance.random(count), people.alive(customer, at) | (chance.random(count) < share)
    stays = np.clip(((people.left[customer] - start) / DAY - 1) / (days - 1), 0.0, 1.0)
    stays = share + (1 - share) * stays

    def chance_at(dose: Array) -> Array:
        return logistic(base + lift * dose)

    none = np.zeros(count)
    p0, p1 = chance_at(none), chance_at(main + more)
    y0, y1 = alive & (u < p0), alive & (u < p1)
    return Units(
        coupon=coupon, customer=customer, store=store, distance_m=np.round(distance * 1000), start=start,
        received_at=start + (chance.random(count) * RECEIPT_SECONDS).astype(np.int64), at=at,
        arm=arm, exposed=exposed, second=second, p0=p0 * stays, p1=p1 * stays, y0=y0, y1=y1,
        y_no_main=alive & (u < chance_at(more)), y_no_second=alive & (u < chance_at(main)),
        y=np.where(exposed, y1, y0),
    )  # fmt: skip
