"""The pages of data quality: files, reasons, and rejected records without persons."""

from __future__ import annotations

from pathlib import Path

import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.portal.masking import LONGEST, masked
from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells, figures


@pytest.fixture
def marketer(visit: Visit, stocked: Path) -> Visitor:
    return visit(stocked).as_role("marketer")


def test_files_are_listed_with_what_became_of_their_records(marketer: Visitor) -> None:
    text = marketer.get("/quality").text
    assert cells(text, "customers")[1:] == ["customers.csv", "100", "95", "3", "3.0%", "2", "0"]
    assert "Traced share</dt><dd>75.0%" in text
    assert "Records read</dt><dd>1,010<" in text
    assert "(all)" not in text


def test_the_address_filters_files_by_feed_and_by_faults(marketer: Visitor) -> None:
    assert "1 to 1 of 1" in marketer.get("/quality?feed=stores").text
    assert "1 to 2 of 2" in marketer.get("/quality?only=faults").text
    listed = marketer.get("/quality?sort=-rows_read").text.partition("</table>")[0]
    assert listed.index("online_orders.csv") < listed.index("customers.csv")


def test_reasons_are_counted_and_lead_to_their_records(marketer: Visitor) -> None:
    text = marketer.get("/quality").text
    assert "joined_at: is not of its type" in text
    assert 'href="/quality/quarantine?feed=customers&amp;reason=bad_type%3Ajoined_at"' in text
    assert figures(text)[0]["data"][0]["x"] == [2, 1, 1]
    records = marketer.get("/quality/quarantine?feed=customers&reason=bad_type%3Ajoined_at").text
    assert "1 to 2 of 2" in records
    assert "1 to 4 of 4" in marketer.get("/quality/quarantine").text


@pytest.mark.parametrize("role", ["administrator", "analyst", "marketer"])
def test_no_role_sees_a_person_in_rejected_records(visit: Visit, stocked: Path, role: str) -> None:
    page = visit(stocked).as_role(role).get("/quality/quarantine").text
    # What is drawn by lot, as a form's token, may hold any digits.
    text = page.partition("<main")[2].partition("</main>")[0]
    for personal in ("901", "ann@", "example.com", "王小明", "Ann Lee", "1983"):
        assert personal not in text, personal
    assert "x9,9999-99-99,9999,x,+999 999 999 999,xxx@xxxxxxx.xxx" in text
    assert "o1,c0,m8,yesterday,call &lt;phone&gt;" in text


def test_looks_at_rejected_records_are_logged(marketer: Visitor) -> None:
    marketer.get("/quality/quarantine?feed=customers")
    line = marketer.access.audit.lines(limit=1)[0]
    assert (line.action, line.subject, line.detail) == (
        "people_seen", "quarantine", "page 1, feed customers, reason any"
    )  # fmt: skip


def test_a_record_with_more_fields_than_its_feed_shows_its_shape_alone() -> None:
    fields = len(contract("stores").columns)
    assert masked("stores", ",".join(["Lee"] * fields)) == ",".join(["Lee"] * fields)
    assert masked("stores", ",".join(["Lee"] * (fields + 1))) == ",".join(["xxx"] * (fields + 1))
    assert masked("stores", "a" * 999) == "a" * LONGEST + "…"


def test_a_record_that_is_no_csv_is_masked_all_the_same() -> None:
    assert masked("customers", 'Ann "Lee"\x00\r\n07') == 'xxx "xxx"\x00\r\n99'


def test_nothing_rejected_is_said_so(visit: Visit, home: Path) -> None:
    assert "No record was rejected." in visit(home).as_role("marketer").get("/quality").text


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_pages_of_quality_are_shown_in_chinese(marketer: Visitor, language: str) -> None:
    marketer.post("/preferences", language=language, back="/")
    for path in ("/quality", "/quality/quarantine"):
        text = marketer.get(path).text
        assert f'<html lang="{language}"' in text
        assert {"zh-Hant": "joined_at：型別不符", "zh-Hans": "joined_at：类型不符"}[language] in text
