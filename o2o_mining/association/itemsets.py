"""Frequent itemsets and rules of a table of baskets, with the columns of mlxtend."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from o2o_mining.association.mining import MOST_SETS, Array, Sets, TooManySetsError, frequent_sets, least_count
from o2o_mining.core.errors import UsageError

METRICS = (
    "antecedent support", "consequent support", "support", "confidence", "lift", "representativity", "leverage",
    "conviction", "zhangs_metric", "jaccard", "certainty", "kulczynski",
)  # fmt: skip
_NEAR = 1e-9  # of a threshold: a float this near is compared by whole numbers


def frequent_itemsets(baskets: pd.DataFrame, *, min_support: float, max_length: int | None = None) -> pd.DataFrame:
    """Return every set of items that a share of all baskets holds.

    Parameters
    ----------
    baskets
        ``basket_id, item``, one row an item in a basket; a row twice counts once. A basket whose items are all null
        counts as a basket; rows without a basket_id do not count.
    min_support
        Least share of baskets, above 0 and at most 1. The least count is ``ceil(min_support * n)``, reckoned with the
        decimal number that ``min_support`` prints as.
    max_length
        Longest itemset; None for any.

    Returns
    -------
    DataFrame
        ``itemset`` (frozenset), ``support`` (share of baskets), ``count``; by length, then by items.

    Raises
    ------
    UsageError
        If a column is missing, a parameter is out of range, or there are more than a million itemsets: the next step
        then names a support that fits.

    Notes
    -----
    Exact: Eclat on bitmaps, projected to the baskets of each item. Source: M. J. Zaki, Scalable algorithms for
    association mining, IEEE TKDE 12 (2000).

    Examples
    --------
    >>> baskets = pd.DataFrame({"basket_id": [1, 1, 2, 2, 3], "item": ["tea", "cup", "tea", "cup", "tea"]})
    >>> found = frequent_itemsets(baskets, min_support=0.6)
    >>> [(sorted(one), count) for one, count in zip(found["itemset"], found["count"], strict=True)]
    [(['cup'], 2), (['tea'], 3), (['cup', 'tea'], 2)]
    """
    missing = [name for name in ("basket_id", "item") if name not in baskets.columns]
    if missing:
        raise UsageError(f"baskets lack {', '.join(missing)}", next_step="pass basket_id, item")
    if not 0 < min_support <= 1:
        raise UsageError(f"min_support = {min_support} is not in (0, 1]", next_step="pass a share of all baskets")
    if max_length is not None and max_length < 1:
        raise UsageError(f"max_length = {max_length} is below 1", next_step="pass None for any length")
    basket, basket_ids = pd.factorize(baskets["basket_id"])
    item, items = pd.factorize(baskets["item"])
    order = _ranks(items)
    known = (basket >= 0) & (item >= 0)
    least = least_count(min_support, len(basket_ids))
    found = mined_within(
        basket[known], order[item[known]], n_baskets=len(basket_ids), least=least, max_length=max_length
    )
    return _named(found, np.asarray(items, object)[np.argsort(order)], len(basket_ids))


def mined_within(
    basket: Array, item: Array, *, n_baskets: int, least: int, max_length: int | None = None, most: int = MOST_SETS
) -> list[Sets]:
    """Return the frequent itemsets over codes, or say which support would fit.

    Raises
    ------
    UsageError
        If there are more itemsets than ``most``.

    Examples
    --------
    >>> basket, item = np.divmod(np.arange(60), 12)
    >>> mined_within(basket, item, n_baskets=5, least=1, most=100)
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.UsageError: more than 100 itemsets are in at least 1 of 5 baskets. Next: no support fits: \
pass max_length=1
    """
    fits, found = fitting_sets(basket, item, least=least, max_length=max_length, most=most)
    if fits == least:
        return found
    said = f"more than {most:,} itemsets are in at least {least:,} of {n_baskets:,} baskets"
    raise UsageError(
        said, next_step=f"min_support={fits / n_baskets:.6g} fits" if found else "no support fits: pass max_length=1"
    )


def fitting_sets(
    basket: Array, item: Array, *, least: int, max_length: int | None, most: int
) -> tuple[int, list[Sets]]:
    """Return the frequent itemsets, from the first count on, tried from ``least`` up, that has few enough.

    Returns
    -------
    tuple
        The least count that was taken, and the itemsets; none if nothing is as common as that.

    Examples
    --------
    >>> basket, item = np.divmod(np.arange(60), 12)
    >>> fitting_sets(basket, item, least=1, max_length=None, most=100)
    (6, [])
    """
    while True:
        try:
            return least, frequent_sets(basket, item, least=least, max_length=max_length, most=most)
        except TooManySetsError as stopped:
            # Of the sets found until the search stopped, at most half may stay.
            least = max(2 * least, int(np.quantile(stopped.counts, 0.5)) + 1)


def association_rules(
    itemsets: pd.DataFrame, *, n_baskets: int, min_confidence: float = 0.0, min_lift: float = 0.0
) -> pd.DataFrame:
    """Return every rule that splits a frequent itemset in two, with the metrics of mlxtend.

    Parameters
    ----------
    itemsets
        ``itemset`` and ``count``, as ``frequent_itemsets`` gives them: with every subset of every itemset.
    n_baskets
        Number of all baskets, at least 1.
    min_confidence, min_lift
        Least confidence and least lift. They are compared as whole numbers of baskets, so that a rule exactly on a
        threshold stays.

    Returns
    -------
    DataFrame
        ``antecedents``, ``consequents`` (frozensets) and mlxtend's metrics under its names; in the order of the
        itemsets, then by the antecedents' place in them.

    Raises
    ------
    UsageError
        If a column or a subset is missing, or n_baskets is smaller than a count.

    Notes
    -----
    Source of the metrics: S. Raschka, MLxtend, JOSS 3 (2018), 638; M. Hahsler, A probabilistic comparison of commonly
    used interest measures for association rules.

    Examples
    --------
    >>> baskets = pd.DataFrame({"basket_id": [1, 1, 2, 2, 3], "item": ["tea", "cup", "tea", "cup", "tea"]})
    >>> rules = association_rules(frequent_itemsets(baskets, min_support=0.6), n_baskets=3, min_confidence=0.7)
    >>> rules[["antecedents", "consequents", "confidence", "lift"]].to_dict("records")
    [{'antecedents': frozenset({'cup'}), 'consequents': frozenset({'tea'}), 'confidence': 1.0, 'lift': 1.0}]
    """
    missing = [name for name in ("itemset", "count") if name not in itemsets.columns]
    if missing:
        raise UsageError(f"itemsets lack {', '.join(missing)}", next_step="pass what frequent_itemsets gives")
    known = dict(zip(itemsets["itemset"], itemsets["count"].astype(int).tolist(), strict=True))
    if n_baskets < max(known.values(), default=1):
        raise UsageError(f"n_baskets = {n_baskets} is less than a count", next_step="pass the number of all baskets")
    sides, counts = _splits(known)
    left, right, both = counts.T
    kept = _reaches(both, left, min_confidence)
    kept &= _reaches(both * n_baskets, left * right, min_lift)
    rules = pd.DataFrame(
        {side: pd.Series([pair[at] for pair, keep in zip(sides, kept, strict=True) if keep], dtype=object)
         for at, side in enumerate(("antecedents", "consequents"))}
    )  # fmt: skip
    return rules.assign(**metrics(left[kept], right[kept], both[kept], n_baskets))


def _splits(known: dict[frozenset[Any], int]) -> tuple[list[tuple[frozenset[Any], frozenset[Any]]], Array]:
    """Return both sides of every rule, and the baskets that hold the left one, the right one and both, shape (n, 3)."""
    sides: list[tuple[frozenset[Any], frozenset[Any]]] = []
    counts: list[tuple[int, int, int]] = []
    try:
        for itemset, count in known.items():
            members = sorted(itemset, key=str)
            for size in range(len(members) - 1, 0, -1):
                for some in combinations(members, size):
                    others = itemset - frozenset(some)
                    sides.append((frozenset(some), others))
                    counts.append((known[frozenset(some)], known[others], count))
    except KeyError as error:
        raise UsageError(
            f"the subset {error} of an itemset is missing", next_step="pass what frequent_itemsets gives"
        ) from None
    return sides, np.array(counts, np.int64).reshape(len(counts), 3)


def metrics(left: Array, right: Array, both: Array, n_baskets: int) -> dict[str, Array]:
    """Return the metrics of rules by name, from the baskets that hold their left side, right side and both.

    Examples
    --------
    >>> metrics(np.array([4]), np.array([5]), np.array([3]), 10)["lift"].tolist()
    [1.5]
    """
    a, c, s = left / n_baskets, right / n_baskets, both / n_baskets
    confidence, back = both / left, both / right
    leverage = s - a * c
    with np.errstate(divide="ignore", invalid="ignore"):
        conviction = np.where(both == left, np.inf, (1 - c) / (1 - confidence))
        most = np.maximum(s * (1 - a), a * (c - s))
        zhang = np.where(most == 0, 0.0, leverage / most)
        certainty = np.where(right == n_baskets, 0.0, (confidence - c) / (1 - c))
    values = (
        a, c, s, confidence, both * n_baskets / (left * right.astype(float)), np.ones(len(left)), leverage,
        conviction, zhang, both / (left + right - both), certainty, (confidence + back) / 2,
    )  # fmt: skip
    return dict(zip(METRICS, values, strict=True))


def _reaches(part: Array, whole: Array, least: float) -> Array:
    """Return where ``part / whole`` is at least a decimal number; what is near it is compared as whole numbers."""
    ratio = part / whole
    reaches = np.asarray(ratio >= least)
    exact = Fraction(str(float(least)))
    for at in np.flatnonzero(np.abs(ratio - least) <= _NEAR * max(1.0, abs(least))):
        reaches[at] = int(part[at]) * exact.denominator >= exact.numerator * int(whole[at])
    return reaches


def _ranks(items: Any) -> Array:
    """Return the place of each item in their order; what cannot be compared goes by kind and text."""
    values = list(items)
    try:
        order = sorted(range(len(values)), key=values.__getitem__)
    except TypeError:
        order = sorted(range(len(values)), key=lambda at: (type(values[at]).__name__, str(values[at])))
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values))
    return ranks


def _named(found: list[Sets], names: Array, n_baskets: int) -> pd.DataFrame:
    itemsets = [frozenset(row) for one in found for row in names[one.items].tolist()]
    counts = np.concatenate([one.counts for one in found]) if found else np.array([], np.int64)
    return pd.DataFrame(
        {"itemset": pd.Series(itemsets, dtype=object), "support": counts / max(n_baskets, 1), "count": counts}
    )
