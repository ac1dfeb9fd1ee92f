"""The first page: what stands where, up to which day."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.portal.portal import portal_of

router = APIRouter(include_in_schema=False)


@router.get("/")
def overview(request: Request) -> Response:
    """Show the overview."""
    portal = portal_of(request)
    return portal.page(request, "overview.html", snapshot=portal.snapshot)
