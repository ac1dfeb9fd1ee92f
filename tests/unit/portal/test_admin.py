"""Users are looked after, and what was done can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.portal.conftest import PASSWORD, Visit, Visitor


@pytest.fixture
def admin(visit: Visit) -> Visitor:
    visitor = visit().as_role("administrator")
    visitor.get("/admin/users")
    return visitor


def test_an_added_user_gets_in_by_the_link_that_is_shown_once(admin: Visitor) -> None:
    text = admin.post("/admin/users", name="shop", role="merchant", merchants="m2\n\n m1 ").text
    link = text.partition("http://portal.example")[2].partition("<")[0]
    assert link.startswith("/welcome?token=")
    assert link not in admin.get("/admin/users").text
    user = admin.access.users.of_link(link.partition("=")[2])
    assert user is not None
    assert (user.name, user.role, user.merchants) == ("shop", "merchant", ("m1", "m2"))
    assert admin.logged()[:2] == [("administrator", "link_made", "shop"), ("administrator", "user_added", "shop")]


def test_ids_may_hold_blanks_and_must_be_known_where_merchants_are(visit: Visit, stocked: Path) -> None:
    admin = visit(stocked).as_role("administrator")
    admin.get("/admin/users")
    assert (
        "there is no merchant shop 9" in admin.post("/admin/users", name="x", role="merchant", merchants="shop 9").text
    )
    assert admin.post("/admin/users", name="x", role="merchant", merchants="m1").status_code == 200


def test_a_number_that_nobody_can_have_is_nobody(admin: Visitor) -> None:
    admin.get("/admin/users")
    for path in ("/admin/users/9223372036854775808", "/admin/users/9223372036854775808/link"):
        assert admin.post(path, role="analyst").status_code in (404, 422)
    assert admin.post("/account/tokens/9223372036854775808/revoke").status_code in (404, 422)


@pytest.mark.parametrize(
    ("name", "role", "merchants"), [("administrator", "analyst", ""), ("a b", "analyst", ""), ("a", "merchant", "")]
)
def test_a_user_who_cannot_be_added_is_not(admin: Visitor, name: str, role: str, merchants: str) -> None:
    assert admin.post("/admin/users", name=name, role=role, merchants=merchants).status_code == 422
    assert [user.name for user in admin.access.users.all()] == ["administrator"]


def test_another_role_holds_from_the_next_login(admin: Visitor) -> None:
    user_id = admin.add("ann", "analyst")
    session = admin.access.sessions.begin(user_id)
    assert admin.post(f"/admin/users/{user_id}", role="marketer", active="true").status_code == 303
    changed = admin.access.users.get(user_id)
    assert changed is not None
    assert (changed.role, changed.active) == ("marketer", True)
    assert admin.access.sessions.user_of(session) is None


def test_without_the_tick_the_user_is_out(admin: Visitor) -> None:
    user_id = admin.add("ann", "analyst")
    admin.post(f"/admin/users/{user_id}", role="analyst")
    assert admin.access.users.checked("ann", PASSWORD) is None


def test_the_last_administrator_cannot_be_put_out(admin: Visitor) -> None:
    (root,) = admin.access.users.all()
    answer = admin.post(f"/admin/users/{root.id}", role="administrator")
    assert answer.status_code == 422
    assert "no administrator would be left" in answer.text


def test_an_unknown_user_is_no_page(admin: Visitor) -> None:
    assert admin.post("/admin/users/99", role="analyst").status_code == 404
    assert admin.post("/admin/users/99/link").status_code == 404


def test_the_log_can_be_filtered_and_turned(admin: Visitor) -> None:
    for number in range(60):
        admin.access.audit.note("download", user="ann", address="10.0.0.9", subject=f"list {number}")
    assert "1 to 50 of 61" in admin.get("/admin/audit").text
    second = admin.get("/admin/audit?page=2&user=ann").text
    assert "51 to 60 of 60" in second
    assert "list 0<" in second
    assert "Nothing to show" in admin.get("/admin/audit?action=approved").text
    assert admin.get("/admin/audit?page=x").status_code == 422
