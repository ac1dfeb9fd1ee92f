"""The pages of merchants: scorecards, promises over time, actions, catchments; and who sees whose."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells, figures


@pytest.fixture
def marketer(visit: Visit, stocked: Path) -> Visitor:
    return visit(stocked).as_role("marketer")


@pytest.fixture
def shop(visit: Visit, stocked: Path) -> Visitor:
    """Let in a user of the merchant m1."""
    return visit(stocked).as_role("merchant")


def test_the_list_shows_scorecards_and_what_is_done(marketer: Visitor) -> None:
    text = marketer.get("/merchants").text
    assert cells(text, "Noodle House (m1)")[1:8] == ["cafe", "To act", "1.50", "80", "20", "60", "70"]
    assert cells(text, "Noodle House (m1)")[9] == "Pause offers"
    assert cells(text, "Tea &amp; Cake (m2)")[9] == "–"
    assert 'href="/merchants/m1?as_of=2018-01-01"' in text
    assert figures(text)[0]["data"][0]["y"] == ["m1", "m2"]


def test_the_address_filters_sorts_and_goes_back_in_time(marketer: Visitor) -> None:
    assert "1 to 1 of 1" in marketer.get("/merchants?band=good").text
    assert "1 to 1 of 1" in marketer.get("/merchants?action=pause_offers&q=m").text
    assert "Nothing to show" in marketer.get("/merchants?category=%27%20OR%201=1").text
    assert cells(marketer.get("/merchants?as_of=2017-12-01").text, "Noodle House (m1)")[3] == "0.20"
    first = marketer.get("/merchants?sort=promise_gap").text.partition("</table>")[0]
    assert first.index("(m2)") < first.index("(m1)")


def test_one_merchant_says_what_to_mend_and_why_its_offers_wait(marketer: Visitor) -> None:
    text = marketer.get("/merchants/m1").text
    assert "Promise 14 minutes more, or serve that much sooner." in text
    assert "<li>customers wait 14 minutes longer than promised</li>" in text
    assert cells(text, "Jan 1, 2018")[:1] == ["Jan 1, 2018"]
    assert "To act<small>since Dec 20, 2017<" in text
    assert "offers wait: that it is worse than promised is beyond doubt; customers wait 14 minutes longer" in text
    assert "to be told: it is 0.20 standard deviations worse than promised" in text
    assert "a_rule_of_old:3" in text


def test_the_promise_gap_is_drawn_over_time_with_its_interval(marketer: Visitor) -> None:
    low, high, line = figures(marketer.get("/merchants/m1").text)[0]["data"]
    assert (line["x"], line["y"]) == (["2017-12-01", "2018-01-01"], [0.2, 1.5])
    assert (low["y"], high["y"]) == ([0.1, 1.4], [pytest.approx(0.3), 1.6])


def test_waiting_is_drawn_by_month_beside_the_promise(marketer: Visitor) -> None:
    text = marketer.get("/merchants/m1").text
    assert cells(text, "Dec 1, 2017")[1:] in (["21.0", "15.0", "1"], ["0.20", "0.10", "0.30", "To watch"])
    waited, promised = figures(text)[1]["data"]
    assert (waited["x"], waited["y"], promised["y"]) == (["2017-12-01"], [21.0], [15.0])


def test_catchments_measures_and_changes_are_those_of_the_merchant_alone(marketer: Visitor) -> None:
    text = marketer.get("/merchants/m1").text
    assert cells(text, "s1")[1:5] == ["30", "850", "800 to 900", "425"]
    assert cells(text, "Wait")[1:4] == ["2.50", "2.40", "2.60"]
    assert "Dec 10, 2017" in text
    for others in ("s2", "4,321", "9.90", "Dec 11, 2017", "m2", "Tea"):
        assert others not in text, others


def test_a_merchants_user_sees_this_merchant_and_never_another(shop: Visitor) -> None:
    assert shop.get("/merchants/m1").status_code == 200
    for path in ("/merchants/m2", "/merchants/m1/", "/merchants/m1%2F..%2Fm2", "/merchants/m2?merchant_id=m1"):
        answer = shop.get(path)
        assert answer.status_code == 404, path
        assert "Tea" not in answer.text
        assert shop.logged()[0][:2] == ("merchant", "refused")
    for path in ("/merchants", "/campaigns", "/campaigns/g2", "/offers", "/conversions/o%3A1%2Fa", "/quality"):
        assert shop.get(path).status_code in (403, 404), path


def test_a_merchants_user_is_not_led_to_what_is_not_shown(shop: Visitor) -> None:
    text = shop.get("/merchants/m1").text
    for address in ('href="/merchants?', 'href="/campaigns', 'href="/offers', 'href="/segments', 'href="/quality'):
        assert address not in text, address
    assert 'href="/merchants/m1"' in shop.get("/").text


def test_a_merchants_user_takes_the_own_scorecard_and_no_other(shop: Visitor) -> None:
    assert 'action="/download/merchants/m1"' in shop.get("/merchants/m1").text
    answer = shop.post("/download/merchants/m1", **{"as": "csv"})
    assert answer.status_code == 200
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 2
    assert "m1" in rows[1]
    assert shop.logged()[0] == ("merchant", "download", "merchant m1: scorecard")
    assert shop.post("/download/merchants/m2", **{"as": "csv"}).status_code == 404
    assert shop.post("/download/merchants/m1", **{"as": "line"}).status_code == 400
    assert shop.post("/download/offers/g2", **{"as": "csv"}).status_code == 403


@pytest.mark.parametrize(("of", "rows"), [("gaps", ["all", "wait"]), ("catchments", ["s1"])])
def test_a_merchants_user_takes_the_own_gaps_and_catchments_and_no_others(
    shop: Visitor, of: str, rows: list[str]
) -> None:
    assert f'<option value="{of}">' in shop.get("/merchants/m1").text
    answer = shop.post("/download/merchants/m1", **{"as": "csv", "of": of})
    read = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {row["Merchant ID"] for row in read} == {"m1"}
    assert sorted(row.get("Measure (code)") or row["Store ID"] for row in read) == rows
    assert shop.logged()[0] == ("merchant", "download", f"merchant m1: {of}")
    assert shop.post("/download/merchants/m2", **{"as": "csv", "of": of}).status_code == 404


def test_what_there_is_not_of_a_merchant_is_not_found_and_names_no_other(visit: Visit, stocked: Path) -> None:
    visitor = visit(stocked)
    visitor.add("new", "merchant", "m9")
    visitor.log_in("new")
    visitor.get("/")
    for of in ("scorecard", "gaps", "catchments", "purchases"):
        answer = visitor.post("/download/merchants/m9", **{"as": "csv", "of": of})
        assert answer.status_code == 404
        assert "m1" not in answer.text


def test_an_unknown_merchant_is_no_page(marketer: Visitor) -> None:
    assert marketer.get("/merchants/nobody").status_code == 404
    assert marketer.post("/download/merchants/nobody", **{"as": "csv"}).status_code == 404


def test_a_merchant_without_a_scorecard_says_so(marketer: Visitor) -> None:
    text = marketer.get("/merchants/m2?as_of=2017-12-01").text
    assert "There is no scorecard as of Dec 1, 2017" in text


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_pages_of_merchants_are_shown_in_chinese(marketer: Visitor, language: str) -> None:
    marketer.post("/preferences", language=language, back="/")
    for path in ("/merchants", "/merchants/m1", "/merchants/m2?as_of=2017-12-01"):
        assert f'<html lang="{language}"' in marketer.get(path).text
    wait = {"zh-Hant": "等候比承諾多 14 分鐘", "zh-Hans": "等候比承诺多 14 分钟"}
    assert wait[language] in marketer.get("/merchants/m1").text
