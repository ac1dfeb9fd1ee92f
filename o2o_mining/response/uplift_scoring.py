"""Uplift of every candidate, from how its customer took earlier offers and from what trials made of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax

from o2o_mining.core.errors import UsageError
from o2o_mining.response.mixture import Panel, ResponseMixture
from o2o_mining.response.overlap import FLOOR, check_overlap, propensities
from o2o_mining.response.qini import qini_coefficient, uplift_at_k
from o2o_mining.response.trials import Calibration, calibrated, effect_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The mixture is learned from so many customers at most, evenly chosen; beyond, it gains little.
_CUSTOMERS = 15_000
# So many of either arm make a trial, and so many offers of either sort make a mixture.
_FEWEST = 30
_MOST_ROWS = 40_000
UPLIFTS = ("uplift", "uplift_low", "uplift_high")


@dataclass(frozen=True)
class Encoding:
    """How columns of units become numbers; fixed by what was learned from."""

    categories: tuple[str, ...]
    channels: tuple[str, ...]
    usual_off: float

    def arrays(self, t: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
        """Return base, offer, reach and traits of rows, shape (n, k) each; what is not known stands in the middle."""
        one = np.ones(len(t))
        km = np.minimum(t["distance_m"].fillna(3_000.0).to_numpy() / 3_000, 10.0)
        visits = np.log1p(t["n_visits"].fillna(0.0).to_numpy())
        # Whoever never came has been away longer than anybody.
        away = np.log1p(t["recency_days"].fillna(400.0).to_numpy()) / 2 - 2
        new = (t["n_visits"].fillna(0.0).to_numpy() == 0).astype(np.float64)
        here = [(t["category"] == name).to_numpy(np.float64) for name in self.categories]
        over = [(t["channel"] == name).to_numpy(np.float64) for name in self.channels]
        off = (t["off_share"].fillna(self.usual_off).to_numpy() - self.usual_off) * 5
        age = (t["age_years"].fillna(38.0).to_numpy() - 38) / 12
        out = t["centre_km"].fillna(4.0).clip(upper=40.0).to_numpy() / 2 - 2
        base = np.column_stack([one, km, *(km * of for of in here), away, visits, new])
        offer = np.column_stack([one, *over, off])
        reach = np.column_stack([one, away, visits, new])
        return base, offer, reach, np.column_stack([one, age, out, age**2, out**2])


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

    model: ResponseMixture
    encoding: Encoding
    customers: pd.Index
    evidence: Floats
    basis: str
    calibration: Calibration
    measures: pd.DataFrame

    def scores(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Return the uplift of pairs.

        Parameters
        ----------
        pairs
            ``customer_id, category, channel`` and the covariates of units.

        Returns
        -------
        DataFrame
            ``uplift, uplift_low, uplift_high, basis``, indexed as pairs.
        """
        base, offer, _, traits = self.encoding.arrays(pairs)
        place = self.customers.get_indexer(pd.Index(pairs["customer_id"]))
        shown = np.where(place[:, None] >= 0, self.evidence[place], 0.0)
        beliefs = softmax(traits @ self.model.kinds_ + shown, axis=1)
        without, with_offer = self.model.chances(beliefs, base, offer)
        found = [part.round(6) for part in self.calibration.uplift(with_offer - without)]
        return pd.DataFrame(dict(zip(UPLIFTS, found, strict=True)), index=pairs.index).assign(basis=self.basis)


def learned_uplift(units: pd.DataFrame) -> tuple[UpliftScorer | None, str]:
    """Return what tells uplift, learned from offers that are over, and a sentence on what it rests on.

    Predictions are tried on the later half of the trials by a mixture learned from offers that were over before; what
    came true of them calibrates those of a mixture learned from all.

    Parameters
    ----------
    units
        What `offer_units` returns, in any order.

    Returns
    -------
    UpliftScorer or None
        None where nothing compares customers who were asked with customers who were not.
    str
        What it rests on, or why there is none.
    """
    units = units.sort_values(["known_at", "customer_id", "offer_id"], ignore_index=True)
    campaigns = units["campaign_id"].notna()
    basis = "experiment" if _trials(units, campaigns & (units["asked"] | units["held"])) else "observational"
    pool = campaigns & (units["asked"] | units["held"] | (basis == "observational"))
    found = _trials(units, pool)
    if not found:
        return None, "uplift is not known: nothing here compares those who were asked with those who were not"
    tried = found[len(found) // 2 :]
    start = units.loc[units["campaign_id"] == tried[0], "known_at"].iloc[0]
    before = units[units["told_at"] < start]
    if min(int(before["asked"].sum()), int((~before["asked"]).sum())) < _FEWEST:
        return None, f"uplift is not known: too few offers were over before {start:%Y-%m-%d}, when the trials begin"
    try:
        trial = _predicted(before, units[pool & units["campaign_id"].isin(tried)], units, basis)
    except UsageError as error:
        return None, f"uplift is not known: {error.message}"
    calibration = calibrated(trial["number"].to_numpy(), trial["predicted"].to_numpy(), trial["score"].to_numpy())
    model, encoding = _mixture(units)
    names, panel = _panel(units, encoding)
    scorer = UpliftScorer(model, encoding, names, model.evidence(panel), basis, calibration, _measures(trial, basis))
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


def _mixture(units: pd.DataFrame) -> tuple[ResponseMixture, Encoding]:
    """Return a mixture learned from units, and how to encode others for it."""
    encoding = Encoding(
        tuple(sorted(units["category"].dropna().unique())), tuple(sorted(units["channel"].dropna().unique())),
        float(units["off_share"].median()) if units["off_share"].notna().any() else 0.3,
    )  # fmt: skip
    names, panel = _panel(units, encoding)
    return ResponseMixture().fit(panel.of(np.arange(len(names)) % (-(-len(names) // _CUSTOMERS)) == 0)), encoding


def _panel(units: pd.DataFrame, encoding: Encoding) -> tuple[pd.Index, Panel]:
    """Return the customers of units, sorted, and the panel; traits are those of a customer's last unit."""
    customer, names = pd.factorize(units["customer_id"], sort=True)
    base, offer, reach, traits = encoding.arrays(units)
    asked, held, came = (units[name].to_numpy(bool) for name in ("asked", "held", "came"))
    last = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(last, customer, np.arange(len(units)))
    targeted = units["campaign_id"].notna().to_numpy()
    return names, Panel(customer, base, offer, reach, asked, came, asked | held, targeted, traits[last])


def _predicted(before: pd.DataFrame, trials: pd.DataFrame, units: pd.DataFrame, basis: str) -> pd.DataFrame:
    """Return customers of trials with uplift predicted from what was known before each, and their effect scores."""
    model, encoding = _mixture(before)
    parts = []
    for number, (_, trial) in enumerate(trials.groupby("campaign_id")):
        if len(trial) > _MOST_ROWS:
            trial = trial.sample(_MOST_ROWS, random_state=0).sort_index()
        known = units[(units["told_at"] < trial["known_at"].iloc[0]) & units["customer_id"].isin(trial["customer_id"])]
        base, offer, _, traits = encoding.arrays(trial)
        shown = np.zeros((len(trial), len(model.kinds_[0])))
        if len(known):
            names, panel = _panel(known, encoding)
            place = names.get_indexer(pd.Index(trial["customer_id"]))
            shown = np.where(place[:, None] >= 0, model.evidence(panel)[place], 0.0)
        beliefs = softmax(traits @ model.kinds_ + shown, axis=1)
        without, with_offer = model.chances(beliefs, base, offer)
        asked, came = trial["asked"].to_numpy(np.float64), trial["came"].to_numpy(np.float64)
        chance = np.full(len(trial), asked.mean())
        if basis == "observational":
            inputs = np.column_stack([beliefs, base, traits[:, 1:3]])
            told = propensities(inputs, asked, groups=trial["customer_id"].to_numpy(object))
            kept, chance = check_overlap(told), np.clip(told[:, 1], FLOOR, 1 - FLOOR)
        else:
            kept = np.ones(len(trial), dtype=bool)
        scores = effect_scores(without, with_offer, asked, came, chance)
        part = pd.DataFrame({
            "customer_id": trial["customer_id"].to_numpy(), "known_at": trial["known_at"].to_numpy(), "number": number,
            "predicted": with_offer - without, "score": scores, "asked": asked, "came": came,
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
