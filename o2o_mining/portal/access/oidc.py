"""Login by an identity provider: OpenID Connect with code flow, PKCE, state and nonce.

What the provider says decides who may enter and as what; nobody is matched to a local user by name.
"""

from __future__ import annotations

import re
import stat
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from httpx2 import HTTPError
from joserfc.errors import JoseError

from o2o_mining.core.errors import HomeError, UsageError
from o2o_mining.portal.access.rights import MERCHANT, ROLES
from o2o_mining.portal.access.store import FOLDER, digest

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from o2o_mining.portal.access import Access
    from o2o_mining.portal.access.users import User

OIDC_FILE = "oidc.toml"
BACK_PATH = "/login/oidc/back"
# Between leaving for the provider and coming back.
_PATIENCE_SECONDS = 600
_MOST_WAITING = 10_000


class RefusedError(Exception):
    """Whoever comes back may not enter; the message says why, for the log."""


@dataclass(frozen=True)
class OidcSettings:
    """What ``portal/oidc.toml`` of the home says.

    Attributes
    ----------
    name
        What the provider is called on the login page.
    issuer, client_id, client_secret
        As the provider gave them.
    public_url
        Where browsers reach the portal: ``https://portal.example``.
    roles
        From a value of the role claim to a role; who has none of them may not enter.
    role_claim, merchants_claim
        The claims that hold roles and a merchant's user's merchants.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str
    public_url: str
    roles: Mapping[str, str]
    role_claim: str = "groups"
    merchants_claim: str = "merchants"


def read_oidc(home: Path) -> OidcSettings | None:
    """Return how the provider is configured; None if there is none.

    Parameters
    ----------
    home
        Folder of the home.

    Raises
    ------
    HomeError
        If others may read the file, or it says too little, too much, or an unknown role.
    """
    path = home / FOLDER / OIDC_FILE
    if not path.exists():
        return None
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise HomeError(f"{path} holds a secret and others may read it", next_step=f"chmod 600 {path}")
    try:
        settings = OidcSettings(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        known = ", ".join(field.name for field in fields(OidcSettings))
        raise HomeError(f"{path}: {error}", next_step=f"it holds {known}") from None
    if unknown := set(settings.roles.values()) - set(ROLES):
        raise HomeError(f"{path}: there is no role {', '.join(sorted(unknown))}", next_step=f"use {', '.join(ROLES)}")
    return settings


class Oidc:
    """Sends browsers to the provider and takes them back.

    Parameters
    ----------
    settings, access
        How the provider is configured; who may enter.
    transport
        What speaks HTTP with the provider; the network by default.
    """

    def __init__(self, settings: OidcSettings, access: Access, transport: Any = None) -> None:
        self.settings = settings
        self._access = access
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[float, dict[str, Any]]] = {}
        spoken = {"transport": transport} if transport else {}
        self._client = OAuth().register(
            "oidc",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", **spoken},
        )

    async def begin(self, request: Request, secret: str, back: str) -> Response:
        """Send a browser to the provider.

        Parameters
        ----------
        request
            The request.
        secret
            What ties the answer to this browser.
        back
            Where to go after the login.

        Raises
        ------
        RefusedError
            If the provider does not answer.
        """
        request.scope["session"] = {"back": back}
        try:
            answer: Response = await self._client.authorize_redirect(
                request, self.settings.public_url.rstrip("/") + BACK_PATH
            )
        except (HTTPError, OAuthError) as error:
            raise RefusedError(f"the provider does not answer: {type(error).__name__}") from error
        now = self._access.clock()
        with self._lock:
            self._waiting = {key: kept for key, kept in self._waiting.items() if kept[0] >= now}
            if len(self._waiting) >= _MOST_WAITING:
                raise RefusedError("too many logins are begun")
            self._waiting[digest(secret)] = now + _PATIENCE_SECONDS, dict(request.session)
        return answer

    async def finish(self, request: Request, secret: str) -> tuple[User, str]:
        """Return the user whom the provider sends back, and where to go.

        Raises
        ------
        RefusedError
            If this browser did not begin, the answer is not the provider's, or the user may not enter.
        """
        with self._lock:
            until, session = self._waiting.pop(digest(secret), (0.0, {}))
        if until < self._access.clock():
            raise RefusedError("this browser has begun no login")
        request.scope["session"] = session
        back = str(session["back"])
        try:
            token = await self._client.authorize_access_token(request)
        except (OAuthError, JoseError, HTTPError, ValueError, KeyError) as error:
            raise RefusedError(f"the answer is refused: {type(error).__name__} {error}") from error
        claims = token.get("userinfo") if token else None
        if not claims or not claims.get("sub"):
            raise RefusedError("the answer names nobody")
        return self._user(claims), back

    def _user(self, claims: Mapping[str, Any]) -> User:
        """Return the user of these claims, as what they say now."""
        users, subject = self._access.users, f"{claims['iss']} {claims['sub']}"
        role = self._role(claims)
        merchants = _listed(claims.get(self.settings.merchants_claim)) if role == MERCHANT else []
        user = users.of_subject(subject)
        try:
            if user is None:
                user = users.add(self._free_name(claims, subject), role, merchants, subject=subject)
            elif user.active and (user.role, user.merchants) != (role, tuple(sorted(set(merchants)))):
                users.change(user, role=role, merchants=merchants, active=True)
                user = users.of_subject(subject)
        except UsageError as error:
            raise RefusedError(error.message) from error
        if user is None or not user.active:
            raise RefusedError("the user was put out")
        return user

    def _role(self, claims: Mapping[str, Any]) -> str:
        given = {self.settings.roles.get(value) for value in _listed(claims.get(self.settings.role_claim))}
        for role in ROLES:
            if role in given:
                return role
        raise RefusedError(f"no value of {self.settings.role_claim} gives a role")

    def _free_name(self, claims: Mapping[str, Any], subject: str) -> str:
        taken = {user.name.casefold() for user in self._access.users.all()}
        for claim in ("preferred_username", "email"):
            name = str(claims.get(claim) or "")
            if re.fullmatch(r"[\w.@+-]{1,100}", name) and name.casefold() not in taken:
                return name
        return f"user-{digest(subject)[:12]}"


def _listed(claim: Any) -> list[str]:
    return [str(value) for value in claim] if isinstance(claim, list) else [str(claim)] if claim else []
