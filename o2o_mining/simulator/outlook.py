"""The best forecast that the feeds allow: of an offer's outcome, and of what a customer will do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.beliefs import TYPE, Evidence, believe, class_odds
from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.history import History
from o2o_mining.simulator.responses import SECOND_SHARE, chance_of_reach

RECENT_DAYS = 120  # offers of the last so many days get an observable probability


@dataclass(frozen=True)
class Forecast:
    """Observable probabilities of an occasion, shape (n,): without and with the offer."""

    p0: Array
    p1: Array


def recent(history: History) -> Array:
    """Return which units began in the last days of the log, or begin with the first day after it."""
    start, end = history.units.start, history.world.days * DAY
    honest = history.people.ring[history.units.customer] < 0
    return np.asarray((start >= end - RECENT_DAYS * DAY) & (start <= end) & honest)


def foresee(history: History, evidence: Evidence, unit: Array, *, received: bool) -> Forecast:
    """Return the best forecast of offers from the feeds before each began.

    ``received`` adds that the offer went to the customer, which says something of people whom ads prefer, and of a
    standing coupon that its taker was there.
    """
    units, offers = history.units, history.offers
    beliefs = believe(history, evidence, units.customer[unit], units.start[unit])
    there, gone = beliefs.there, beliefs.gone
    if received:
        paid = (units.coupon[unit] < offers.campaigns)[:, None]
        there = there * np.where(paid, chance_of_reach(history.world, TYPE[None, :], np.zeros((1, 1))), 1.0)
        gone = gone * np.where(paid, chance_of_reach(history.world, TYPE[None, :], np.ones((1, 1))), 0.0)
        total = (there + gone).sum(axis=1, keepdims=True)
        there, gone = there / total, gone / total
    share, life = history.world.parameters.response_after_leaving, history.world.parameters.mean_life_days
    days = offers.valid_days[units.coupon[unit]] - 1.0
    # Whoever is there leaves before the occasion with the hazard of the world; the occasion is uniform over its days.
    stays = life * (np.exp(-1 / life) - np.exp(-days / life)) / (days - 1)
    reach = (share + (1 - share) * stays)[:, None] * there + share * gone
    p0, once = class_odds(history, unit, second=np.zeros(len(unit), dtype=bool))
    _, twice = class_odds(history, unit, second=np.ones(len(unit), dtype=bool))
    p1 = (1 - SECOND_SHARE) * once + SECOND_SHARE * twice
    return Forecast((reach * p0).sum(axis=1), (reach * p1).sum(axis=1))
