"""One scale for all measures: what is usual in a category, and how far a visit is from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# A spread is looked for within a merchant and so many days, so that a change for the worse does not widen it.
_BLOCK_DAYS = 28
# With fewer degrees of freedom a category borrows the spread and the usual level of all categories together.
_LEAST_FREEDOM = 100
_LEAST_OBSERVATIONS = 10
# The promise itself is the zero of a wait. Stars, complaints and the like fall short everywhere by how people are:
# their zero is what peers get.
_KEPT_IS_ZERO = "wait"


def standardised(observed: pd.DataFrame) -> pd.DataFrame:
    """Return observations in standard deviations of their category, worse the larger.

    The spread is that of visits about their merchant's mean of 28 days. The zero of a wait is the promise; that of all
    else is the mean of the merchant in the middle, which bad merchants do not move as long as they are fewer than half.
    A wait that all of a city and category have in common on a day (a storm, a holiday) is taken off.

    Parameters
    ----------
    observed
        ``measure, merchant_id, category, city, age, value, n``, in a total order; ``age`` is in days before as_of.

    Returns
    -------
    DataFrame
        The rows whose measure varies at all, with ``z`` and ``spread``, the unit of ``z`` in that of ``value``.

    Examples
    --------
    >>> rows = pd.DataFrame({"measure": "wait", "merchant_id": "m", "category": "spa", "city": "A", "age": [1, 2],
    ...                      "value": [-1.0, 3.0], "n": [30, 30]})
    >>> standardised(rows).z.round(2).tolist()
    [-0.5, 1.49]
    """
    rows = observed.reset_index(drop=True)
    rows["spread"] = _by_category(rows, _spreads)
    rows = rows[rows["spread"] > 0].reset_index(drop=True)
    centre = _by_category(rows, _middles).where(rows["measure"] != _KEPT_IS_ZERO, 0.0)
    rows["z"] = (rows["value"] - centre - _shared_delays(rows)) / rows["spread"]
    return rows


def _blocks(rows: pd.DataFrame) -> list[pd.Series]:
    return [rows["merchant_id"], rows["age"] // _BLOCK_DAYS]


def _spreads(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return by group the pooled standard deviation within merchants and blocks, and its degrees of freedom."""
    sums = _sums(rows, [*keys, "merchant_id", rows["age"] // _BLOCK_DAYS])
    within = (sums["squares"] - sums["total"] ** 2 / sums["n"]).clip(lower=0.0)
    parts = pd.DataFrame({"within": within, "freedom": sums["n"] - 1}).groupby(level=keys).sum()
    # The digits of a sum of squares are those of its parts: what is below is nothing.
    found = np.sqrt(parts["within"].round(9) / parts["freedom"].clip(lower=1))
    # Where nothing varies there is no scale of one's own.
    return pd.DataFrame({"found": found, "freedom": parts["freedom"].where(found > 0, 0)})


def _middles(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return by group the median of the merchants' means; those with few observations speak only if all have few.

    Merchants count alike: bad ones get more reviews, so the middle review may be theirs.
    """
    sums = _sums(rows, [*keys, "merchant_id"])
    means = sums.assign(mean=sums["total"] / sums["n"], told=sums["n"] >= _LEAST_OBSERVATIONS)
    told = means["told"].where(means.groupby(level=keys)["told"].transform("any"), True)
    found = means[told].groupby(level=keys)["mean"].median()
    return pd.DataFrame({"found": found, "freedom": means.groupby(level=keys)["n"].sum() - 1})


def _sums(rows: pd.DataFrame, keys: list[pd.Series | str]) -> pd.DataFrame:
    weighted = rows["n"] * rows["value"]
    parts = rows.assign(total=weighted, squares=weighted * rows["value"])
    sums: pd.DataFrame = parts.groupby(keys)[["n", "total", "squares"]].sum()
    return sums


def _by_category(rows: pd.DataFrame, reckon: Callable[[pd.DataFrame, list[str]], pd.DataFrame]) -> pd.Series[float]:
    """Return for each row what is reckoned for its category and measure, or for its measure where that is thin."""
    own = reckon(rows, ["measure", "category"])
    every = reckon(rows, ["measure"])["found"]
    thin = own["freedom"] < _LEAST_FREEDOM
    borrowed = own.index.get_level_values("measure").map(every.to_dict())
    found = own["found"].where(~thin, borrowed)
    places = pd.MultiIndex.from_frame(rows[["measure", "category"]])
    return pd.Series(found.reindex(places).to_numpy(), index=rows.index)


def _shared_delays(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return how much longer others of the same city and category let wait on the day, held back as far as it is noise.

    The visits of a merchant have no part in what is taken off them, so no merchant can hide among its own.
    """
    delays = np.zeros(len(rows))
    waits = rows[rows["measure"] == _KEPT_IS_ZERO]
    if waits.empty:
        return delays
    weighted = (waits["n"] * waits["value"]).groupby(_blocks(waits)).transform("sum")
    of_block = waits["n"].groupby(_blocks(waits)).transform("sum")
    off = waits.assign(off=waits["n"] * (waits["value"] - weighted / of_block))
    day = ["category", "city", "age"]
    whole, own = (off.groupby(keys)[["off", "n"]].transform("sum") for keys in (day, [*day, "merchant_id"]))
    others = whole - own
    days = off.groupby(day).agg(off=("off", "sum"), n=("n", "sum"), spread=("spread", "first")).reset_index()
    days["beyond"] = days["off"] ** 2 / days["n"] - days["spread"] ** 2
    common = days.groupby("category")[["beyond", "n"]].sum()
    variance = waits["category"].map((common["beyond"] / common["n"]).clip(lower=0.0))
    count = others["n"].clip(lower=1)
    trusted = variance / (variance + waits["spread"] ** 2 / count)
    delays[waits.index] = np.where(others["n"] > 0, trusted * others["off"] / count, 0.0)
    return delays
