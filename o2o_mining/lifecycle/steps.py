"""The steps that write what this room owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pandas as pd

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import StepReport
from o2o_mining.lifecycle.charts import churn_histogram, cohort_worth, value_deciles
from o2o_mining.lifecycle.learning import Evaluation, evaluated, learning_windows
from o2o_mining.lifecycle.quality import stability_index
from o2o_mining.lifecycle.reasons import reason_text
from o2o_mining.lifecycle.scores import churn_scores, cohorts
from o2o_mining.lifecycle.visits import Visits

if TYPE_CHECKING:
    from datetime import date

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.base import Engine

# From which stability index on the customers are others than those of the run before.
_DRIFTED = 0.25


def build_churn_scores(engine: Engine, *, as_of: date, settings: Settings) -> list[StepReport]:
    """Write ``churn_scores``, ``churn_quality`` and ``customer_cohorts`` as of a day.

    Parameters
    ----------
    engine
        Holds ``known_purchases``, ``customer_features`` and ``past_features`` of that day.
    as_of
        The day.
    settings
        ``churn_horizon_days``.

    Returns
    -------
    list of StepReport
        One for each table.
    """
    visits, features = read_visits(engine, as_of), read_features(engine, as_of)
    horizon = settings.churn_horizon_days
    notes: list[str] = []
    evaluation = Evaluation({}, pd.DataFrame())
    scores, worth = pd.DataFrame(), pd.DataFrame()
    if len(visits.customers):
        past = engine.execute(engine.slice("past_features", as_of).order_by(["known_on", "customer_id"]))
        past["known_on"] = pd.to_datetime(past["known_on"]).dt.date
        windows = learning_windows(past, visits, as_of=as_of, horizon_days=horizon)
        scores = churn_scores(features, visits, windows, as_of=as_of, horizon_days=horizon)
        evaluation = evaluated(windows) if windows else evaluation
        worth = cohorts(scores, visits, common_error=evaluation.measures.get("value_common_error", 0.0))
        if windows is None:
            notes.append(
                "too few customers, or too short a log, to learn churn from: the process of purchases alone tells"
            )
    else:
        notes.append(f"no purchase is known before {as_of}: nobody can leave")
    measures = evaluation.measures
    drift = _drift(engine, scores, as_of, horizon, notes)
    quality = pd.DataFrame({"horizon_days": horizon, "metric": list(measures), "value": list(measures.values())})
    reports = [
        (frame, _write(engine, table, frame, as_of))
        for table, frame in (("churn_scores", scores), ("churn_quality", quality), ("customer_cohorts", worth))
    ]
    (_, scored), (_, measured), (_, grouped) = reports
    return [
        StepReport(
            "churn_scores", scored, notes=tuple(notes), figures={**_figures(scores, measures), **drift},
            samples=_at_risk(scores),
            charts={"churn": lambda: churn_histogram(scores)} if scored else {},
        ),
        StepReport(
            "churn_quality", measured, samples={"Out of time": quality.drop(columns="horizon_days")},
            charts={"value_deciles": lambda: value_deciles(evaluation.value_deciles)}
            if len(evaluation.value_deciles) else {},
        ),
        StepReport(
            "customer_cohorts", grouped, charts={"cohorts": lambda: cohort_worth(worth)} if grouped else {}
        ),
    ]  # fmt: skip


def read_visits(engine: Engine, as_of: date) -> Visits:
    """Return the purchases that were known before a day and count."""
    t = engine.known("purchases", as_of)
    t = t.filter(t.cancelled_at.isnull())
    offered = t.coupon_id.notnull() | t.receipt_id.notnull() | t.campaign_id.notnull()
    return Visits.of(engine.execute(t.select("customer_id", "purchased_at", "net_amount", offered=offered)))


def read_features(engine: Engine, as_of: date) -> pd.DataFrame:
    """Return the features of everybody who bought before a day, indexed by customer."""
    t = engine.slice("customer_features", as_of)
    frame: pd.DataFrame = engine.execute(t.filter(t.n_purchases > 0)).set_index("customer_id")
    return frame


def _write(engine: Engine, table: str, frame: pd.DataFrame, as_of: date) -> int:
    """Write rows that were made in memory, in the types of the contract."""
    schema = {name: kind for name, kind in contract(table).schema.items() if name != "as_of"}
    if frame.empty:
        return engine.write(table, engine.read(table).filter(False).drop("as_of"), as_of=as_of)
    return engine.write(table, ibis.memtable(frame[list(schema)]).cast(schema), as_of=as_of)


def _drift(engine: Engine, scores: pd.DataFrame, as_of: date, horizon: int, notes: list[str]) -> dict[str, float]:
    """Return how far the probabilities have moved since the last day before that the home holds.

    It goes into the report and not into a table: a table must not depend on which days were run before.
    """
    earlier = [day for day in engine.slices("churn_scores") if day is not None and day < as_of]
    if not earlier or scores.empty:
        return {}
    rows = engine.slice("churn_scores", max(earlier))
    before = engine.execute(rows.filter(rows.horizon_days == horizon).select("churn_probability"))
    if before.empty:
        return {}
    moved = stability_index(before["churn_probability"].to_numpy(), scores["churn_probability"].to_numpy())
    if moved > _DRIFTED:
        notes.append(
            f"chances of churn are others than on {max(earlier)} (stability index {moved:.2f}): look at the features"
        )
    return {"stability index": round(moved, 6)}


def _figures(scores: pd.DataFrame, measures: dict[str, float]) -> dict[str, float | int | str | None]:
    if scores.empty:
        return {"customers": 0}
    return {
        "customers": len(scores),
        "expected to be there": round(float(scores["probability_alive"].sum()), 1),
        "expected not to buy": round(float(scores["churn_probability"].sum()), 1),
        **{name: measures.get(name) for name in ("auc", "auc_of_recency", "brier", "calibration_error")},
    }


def _at_risk(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the customers of whom most money is at risk, with the reasons in words."""
    if scores.empty:
        return {}
    risk = (scores["churn_probability"] * scores["clv_90d"].fillna(0)).rename("at_risk")
    top = scores.assign(at_risk=risk.round(2)).sort_values(["at_risk", "customer_id"], ascending=[False, True]).head(10)
    why = top["reason_codes"].map(lambda codes: "; ".join(reason_text(code) for code in codes))
    shown = top[["churn_probability", "probability_alive", "clv_90d", "clv_90d_low", "clv_90d_high", "at_risk"]]
    return {"Most at risk": shown.assign(why=why).reset_index(drop=True)}
