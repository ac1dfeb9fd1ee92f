"""What demand came after the log: the days that a forecast made at its end looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.columns import dates, money, values, words
from o2o_mining.simulator.history import History
from o2o_mining.simulator.places import CATEGORIES
from o2o_mining.simulator.world import AFTERMATH_DAYS

EVERYTHING = "(all)"


def demand_after(history: History) -> Any:
    """One row per day after the log and category, and one for all together: purchases, redemptions, money.

    Purchases and their money stand on the day of the order, else of the visit; redemptions on that of the visit.
    """
    visits, end = history.visits, history.world.days * DAY
    category = history.places.merchant_category[visits.merchant]
    net = np.where(history.refunded, 0, history.baskets.total - history.discount)
    ones = np.ones(len(visits), dtype=np.int64)

    def per_day(at: Array, counts: Array, weight: Array) -> Array:
        """Return sums of shape (1 + categories, days), everything first; whole numbers below 2**53 stay exact."""
        day = (at - end) // DAY
        some = counts & (day >= 0) & (day < AFTERMATH_DAYS)
        cell = category[some] * AFTERMATH_DAYS + day[some]
        size = len(CATEGORIES) * AFTERMATH_DAYS
        sums = np.bincount(cell, weights=weight[some], minlength=size).astype(np.int64)
        table = sums.reshape(len(CATEGORIES), AFTERMATH_DAYS)
        return np.vstack([table.sum(axis=0), table])

    bought = ~visits.no_show
    purchases, revenue = (per_day(history.bought_at, bought, weight).ravel() for weight in (ones, net))
    redemptions = per_day(visits.at, history.came, ones).ravel()
    series = np.repeat(np.arange(1 + len(CATEGORIES)), AFTERMATH_DAYS)
    return pa.table({
        "level": words(("total", "category"), (series > 0).astype(np.int64)),
        "id": words((EVERYTHING, *CATEGORIES), series),
        "ds": dates(np.tile(history.world.days + np.arange(AFTERMATH_DAYS), 1 + len(CATEGORIES))),
        "purchases": values(purchases), "redemptions": values(redemptions), "net_revenue": money(revenue),
    })  # fmt: skip
