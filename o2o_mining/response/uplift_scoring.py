"""Uplift of every candidate, from how its customer took earlier offers and from what trials made of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.core.errors import UsageError
from o2o_mining.response.kinds import Kinds
from o2o_mining.response.overlap import FLOOR, check_overlap, propensities
from o2o_mining.response.qini import qini_coefficient, uplift_at_k
from o2o_mining.response.trials import Calibration, calibrated, effect_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# So many of either arm make a trial.
_FEWEST = 30
_MOST_ROWS = 40_000
# Nobody stands for more than ten customers.
_RARELY = 0.1
UPLIFTS = ("uplift", "uplift_low", "uplift_high")


@dataclass(frozen=True)
class UpliftScorer:
    """What tells the uplift of a pair of a customer and a coupon.

    Attributes
    ----------
    basis
        ``experiment`` or ``observational``.
    calibration
        What trials made of the predictions.
    measures
        ``metric, value, value_low, value_high`` of the predictions in the trials.
    """

    kinds: Kinds
    basis: str
    calibration: Calibration
    measures: pd.DataFrame

    def scores(self, pairs: pd.DataFrame, evidence: Floats) -> pd.DataFrame:
        """Return the uplift of pairs.

        Parameters
        ----------
        pairs
            ``category, channel`` and the covariates of units.
        evidence
            What `Kinds.evidence` returns of the same pairs.

        Returns
        -------
        DataFrame
            ``uplift, uplift_low, uplift_high, basis``, indexed as pairs.
        """
        without, with_offer = self.kinds.chances(pairs, evidence)
        found = [part.round(6) for part in self.calibration.uplift(with_offer - without)]
        return pd.DataFrame(dict(zip(UPLIFTS, found, strict=True)), index=pairs.index).assign(basis=self.basis)


def learned_uplift(units: pd.DataFrame, kinds: Kinds | None) -> tuple[UpliftScorer | None, str]:
    """Return what tells uplift, learned from offers that are over, and a sentence on what it rests on.

    Predictions are tried on customers whom they were not learned from, each by what was known before the trial; what
    came true of them calibrates those of all. Whom campaigns choose weighs by the inverse of the chance of it: a plan
    may ask everybody.

    Parameters
    ----------
    units
        What `offer_units` returns, in the order of ``known_at, customer_id, offer_id``.
    kinds
        What was learned from all of them.

    Returns
    -------
    UpliftScorer or None
        None where nothing compares customers who were asked with customers who were not.
    str
        What it rests on, or why there is none.
    """
    campaigns = units["campaign_id"].notna()
    basis = "experiment" if _trials(units, campaigns & (units["asked"] | units["held"])) else "observational"
    pool = campaigns & (units["asked"] | units["held"] | (basis == "observational"))
    found = _trials(units, pool)
    if not found or kinds is None:
        return None, "uplift is not known: nothing here compares those who were asked with those who were not"
    try:
        trial = _tried(units, units[pool & units["campaign_id"].isin(found)], kinds, basis)
    except UsageError as error:
        return None, f"uplift is not known: {error.message}"
    if trial is None:
        return None, "uplift is not known: half of the customers were asked, or not asked, too few offers"
    calibration = calibrated(*(trial[name].to_numpy() for name in ("number", "predicted", "score", "weight")))
    scorer = UpliftScorer(kinds, basis, calibration, _measures(trial, basis))
    drawn = "drawn by chance" if basis == "experiment" else "of customers comparable by propensity"
    said = f"uplift is calibrated on {calibration.trials} campaigns with a control {drawn}"
    return (
        scorer,
        said if calibration.holds else f"{said}: they show no effect on anybody (p = {calibration.p_value:.2g})",
    )


def _trials(units: pd.DataFrame, pool: pd.Series[bool]) -> list[str]:
    """Return the campaigns with enough customers in either arm, by their beginning."""
    arms = (
        units[pool].groupby("campaign_id").agg(start=("known_at", "min"), n=("asked", "size"), asked=("asked", "sum"))
    )
    arms = arms[(arms["asked"] >= _FEWEST) & (arms["n"] - arms["asked"] >= _FEWEST)]
    return arms.reset_index().sort_values(["start", "campaign_id"])["campaign_id"].tolist()


def _tried(units: pd.DataFrame, trials: pd.DataFrame, kinds: Kinds, basis: str) -> pd.DataFrame | None:
    """Return the trials' customers, each predicted by a mixture that learned from others."""
    names = units["customer_id"].unique()
    if len(names) >= 2 * len(kinds.learned_from):
        return _predicted(kinds, trials[~trials["customer_id"].isin(kinds.learned_from)], units, basis)
    half = units["customer_id"].isin(np.sort(names.astype(str))[::2])
    parts = []
    for learned in (half, ~half):
        others = Kinds.learned(units[learned])
        if others is None:
            return None
        parts.append(_predicted(others, trials[~learned[trials.index]], units[~learned], basis))
    return pd.concat(parts, ignore_index=True)


def _predicted(kinds: Kinds, trials: pd.DataFrame, units: pd.DataFrame, basis: str) -> pd.DataFrame:
    """Return customers of trials with uplift predicted from what was known before each, and their effect scores."""
    parts = []
    for number, (_, trial) in enumerate(trials.groupby("campaign_id")):
        if len(trial) > _MOST_ROWS:
            trial = trial.sample(_MOST_ROWS, random_state=0).sort_index()
        known = units[(units["told_at"] < trial["known_at"].iloc[0]) & units["customer_id"].isin(trial["customer_id"])]
        evidence = kinds.evidence(known, trial)
        without, with_offer = kinds.chances(trial, evidence)
        reach = kinds.reach(trial, evidence) if basis == "experiment" else np.ones(len(trial))
        asked, came = trial["asked"].to_numpy(np.float64), trial["came"].to_numpy(np.float64)
        chance = np.full(len(trial), asked.mean())
        if basis == "observational":
            base, _, _, traits = kinds.encoding.arrays(trial)
            inputs = np.column_stack([kinds.beliefs(trial, evidence), base, traits[:, 1:3]])
            told = propensities(inputs, asked, groups=trial["customer_id"].to_numpy(object))
            kept, chance = check_overlap(told), np.clip(told[:, 1], FLOOR, 1 - FLOOR)
        else:
            kept = np.ones(len(trial), dtype=bool)
        scores = effect_scores(without, with_offer, asked, came, chance)
        part = pd.DataFrame({
            "customer_id": trial["customer_id"].to_numpy(), "known_at": trial["known_at"].to_numpy(), "number": number,
            "predicted": with_offer - without, "score": scores, "asked": asked, "came": came,
            "weight": 1 / np.maximum(reach, _RARELY),
        })  # fmt: skip
        parts.append(part[kept])
    return pd.concat(parts, ignore_index=True)


def _measures(trial: pd.DataFrame, basis: str) -> pd.DataFrame:
    """Return how well the trials' customers were ranked; only where arms were drawn by chance."""
    none = pd.DataFrame(columns=["metric", "value", "value_low", "value_high"])
    if basis != "experiment":
        return none
    # One row a customer, the last: rows must not hang together.
    rows = (
        trial.sort_values(["known_at", "number"]).drop_duplicates("customer_id", keep="last").sort_values("customer_id")
    )
    came, predicted, asked = (rows[name].to_numpy() for name in ("came", "predicted", "asked"))
    qini = qini_coefficient(came, predicted, asked, n_bootstrap=100)
    first = uplift_at_k(came, predicted, asked, k=0.1)
    made = []
    for name, found in (("qini", qini), ("uplift_at_10", first)):
        made.append((name, found.value, found.low, found.high))
        made.append((f"{name}_p_value", found.p_value, np.nan, np.nan))
    return pd.DataFrame(made, columns=none.columns).round(6)
