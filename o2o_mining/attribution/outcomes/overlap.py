"""Orders consumed in a store beside orders delivered, as if the same customers had placed both.

Orders are weighted by the chance that they had been of the other kind, given what was known before them: overlap
weights, which look where both kinds are likely and give both the same mean of everything that the chance was reckoned
from. What is left is not due to who the customers are, as far as that is known.

Li, F., Morgan, K. L. and Zaslavsky, A. M. (2018). Balancing covariates via propensity score weighting. Journal of the
American Statistical Association 113, 390-400.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.linear_model import LogisticRegression

from o2o_mining.attribution.effects.experiments import LEVEL

ORDER_OUTCOMES = ("converted", "repeat", "basket", "margin", "acquisition_cost")
ALL = "(all)"
_MONEY = ("basket", "margin", "acquisition_cost")
_COUNTS = ("purchases_before", "cents_before", "deliveries_before", "coupons_before")
_DAYS = ("days_since_first", "days_since_last", "days_ago")
# So many orders of either kind, the weighted ones counted as what they are worth, or no figure.
_LEAST = 30
_LARGEST_GAP = 0.1

Floats = npt.NDArray[np.float64]


def overlap_weights(in_store: npt.NDArray[np.bool_], features: Floats) -> tuple[Floats, str]:
    """Return the weight of each order, and why there is none that will do.

    Parameters
    ----------
    in_store
        Whether the order was for the store, shape (n,).
    features
        What was known before, shape (n, n_features); columns without any variation are left out.

    Returns
    -------
    numpy.ndarray
        The chance of the other kind, shape (n,).
    str
        Empty, ``too_few`` or ``no_overlap``.

    Examples
    --------
    >>> in_store = np.arange(80) % 2 == 0
    >>> weights, reason = overlap_weights(in_store, np.zeros((80, 1)))
    >>> weights[:2].tolist(), reason
    ([0.5, 0.5], '')
    """
    if min(in_store.sum(), (~in_store).sum()) < _LEAST:
        return np.ones(len(in_store)), "too_few"
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if scaled.shape[1]:
        # Hardly held back, since it is the unheld fit that balances exactly.
        model = LogisticRegression(C=1e4, solver="newton-cholesky", max_iter=200)
        chance = model.fit(scaled, in_store).predict_proba(scaled)[:, 1]
    else:
        chance = np.full(len(in_store), in_store.mean())
    weights = np.where(in_store, 1 - chance, chance)
    worth = min(weights[side].sum() ** 2 / (weights[side] @ weights[side]) for side in (in_store, ~in_store))
    sides = [np.average(scaled[side], axis=0, weights=weights[side]) for side in (in_store, ~in_store)]
    apart = worth < _LEAST or float(np.abs(sides[0] - sides[1]).max(initial=0.0)) > _LARGEST_GAP
    return weights, "no_overlap" if apart else ""


def weighted_difference(
    in_store: npt.NDArray[np.bool_], weights: Floats, outcome: Floats, customers: npt.NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return the weighted mean of either kind and the standard error of their difference, by customers.

    Parameters
    ----------
    in_store, weights, outcome
        Shape (n,).
    customers
        Numbers of the customers from 0, shape (n,): orders of one customer are no independent draws.

    Examples
    --------
    >>> in_store, outcome = np.array([True, True, False, False]), np.array([4.0, 2.0, 1.0, 1.0])
    >>> store, delivered, error = weighted_difference(in_store, np.ones(4), outcome, np.arange(4))
    >>> store, delivered, round(error, 6)
    (3.0, 1.0, 0.707107)
    """
    parts = np.zeros(len(outcome))
    means = []
    for side, sign in ((in_store, 1.0), (~in_store, -1.0)):
        total = weights[side].sum()
        mean = float(weights[side] @ outcome[side] / total)
        parts[side] = sign * weights[side] * (outcome[side] - mean) / total
        means.append(mean)
    by_customer = np.bincount(customers, weights=parts)
    return means[0], means[1], float(np.sqrt(by_customer @ by_customer))


def compared_orders(orders: pd.DataFrame) -> pd.DataFrame:
    """Return one row per outcome of all orders, of each channel's and of each category's.

    Parameters
    ----------
    orders
        As ``orders.online_orders`` gives them, in a total order.

    Returns
    -------
    DataFrame
        The columns of ``o2o_b2c`` without as_of; money as floats.
    """
    rows: list[dict[str, Any]] = []
    groups = [("total", ALL, orders)]
    for dimension in ("channel", "category"):
        groups += [(dimension, str(name), some) for name, some in orders.groupby(dimension, sort=True)]
    for dimension, name, some in groups:
        rows += [{"dimension": dimension, "id": name, **row} for row in _of_group(some)]
    return pd.DataFrame(rows)


def _of_group(orders: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Give the comparison of one group by each outcome, among the orders for which it is decided."""
    weighed: dict[bytes, tuple[Floats, str]] = {}
    for outcome in ORDER_OUTCOMES:
        is_known = orders[outcome].notna().to_numpy(dtype=bool)
        known = orders[is_known]
        in_store = known["in_store"].to_numpy(dtype=bool)
        values = known[outcome].to_numpy(dtype=np.float64) / (100.0 if outcome in _MONEY else 1.0)
        kinds = known.groupby("customer_id")["in_store"].nunique()
        row: dict[str, Any] = {
            "outcome": outcome, "n_store": int(in_store.sum()), "n_delivered": int((~in_store).sum()),
            "customers": len(kinds), "customers_of_both": int((kinds == 2).sum()),
        }  # fmt: skip
        if is_known.tobytes() not in weighed:  # most outcomes are known of the same orders
            weighed[is_known.tobytes()] = overlap_weights(in_store, _features(known))
        weights, reason = weighed[is_known.tobytes()]
        yield row | (_refused(reason) if reason else _found(in_store, weights, values, known["customer_id"]))


def _refused(reason: str) -> dict[str, Any]:
    nothing = ("mean_store", "mean_delivered", "difference", "difference_low", "difference_high", "p_value",
               "plain_difference")  # fmt: skip
    return {**dict.fromkeys(nothing), "label": "refused", "reason_code": reason}


def _found(
    in_store: npt.NDArray[np.bool_], weights: Floats, values: Floats, customers: pd.Series[str]
) -> dict[str, Any]:
    store, delivered, error = weighted_difference(in_store, weights, values, pd.factorize(customers)[0])
    difference = store - delivered
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    figures = {
        "mean_store": store, "mean_delivered": delivered, "difference": difference,
        "difference_low": difference - half, "difference_high": difference + half,
        "p_value": float(2 * stats.norm.sf(abs(difference) / error)) if error else float(difference == 0),
        "plain_difference": float(values[in_store].mean() - values[~in_store].mean()),
    }  # fmt: skip
    rounded = {name: round(value, 6) for name, value in figures.items()}
    return {**rounded, "label": "observational", "reason_code": None}


def _features(orders: pd.DataFrame) -> Floats:
    """Return what was known before each order as numbers: few buy much, so counts and money go by their logarithm."""
    logs = np.log1p(orders[list(_COUNTS)].to_numpy(dtype=np.float64).clip(0))
    days = orders[list(_DAYS)].to_numpy(dtype=np.float64)
    habit = orders["deliveries_before"].to_numpy(dtype=np.float64) / orders["purchases_before"].clip(lower=1)
    flags = [orders["purchases_before"] > 0, orders["has_coupon"] > 0]
    named = pd.get_dummies(orders[["channel", "category"]], dtype=float).to_numpy()
    columns = [
        logs,
        np.log1p(days[:, :2]),
        days,
        habit.to_numpy()[:, None],
        *(f.to_numpy(float)[:, None] for f in flags),
    ]
    return np.hstack([*columns, named])
