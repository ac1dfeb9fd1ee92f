"""The steps of the room: read contract tables, mine, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport
from o2o_mining.segmentation.charts import rfm_map, segment_bars
from o2o_mining.segmentation.named import segment_profiles, segments
from o2o_mining.segmentation.names import segment_codes, segment_name

if TYPE_CHECKING:
    import pandas as pd

_NOTES = {
    "missing": "feed customers is missing: prospects are the ids that any other feed names",
    "empty": "feed customers is empty: there are no prospects",
}


def build_segments(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``segments`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` and ``customers`` as known before as_of.
    as_of
        Uses what was known before this UTC day.
    settings
        ``rfm_bins``.
    """
    notes = [_NOTES[lack]] if (lack := engine.absence("customers")) else []
    purchases, customers = (engine.known(table, as_of) for table in ("purchases", "customers"))
    mined = segments(purchases, customers, as_of=as_of, bins=settings.rfm_bins)
    rows = engine.write("segments", mined, as_of=as_of)
    written = engine.slice("segments", as_of)
    scored = written.filter(written.r_score.notnull())
    counts: pd.DataFrame = engine.execute(
        scored.group_by(["r_score", "f_score"]).aggregate(customers=scored.count()).order_by(["r_score", "f_score"])
    )
    buyers = int(counts["customers"].sum())
    if not buyers:
        notes.append(f"no purchase is known before {as_of}: nobody has a segment")
    return StepReport(
        table="segments",
        rows=rows,
        notes=tuple(notes),
        figures={"customers": buyers, "prospects": rows - buyers, "bins": settings.rfm_bins},
        samples={"Customers by recency (down) and frequency (across) score": _as_grid(counts, settings.rfm_bins)},
        charts={"rfm_map": lambda: rfm_map(counts, bins=settings.rfm_bins)},
    )


def build_segment_profiles(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``segment_profiles`` as of a day.

    Parameters
    ----------
    engine
        Holds ``segments`` as of that day.
    as_of
        The slice of segments to profile.
    settings
        ``rfm_bins``.
    """
    mined = segment_profiles(engine.slice("segments", as_of), bins=settings.rfm_bins)
    rows = engine.write("segment_profiles", mined, as_of=as_of)
    frame: pd.DataFrame = engine.execute(
        engine.slice("segment_profiles", as_of).select(
            "segment_code",
            "customers",
            "share",
            "median_recency_days",
            "mean_frequency",
            "mean_monetary",
            "revenue_share",
        )
    )
    frame = frame.sort_values("segment_code", key=lambda codes: codes.map(segment_codes().index), ignore_index=True)
    frame.insert(0, "segment", frame["segment_code"].map(segment_name))
    return StepReport(
        table="segment_profiles",
        rows=rows,
        figures={"segments": rows, "customers": int(frame["customers"].sum())},
        samples={"Segments": frame.drop(columns="segment_code").round(3)},
        charts={"segments": lambda: segment_bars(frame)},
    )


def _as_grid(counts: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Return the customers with the recency scores from the best down and the frequency scores across."""
    scores = range(1, bins + 1)
    grid = counts.pivot_table(index="r_score", columns="f_score", values="customers", aggfunc="sum")
    grid = grid.reindex(index=list(reversed(scores)), columns=list(scores)).fillna(0).astype(int)
    grid.columns = [f"f{score}" for score in scores]
    grid.insert(0, "recency", [f"r{score}" for score in reversed(scores)])
    return grid.reset_index(drop=True)
