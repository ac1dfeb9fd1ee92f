"""What is known of how each customer buys: when, where, at what price, and what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from o2o_mining.segmentation.scaling import rounded

if TYPE_CHECKING:
    import ibis.expr.types as ir

# A customer with fewer purchases has no behaviour to speak of, and no cluster.
LEAST_PURCHASES = 5
# Fewer customers than these are no population to cut into clusters.
LEAST_CUSTOMERS = 50
# Every share is drawn towards the population's as if these many purchases of an average customer had been seen.
PRIOR_PURCHASES = 5.0
# The categories most bought in that count by name.
MOST_CATEGORIES = 12
CATEGORY = "category/"

# What a feature counts beside a category. When and through what a customer buys are taste; where, at what price and
# how much depend on home and offer too, and describe a cluster more than they make it (decision 0010).
WEIGHTS = {
    "evening_share": 1.0,
    "noon_share": 1.0,
    "weekend_share": 1.0,
    "online_share": 1.0,
    "discounted_share": 0.5,
    "within_2km_share": 0.5,
    "mean_net_amount": 0.5,
}
SHARES = tuple(name for name in WEIGHTS if name.endswith("_share"))


def category_counts(purchases: ir.Table, merchants: ir.Table) -> ir.Table:
    """One customer and category: ``customer_id``, ``category`` and the ``purchases`` that were not cancelled.

    Parameters
    ----------
    purchases
        As known before the day.
    merchants
        ``merchant_id`` and ``category``; merchants without one are left out.
    """
    known = merchants.filter(merchants.category.notnull()).select("merchant_id", "category")
    bought = purchases.filter(purchases.cancelled_at.isnull()).select("customer_id", "merchant_id")
    both = bought.inner_join(known, "merchant_id")
    return both.group_by(["customer_id", "category"]).aggregate(purchases=both.count())


def behaviours(features: ir.Table) -> ir.Table:
    """One customer with enough purchases to have a behaviour: ``customer_id``, ``n_purchases`` and what clusters use.

    Parameters
    ----------
    features
        ``customer_features`` of one day.
    """
    enough = features.filter(features.n_purchases >= LEAST_PURCHASES)
    return enough.select("customer_id", "n_purchases", *(enough[name].cast("float64").name(name) for name in WEIGHTS))


@dataclass(frozen=True)
class Habits:
    """The behaviour of customers with enough purchases, in the order of their ids.

    Attributes
    ----------
    customers
        Their ids, shape (n,).
    purchases
        Purchases of each, shape (n,).
    values
        One column a habit: shares as they were seen, not yet drawn towards the population's; NaN where unknown.
    """

    customers: pd.Series[str]
    purchases: Any
    values: pd.DataFrame


def habits(behaviour: pd.DataFrame, counts: pd.DataFrame, categories: list[str] | None = None) -> Habits:
    """Put the habits of customers together, categories beside the rest.

    Parameters
    ----------
    behaviour
        What ``behaviours`` gives.
    counts
        What ``category_counts`` gives.
    categories
        The categories to count; by default the twelve most bought in, if there are two at least.

    Examples
    --------
    >>> seen = pd.DataFrame({"customer_id": ["a"], "n_purchases": [8], **dict.fromkeys(WEIGHTS, [0.5])})
    >>> bought = pd.DataFrame({"customer_id": ["a", "a"], "category": ["cafe", "spa"], "purchases": [6, 2]})
    >>> habits(seen, bought).values["category/cafe"].tolist()
    [0.75]
    """
    ordered = behaviour.sort_values("customer_id", ignore_index=True)
    held = counts[counts["customer_id"].isin(set(ordered["customer_id"]))]
    totals = held.groupby("category")["purchases"].sum()
    if categories is None:
        ranked = totals.reset_index().sort_values(["purchases", "category"], ascending=[False, True])
        categories = sorted(ranked["category"].head(MOST_CATEGORIES)) if len(ranked) > 1 else []
    values = ordered[list(WEIGHTS)].astype("float64")
    values = values.loc[:, values.notna().any()]
    if categories:
        grid = held.pivot_table(index="customer_id", columns="category", values="purchases", aggfunc="sum")
        grid = grid.reindex(ordered["customer_id"]).astype("float64")
        known = grid.sum(axis=1).to_numpy()
        for name in categories:
            column = grid[name].fillna(0.0).to_numpy() if name in grid else np.zeros(len(grid))
            values[CATEGORY + name] = column / np.where(known > 0, known, np.nan)
    return Habits(ordered["customer_id"], ordered["n_purchases"].to_numpy(dtype="float64"), values)


def population(seen: Habits) -> pd.Series[float]:
    """Return the share of all purchases for each habit that is a share; NaN for the others.

    Each customer counts by purchases.
    """
    shares = {}
    for name, column in seen.values.items():
        known = column.notna().to_numpy()
        weight = seen.purchases[known].sum()
        mean = (column.to_numpy()[known] * seen.purchases[known]).sum() / weight if weight else np.nan
        shares[name] = float(rounded(mean)) if is_share(str(name)) and weight else np.nan
    return pd.Series(shares, dtype="float64")


def reliability(seen: Habits, shares: pd.Series[float]) -> pd.Series[float]:
    """Return how much of the differences between customers is theirs, and not the chance of few purchases.

    A share ``p`` of ``n`` purchases differs by ``p (1 - p) / n`` among customers who are all alike; what it differs
    by beyond that, over all it differs by, is its reliability (Spearman 1904). 1 for what is no share.
    """
    found = {}
    for name, column in seen.values.items():
        values = column.dropna()
        among = float(values.var(ddof=0)) if len(values) else 0.0
        p = float(shares[str(name)])
        chance = float(np.mean(p * (1 - p) / seen.purchases[column.notna().to_numpy()])) if len(values) else 0.0
        kept = 1.0 - chance / among if among > 1e-12 else 0.0
        found[name] = float(rounded(min(max(kept, 0.0), 1.0), 6)) if is_share(str(name)) else 1.0
    return pd.Series(found, dtype="float64")


def drawn_in(seen: Habits, shares: pd.Series[float]) -> pd.DataFrame:
    """Draw shares towards the population's: ``(n p + 5 population) / (n + 5)``, so that few purchases say little."""
    drawn = seen.values.copy()
    for name in drawn.columns:
        if is_share(str(name)):
            pulled = seen.purchases * drawn[name].fillna(shares[name]) + PRIOR_PURCHASES * shares[name]
            drawn[name] = pulled / (seen.purchases + PRIOR_PURCHASES)
    return drawn


def is_share(name: str) -> bool:
    """Return whether a habit is a share of purchases.

    Examples
    --------
    >>> is_share("category/cafe"), is_share("mean_net_amount")
    (True, False)
    """
    return name in SHARES or name.startswith(CATEGORY)
