"""The gate that every request passes: who is it, may it, and does the form come from our own page?

It stands before all routes, so that no page can forget to ask.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from o2o_mining.portal.access.rights import ANYONE, API, Right, right_of
from o2o_mining.portal.access.viewer import Viewer, viewer_of, visit_cookie

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from o2o_mining.portal.access import Access

# What a form may hold; the portal takes no files.
LARGEST_FORM = 64 * 1024
FORM_FIELD = "form_token"
_SAFE = ("GET", "HEAD")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}

# From a request, a status and the code of a text to the page that says so.
Refusal = Callable[[Request, int, str], Response]


class Gate:
    """Lets requests in that the table of rights allows, and puts the security headers on every answer.

    Parameters
    ----------
    app
        What stands behind the gate.
    access
        Users, sessions, tokens.
    refusal
        Makes the page for whoever is not let in.
    """

    def __init__(self, app: ASGIApp, *, access: Access, refusal: Refusal) -> None:
        self._app, self._access, self._refusal = app, access, refusal
        self._headers = _HEADERS | (_TLS_ONLY if access.secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        viewer = viewer_of(request, self._access)
        request.state.viewer = viewer
        send = self._with_headers(send, viewer)
        refused = self._refused(request, viewer)
        if refused is None and request.method not in _SAFE and viewer.scopes is None:
            body = await _body(request)
            refused = self._foreign(request, viewer, body)
            receive = _again(body or b"", receive)
        await (refused or self._app)(scope, receive, send)

    def _refused(self, request: Request, viewer: Viewer) -> Response | None:
        """Return why a request is not let in; nothing if it is."""
        found = right_of(request.scope["path"])
        if found is None:
            return self._refusal(request, 404, "not_found") if viewer.user else _to_login(request)
        right, values = found
        method = "GET" if request.method == "HEAD" else request.method
        if method not in right.roles:
            return self._refusal(request, 405, "not_found")
        if ANYONE in right.roles[method]:
            return None
        if viewer.user is None:
            return _to_login(request)
        if not _may(viewer, right, method):
            self._note_refused(request, viewer)
            return self._refusal(request, 403, "forbidden")
        if "merchant_id" in values and not viewer.may_see_merchant(values["merchant_id"]):
            self._note_refused(request, viewer)
            return self._refusal(request, 404, "not_found")
        return None

    def _note_refused(self, request: Request, viewer: Viewer) -> None:
        self._access.audit.note(
            "refused", user=viewer.name, address=viewer.address, subject=f"{request.method} {request.url.path}"
        )

    def _foreign(self, request: Request, viewer: Viewer, body: bytes | None) -> Response | None:
        """Return why a form is not taken: it is too large, or does not come from a page of this browser."""
        if body is None:
            return self._refusal(request, 413, "too_large")
        form = parse_qs(body.decode("utf-8", errors="replace"))
        given = form.get(FORM_FIELD, [""])[0]
        if viewer.is_new or not hmac.compare_digest(given.encode(), viewer.form_token.encode()):
            return self._refusal(request, 403, "form_expired")
        return None

    def _with_headers(self, send: Send, viewer: Viewer) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
                if viewer.is_new:
                    secure = "; Secure" if self._access.secure else ""
                    cookie = f"{visit_cookie(self._access)}={viewer.secret}; Path=/; HttpOnly; SameSite=Lax{secure}"
                    headers.append("Set-Cookie", cookie)
            await send(message)

        return sending


def _may(viewer: Viewer, right: Right, method: str) -> bool:
    if viewer.role not in right.roles[method]:
        return False
    if viewer.scopes is not None:
        return bool(right.scope) and right.scope in viewer.scopes
    return not right.scope


def _to_login(request: Request) -> Response:
    if request.url.path.startswith(API):
        return JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"?back={quote(wanted, safe='')}" if request.method in _SAFE and wanted != "/" else ""
    return RedirectResponse(f"/login{back}", 303)


async def _body(request: Request) -> bytes | None:
    """Return the body of a form, or nothing if it is larger than any of ours."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            return None
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read once more, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving
