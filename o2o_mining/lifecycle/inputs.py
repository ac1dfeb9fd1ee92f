"""What the models of this room learn from: features that mean the same whenever they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from o2o_mining.lifecycle.leaving import LeavingProcess
from o2o_mining.lifecycle.modified_beta_geo import ModifiedBetaGeoNBD
from o2o_mining.lifecycle.visits import Visits, histories, rhythm

if TYPE_CHECKING:
    from datetime import date

# Held down a little, so that a handful of customers does not send a parameter to infinity.
PENALIZER = 1e-4
# Counts that grow with time, and over how many days they reach back (None: over all). A window early in a young log
# would otherwise teach that few purchases are many.
_GROWING: dict[str, int | None] = {
    "n_purchases": None, "n_purchases_90d": 90, "n_purchases_180d": 180, "n_purchases_365d": 365,
    "net_amount": None, "net_amount_90d": 90, "net_amount_180d": 180, "net_amount_365d": 365,
    "n_refunds": None, "refunded_amount": None, "n_receipts": None, "n_coupon_uses": None,
    "n_exposed_purchases": None, "n_reviews": None, "n_complaints": None,
}  # fmt: skip
# How old the log is, which says nothing of a customer; and what looks at customers outside the sample.
_LEFT_OUT = ("tenure_days", "known_days", "n_friends_active_90d")
_FEWEST_DAYS = 7
_MANY = 10


@dataclass(frozen=True)
class Processes:
    """The two models of purchases, as fitted on what was known before one day."""

    leaving: LeavingProcess
    buying: ModifiedBetaGeoNBD

    @classmethod
    def fitted(cls, visits: Visits, day: date) -> Self:
        """Fit both on the purchases before a day; there must be some."""
        known = visits.before(day)
        seen = histories(known, day)
        buying = ModifiedBetaGeoNBD(penalizer=PENALIZER).fit(seen["frequency"], seen["recency"], seen["T"])
        return cls(LeavingProcess().fit(known, day), buying)


def scale_free(features: pd.DataFrame) -> pd.DataFrame:
    """Return features with counts that grow over time as counts a day, and the number of purchases up to ten.

    Parameters
    ----------
    features
        ``customer_features`` of one day, indexed by customer.

    Returns
    -------
    DataFrame
        Floats; NaN where not known.
    """
    numbers: pd.DataFrame = features.astype("float64")
    tenure = numbers["tenure_days"].clip(lower=_FEWEST_DAYS)
    daily = {
        f"{name}_daily": numbers[name] / (tenure if days is None else tenure.clip(upper=days))
        for name, days in _GROWING.items()
    }
    kept = numbers.drop(columns=[*_LEFT_OUT, *_GROWING])
    capped = numbers[["n_purchases"]].clip(upper=_MANY)
    return pd.concat([kept, pd.DataFrame(daily), capped], axis=1)


def model_inputs(
    features: pd.DataFrame, visits: Visits, processes: Processes, *, day: date, horizon_days: int
) -> pd.DataFrame:
    """Return all that the models look at: features, rhythm, and what the processes of purchases expect.

    Parameters
    ----------
    features
        ``customer_features`` of that day of customers who bought before it, indexed by ``customer_id``.
    visits
        All purchases.
    processes
        Fitted on what was known before that day, or earlier.
    day
        The day that is looked from.
    horizon_days
        How far ahead purchases are expected.
    """
    known = visits.before(day, features.index.to_numpy())
    seen = histories(known, day)
    expected = processes.buying.expected_purchases(horizon_days, seen["frequency"], seen["recency"], seen["T"])
    process = {"probability_alive": processes.leaving.probability_alive(known, day), "expected_purchases": expected}
    made = rhythm(known, day).assign(**process)
    inputs: pd.DataFrame = scale_free(features).join(made).replace([np.inf, -np.inf], np.nan)
    return inputs
