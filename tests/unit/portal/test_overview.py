"""The first page: two periods side by side, and sentences made from the data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import DAY, profile
from tests.unit.portal.conftest import Visit, purchase
from tests.unit.portal.rows import BEFORE


def _facts(text: str) -> dict[str, tuple[str, str]]:
    """Return value and note of each fact by its name."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)(?:<small>(.*?)</small>)?</dd>", text)
    return {name: (value, note) for name, value, note in found}


def _sentences(text: str) -> list[str]:
    listed = text.partition('<ul class="sentences">')[2].partition("</ul>")[0]
    return [re.sub(r"\s*<a.*?</a>", "", one.partition("</li>")[0]) for one in listed.split("<li>")[1:]]


def test_the_last_thirty_days_stand_beside_the_thirty_before(visit: Visit) -> None:
    facts = _facts(visit().as_role("analyst").get("/").text)
    assert facts["Net revenue"] == ("NT$100", "before: NT$80")
    assert facts["Customers who bought"] == ("1", "before: 2")
    assert facts["Saved by customers"] == ("NT$10", "before: –")
    assert facts["Customers who came back"] == ("50.0%", "before: 33.3%")


def test_the_margin_is_that_of_campaigns_with_a_figure(visit: Visit) -> None:
    facts = _facts(visit().as_role("analyst").get("/").text)
    assert facts["Margin that campaigns caused"] == ("NT$90", "campaigns with a figure: 1, as of Jan 1, 2018")
    assert facts["Offers for each visit"] == ("1.25", "before: 0.50")


def test_the_state_of_the_data_is_said(visit: Visit) -> None:
    facts = _facts(visit().as_role("analyst").get("/").text)
    assert facts["Data up to"][0] == "Jan 1, 2018"
    assert facts["Records refused"] == ("3", "of 100 read")
    assert facts["Store revenue traced to online"][0] == "75.0%"


def test_three_sentences_say_what_changed_and_what_to_do(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    money, customers, to_do = _sentences(visitor.get("/").text)
    assert money == "Net revenue of the last 30 days was NT$100, 25.0% more than in the 30 days before."
    grew = "The segment that grew most is Champions: 5 customers more than on Dec 1, 2017."
    assert customers == f"{grew} Reward them and ask them to bring friends; they need no discount."
    counted = "(offers: 2, campaigns: 2, expected value: NT$20)"
    assert to_do == f"The plan of Jan 1, 2018 waits for approval {counted}."
    visitor.post("/preferences", language="zh-Hans", back="/")
    assert _sentences(visitor.get("/").text)[0] == "最近 30 天净营收为 NT$100，较前 30 天增加 25.0%。"


@pytest.mark.parametrize(
    ("last", "before", "said"),
    [
        (100, 0, "Net revenue of the last 30 days was $100."),
        (100, 100, "Net revenue of the last 30 days was $100, as much as in the 30 days before."),
        (50, 100, "Net revenue of the last 30 days was $50, 50.0% less than in the 30 days before."),
    ],
)
def test_money_that_fell_stood_or_is_new_is_said_so(
    visit: Visit, tmp_path: Path, last: int, before: int, said: str
) -> None:
    bought = [("2017-12-20", last), ("2017-11-20", before)]
    rows = [purchase(number, "c", at, net, net) for number, (at, net) in enumerate(bought)]
    publish_tables(tmp_path, {"purchases": rows, "segment_profiles": {BEFORE: [profile("lost", 9)], DAY: []}})
    assert _sentences(visit(tmp_path).as_role("analyst").get("/").text) == [said]


def test_merchants_whose_offers_wait_are_what_to_do_where_no_plan_is(visit: Visit, tmp_path: Path) -> None:
    acted = {"merchant_id": "m1", "action_code": "pause_offers", "band": "act"}
    publish_tables(tmp_path, {"merchant_actions": [acted, {**acted, "merchant_id": "m2", "action_code": "notify"}]})
    assert _sentences(visit(tmp_path).as_role("analyst").get("/").text) == [
        "Talk first to the merchants that do not keep what they promise and whose offers wait: there are 1."
    ]


def test_a_home_where_nothing_was_mined_has_an_overview(visit: Visit, tmp_path: Path) -> None:
    publish_tables(tmp_path, {"purchases": []})
    text = visit(tmp_path).as_role("analyst").get("/").text
    assert "There is too little data for a statement yet." in text
    assert _facts(text)["Net revenue"] == ("–", "before: –")


def test_a_merchants_user_sees_the_way_to_the_own_merchants_and_no_figures(visit: Visit) -> None:
    text = visit().as_role("merchant").get("/").text
    assert '<a href="/merchants/m1">m1</a>' in text
    assert "Net revenue" not in text
    assert 'href="/segments"' not in text


def test_the_first_page_is_small_beside_the_chart_library(visit: Visit) -> None:
    visitor = visit().as_role("analyst")
    page = visitor.get("/")
    linked = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    weights = {name: len(visitor.get(name).content) for name in linked if "plotly" not in name}
    assert len(weights) == 3
    assert len(page.content) + sum(weights.values()) < 150_000
