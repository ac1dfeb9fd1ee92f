"""The steps of the room: read contract tables, reckon, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import Engine, StepReport
from o2o_mining.local.charts import catchment_map, decay_curves, site_map
from o2o_mining.local.markets import Market, by_category, catchments, decays, put_together
from o2o_mining.local.sites import hexagons, store_sites
from o2o_mining.local.visits import homes, store_customers, store_visits

WINDOW_DAYS = 730
_SHOWN = 10
_YEAR_DAYS = 365


def build_store_catchments(engine: Engine, *, as_of: date) -> list[StepReport]:
    """Write ``store_catchments``, ``distance_decay`` and ``store_sites`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``customers``, ``stores`` and ``merchants``.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    list of StepReport
        One for each table.
    """
    market, days = _read_market(engine, as_of)
    rows, drawn, weight = catchments(market)
    fitted = decays(drawn, market)
    cells = hexagons(market.places)
    people = int(market.places["people"].sum())
    parts = []
    for category, _, visits in by_category(market):
        yearly = visits["redemptions"].sum() / max(people, 1) * _YEAR_DAYS / days
        sites = store_sites(drawn[category], market.places, cells, yearly=yearly)
        parts.append(sites.assign(category=category))
    sites = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    written = {
        "store_catchments": rows, "distance_decay": fitted, "store_sites": sites,
    }  # fmt: skip
    count = {name: engine.write(name, _as_rows(name, frame), as_of=as_of) for name, frame in written.items()}
    busiest = pd.DataFrame() if rows.empty else rows.sort_values(["redemptions", "store_id"], ascending=[False, True])
    shown = ["store_id", "merchant_id", "redemptions", "radius_m", "radius_m_low", "radius_m_high", "overlap_store_id",
             "overlap_share", "cannibalised_share"]  # fmt: skip
    return [
        StepReport(
            "store_catchments", count["store_catchments"], notes=_notes(engine, market, rows, fitted),
            figures={"stores": len(rows), "the model counts for so many redemptions": round(weight)},
            samples={"Busiest stores": busiest[shown].head(_SHOWN)} if len(busiest) else {},
            charts={"catchments": lambda: catchment_map(cells, rows)} if len(rows) and len(cells) else {},
        ),
        StepReport(
            "distance_decay", count["distance_decay"],
            figures=dict(zip(fitted["category"], fitted["decay_per_km"].astype(float), strict=True)),
            charts={"decay": lambda: decay_curves(fitted)} if len(fitted) else {},
        ),
        StepReport(
            "store_sites", count["store_sites"],
            charts={"sites": lambda: site_map(sites, cells)} if len(sites) else {},
        ),
    ]  # fmt: skip


def _read_market(engine: Engine, as_of: date) -> tuple[Market, int]:
    """Return the market, and of how many days its redemptions are."""
    purchases, customers, stores = engine.known("purchases", as_of), engine.feed("customers"), engine.feed("stores")
    since = as_of - timedelta(days=WINDOW_DAYS)
    first = engine.execute(purchases.filter(purchases.consumed_at.notnull()).consumed_at.min())
    days = min(WINDOW_DAYS, max((pd.Timestamp(as_of) - pd.Timestamp(first)).days, 1)) if not pd.isna(first) else 1
    market = put_together(
        engine.execute(homes(customers, as_of=as_of)),
        engine.execute(store_visits(purchases, customers, stores, since=since)),
        engine.execute(store_customers(purchases, since=since)),
        engine.execute(stores.select("store_id", "merchant_id", "lat", "lon")),
        engine.execute(engine.feed("merchants").select("merchant_id", "category")),
    )
    return market, days


def _notes(engine: Engine, market: Market, rows: pd.DataFrame, fitted: pd.DataFrame) -> tuple[str, ...]:
    notes = [
        f"feed {feed} is {lack}: {what}"
        for feed, what in (
            ("stores", "nobody knows where a store is"),
            ("customers", "nobody knows where people live"),
            ("merchants", "all stores are one category"),
        )
        if (lack := engine.absence(feed))
    ]
    if market.places.empty and not engine.absence("customers"):
        notes.append("no customer has coordinates of a home: distances are those of the log, and there is no model")
    if rows.empty:
        notes.append("no redemption in a known store has a distance: there are no catchments")
    elif fitted.empty:
        notes.append("no category has 100 redemptions by people who can choose: there is no decay and no site")
    return tuple(notes)


def _as_rows(name: str, frame: pd.DataFrame) -> ibis.Table:
    """Return a frame in the types of a contract, without the day; one without columns is empty."""
    schema = {column: kind for column, kind in contract(name).schema.items() if column != "as_of"}
    frame = frame if len(frame) else pd.DataFrame(columns=list(schema))
    types = ibis.schema(schema).to_pyarrow()
    arrays = [pa.Array.from_pandas(frame[field.name].astype("object"), type=field.type) for field in types]
    return ibis.memtable(pa.table(arrays, names=list(schema)))
