"""The steps that write what this room owns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import StepReport
from o2o_mining.response.candidates import MOST, candidates, profiled, valid_coupons
from o2o_mining.response.charts import calibration
from o2o_mining.response.features import Evidence, evidence, pair_features
from o2o_mining.response.guard import leak_guard
from o2o_mining.response.learning import FEWEST_OF_EACH, NAMES, Learned, learned, out_of_time, quality
from o2o_mining.response.logs import OfferLogs, learning_pairs
from o2o_mining.response.reasons import reason_codes, reason_text
from o2o_mining.response.units import offer_units
from o2o_mining.response.uplift_scoring import UPLIFTS, learned_uplift

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine
    from o2o_mining.response.uplift_scoring import UpliftScorer

_KNOWN = ("purchases", "coupon_lifecycle")
# A model learns from as many receipts at most; and so many pairs are scored at a time.
_RECEIPTS = 60_000
_PAIRS = 500_000


@dataclass(frozen=True)
class Scored:
    """What became of the candidates of a day."""

    rows: int
    coupons: int
    beyond: int
    refused: int


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
        receipts = _learning_receipts(engine, known, as_of, told)
        model, tried = learned(receipts), out_of_time(receipts, as_of=as_of)
    measures = quality(tried)
    if model is None:
        notes.append(f"too few coupons were used, or not used, to learn redemption from: {_lack(engine, told, as_of)}")
    else:
        scorer, basis = learned_uplift(engine.execute(offer_units(known, as_of=as_of)))
        if scorer is not None:
            measures = pd.concat([measures, scorer.measures.assign(model="uplift")], ignore_index=True)
        rows, scored = _scores(engine, model, scorer, known, as_of)
        figures = {"pairs": scored.rows, "coupons": scored.coupons}
        notes += [basis, *_said(scored)]
    written = engine.write("response_scores", rows, as_of=as_of)
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


def _scores(
    engine: Engine, model: Learned, scorer: UpliftScorer | None, known: Evidence, as_of: date
) -> tuple[ir.Table, Scored]:
    """Return the scores of the day's candidates, some customers at a time."""
    everybody = engine.known("customers", as_of)
    people = engine.stage(profiled(everybody, engine.feed("consents"), as_of=as_of))
    coupons = engine.stage(valid_coupons(known, as_of=as_of))
    pairs = engine.stage(candidates(people, coupons, known, as_of=as_of))
    counts = engine.execute(
        pairs.aggregate(
            all=pairs.count(), within=pairs.count(where=pairs.place < MOST), coupons=pairs.coupon_id.nunique()
        )
    ).iloc[0]
    refused = int(engine.execute(everybody.count())) - int(engine.execute(people.count()))
    within = pairs.filter(pairs.place < MOST).select("customer_id", "coupon_id", "known_at")
    parts = -(-int(counts["within"]) // _PAIRS)
    made = []
    for part in range(parts):
        low, high = (format(2**32 * place // parts, "08x") for place in (part, part + 1))
        digest = within.customer_id.hexdigest("md5").substr(0, 8)
        some = within.filter((digest >= low) if part + 1 == parts else (digest >= low) & (digest < high))
        made.append(engine.stage(_part(engine, model, scorer, engine.stage(some), known)))
    empty = engine.read("response_scores").filter(False).drop("as_of")
    rows = ibis.union(*made) if made else empty
    whole, kept = int(counts["all"]), int(counts["within"])
    return rows, Scored(kept, int(counts["coupons"]), whole - kept, refused)


def _part(engine: Engine, model: Learned, scorer: UpliftScorer | None, pairs: ir.Table, known: Evidence) -> ir.Table:
    """Return the scores of some pairs."""
    made = pair_features(pairs, known)
    told = ("customer_id", "coupon_id", "campaign_id", "merchant_id")
    frame = engine.execute(made.select(*told, "category", "channel", *NAMES))
    reasons = reason_codes(model.contributions(frame), model.names, frame)
    columns = {
        **{name: pa.array(frame[name], pa.string(), from_pandas=True) for name in told},
        "distance_m": pa.array(frame["distance_m"], pa.float64(), from_pandas=True),
        "redemption_probability": pa.array(model.probability(frame).round(6)),
        "reason_codes": reasons,
    }
    if scorer is None:
        columns |= {name: pa.nulls(len(frame), pa.float64()) for name in UPLIFTS}
        columns["basis"] = pa.array(["propensity"] * len(frame))
    else:
        columns |= {str(name): pa.array(values) for name, values in scorer.scores(frame).items()}
    scored = ibis.memtable(pa.table(columns))
    types = {name: kind for name, kind in contract("response_scores").schema.items() if name != "as_of"}
    return scored.select(*types).cast(types)


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
    if scored.beyond:
        notes.append(f"{scored.beyond:,} pairs beyond {MOST} coupons a customer were left out")
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
