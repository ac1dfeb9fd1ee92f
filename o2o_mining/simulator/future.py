"""The best forecast of what customers will buy after the log: whether at all, how often, and for how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from o2o_mining.simulator.beliefs import (
    CHUNK,
    CLASSES,
    LIFESTYLE,
    SENSITIVITY,
    TYPE,
    Beliefs,
    Evidence,
    believe,
    class_odds,
)
from o2o_mining.simulator.chance import DAY, Array, logistic
from o2o_mining.simulator.history import History
from o2o_mining.simulator.leaving import clocks
from o2o_mining.simulator.people import TASTES
from o2o_mining.simulator.responses import SECOND_SHARE, chance_of_reach, log_odds
from o2o_mining.simulator.seasons import operational_time
from o2o_mining.simulator.visits import DELIVERY, KIND_SHARES, NO_SHOW_SHARE, RESERVATION
from o2o_mining.simulator.world import AFTERMATH_DAYS
from o2o_mining.simulator.worth import Worth

WEEKS = np.append(np.arange(0, AFTERMATH_DAYS, 7), AFTERMATH_DAYS)


@dataclass(frozen=True)
class Future:
    """Of each customer, shape (n,), within the days lived after the log."""

    still_there: Array
    no_purchase: Array
    purchases: Array
    value: Array


@dataclass(frozen=True)
class Habits:
    """What an own visit brings by block of the home and class, shape (blocks, classes).

    ``value`` in hundredths, ``bad`` the chance that it is a bad one, ``coupons`` the chance that a standing coupon
    taken is used.
    """

    value: Array
    bad: Array
    coupons: Array


def habits(history: History, worth: Worth) -> Habits:
    """Average over the stores to which visits of each category go from each block."""
    places, offers, world = history.places, history.offers, history.world
    merchants = np.arange(len(places.merchant_city))
    coupon, category = offers.campaigns + merchants, places.merchant_category
    served = 1 - KIND_SHARES[DELIVERY] - KIND_SHARES[RESERVATION] * NO_SHOW_SHARE
    bad = (places.merchant_bad_from <= world.days * DAY) * served
    km = np.stack([places.distance_km[:, places.store_merchant == m].min(axis=1) for m in merchants], axis=1)
    value, spoilt, used = (np.zeros((len(places.block_city), len(CLASSES))) for _ in range(3))
    for c in range(len(CLASSES)):
        weight = places.merchant_shares * TASTES[LIFESTYLE[c], category]
        base, lift = log_odds(
            world, TYPE[c], LIFESTYLE[c], SENSITIVITY[c], category=category, km=km, share=offers.share[coupon]
        )
        value[:, c], spoilt[:, c] = weight @ worth.without[coupon], weight @ bad
        used[:, c] = (weight * logistic(base + lift)).sum(axis=1)
    return Habits(value, spoilt, used)


def foretell(history: History, evidence: Evidence, worth: Worth, who: Array) -> Future:
    """Return the best forecast for customers from the feeds of the log; the calendar of campaigns is known."""
    usual = habits(history, worth)
    parts = [_foretell(history, evidence, worth, usual, who[k : k + CHUNK]) for k in range(0, len(who), CHUNK)]
    return Future(*(np.concatenate([getattr(part, name) for part in parts]) for name in Future.__annotations__))


def _foretell(history: History, evidence: Evidence, worth: Worth, usual: Habits, who: Array) -> Future:
    world, block = history.world, history.people.block[who]
    beliefs = believe(history, evidence, who, np.full(len(who), world.days * DAY))
    middle = (WEEKS[1:] + WEEKS[:-1]) / 2
    life = world.parameters.mean_life_days
    leaves = np.append(np.exp(-WEEKS[:-1] / life) - np.exp(-WEEKS[1:] / life), np.exp(-WEEKS[-1] / life))
    until = np.append(middle, AFTERMATH_DAYS)
    # What the seasons and past bad visits leave of the clock from the end of the log to each moment of leaving.
    clock = clocks(world, history.people, history.visits, who)
    season = operational_time(world)
    mood = (clock[:, world.days + 1] - clock[:, world.days]) / (season[world.days + 1] - season[world.days])
    ahead = np.interp(world.days + until, np.arange(len(season)), season) - season[world.days]
    lived = mood[:, None] * ahead[None, :]
    silent = (beliefs.per[:, None] / (beliefs.per[:, None] + lived)) ** beliefs.rate[:, None]
    taken = world.parameters.receipts_per_month / 30.0 * usual.coupons[block]
    # A coupon taken is used one to 29 days later, some only after the horizon.
    ripe = np.maximum(until - 15, 0)
    staying, left, visits, value = _occasions(history, worth, who, beliefs, until)
    no_coupon = np.exp(-taken[:, None, :] * ripe[None, :, None])
    none = (beliefs.there[:, None, :] * (leaves[:, None] * silent[:, :, None] * no_coupon * staying)).sum(axis=(1, 2))
    there = beliefs.there.sum(axis=1)
    own = there * beliefs.rate / beliefs.per * (lived * leaves).sum(axis=1)
    weight = beliefs.there / np.maximum(there, 1e-12)[:, None]
    harm = 1 - np.exp(-world.parameters.bad_visit_effect)
    own = own * (1 - own * (weight * usual.bad[block]).sum(axis=1) * harm / 2)
    own = own * (1 - KIND_SHARES[RESERVATION] * NO_SHOW_SHARE)
    coupons = (beliefs.there * taken).sum(axis=1) * (ripe * leaves).sum()
    spent = (own + coupons) * (weight * usual.value[block]).sum(axis=1) + value
    return Future(
        still_there=there, no_purchase=none + (beliefs.gone * left).sum(axis=1),
        purchases=own + coupons + visits, value=spent * (1 - _refunded_share(history)),
    )  # fmt: skip


def _occasions(
    history: History, worth: Worth, who: Array, beliefs: Beliefs, until: Array
) -> tuple[Array, Array, Array, Array]:
    """Return what offers open at the end of the log, and campaigns after it, do.

    The chances that none brings a visit, by the moment of leaving and class for who is there, and by class for who is
    gone; and the expected visits and hundredths spent at them.
    """
    world, units, offers = history.world, history.units, history.offers
    unit = _ahead(history, who)
    row = np.searchsorted(who, units.customer[unit])
    coupon, begun = units.coupon[unit], units.start[unit] < world.days * DAY
    days = offers.valid_days[coupon] - 1.0
    start = units.start[unit] / DAY - world.days + 1
    part = np.clip(-start / (days - 1), 0, 1)[:, None]
    within = np.clip((AFTERMATH_DAYS - start) / (days - 1), 0, 1)[:, None] - part
    p0, once = class_odds(history, unit, second=np.zeros(len(unit), dtype=bool))
    _, twice = class_odds(history, unit, second=np.ones(len(unit), dtype=bool))
    second = np.where(begun, units.second[unit], SECOND_SHARE)[:, None]
    p1 = once + second * (twice - once)
    share = world.parameters.response_after_leaving

    def outcomes(left: bool) -> tuple[Array, Array]:
        sent = chance_of_reach(world, TYPE[None, :], np.full((1, 1), left))
        sent = sent * np.where(offers.randomised[np.minimum(coupon, offers.campaigns - 1)], 0.5, 1.0)[:, None]
        exposed = np.where(begun[:, None], units.exposed[unit][:, None], sent)
        reach = share if left else 1.0
        with_offer, without = reach * exposed * p1, reach * (1 - exposed) * p0
        scale = within / (1 - part * (with_offer + without))
        paid, plain = (worth.bought - worth.taken_off)[coupon], worth.without[coupon]
        money = with_offer * paid[:, None] + without * plain[:, None]
        return (with_offer + without) * scale, money * scale

    (come, spend), (come_left, spend_left) = outcomes(False), outcomes(True)
    by_row = sparse.csr_matrix((np.ones(len(unit)), (row, np.arange(len(unit)))), shape=(len(who), len(unit)))
    away = by_row @ np.log1p(-come_left)
    bins = len(until)
    place = np.minimum(np.searchsorted(until, np.maximum(start, 0) + (days - 1) / 2), bins - 1)
    steps = sparse.csr_matrix(
        (np.ones(len(unit)), (row * bins + place, np.arange(len(unit)))), shape=(len(who) * bins, len(unit))
    ) @ (np.log1p(-come) - np.log1p(-come_left))
    staying = np.exp(away[:, None, :] + np.cumsum(steps.reshape(len(who), bins, -1), axis=1))
    # Expected visits need no product: leaving meanwhile is rare, so who is there counts as staying.
    visits = (beliefs.there * (by_row @ come) + beliefs.gone * (by_row @ come_left)).sum(axis=1)
    money = (beliefs.there * (by_row @ spend) + beliefs.gone * (by_row @ spend_left)).sum(axis=1)
    return staying, np.exp(away), visits, money


def _ahead(history: History, who: Array) -> Array:
    """Return the units of customers that are open when the log ends, or belong to campaigns after it."""
    units, offers, end = history.units, history.offers, history.world.days * DAY
    begun = units.start < end
    is_open = (units.start + (offers.valid_days[units.coupon] - 1) * DAY > end) & (
        begun | (units.coupon < offers.campaigns)
    )
    used = begun & units.exposed & units.y & (units.at < end)
    asked: Array = np.zeros(history.world.customers, dtype=bool)
    asked[who] = True
    return np.flatnonzero(is_open & ~used & asked[units.customer])


def _refunded_share(history: History) -> float:
    """Return the share of what was paid that the world's service makes merchants give back."""
    paid = history.baskets.total - history.discount
    before = (history.visits.at < history.world.days * DAY) & ~history.visits.no_show
    return float(paid[before & history.refunded].sum() / max(paid[before].sum(), 1))
