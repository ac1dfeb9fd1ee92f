"""The pages of segments: what they show, and the lists that leave."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells


@pytest.fixture
def marketer(visit: Visit) -> Visitor:
    return visit().as_role("marketer")


def _cells(text: str, begins: str) -> list[str]:
    """Return the cells of the first row whose name is this."""
    row = next(row.partition("</tr>")[0] for row in text.split("<tr>")[1:] if f">{begins}<" in row)
    return [part.partition(">")[2].partition("</t")[0].strip() for part in row.replace("<th", "<td").split("<td")[1:]]


def test_the_list_shows_sizes_and_what_changed_since_the_day_before(marketer: Visitor) -> None:
    text = marketer.get("/segments").text
    assert _cells(text, "Champions")[1:] == ["75", "+5", "62.5%", "3", "4.50", "NT$1,234.50", "60.0%"]
    assert _cells(text, "Lost")[1:3] == ["45", "–"]
    assert 'href="/segments/rfm/champions"' in text


def test_the_list_is_sorted_as_the_address_asks(marketer: Visitor) -> None:
    text = marketer.get("/segments?sort=customers").text
    assert text.index(">Lost<") < text.index(">Champions<")
    assert 'aria-sort="ascending"><a href="?sort=-customers">' in text
    assert marketer.get("/segments?sort=share;DROP TABLE segments").status_code == 200


def test_a_past_day_is_shown_as_it_was(marketer: Visitor) -> None:
    text = marketer.get("/segments?as_of=2017-12-01").text
    assert _cells(text, "Champions")[1:3] == ["70", "–"]
    assert ">Lost<" not in text


def test_an_unknown_scheme_or_segment_is_no_page(marketer: Visitor) -> None:
    for path in ("/segments?scheme=x", "/segments/rfm/nobody", "/segments/x/champions", "/download/segments/rfm/no"):
        assert marketer.get(path).status_code == 404, path


def test_a_code_with_a_slash_has_a_page(marketer: Visitor) -> None:
    text = marketer.get("/segments?scheme=cluster").text
    assert 'href="/segments/cluster/category%2Fcafe%3Dhigh"' in text
    assert marketer.get("/segments/cluster/category%2Fcafe%3Dhigh").status_code == 200


def test_one_segment_shows_its_members_a_page_at_a_time(marketer: Visitor) -> None:
    text = marketer.get("/segments/rfm/champions").text
    assert "1 to 50 of 75" in text
    assert _cells(text, "c000")[1:] == ["3", "4", "NT$0.00", "25.0%", "NT$10.00"]
    second = marketer.get("/segments/rfm/champions?page=2&sort=-monetary").text
    assert "51 to 75 of 75" in second
    assert _cells(second, "c024")[3:] == ["NT$24.00", "25.0%", "NT$10.00"]
    assert "c074" not in second
    assert "1 to 10 of 10" in marketer.get("/segments/rfm/champions?q=c02").text
    assert marketer.get("/segments/rfm/champions?q=%27;--").status_code == 200
    assert "51 to 75 of 75" in marketer.get("/segments/rfm/champions?page=999").text


def test_who_looked_at_whom_is_logged(marketer: Visitor) -> None:
    marketer.get("/segments/rfm/champions?page=2")
    line = marketer.access.audit.lines(limit=1)[0]
    assert (line.user, line.action, line.subject, line.detail, line.address) == (
        "marketer", "people_seen", "segment rfm:champions", "page 2", "10.0.0.1"
    )  # fmt: skip


def test_figures_and_their_tables_say_the_same(marketer: Visitor) -> None:
    text = marketer.get("/segments/rfm/champions").text
    figures = [json.loads(part.partition("</script>")[0]) for part in text.split('"application/json">')[1:]]
    trend, churn, moves = (figure["data"][0] for figure in figures)
    assert (trend["x"], trend["y"]) == (["2017-12-01", "2018-01-01"], [70, 75])
    assert churn["y"] == [0, 0, 50, 0, 0, 0, 0, 0, 0, 0]
    assert (moves["node"]["label"], moves["link"]["value"]) == (["Lost", "Champions"], [5])
    assert _cells(text, "20% – 30%") == ["20% – 30%", "50"]
    assert _cells(text, "Lost → Champions") == ["Lost → Champions", "5"]


def test_the_preview_says_who_is_left_out_and_why(marketer: Visitor) -> None:
    text = marketer.get("/download/segments/rfm/champions").text
    assert "<dd>59<" in text
    assert _cells(text, "Refused to be contacted for this purpose")[1] == "1"
    assert _cells(text, "Never said whether they agree")[1] == "15"


def test_the_file_holds_whom_the_preview_counted(marketer: Visitor, home: Path) -> None:
    marketer.get("/download/segments/rfm/champions")
    answer = marketer.post("/download/segments/rfm/champions", **{"as": "csv"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith("segment-champions-2018-01-01.en.csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 60
    assert "c001" not in {row[0] for row in rows}
    line = marketer.access.audit.lines(limit=1)[0]
    assert (line.action, line.subject) == ("download", "segment rfm:champions")
    assert line.detail.startswith("segment-champions-2018-01-01.en.csv, 59 rows, snapshot ")
    assert list((home / "portal" / "downloads").iterdir()) == []


def test_the_headings_of_a_file_are_in_the_readers_language(marketer: Visitor) -> None:
    marketer.post("/preferences", language="zh-Hant", back="/")
    answer = marketer.post("/download/segments/rfm/champions", **{"as": "csv"})
    assert answer.content.decode("utf-8-sig").startswith("顧客編號,")


@pytest.mark.parametrize("wanted", ["xlsx", "parquet"])
def test_every_format_for_people_can_be_had(marketer: Visitor, wanted: str) -> None:
    answer = marketer.post("/download/segments/rfm/champions", **{"as": wanted})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith(f".{wanted}")
    assert wanted != "xlsx" or zipfile.is_zipfile(io.BytesIO(answer.content))


def test_a_list_that_nobody_may_be_on_says_so_and_gives_no_file(marketer: Visitor) -> None:
    text = marketer.get("/download/segments/rfm/lost").text
    assert "There is no list" in text
    assert cells(text, "Never said whether they agree")[1] == "45"
    assert '<button class="main">Download' not in text
    assert marketer.post("/download/segments/rfm/lost", **{"as": "csv"}).status_code == 400


def test_an_unknown_format_is_refused(marketer: Visitor) -> None:
    assert marketer.get("/download/segments/rfm/champions?as=pdf").status_code == 400


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_pages_are_shown_in_chinese(marketer: Visitor, language: str) -> None:
    marketer.post("/preferences", language=language, back="/")
    for path in ("/", "/segments", "/segments/rfm/champions", "/download/segments/rfm/champions"):
        answer = marketer.get(path)
        assert answer.status_code == 200
        assert f'<html lang="{language}"' in answer.text
    assert {"zh-Hant": "冠軍", "zh-Hans": "冠军"}[language] in marketer.get("/segments").text
