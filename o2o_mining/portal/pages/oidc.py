"""Login by an identity provider, where one is configured."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.portal.access.oidc import Oidc, RefusedError
from o2o_mining.portal.pages.entrance import let_in, local
from o2o_mining.portal.portal import portal_of, viewer_of_request

router = APIRouter(include_in_schema=False)


@router.get("/login/oidc")
async def begin(request: Request, back: str = "/") -> Response:
    """Send the browser to the provider."""
    try:
        return await _oidc(request).begin(request, viewer_of_request(request).secret, local(back))
    except RefusedError as error:
        return _refused(request, error)


@router.get("/login/oidc/back")
async def finish(request: Request) -> Response:
    """Let the user in whom the provider sends back."""
    try:
        user, back = await _oidc(request).finish(request, viewer_of_request(request).secret)
    except RefusedError as error:
        return _refused(request, error)
    return let_in(portal_of(request), request, user, back)


def _oidc(request: Request) -> Oidc:
    oidc = portal_of(request).oidc
    if oidc is None:
        raise HTTPException(404)
    return oidc


def _refused(request: Request, error: RefusedError) -> Response:
    portal = portal_of(request)
    portal.access.audit.note(
        "login_failed", user="", address=viewer_of_request(request).address, detail=f"OpenID Connect: {error}"
    )
    return portal.page(request, "error.html", status=401, text="entrance.oidc_failed", detail="")
