"""Learning who uses coupons, and trying it on receipts that came later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from o2o_mining.contracts.pairs import PAIR_FEATURES
from o2o_mining.core.moments import midnight
from o2o_mining.response.kinds import Kinds
from o2o_mining.response.quality import with_intervals
from o2o_mining.response.redemption import RedemptionModel

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

NAMES = tuple(feature.name for feature in PAIR_FEATURES)
# Counts that grow with the log, and over how many days they reach back (None: over all). Receipts early in a young log
# would otherwise teach that few purchases are many.
_GROWING: dict[str, int | None] = {
    "n_visits": None, "n_coupon_visits": None, "n_product_lines": None, "product_amount": None,
    "n_subcategory_lines": None, "subcategory_amount": None, "n_category_lines": None, "category_amount": None,
    "n_product_lines_off": None, "n_subcategory_lines_off": None, "n_category_lines_off": None,
    "n_tills_off": None, "n_visits_90d": 90, "n_product_lines_90d": 90, "n_subcategory_lines_90d": 90,
    "n_tills_off_90d": 90,
}  # fmt: skip
# Seldom and telling: beside the count a month, the regression sees the log of it, with one more added before.
_SELDOM = ("n_tills_off", "n_product_lines_off", "n_subcategory_lines_off", "n_category_lines_off")
# How old the log is and how closely campaigns follow each other, which says nothing of a customer.
_LEFT_OUT = ("tenure_days", "known_days", "n_receipts", "n_campaigns", "n_open", "receipt_days")
_FEWEST_DAYS, _MONTH_DAYS = 14, 30
_RARE = 0.01
_NEVER = 1e-6
# Rolling windows that the model is tried on: how many, and how long.
WINDOWS, WINDOW_DAYS = 2, 56
FEWEST_OF_EACH = 20


@dataclass(frozen=True)
class Learned:
    """A model, the inputs that it looks at, and what it knows: categories and channels, and kinds of customers."""

    model: RedemptionModel
    names: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    kinds: Kinds | None

    def inputs(self, features: pd.DataFrame, evidence: NDArray[np.float64] | None) -> NDArray[np.float32]:
        """Return what the model looks at, shape (n, inputs), of rows of features and what their customers had shown."""
        made = _inputs(features, self.levels, self.kinds, evidence)
        return np.asarray(made[list(self.names)], dtype=np.float32)

    def probability(self, features: pd.DataFrame, evidence: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the probability of use for each row of features; evidence is that of the kinds, if there are any."""
        with threadpool_limits(limits=1):
            return self.model.predict_proba(self.inputs(features, evidence))[:, 1]


def _inputs(
    features: pd.DataFrame,
    levels: dict[str, tuple[str, ...]],
    kinds: Kinds | None,
    evidence: NDArray[np.float64] | None,
) -> pd.DataFrame:
    parts = [scale_free(features), one_hot(features, levels)]
    if kinds is not None and evidence is not None:
        _, come = kinds.chances(features, evidence)
        come = np.clip(come, _NEVER, 1 - _NEVER)
        parts.append(
            pd.DataFrame({"kinds_log_odds": np.log(come / (1 - come))}, index=features.index, dtype=np.float32)
        )
    return pd.concat(parts, axis=1)


def scale_free(features: pd.DataFrame) -> pd.DataFrame:
    """Return what the model looks at: features with counts that grow over time as counts a month.

    Parameters
    ----------
    features
        The features of pairs.

    Returns
    -------
    DataFrame
        Single precision; NaN where not known. A count keeps its name; of those with money off at the till there is the
        log too, ``…_log``, which tells seldom from never better than often from very often.

    Examples
    --------
    >>> features = pd.DataFrame([dict.fromkeys(NAMES, 10.0) | {"tenure_days": 60.0, "n_visits": 4.0}])
    >>> float(scale_free(features)["n_visits"].iloc[0])
    2.0
    """
    numbers = features[list(NAMES)].astype(np.float32)
    tenure = numbers["tenure_days"].clip(lower=_FEWEST_DAYS).fillna(_FEWEST_DAYS)
    monthly = {
        name: numbers[name].fillna(0) / (tenure if days is None else tenure.clip(upper=days)) * _MONTH_DAYS
        for name, days in _GROWING.items()
    }
    logs = {f"{name}_log": np.log((numbers[name].fillna(0) + 1) / tenure * _MONTH_DAYS) for name in _SELDOM}
    return numbers.drop(columns=list(_LEFT_OUT)).assign(**monthly, **logs)


def one_hot(receipts: pd.DataFrame, levels: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    """Return a column of 0 and 1 for each category and channel that is known; a new one is none of them.

    Parameters
    ----------
    receipts
        ``category`` and ``channel``.
    levels
        What is known of each.

    Examples
    --------
    >>> given = pd.DataFrame({"category": ["cafe", "spa"], "channel": [None, "sms"]})
    >>> one_hot(given, {"category": ("cafe",), "channel": ("sms",)}).to_numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    columns = {
        f"{place}={level}": (receipts[place] == level).to_numpy(np.float32)
        for place, known in levels.items()
        for level in known
    }
    return pd.DataFrame(columns, index=receipts.index, dtype=np.float32)


def _levels(values: pd.Series[str]) -> tuple[str, ...]:
    """Return the values that stand in at least a hundredth of the rows, in their own order."""
    shares = values.value_counts(normalize=True)
    return tuple(sorted(shares[shares >= _RARE].index))


def learned(
    receipts: pd.DataFrame, kinds: Kinds | None = None, evidence: NDArray[np.float64] | None = None
) -> Learned | None:
    """Return the model learned from receipts; None where too few were used or not used.

    Parameters
    ----------
    receipts
        ``customer_id, redeemed, category, channel`` and features, in an order of their own: the fit depends on it.
    kinds, evidence
        What tells the hidden kinds of customers, and what it makes of all that these had shown before each receipt: the
        log odds of coming with the offer are an input of the model.
    """
    used = receipts["redeemed"].to_numpy(bool)
    if min(int(used.sum()), int((~used).sum())) < FEWEST_OF_EACH:
        return None
    levels = {place: _levels(receipts[place]) for place in ("category", "channel")}
    inputs = _inputs(receipts, levels, kinds, evidence)
    names = tuple(name for name in inputs.columns if inputs[name].nunique() > 1)
    # One thread: sums do not vary then, and small trees on busy cores do not wait.
    with threadpool_limits(limits=1):
        model = RedemptionModel().fit(
            inputs[list(names)].to_numpy(np.float32), used, groups=receipts["customer_id"].to_numpy()
        )
    return Learned(model, names, levels, kinds)


def out_of_time(receipts: pd.DataFrame, units: pd.DataFrame, *, as_of: date) -> pd.DataFrame:
    """Return receipts of the last windows, each with the probability from a model learned before its window.

    Parameters
    ----------
    receipts
        ``customer_id, coupon_id, campaign_id, known_at, told_at, redeemed`` and features, of receipts whose time was
        up before as_of.
    units
        What `offer_units` returns, of the customers of receipts at least, in an order of their own.
    as_of
        The day of the run.

    Returns
    -------
    DataFrame
        The receipts tried, with ``probability``; empty where nothing could be learned before.
    """
    end = receipts["known_at"].max() if len(receipts) else midnight(as_of)
    tried = []
    for number in range(WINDOWS, 0, -1):
        start = end - timedelta(days=WINDOW_DAYS * number)
        before = receipts[receipts["told_at"] < start]
        window = receipts[(receipts["known_at"] >= start) & (receipts["known_at"] < start + timedelta(WINDOW_DAYS))]
        if not len(window):
            continue
        kinds = Kinds.learned(units[units["told_at"] < start])
        shown = [kinds.evidence(units, rows) if kinds else None for rows in (before, window)]
        made = learned(before, kinds, shown[0])
        if made is not None:
            tried.append(window.assign(probability=made.probability(window, shown[1])))
    return pd.concat(tried, ignore_index=True) if tried else receipts.head(0).assign(probability=np.zeros(0))


def quality(tried: pd.DataFrame) -> pd.DataFrame:
    """Return what the model was worth out of time.

    Parameters
    ----------
    tried
        What `out_of_time` returns.

    Returns
    -------
    DataFrame
        ``model, metric, value, value_low, value_high``; empty without receipts.
    """
    if tried.empty:
        return pd.DataFrame(columns=["model", "metric", "value", "value_low", "value_high"])
    used = tried["redeemed"].to_numpy(bool)
    offer, customer = (tried[name].to_numpy(object) for name in ("coupon_id", "customer_id"))
    made = with_intervals(tried["probability"].to_numpy(np.float64), used, offer, customer)
    counts = pd.DataFrame(
        {"metric": ["receipts", "used_share"], "value": [float(len(used)), float(used.mean())]}
    ).assign(value_low=np.nan, value_high=np.nan)
    return pd.concat([counts, made], ignore_index=True).round(6).assign(model="redemption")
