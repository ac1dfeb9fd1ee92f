"""The offers of a plan leave with reasons in words, for those alone who may still get them."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date

import openpyxl
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.exports import ExportReport, NobodyError, Order, export_offers, export_plan
from tests.unit.exports.rows import ASSUMING, DAY, SETTINGS, Publish, held, offer, says

ORDER = Order(ASSUMING)


def reason_text(code: str, language: str) -> str:
    """Put a reason into words as the room of offers would."""
    return {"en": "near", "zh-Hant": "離家近", "zh-Hans": "离家近"}[language] + " " + code.partition(":")[2]


def _rows(report: ExportReport) -> list[dict[str, str]]:
    with report.path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _customers(report: ExportReport) -> list[str]:
    return [row["Customer ID"] for row in _rows(report)]


def test_offers_leave_by_campaign_and_rank_with_reasons_in_words(publish: Publish) -> None:
    codes = ["near:850", "near:20"]
    offers = [offer("a", rank=2), offer("b", rank=1, reason_codes=codes), offer("z", "autumn", rank=9)]
    home = publish(targeted_offers=offers)
    report = export_offers(home, replace(ORDER, language="zh-Hant"), reason_text=reason_text)
    rows = _rows(report)
    assert [(row["活動編號"], row["顧客編號"], row["排序"]) for row in rows] == [
        ("autumn", "z", "9"), ("spring", "b", "1"), ("spring", "a", "2"),
    ]  # fmt: skip
    assert rows[1]["理由"] == "離家近 850; 離家近 20"
    assert (rows[1]["估計依據代碼"], rows[1]["估計依據"]) == ("experiment", "隨機實驗")
    assert report.path.name == "offers-2018-01-01.zh-Hant.csv"
    assert report.manifest["campaign_ids"] == ["autumn", "spring"]


def test_probabilities_and_uplift_are_percentages_in_a_spreadsheet(publish: Publish) -> None:
    home = publish(targeted_offers=[offer("a", uplift=0.031)])
    report = export_offers(home, replace(ORDER, format="xlsx"))
    sheet = openpyxl.load_workbook(report.path)["Offers to send"]
    cells = {sheet.cell(1, place).value: sheet.cell(2, place) for place in range(1, sheet.max_column + 1)}
    assert cells["Uplift (change in probability)"].value == 0.031
    assert cells["Uplift (change in probability)"].number_format == "0.00%"
    assert cells["Probability of redemption"].number_format == "0.00%"
    assert "Why" not in cells  # nobody gave words for the reasons


def test_one_campaign_can_be_asked_for(publish: Publish) -> None:
    home = publish(targeted_offers=[offer("a"), offer("b", "autumn")])
    report = export_offers(home, ORDER, reason_text=reason_text, campaign="autumn")
    assert _customers(report) == ["b"]
    assert (report.path.name, report.manifest["campaign_ids"]) == ("offers-autumn-2018-01-01.en.csv", ["autumn"])
    with pytest.raises(UsageError, match=r"no offer of a campaign 'summer' is planned.*autumn, spring"):
        export_offers(home, ORDER, reason_text=reason_text, campaign="summer")


def test_nobody_held_out_gets_an_offer_even_if_the_plan_says_so(publish: Publish) -> None:
    # Held out of one campaign, a customer may get another's offers; held out of everything, none.
    home = publish(
        targeted_offers=[offer("a"), offer("b"), offer("b", "autumn"), offer("c"), offer("c", "autumn"), offer("d")],
        offer_holdouts=[held("b", "spring", "campaign"), held("c", "winter", "global")],
    )
    report = export_offers(home, ORDER, reason_text=reason_text)
    assert [(row["Campaign ID"], row["Customer ID"]) for row in _rows(report)] == [
        ("autumn", "b"), ("spring", "a"), ("spring", "d"),
    ]  # fmt: skip
    assert report.left_out == {"holdout": 3}
    assert "3 of 6 offers left out: they are held out to measure what offers bring" in report.notes


def test_a_profile_refused_since_the_plan_was_made_keeps_a_customer_out(publish: Publish) -> None:
    words = [says("a", False, "2018-02-01", purpose="profiling"), says("b", True, purpose="profiling")]
    home = publish(targeted_offers=[offer("a"), offer("b"), offer("c")], consents=words)
    report = export_offers(home, ORDER, reason_text=reason_text)
    assert _customers(report) == ["b", "c"]
    assert report.left_out == {"profiling_refused": 1}


def test_consent_withdrawn_since_the_plan_was_made_keeps_a_customer_out(publish: Publish) -> None:
    words = [says("a", True), says("a", False, "2018-02-01"), says("b", True)]
    home = publish(targeted_offers=[offer("a"), offer("b"), offer("c")], consents=words)
    report = export_offers(home, Order(SETTINGS), reason_text=reason_text)
    assert _customers(report) == ["b"]
    assert report.left_out == {"consent_refused": 1, "no_word_on_consent": 1}


def test_each_reason_to_be_left_out_is_counted_once(publish: Publish) -> None:
    words = [says("a", False), says("a", False, purpose="profiling"), says("b", False, purpose="profiling")]
    kept = [held(one, "spring", "campaign") for one in "abc"]
    home = publish(targeted_offers=[offer(one) for one in "abcd"], consents=words, offer_holdouts=kept)
    report = export_offers(home, ORDER, reason_text=reason_text)
    assert report.left_out == {"consent_refused": 1, "profiling_refused": 1, "holdout": 1}
    assert _customers(report) == ["d"]


def test_a_plan_without_offers_says_where_to_look(publish: Publish) -> None:
    home = publish(targeted_offers=[])
    with pytest.raises(NobodyError, match=r"no offer is planned as of 2018-01-01.*offer_exclusions"):
        export_offers(home, ORDER, reason_text=reason_text)


def test_offers_to_nobody_who_consents_name_the_setting(publish: Publish) -> None:
    home = publish(targeted_offers=[offer("a"), offer("b")], consents=[says("b", False)])
    with pytest.raises(NobodyError, match=r"nobody of the 2 in the offers of campaign spring .*assumed_consent"):
        export_offers(home, Order(SETTINGS), reason_text=reason_text, campaign="spring")


def test_a_platform_gets_each_customer_of_the_offers_once(publish: Publish) -> None:
    ids = [f"c{number:03d}" for number in range(120)]
    home = publish(
        targeted_offers=[offer(one, campaign) for one in ids for campaign in ("spring", "autumn")],
        customer_contacts=[{"customer_id": one, "email": f"{one}@example.com"} for one in ids],
    )
    report = export_offers(home, replace(ORDER, platform="google-customer-match"), reason_text=reason_text)
    assert (report.rows, report.manifest["purpose"]) == (120, "ads")
    assert report.path.name == "offers-2018-01-01.google-customer-match.csv"


def test_the_lists_of_a_plan_are_written_for_each_campaign_and_refusals_are_told(publish: Publish) -> None:
    home = publish(
        targeted_offers={DAY: [offer("a"), offer("b", "autumn")], date(2017, 1, 1): [offer("z", "winter")]},
        consents=[says("b", False)],
    )
    done = list(export_plan(home, ORDER, reason_text=reason_text, as_of=DAY))
    assert [type(one) for one in done] == [NobodyError, ExportReport, ExportReport]
    names = sorted(file.name for file in (home.path / "exports").iterdir() if not file.name.endswith(".json"))
    assert names == ["offers-spring-2018-01-01.en.csv", "offers-spring-2018-01-01.en.xlsx"]


def test_a_day_without_a_plan_writes_nothing(publish: Publish) -> None:
    home = publish(targeted_offers=[])
    assert list(export_plan(home, ORDER, reason_text=reason_text, as_of=DAY)) == []
    assert not (home.path / "exports").exists()
