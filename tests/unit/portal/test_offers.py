"""The pages of offers: what the plan sends, why, what it brings, its approval and its list."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells, figures

SPRING = "/offers/g%2F1"


@pytest.fixture
def marketer(visit: Visit, stocked: Path) -> Visitor:
    return visit(stocked).as_role("marketer")


@pytest.fixture
def own_home(stocked: Path, tmp_path: Path) -> Path:
    """Give a home that may be written to."""
    return Path(shutil.copytree(stocked, tmp_path / "home"))


def test_the_plan_is_listed_by_campaign_with_money_and_who_gets_nothing(marketer: Visitor) -> None:
    text = marketer.get("/offers").text
    assert cells(text, "Spring")[1:7] == ["63", "NT$630.00", "NT$252.00", "NT$300.00", "2", "5"]
    assert cells(text, "Summer")[1:4] == ["1", "NT$10.00", "NT$4.00"]
    assert cells(text, "g3")[1:7] == ["0", "–", "–", "–", "0", "1"]
    assert 'href="/offers/g%2F1?as_of=2018-01-01"' in text
    assert marketer.get("/offers?sort=-offers").text.index(">Spring<") < text.index(">g3<")


def test_the_curve_of_profit_against_budget_says_the_same_as_its_table(marketer: Visitor) -> None:
    text = marketer.get("/offers").text
    (curve,) = figures(text)
    assert (curve["data"][0]["x"], curve["data"][0]["y"]) == ([100.0, 200.0], [400.0, 640.0])
    assert cells(text, "100%") == ["100%", "NT$200", "NT$190", "NT$640"]


def test_one_campaign_says_who_gets_what_and_why(marketer: Visitor) -> None:
    text = marketer.get(SPRING).text
    assert "1 to 50 of 63" in text
    assert cells(text, "c002")[1:] == [
        "k", "sms", "Jan 2, 2024", "3.1 points more likely to come with the coupon (1.9 to 4.3); 850 m from home",
        "50.0%", "3.1%", "NT$10.00", "NT$4.00", "Arms drawn by chance",
    ]  # fmt: skip
    assert cells(text, "No value expected")[1] == "5"
    assert cells(text, "Held out of this campaign")[1] == "1"
    assert "The margins of 1 offers are not told by a merchant" in text


def test_the_curve_of_a_campaign_adds_up_the_best_offers_first(marketer: Visitor) -> None:
    drawn = figures(marketer.get(SPRING).text)[0]["data"][0]
    assert (drawn["x"][0], drawn["y"][0]) == (12.0, 30.0)
    assert (drawn["x"][-1], drawn["y"][-1]) == (252.0, 630.0)


def test_the_plan_is_compared_with_the_last_one(marketer: Visitor) -> None:
    text = marketer.get(SPRING).text
    assert cells(text, "New")[1:] == ["4", "NT$40.00", "NT$16.00"]
    assert cells(text, "In both plans")[1:] == ["59", "NT$59.00", "NT$0.00"]
    assert cells(text, "Gone")[1:] == ["1", "-NT$9.00", "-NT$4.00"]
    assert "1 to 4 of 4" in marketer.get(f"{SPRING}?change=new").text
    gone = marketer.get(f"{SPRING}?change=gone").text
    assert "1 to 1 of 1" in gone
    assert ">c000<" in gone
    assert "There is no earlier plan" in marketer.get(f"{SPRING}?as_of=2017-12-01").text


def test_the_address_filters_by_channel_and_customer(marketer: Visitor) -> None:
    assert "1 to 1 of 1" in marketer.get(f"{SPRING}?channel=email").text
    assert "1 to 10 of 10" in marketer.get(f"{SPRING}?channel=sms&q=c01").text
    assert marketer.get(f"{SPRING}?channel=%27;--&change=x&sort=nothing").status_code == 200


def test_a_campaign_without_a_plan_is_no_page_and_has_no_list(marketer: Visitor) -> None:
    for path in ("/offers/nobody", "/download/offers/nobody", "/download/offers/g3"):
        assert marketer.get(path).status_code == 404, path
    assert "there is nothing to approve" in marketer.get("/offers/g3").text


def test_who_looked_at_whose_offers_is_logged(marketer: Visitor) -> None:
    marketer.get(f"{SPRING}?q=c01")
    line = marketer.access.audit.lines(limit=1)[0]
    assert (line.action, line.subject, line.detail) == ("people_seen", "offers g/1", "page 1, search c01")


def test_an_approval_writes_what_is_sent_and_says_who_and_when(visit: Visit, own_home: Path) -> None:
    marketer = visit(own_home).as_role("marketer")
    text = marketer.get(SPRING).text
    seen = text.partition('name="snapshot" value="')[2].partition('"')[0]
    answer = marketer.post("/approve" + SPRING, as_of="2018-01-01", snapshot=seen)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SPRING}?as_of=2018-01-01")
    # 59 of the 60 who said something on consent agreed; c000 gets nothing of this plan.
    told = json.loads((own_home / "approvals.jsonl").read_text())
    assert (told["approved_by"], told["sent"], told["control"], told["withdrawn"]) == ("marketer", 58, 0, 5)
    written = [len((own_home / file).read_text().splitlines()) - 1 for file in told["files"]]
    assert written == [58, 58]
    text = marketer.get(SPRING).text
    assert "Approved by marketer" in text
    assert "withdrawn their consent (5), refused profiling (0) or been held out by the settings (0)" in text
    assert 'action="/approve' not in text
    assert "Approved by marketer" in cells(marketer.get("/offers").text, "Spring")
    line = marketer.access.audit.lines(limit=1, action="approved")[0]
    assert (line.user, line.subject) == ("marketer", "offers g/1")
    assert line.detail == (
        "plan of 2018-01-01, 58 sent, 0 control, 5 consent withdrawn, 0 profiling refused, 0 held out"
    )


def test_a_plan_approved_twice_is_written_and_logged_once(visit: Visit, own_home: Path) -> None:
    marketer = visit(own_home).as_role("marketer")
    seen = marketer.get(SPRING).text.partition('name="snapshot" value="')[2].partition('"')[0]
    for _ in range(2):
        assert marketer.post("/approve" + SPRING, as_of="2018-01-01", snapshot=seen).status_code == 303
    assert len((own_home / "approvals.jsonl").read_text().splitlines()) == 1
    assert len(marketer.access.audit.lines(limit=9, action="approved")) == 1


def test_a_plan_that_changed_since_it_was_seen_or_is_past_is_not_approved(visit: Visit, own_home: Path) -> None:
    marketer = visit(own_home).as_role("marketer")
    seen = marketer.get(SPRING).text.partition('name="snapshot" value="')[2].partition('"')[0]
    assert marketer.post("/approve" + SPRING, as_of="2018-01-01", snapshot="other").status_code == 409
    assert marketer.post("/approve" + SPRING, as_of="2017-12-01", snapshot=seen).status_code == 409
    assert marketer.post("/approve" + SPRING, as_of="yesterday", snapshot=seen).status_code == 400
    assert marketer.post("/approve/offers/nobody", as_of="2018-01-01", snapshot=seen).status_code == 400
    assert not (own_home / "approvals.jsonl").exists()


def test_an_approval_needs_the_token_of_a_page_and_the_right(visit: Visit, own_home: Path) -> None:
    marketer = visit(own_home).as_role("marketer")
    assert marketer.client.post("/approve" + SPRING, data={"as_of": "2018-01-01"}).status_code == 403
    analyst = visit(own_home).as_role("analyst")
    text = analyst.get(SPRING).text
    assert 'action="/approve' not in text
    assert "/download/" not in text
    assert analyst.post("/approve" + SPRING, as_of="2018-01-01").status_code == 403
    assert not (own_home / "approvals.jsonl").exists()


def test_the_list_holds_the_offers_that_the_preview_counted(marketer: Visitor) -> None:
    text = marketer.get("/download" + SPRING).text
    assert "Offers on the list</dt><dd>58<" in text
    assert cells(text, "Never said whether they agree")[1] == "4"
    answer = marketer.post("/download" + SPRING, **{"as": "csv"})
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 59
    assert "3.1 points more likely to come with the coupon (1.9 to 4.3)" in ",".join(rows[1])
    assert marketer.logged()[0] == ("marketer", "download", "offers g/1")


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_pages_of_offers_are_shown_in_chinese(marketer: Visitor, language: str) -> None:
    marketer.post("/preferences", language=language, back="/")
    for path in ("/offers", SPRING, "/download" + SPRING):
        assert f'<html lang="{language}"' in marketer.get(path).text
    assert {"zh-Hant": "距住家 850 公尺", "zh-Hans": "距住家 850 米"}[language] in marketer.get(SPRING).text
