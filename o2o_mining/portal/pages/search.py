"""One search for everything that has a page: customers, segments, campaigns and merchants."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.core.languages import LANGUAGES
from o2o_mining.portal.portal import Portal, portal_of, viewer_of_request
from o2o_mining.portal.snapshot import Snapshot

router = APIRouter(include_in_schema=False)

# What is shown of each kind; whoever looks for more says more.
MOST = 20
_LONGEST = 100

_CUSTOMERS = f"""
    SELECT customer_id AS id FROM customers WHERE starts_with(lower(customer_id), lower(?))
    ORDER BY customer_id LIMIT {MOST + 1}
"""
_NAMED = f"""
    SELECT {{id}} AS id, coalesce(name, {{id}}) AS name FROM {{table}}
    WHERE contains(lower({{id}}), lower(?)) OR contains(lower(name), lower(?)) ORDER BY name, id LIMIT {MOST + 1}
"""
_SEGMENTS = """
    SELECT scheme, segment_code AS code FROM segment_profiles WHERE as_of = CAST(? AS DATE) ORDER BY scheme, code
"""


@router.get("/search")
def search(request: Request, q: str = "") -> Response:
    """Show what bears the name, or the beginning of the id, that is asked for."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, asked = portal.snapshot, q.strip()[:_LONGEST]
    customers = _found(snapshot, "customers", _CUSTOMERS, asked)
    if customers:
        portal.access.audit.note(
            "people_seen", user=viewer.name, address=viewer.address, subject="search", detail=asked
        )
    return portal.page(
        request,
        "search.html",
        searched=asked,
        most=MOST,
        customers=customers,
        segments=_segments(portal, portal.speech(request).language, asked),
        campaigns=_named(snapshot, "campaigns", "campaign_id", asked),
        merchants=_named(snapshot, "merchants", "merchant_id", asked),
    )


def _found(snapshot: Snapshot, table: str, query: str, *asked: str) -> list[dict[str, Any]]:
    return snapshot.rows(query, *asked) if asked[0] and snapshot.has(table) else []


def _named(snapshot: Snapshot, table: str, id_: str, asked: str) -> list[dict[str, Any]]:
    """Return rows of a table whose id or name holds what is asked for."""
    return _found(snapshot, table, _NAMED.format(table=table, id=id_), asked, asked)


def _segments(portal: Portal, language: str, asked: str) -> list[dict[str, Any]]:
    """Return the segments of the latest day whose code, or name in any language, holds what is asked for."""
    days = portal.snapshot.days("segment_profiles")
    if not asked or not days:
        return []
    rows = portal.snapshot.rows(_SEGMENTS, days[-1])
    called = portal.segment_name
    found = []
    for row in rows:
        names = [row["code"], *(called(row["code"], one) for one in LANGUAGES)]
        if any(asked.casefold() in name.casefold() for name in names):
            found.append({**row, "name": called(row["code"], language)})
    return found[: MOST + 1]
