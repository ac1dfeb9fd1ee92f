"""What the feeds let anybody believe of a customer at a moment: response type, tastes, and whether there still.

All that is hidden of a person is integrated out in closed form. Response type, price sensitivity and lifestyle take a
few values, here called classes; the rate is gamma and integrates out; moments of leaving are summed up in bins of days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import sparse

from o2o_mining.simulator.chance import DAY, Array, logistic
from o2o_mining.simulator.history import History
from o2o_mining.simulator.leaving import (
    BIN_DAYS,
    clocks,
    leaving_weights,
    moment_keys,
    own_signs,
    signs_of_life,
)  # fmt: skip
from o2o_mining.simulator.people import LIFESTYLE_SHARES, LIFESTYLES, SENSITIVITIES, SENSITIVITY_SHARES, TASTES, TYPES
from o2o_mining.simulator.responses import CONTROL, chance_of_reach, doses, log_odds
from o2o_mining.simulator.visits import SHIFT

# Price sensitivity matters to persuadables alone: the others stand in one class.
CLASSES = np.array([
    (kind, level, style)
    for kind, level, style in product(range(len(TYPES)), range(len(SENSITIVITIES)), range(len(LIFESTYLES)))
    if kind == 0 or level == 0
])  # fmt: skip
TYPE, SENSITIVITY, LIFESTYLE = CLASSES.T
CLASS_SHARE = np.where(TYPE == 0, SENSITIVITY_SHARES[SENSITIVITY], 1.0) * LIFESTYLE_SHARES[LIFESTYLE]
LONGEST = 29  # days from an offer's start to the last on which it can be used
CHUNK = 2048


@dataclass(frozen=True)
class Beliefs:
    """Probabilities that add up to 1 for every row: still there in a class, and gone in a class.

    ``there`` and ``gone`` have shape (n, classes). ``rate`` and ``per`` are the gamma posterior of the rate of somebody
    who is still there: its shape, and its inverse scale on the clock of the seasons.
    """

    there: Array
    gone: Array
    rate: Array
    per: Array


@dataclass(frozen=True)
class Evidence:
    """What beliefs are made from, sorted once for a history: signs of life, tastes shown, and units by customer."""

    signs: tuple[Array, Array]
    taste_keys: Array
    taste_sums: Array
    unit_keys: Array
    units: Array
    seen_at: Array


def collect(history: History) -> Evidence:
    """Sort a history's feeds by customer and time."""
    visits, units, places = history.visits, history.units, history.places
    signs = own_signs(history)
    at_own = np.isin(moment_keys(visits.customer, visits.at), signs[0])
    standing = units.coupon >= history.offers.campaigns
    category = np.concatenate([
        places.merchant_category[visits.merchant[at_own]],
        places.merchant_category[places.store_merchant[units.store[standing]]],
    ])  # fmt: skip
    keys = np.concatenate([
        moment_keys(visits.customer[at_own], visits.at[at_own]),
        moment_keys(units.customer[standing], units.start[standing]),
    ])  # fmt: skip
    order = np.argsort(keys, kind="stable")
    sums = np.concatenate([np.zeros((1, len(LIFESTYLES))), np.cumsum(np.log(TASTES).T[category[order]], axis=0)])
    honest = np.flatnonzero((history.people.ring[units.customer] < 0) & (units.start <= history.world.days * DAY))
    unit_keys = moment_keys(units.customer[honest], units.start[honest])
    by_time = np.argsort(unit_keys, kind="stable")
    return Evidence(signs, keys[order], sums, unit_keys[by_time], honest[by_time], _seen_at(history))


def _seen_at(history: History) -> Array:
    """Return for every unit without a coupon when its customer first came to the merchant while an occasion may be."""
    visits, units, offers = history.visits, history.units, history.offers
    merchants = len(history.places.merchant_city)
    plain = history.coupon < 0
    place = (visits.customer[plain].astype(np.int64) * merchants + visits.merchant[plain]) * SHIFT
    keys = np.sort(place + visits.at[plain])
    wanted = (units.customer.astype(np.int64) * merchants + offers.merchant[units.coupon]) * SHIFT
    begin = np.searchsorted(keys, wanted + units.start + DAY)
    found = keys[np.minimum(begin, len(keys) - 1)] - wanted
    last = units.start + (offers.valid_days[units.coupon] - 1) * DAY
    hit = (begin < len(keys)) & (found >= units.start + DAY) & (found < last) & ~units.exposed
    return np.where(hit, found, np.iinfo(np.int64).max)


def class_odds(history: History, unit: Array, *, second: Array) -> tuple[Array, Array]:
    """Return the chances of an occasion without and with the offer in every class, shape (n, classes) each.

    ``second`` says which units had a contact over the second channel too.
    """
    units, offers, places = history.units, history.offers, history.places
    coupon = units.coupon[unit]
    km = places.distance_km[history.people.block[units.customer[unit]], units.store[unit]]
    category = places.merchant_category[offers.merchant[coupon]]
    base, lift = log_odds(
        history.world, TYPE[None, :], LIFESTYLE[None, :], SENSITIVITY[None, :],
        category=category[:, None], km=km[:, None], share=offers.share[coupon][:, None],
    )  # fmt: skip
    main, extra = doses(offers, coupon)
    dose = main + np.where(second, extra, 0.0)
    return logistic(base), logistic(base + lift * dose[:, None])


def believe(history: History, evidence: Evidence, who: Array, at: Array) -> Beliefs:
    """Return what the feeds before a moment let anybody believe of customers; moments are on or after their joining."""
    parts = [_believe(history, evidence, who[k : k + CHUNK], at[k : k + CHUNK]) for k in range(0, len(who), CHUNK)]
    empty = np.zeros((0, len(CLASSES)))
    parts = parts or [Beliefs(empty, empty, np.zeros(0), np.zeros(0))]
    return Beliefs(*(np.concatenate([getattr(part, name) for part in parts]) for name in Beliefs.__annotations__))


def _believe(history: History, evidence: Evidence, who: Array, at: Array) -> Beliefs:
    world, people = history.world, history.people
    day = at // DAY
    signs = signs_of_life(history, who, day, evidence.signs)
    clock = clocks(world, people, history.visits, who)
    still, gone = leaving_weights(world, signs, day=day, rate_mean=people.rate_mean[who], clock=clock)
    begin = np.clip(signs.first_day + 1, 0, day)
    lived = np.diff(np.take_along_axis(clock, np.stack([begin, day], axis=1), axis=1), axis=1)[:, 0]
    rate, per = world.parameters.rate_shape + signs.own, world.parameters.rate_shape / people.rate_mean[who] + lived
    places = np.searchsorted(evidence.taste_keys, [moment_keys(who, at), moment_keys(who, 0 * at)])
    tastes = evidence.taste_sums[places[0]] - evidence.taste_sums[places[1]]
    with np.errstate(divide="ignore"):
        prior = np.log(people.type_prior[who][:, TYPE] * CLASS_SHARE)
        leaving = np.log(np.concatenate([gone, still[:, None]], axis=1))
    weight = prior + tastes[:, LIFESTYLE]
    weight = weight[:, None, :] + leaving[:, :, None] + _of_units(history, evidence, who, at, gone.shape[1], rate / per)
    weight = np.exp(weight - weight.max(axis=(1, 2), keepdims=True))
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    return Beliefs(weight[:, -1], weight[:, :-1].sum(axis=1), rate, per)


def _of_units(history: History, evidence: Evidence, who: Array, at: Array, bins: int, pace: Array) -> Array:
    """Return the log likelihood of what earlier offers showed, shape (n, bins of leaving and still there, classes)."""
    begin = np.searchsorted(evidence.unit_keys, moment_keys(who, 0 * at))
    count = np.searchsorted(evidence.unit_keys, moment_keys(who, at)) - begin
    row = np.repeat(np.arange(len(who)), count)
    unit = evidence.units[np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(len(row))]
    if not len(unit):
        return np.zeros((len(who), bins + 1, len(CLASSES)))
    first = history.units.start[unit] // DAY // BIN_DAYS
    likelihood = _likelihood(history, evidence, unit, at[row], pace[row])
    # In the bins before an offer and after it the likelihood is constant: only its steps are added up.
    steps, before = [], likelihood(np.full(len(unit), -np.inf))
    level = before
    for offset in range(LONGEST // BIN_DAYS + 3):
        middle = (first + offset + 0.5) * BIN_DAYS
        now = likelihood(np.where(offset == LONGEST // BIN_DAYS + 2, np.inf, middle))
        place = np.minimum(first + offset, bins)
        steps.append((row * (bins + 1) + place, now - level))
        level = now
    target = np.concatenate([row * (bins + 1), *(place for place, _ in steps)])
    added = np.concatenate([before, *(step for _, step in steps)])
    shape = (len(who) * (bins + 1), len(target))
    summed = sparse.csr_matrix((np.ones(len(target)), (target, np.arange(len(target)))), shape=shape) @ added
    return np.cumsum(summed.reshape(len(who), bins + 1, -1), axis=1)


def _likelihood(
    history: History, evidence: Evidence, unit: Array, until: Array, pace: Array
) -> Callable[[Array], Array]:
    """Return the function from the day of leaving to the log likelihood of what a unit showed until a moment."""
    world, units, offers = history.world, history.units, history.offers
    p0, p1 = class_odds(history, unit, second=units.second[unit])
    start, coupon = units.start[unit], units.coupon[unit]
    days = offers.valid_days[coupon] - 1.0
    elapsed = np.clip((until - start) / DAY - 1, 0, days - 1)
    part = (elapsed / (days - 1))[:, None]
    exposed, share = units.exposed[unit], world.parameters.response_after_leaving
    used = exposed & units.y[unit] & (units.at[unit] < until)
    came = evidence.seen_at[unit] < until
    # Own visits to the merchant meanwhile look like an occasion to whoever sees the feeds.
    merchant_share = _merchant_share(history, unit)
    category = history.places.merchant_category[offers.merchant[coupon]]
    own = (pace * elapsed * merchant_share)[:, None] * TASTES[LIFESTYLE][:, category].T
    from_campaign = coupon < offers.campaigns
    reached = exposed | (units.arm[unit] == CONTROL)

    def at_leaving(day: Array) -> Array:
        there = np.clip((day - start / DAY - 1) / np.maximum(elapsed, 1e-9), 0.0, 1.0)[:, None]
        reach = share + (1 - share) * there
        at_use = np.where(day > units.at[unit] / DAY, 1.0, share)[:, None]
        seen = np.where(
            exposed[:, None],
            np.where(used[:, None], p1 * at_use, 1 - p1 * part * reach),
            np.where(came[:, None], p0 * part * reach + own * there, 1 - p0 * part * reach),
        )
        sent = chance_of_reach(world, TYPE[None, :], (day <= start / DAY)[:, None])
        sent = np.where(reached[:, None], sent, 1 - sent)
        return np.log(np.maximum(seen, 1e-300)) + np.where(from_campaign[:, None], np.log(sent), 0.0)

    return at_leaving


def _merchant_share(history: History, unit: Array) -> Array:
    """Return the share of a unit's merchant in its customer's own visits in the category."""
    places, people = history.places, history.people
    merchant = history.offers.merchant[history.units.coupon[unit]]
    return places.merchant_shares[people.block[history.units.customer[unit]], merchant]
