"""The first page: two periods side by side, and sentences made from the data."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import DAY, member, offer, profile
from tests.unit.portal.conftest import Visit, campaign, purchase
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


def test_where_no_segment_grew_and_no_plan_waits_others_of_the_data_stand_in(visit: Visit, tmp_path: Path) -> None:
    """One day of segments, no plan: who slips away, what a campaign lost, and the segment that brings most."""
    ids = [f"c{number}" for number in range(4)]
    lapsing = [member(id_, "at_risk", lifecycle_stage="lapsing" if id_ != "c0" else "active") for id_ in ids]
    churn = [{"customer_id": id_, "horizon_days": 90, "clv_365d": Decimal(100)} for id_ in ids]
    wins = {"level": "campaign", "label": "experiment", "margin_basis": "merchant"}
    lost = {"merchant_margin": Decimal(-50), "merchant_margin_low": Decimal(-70), "merchant_margin_high": Decimal(-30)}
    unsure = {"merchant_margin": Decimal(-90), "merchant_margin_low": Decimal(-99), "merchant_margin_high": Decimal(1)}
    publish_tables(
        tmp_path,
        {
            "purchases": [purchase(1, "c0", "2017-12-20", 100, 100)],
            "segments": lapsing,
            "churn_scores": churn,
            "segment_profiles": [{**profile("champions", 1), "share": 0.25, "revenue_share": 0.6}],
            "campaigns": [{**campaign("g/1"), "name": "Spring"}],
            "three_wins": [{**wins, **lost, "id": "g/1"}, {**wins, **unsure, "id": "g2"}],
        },
    )
    text = visit(tmp_path).as_role("analyst").get("/").text
    money, customers, to_do = _sentences(text)
    assert money == "Net revenue of the last 30 days was $100."
    assert customers.startswith("Write to those who are slipping away (customers: 3): ")
    assert customers.endswith("and $300 of purchases in the next 365 days are at stake.")
    said = "The campaign Spring lost money: $50 of margin less than without it (the whole 95 % interval is a loss)."
    assert to_do == f"{said} Change or stop it."
    assert 'href="/campaigns/g%2F1"' in text


def test_a_plan_that_is_approved_does_not_wait(visit: Visit, tmp_path: Path) -> None:
    publish_tables(tmp_path, {"targeted_offers": [offer("c0", expected_value=5.0), offer("c0", "summer")]})
    approved = {"as_of": str(DAY), "campaign_id": "summer", "approved_at": "2018-01-01T00:00:00+00:00"}
    (tmp_path / "approvals.jsonl").write_text(json.dumps(approved) + "\n")
    visitor = visit(tmp_path).as_role("analyst")
    (said,) = _sentences(visitor.get("/").text)
    assert said == "The plan of Jan 1, 2018 waits for approval (offers: 1, campaigns: 1, expected value: $5)."
    (tmp_path / "approvals.jsonl").write_text(
        "".join(json.dumps({**approved, "campaign_id": one}) + "\n" for one in ("summer", "spring"))
    )
    assert _sentences(visitor.get("/").text) == []


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            {"merchant_scorecards": [{"merchant_id": "m1", "band": "watch", "found_on": date(2017, 12, 20)}]},
            "Merchants that have turned worse than they promise: 1, the last found on Dec 20, 2017.",
        ),
        (
            {"segment_profiles": [{**profile("lost", 9), "share": 0.25, "revenue_share": 0.6}]},
            "The segment that brings most is Lost: 60.0% of the revenue from 25.0% of the customers. ",
        ),
        (
            {
                "three_wins": [
                    {"level": "campaign", "id": "g", "label": "experiment", "margin_basis": "merchant",
                     "merchant_margin": Decimal(50), "merchant_margin_low": Decimal(30),
                     "merchant_margin_high": Decimal(70)}
                ],
                "campaigns": [],
            },
            "The campaign g earned most: $50 of margin more than without it (the whole 95 % interval is a gain).",
        ),
    ],
)  # fmt: skip
def test_each_thing_worth_a_sentence_is_said(visit: Visit, tmp_path: Path, tables: Any, said: str) -> None:
    publish_tables(tmp_path, tables)
    visitor = visit(tmp_path).as_role("analyst")
    (found,) = _sentences(visitor.get("/").text)
    assert found.startswith(said)
    for language in ("zh-Hant", "zh-Hans"):
        visitor.post("/preferences", language=language, back="/")
        (found,) = _sentences(visitor.get("/").text)
        assert found.endswith("。")


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
