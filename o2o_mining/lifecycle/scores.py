"""Each customer: gone or there, what purchases and what money to expect, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import gamma

from o2o_mining.core.errors import UsageError
from o2o_mining.lifecycle.gamma_gamma import GammaGamma
from o2o_mining.lifecycle.inputs import PENALIZER, Processes, model_inputs
from o2o_mining.lifecycle.learning import VALUE_DAYS, Windows, fit_churn, fit_value
from o2o_mining.lifecycle.reasons import reason_codes
from o2o_mining.lifecycle.visits import Visits, histories, mean_amounts

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

YEAR_DAYS = 365
# An opinion is never quite certain.
_CERTAIN = 1e-4
# The middle 80 % of a normal distribution, in standard deviations to either side.
Z80 = 1.281552


def churn_scores(
    features: pd.DataFrame, visits: Visits, windows: Windows | None, *, as_of: date, horizon_days: int
) -> pd.DataFrame:
    """One customer who bought: the chance of no purchase, of being there, and what purchases and money to expect.

    Parameters
    ----------
    features
        ``customer_features`` of as_of of everybody who bought, indexed by ``customer_id``.
    visits
        Purchases before as_of.
    windows
        What to learn from; without, the processes of purchases alone tell.
    as_of
        The day.
    horizon_days
        How far churn looks ahead.

    Returns
    -------
    DataFrame
        The columns of ``churn_scores`` without as_of. Intervals are at 80 % and hold what will come, not its mean.
    """
    features = features.sort_index()
    processes = Processes.fitted(visits, as_of)
    seen = histories(visits, as_of).loc[features.index]
    there = pd.Series(processes.leaving.probability_alive(visits, as_of), index=visits.customers)
    scores = pd.DataFrame({"horizon_days": horizon_days}, index=features.index)
    purchases = {
        days: processes.buying.expected_purchases(days, seen["frequency"], seen["recency"], seen["T"])
        for days in (VALUE_DAYS, YEAR_DAYS)
    }
    scores["expected_purchases_90d"] = purchases[VALUE_DAYS]
    scores["churn_probability"] = _no_purchase(processes, seen, horizon_days)
    scores["reason_codes"] = [[] for _ in range(len(scores))]
    inputs = None
    if windows is not None:
        inputs = model_inputs(features, visits, windows.processes, day=as_of, horizon_days=horizon_days)
        learned = fit_churn(windows, windows.ending(as_of, horizon_days))
        if learned:
            model, names = learned
            scores["churn_probability"] = model.predict_proba(inputs[names])[:, 1]
            scores["reason_codes"] = reason_codes(model.contributions(inputs[names]), inputs[names], features)
    # Two opinions of the same question are pooled by their log odds: timing alone, and whether a purchase is due.
    opinions = (there.loc[features.index].to_numpy(), 1 - scores["churn_probability"].to_numpy())
    pooled = np.mean([logit(np.clip(one, _CERTAIN, 1 - _CERTAIN)) for one in opinions], axis=0)
    scores["probability_alive"] = expit(pooled)
    valued = fit_value(windows, windows.ending(as_of, VALUE_DAYS)) if windows is not None else None
    money: pd.DataFrame | None
    if valued and inputs is not None:
        worth, names = valued
        money = _money(worth.predict_distribution(inputs[names]))
    else:
        money = _money_by_process(processes, seen, purchases[VALUE_DAYS], visits)
    known = (mean_amounts(visits).loc[features.index, "frequency"] > 0).to_numpy() & (money is not None)
    return _with_value(scores, money, purchases, known)


def _no_purchase(processes: Processes, seen: pd.DataFrame, days: int) -> NDArray[np.float64]:
    """Return the chance of no purchase by the process: gone, or there and slow."""
    r, alpha = processes.buying.params_["r"], processes.buying.params_["alpha"]
    there = processes.buying.probability_alive(seen["frequency"], seen["recency"], seen["T"])
    still = ((alpha + seen["T"]) / (alpha + seen["T"] + days)) ** (r + seen["frequency"])
    return np.asarray(1 - there * (1 - still))


def _money(about: pd.DataFrame) -> pd.DataFrame:
    """Return the money to come; an interval that leaves out its own expectation helps nobody."""
    return about.assign(low=about[["low", "mean"]].min(axis=1), high=about[["high", "mean"]].max(axis=1))


def _money_by_process(
    processes: Processes, seen: pd.DataFrame, purchases: NDArray[np.float64], visits: Visits
) -> pd.DataFrame | None:
    """Return the money to expect by the processes of purchases and amounts; None where no amount is known.

    The spread is that of a compound process: whether the customer is there, the rate, how many, how much each.
    """
    paid = mean_amounts(visits).loc[seen.index]
    some = (paid["monetary_value"] > 0).to_numpy()
    if not some.any():
        return None
    try:
        amounts = GammaGamma(penalizer=PENALIZER).fit(paid["frequency"][some], paid["monetary_value"][some])
    except UsageError:
        return None
    spend = amounts.expected_spend(paid["frequency"], paid["monetary_value"])
    there = processes.buying.probability_alive(seen["frequency"], seen["recency"], seen["T"])
    if_there = purchases / np.maximum(there, 1e-12)
    rate = processes.buying.params_["r"] + seen["frequency"].to_numpy()
    spread = there * (if_there + if_there**2 / rate + if_there**2) - purchases**2
    mean = purchases * spend
    sd = spend * np.sqrt(np.maximum(spread, 0) + purchases / amounts.params_["p"])
    shape = np.maximum((mean / np.maximum(sd, 1e-12)) ** 2, 1e-6)
    ends = {name: gamma.ppf(q, shape, scale=mean / shape) for name, q in (("low", 0.1), ("median", 0.5), ("high", 0.9))}
    return _money(pd.DataFrame({"mean": mean, **ends, "sd": sd}))


def _with_value(
    scores: pd.DataFrame,
    money: pd.DataFrame | None,
    purchases: dict[int, NDArray[np.float64]],
    known: NDArray[np.bool_],
) -> pd.DataFrame:
    """Add the money of 90 days and of a year, which is that of 90 days times the purchases of a year over theirs."""
    ratio = purchases[YEAR_DAYS] / np.maximum(purchases[VALUE_DAYS], 1e-12)
    longer = np.clip(ratio, 1.0, YEAR_DAYS / VALUE_DAYS)
    for days, times in ((VALUE_DAYS, 1.0), (YEAR_DAYS, longer)):
        for what, name in (("mean", ""), ("low", "_low"), ("high", "_high"), ("median", "_median"), ("sd", "_sd")):
            value = np.nan if money is None else money[what].to_numpy() * times
            scores[f"clv_{days}d{name}"] = np.where(known, value, np.nan)
    ratios = ["churn_probability", "probability_alive", "expected_purchases_90d"]
    scores[ratios] = scores[ratios].clip(lower=0).round(6)
    amounts = [name for name in scores.columns if name.startswith("clv_")]
    scores[amounts] = scores[amounts].round(2)
    return scores.reset_index()


def cohorts(scores: pd.DataFrame, visits: Visits, *, common_error: float = 0.0) -> pd.DataFrame:
    """One month of first purchases: how many came, how many are there, what they brought and will bring.

    Parameters
    ----------
    scores
        As `churn_scores` returns them.
    visits
        Purchases before as_of.
    common_error
        By what share all predictions together were off when they were tried: it does not even out in large groups.

    Returns
    -------
    DataFrame
        The columns of ``customer_cohorts`` without as_of. Intervals are at 80 %: variances of customers add up, and the
        common error comes on top.
    """
    first = np.full(len(visits.customers), np.inf)
    np.minimum.at(first, visits.code, visits.day)
    month = pd.to_datetime(first, unit="D").to_period("M").to_timestamp().date
    brought = np.bincount(visits.code, np.nan_to_num(visits.amount), minlength=len(visits.customers))
    about = pd.DataFrame({"cohort_on": month, "net_amount": brought}, index=visits.customers)
    table = scores.set_index("customer_id").join(about)
    squares = {name: table[name] ** 2 for name in ("clv_90d_sd", "clv_365d_sd")}
    table = table.assign(**squares)
    sums = {name: table.groupby("cohort_on")[name].sum(min_count=1) for name in ("clv_90d", "clv_365d", *squares)}
    made = table.groupby("cohort_on").agg(
        customers=("horizon_days", "size"), there=("probability_alive", "sum"), net_amount=("net_amount", "sum")
    )
    made["there"] = made["there"].round(3)
    for name in ("clv_90d", "clv_365d"):
        half = Z80 * np.sqrt(sums[f"{name}_sd"] + (common_error * sums[name]) ** 2)
        made[name] = sums[name]
        made[f"{name}_low"], made[f"{name}_high"] = (sums[name] - half).clip(lower=0), sums[name] + half
    return made.round(3).reset_index()
