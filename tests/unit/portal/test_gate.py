"""What passes the gate, and what every answer carries."""

from __future__ import annotations

import pytest

from o2o_mining.portal.access.gate import LARGEST_FORM
from tests.unit.portal.conftest import Visit


def test_who_is_not_logged_in_is_sent_to_the_login_and_back_afterwards(visit: Visit) -> None:
    answer = visit().get("/segments?scheme=rfm&q=%C3%A9")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?back=%2Fsegments%3Fscheme%3Drfm%26q%3D%25C3%25A9"


def test_an_unknown_page_does_not_tell_strangers_that_it_is_unknown(visit: Visit) -> None:
    visitor = visit()
    assert visitor.get("/nowhere").headers["location"] == "/login?back=%2Fnowhere"
    visitor.as_role("analyst")
    assert visitor.get("/nowhere").status_code == 404


def test_a_page_without_the_right_is_refused_and_logged(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    assert visitor.get("/download/segments/rfm/champions").status_code == 403
    assert visitor.logged()[0] == ("analyst", "refused", "GET /download/segments/rfm/champions")


def test_a_form_without_its_token_is_refused(visit: Visit) -> None:
    visitor = visit().as_role("marketer")
    assert visitor.client.post("/logout").status_code == 403
    assert visitor.client.post("/logout", data={"form_token": "0" * 64}).status_code == 403
    assert visitor.get("/segments").status_code == 200
    assert visitor.post("/logout").status_code == 303


def test_the_token_of_another_browser_is_refused(visit: Visit) -> None:
    visitor, other = visit(), visit()
    visitor.get("/login")
    other.get("/login")
    other.last = visitor.last
    assert other.post("/login", name="a", password="b").status_code == 403


def test_a_form_before_any_page_is_refused(visit: Visit) -> None:
    assert visit().post("/login", name="a", password="b").status_code == 403


def test_a_form_of_any_other_kind_is_refused(visit: Visit) -> None:
    visitor = visit().as_role("marketer")
    assert visitor.client.post("/logout", json={"form_token": visitor.last}).status_code == 403
    assert visitor.client.post("/logout", content=b"\xff\xfe\x00").status_code == 403


def test_a_form_that_is_too_large_is_refused(visit: Visit) -> None:
    visitor = visit().as_role("marketer")
    assert visitor.post("/logout", more="x" * LARGEST_FORM).status_code == 413


@pytest.mark.parametrize("path", ["/login", "/segments", "/nowhere", "/static/none.css"])
def test_every_answer_carries_the_security_headers(visit: Visit, path: str) -> None:
    headers = visit().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


def test_under_tls_browsers_are_told_to_stay_there_and_cookies_are_bound_to_the_host(visit: Visit) -> None:
    visitor = visit(secure=True)
    answer = visitor.get("/login")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers["set-cookie"].startswith("__Host-o2o-visit=")
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    visitor.add("ann", "analyst")
    entered = visitor.post("/login", name="ann", password="four words in a row").headers["set-cookie"]
    assert entered.startswith("__Host-o2o=")
    assert all(word in entered for word in ("Path=/", "HttpOnly", "SameSite=lax", "Secure"))


def test_a_session_does_not_open_the_api(visit: Visit) -> None:
    answer = visit().as_role("administrator").get("/api/v1/nowhere")
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


def test_pages_hold_no_script_and_no_style_of_their_own(visit: Visit) -> None:
    visitor = visit().as_role("administrator")
    for path in ("/", "/segments", "/segments/rfm/champions", "/login"):
        text = visitor.get(path).text
        assert "style=" not in text
        assert "<style" not in text
        assert " onclick" not in text
        scripts = [part.partition(">")[0] for part in text.split("<script")[1:]]
        assert [one for one in scripts if "src=" not in one and "application/json" not in one] == []


def test_a_failure_of_ours_tells_no_more_than_that(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit().as_role("analyst")
    visitor.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]

    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("o2o_mining.portal.snapshot.Snapshot.rows", fail)
    answer = visitor.get("/segments")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "a secret" not in answer.text
