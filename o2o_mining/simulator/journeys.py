"""Contacts: those that campaigns caused, and those of people who were coming anyway."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.history import History
from o2o_mining.simulator.offers import CHANNELS, CONTACT_COST

ALL_CHANNELS = (*CHANNELS, "search", "map", "direct")
SEARCH = len(CHANNELS)  # from here on, channels that nobody pays for
ACTIONS = ("impression", "click", "visit")
IMPRESSION, CLICK, VISIT = range(3)
CLICK_SHARE_LATER_BUYERS, CLICK_SHARE_OTHERS, ORGANIC_SHARE = 0.4, 0.08, 0.6
# Half of those reached see the advertisement once more in the days after; it costs, and changes nothing.
REMINDER_SHARE, REMINDER_SECONDS = 0.5, (2 * DAY, 12 * DAY)
DEVICES = ("phone", "desktop", "tablet")


@dataclass(frozen=True)
class Touches:
    """Arrays over contacts, in the order of time; ``campaign`` and ``unit`` are -1 for those nobody paid for."""

    customer: Array
    at: Array
    channel: Array
    campaign: Array
    action: Array
    cost: Array
    unit: Array


def build_touches(history: History) -> Touches:
    """Draw all contacts within the log."""
    chance = stream(history.world.seed, "touches")
    parts = [*_of_offers(history, chance), _organic(history, chance)]
    every = Touches(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Touches)})
    within = np.flatnonzero((every.at >= 0) & (every.at < history.world.days * DAY))
    order = within[np.lexsort((every.action[within], every.channel[within], every.customer[within], every.at[within]))]
    return Touches(**{f.name: getattr(every, f.name)[order] for f in fields(Touches)})


def _of_offers(history: History, chance: np.random.Generator) -> list[Touches]:
    units, offers = history.units, history.offers
    unit = np.flatnonzero(history.given_out)
    paid = units.coupon[unit] < offers.campaigns
    campaign = np.where(paid, units.coupon[unit], -1)
    # A standing coupon is taken by people who look for it.
    found = SEARCH + chance.integers(0, 3, len(unit))
    channel = np.where(paid, offers.main[campaign], found)
    at = history.units.received_at[unit]
    cost = np.where(paid, CONTACT_COST[np.minimum(channel, SEARCH - 1)], 0)
    main = Touches(units.customer[unit], at, channel, campaign, np.where(paid, IMPRESSION, CLICK), cost, unit)
    likely = np.where(units.y[unit], CLICK_SHARE_LATER_BUYERS, CLICK_SHARE_OTHERS)
    clicks = paid & (chance.random(len(unit)) < likely)
    soon = at + chance.integers(30, 7_200, len(unit))
    clicked = Touches(
        main.customer[clicks], soon[clicks], channel[clicks], campaign[clicks], np.full(clicks.sum(), CLICK),
        np.zeros(clicks.sum(), dtype=np.int64), unit[clicks],
    )  # fmt: skip
    again = units.second[unit]
    other = offers.second[campaign[again]]
    later = at[again] + chance.integers(14_400, 57_600, again.sum())
    second = Touches(
        main.customer[again], later, other, campaign[again], np.full(again.sum(), IMPRESSION),
        CONTACT_COST[other], unit[again],
    )  # fmt: skip
    reminded = unit[paid & (chance.random(len(unit)) < REMINDER_SHARE)]
    which = units.coupon[reminded]
    reminder = Touches(
        units.customer[reminded], units.start[reminded] + chance.integers(*REMINDER_SECONDS, len(reminded)),
        offers.main[which], which, np.full(len(reminded), IMPRESSION), CONTACT_COST[offers.main[which]], reminded,
    )  # fmt: skip
    return [main, clicked, second, reminder]


def _organic(history: History, chance: np.random.Generator) -> Touches:
    """Draw the search or visit before an order: it leads to the order and causes nothing."""
    own = np.flatnonzero((history.visits.unit < 0) & history.ordered)
    own = own[chance.random(len(own)) < ORGANIC_SHARE]
    at = history.ordered_at[own] - chance.integers(20, 3_600, len(own))
    at = np.maximum(at, history.people.joined[history.visits.customer[own]])
    channel = SEARCH + chance.choice(3, len(own), p=[0.4, 0.3, 0.3])
    none = np.full(len(own), -1)
    action = np.where(channel == SEARCH, CLICK, VISIT)
    return Touches(history.visits.customer[own], at, channel, none, action, np.zeros(len(own), dtype=np.int64), none)


def daily_costs(touches: Touches) -> tuple[Array, Array, Array, Array]:
    """Return campaign, channel, day and hundredths spent: the sum of what the contacts cost."""
    paid = np.flatnonzero(touches.campaign >= 0)
    day = touches.at[paid] // DAY
    keys = (touches.campaign[paid] * len(ALL_CHANNELS) + touches.channel[paid]) * 100_000 + day
    found, place = np.unique(keys, return_inverse=True)
    cost = np.bincount(place, weights=touches.cost[paid], minlength=len(found)).astype(np.int64)
    pair = found // 100_000
    return pair // len(ALL_CHANNELS), pair % len(ALL_CHANNELS), found % 100_000, cost
