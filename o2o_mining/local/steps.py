"""The steps of the room: read contract tables, reckon, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.local import KINDS
from o2o_mining.engine.base import Engine, StepReport
from o2o_mining.local.charts import brought_by_month, catchment_map, decay_curves, k_factors, money_at_risk, site_map
from o2o_mining.local.evidence import evidence_text
from o2o_mining.local.forensics import LEAST_USES, at_risk, coupon_findings, people_of
from o2o_mining.local.markets import Market, by_category, catchments, decays, put_together
from o2o_mining.local.referrals import ALL, joined_by_month, newcomers, referral_rates, referrers
from o2o_mining.local.sites import hexagons, store_sites
from o2o_mining.local.uses import accounts, used_coupons, uses_of
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


def build_coupon_forensics(engine: Engine, *, as_of: date) -> StepReport:
    """Write ``coupon_forensics`` as of a day.

    Parameters
    ----------
    engine
        Holds ``coupon_lifecycle`` as known before as_of, and the feeds of uses and ``customers``.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    StepReport
        Of the table.
    """
    feeds = [engine.feed(name) for name in ("coupon_redemptions", "offline_redemptions", "online_orders")]
    used = engine.stage(used_coupons(engine.known("coupon_lifecycle", as_of), *feeds))
    each = accounts(used)
    uses = engine.execute(uses_of(used, each.filter(each.uses >= LEAST_USES)))
    found = coupon_findings(
        engine.execute(each), uses, engine.execute(people_of(engine.feed("customers"), as_of=as_of))
    )
    rows = engine.write("coupon_forensics", _as_rows("coupon_forensics", found), as_of=as_of)
    count = found["kind"].value_counts() if len(found) else pd.Series(dtype="int64")
    notes = [
        f"feed {feed} is {lack}: {what}"
        for feed, what in (
            ("coupon_receipts", "nobody knows how soon coupons were used"),
            ("customers", "nobody knows who belongs together: there are no rings"),
        )
        if (lack := engine.absence(feed))
    ]
    if uses["cents"].eq(0).all() and len(uses):
        notes.append("no discount of a coupon is known: the money at risk is 0")
    kinds = {kind: int(count.get(kind, 0)) for kind in KINDS}
    samples = {"Most at risk": _most_at_risk(found)} if len(found) else {}
    return StepReport(
        "coupon_forensics", rows, notes=tuple(notes), samples=samples,
        figures={**kinds, "money at risk, each use once": float(at_risk(found, uses))},
        charts={"risk": lambda: money_at_risk(found)} if len(found) else {},
    )  # fmt: skip


def build_referrals(engine: Engine, *, as_of: date) -> list[StepReport]:
    """Write ``referrals`` and ``referral_rates`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, ``coupon_forensics`` of that day, and the feed ``customers``.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    list of StepReport
        One for each table.
    """
    purchases = engine.known("purchases", as_of)
    people = engine.execute(newcomers(engine.feed("customers"), purchases, as_of=as_of))
    people = people.sort_values("customer_id", ignore_index=True)
    found = engine.execute(engine.slice("coupon_forensics", as_of))
    rings = found.loc[found["kind"] == "ring", ["finding_id", "customer_ids"]].sort_values("finding_id")
    rings = rings.explode("customer_ids").rename(columns={"customer_ids": "customer_id", "finding_id": "ring_id"})
    brought = referrers(people, rings)
    since = pd.Timestamp(engine.execute(purchases.purchased_at.min()))
    rates = referral_rates(people[~people["customer_id"].isin(rings["customer_id"])], as_of=as_of, since=since)
    joined = joined_by_month(people, rings)
    count = {
        name: engine.write(name, _as_rows(name, frame), as_of=as_of)
        for name, frame in (("referrals", brought), ("referral_rates", rates))
    }
    lack = engine.absence("customers")
    notes = [f"feed customers is {lack}: nobody knows who brought whom"] if lack else []
    if not lack and rates.empty:
        notes.append("no customer says who brought them: there are no referrals")
    whole = rates[rates["cohort"] == ALL].iloc[0].to_dict() if len(rates) else {}
    told = ("k_factor", "cycle_days", "difference", "difference_low", "difference_high")
    figures = {name: whole[name] for name in told if name in whole and not pd.isna(whole[name])}
    return [
        StepReport(
            "referrals", count["referrals"], notes=tuple(notes),
            figures={"referrers": len(brought), "of rings": int(brought["is_ring"].sum())},
            charts={"brought_by_month": lambda: brought_by_month(joined)} if len(joined) else {},
        ),
        StepReport(
            "referral_rates", count["referral_rates"], figures=figures,
            charts={"k_factor": lambda: k_factors(rates)} if len(rates) else {},
        ),
    ]  # fmt: skip


def _most_at_risk(found: pd.DataFrame) -> pd.DataFrame:
    top = found.sort_values(["amount_at_risk", "finding_id"], ascending=[False, True]).head(_SHOWN)
    why = [", ".join(map(evidence_text, codes)) for codes in top["evidence_codes"]]
    shown = ["finding_id", "accounts", "uses", "score", "amount_at_risk"]
    return top[shown].assign(amount_at_risk=top["amount_at_risk"].astype(float), why=why).reset_index(drop=True)


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
