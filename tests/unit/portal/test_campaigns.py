"""The pages of campaigns: what models credit, what was caused, and the path of one conversion."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.exports.publishing import publish_tables
from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells, figures
from tests.unit.portal.rows import campaign_tables, offers_tables

SPRING = "/campaigns/g%2F1"


@pytest.fixture
def analyst(visit: Visit, stocked: Path) -> Visitor:
    return visit(stocked).as_role("analyst")


def test_the_list_says_what_each_campaign_cost_brought_and_caused(analyst: Visitor) -> None:
    text = analyst.get("/campaigns").text
    assert cells(text, "Spring")[3:] == ["NT$30.00", "3.00", "NT$90.00", "3.00", "4.00", "Arms drawn by chance"]
    assert cells(text, "Summer")[3:] == ["NT$0.00", "1.00", "NT$40.00", "–", "–", "No figure can be given"]
    assert 'href="/campaigns/g%2F1?as_of=2018-01-01"' in text


def test_the_address_chooses_model_window_channel_and_what_a_figure_rests_on(analyst: Visitor) -> None:
    assert cells(analyst.get("/campaigns?model=linear").text, "Spring")[4] == "2.50"
    assert cells(analyst.get("/campaigns?model=linear&window=2017-12-02").text, "Spring")[5] == "NT$20.00"
    assert ">Spring<" not in analyst.get("/campaigns?label=refused").text.partition("</table>")[0]
    assert "Nothing to show" in analyst.get("/campaigns?channel=mail").text
    assert analyst.get("/campaigns?model=x&window=y&sort=z&label=%27").status_code == 200
    text = analyst.get("/campaigns?sort=-net_revenue").text.partition("</table>")[0]
    assert text.index(">Spring<") < text.index(">Summer<")


def test_one_campaign_shows_all_models_side_by_side(analyst: Visitor) -> None:
    text = analyst.get(SPRING).text
    assert cells(text, "Last touch that is not direct")[1:7] == [
        "3.00", "NT$90.00", "NT$0.00", "NT$90.00", "NT$30.00", "3.00"
    ]  # fmt: skip
    assert cells(text, "Linear")[4] == "NT$75.00"
    assert figures(text)[0]["data"][0]["x"] == [90.0, 75.0]


def test_what_a_campaign_caused_is_shown_with_its_interval(analyst: Visitor) -> None:
    text = analyst.get(SPRING).text
    assert "0.010 to 0.070" in text
    assert "NT$0.50 to NT$2.50" in text
    drawn = figures(text)[1]["data"][0]
    assert drawn["x"] == [0.04, 0.05]
    assert [round(one, 6) for one in drawn["error_x"]["arrayminus"]] == [0.03, 0.06]


def test_what_cannot_be_said_is_refused_in_words(analyst: Visitor) -> None:
    text = analyst.get("/campaigns/g2").text
    assert "No figure can be given: The groups moved apart before" in text
    assert "In doubt or missing because: The groups moved apart before." in text


def test_what_merchants_keep_is_an_outcome_in_money(analyst: Visitor) -> None:
    shown = cells(analyst.get(SPRING).text, "Kept by the merchant")
    assert shown[2] == "NT$0.45"


def test_the_return_of_a_campaign_is_its_margin_per_money_spent(analyst: Visitor) -> None:
    text = analyst.get(SPRING).text
    assert "Added margin of the merchant</dt><dd>NT$45<small>NT$15 to NT$75<" in text
    assert "Return on investment</dt><dd>1.50<" in text


def test_the_funnel_is_that_of_the_campaigns_merchant(analyst: Visitor) -> None:
    text = analyst.get(SPRING).text
    assert "Funnel: Merchant m1" in text
    assert cells(text, "Ordered")[1] == "30"


def test_a_snapshot_without_three_wins_or_funnel_still_shows_campaigns(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir()
    older = {**offers_tables(), **campaign_tables()}
    del older["three_wins"], older["funnel"]
    publish_tables(path, older)
    text = visit(path).as_role("analyst").get(SPRING).text
    assert "Nothing is known of this campaign" in text


def test_the_ledger_leads_to_the_path_of_one_conversion(analyst: Visitor) -> None:
    text = analyst.get(f"{SPRING}?model=first").text
    assert "1 to 2 of 2" in text
    assert cells(text, "o:1/a")[1:] == ["c003", "Dec 20, 2017, 6:00:00\u202fPM", "sms", "Credit", "50.0%", "NT$30.00"]
    assert 'href="/conversions/o%3A1%2Fa"' in text
    path = analyst.get("/conversions/o%3A1%2Fa").text
    assert cells(path, "1")[2:6] == ["sms", "Spring", "NT$30.00", "–"]
    assert cells(path, "2")[2:7] == ["search", "–", "–", "–", "NT$30.00"]
    assert "Refunds of -NT$3.00 are booked" in path


def test_looks_at_the_ledger_and_at_a_conversion_are_logged(analyst: Visitor) -> None:
    analyst.get(SPRING)
    analyst.get("/conversions/o%3A1%2Fa")
    assert analyst.logged()[:2] == [
        ("analyst", "people_seen", "conversion o:1/a"), ("analyst", "people_seen", "ledger g/1"),
    ]  # fmt: skip


def test_an_unknown_campaign_or_conversion_is_no_page(analyst: Visitor) -> None:
    assert [analyst.get(path).status_code for path in ("/campaigns/x", "/conversions/x")] == [404, 404]


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_pages_of_campaigns_are_shown_in_chinese(analyst: Visitor, language: str) -> None:
    analyst.post("/preferences", language=language, back="/")
    for path in ("/campaigns", SPRING, "/campaigns/g2", "/conversions/o%3A1%2Fa"):
        assert f'<html lang="{language}"' in analyst.get(path).text
    refused = {"zh-Hant": "無法估計：活動前趨勢不一致", "zh-Hans": "无法估计：活动前趋势不一致"}
    assert refused[language] in analyst.get("/campaigns/g2").text
