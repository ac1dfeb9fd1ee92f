"""The tree of series: the total, its categories, their merchants and their stores, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from o2o_mining.contracts.demand import EVERYTHING, UNKNOWN

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Level:
    """The series of one level, of shape (days, series), each with the place of its parent one level up.

    Series stand in the order of their parents, so that the children of one parent are neighbours.
    """

    name: str
    ids: tuple[str, ...]
    parent: Array
    values: Array


def build_levels(days: pd.DatetimeIndex, daily: pd.DataFrame, measure: str) -> list[Level]:
    """Return the levels from the total down; the values of each add up to those above.

    Parameters
    ----------
    days
        Every day of the history, in order.
    daily
        ``ds, category, merchant_id, store_id`` and the measure; ``store_id`` is null throughout where no store is
        known. Amounts are whole hundredths, so that sums are exact.
    measure
        Column to add up.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=1)
    >>> daily = pd.DataFrame({"ds": days[[0, 0]], "category": ["spa", None], "merchant_id": ["m1", "m2"],
    ...                       "store_id": [None, None], "purchases": [3, 4]})
    >>> [(level.name, level.ids, level.values.tolist()) for level in build_levels(days, daily, "purchases")]
    [('total', ('(all)',), [[7.0]]),
     ('category', ('(unknown)', 'spa'), [[4.0, 3.0]]),
     ('merchant', ('m2', 'm1'), [[4.0, 3.0]])]
    """
    # A category that differs from row to row is the merchant's: one merchant has one place in the tree.
    rows = daily.assign(category=daily["category"].fillna(UNKNOWN), total=EVERYTHING)
    columns = {"total": "total", "category": "category", "merchant": "merchant_id"}
    if rows["store_id"].notna().any():
        rows["store"] = _stores(rows)
        columns["store"] = "store"
    path = list(columns.values())
    leaves = rows[path].drop_duplicates().sort_values(path, ignore_index=True)
    number = leaves.assign(_leaf=range(len(leaves))).set_index(path[-1])["_leaf"]
    values = np.zeros((len(days), len(leaves)))
    np.add.at(
        values,
        (days.get_indexer(pd.DatetimeIndex(rows["ds"])), number.loc[rows[path[-1]]].to_numpy()),
        rows[measure].to_numpy(dtype="float64"),
    )
    levels = [Level(list(columns)[-1], tuple(leaves[path[-1]]), np.zeros(len(leaves), dtype=np.int64), values)]
    for depth in range(len(path) - 2, -1, -1):
        below = leaves.groupby(path[: depth + 2], sort=True).size().reset_index()
        parents = below[path[: depth + 1]].drop_duplicates().reset_index(drop=True)
        parent = parents.assign(_place=range(len(parents))).set_index(path[depth])["_place"]
        child = levels[0]
        place = parent.loc[below[path[depth]]].to_numpy()
        levels[0] = Level(child.name, child.ids, place, child.values)
        values = added_up(child.values, place)
        nobody = np.zeros(len(parents), dtype=np.int64)
        levels.insert(0, Level(list(columns)[depth], tuple(parents[path[depth]]), nobody, values))
    return levels


def _stores(rows: pd.DataFrame) -> pd.Series:
    """Return the store of each row: without one, or at a store that is another merchant's, the merchant's unknown."""
    counted = rows.dropna(subset=["store_id"]).groupby(["store_id", "merchant_id"], sort=True)["purchases"].sum()
    own = counted.reset_index().sort_values(["purchases", "merchant_id"], ascending=[False, True])
    owner = own.drop_duplicates("store_id").set_index("store_id")["merchant_id"]
    known = rows["store_id"].map(owner) == rows["merchant_id"]
    return rows["store_id"].where(known, unknown_store(rows["merchant_id"]))


def unknown_store(merchant_id: Any) -> Any:
    """Return the id of what a merchant, or each of a column of merchants, sells in no known store.

    Examples
    --------
    >>> unknown_store("m1")
    '(unknown):m1'
    """
    return f"{UNKNOWN}:" + merchant_id


def added_up(values: Array, parent: Array) -> Array:
    """Return the sums over the children of each parent, from shape (days, children) to (days, parents).

    Examples
    --------
    >>> added_up(np.array([[1.0, 2.0, 4.0]]), np.array([0, 0, 1])).tolist()
    [[3.0, 4.0]]
    """
    starts = np.flatnonzero(np.diff(parent, prepend=-1))
    return np.add.reduceat(values, starts, axis=1)


def shared_out(base: Array, above: Array, parent: Array, otherwise: Array) -> Array:
    """Return the children's values in the proportions of ``base``, adding up to what is above them.

    Parameters
    ----------
    base
        Not negative, shape (days, children).
    above
        What each parent has, shape (days, parents).
    parent
        Place of each child's parent.
    otherwise
        Proportions where the base of all children is zero, shape (days, children); where they are zero, too, every
        child has the same.

    Examples
    --------
    >>> base, nothing = np.array([[1.0, 3.0, 0.0]]), np.zeros((1, 3))
    >>> shared_out(base, np.array([[8.0, 2.0]]), np.array([0, 0, 1]), nothing).tolist()
    [[2.0, 6.0, 2.0]]
    """
    for instead in (otherwise, np.ones_like(base)):
        empty = added_up(base, parent) <= 0
        if not empty.any():
            break
        base = np.where(empty[:, parent], instead, base)
    return base * (above / added_up(base, parent))[:, parent]


def coherent(means: Sequence[Array], parents: Sequence[Array], digits: int) -> list[Array]:
    """Round the means of the lowest level and add them up, so that the sums are exact as they are published.

    Parameters
    ----------
    means, parents
        Of each level from the total down.
    digits
        Decimals kept.

    Examples
    --------
    >>> total, leaves = coherent([np.array([[2.0]]), np.array([[0.66666, 1.33334]])], [None, np.array([0, 0])], 2)
    >>> total.tolist(), leaves.tolist()
    ([[2.0]], [[0.67, 1.33]])
    """
    units = [np.rint(means[-1] * 10**digits).astype(np.int64)]
    for parent in reversed(parents[1:]):
        units.insert(0, added_up(units[0], parent))
    return [whole / 10**digits for whole in units]
