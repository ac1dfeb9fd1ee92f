"""The promise gap of merchants and stores: measured, shrunk towards a promise kept, and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from o2o_mining.contracts.merchants import ALL, MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DIGITS = 6
WINDOW_DAYS, RECENT_DAYS = 90, 30
_Z95 = 1.959964
# How many visits the spread of the category counts as, beside a merchant's own visits.
_PRIOR_VISITS = 20
# Merchants are never all alike: their true gaps are taken to differ by at least so many standard deviations.
_LEAST_DIFFERENCE = 0.05
_LEAST_VISITS = 5


def between_variance(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> float:
    """Return how much true gaps vary about 0, given noisy means of them.

    Parameters
    ----------
    mean, variance
        Shape (n,). Means of visits and the variances of their noise.

    Returns
    -------
    float
        The variance for which squared means are as large as they should be, not below .0025.

    Notes
    -----
    R. C. Paule and J. Mandel, Consensus values and weighting factors, J. Research NBS 87 (1982), about a known centre.

    Examples
    --------
    >>> round(between_variance(np.array([2.0, -2.0]), np.array([1.0, 1.0])), 6)
    3.0
    >>> round(between_variance(np.array([0.1, -0.1]), np.array([1.0, 1.0])), 6)
    0.0025
    """
    least = _LEAST_DIFFERENCE**2

    def excess(tau: float) -> float:
        return float((mean**2 / (variance + tau)).sum()) - len(mean)

    if not len(mean) or excess(least) <= 0:
        return least
    return float(brentq(excess, least, float((mean**2).sum()) + least, xtol=1e-12))


def promise_gaps(rows: pd.DataFrame, weights: Mapping[str, float], *, since_age: pd.Series[int]) -> pd.DataFrame:
    """Return the gap of every merchant and store, by measure and by all together.

    Each measure's mean is shrunk by empirical Bayes: a merchant's towards a promise kept, a store's towards its
    merchant. The sum is weighted, with the weights of what the source tells adding up to 1.

    Parameters
    ----------
    rows
        As `standardised` returns them, of a year.
    weights
        By measure.
    since_age
        By merchant: how many days before as_of its visits count.

    Returns
    -------
    DataFrame
        The columns of ``promise_gaps`` but for ``as_of``, and ``spread``; sorted by its key.

    Examples
    --------
    >>> rows = pd.DataFrame({"measure": "wait", "merchant_id": ["a", "b"], "store_id": ["s", "t"], "age": 3,
    ...                      "value": [10.0, 0.0], "spread": 5.0, "z": [2.0, 0.0], "n": 50})
    >>> found = promise_gaps(rows, {"wait": 0.4}, since_age=pd.Series({"a": 90, "b": 90}))
    >>> found[found.measure == "all"][["level", "id", "gap"]].round(1).values.tolist()
    [['merchant', 'a', 2.0], ['merchant', 'b', 0.0], ['store', 's', 2.0], ['store', 't', 0.0]]
    """
    told = [measure for measure in MEASURES if (rows["measure"] == measure).any()]
    whole = sum(weights[measure] for measure in told)
    counted = rows[rows["age"] <= rows["merchant_id"].map(since_age)]
    merchants = pd.Index(sorted(since_age.index), name="id")
    stores = counted.dropna(subset=["store_id"]).groupby("store_id")["merchant_id"].min().sort_index()
    parts = []
    for measure in told:
        some = counted[counted["measure"] == measure]
        above = _shrunk(_means(some, "merchant_id", merchants))
        below = _stores_shrunk(_means(some, "store_id", stores.index), above, stores)
        parts += [
            part.assign(level=level, measure=measure, weight=weights[measure] / whole)
            for level, part in (("merchant", above), ("store", below))
        ]
    single = pd.concat([part.rename_axis("id").reset_index() for part in parts], ignore_index=True)
    every = pd.concat([single, _together(single)], ignore_index=True)
    every["merchant_id"] = every["id"].where(every["level"] == "merchant", every["id"].map(stores))
    half = _Z95 * np.sqrt(every["variance"])
    every["gap_low"], every["gap_high"] = every["gap"] - half, every["gap"] + half
    numbers = ["gap", "gap_low", "gap_high", "mean", "weight"]
    every[numbers] = every[numbers].round(DIGITS)
    return every.drop(columns="variance").sort_values(["level", "id", "measure"], ignore_index=True)


def gap_trends(rows: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Return by merchant the gap of the last 30 days less that of the 60 days before, with its 95 % interval.

    Parameters
    ----------
    rows
        As `standardised` returns them.
    weights
        By measure; measures with fewer than five observations in either time are left out, and the rest add up to 1.

    Returns
    -------
    DataFrame
        ``gap_trend, gap_trend_low, gap_trend_high`` by merchant; merchants of whom too little is told are left out.

    Examples
    --------
    >>> rows = pd.DataFrame({"measure": "wait", "merchant_id": "a", "age": [3, 60], "z": [2.0, 0.0], "n": 50,
    ...                      "value": 0.0, "spread": 1.0})
    >>> gap_trends(rows, {"wait": 1.0}).gap_trend.tolist()
    [2.0]
    """
    parts = []
    for measure, some in rows[rows["age"] <= WINDOW_DAYS].groupby("measure", sort=True):
        recent = some["age"] <= RECENT_DAYS
        merchants = pd.Index(sorted(some["merchant_id"].unique()), name="id")
        late, early = (_means(some[when], "merchant_id", merchants) for when in (recent, ~recent))
        moved = pd.DataFrame(
            {"moved": late["raw"] - early["raw"], "variance": late["noise"] + early["noise"]}
        )[(late["visits"] >= _LEAST_VISITS) & (early["visits"] >= _LEAST_VISITS)]  # fmt: skip
        parts.append(moved.assign(weight=weights[str(measure)]))
    if not parts:
        return pd.DataFrame(columns=["gap_trend", "gap_trend_low", "gap_trend_high"])
    every = pd.concat(parts)
    every["moved"] *= every["weight"]
    every["variance"] *= every["weight"] ** 2
    sums = every.groupby(level="id").sum()
    trend, half = sums["moved"] / sums["weight"], _Z95 * np.sqrt(sums["variance"]) / sums["weight"]
    found = pd.DataFrame({"gap_trend": trend, "gap_trend_low": trend - half, "gap_trend_high": trend + half})
    return found.round(DIGITS)


def _means(rows: pd.DataFrame, by: str, ids: pd.Index[str]) -> pd.DataFrame:
    """Return by id the number of observations, their mean in both units, and the variance of the mean's noise."""
    weighted = rows["n"] * rows["z"]
    parts = rows.assign(total=weighted, squares=weighted * rows["z"], own=rows["n"] * rows["value"])
    groups = parts.groupby(by)
    sums = groups[["n", "total", "squares", "own"]].sum().reindex(ids, fill_value=0)
    n = sums["n"].clip(lower=1)
    raw = sums["total"] / n
    within = (sums["squares"] - sums["total"] * raw).clip(lower=0.0)
    spread = groups["spread"].first().reindex(ids)
    # The zero of z moves with the merchant's category: where nothing is told, nothing is known of the mean either.
    return pd.DataFrame(
        {
            "visits": sums["n"],
            "mean": (sums["own"] / n).where(sums["n"] > 0),
            "raw": raw,
            "noise": (_PRIOR_VISITS + within) / (_PRIOR_VISITS + n - 1) / n,
            "spread": spread,
        }
    )


def _shrunk(means: pd.DataFrame) -> pd.DataFrame:
    """Shrink means towards 0; where nothing is told, all that is known is how much merchants differ."""
    some = means["visits"] > 0
    tau = between_variance(means.loc[some, "raw"].to_numpy(), means.loc[some, "noise"].to_numpy())
    trusted = (tau / (tau + means["noise"])).where(some, 0.0)
    gap, variance = trusted * means["raw"], tau * (1 - trusted)
    return means[["visits", "mean", "spread"]].assign(gap=gap, variance=variance)


def _stores_shrunk(means: pd.DataFrame, merchants: pd.DataFrame, stores: pd.Series[str]) -> pd.DataFrame:
    """Shrink stores towards their merchant; the only store of a merchant is the merchant."""
    above = merchants.reindex(pd.Index(stores)).set_axis(stores.index)
    siblings = (stores.map(stores.value_counts()) > 1) & (means["visits"] > 0)
    off = means["raw"] - above["gap"]
    tau = between_variance(off[siblings].to_numpy(), means.loc[siblings, "noise"].to_numpy())
    trusted = (tau / (tau + means["noise"])).where(siblings, 0.0)
    own = stores.map(stores.value_counts()) > 1
    return pd.DataFrame(
        {
            "visits": means["visits"],
            "mean": means["mean"],
            "spread": above["spread"],
            "gap": above["gap"] + trusted * off.where(siblings, 0.0),
            "variance": tau * (1 - trusted) * own + (1 - trusted) ** 2 * above["variance"],
        }
    )


def _together(single: pd.DataFrame) -> pd.DataFrame:
    """Return the weighted sum of all measures; its visits are those of the measure that tells most."""
    parts = single.assign(
        gap=single["gap"] * single["weight"], variance=single["variance"] * single["weight"] ** 2
    ).groupby(["level", "id"])
    sums = parts[["gap", "variance"]].sum()
    return sums.assign(visits=parts["visits"].max(), measure=ALL, weight=1.0).reset_index()
