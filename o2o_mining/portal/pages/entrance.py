"""In and out: login, the one-time link, logout, and what a browser remembers."""

from __future__ import annotations

from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from o2o_mining.core.languages import LANGUAGES
from o2o_mining.portal.access.passwords import SHORTEST, weakness
from o2o_mining.portal.access.users import User
from o2o_mining.portal.access.viewer import session_cookie
from o2o_mining.portal.portal import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, Portal, portal_of, viewer_of_request
from o2o_mining.portal.static import static_file

router = APIRouter(include_in_schema=False)

_YEAR = 365 * 86400


@router.get("/login")
def login_page(request: Request, back: str = "/") -> Response:
    """Show the form to log in with."""
    return _login(request, wanted=local(back))


@router.post("/login")
def login(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Let a user in who knows the password, more slowly with every failure."""
    portal, address = portal_of(request), viewer_of_request(request).address
    access = portal.access
    wait = access.throttle.begin(name, address)
    shown: dict[str, Any] = {"wanted": local(back), "name": name, "seconds": ceil(wait)}
    if wait > 0:
        access.audit.note("login_refused", user=name[:100], address=address)
        page = _login(request, 429, problem="entrance.too_often", **shown)
        page.headers["Retry-After"] = str(ceil(wait))
        return page
    user = access.users.checked(name, password)
    if user is None:
        access.audit.note("login_failed", user=name[:100], address=address)
        return _login(request, 401, problem="entrance.wrong", **shown)
    access.throttle.succeeded(name, address)
    return let_in(portal, request, user, local(back))


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    portal.access.sessions.end(viewer.secret)
    portal.access.audit.note("logout", user=viewer.name, address=viewer.address)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(session_cookie(portal.access), secure=portal.access.secure, httponly=True, samesite="lax")
    return answer


@router.get("/welcome")
def welcome_page(request: Request, token: str = "") -> Response:
    """Show the form in which whoever has a link sets a password."""
    portal = portal_of(request)
    user = portal.access.users.of_link(token)
    if user is None:
        return portal.page(request, "error.html", status=410, text="entrance.link_expired", detail="")
    return _welcome(request, user, token)


@router.post("/welcome")
def welcome(
    request: Request,
    token: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Set the password of a link's user, once, and let the user in."""
    portal = portal_of(request)
    user = portal.access.users.of_link(token)
    if user is None:
        return portal.page(request, "error.html", status=410, text="entrance.link_expired", detail="")
    problem = password_problem(password, again, user)
    if problem:
        return _welcome(request, user, token, problem)
    portal.access.users.set_password(user.id, password)
    portal.access.audit.note("password_set", user=user.name, address=viewer_of_request(request).address)
    return let_in(portal, request, user, "/")


@router.post("/preferences")
def preferences(
    request: Request,
    language: Annotated[str, Form()] = "",
    theme: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Remember the language and the look that a browser's user chose."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    answer = RedirectResponse(local(back), 303)
    for cookie, value, known in ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if value in known:
            answer.set_cookie(cookie, value, max_age=_YEAR, secure=portal.access.secure, httponly=True, samesite="lax")
    if language in LANGUAGES and viewer.user:
        portal.access.users.set_language(viewer.user.id, language)
    return answer


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Give a file that pages link to; its name changes with its content."""
    file = static_file(name)
    if file is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)


def let_in(portal: Portal, request: Request, user: User, back: str) -> Response:
    """Begin a new session, whatever the browser had before, and go on."""
    secret = portal.access.sessions.begin(user.id)
    portal.access.audit.note("login", user=user.name, address=viewer_of_request(request).address)
    answer = RedirectResponse(back, 303)
    answer.set_cookie(session_cookie(portal.access), secret, secure=portal.access.secure, httponly=True, samesite="lax")
    return answer


def password_problem(password: str, again: str, user: User) -> str:
    """Return the key of the text that says what is wrong with a new password, or nothing."""
    found = "passwords_differ" if password != again else weakness(password, user.name)
    return f"entrance.{found}" if found else ""


def local(address: str) -> str:
    """Return an address within the portal; the overview for any other.

    Examples
    --------
    >>> local("/segments?q=a"), local("//elsewhere.example"), local("https://elsewhere.example")
    ('/segments?q=a', '/', '/')
    """
    is_local = address.startswith("/") and address[1:2] not in ("/", "\\") and address.isprintable()
    return address if is_local and "\\" not in address else "/"


def _login(
    request: Request, status: int = 200, *, wanted: str, problem: str = "", seconds: int = 0, name: str = ""
) -> Response:
    oidc = portal_of(request).oidc
    provider = oidc.settings.name if oidc else ""
    return portal_of(request).page(
        request, "login.html", status=status, wanted=wanted, problem=problem, seconds=seconds, name=name,
        provider=provider,
    )  # fmt: skip


def _welcome(request: Request, user: User, token: str, problem: str = "") -> Response:
    status = 422 if problem else 200
    return portal_of(request).page(
        request, "welcome.html", status=status, name=user.name, token=token, problem=problem, shortest=SHORTEST
    )
