"""Login by an identity provider that lives in the test."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from o2o_mining.core.errors import HomeError
from o2o_mining.portal import Access, make_app
from o2o_mining.portal.access.oidc import BACK_PATH, Oidc, OidcSettings, read_oidc
from tests.unit.portal.conftest import CHEAP, Time

ISSUER = "https://login.example"
SETTINGS = OidcSettings(
    name="Example", issuer=ISSUER, client_id="portal", client_secret="s3cret", public_url="http://portal.example",
    roles={"mkt": "marketer", "shops": "merchant"},
)  # fmt: skip


@dataclass
class Provider:
    """An identity provider: what it will say of whoever comes, and what it was asked."""

    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "groups": ["mkt"], "email": "ann@example.com"})
    signing: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k", "alg": "RS256"}))
    known: RSAKey | None = None
    challenge: str = ""
    nonce: str = ""

    def app(self) -> Starlette:
        """Return the provider's pages."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/keys", self._keys),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def _metadata(self, _request: Request) -> Response:
        places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return JSONResponse({"issuer": ISSUER, **{name: ISSUER + path for name, path in places.items()}})

    def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [(self.known or self.signing).as_dict(private=False)]})

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        verifier = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if urlsafe_b64encode(verifier).rstrip(b"=").decode() != self.challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        usual = {"iss": ISSUER, "aud": "portal", "iat": 1_700_000_000, "exp": 4_000_000_000, "nonce": self.nonce}
        token = jwt.encode({"alg": "RS256", "kid": "k"}, usual | self.claims, self.signing)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})


Enter = Callable[[Provider], tuple[TestClient, Access]]


@pytest.fixture
def portal(home: Path, tmp_path: Path) -> Enter:
    """Open a portal that knows a provider."""

    def opening(provider: Provider) -> tuple[TestClient, Access]:
        access = Access(tmp_path, clock=Time(), passwords=CHEAP)
        oidc = Oidc(SETTINGS, access, httpx2.ASGITransport(app=provider.app()))
        app = make_app(home, access, oidc)
        return TestClient(app, base_url="http://portal.example", follow_redirects=False), access

    return opening


def _leave(browser: TestClient, provider: Provider, back: str = "/segments") -> str:
    """Leave for the provider, and return the state."""
    browser.get("/login")
    asked = urlparse(browser.get(f"/login/oidc?back={back}").headers["location"])
    assert asked.netloc == "login.example"
    query = {name: values[0] for name, values in parse_qs(asked.query).items()}
    assert query["redirect_uri"] == f"http://portal.example{BACK_PATH}"
    assert query["code_challenge_method"] == "S256"
    provider.challenge, provider.nonce = query["code_challenge"], query["nonce"]
    return query["state"]


def _come_back(browser: TestClient, state: str) -> Any:
    return browser.get(BACK_PATH, params={"code": "c", "state": state})


def test_the_provider_lets_a_user_in_with_the_role_of_the_group(portal: Enter) -> None:
    provider = Provider()
    browser, access = portal(provider)
    assert "Log in with Example" in browser.get("/login").text
    answer = _come_back(browser, _leave(browser, provider))
    assert (answer.status_code, answer.headers["location"]) == (303, "/segments")
    assert browser.get("/segments").status_code == 200
    assert [(user.name, user.role) for user in access.users.all()] == [("ann@example.com", "marketer")]


def test_the_same_user_comes_again_and_a_new_group_counts(portal: Enter) -> None:
    provider = Provider()
    browser, access = portal(provider)
    _come_back(browser, _leave(browser, provider))
    browser.cookies.clear()
    provider.claims |= {"groups": ["shops"], "merchants": ["m2", "m1"], "email": "other@example.com"}
    _come_back(browser, _leave(browser, provider))
    (user,) = access.users.all()
    assert (user.name, user.role, user.merchants) == ("ann@example.com", "merchant", ("m1", "m2"))


def test_a_local_user_of_the_same_name_is_somebody_else(portal: Enter) -> None:
    provider = Provider()
    browser, access = portal(provider)
    local = access.users.add("ann@example.com", "administrator")
    assert _come_back(browser, _leave(browser, provider)).status_code == 303
    assert access.users.get(local.id) == local
    assert len(access.users.all()) == 2


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": ["others"]}, {"groups": None}, {"groups": ["shops"]}, {"aud": "another"}, {"iss": "https://e.example"},
        {"nonce": "another"}, {"exp": 1_600_000_000}, {"sub": ""},
    ],
    ids=str,
)  # fmt: skip
def test_whoever_is_not_meant_is_refused_and_logged(portal: Enter, claims: dict[str, Any]) -> None:
    provider = Provider()
    provider.claims |= claims
    browser, access = portal(provider)
    assert _come_back(browser, _leave(browser, provider)).status_code == 401
    assert access.users.all() == []
    assert access.audit.lines(limit=1)[0].action == "login_failed"


def test_a_token_signed_by_another_key_is_refused(portal: Enter) -> None:
    provider = Provider(known=RSAKey.generate_key(2048, {"kid": "k", "alg": "RS256"}))
    browser, access = portal(provider)
    assert _come_back(browser, _leave(browser, provider)).status_code == 401
    assert access.users.all() == []


def test_an_answer_to_another_browser_or_an_old_one_is_refused(portal: Enter) -> None:
    provider = Provider()
    browser, _ = portal(provider)
    state = _leave(browser, provider)
    assert _come_back(browser, "another").status_code == 401
    assert _come_back(browser, state).status_code == 401
    browser.cookies.clear()
    assert _come_back(browser, state).status_code == 401


def test_who_was_put_out_does_not_come_in_again(portal: Enter) -> None:
    provider = Provider()
    browser, access = portal(provider)
    access.users.add("root", "administrator")
    _come_back(browser, _leave(browser, provider))
    user = next(user for user in access.users.all() if user.role == "marketer")
    access.users.change(user, role="marketer", merchants=(), active=False)
    assert _come_back(browser, _leave(browser, provider)).status_code == 401


def test_without_a_provider_there_is_no_such_login(home: Path, tmp_path: Path) -> None:
    browser = TestClient(make_app(home, Access(tmp_path, passwords=CHEAP)), base_url="http://portal.example")
    assert browser.get("/login/oidc").status_code == 404
    assert "Log in with" not in browser.get("/login").text


def test_the_settings_are_read_from_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    assert read_oidc(tmp_path) is None
    file = tmp_path / "portal" / "oidc.toml"
    file.parent.mkdir()
    text = 'name = "a"\nissuer = "b"\nclient_id = "c"\nclient_secret = "d"\npublic_url = "e"\nroles = {x = "analyst"}\n'
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(HomeError, match="chmod 600"):
        read_oidc(tmp_path)
    file.chmod(0o600)
    found = read_oidc(tmp_path)
    assert found is not None
    assert (found.issuer, found.roles, found.role_claim) == ("b", {"x": "analyst"}, "groups")
    for wrong, said in [
        (text + 'more = "x"', "more"),
        (text.replace("analyst", "owner"), "no role owner"),
        ("=", "Invalid"),
    ]:
        file.write_text(wrong)
        with pytest.raises(HomeError, match=said):
            read_oidc(tmp_path)
