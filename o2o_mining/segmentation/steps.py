"""The steps of the room: read contract tables, mine, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport
from o2o_mining.segmentation import charts
from o2o_mining.segmentation.clusters import assign_clusters, fit_clusters
from o2o_mining.segmentation.habits import LEAST_CUSTOMERS, LEAST_PURCHASES, behaviours, category_counts, habits
from o2o_mining.segmentation.lifecycle import STAGES
from o2o_mining.segmentation.migration import SCHEME_COLUMNS, segment_migration
from o2o_mining.segmentation.named import segment_profiles, segments
from o2o_mining.segmentation.names import segment_codes
from o2o_mining.segmentation.rule_query import Known, with_rule_segments
from o2o_mining.segmentation.rules import read_rules
from o2o_mining.segmentation.traits import is_stable, profile_text, traits_of
from o2o_mining.segmentation.words import namer

if TYPE_CHECKING:
    import ibis.expr.types as ir

_NOTES = {
    "missing": "feed customers is missing: prospects are the ids that any other feed names",
    "empty": "feed customers is empty: there are no prospects",
}


def build_cluster_centres(engine: Engine, *, as_of: date) -> StepReport:
    """Fit the behavioural clusters of a day and write them as ``cluster_centres``.

    Parameters
    ----------
    engine
        Holds ``customer_features`` of that day, and ``purchases`` as known before it.
    as_of
        Uses what was known before this UTC day.
    """
    behaviour, counts = _behaviour(engine, as_of)
    fitted = fit_clusters(habits(behaviour, counts))
    table = contract("cluster_centres")
    if fitted is None:
        engine.write("cluster_centres", _nothing("cluster_centres"), as_of=as_of)
        note = (
            f"no clusters: {len(behaviour)} customers have at least {LEAST_PURCHASES} purchases and differ;"
            f" it takes {LEAST_CUSTOMERS}"
        )
        return StepReport(table.name, 0, notes=(note,), figures={"clusters": 0, "customers": len(behaviour)})
    rows = engine.write("cluster_centres", _as_rows("cluster_centres", fitted.centres), as_of=as_of)
    name = namer()
    sizes = fitted.customers["cluster"].value_counts()
    traits = _traits(fitted.centres)
    shown = pd.DataFrame(
        {
            "cluster": [name(str(code), "en") for code in sizes.index],
            "customers": sizes.to_numpy(),
            "what sets it apart": [profile_text(traits[str(code)]) for code in sizes.index],
        }
    )
    stability = float(fitted.centres["stability"].iloc[0])
    notes = [f"customers with fewer than {LEAST_PURCHASES} purchases have no cluster"]
    if not is_stable(stability):
        notes.append(f"the clusters are not stable: adjusted Rand index {stability:.2f} over bootstraps, below 0.70")
    criterion, centres = fitted.criterion, fitted.centres
    return StepReport(
        table=table.name,
        rows=rows,
        notes=tuple(notes),
        figures={"clusters": len(sizes), "customers": len(fitted.customers), "stability": stability},
        samples={"Clusters": shown},
        charts={
            "cluster_number": lambda: charts.criterion_curve(criterion, chosen=len(sizes)),
            "cluster_profiles": lambda: charts.cluster_map(centres.assign(cluster=centres.segment_code.map(name))),
        },
    )


def build_segments(engine: Engine, *, as_of: date, settings: Settings, rules_folder: Path | None = None) -> StepReport:
    """Write ``segments`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` and ``customers`` as known before as_of, ``customer_features`` and ``cluster_centres``.
    as_of
        Uses what was known before this UTC day.
    settings
        ``rfm_bins``.
    rules_folder
        Holds the home's own segments by rule.
    """
    notes = [_NOTES[lack]] if (lack := engine.absence("customers")) else []
    rules = read_rules(rules_folder)
    purchases, customers = (engine.known(table, as_of) for table in ("purchases", "customers"))
    clusters = _assigned(engine, as_of)
    mined = segments(purchases, customers, clusters, as_of=as_of, bins=settings.rfm_bins)
    known = Known(
        mined, engine.slice("customer_features", as_of), purchases,
        *(engine.feed(name) for name in ("merchants", "customers", "stores")),
    )  # fmt: skip
    rows = engine.write("segments", with_rule_segments(known, rules, as_of=as_of), as_of=as_of)
    written = engine.slice("segments", as_of)
    counts: pd.DataFrame = engine.execute(
        written.filter(written.r_score.notnull())
        .group_by(["r_score", "f_score"])
        .aggregate(customers=lambda found: found.count())
        .order_by(["r_score", "f_score"])
    )
    buyers = int(counts["customers"].sum())
    if not buyers:
        notes.append(f"no purchase is known before {as_of}: nobody has a segment")
    stages = _counted(engine, written, "lifecycle_stage", list(STAGES))
    by_rule = _counted(engine, written.select(rule=written.rule_segments.unnest()), "rule", [r.code for r in rules])
    return StepReport(
        table="segments",
        rows=rows,
        notes=tuple(notes),
        figures={"customers": buyers, "prospects": rows - buyers, "bins": settings.rfm_bins},
        samples={
            "Customers by recency (down) and frequency (across) score": _as_grid(counts, settings.rfm_bins),
            "Stages of life": stages,
            "Segments by rule": by_rule,
        },
        charts={
            "rfm_map": lambda: charts.rfm_map(counts, bins=settings.rfm_bins),
            "stages": lambda: charts.stage_bars(stages),
        },
    )


def build_segment_profiles(
    engine: Engine, *, as_of: date, settings: Settings, rules_folder: Path | None = None
) -> StepReport:
    """Write ``segment_profiles`` as of a day.

    Parameters
    ----------
    engine
        Holds ``segments`` and ``cluster_centres`` of that day.
    as_of
        The slice of segments to profile.
    settings
        ``rfm_bins``.
    rules_folder
        Holds the home's own segments by rule, for their names.
    """
    mined = segment_profiles(engine.slice("segments", as_of), bins=settings.rfm_bins)
    centres: pd.DataFrame = engine.execute(engine.slice("cluster_centres", as_of))
    joined = mined.left_join(_cluster_traits(centres), ["scheme", "segment_code"])
    joined = joined.drop("scheme_right", "segment_code_right")
    rows = engine.write("segment_profiles", joined, as_of=as_of)
    frame: pd.DataFrame = engine.execute(
        engine.slice("segment_profiles", as_of).select(
            "scheme", "segment_code", "customers", "share", "median_recency_days", "mean_frequency", "mean_monetary",
            "revenue_share", "stability",
        )
    )  # fmt: skip
    order = {code: place for place, code in enumerate([*segment_codes(), *STAGES])}
    frame["place"] = frame["segment_code"].map(order).fillna(len(order))
    frame = frame.sort_values(["scheme", "place", "segment_code"], ignore_index=True).drop(columns="place")
    name = namer(read_rules(rules_folder))
    frame.insert(1, "segment", [name(str(code), "en") for code in frame["segment_code"]])
    rfm, others = (frame[(frame["scheme"] == "rfm") == is_rfm].reset_index(drop=True) for is_rfm in (True, False))
    return StepReport(
        table="segment_profiles",
        rows=rows,
        figures={"segments": rows, "customers": int(rfm["customers"].sum())},
        samples={
            "Segments": rfm.drop(columns=["scheme", "segment_code", "stability"]).round(3),
            "Clusters, stages and segments by rule": others.drop(columns="segment_code").round(3),
        },
        charts={"segments": lambda: charts.segment_bars(rfm)},
    )


def build_segment_migration(engine: Engine, *, as_of: date) -> StepReport:
    """Write ``segment_migration`` as of a day, against the last day before it that the home holds.

    Parameters
    ----------
    engine
        Holds ``segments`` of both days.
    as_of
        The later day.
    """
    earlier = [day for day in engine.slices("segments") if day is not None and day < as_of]
    if not earlier:
        engine.write("segment_migration", _nothing("segment_migration"), as_of=as_of)
        note = f"the home holds no segments of a day before {as_of}: nobody can have moved yet"
        return StepReport("segment_migration", 0, notes=(note,))
    before = max(earlier)
    moved = segment_migration(engine.slice("segments", as_of), engine.slice("segments", before))
    rows = engine.write("segment_migration", moved.mutate(previous_as_of=ibis.literal(before)), as_of=as_of)
    frame: pd.DataFrame = engine.execute(
        engine.slice("segment_migration", as_of).order_by(["scheme", "from_code", "to_code"])
    )
    changed = frame[frame["from_code"] != frame["to_code"]]
    largest = changed.sort_values(["customers", "scheme", "from_code", "to_code"], ascending=[False, True, True, True])
    return StepReport(
        table="segment_migration",
        rows=rows,
        figures={"previous as_of": str(before), "moves": len(changed)},
        samples={"Largest moves": largest.drop(columns="previous_as_of").head(10)},
        charts={
            f"moves {scheme}": partial(charts.migration_map, frame[frame["scheme"] == scheme], before, as_of)
            for scheme in SCHEME_COLUMNS
        },
    )


def _behaviour(engine: Engine, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the habits of customers with enough purchases, and what categories they bought in."""
    enough = engine.stage(behaviours(engine.slice("customer_features", as_of)))
    counts = category_counts(engine.known("purchases", as_of), engine.feed("merchants"))
    return engine.execute(enough), engine.execute(counts.semi_join(enough, "customer_id"))


def _assigned(engine: Engine, as_of: date) -> ir.Table | None:
    """Return the cluster of each customer who has one, by the centres of the day; None without clusters."""
    centres: pd.DataFrame = engine.execute(engine.slice("cluster_centres", as_of))
    if centres.empty:
        return None
    found = assign_clusters(*_behaviour(engine, as_of), centres)
    return ibis.memtable(pd.DataFrame({"customer_id": list(found.index), "cluster": found.to_numpy()}))


def _traits(centres: pd.DataFrame) -> dict[str, list[str]]:
    groups = centres.set_index("feature").groupby("segment_code")
    return {str(code): [str(trait) for trait in traits_of(rows)] for code, rows in groups}


def _cluster_traits(centres: pd.DataFrame) -> ir.Table:
    """One cluster: its stability, what that means, and what sets it apart."""
    stability = float(centres["stability"].iloc[0]) if len(centres) else None
    said = None if stability is None else "stable" if is_stable(stability) else "not_stable"
    rows = [("cluster", code, stability, said, traits) for code, traits in sorted(_traits(centres).items())]
    names = ("scheme", "segment_code", "stability", "stability_code", "traits")
    schema = {name: contract("segment_profiles").schema[name] for name in names}
    return ibis.memtable(pd.DataFrame(rows, columns=list(names)), schema=ibis.schema(schema))


def _as_rows(table: str, frame: pd.DataFrame) -> ir.Table:
    schema = {name: kind for name, kind in contract(table).schema.items() if name != "as_of"}
    return ibis.memtable(frame[list(schema)], schema=ibis.schema(schema))


def _nothing(table: str) -> ir.Table:
    schema = {name: kind for name, kind in contract(table).schema.items() if name != "as_of"}
    return ibis.memtable(ibis.schema(schema).to_pyarrow().empty_table())


def _counted(engine: Engine, rows: ir.Table, column: str, codes: list[str]) -> pd.DataFrame:
    """Return the customers of each code, zeros included, in the order given."""
    found = engine.execute(rows.group_by(column).aggregate(customers=rows.count()))
    counts = dict(zip(found[column], found["customers"], strict=True))
    return pd.DataFrame({"segment": codes, "customers": [int(counts.get(code, 0)) for code in codes]})


def _as_grid(counts: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Return the customers with the recency scores from the best down and the frequency scores across."""
    scores = range(1, bins + 1)
    grid = counts.pivot_table(index="r_score", columns="f_score", values="customers", aggfunc="sum")
    grid = grid.reindex(index=list(reversed(scores)), columns=list(scores)).fillna(0).astype(int)
    grid.columns = [f"f{score}" for score in scores]
    grid.insert(0, "recency", [f"r{score}" for score in reversed(scores)])
    return grid.reset_index(drop=True)
