"""Segments: how large, how valuable, who comes and goes, and who is in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.exports import FORMATS, Order, platforms
from o2o_mining.portal.charts import bars, columns, lines, sankey
from o2o_mining.portal.downloads import LARGE, Preview, downloaded, ordered, previewed
from o2o_mining.portal.listing import Column, Listing, listed
from o2o_mining.portal.portal import Portal, portal_of, viewer_of_request
from o2o_mining.portal.segments import IS_MEMBER, SCHEMES, everybody, members_query, segment_list, segment_profile
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech
from o2o_mining.segmentation import profile_text, segment_advice, segment_codes

router = APIRouter(include_in_schema=False)

NOWHERE = "(none)"

_SEGMENTS = Listing(
    query="""
        SELECT p.segment_code, p.scheme, p.customers, p.share, p.customers - q.customers AS change,
               p.median_recency_days, p.mean_frequency, p.mean_monetary, p.revenue_share
        FROM segment_profiles p
        LEFT JOIN segment_profiles q
          ON q.as_of = CAST(? AS DATE) AND q.scheme = p.scheme AND q.segment_code = p.segment_code
        WHERE p.as_of = CAST(? AS DATE) AND p.scheme = ?
    """,
    columns=(
        Column("segment_code", "text", "segments.segment", link="/segments/{scheme}/{segment_code}", shown="name"),
        Column("customers", "number", "segments.customers"),
        Column("change", "change", "segments.change"),
        Column("share", "share", "segments.share"),
        Column("median_recency_days", "number", "segments.median_recency"),
        Column("mean_frequency", "decimal", "segments.mean_frequency"),
        Column("mean_monetary", "money", "segments.mean_monetary"),
        Column("revenue_share", "share", "segments.revenue_share"),
    ),
    key=("segment_code",),
)

_LARGE = """
    SELECT scheme, segment_code FROM segment_profiles WHERE as_of = CAST(? AS DATE) AND customers >= ?
    ORDER BY customers DESC, scheme, segment_code
"""

_MEMBERS = Listing(
    query="",
    columns=(
        Column("customer_id", "text", "segments.customer", link="/customers/{customer_id}"),
        Column("recency_days", "number", "segments.recency"),
        Column("frequency", "number", "segments.frequency"),
        Column("monetary", "money", "segments.monetary"),
        Column("churn_probability", "share", "segments.churn"),
        Column("clv_365d", "money", "segments.value"),
    ),
    key=("customer_id",),
    search="customer_id",
)


def prepare(snapshot: Snapshot) -> None:
    """Keep beforehand what most questions are about."""
    if days := snapshot.days("segments"):
        everybody(snapshot, days[-1])


def look_ahead(portal: Portal) -> None:
    """Make out beforehand who would be on large lists for people."""
    snapshot, order = portal.snapshot, Order(portal.settings)
    days = snapshot.days("segment_profiles")
    for row in snapshot.rows(_LARGE, days[-1], LARGE) if days else []:
        _previewed(portal, row["scheme"], row["segment_code"], order)


@router.get("/segments")
def segments(request: Request, scheme: str = "rfm", as_of: str = "") -> Response:
    """Show the segments of a scheme as of a day."""
    portal = portal_of(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    if scheme not in SCHEMES:
        raise HTTPException(404)
    day, before = snapshot.chosen("segment_profiles", as_of)
    shown = listed(snapshot, _SEGMENTS, (before, day, scheme), dict(request.query_params))
    name = _namer(portal, speech)
    rows = [{**row, "name": name(row["segment_code"])} for row in shown.rows]
    largest = sorted(rows, key=lambda row: (-row["customers"], row["segment_code"]))
    return portal.page(
        request,
        "segments/list.html",
        schemes=SCHEMES,
        scheme=scheme,
        days=snapshot.days("segment_profiles"),
        day=day,
        before=before,
        has_rules=bool(snapshot.days("association_rules")),
        shown=replace(shown, rows=rows),
        chart=bars([row["name"] for row in largest], [row["customers"] for row in largest]),
    )


@router.get("/segments/{scheme}/{code:path}")
def segment(request: Request, scheme: str, code: str, as_of: str = "") -> Response:
    """Show one segment: what it is, how it changed, who is leaving, and its members."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, before = snapshot.chosen("segment_profiles", as_of)
    profile = _known(snapshot, scheme, code, day)
    members = replace(_MEMBERS, query=members_query(snapshot, day, scheme))
    shown = listed(snapshot, members, (code,), dict(request.query_params))
    if viewer.user:
        seen = f"page {shown.page}" + (f", search {shown.searched}" if shown.searched else "")
        portal.access.audit.note(
            "people_seen", user=viewer.name, address=viewer.address, subject=f"segment {scheme}:{code}", detail=seen
        )
    name = _namer(portal, speech)
    return portal.page(
        request,
        "segments/segment.html",
        scheme=scheme,
        code=code,
        name=name(code),
        advice=segment_advice(code, speech.language) if scheme == "rfm" and code in segment_codes() else "",
        traits=profile_text(profile["traits"], speech.language) if profile["traits"] else "",
        profile=profile,
        day=day,
        before=before,
        trend=_trend(snapshot, speech, scheme, code),
        moves=_moves(snapshot, name, scheme, code, day),
        by_rule=_by_rule(snapshot, name, scheme, code, day),
        churn=_churn(snapshot, speech, scheme, code, day),
        shown=shown,
    )


@router.get("/download/segments/{scheme}/{code:path}")
def preview(request: Request, scheme: str, code: str) -> Response:
    """Show who would be on a list of the members, and who would be left out and why, before it is made."""
    portal, speech = portal_of(request), portal_of(request).speech(request)
    day, _ = portal.snapshot.chosen("segment_profiles", "")
    _known(portal.snapshot, scheme, code, day)
    order = ordered(portal, viewer_of_request(request), dict(request.query_params), speech.language)
    return portal.page(
        request,
        "download.html",
        title=_namer(portal, speech)(code),
        origin=f"/segments/{scheme}/{code}",
        day=day,
        choices=(*FORMATS, *platforms()),
        chosen=order.platform or order.format,
        preview=_previewed(portal, scheme, code, order),
    )


@router.post("/download/segments/{scheme}/{code:path}")
def download(request: Request, scheme: str, code: str, wanted: Annotated[str, Form(alias="as")] = "") -> Response:
    """Give the list of the members who may be on it."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    _known(portal.snapshot, scheme, code, portal.snapshot.chosen("segment_profiles", "")[0])
    order = ordered(portal, viewer, {"as": wanted}, portal.speech(request).language)
    return downloaded(portal, viewer, f"segment {scheme}:{code}", order, segment_list(portal, scheme, code))


def _previewed(portal: Portal, scheme: str, code: str, order: Order) -> Preview:
    return previewed(portal, f"segment {scheme}:{code}", order, segment_list(portal, scheme, code))


def _known(snapshot: Snapshot, scheme: str, code: str, day: date) -> dict[str, Any]:
    profile = segment_profile(snapshot, scheme, code, day)
    if profile is None:
        raise HTTPException(404)
    return profile


def _namer(portal: Portal, speech: Speech) -> Any:
    called = portal.segment_name
    return lambda code: speech.t("segments.nowhere") if code == NOWHERE else called(code, speech.language)


def _trend(snapshot: Snapshot, speech: Speech, scheme: str, code: str) -> dict[str, Any]:
    rows = snapshot.rows(
        "SELECT as_of, customers, revenue_share FROM segment_profiles WHERE scheme = ? AND segment_code = ? ORDER BY 1",
        scheme, code,
    )  # fmt: skip
    counted = {speech.t("segments.customers"): [row["customers"] for row in rows]}
    return {"rows": rows, "chart": lines([row["as_of"] for row in rows], counted)}


def _moves(snapshot: Snapshot, name: Any, scheme: str, code: str, day: date) -> dict[str, Any]:
    rows = snapshot.rows(
        """
        SELECT from_code, to_code, customers FROM segment_migration
        WHERE as_of = CAST(? AS DATE) AND scheme = ? AND (from_code = ? OR to_code = ?)
        ORDER BY customers DESC, from_code, to_code
        """,
        day, scheme, code, code,
    )  # fmt: skip
    named = [{**row, "from_name": name(row["from_code"]), "to_name": name(row["to_code"])} for row in rows]
    flows = [(row["from_name"], row["to_name"], row["customers"]) for row in named]
    return {"rows": named, "chart": sankey(flows, marked=name(code))}


def _by_rule(snapshot: Snapshot, name: Any, scheme: str, code: str, day: date) -> list[dict[str, Any]]:
    """Return the segments by rule that the members are in, with their share among the members and among all."""
    rows = snapshot.rows(
        f"""
        WITH everybody AS (
            SELECT rule_segments, coalesce({IS_MEMBER[scheme]}, false) AS member FROM {everybody(snapshot, day)}
        ), counted AS (
            SELECT unnest(rule_segments) AS rule_code, member FROM everybody
        )
        SELECT rule_code, count(*) FILTER (member) AS customers,
               count(*) FILTER (member) / (SELECT count(*) FILTER (member) FROM everybody) AS share,
               count(*) / (SELECT count(*) FROM everybody) AS share_of_all
        FROM counted GROUP BY rule_code ORDER BY customers DESC, rule_code
        """,
        code,
    )
    return [{**row, "name": name(row["rule_code"])} for row in rows if (scheme, row["rule_code"]) != ("rule", code)]


def _churn(snapshot: Snapshot, speech: Speech, scheme: str, code: str, day: date) -> dict[str, Any]:
    """Return how many members leave with which probability, in tenths, and what they are worth."""
    rows = snapshot.rows(
        f"""
        SELECT least(floor(churn_probability * 10), 9)::INT AS tenth, count(*) AS customers,
               sum(churn_probability) AS leaving, sum(clv_365d) AS value
        FROM {everybody(snapshot, day)} WHERE churn_probability IS NOT NULL AND {IS_MEMBER[scheme]}
        GROUP BY tenth ORDER BY tenth
        """,
        code,
    )
    counted = {row["tenth"]: row["customers"] for row in rows}
    names = [f"{speech.share(tenth / 10, 0)} – {speech.share((tenth + 1) / 10, 0)}" for tenth in range(10)]
    values = [counted.get(tenth, 0) for tenth in range(10)]
    total = sum(values)
    return {
        "rows": list(zip(names, values, strict=True)),
        "total": total,
        "mean": sum(row["leaving"] for row in rows) / total if total else None,
        "value": sum(row["value"] or 0 for row in rows) if total else None,
        "chart": columns(names, values),
    }
