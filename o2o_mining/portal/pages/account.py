"""What belongs to the user alone: the password, and tokens for programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from o2o_mining.core.errors import UsageError
from o2o_mining.portal.access.passwords import SHORTEST
from o2o_mining.portal.access.rights import scopes_of
from o2o_mining.portal.access.tokens import LONGEST_DAYS
from o2o_mining.portal.access.users import User
from o2o_mining.portal.pages.entrance import let_in, password_problem
from o2o_mining.portal.portal import portal_of, viewer_of_request

router = APIRouter(include_in_schema=False)


@router.get("/account")
def account(request: Request) -> Response:
    """Show who the user is, the form for a new password, and the tokens."""
    return _page(request)


@router.post("/account/password")
def change_password(
    request: Request,
    current: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Change the password; every session ends, and this browser gets a new one."""
    portal, viewer, user = portal_of(request), viewer_of_request(request), _user(request)
    # Whoever finds an open browser must not guess faster here than at the login.
    if portal.access.throttle.begin(user.name, viewer.address) > 0:
        return _page(request, 429, problem="account.too_often")
    if portal.access.users.checked(user.name, current) is None:
        return _page(request, 422, problem="account.wrong")
    portal.access.throttle.succeeded(user.name, viewer.address)
    problem = password_problem(password, again, user)
    if problem:
        return _page(request, 422, problem=problem)
    portal.access.users.set_password(user.id, password)
    portal.access.audit.note("password_set", user=user.name, address=viewer.address)
    return let_in(portal, request, user, "/account")


@router.post("/account/tokens")
def make_token(
    request: Request,
    name: Annotated[str, Form()] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form()] = 90,
) -> Response:
    """Make a token and show it, once."""
    portal, viewer, user = portal_of(request), viewer_of_request(request), _user(request)
    wanted = [scope for scope in scopes or [] if scope in scopes_of(user.role)]
    try:
        secret = portal.access.tokens.make(user.id, name, wanted, days)
    except UsageError:
        return _page(request, 422, problem="account.token_wrong")
    portal.access.audit.note(
        "token_made", user=user.name, address=viewer.address, subject=name[:100], detail=" ".join(sorted(wanted))
    )
    return _page(request, secret=secret)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(request: Request, token_id: Annotated[int, Path(le=2**63 - 1)]) -> Response:
    """Revoke a token of the user's own."""
    portal, viewer, user = portal_of(request), viewer_of_request(request), _user(request)
    portal.access.tokens.revoke(user.id, token_id)
    portal.access.audit.note("token_revoked", user=user.name, address=viewer.address, subject=str(token_id))
    return RedirectResponse("/account", 303)


def _user(request: Request) -> User:
    user = viewer_of_request(request).user
    assert user is not None  # noqa: S101 - the gate lets nobody else in
    return user


def _page(request: Request, status: int = 200, *, problem: str = "", secret: str = "") -> Response:
    portal, user = portal_of(request), _user(request)
    return portal.page(
        request,
        "account.html",
        status=status,
        user=user,
        tokens=portal.access.tokens.of(user.id),
        scopes=scopes_of(user.role),
        problem=problem,
        secret=secret,
        shortest=SHORTEST,
        longest_days=LONGEST_DAYS,
    )
