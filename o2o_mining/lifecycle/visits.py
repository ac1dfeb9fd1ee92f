"""The purchases of all customers as arrays, and what they show as of a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPOCH = date(1970, 1, 1)
# How far back purchases weigh half, and over how many weeks is counted in how many of them a customer came.
_HALF_LIVES = (10, 30, 90)
_WEEKS = (4, 8, 12, 26)


@dataclass(frozen=True)
class Visits:
    """Purchases, sorted by customer and time.

    Attributes
    ----------
    customers
        Shape (c,). Sorted ids of everybody who bought.
    code
        Shape (n,). Place of the purchase's customer among them.
    day
        Shape (n,). Time of the purchase in days since 1970.
    amount
        Shape (n,). Net amount; NaN where it is not known.
    offered
        Shape (n,). Whether a coupon or campaign brought it.

    Examples
    --------
    >>> when = pd.to_datetime(["2024-01-05", "2024-01-01"])
    >>> table = pd.DataFrame({"customer_id": ["b", "a"], "purchased_at": when, "net_amount": 1.0, "offered": False})
    >>> Visits.of(table).before(date(2024, 1, 5)).customers.tolist()
    ['a']
    """

    customers: NDArray[np.object_]
    code: NDArray[np.int64]
    day: NDArray[np.float64]
    amount: NDArray[np.float64]
    offered: NDArray[np.bool_]

    @classmethod
    def of(cls, purchases: pd.DataFrame) -> Self:
        """Return the purchases of a table.

        Parameters
        ----------
        purchases
            ``customer_id, purchased_at, net_amount, offered``, in any order.
        """
        customers, code = np.unique(purchases["customer_id"].to_numpy(dtype=object), return_inverse=True)
        since = (purchases["purchased_at"] - pd.Timestamp(_EPOCH)) / pd.Timedelta(days=1)
        day = np.asarray(since, dtype=np.float64)
        amount = np.asarray(purchases["net_amount"], dtype=np.float64)
        offered = purchases["offered"].to_numpy(bool)
        order = np.lexsort((offered, amount, day, code))
        return cls(customers, code[order], day[order], amount[order], offered[order])

    def before(self, day: date, customers: NDArray[np.object_] | None = None) -> Self:
        """Return the purchases before a day, of everybody or of some customers who are known here."""
        kept = self.day < day_number(day)
        if customers is not None:
            wanted = np.zeros(len(self.customers), dtype=bool)
            wanted[np.searchsorted(self.customers, customers)] = True
            kept &= wanted[self.code]
        present, code = np.unique(self.code[kept], return_inverse=True)
        return type(self)(self.customers[present], code, self.day[kept], self.amount[kept], self.offered[kept])

    def within(self, start: date, days: int) -> pd.DataFrame:
        """Return ``purchases`` and ``net_amount`` of each customer in the days from a day on; amounts unknown are 0."""
        first = day_number(start)
        kept = (self.day >= first) & (self.day < first + days)
        n = len(self.customers)
        sums = {
            "purchases": np.bincount(self.code[kept], minlength=n),
            "net_amount": np.bincount(self.code[kept], np.nan_to_num(self.amount[kept]), minlength=n).round(2),
        }
        return pd.DataFrame(sums, index=pd.Index(self.customers, name="customer_id"))


def day_number(day: date) -> float:
    """Return a day as days since 1970.

    Examples
    --------
    >>> day_number(date(1970, 1, 3))
    2.0
    """
    return float((day - _EPOCH).days)


def histories(visits: Visits, day: date) -> pd.DataFrame:
    """Return what the models of purchases know of each customer: one row a customer, in days.

    Parameters
    ----------
    visits
        Purchases before the day.
    day
        The day that is looked from.

    Returns
    -------
    DataFrame
        ``frequency`` (days with a purchase after the first such day), ``recency`` and ``T``.

    Examples
    --------
    >>> when = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-11"])
    >>> table = pd.DataFrame({"customer_id": "a", "purchased_at": when, "net_amount": 1.0, "offered": False})
    >>> histories(Visits.of(table), date(2024, 1, 31)).iloc[0].to_dict()
    {'frequency': 1.0, 'recency': 10.0, 'T': 30.0}
    """
    whole = np.floor(visits.day)
    first, last = _first_and_last(visits)
    starts = np.r_[True, (whole[1:] != whole[:-1]) | (visits.code[1:] != visits.code[:-1])][: len(whole)]
    n = len(visits.customers)
    table = {
        "frequency": np.bincount(visits.code[starts], minlength=n) - 1.0,
        "recency": np.floor(last) - np.floor(first),
        "T": day_number(day) - np.floor(first),
    }
    return pd.DataFrame(table, index=pd.Index(visits.customers, name="customer_id"))


def mean_amounts(visits: Visits) -> pd.DataFrame:
    """Return ``frequency``, the number of purchases of known amount, and ``monetary_value``, the mean amount."""
    known = ~np.isnan(visits.amount)
    n = np.bincount(visits.code[known], minlength=len(visits.customers)).astype(float)
    total = np.bincount(visits.code[known], visits.amount[known], minlength=len(visits.customers))
    table = {"frequency": n, "monetary_value": np.maximum(total, 0) / np.maximum(n, 1)}
    return pd.DataFrame(table, index=pd.Index(visits.customers, name="customer_id"))


def rhythm(visits: Visits, day: date) -> pd.DataFrame:
    """Return how each customer's pace has changed: one row a customer.

    Parameters
    ----------
    visits
        Purchases before the day.
    day
        The day that is looked from.

    Returns
    -------
    DataFrame
        ``pace_<d>d``, purchases a day with a half-life of d days; ``weeks_<w>_share``, in which share of the last w
        weeks the customer came; ``longer_gap_share``, the share of gaps longer than the silence since the last
        purchase; ``recency_over_longest_gap``; ``unasked_days``, days since a purchase that no offer brought.
    """
    n, now = len(visits.customers), day_number(day)
    first, last = _first_and_last(visits)
    age = now - visits.day
    found: dict[str, NDArray[np.float64]] = {}
    for half in _HALF_LIVES:
        decay = np.log(2) / half
        seen = -np.expm1(-decay * np.maximum(now - first, 1)) / decay
        found[f"pace_{half}d"] = np.bincount(visits.code, np.exp(-decay * age), minlength=n) / seen
    weeks = np.unique(visits.code * 10_000 + np.floor(age / 7).astype(np.int64))
    for span in _WEEKS:
        came = np.bincount((weeks // 10_000)[weeks % 10_000 < span], minlength=n)
        found[f"weeks_{span}_share"] = came / np.clip(np.ceil((now - first) / 7), 1, span)
    same = visits.code[1:] == visits.code[:-1]
    gap, of = np.diff(visits.day)[same], visits.code[1:][same]
    silence, n_gaps = now - last, np.bincount(of, minlength=n)
    longest = np.zeros(n)
    np.maximum.at(longest, of, gap)
    found["longer_gap_share"] = (np.bincount(of, gap > silence[of], minlength=n) + 0.5) / (n_gaps + 1)
    found["recency_over_longest_gap"] = np.where(longest > 0, silence / np.where(longest > 0, longest, 1), np.nan)
    unasked = np.full(n, np.nan)
    unasked[visits.code[~visits.offered]] = age[~visits.offered]
    found["unasked_days"] = unasked
    return pd.DataFrame(found, index=pd.Index(visits.customers, name="customer_id"))


def _first_and_last(visits: Visits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, last = np.empty(len(visits.customers)), np.empty(len(visits.customers))
    first[visits.code[::-1]] = visits.day[::-1]
    last[visits.code] = visits.day
    return first, last
