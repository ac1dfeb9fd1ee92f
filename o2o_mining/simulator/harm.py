"""What bad visits deterred: visits of the customer's own, and of friends brought, that would have followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from o2o_mining.simulator.chance import DAY, Array, running
from o2o_mining.simulator.columns import ids, moments, values
from o2o_mining.simulator.history import History
from o2o_mining.simulator.visits import SHIFT

AFTER_DAYS = 90


def bad_visits(history: History) -> Any:
    """One row per bad visit within the log: visits and money that it cost in the 90 days after it, in expectation.

    A bad visit multiplies the chance of every later visit of one's own by ``exp(-effect)``. So for each that was made,
    ``exp(effect) - 1`` were not.
    """
    world, visits, people = history.world, history.visits, history.people
    given = world.parameters
    bad = np.flatnonzero(visits.bad & (visits.at < world.days * DAY))
    customer, at = visits.customer[bad], visits.at[bad]
    # Friends of each bad visit's customer who had been brought by then, one row each.
    brought = np.argsort(people.referrer, kind="stable")
    begin = np.searchsorted(people.referrer[brought], customer, side="left")
    count = np.searchsorted(people.referrer[brought], customer, side="right") - begin
    row = np.repeat(np.arange(len(bad)), count)
    friend = brought[np.repeat(begin, count) + running(count)]
    row, friend = (part[people.joined[friend] <= at[row]] for part in (row, friend))
    own = np.expm1(given.bad_visit_effect)
    heard = np.expm1(given.bad_visit_effect * given.friend_effect_share)
    table = {"customer_id": ids("c", customer), "at": moments(at)}
    for name, total in _made(history).items():
        theirs = np.bincount(row, weights=_after(history, total, friend, at[row]), minlength=len(bad))
        table[f"lost_{name}"] = values(np.round(own * _after(history, total, customer, at), 4))
        table[f"friends_lost_{name}"] = values(np.round(heard * theirs, 4))
    return pa.table(table)


def _made(history: History) -> dict[str, Array]:
    """Return by visit how many that can be deterred lie before it in the order of all, and their net amount."""
    visits = history.visits
    first = running(np.bincount(visits.customer, minlength=history.world.customers)) == 0
    counts = (visits.unit < 0) & ~first & ~visits.no_show
    net = np.where(history.refunded, 0, history.baskets.total - history.discount) / 100
    return {
        name: np.concatenate([[0.0], np.cumsum(np.where(counts, value, 0.0))])
        for name, value in (("visits", 1.0), ("amount", net))
    }


def _after(history: History, total: Array, customer: Array, at: Array) -> Array:
    """Return what each customer made within the days after a moment."""
    visits = history.visits
    keys = visits.customer.astype(np.int64) * SHIFT + visits.at
    start = customer.astype(np.int64) * SHIFT + at
    begin, end = (np.searchsorted(keys, start + days * DAY, side="right") for days in (0, AFTER_DAYS))
    return np.asarray(total[end] - total[begin])
