"""Every page stands in the table of rights, and every cell of the table holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from o2o_mining.portal.access.gate import Gate
from o2o_mining.portal.access.rights import ANYONE, API, MERCHANT, ROLES, SCOPES, right_of, rights
from o2o_mining.portal.api import router as api_router
from o2o_mining.portal.pages import ROUTERS
from tests.unit.portal.conftest import Visit, Visitor

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VALUES = {
    "user_id": "1",
    "token_id": "1",
    "scheme": "rfm",
    "code": "champions",
    "campaign_id": "g2",
    "purchase_id": "o:1/a",
    "name": "none.css",
    "customer_id": "c000",
    "merchant_id": "m1",
}
CELLS = [(right.path, method) for right in rights() for method in METHODS]
# Of these a merchant's user sees only what is the user's own, whatever the merchant.
OF_THE_USER = {"/", "/logout", "/account", "/account/password"}


def _filled(path: str) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: VALUES.get(found[1], "1"), path)


def _at_the_gate(visitor: Visitor) -> TestClient:
    """Put an empty house behind the gate: what counts is who gets in."""

    async def inside(scope: object, receive: object, send: object) -> None:
        await PlainTextResponse("inside")(scope, receive, send)  # type: ignore[arg-type]

    def refusal(_request: Request, status: int, text: str) -> Response:
        return PlainTextResponse(text, status)

    gate = Gate(inside, access=visitor.access, refusal=refusal)
    return TestClient(gate, base_url="http://portal.example", follow_redirects=False)


def _entered(visitor: Visitor, role: str) -> TestClient:
    client = _at_the_gate(visitor)
    if role != ANYONE:
        user_id = visitor.add(role, role, *(["m1"] if role == MERCHANT else []))
        client.cookies.set("o2o", visitor.access.sessions.begin(user_id))
        client.headers["authorization"] = f"Bearer {visitor.access.tokens.make(user_id, 'all', SCOPES, 1)}"
    return client


def _form_token(client: TestClient) -> str:
    from o2o_mining.portal.access.viewer import Viewer

    client.get("/login")
    secret = client.cookies.get("o2o") or client.cookies.get("o2o-visit") or ""
    return Viewer(None, "", secret).form_token


@pytest.mark.parametrize("role", [ANYONE, *ROLES])
def test_every_cell_of_the_table_holds(visit: Visit, role: str) -> None:
    client = _entered(visit(), role)
    token = _form_token(client)
    wrong = []
    for path, method in CELLS:
        found = right_of(_filled(path))
        assert found is not None
        roles = found[0].roles.get(method, frozenset())
        body = {"form_token": token} if method != "GET" else None
        answer = client.request(method, _filled(path), data=body)
        entered = answer.text == "inside"
        if entered != bool({role, ANYONE} & roles):
            wrong.append((path, method, role, answer.status_code))
    assert wrong == []


def test_every_path_of_the_table_is_found_by_its_own_entry() -> None:
    found = {right.path: right_of(_filled(right.path)) for right in rights()}
    assert {path for path, entry in found.items() if entry is None or entry[0].path != path} == set()


def test_every_route_stands_in_the_table_with_its_methods() -> None:
    routes = {
        (context.path, method)
        for router in (*ROUTERS, api_router)
        for context in iter_route_contexts(router.routes)
        for method in context.methods or ()
    }
    cells = {(right.path, method) for right in rights() for method in right.roles}
    assert routes - cells == set()
    assert cells - routes - {(f"{API}v1/openapi.json", "GET")} == set()


def test_a_merchants_user_has_rights_only_where_the_page_names_the_merchant() -> None:
    paths = {right.path for right in rights() for roles in right.roles.values() if MERCHANT in roles}
    assert {path for path in paths if "{merchant_id" not in path} == OF_THE_USER


def test_a_merchants_user_sees_the_own_merchant_and_no_other(visit: Visit) -> None:
    visitor = visit()
    user = visitor.access.users.get(visitor.add("shop", MERCHANT, "m1", "m2"))
    from o2o_mining.portal.access.viewer import Viewer

    viewer = Viewer(user, "")
    assert [viewer.may_see_merchant(id_) for id_ in ("m1", "m2", "m3")] == [True, True, False]


def test_roles_and_scopes_of_the_table_exist() -> None:
    assert {role for right in rights() for roles in right.roles.values() for role in roles} <= {ANYONE, *ROLES}
    assert {right.scope for right in rights()} - {""} <= set(SCOPES)


def test_pages_of_the_api_name_a_scope_and_no_other_page_does() -> None:
    scoped = {right.path for right in rights() if right.scope}
    assert scoped == {right.path for right in rights() if right.path.startswith(API)} - {f"{API}v1/openapi.json"}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_that_a_role_may_see_is_shown(visit: Visit, stocked: Path, role: str) -> None:
    visitor = visit(stocked).as_role(role)
    seen = {}
    for right in rights():
        if role in right.roles.get("GET", ()) and "{merchant_id" not in right.path and not right.scope:
            seen[right.path] = visitor.get(_filled(right.path)).status_code
    assert seen
    assert {path: status for path, status in seen.items() if status != 200} == {}
