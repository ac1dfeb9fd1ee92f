"""What users do with what is theirs alone."""

from __future__ import annotations

from tests.unit.portal.conftest import PASSWORD, Visit

OTHER = "another four words here"


def test_a_new_password_puts_out_other_browsers_and_keeps_this_one(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    elsewhere = visitor.client.cookies["o2o"]
    visitor.log_in("analyst")
    answer = visitor.post("/account/password", current=PASSWORD, password=OTHER, again=OTHER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert visitor.get("/account").status_code == 200
    assert visitor.access.sessions.user_of(elsewhere) is None
    assert visitor.logged()[1] == ("analyst", "password_set", "")


def test_a_new_password_needs_the_current_one_and_must_be_good(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    for current, password, again in [("wrong", OTHER, OTHER), (PASSWORD, "short", "short"), (PASSWORD, OTHER, "x")]:
        assert visitor.post("/account/password", current=current, password=password, again=again).status_code == 422
    assert visitor.access.users.checked("analyst", PASSWORD) is not None


def test_the_current_password_is_not_guessed_faster_here_than_at_the_login(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    seen = [visitor.post("/account/password", current="wrong").status_code for _ in range(6)]
    assert seen == [422] * 5 + [429]
    assert visitor.access.users.checked("analyst", PASSWORD) is not None


def test_nobody_revokes_the_token_of_somebody_else(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    other = visitor.add("ann", "analyst")
    secret = visitor.access.tokens.make(other, "job", ["segments"], 1)
    number = visitor.access.tokens.of(other)[0].id
    visitor.get("/account")
    assert visitor.post(f"/account/tokens/{number}/revoke").status_code == 303
    assert visitor.access.tokens.find(secret) is not None
