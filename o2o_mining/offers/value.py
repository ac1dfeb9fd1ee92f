"""What an offer is worth to the merchant, the customer and the platform."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from o2o_mining.core.settings import Settings

SIDES = ("merchant", "customer", "platform")


def valued(candidates: pd.DataFrame, coupons: pd.DataFrame, worth_later: pd.Series[float], settings: Settings) -> None:
    """Add to candidates what they are worth to each side, together, and what they cost.

    With the offer the customer comes with the probability of redemption, p1; without it with p0 = p1 - uplift. Without
    causal data the uplift is assumed: a share of p1. The merchant gets the margin of the visits, less the discounts
    and the contact; the customer what is taken off; the platform its commission on what is paid, and on a share of
    what a customer who comes more often brings later.

    Parameters
    ----------
    candidates
        ``customer_id, coupon_id, redemption_probability, uplift``; gets ``value_merchant, value_customer,
        value_platform, expected_value, expected_cost, contact_cost``, null where no amount was ever seen.
    coupons
        As `coupon_values` returns them.
    worth_later
        By customer: what the next 90 days bring; customers not named bring nothing.
    settings
        Weights and shares.
    """
    place = coupons.index.get_indexer(pd.Index(candidates["coupon_id"]))

    def of(name: str) -> NDArray[np.float64]:
        return np.asarray(coupons[name].to_numpy(np.float64)[place])

    p1 = candidates["redemption_probability"].to_numpy(np.float64)
    uplift = candidates["uplift"].to_numpy(np.float64, na_value=np.nan)
    uplift = np.where(np.isnan(uplift), settings.assumed_incremental_share * p1, uplift)
    p1 = np.maximum(p1, uplift)
    p0 = np.maximum(p1 - uplift, 0.0)
    off, contact, margin, commission = (
        of(name) for name in ("taken_off", "contact_cost", "margin_share", "commission_share")
    )
    with_it, without = of("basket_with"), of("basket_without")
    later = candidates["customer_id"].map(worth_later).fillna(0.0).to_numpy(np.float64)
    values = {
        "merchant": p1 * (margin * with_it - off) - p0 * margin * without - contact,
        "customer": p1 * off,
        "platform": commission * (p1 * (with_it - off) - p0 * without + settings.retention_share * uplift * later),
    }
    for side in SIDES:
        candidates[f"value_{side}"] = values[side].round(6)
    candidates["expected_value"] = weighted(candidates, settings).round(6)
    candidates["expected_cost"] = (p1 * off + contact).round(6)
    candidates["contact_cost"] = contact


def weighted(candidates: pd.DataFrame, settings: Settings) -> pd.Series[float]:
    """Return the value of the three sides together, by the weights of the settings."""
    weights = {"merchant": settings.weight_merchant, "customer": settings.weight_customer}
    weights["platform"] = settings.weight_platform
    total = sum(weights[side] * candidates[f"value_{side}"] for side in SIDES)
    return pd.Series(total, index=candidates.index)


def better_for_all(plan: Mapping[str, float], others: Mapping[str, Mapping[str, float]]) -> str | None:
    """Return the name of the plan that is worth more to every side, if there is one; of several the most in sum.

    None of the others is worth more to every side than that one.

    Examples
    --------
    >>> others = {"first": {"merchant": 2, "customer": 1}, "second": {"merchant": 2, "customer": 3}}
    >>> better_for_all({"merchant": 1, "customer": 1}, others)
    'second'
    """
    better = [name for name, other in others.items() if all(other[side] > worth for side, worth in plan.items())]
    return max(better, key=lambda name: math.fsum(others[name].values()), default=None)
