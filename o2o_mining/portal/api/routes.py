"""The calls of the API."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.portal.api.answers import Campaign, CampaignResults, Members, Offers, Problem, Segment
from o2o_mining.portal.downloads import Making, downloaded, offers_list, ordered
from o2o_mining.portal.portal import portal_of, viewer_of_request
from o2o_mining.portal.segments import members_query, segment_list, segment_profile
from o2o_mining.portal.snapshot import Snapshot

_PROBLEMS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 401, 403, 404, 422, 503)}
# The gate looks at tokens; here it is only described that one is needed.
_TOKEN = HTTPBearer(auto_error=False, description="A token made on the page of the account; it names what it may read.")
router = APIRouter(prefix="/api/v1", responses=_PROBLEMS, dependencies=[Depends(_TOKEN)])

Language = Literal["en", "zh-Hant", "zh-Hans"]
Scheme = Literal["rfm", "cluster", "lifecycle", "rule"]
Format = Literal["csv", "xlsx", "parquet", "google-customer-match", "line", "meta-customer-list", "tencent", "tiktok"]

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_SEGMENTS = """
    SELECT * FROM segment_profiles WHERE as_of = CAST(? AS DATE) AND (CAST(? AS TEXT) IS NULL OR scheme = ?)
    ORDER BY scheme, segment_code
"""
_CAMPAIGNS = """
    SELECT c.campaign_id, c.name, c.starts_at, c.ends_at, a.conversions, a.net_revenue, a.cost, a.roas
    FROM campaigns c LEFT JOIN campaign_attribution a
      ON a.id = c.campaign_id AND a.level = 'campaign' AND a.model = ? AND a.as_of = CAST(? AS DATE)
     AND a.window_start = DATE '1970-01-01'
    ORDER BY c.campaign_id
"""
_CREDITS = """
    SELECT * FROM campaign_attribution WHERE as_of = CAST(? AS DATE) AND level = 'campaign' AND id = ?
    ORDER BY window_start, model
"""
_EFFECTS = "SELECT * FROM incrementality WHERE as_of = CAST(? AS DATE) AND campaign_id = ? ORDER BY outcome, method"


@router.get("/segments", response_model=list[Segment])
def segments(
    request: Request, scheme: Scheme | None = None, as_of: date | None = None, language: Language = "en"
) -> list[dict[str, Any]]:
    """List the segments of all schemes or one, as of the latest day or another."""
    portal = portal_of(request)
    day, name = _day(portal.snapshot, "segment_profiles", as_of), portal.segment_name
    rows = portal.snapshot.rows(_SEGMENTS, day, scheme, scheme)
    return [{**row, "name": name(row["segment_code"], language)} for row in rows]


@router.get("/segments/{scheme}/members/{code:path}", response_model=Members)
def members(
    request: Request,
    scheme: Scheme,
    code: str,
    as_of: date | None = None,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the members of a segment in the order of their ids; ask on with `after`."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot = portal.snapshot
    day = _day(snapshot, "segments", as_of)
    if segment_profile(snapshot, scheme, code, day) is None:
        raise HTTPException(404)
    query = f"SELECT * FROM ({members_query(snapshot, day, scheme)}) WHERE customer_id > ? ORDER BY customer_id LIMIT ?"
    rows = snapshot.rows(query, code, after, limit + 1)
    portal.access.audit.note(
        "people_seen", user=viewer.name, address=viewer.address, subject=f"segment {scheme}:{code}", detail="API"
    )
    found = rows[:limit]
    return {"as_of": day, "members": found, "next_after": found[-1]["customer_id"] if len(rows) > limit else None}


@router.get("/customers/{customer_id:path}/offers", response_model=Offers)
async def offers(request: Request, customer_id: str) -> Response:
    """Return the offers of a customer out of approved plans, from memory."""
    book = portal_of(request).offer_book
    answer = book.answer(customer_id) if book.is_current() else await run_in_threadpool(book.answer, customer_id)
    return Response(answer, media_type="application/json")


@router.get("/campaigns", response_model=list[Campaign])
def campaigns(request: Request, as_of: date | None = None, model: str = "last_non_direct") -> list[dict[str, Any]]:
    """List the campaigns with what a model credits them with over all history."""
    snapshot = portal_of(request).snapshot
    return snapshot.rows(_CAMPAIGNS, model, _day(snapshot, "campaign_attribution", as_of))


@router.get("/campaigns/{campaign_id:path}", response_model=CampaignResults)
def campaign(request: Request, campaign_id: str, as_of: date | None = None) -> dict[str, Any]:
    """Return what every model credits a campaign with, and what it caused."""
    snapshot = portal_of(request).snapshot
    if snapshot.row("SELECT 1 AS known FROM campaigns WHERE campaign_id = ?", campaign_id) is None:
        raise HTTPException(404)
    day = _day(snapshot, "campaign_attribution", as_of)
    return {
        "campaign_id": campaign_id,
        "as_of": day,
        "attribution": snapshot.rows(_CREDITS, day, campaign_id),
        "incrementality": snapshot.rows(_EFFECTS, day, campaign_id),
    }


@router.get("/files/segments/{scheme}/{code:path}", response_class=Response, responses=_FILE)
def segment_file(
    request: Request,
    scheme: Scheme,
    code: str,
    wanted: Annotated[Format, Query(alias="as")] = "csv",
    language: Language = "en",
) -> Response:
    """Return the list of the members of a segment who may be contacted, for people or an ad platform."""
    portal = portal_of(request)
    day = _day(portal.snapshot, "segments", None)
    if segment_profile(portal.snapshot, scheme, code, day) is None:
        raise HTTPException(404)
    return _file(request, f"segment {scheme}:{code}", wanted, language, segment_list(portal, scheme, code))


@router.get("/files/offers", response_class=Response, responses=_FILE)
def offers_file(
    request: Request,
    campaign_id: str | None = None,
    wanted: Annotated[Format, Query(alias="as")] = "csv",
    language: Language = "en",
) -> Response:
    """Return the offers of the latest plan whose customers may be contacted."""
    subject = f"offers {campaign_id or 'of all campaigns'}"
    return _file(request, subject, wanted, language, offers_list(campaign_id))


def _file(request: Request, subject: str, wanted: str, language: str, making: Making) -> Response:
    portal, viewer = portal_of(request), viewer_of_request(request)
    return downloaded(portal, viewer, subject, ordered(portal, viewer, {"as": wanted}, language), making)


def _day(snapshot: Snapshot, table: str, asked: date | None) -> date:
    """Return the day asked for, by default the latest."""
    days = snapshot.days(table)
    if not days or (asked is not None and asked not in days):
        raise HTTPException(404)
    return asked or days[-1]
