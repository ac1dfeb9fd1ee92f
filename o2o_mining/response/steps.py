"""The steps that write what this room owns."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import StepReport
from o2o_mining.response.candidates import MOST
from o2o_mining.response.charts import calibration
from o2o_mining.response.features import Evidence, evidence, pair_features
from o2o_mining.response.guard import leak_guard
from o2o_mining.response.kinds import Kinds
from o2o_mining.response.learning import FEWEST_OF_EACH, NAMES, learned, out_of_time, quality
from o2o_mining.response.logs import OfferLogs, learning_pairs
from o2o_mining.response.reasons import reason_text
from o2o_mining.response.scoring import Scored, scored_pairs
from o2o_mining.response.units import offer_units
from o2o_mining.response.uplift_scoring import learned_uplift

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine

_KNOWN = ("purchases", "coupon_lifecycle")
# A model learns from as many receipts at most, and from what so many customers did.
_RECEIPTS = 60_000
_CUSTOMERS = 100_000


def build_response_scores(engine: Engine, *, as_of: date) -> list[StepReport]:
    """Write ``response_scores`` and ``response_quality`` as of a day.

    Parameters
    ----------
    engine
        Holds ``known_purchases``, ``known_coupon_lifecycle`` and ``known_customers`` of that day, and the feeds.
    as_of
        The day.

    Returns
    -------
    list of StepReport
        One for each table. Without coupons, or with too few that were used, both tables are empty and a note says so.
    """
    logs = offer_logs(engine, as_of)
    told = int(engine.execute(learning_pairs(logs, as_of=as_of).count()))
    rows, figures, notes = engine.read("response_scores").filter(False).drop("as_of"), {}, []
    model, tried, samples = None, pd.DataFrame(), {}
    if told >= 2 * FEWEST_OF_EACH:
        known = staged_evidence(engine, logs)
        units = engine.stage(offer_units(known, as_of=as_of))
        receipts = _learning_receipts(engine, known, as_of, told)
        some = _learning_units(engine, units, receipts)
        kinds = Kinds.learned(some)
        model = learned(receipts, kinds, kinds.evidence(some, receipts) if kinds else None)
        tried = out_of_time(receipts, some, as_of=as_of)
    measures = quality(tried)
    if model is None:
        notes.append(f"too few coupons were used, or not used, to learn redemption from: {_lack(engine, told, as_of)}")
    else:
        scorer, basis = learned_uplift(some, kinds)
        if scorer is not None:
            measures = pd.concat([measures, scorer.measures.assign(model="uplift")], ignore_index=True)
        rows, scored = scored_pairs(engine, model, scorer, known, units, as_of=as_of)
        figures = {"pairs": scored.rows, "coupons": scored.coupons}
        notes += [basis, *_said(scored)]
    written = engine.write("response_scores", rows, as_of=as_of, in_order=True)
    if written:
        samples = {"Likeliest": _likeliest(engine, as_of)}
    measured = _write_quality(engine, measures, as_of)
    engine.drop_staged()
    found = measures.set_index("metric")["value"].to_dict()
    kept = ("auc", "mean_auc", "average_precision", "calibration_error", "lift_10")
    shown = {name: float(found[name]) for name in kept if name in found}
    return [
        StepReport("response_scores", written, notes=tuple(notes), figures={**figures, **shown}, samples=samples),
        StepReport(
            "response_quality", measured, samples={"Out of time": measures} if measured else {},
            charts={"redemption": lambda: calibration(tried)} if measured else {},
        ),
    ]  # fmt: skip


def offer_logs(engine: Engine, as_of: date) -> OfferLogs:
    """Return what features of pairs are computed from."""
    return OfferLogs(
        **{f.name: engine.known(f.name, as_of) if f.name in _KNOWN else engine.feed(f.name) for f in fields(OfferLogs)}
    )


def staged_evidence(engine: Engine, logs: OfferLogs) -> Evidence:
    """Return what happened, put in order once for all pairs."""
    known = evidence(logs)
    for name in ("coupons", "visits", "receipts"):
        known = replace(known, **{name: engine.stage(getattr(known, name))})
    return replace(known, occasions=engine.stage(known.occasions), lines=engine.stage(known.lines))


def _learning_receipts(engine: Engine, known: Evidence, as_of: date, whole: int) -> pd.DataFrame:
    """Return receipts with features, guarded against leaks; of very many those of a sample of customers."""
    pairs = learning_pairs(known.logs, as_of=as_of)
    if whole > _RECEIPTS:
        cut = format(_RECEIPTS * 2**32 // whole, "08x")
        pairs = pairs.filter(pairs.customer_id.hexdigest("md5").substr(0, 8) < cut)
    made = engine.stage(pair_features(engine.stage(pairs), known))
    leak_guard(made, execute=engine.execute)
    frame = made.select(
        "receipt_id",
        "customer_id",
        "coupon_id",
        "campaign_id",
        "category",
        "channel",
        "known_at",
        "told_at",
        "redeemed",
        *NAMES,
    ).order_by(["known_at", "receipt_id"])
    receipts: pd.DataFrame = engine.execute(frame)
    return receipts


def _learning_units(engine: Engine, units: ir.Table, receipts: pd.DataFrame) -> pd.DataFrame:
    """Return offers that are over, in order; of very many customers those of a sample, and those with receipts."""
    customers = int(engine.execute(units.customer_id.nunique()))
    if customers > _CUSTOMERS:
        cut = format(_CUSTOMERS * 2**32 // customers, "08x")
        theirs = ibis.memtable(receipts[["customer_id"]].drop_duplicates())
        drawn = units.select("customer_id").distinct()
        drawn = drawn.filter(drawn.customer_id.hexdigest("md5").substr(0, 8) < cut)
        units = units.semi_join(engine.stage(drawn.union(theirs, distinct=True)), "customer_id")
    some: pd.DataFrame = engine.execute(units.order_by(["known_at", "customer_id", "offer_id"]))
    return some


def _write_quality(engine: Engine, measures: pd.DataFrame, as_of: date) -> int:
    types = {name: kind for name, kind in contract("response_quality").schema.items() if name != "as_of"}
    if measures.empty:
        return engine.write(
            "response_quality", engine.read("response_quality").filter(False).drop("as_of"), as_of=as_of
        )
    return engine.write("response_quality", ibis.memtable(measures[list(types)]).cast(types), as_of=as_of)


def _lack(engine: Engine, receipts: int, as_of: date) -> str:
    """Say why there is nothing to learn from."""
    for feed in ("coupon_receipts", "coupons"):
        if why := engine.absence(feed):
            return f"the feed {feed} is {why}"
    return f"{receipts} receipts have come to their end before {as_of}"


def _said(scored: Scored) -> list[str]:
    """Say what was left out."""
    notes = []
    if not scored.rows:
        notes.append("no coupon is valid on the day and within reach of anybody")
    if scored.full:
        notes.append(f"{scored.full:,} customers have {MOST} coupons or more within reach: the first {MOST} are scored")
    if scored.refused:
        notes.append(f"{scored.refused:,} customers refuse to be profiled and were left out")
    return notes


def _likeliest(engine: Engine, as_of: date) -> pd.DataFrame:
    """Return the likeliest pairs, with the reasons in words."""
    t = engine.slice("response_scores", as_of)
    order = [ibis.desc(t.redemption_probability), t.customer_id, t.coupon_id]
    top = engine.execute(t.order_by(order).limit(10))
    why = top["reason_codes"].map(lambda codes: "; ".join(reason_text(code) for code in codes))
    shown = ["customer_id", "coupon_id", "merchant_id", "distance_m", "redemption_probability"]
    made: pd.DataFrame = top[shown].assign(why=why)
    return made
