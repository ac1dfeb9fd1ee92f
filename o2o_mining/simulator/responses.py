"""What an offer does to a customer: both potential outcomes of every customer whom a campaign could reach.

A unit is a customer and a campaign, or a customer and a standing coupon taken. One uniform number decides both
outcomes, so the unit's effect is their difference and needs no second world.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, logistic, stream
from o2o_mining.simulator.offers import DOSE, SECOND_DOSE_SHARE, Offers
from o2o_mining.simulator.people import People
from o2o_mining.simulator.places import DECAY_PER_KM, Places
from o2o_mining.simulator.seasons import operational_time
from o2o_mining.simulator.world import World

# By response type: log odds of an occasion without the offer, and what a full dose of it adds.
OCCASION_LOGIT = np.array([-4.2, 0.6, -5.5, -1.5])
OFFER_LOGIT = np.array([3.0, 0.0, 0.0, -1.8])
DISCOUNT_SLOPE = 1.2  # a persuadable's lift is times 1 + slope * (share off - 0.3) * (0.5 + price sensitivity)
TASTE_SLOPE, DISTANCE_SLOPE = 0.12, 0.15
READINESS = np.array([-0.4, 1.2, -1.0, 0.6])  # by response type, what the ad platform sees of it
LEFT_PENALTY = 3.5
REACH = -0.1  # log odds of exposure at readiness 0
NO_ARM, TREATMENT, CONTROL = 0, 1, 2


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
    """Draw the units of all campaigns, in order, and of the standing coupons."""
    parts = [_campaign(world, places, people, offers, number) for number in range(offers.campaigns)]
    parts.append(_standing(world, places, people, offers))
    return Units(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Units)})


def _campaign(world: World, places: Places, people: People, offers: Offers, number: int) -> Units:
    chance = stream(world.seed, f"campaign {number}")
    merchant, start = offers.merchant[number], offers.start[number]
    who = np.flatnonzero((people.city == places.merchant_city[merchant]) & (people.joined < start))
    readiness = _readiness(people, who, start)
    bias = world.parameters.targeting_bias
    reached = chance.random(len(who)) < logistic(REACH + bias * readiness)
    coin = chance.random(len(who)) < 0.5
    arm = np.where(reached & offers.randomised[number], np.where(coin, TREATMENT, CONTROL), NO_ARM)
    return _outcomes(
        world, places, people, offers, chance, coupon=np.full(len(who), number), customer=who,
        store=places.nearest_store(merchant)[people.block[who]], start=np.full(len(who), start),
        arm=arm, exposed=reached & (arm != CONTROL),
    )  # fmt: skip


def _readiness(people: People, who: Array, at: int) -> Array:
    """Return how ready customers look to buy anyway: their rate, their type, and whether they are still there."""
    pace = np.log(people.rate[who] / people.rate_mean[who] + 0.05)
    gone = ~people.alive(who, np.full(len(who), at))
    return np.asarray(0.5 * pace + READINESS[people.response_type[who]] - LEFT_PENALTY * gone)


def _standing(world: World, places: Places, people: People, offers: Offers) -> Units:
    """Draw who takes which merchant's standing coupon: a Poisson process while alive, stores chosen as for a visit."""
    chance = stream(world.seed, "standing coupons")
    begin = np.maximum(people.first_visit, 0)
    stop = np.minimum(people.left, world.days * DAY)
    mean = world.parameters.receipts_per_month / 30.0 * np.maximum(stop - begin, 0) / DAY
    count = chance.poisson(mean)
    who = np.repeat(np.arange(world.customers), count)
    start = (begin[who] + chance.random(len(who)) * (stop - begin)[who]).astype(np.int64)
    category = (chance.random(len(who))[:, None] > np.cumsum(people.tastes[who], axis=1)).sum(axis=1).clip(0, 7)
    store = places.choose_open_stores(chance, people.block[who], category, start)
    return _outcomes(
        world, places, people, offers, chance, coupon=offers.campaigns + places.store_merchant[store], customer=who,
        store=store, start=start, arm=np.zeros(len(who), dtype=np.int64), exposed=np.ones(len(who), dtype=bool),
    )  # fmt: skip


def _outcomes(
    world: World, places: Places, people: People, offers: Offers, chance: np.random.Generator, *,
    coupon: Array, customer: Array, store: Array, start: Array, arm: Array, exposed: Array,
) -> Units:  # fmt: skip
    count, kind = len(customer), people.response_type[customer]
    category = places.merchant_category[offers.merchant[coupon]]
    distance = places.distance_km[people.block[customer], store]
    taste = np.log(np.maximum(people.tastes[customer, category], 0.02) / 0.125)
    base = OCCASION_LOGIT[kind] + TASTE_SLOPE * taste - DISTANCE_SLOPE * DECAY_PER_KM[category] * distance
    deal = 1 + DISCOUNT_SLOPE * (offers.share[coupon] - 0.3) * (0.5 + people.sensitivity[customer])
    lift = world.parameters.effect * OFFER_LOGIT[kind] * np.where(OFFER_LOGIT[kind] > 0, deal, 1.0)
    campaign = np.minimum(coupon, offers.campaigns - 1)
    from_campaign = coupon < offers.campaigns
    main = np.where(from_campaign, DOSE[offers.main[campaign]], 1.0)
    second = from_campaign & (chance.random(count) < 0.4)
    more = np.where(second, DOSE[offers.second[campaign]] * SECOND_DOSE_SHARE, 0.0)
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
        coupon=coupon, customer=customer, store=store, distance_m=np.round(distance * 1000), start=start, at=at,
        arm=arm, exposed=exposed, second=second, p0=p0 * stays, p1=p1 * stays, y0=y0, y1=y1,
        y_no_main=alive & (u < chance_at(more)), y_no_second=alive & (u < chance_at(main)),
        y=np.where(exposed, y1, y0),
    )  # fmt: skip


def expected_rate(world: World, people: People) -> Array:
    """Return how many own visits each customer is expected to make after the first, were no visit ever bad."""
    clock = operational_time(world)
    first = np.clip(people.first_visit // DAY + 1, 0, world.days)
    last = np.clip(people.left // DAY, 0, world.days)
    return np.asarray(people.rate * np.maximum(clock[last] - clock[first], 0.0))
