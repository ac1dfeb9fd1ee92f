"""Scores of a day's candidates, some customers at a time, so that memory does not grow with their number."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import ORDINAL
from o2o_mining.engine.portable import moment
from o2o_mining.response.candidates import (
    MOST,
    Reach,
    candidates,
    homes,
    liked_before,
    met_before,
    nearest,
    profiled,
    valid_coupons,
    within_reach,
)
from o2o_mining.response.features import FeatureParts, customer_and_coupon_parts, with_features
from o2o_mining.response.learning import NAMES
from o2o_mining.response.reasons import reason_codes
from o2o_mining.response.uplift_scoring import UPLIFTS

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir
    from numpy.typing import NDArray

    from o2o_mining.engine.base import Engine
    from o2o_mining.response.features import Evidence
    from o2o_mining.response.learning import Learned
    from o2o_mining.response.uplift_scoring import UpliftScorer

# So many customers are scored at a time.
_CUSTOMERS = 20_000
_TOLD = ("customer_id", "coupon_id", "campaign_id", "merchant_id")


@dataclass(frozen=True)
class Scored:
    """What became of the candidates of a day: pairs and coupons scored, and customers who have all the places full."""

    rows: int
    coupons: int
    full: int
    refused: int


@dataclass(frozen=True)
class Known:
    """What all customers' scores are made of, staged in the order of the customers."""

    reach: Reach
    parts: FeatureParts
    evidence: Evidence
    units: ir.Table

    def between(self, low: str, high: str | None) -> Known:
        """Return what is known of the customers whose ids lie in a range."""

        def some(t: ir.Table) -> ir.Table:
            return t.filter(t.customer_id >= low if high is None else (t.customer_id >= low) & (t.customer_id < high))

        of_reach = {name: some(getattr(self.reach, name)) for name in ("people", "met", "liked")}
        places = tuple((some(part), on) for part, on in self.parts.places)
        return Known(
            replace(self.reach, **of_reach),
            replace(self.parts, customers=some(self.parts.customers), places=places),
            replace(self.evidence, lines=some(self.evidence.lines)),
            some(self.units),
        )


def scored_pairs(
    engine: Engine, model: Learned, scorer: UpliftScorer | None, known: Evidence, units: ir.Table, *, as_of: date
) -> tuple[ir.Table, Scored]:
    """Return the scores of the day's candidates in the order of the table's key, and what became of them.

    Parameters
    ----------
    engine
        Where known_customers and consents are, and what is staged.
    model, scorer
        What tells redemption and uplift.
    known
        What happened, staged.
    units
        What `offer_units` returns, staged.
    as_of
        The day.
    """
    everybody = engine.known("customers", as_of)
    people = profiled(everybody, engine.feed("consents"), as_of=as_of)
    staged = _staged(engine, people, known, units, as_of)
    ids = engine.execute(staged.reach.people.select("customer_id").order_by("customer_id"))["customer_id"]
    bounds = [*ids.iloc[::_CUSTOMERS].tolist(), None]
    made, each = [], []
    coupons: set[str] = set()
    # While the engine reads the features of some customers, those before them are scored.
    with ThreadPoolExecutor(1) as beside:
        waiting: list[Future[pa.Table]] = []
        for low, high in pairwise(bounds):
            some = staged.between(low, high)
            frame = _features(engine, some, as_of)
            made += [engine.stage(_as_contract(done.result())) for done in waiting]
            waiting = [beside.submit(_scores, model, scorer, frame, engine.execute(some.units))] if len(frame) else []
            each.append(frame["customer_id"].value_counts().to_numpy())
            coupons.update(frame["coupon_id"].unique())
        made += [engine.stage(_as_contract(done.result())) for done in waiting]
    empty = engine.read("response_scores").filter(False).drop("as_of")
    counts = np.concatenate([*each, np.zeros(0, dtype=np.int64)])
    refused = int(engine.execute(everybody.count())) - len(ids)
    scored = Scored(int(counts.sum()), len(coupons), int((counts == MOST).sum()), refused)
    # One after the other: ibis.union of many pairs them up in another order.
    return (reduce(lambda rows, more: rows.union(more), made) if made else empty), scored


def _staged(engine: Engine, people: ir.Table, known: Evidence, units: ir.Table, as_of: date) -> Known:
    """Put together what is known, once for all customers, each table in the order of the customers."""

    def put(t: ir.Table) -> ir.Table:
        return engine.stage(t.order_by("customer_id"))

    coupons = engine.stage(valid_coupons(known, as_of=as_of))
    there = put(homes(people, known.logs.customers))
    reach = Reach(
        there, coupons, put(met_before(known, coupons, as_of=as_of)), put(liked_before(known, coupons, as_of=as_of)),
        engine.stage(nearest(there, coupons, known.logs)),
    )  # fmt: skip
    day = moment(as_of)
    moments = engine.stage(there.select("customer_id", known_at=day))
    parts = customer_and_coupon_parts(moments, engine.stage(coupons.select("coupon_id", day=day.date())), known)
    return Known(
        reach,
        FeatureParts(
            put(parts.customers), engine.stage(parts.coupons), tuple((put(part), on) for part, on in parts.places)
        ),
        replace(known, lines=put(known.lines)),
        put(units),
    )


def _features(engine: Engine, known: Known, as_of: date) -> pd.DataFrame:
    """Return the features of some customers' candidates, in the order of the key."""
    logs = known.evidence.logs
    near = engine.stage(within_reach(known.reach, logs))
    pairs = engine.stage(candidates(near, logs, as_of=as_of).order_by(["customer_id", "coupon_id"]))
    pairs = engine.numbered(pairs)
    made = with_features(pairs.mutate(day=pairs.known_at.date()), known.parts, known.evidence)
    numbers = [made[name].cast("float32").name(name) for name in NAMES]
    frame: pd.DataFrame = engine.execute(made.select(*_TOLD, "category", "channel", "known_at", *numbers, ORDINAL))
    # The rows are wide: putting them in order here takes a third of the time.
    return frame.iloc[np.argsort(frame.pop(ORDINAL).to_numpy())].reset_index(drop=True)


def _scores(model: Learned, scorer: UpliftScorer | None, frame: pd.DataFrame, units: pd.DataFrame) -> pa.Table:
    """Return the scores of pairs with features."""
    # One thread beside the engine's: more would wait for each other.
    with threadpool_limits(limits=1):
        return _scored(model, scorer, frame, units)


def _scored(model: Learned, scorer: UpliftScorer | None, frame: pd.DataFrame, units: pd.DataFrame) -> pa.Table:
    shown: NDArray[np.float64] | None = model.kinds.evidence(units, frame) if model.kinds else None
    inputs = model.inputs(frame, shown)
    columns = {
        **{name: pa.array(frame[name], pa.string(), from_pandas=True) for name in _TOLD},
        "distance_m": pa.array(frame["distance_m"], pa.float64(), from_pandas=True),
        "redemption_probability": pa.array(model.model.predict_proba(inputs)[:, 1].round(6)),
        "reason_codes": reason_codes(model.model.contributions(inputs), model.names, frame),
    }
    if scorer is None or shown is None:
        columns |= {name: pa.nulls(len(frame), pa.float64()) for name in UPLIFTS}
        columns["basis"] = pa.array(["propensity"] * len(frame))
    else:
        columns |= {str(name): pa.array(values) for name, values in scorer.scores(frame, shown).items()}
    return pa.table(columns)


def _as_contract(scores: pa.Table) -> ir.Table:
    types = {name: kind for name, kind in contract("response_scores").schema.items() if name != "as_of"}
    return ibis.memtable(scores).select(*types).cast(types)
