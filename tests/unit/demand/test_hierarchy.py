"""The tree of series: sums hold at every level, whatever is unknown."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from o2o_mining.demand.hierarchy import added_up, build_levels, coherent, shared_out

DAYS = pd.date_range("2024-01-01", periods=3, unit="us")


def daily(*rows: tuple[int, str | None, str, str | None, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["day", "category", "merchant_id", "store_id", "purchases"])
    return frame.assign(ds=DAYS[frame["day"].to_numpy()])


ROWS = (
    (0, "spa", "m2", "s3", 5),
    (0, "cafe", "m1", "s1", 2),
    (1, "cafe", "m1", None, 3),
    (2, None, "m3", "s9", 1),
    (2, "cafe", "m4", "s1", 4),
    (2, "cafe", "m1", "s1", 7),
)


def test_every_level_adds_up_to_the_one_above() -> None:
    levels = build_levels(DAYS, daily(*ROWS), "purchases")
    assert [level.name for level in levels] == ["total", "category", "merchant", "store"]
    assert levels[0].values.tolist() == [[7], [3], [12]]
    assert levels[1].ids == ("(unknown)", "cafe", "spa")
    for above, level in pairwise(levels):
        assert (added_up(level.values, level.parent) == above.values).all()


def test_what_no_store_sold_and_a_store_of_another_merchant_is_the_merchants_unknown_store() -> None:
    merchants, stores = build_levels(DAYS, daily(*ROWS), "purchases")[2:]
    of = {store: merchants.ids[place] for store, place in zip(stores.ids, stores.parent, strict=True)}
    # s1 sold more for m1 than for m4, so it is m1's.
    assert of == {"s9": "m3", "s1": "m1", "(unknown):m1": "m1", "(unknown):m4": "m4", "s3": "m2"}


def test_without_any_store_there_is_no_level_of_stores() -> None:
    levels = build_levels(DAYS, daily((0, "spa", "m1", None, 1)), "purchases")
    assert [level.name for level in levels] == ["total", "category", "merchant"]


def test_the_order_of_rows_does_not_matter() -> None:
    one, other = (build_levels(DAYS, daily(*rows), "purchases") for rows in (ROWS, ROWS[::-1]))
    for level, again in zip(one, other, strict=True):
        assert (level.ids, level.parent.tolist()) == (again.ids, again.parent.tolist())
        assert (level.values == again.values).all()


def test_nothing_is_shared_out_twice_and_nothing_is_lost() -> None:
    parent = np.array([0, 0, 1, 1])
    above = np.array([[10.0, 6.0]])
    made = shared_out(np.array([[1.0, 4.0, 0.0, 0.0]]), above, parent, np.array([[0.0, 0.0, 1.0, 2.0]]))
    assert made.tolist() == [[2.0, 8.0, 2.0, 4.0]]
    assert shared_out(np.zeros((1, 4)), above, parent, np.zeros((1, 4))).tolist() == [[5.0, 5.0, 3.0, 3.0]]


@pytest.mark.parametrize("seed", range(5))
def test_rounded_means_add_up_exactly(seed: int) -> None:
    leaves = np.random.default_rng(seed).random((7, 50)) * 1000
    parent = np.sort(np.random.default_rng(seed).integers(0, 9, 50))
    parent = np.unique(parent, return_inverse=True)[1]
    total, middle, low = coherent(
        [leaves.sum(axis=1, keepdims=True), added_up(leaves, parent), leaves],
        [np.zeros(1, int), np.zeros(parent.max() + 1, int), parent],
        6,
    )
    units = [np.rint(values * 1e6).astype(np.int64) for values in (total, middle, low)]
    assert (added_up(units[2], parent) == units[1]).all()
    assert (units[1].sum(axis=1, keepdims=True) == units[0]).all()
    assert np.abs(low - leaves).max() <= 5.1e-7
