"""The page of one customer, and the search that leads to it: what is shown to whom, and that looks are logged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import customer, says
from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells


@pytest.fixture
def marketer(visit: Visit, stocked: Path) -> Visitor:
    return visit(stocked).as_role("marketer")


def _links(text: str) -> list[str]:
    main = text.partition("<main")[2].partition("</main>")[0]
    return [part.partition('"')[0] for part in main.split('<a href="')[1:]]


def test_one_customer_has_segments_churn_value_offers_purchases_and_journeys(marketer: Visitor) -> None:
    text = marketer.get("/customers/c003").text
    assert "Champions" in text
    assert ">25.0%<small>no purchase within 90 days</small>" in text
    why = "3.1 points more likely to come with the coupon (1.9 to 4.3); 850 m from home"
    assert cells(text, "Spring")[1:4] == ["k", "sms", "Jan 2, 2024"]
    for shown in (why, "50.0%", 'href="/offers/g/1"', 'href="/conversions/o%3A1%2Fa"', "NT$27.00", "sms &gt; search"):
        assert shown in text, shown
    assert cells(text, "Marketing")[1] == "Agreed"
    assert "Refused" in marketer.get("/customers/c001").text
    assert cells(marketer.get("/customers/c071").text, "Spring")[1] == "Held out of all offers"


def test_what_identifies_a_person_is_shown_by_role_and_hidden_otherwise(visit: Visit, tmp_path: Path) -> None:
    person = {**customer("c1"), "birth_year": 1983, "gender": "f", "joined_at": pd.Timestamp("2017-01-01")}
    contacts = [{"customer_id": "c1", "phone": "+886901555000", "email": "ann@example.com"}]
    publish_tables(
        tmp_path, {"customers": [person], "customer_contacts": contacts, "purchases": [], "merchants": [],
                   "consents": [says("c1", True), says("c1", False, "2017-02-01")]}
    )  # fmt: skip
    secrets = ("+886901555000", "ann@example.com", "1983", "Female")
    for role in ("marketer", "administrator"):
        text = visit(tmp_path).as_role(role).get("/customers/c1").text
        assert [one for one in secrets if one not in text] == []
        assert cells(text, "Marketing")[1] == "Refused"
    analyst = visit(tmp_path).as_role("analyst")
    text = analyst.get("/customers/c1").text
    assert [one for one in secrets if one in text] == []
    assert text.count("Hidden for your role") == 4


def test_who_looked_at_whom_and_searched_for_whom_is_logged(marketer: Visitor) -> None:
    marketer.get("/customers/c003")
    assert marketer.logged()[0] == ("marketer", "people_seen", "customer c003")
    marketer.get("/search?q=c00")
    line = marketer.access.audit.lines(limit=1)[0]
    assert (line.action, line.subject, line.detail) == ("people_seen", "search", "c00")
    marketer.get("/search?q=Noodle")
    assert len(marketer.access.audit.lines(limit=9, action="people_seen")) == 2


def test_a_customer_whom_nobody_knows_is_no_page(marketer: Visitor) -> None:
    for path in ("/customers/nobody", "/customers/%00", "/customers/c003%2F", "/customers/"):
        assert marketer.get(path).status_code == 404, path


def test_the_search_finds_customers_segments_campaigns_and_merchants(marketer: Visitor) -> None:
    assert _links(marketer.get("/search?q=c00").text) == [f"/customers/c00{n}" for n in range(10)]
    assert _links(marketer.get("/search?q=C003").text) == ["/customers/c003"]
    assert _links(marketer.get("/search?q=champ").text) == ["/segments/rfm/champions"]
    assert _links(marketer.get("/search?q=冠軍").text) == ["/segments/rfm/champions"]
    assert _links(marketer.get("/search?q=sPRing").text) == ["/campaigns/g/1"]
    assert _links(marketer.get("/search?q=Tea+%26").text) == ["/merchants/m2"]
    assert "Only the first 20 are shown" in marketer.get("/search?q=c").text
    assert "Nothing is called &lt;b&gt;." in marketer.get("/search?q=%3Cb%3E").text
    assert _links(marketer.get("/search?q=+").text) == []


def test_every_id_that_is_found_leads_to_its_page(marketer: Visitor) -> None:
    for asked in ("c003", "champ", "spring", "noodle"):
        (link,) = _links(marketer.get(f"/search?q={asked}").text)
        assert marketer.get(link).status_code == 200


def test_lists_lead_to_the_customers_on_them(marketer: Visitor) -> None:
    for path in ("/segments/rfm/champions", "/offers/g%2F1", "/campaigns/g%2F1?model=linear", "/conversions/o%3A1%2Fa"):
        assert 'href="/customers/c0' in marketer.get(path).text, path


def test_a_merchants_user_finds_no_search_and_no_customer(visit: Visit, stocked: Path) -> None:
    shop = visit(stocked).as_role("merchant")
    assert 'action="/search"' not in shop.get("/merchants/m1").text
    assert [shop.get(path).status_code for path in ("/search?q=c", "/customers/c003")] == [403, 403]


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_search_and_customers_are_shown_in_chinese(marketer: Visitor, language: str) -> None:
    marketer.post("/preferences", language=language, back="/")
    said = {"zh-Hant": ("顯示前 20 筆", "最近 20 次歷程"), "zh-Hans": ("显示前 20 条", "最近 20 次历程")}[language]
    assert said[0] in marketer.get("/search?q=c").text
    assert said[1] in marketer.get("/customers/c003").text
