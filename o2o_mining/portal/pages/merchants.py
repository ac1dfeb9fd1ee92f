"""Merchants: whether each keeps its promise, what is done about it, and where its customers come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.contracts.merchants import ACTIONS, ALL, BANDS, MEASURES
from o2o_mining.core.errors import UsageError
from o2o_mining.engine.home import Home
from o2o_mining.exports import FORMATS, ExportReport, Order, export_table
from o2o_mining.merchants import read_judging, reason_text
from o2o_mining.merchants.rules import RULES_FILE, Rule
from o2o_mining.portal.charts import banded, bars, intervals, lines
from o2o_mining.portal.downloads import Making, downloaded, ordered
from o2o_mining.portal.listing import Column, Listing, listed
from o2o_mining.portal.portal import portal_of, viewer_of_request
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech

router = APIRouter(include_in_schema=False)

TABLE = "merchant_scorecards"
# What can be taken away of one merchant, by the table that it is in.
LISTS = {"scorecard": TABLE, "gaps": "promise_gaps", "catchments": "store_catchments"}
# The merchants that are drawn: those farthest from their promise.
_DRAWN = 15

_MERCHANTS = Listing(
    query="""
        SELECT s.*, coalesce(m.name, s.merchant_id) AS name, m.city
        FROM merchant_scorecards s LEFT JOIN merchants m USING (merchant_id)
        WHERE s.as_of = CAST(? AS DATE) AND (? = '' OR s.band = ?) AND (? = '' OR s.category = ?)
          AND (? = '' OR s.action_code = ?)
    """,
    columns=(
        Column(
            "merchant_id", "text", "merchants.merchant", link="/merchants/{merchant_id}?as_of={as_of}", shown="named"
        ),
        Column("category", "text", "merchant_scorecards:category"),
        Column("band", "text", "merchants.band", shown="band_name"),
        Column("promise_gap", "decimal", "merchant_scorecards:promise_gap"),
        Column("visits", "number", "merchant_scorecards:visits"),
        Column("service_score", "number", "merchants.service_score"),
        Column("cost_score", "number", "merchants.cost_score"),
        Column("efficiency_score", "number", "merchants.efficiency_score"),
        Column("peer_percentile", "share", "merchant_scorecards:peer_percentile"),
        Column("action_code", "text", "merchants.action", shown="action_name"),
    ),
    key=("merchant_id",),
    search="merchant_id",
)
# What was promised and how long customers waited, by month of the visit, as far as both are known.
_WAITS = """
    SELECT date_trunc('month', consumed_at)::DATE AS month, count(*) AS visits,
           sum(waited_min) / count(*) AS waited, sum(promised_wait_min) / count(*) AS promised
    FROM purchases
    WHERE merchant_id = ? AND cancelled_at IS NULL AND waited_min IS NOT NULL AND promised_wait_min IS NOT NULL
      AND consumed_at < CAST(? AS DATE)
    GROUP BY month ORDER BY month
"""


@router.get("/merchants")
def merchants(request: Request, as_of: str = "", band: str = "", category: str = "", action: str = "") -> Response:
    """Show the scorecards of all merchants, and those farthest from their promise."""
    portal = portal_of(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, _ = snapshot.chosen(TABLE, as_of)
    values = (day, band, band, category, category, action, action)
    shown = listed(snapshot, _MERCHANTS, values, dict(request.query_params))
    rows = [
        {
            **row,
            "named": _named(row["merchant_id"], row["name"]),
            "band_name": speech.code("band", row["band"]),
            "action_name": speech.code("action_code", row["action_code"]),
        }
        for row in shown.rows
    ]
    worst = snapshot.rows(
        f"""
        SELECT merchant_id, promise_gap, promise_gap_low, promise_gap_high FROM merchant_scorecards
        WHERE as_of = CAST(? AS DATE) ORDER BY promise_gap DESC, merchant_id LIMIT {_DRAWN}
        """,
        day,
    )
    categories = snapshot.rows(
        "SELECT DISTINCT category FROM merchant_scorecards WHERE as_of = CAST(? AS DATE) ORDER BY 1", day
    )
    return portal.page(
        request,
        "merchants/list.html",
        day=day,
        days=snapshot.days(TABLE),
        bands=[(one, speech.code("band", one)) for one in BANDS],
        band=band,
        categories=[(row["category"], row["category"]) for row in categories],
        category=category,
        actions=[(one, speech.code("action_code", one)) for one in ACTIONS],
        action=action,
        shown=replace(shown, rows=rows),
        worst=worst,
        chart=intervals([tuple(row.values()) for row in worst], form=".2f"),
    )


@router.get("/merchants/{merchant_id:path}")
def merchant(request: Request, merchant_id: str, as_of: str = "") -> Response:
    """Show one merchant: its scorecard, its promise over time, what is done about it and why, and its catchments."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, _ = snapshot.chosen(TABLE, as_of)
    known = snapshot.row("SELECT * FROM merchants WHERE merchant_id = ?", merchant_id)
    card = _card(snapshot, merchant_id, day)
    if known is None and card is None:
        raise HTTPException(404)
    # Older slices may hold codes of the shipped rules, whatever the home's own say now.
    rules = (*read_judging().rules, *read_judging(portal.home / RULES_FILE).rules)
    return portal.page(
        request,
        "merchants/merchant.html",
        merchant_id=merchant_id,
        name=_named(merchant_id, known["name"] if known else None),
        merchant=known,
        day=day,
        days=snapshot.days(TABLE),
        card=card,
        mend=_in_words(card["mend_code"], rules, speech) if card else "",
        reasons=[_in_words(code, rules, speech) for code in card["reason_codes"]] if card else [],
        gaps=_gaps(snapshot, merchant_id),
        waits=_waits(snapshot, speech, merchant_id, day),
        measures=_measures(snapshot, speech, merchant_id, day),
        actions=_actions(snapshot, rules, speech, merchant_id),
        changes=_changes(snapshot, merchant_id, day),
        stores=_stores(snapshot, speech, merchant_id, day),
        wins=_wins(snapshot, merchant_id, day),
        sees_all=viewer.may_open("/merchants"),
        lists=[one for one in LISTS if _is_any(snapshot, one, merchant_id)],
        may_download=viewer.may_open(f"/download/merchants/{merchant_id}", "POST"),
        formats=FORMATS,
    )


@router.post("/download/merchants/{merchant_id:path}")
def download(
    request: Request,
    merchant_id: str,
    wanted: Annotated[str, Form(alias="as")] = "",
    of: Annotated[str, Form()] = "scorecard",
) -> Response:
    """Give the scorecard of one merchant, its promise gaps or the catchments of its stores as a file."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    if of not in LISTS or not _is_any(portal.snapshot, of, merchant_id):
        raise HTTPException(404)
    order = ordered(portal, viewer, {"as": wanted or FORMATS[0]}, portal.speech(request).language)
    if order.platform:
        raise UsageError("what is of a merchant goes to no platform", next_step=f"use one of {', '.join(FORMATS)}")
    return downloaded(portal, viewer, f"merchant {merchant_id}: {of}", order, _making(LISTS[of], merchant_id))


def _is_any(snapshot: Snapshot, of: str, merchant_id: str) -> bool:
    """Return whether there is anything of a merchant to be taken away, on the latest day."""
    days = snapshot.days(LISTS[of])
    query = f"SELECT 1 AS n FROM {LISTS[of]} WHERE as_of = CAST(? AS DATE) AND merchant_id = ? LIMIT 1"
    return bool(days) and snapshot.row(query, days[-1], merchant_id) is not None


def _making(table: str, merchant_id: str) -> Making:
    def make(home: Home, order: Order) -> ExportReport:
        return export_table(
            home, table, settings=order.settings, where={"merchant_id": merchant_id}, format=order.format,
            language=order.language, out=order.out, requested_by=order.requested_by,
        )  # fmt: skip

    return make


def _named(merchant_id: str, name: str | None) -> str:
    return f"{name} ({merchant_id})" if name and name != merchant_id else merchant_id


def _card(snapshot: Snapshot, merchant_id: str, day: date) -> dict[str, Any] | None:
    return snapshot.row(
        "SELECT * FROM merchant_scorecards WHERE as_of = CAST(? AS DATE) AND merchant_id = ?", day, merchant_id
    )


def _in_words(code: str, rules: tuple[Rule, ...], speech: Speech) -> str:
    """Return what a code says; the code of a rule that the home had once and has no more stays a code."""
    try:
        return reason_text(code, speech.language, rules=rules)
    except UsageError:
        return code


def _gaps(snapshot: Snapshot, merchant_id: str) -> dict[str, Any]:
    """Return the promise gap as it was found on each day."""
    rows = snapshot.rows(
        """
        SELECT as_of, promise_gap AS gap, promise_gap_low AS low, promise_gap_high AS high, band
        FROM merchant_scorecards WHERE merchant_id = ? ORDER BY as_of
        """,
        merchant_id,
    )
    drawn = {name: [row[name] for row in rows] for name in ("as_of", "gap", "low", "high")}
    return {"rows": rows, "chart": banded(drawn["as_of"], drawn["gap"], drawn["low"], drawn["high"])}


def _waits(snapshot: Snapshot, speech: Speech, merchant_id: str, day: date) -> dict[str, Any]:
    rows = snapshot.rows(_WAITS, merchant_id, day)
    series = {
        speech.t("merchants.waited"): [row["waited"] for row in rows],
        speech.t("merchants.promised"): [row["promised"] for row in rows],
    }
    return {"rows": rows, "chart": lines([row["month"] for row in rows], series, form=".0f")}


def _measures(snapshot: Snapshot, speech: Speech, merchant_id: str, day: date) -> dict[str, Any]:
    """Return the gap by each measure, all together first."""
    found = {
        row["measure"]: row
        for row in snapshot.rows(
            "SELECT * FROM promise_gaps WHERE as_of = CAST(? AS DATE) AND level = 'merchant' AND id = ?",
            day, merchant_id,
        )
    }  # fmt: skip
    rows = [{**found[one], "name": speech.code("measure", one)} for one in (ALL, *MEASURES) if one in found]
    drawn = [(row["name"], row["gap"], row["gap_low"], row["gap_high"]) for row in rows]
    return {"rows": rows, "chart": intervals(drawn, form=".2f")}


def _actions(snapshot: Snapshot, rules: tuple[Rule, ...], speech: Speech, merchant_id: str) -> list[dict[str, Any]]:
    """Return what was done on each day and why, the latest first."""
    rows = snapshot.rows("SELECT * FROM merchant_actions WHERE merchant_id = ? ORDER BY as_of DESC", merchant_id)
    return [
        {
            **row,
            "action": speech.code("action_code", row["action_code"]),
            "why": speech.listed([_in_words(code, rules, speech) for code in row["reason_codes"]]),
        }
        for row in rows
    ]


def _changes(snapshot: Snapshot, merchant_id: str, day: date) -> list[dict[str, Any]]:
    return snapshot.rows(
        """
        SELECT * FROM merchant_changes WHERE as_of = CAST(? AS DATE) AND merchant_id = ?
        ORDER BY found_on DESC, changed_on DESC, measure
        """,
        day, merchant_id,
    )  # fmt: skip


def _stores(snapshot: Snapshot, speech: Speech, merchant_id: str, day: date) -> dict[str, Any]:
    """Return from how far the customers of each store come."""
    rows = snapshot.rows(
        "SELECT * FROM store_catchments WHERE as_of = CAST(? AS DATE) AND merchant_id = ? ORDER BY store_id",
        day, merchant_id,
    )  # fmt: skip
    rows = [{**row, "basis_name": speech.code("basis", row["basis"])} for row in rows]
    return {"rows": rows, "chart": bars([row["store_id"] for row in rows], [row["radius_m"] for row in rows])}


def _wins(snapshot: Snapshot, merchant_id: str, day: date) -> dict[str, Any] | None:
    if day not in snapshot.days("three_wins"):
        return None
    return snapshot.row(
        "SELECT * FROM three_wins WHERE as_of = CAST(? AS DATE) AND level = 'merchant' AND id = ?", day, merchant_id
    )
