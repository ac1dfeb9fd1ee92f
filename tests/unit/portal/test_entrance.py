"""In and out of the portal."""

from __future__ import annotations

import pytest

from tests.unit.portal.conftest import PASSWORD, Visit


def test_a_user_gets_in_with_the_password_and_sees_the_page_that_was_asked_for(visit: Visit) -> None:
    visitor = visit()
    visitor.add("ann", "analyst")
    visitor.get("/login?back=/segments%3Fscheme%3Drule")
    answer = visitor.post("/login", name="ANN", password=PASSWORD, back="/segments?scheme=rule")
    assert (answer.status_code, answer.headers["location"]) == (303, "/segments?scheme=rule")
    assert visitor.get("/segments").status_code == 200
    assert visitor.logged() == [("ann", "login", "")]


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(visit: Visit) -> None:
    visitor = visit()
    visitor.add("ann", "analyst")
    visitor.get("/login")
    known = visitor.post("/login", name="ann", password="wrong")
    unknown = visitor.post("/login", name="eve", password="wrong")
    assert (known.status_code, unknown.status_code) == (401, 401)
    assert known.text.replace('value="ann"', 'value="eve"') == unknown.text


def test_the_login_gives_a_new_session_and_the_logout_ends_it_for_good(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    first = visitor.client.cookies["o2o"]
    visitor.log_in("analyst")
    second = visitor.client.cookies["o2o"]
    assert first != second
    visitor.post("/logout")
    visitor.client.cookies.set("o2o", second, domain="portal.example")
    assert visitor.get("/segments").status_code == 303


def test_after_five_failures_every_further_one_doubles_the_wait(visit: Visit) -> None:
    visitor = visit()
    visitor.add("ann", "analyst")
    visitor.get("/login")
    waits = []
    for _ in range(9):
        answer = visitor.post("/login", name="ann", password="wrong")
        if answer.status_code == 429:
            waits.append(int(answer.headers["retry-after"]))
            visitor.time.seconds += waits[-1]
            answer = visitor.post("/login", name="ann", password="wrong")
        assert answer.status_code == 401
    assert waits == [1, 2, 4, 8]
    assert visitor.post("/login", name="ann", password=PASSWORD).status_code == 429
    visitor.time.seconds += 16
    assert visitor.post("/login", name="ann", password=PASSWORD).status_code == 303
    assert visitor.get("/login").status_code == 200


def test_the_wait_of_one_user_is_not_that_of_another_until_the_address_has_failed_too_often(visit: Visit) -> None:
    visitor = visit()
    visitor.add("ann", "analyst")
    visitor.get("/login")
    for _ in range(5):
        visitor.post("/login", name="eve", password="wrong")
    assert visitor.post("/login", name="ann", password="wrong").status_code == 401
    for number in range(24):
        assert visitor.post("/login", name=f"guess{number}", password="wrong").status_code == 401
    assert visitor.post("/login", name="ann", password=PASSWORD).status_code == 429


def test_a_link_sets_a_password_once(visit: Visit) -> None:
    visitor = visit()
    user = visitor.access.users.add("ann", "analyst")
    secret = visitor.access.users.new_link(user.id)
    assert visitor.get(f"/welcome?token={secret}").status_code == 200
    for password, again in [("short", "short"), (PASSWORD, "another one, really"), ("password-ann-password", "x")]:
        assert visitor.post("/welcome", token=secret, password=password, again=again).status_code == 422
    answer = visitor.post("/welcome", token=secret, password=PASSWORD, again=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert visitor.get("/segments").status_code == 200
    assert visitor.get(f"/welcome?token={secret}").status_code == 410


def test_a_link_expires_after_two_days(visit: Visit) -> None:
    visitor = visit()
    secret = visitor.access.users.new_link(visitor.access.users.add("ann", "analyst").id)
    visitor.time.seconds += 48 * 3600 + 1
    assert visitor.get(f"/welcome?token={secret}").status_code == 410


@pytest.mark.parametrize(
    "back", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "a", "/\n"]
)
def test_nobody_is_sent_elsewhere_after_the_login(visit: Visit, back: str) -> None:
    visitor = visit()
    visitor.add("ann", "analyst")
    visitor.get("/login")
    assert visitor.post("/login", name="ann", password=PASSWORD, back=back).headers["location"] == "/"


def test_pages_speak_the_language_of_the_browser_until_another_is_chosen(visit: Visit) -> None:
    visitor = visit()
    visitor.client.headers["accept-language"] = "zh-TW,zh;q=0.9,en;q=0.8"
    assert '<html lang="zh-Hant"' in visitor.get("/login").text
    assert visitor.post("/preferences", language="zh-Hans", back="/login").headers["location"] == "/login"
    assert '<html lang="zh-Hans"' in visitor.get("/login").text


def _language_leads_to(text: str) -> str:
    return text.rpartition('name="back" value="')[2].partition('"')[0]


def test_another_language_on_the_page_of_a_failed_form_leads_to_a_page_that_is_there(visit: Visit) -> None:
    visitor = visit()
    visitor.add("ann", "marketer")
    visitor.get("/login?back=/segments")
    failed = visitor.client.post(
        "/login?back=/segments", data={"form_token": visitor.last, "name": "ann", "password": "x"}
    )
    assert _language_leads_to(failed.text) == "/login?back=/segments"
    visitor.log_in("ann")
    visitor.get("/account")
    here = {"referer": "http://portal.example/offers/spring?as_of=2018-01-01"}
    for path, headers, back in (
        ("/account/password", {"referer": "http://portal.example/account"}, "/account"),
        ("/account/password", {"referer": "http://portal.example/account/password"}, "/"),
        ("/account/password", {}, "/"),
        ("/approve/offers/spring", here, "/offers/spring?as_of=2018-01-01"),
        ("/approve/offers/spring", {"referer": "http://elsewhere.example/segments"}, "/"),
        ("/download/segments/rfm/nobody", {}, "/download/segments/rfm/nobody"),
    ):
        failed = visitor.client.post(path, data={"form_token": visitor.last, "password": "x"}, headers=headers)
        assert failed.status_code >= 400, path
        assert _language_leads_to(failed.text) == back, (path, headers)
        answer = visitor.client.post(
            "/preferences", data={"form_token": visitor.last, "language": "zh-Hant", "back": back}
        )
        assert visitor.get(answer.headers["location"]).status_code != 405


def test_the_language_of_a_user_follows_to_another_browser(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    visitor.post("/preferences", language="zh-Hant", back="/")
    visitor.client.cookies.clear()
    visitor.log_in("analyst")
    assert '<html lang="zh-Hant"' in visitor.get("/segments").text


def test_the_look_is_kept_and_nonsense_is_not(visit: Visit) -> None:
    visitor = visit()
    visitor.get("/login")
    visitor.post("/preferences", theme="dark", back="/login")
    assert 'data-theme="dark"' in visitor.get("/login").text
    visitor.post("/preferences", theme='"><script>', language="fr", back="/login")
    assert 'data-theme="dark"' in visitor.get("/login").text
