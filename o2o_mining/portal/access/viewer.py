"""Who makes a request, found out from its cookie or its token."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o2o_mining.portal.access.rights import ANYONE, API, MERCHANT, SEE_PERSONAL, right_of
from o2o_mining.portal.access.store import new_secret

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from o2o_mining.portal.access import Access
    from o2o_mining.portal.access.users import User


@dataclass(frozen=True)
class Viewer:
    """Who makes a request.

    Attributes
    ----------
    user
        The user; none before the login.
    address
        Where the request comes from.
    secret
        The session; before the login a random text that only ties forms to this browser.
    scopes
        What the token was made for; none for a browser.
    is_new
        Whether the browser does not have the secret yet.
    """

    user: User | None
    address: str
    secret: str = ""
    scopes: frozenset[str] | None = None
    is_new: bool = False

    @property
    def role(self) -> str:
        """The role, or ``anyone``."""
        return self.user.role if self.user else ANYONE

    @property
    def name(self) -> str:
        """The name, empty before the login."""
        return self.user.name if self.user else ""

    @property
    def sees_personal(self) -> bool:
        """Whether what identifies a person is shown."""
        return self.role in SEE_PERSONAL

    @property
    def form_token(self) -> str:
        """What every form of this browser must carry: no other site knows the secret that it comes from."""
        return hashlib.sha256(f"form:{self.secret}".encode()).hexdigest()

    def may_open(self, address: str, method: str = "GET") -> bool:
        """Return whether a link or form leads to a page that the table of rights allows."""
        found = right_of(address.partition("?")[0])
        return found is not None and self.role in found[0].roles.get(method, ())

    def may_see_merchant(self, merchant_id: str) -> bool:
        """Return whether pages of a merchant are shown; a merchant's user sees the own."""
        return self.role != MERCHANT or (self.user is not None and merchant_id in self.user.merchants)


def session_cookie(access: Access) -> str:
    """Return the name of the cookie that holds the session; under TLS no other host can set it."""
    return "__Host-o2o" if access.secure else "o2o"


def visit_cookie(access: Access) -> str:
    """Return the name of the cookie that ties the forms before the login to a browser."""
    return "__Host-o2o-visit" if access.secure else "o2o-visit"


def viewer_of(request: HTTPConnection, access: Access) -> Viewer:
    """Return who makes a request: by token under ``/api/``, by cookie elsewhere."""
    address = request.client.host if request.client else ""
    if request.url.path.startswith(API):
        return _by_token(request.headers.get("authorization", ""), address, access)
    secret = request.cookies.get(session_cookie(access), "")
    user_id = access.sessions.user_of(secret) if secret else None
    user = access.users.get(user_id) if user_id is not None else None
    if user is not None and user.active:
        return Viewer(user, address, secret)
    visit = request.cookies.get(visit_cookie(access), "")
    return Viewer(None, address, visit or new_secret(), is_new=not visit)


def _by_token(header: str, address: str, access: Access) -> Viewer:
    kind, _, secret = header.partition(" ")
    token = access.tokens.find(secret) if kind.casefold() == "bearer" and secret else None
    user = access.users.get(token.user_id) if token else None
    if token is None or user is None or not user.active:
        return Viewer(None, address)
    return Viewer(user, address, scopes=token.scopes)
