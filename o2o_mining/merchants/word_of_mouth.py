"""What a bad visit costs: purchases that the customer, and friends who were brought, do not make afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.contracts.merchants import OUTCOMES, REACHES

if TYPE_CHECKING:
    from numpy.typing import NDArray

AFTER_DAYS = 90
_DAY = 86_400
_DIGITS = 4
_Z95 = 1.959964
_LEAST_CUSTOMERS = 30
# Customers are alike who bought so often in the days before; from the last number on all are.
_PACES = np.array([1, 2, 3, 5, 8])
_RESTS = np.array([14, 45])
_QUARTER_DAYS = 91
# In what visits must be alike. Friends are few, and what they like is not what the customer had.
_LIKE = {
    "customer": ["category", "quarter", "exposed", "pace", "earlier", "rest"],
    "friends": ["quarter", "pace", "earlier", "rest"],
}
# Shares of bad visits about one's home are alike within a tenth; of fewer visits of others nothing is known.
_EXPOSED = np.arange(0.0, 1.0, 0.1)
_LEAST_OTHERS = 5
# So much of what was bought in a time that is not matched on may groups differ by, beyond chance.
_UNLIKE_SHARE = 0.05


def bad_visit_costs(
    visits: pd.DataFrame, purchases: pd.DataFrame, friends: pd.DataFrame, *, until: int, bad_min: float
) -> pd.DataFrame:
    """Return what the first bad visit of a customer changes in the 90 days after it.

    Customers with a bad visit are compared with those whose visit was good: same category and quarter, as many
    purchases in the 90 days before and in the 90 before those, and as long since the last (coarsened exact matching).
    Homes are alike, too, in how often others who live there have bad visits of the category: who lives among bad
    merchants will have more of them, whatever came of the first. None had a bad visit before. The mean difference over
    the bad visits is the effect; its interval takes all visits of a customer as one. The placebo is the same difference
    between 270 and 180 days before, as a share of what was bought then: where it is beyond 5 % for certain, the groups
    are not alike, and there is no figure.

    Parameters
    ----------
    visits
        ``customer_id, area, category, at, beyond_min`` of visits whose wait is known; ``at`` in seconds, ``area`` that
        of the home, one and the same where homes are not known.
    purchases
        ``customer_id, at, cents`` of all purchases that count.
    friends
        ``customer_id, friend_id, joined_at``: who was brought by whom, and since when; seconds.
    until
        The end of what is known, in seconds: visits whose 90 days are not over are left out.
    bad_min
        Minutes beyond the promise that make a visit bad.

    Returns
    -------
    DataFrame
        The columns of ``bad_visit_costs`` but for ``as_of``; money in units, not cents.

    Notes
    -----
    S. M. Iacus, G. King and G. Porro, Causal inference without balance checking: coarsened exact matching, Political
    Analysis 20 (2012).

    Examples
    --------
    >>> visits = pd.DataFrame(columns=["customer_id", "area", "category", "at", "beyond_min"])
    >>> bought = pd.DataFrame(columns=["customer_id", "at", "cents"])
    >>> friends = pd.DataFrame(columns=["customer_id", "friend_id", "joined_at"])
    >>> costs = bad_visit_costs(visits, bought, friends, until=0, bad_min=10)
    >>> costs[["reach", "label", "reason_code"]].values.tolist()[0]
    ['customer', 'refused', 'too_few']
    """
    bought = _Bought(purchases)
    first = _first_bad(visits, bad_min)
    whole = first[first["at"] <= until - AFTER_DAYS * _DAY]
    own = whole.assign(who=whole["customer_id"])
    brought = whole.merge(friends, on="customer_id")
    brought = brought[brought["joined_at"] <= brought["at"]].assign(who=lambda t: t["friend_id"])
    n_bad = int(whole["bad"].sum())
    rows = []
    for reach, units in zip(REACHES, (own, brought), strict=True):
        # A visit reaches so many friends on average: what is told is what one bad visit costs.
        times = float(units["bad"].sum() / max(n_bad, 1))
        alike = _alike(units.sort_values(["customer_id", "at", "who"], ignore_index=True), bought, _LIKE[reach])
        rows += [_compared(alike, bought, reach, outcome, times) for outcome in OUTCOMES]
    return pd.DataFrame(rows)


class _Bought:
    """How many purchases a customer made in a time, and for how much: by bisection, without a loop."""

    def __init__(self, purchases: pd.DataFrame) -> None:
        self.people = pd.Index(sorted(purchases["customer_id"].unique()))
        code = self.people.get_indexer(purchases["customer_id"]).astype(np.int64)
        at = purchases["at"].to_numpy(dtype=np.int64)
        self.base = int(at.min()) if len(at) else 0
        self.room = (int(at.max()) - self.base if len(at) else 0) + 2 * 366 * _DAY
        order = np.lexsort((at, code))
        self.places = code[order] * self.room + at[order] - self.base
        cents = purchases["cents"].to_numpy(dtype=np.int64)[order] if len(at) else np.zeros(0, dtype=np.int64)
        self.sums = {"purchases": np.arange(len(at) + 1), "net_revenue": np.concatenate([[0], np.cumsum(cents)])}

    def between(
        self, who: pd.Series[str], after: NDArray[np.int64], until: NDArray[np.int64], what: str
    ) -> NDArray[np.int64]:
        """Return what each bought after a moment and until another, that included."""
        code = self.people.get_indexer(who).astype(np.int64)
        low, high = (
            np.searchsorted(self.places, code * self.room + np.clip(when - self.base, -1, self.room - 2), side="right")
            for when in (after, until)
        )
        sums = self.sums[what]
        return np.asarray(np.where(code >= 0, sums[high] - sums[low], 0))


def _first_bad(visits: pd.DataFrame, bad_min: float) -> pd.DataFrame:
    """Return visits of customers who had no bad one before, with whether this is it."""
    t = visits.assign(bad=visits["beyond_min"] > bad_min, quarter=visits["at"] // (_QUARTER_DAYS * _DAY))
    t = t.assign(exposed=_exposed(t)).sort_values(["customer_id", "at", "beyond_min"])
    before = t.groupby("customer_id")["bad"].cumsum() - t["bad"]
    return t[before == 0].reset_index(drop=True)


def _exposed(visits: pd.DataFrame) -> NDArray[np.int64]:
    """Return in which tenth the share of bad visits of others of an area lies, 0 if they are too few.

    Others of the area, category and quarter: the customer's own visits say nothing of what awaits everybody there.
    """
    place = ["area", "category", "quarter"]
    every, own = (visits.groupby(keys, dropna=False)["bad"] for keys in (place, [*place, "customer_id"]))
    number, bad = (every.transform(count) - own.transform(count) for count in ("size", "sum"))
    share = (bad / number.clip(lower=1)).to_numpy(dtype=np.float64)
    return np.where(number >= _LEAST_OTHERS, np.searchsorted(_EXPOSED, share, side="right"), 0)


def _alike(units: pd.DataFrame, bought: _Bought, like: list[str]) -> pd.DataFrame:
    """Return the units in strata that hold bad and good visits, with the number of the stratum."""
    at, span = units["at"].to_numpy(dtype=np.int64), AFTER_DAYS * _DAY
    pace = bought.between(units["who"], at - span, at - 1, "purchases")
    rested = [bought.between(units["who"], at - days * _DAY, at - 1, "purchases") > 0 for days in _RESTS]
    earlier = bought.between(units["who"], at - 2 * span, at - span, "purchases")
    keys = units.assign(
        pace=np.searchsorted(_PACES, pace, side="right"),
        earlier=np.searchsorted(_PACES, earlier, side="right"),
        rest=np.sum(rested, axis=0) if len(units) else 0,
    )
    stratum = keys.groupby(like, dropna=False, sort=True).ngroup()
    n_bad = keys["bad"].groupby(stratum).transform("sum")
    size = keys["bad"].groupby(stratum).transform("size")
    return units.assign(stratum=stratum)[(n_bad > 0) & (n_bad < size)].reset_index(drop=True)


def _compared(alike: pd.DataFrame, bought: _Bought, reach: str, outcome: str, times: float) -> dict[str, object]:
    bad = alike["bad"].to_numpy(dtype=bool)
    row: dict[str, object] = {
        "reach": reach, "outcome": outcome, "bad_visits": int(bad.sum()), "good_visits": int((~bad).sum()),
        "expected": None, "effect": None, "effect_low": None, "effect_high": None, "placebo": None,
        "label": "refused", "reason_code": "too_few",
    }  # fmt: skip
    if alike.loc[bad, "customer_id"].nunique() < _LEAST_CUSTOMERS:
        return row
    at, span = alike["at"].to_numpy(dtype=np.int64), AFTER_DAYS * _DAY
    before = bought.between(alike["who"], at - 3 * span, at - 2 * span, outcome)
    unlike, unsure, usual = _difference(alike, bad, before)
    if usual:
        row["placebo"] = round(unlike / usual, _DIGITS)
        if abs(unlike) - _Z95 * unsure > _UNLIKE_SHARE * abs(usual):
            return row | {"reason_code": "unlike_before"}
    unit = times / (100 if outcome == "net_revenue" else 1)
    after = bought.between(alike["who"], at, at + span, outcome)
    effect, error, expected = (value * unit for value in _difference(alike, bad, after))
    return row | {
        "expected": round(expected, _DIGITS), "effect": round(effect, _DIGITS),
        "effect_low": round(effect - _Z95 * error, _DIGITS), "effect_high": round(effect + _Z95 * error, _DIGITS),
        "label": "observational", "reason_code": None,
    }  # fmt: skip


def _difference(alike: pd.DataFrame, bad: NDArray[np.bool_], value: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return bad less good within strata, over the bad visits; its standard error by customer; and the good's mean."""
    stratum = alike["stratum"].to_numpy()
    sizes = [np.bincount(stratum[some], minlength=stratum.max() + 1) for some in (bad, ~bad)]
    sums = [np.bincount(stratum[some], weights=value[some], minlength=stratum.max() + 1) for some in (bad, ~bad)]
    means = [total / np.maximum(size, 1) for total, size in zip(sums, sizes, strict=True)]
    of_bad = sizes[0] / bad.sum()
    effect, expected = float((of_bad * (means[0] - means[1])).sum()), float((of_bad * means[1]).sum())
    weight = np.where(bad, 1.0, -(sizes[0] / np.maximum(sizes[1], 1))[stratum])
    off = np.where(bad, value - means[0][stratum], value - means[1][stratum])
    # The spread of effects between strata is no error: the effect is over these visits.
    people = pd.factorize(alike["customer_id"])[0]
    pulls = np.bincount(people, weights=weight * off) / bad.sum()
    return effect, float(np.sqrt((pulls**2).sum())), expected
