"""What administrators look after: users, and the log of what was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from o2o_mining.core.errors import UsageError
from o2o_mining.portal.access.audit import ACTIONS
from o2o_mining.portal.access.rights import ROLES
from o2o_mining.portal.access.users import LINK_HOURS, User
from o2o_mining.portal.listing import PAGE_SIZE
from o2o_mining.portal.portal import Portal, portal_of, viewer_of_request

router = APIRouter(include_in_schema=False)

# What the portal's own memory can hold as a number.
_Id = Annotated[int, Path(le=2**63 - 1)]


@router.get("/admin/users")
def users(request: Request) -> Response:
    """Show all users."""
    return _page(request)


@router.post("/admin/users")
def add(
    request: Request,
    name: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
    merchants: Annotated[str, Form()] = "",
) -> Response:
    """Add a user and show the link with which to set a password."""
    portal = portal_of(request)
    try:
        user = portal.access.users.add(name.strip(), role, _ids(portal, merchants))
    except UsageError as error:
        return _page(request, 422, problem=error.message)
    _note(request, "user_added", user.name, " ".join([role, *user.merchants]))
    return _with_link(request, user)


@router.post("/admin/users/{user_id}")
def change(
    request: Request,
    user_id: _Id,
    role: Annotated[str, Form()] = "",
    merchants: Annotated[str, Form()] = "",
    active: Annotated[bool, Form()] = False,
) -> Response:
    """Give a user another role, or put the user out."""
    portal, user = portal_of(request), _known(request, user_id)
    try:
        portal.access.users.change(user, role=role, merchants=_ids(portal, merchants), active=active)
    except UsageError as error:
        return _page(request, 422, problem=error.message)
    _note(request, "user_changed", user.name, " ".join([role, "active" if active else "out", *merchants.splitlines()]))
    return RedirectResponse("/admin/users", 303)


@router.post("/admin/users/{user_id}/link")
def link(request: Request, user_id: _Id) -> Response:
    """Show a new link with which a user sets a password."""
    return _with_link(request, _known(request, user_id))


@router.get("/admin/audit")
def audit(request: Request, user: str = "", action: str = "", page: int = 1) -> Response:
    """Show the audit log, the latest line first."""
    kept = portal_of(request).access.audit
    total = kept.count(user=user, action=action)
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(page, 1), pages)
    return portal_of(request).page(
        request,
        "admin/audit.html",
        lines=kept.lines(limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE, user=user, action=action),
        total=total,
        page=page,
        pages=pages,
        first=(page - 1) * PAGE_SIZE + 1,
        user=user,
        action=action,
        actions=ACTIONS,
    )


def _with_link(request: Request, user: User) -> Response:
    secret = portal_of(request).access.users.new_link(user.id)
    _note(request, "link_made", user.name)
    return _page(request, secret=secret, invited=user.name)


def _ids(portal: Portal, text: str) -> list[str]:
    """Return the ids of merchants, one in each line; where the merchants are known, each must be one of them."""
    asked = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    published = portal.published()
    known = published.rows("SELECT merchant_id FROM merchants") if published and published.has("merchants") else []
    strange = sorted(set(asked) - {row["merchant_id"] for row in known}) if known else []
    if strange:
        raise UsageError(f"there is no merchant {', '.join(strange)}", next_step="look for it on the page of merchants")
    return asked


def _known(request: Request, user_id: int) -> User:
    user = portal_of(request).access.users.get(user_id)
    if user is None:
        raise HTTPException(404)
    return user


def _note(request: Request, action: str, subject: str, detail: str = "") -> None:
    viewer = viewer_of_request(request)
    portal_of(request).access.audit.note(
        action, user=viewer.name, address=viewer.address, subject=subject, detail=detail
    )


def _page(request: Request, status: int = 200, *, problem: str = "", secret: str = "", invited: str = "") -> Response:
    portal = portal_of(request)
    return portal.page(
        request,
        "admin/users.html",
        status=status,
        users=portal.access.users.all(),
        roles=ROLES,
        problem=problem,
        link=f"{str(request.base_url).rstrip('/')}/welcome?token={secret}" if secret else "",
        invited=invited,
        link_hours=LINK_HOURS,
    )
