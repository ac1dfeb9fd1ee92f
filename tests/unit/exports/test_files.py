"""What stands in the files, byte by byte where it matters, and what may never stand there."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from o2o_mining.core.errors import ContractError, O2OError, UsageError
from o2o_mining.exports import FORMATS, ExportReport, export_segment, export_table, files
from tests.unit.exports.rows import ASSUMING, SETTINGS, Publish, credit, member, profile, segment_name

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]


def _book(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(path)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def _bytes(report: ExportReport) -> tuple[bytes, bytes]:
    return report.path.read_bytes(), report.manifest_path.read_bytes()


def test_csv_has_a_byte_order_mark_and_rfc_4180_lines_and_quotes(publish: Publish) -> None:
    home = publish(merchants=[{"merchant_id": "007", "name": 'A "B", C\nD', "city": "臺北", "margin_share": 0.5}])
    report = export_table(home, "merchants", settings=SETTINGS, language="zh-Hant")
    raw = report.path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    heading, row = raw[3:].decode().split("\r\n", 1)
    assert heading == "商家編號,名稱,類別,城市,毛利率,佣金比例"
    assert row == '007,"A ""B"", C\nD",,臺北,0.5,\r\n'


def test_csv_writes_days_moments_money_and_lists_plainly(publish: Publish) -> None:
    start = pd.Timestamp("2017-07-01 04:00:00")
    campaign = {"campaign_id": "c", "starts_at": start, "ends_at": start, "budget": Decimal(1000)}
    home = publish(
        campaigns=[campaign], campaign_attribution=[credit(refunds=Decimal("14.50"), net_revenue=Decimal("-2.00"))]
    )
    lines = export_table(home, "campaigns", settings=SETTINGS).path.read_text(encoding="utf-8-sig").splitlines()
    assert lines[1] == "c,,,,2017-07-01 04:00:00,2017-07-01 04:00:00,1000.00"
    report = export_table(home, "campaign_attribution", settings=SETTINGS)
    assert "2018-01-01,1970-01-01,2018-01-01,last_non_direct" in report.path.read_text(encoding="utf-8-sig")
    assert ",12.50,14.50,-2.00," in report.path.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("conversions", "shown"),
    [(1.9999999999999998, "2.0"), (155848.00000000003, "155848.0"), (2 / 3, "0.666666666667"), (1e-20, "1e-20")],
)
def test_numbers_for_people_carry_no_noise_of_their_reckoning(publish: Publish, conversions: float, shown: str) -> None:
    home = publish(campaign_attribution=[credit(conversions=conversions)])
    csv = export_table(home, "campaign_attribution", settings=SETTINGS).path.read_text(encoding="utf-8-sig")
    place = csv.splitlines()[0].split(",").index("Conversions")
    assert csv.splitlines()[1].split(",")[place] == shown
    book = export_table(home, "campaign_attribution", settings=SETTINGS, format="xlsx")
    assert _book(book.path)["Campaign attribution"][1][place] == float(shown)
    exact = export_table(home, "campaign_attribution", settings=SETTINGS, format="parquet")
    assert pq.read_table(exact.path)["Conversions"].to_pylist() == [conversions]


def test_lists_are_one_cell(publish: Publish) -> None:
    home = publish(segment_profiles=[profile("a", 50)])
    line = export_table(home, "segment_profiles", settings=SETTINGS).path.read_text(encoding="utf-8-sig").split("\n")[1]
    assert ',"30; 7",' in line


def test_who_asks_is_the_user_of_the_system_if_nobody_is_named(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = publish(merchants=[{"merchant_id": "m"}])
    monkeypatch.setenv("LOGNAME", "bob")
    assert export_table(home, "merchants", settings=SETTINGS).manifest["requested_by"] == "bob"

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert export_table(home, "merchants", settings=SETTINGS).manifest["requested_by"] == "unknown"


def test_xlsx_has_numbers_days_and_a_bold_heading_that_stays(publish: Publish) -> None:
    home = publish(campaign_attribution=[credit()])
    path = export_table(home, "campaign_attribution", settings=SETTINGS, format="xlsx", language="zh-Hans").path
    sheet = openpyxl.load_workbook(path)["活动归因"]
    cells = {sheet.cell(1, i).value: sheet.cell(2, i) for i in range(1, sheet.max_column + 1)}
    assert cells["营收（TWD）"].value == 12.5
    assert cells["营收（TWD）"].number_format == "#,##0.00"
    assert cells["期间起日"].value == datetime(1970, 1, 1)
    assert cells["期间起日"].number_format == "yyyy-mm-dd"
    assert cells["转化占比"].number_format == "0.00%"
    assert cells["成本（TWD）"].value is None
    assert sheet["A1"].font.b
    assert sheet.freeze_panes == "A2"
    assert sheet.column_dimensions["A"].width > 8


def test_parquet_has_the_headings_and_the_contract_names_and_types(publish: Publish) -> None:
    home = publish(segments=[member("a")])
    report = export_segment(
        home, "champions", segment_name=segment_name, settings=ASSUMING, format="parquet", language="zh-Hant"
    )
    table = pq.read_table(report.path)
    names = {field.metadata[b"column"].decode(): field.name for field in table.schema}
    assert list(names) == report.manifest["columns"]
    assert names["customer_id"] == "顧客編號"
    assert table[names["monetary"]].to_pylist() == [Decimal("1234.50")]
    assert table[names["as_of"]].to_pylist() == [date(2018, 1, 1)]
    assert table[names["segment_name"]].to_pylist() == ["冠軍顧客"]


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_cells_that_look_like_formulas_are_neutralised_for_spreadsheets(publish: Publish, format_: str) -> None:
    rows = [{"merchant_id": f"m{i}", "name": name} for i, name in enumerate(DANGEROUS)]
    home = publish(merchants=[*rows, {"merchant_id": "=m", "name": "1-2=3", "margin_share": 0.5}])
    report = export_table(home, "merchants", settings=SETTINGS, format=format_)
    if format_ == "csv":
        frame = pd.read_csv(report.path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        held = dict(zip(frame["Merchant ID"], frame["Name"], strict=True))
    else:
        held = {row[0]: row[1] for row in _book(report.path)["Merchants"][1:]}
    for name in DANGEROUS:
        assert f"'{name}" in {text.replace("_x000D_", "\r") for text in held.values()}
    assert held["'=m"] == "1-2=3"
    assert report.manifest["cells_neutralised"] == len(DANGEROUS) + 1
    assert "9 cells" in report.notes[0]


def test_parquet_keeps_texts_as_they_are_and_numbers_stay_numbers(publish: Publish) -> None:
    home = publish(
        merchants=[{"merchant_id": "m", "name": "=1+1"}],
        campaign_attribution=[credit(refunds=Decimal("20.00"), net_revenue=Decimal("-7.50"))],
    )
    report = export_table(home, "merchants", settings=SETTINGS, format="parquet")
    assert pq.read_table(report.path)["Name"].to_pylist() == ["=1+1"]
    for format_ in ("csv", "xlsx"):
        report = export_table(home, "campaign_attribution", settings=SETTINGS, format=format_)
        assert report.manifest["cells_neutralised"] == 0
    assert -7.5 in _book(report.path)["Campaign attribution"][1]


def test_more_rows_than_a_sheet_holds_go_to_further_sheets(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.ROWS_PER_SHEET == 1_048_575
    monkeypatch.setattr(files, "ROWS_PER_SHEET", 2)
    home = publish(merchants=[{"merchant_id": f"m{i}"} for i in range(5)])
    report = export_table(home, "merchants", settings=SETTINGS, format="xlsx")
    book = _book(report.path)
    assert list(book) == ["Merchants", "Merchants 2", "Merchants 3"]
    assert {rows[0] for rows in book.values()} == {book["Merchants"][0]}
    assert [row[0] for rows in book.values() for row in rows[1:]] == ["m0", "m1", "m2", "m3", "m4"]
    assert report.rows == 5


def test_a_text_too_long_for_a_cell_is_refused_not_cut(publish: Publish) -> None:
    home = publish(merchants=[{"merchant_id": "m", "name": "x" * 32_768}])
    with pytest.raises(O2OError, match=r"row 1, column name: 32768 characters.*csv or parquet"):
        export_table(home, "merchants", settings=SETTINGS, format="xlsx")
    assert list((home.path / "exports").iterdir()) == []
    assert export_table(home, "merchants", settings=SETTINGS).path.stat().st_size > 32_768


def test_a_number_that_is_not_finite_is_refused(publish: Publish) -> None:
    home = publish(campaign_attribution=[credit(roas=float("inf"))])
    for format_ in ("csv", "xlsx"):
        with pytest.raises(ContractError, match=r"column roas holds inf"):
            export_table(home, "campaign_attribution", settings=SETTINGS, format=format_)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_request_gives_the_same_bytes(publish: Publish, tmp_path: Path, format_: str) -> None:
    rows = [member(f"c{i:03d}", monetary=Decimal(f"{i}.10")) for i in range(300)]
    homes = [publish("one", segments=rows), publish("two", segments=rows[::-1])]
    reports = [
        export_segment(
            home, "champions", segment_name=segment_name, settings=ASSUMING, format=format_, requested_by="ann"
        )
        for home in (*homes, homes[0])
    ]
    assert len({_bytes(report) for report in reports}) == 1
    assert str(tmp_path) not in reports[0].manifest_path.read_text(encoding="utf-8")


@pytest.mark.parametrize("format_", FORMATS)
def test_the_manifest_tells_what_the_file_is(publish: Publish, format_: str) -> None:
    home = publish(segments=[member("a"), member("b")])
    report = export_segment(
        home, "champions", segment_name=segment_name, settings=ASSUMING, format=format_, requested_by="ann"
    )
    assert report.path == home.path / "exports" / f"segment-champions-2018-01-01.en.{format_}"
    assert report.manifest_path.name == f"{report.path.name}.manifest.json"
    manifest = json.loads(report.manifest_path.read_text(encoding="utf-8"))
    assert manifest == report.manifest
    assert manifest["sha256"] == hashlib.sha256(report.path.read_bytes()).hexdigest()
    assert {key: manifest[key] for key in ("rows", "spec", "spec_version", "format", "language", "table")} == {
        "rows": 2, "spec": "people", "spec_version": 3, "format": format_, "language": "en", "table": "segments",
    }  # fmt: skip
    assert manifest["snapshot"] == home.manifest["snapshot"]
    assert (manifest["segment"], manifest["as_of"], manifest["requested_by"]) == ("champions", "2018-01-01", "ann")


def test_a_failure_leaves_what_was_there(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    home = publish(merchants=[{"merchant_id": "m"}])
    before = _bytes(export_table(home, "merchants", settings=SETTINGS))

    def fails(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(files.WRITERS, "csv", fails)
    with pytest.raises(O2OError, match=r"merchants.en.csv cannot be written: No space left"):
        export_table(home, "merchants", settings=SETTINGS)
    names = sorted(path.name for path in (home.path / "exports").iterdir())
    assert names == ["merchants.en.csv", "merchants.en.csv.manifest.json"]
    assert (home.path / "exports" / names[0]).read_bytes() == before[0]


def test_a_table_without_rows_gives_the_headings_alone(publish: Publish) -> None:
    home = publish()
    for format_ in FORMATS:
        assert export_table(home, "merchants", settings=SETTINGS, format=format_).rows == 0
    assert len(_book(home.path / "exports" / "merchants.en.xlsx")["Merchants"]) == 1


def test_the_place_is_a_folder_or_a_file_of_the_format(publish: Publish, tmp_path: Path) -> None:
    home = publish(merchants=[{"merchant_id": "m"}])
    folder = export_table(home, "merchants", settings=SETTINGS, out=tmp_path / "new")
    assert folder.path == tmp_path / "new" / "merchants.en.csv"
    file = export_table(home, "merchants", settings=SETTINGS, out=tmp_path / "shops.csv", language="zh-Hans")
    assert file.path == tmp_path / "shops.csv"
    with pytest.raises(UsageError, match=r"shops.xls does not end with .xlsx"):
        export_table(home, "merchants", settings=SETTINGS, format="xlsx", out=tmp_path / "shops.xls")


def test_an_unknown_format_names_those_that_exist(publish: Publish) -> None:
    with pytest.raises(UsageError, match=r"no format 'xls'.*csv, xlsx, parquet"):
        export_table(publish(), "merchants", settings=SETTINGS, format="xls")


def test_the_language_of_the_settings_is_the_default(publish: Publish) -> None:
    home = publish(merchants=[{"merchant_id": "m"}])
    settings = type(SETTINGS)(language="zh-Hans")
    assert export_table(home, "merchants", settings=settings).path.name == "merchants.zh-Hans.csv"


def test_a_cell_of_several_reasons_is_one_cell_where_semicolons_and_tabs_separate_too(publish: Publish) -> None:
    home = publish(merchants=[{"merchant_id": 'm;1\t"x", y', "name": "a, b"}])
    raw = export_table(home, "merchants", settings=SETTINGS).path.read_bytes().decode("utf-8-sig")
    line = raw.split("\r\n")[1]
    assert line.startswith('"m;1\t""x"", y","a, b"')
    (row,) = list(csv.reader([line]))
    assert row[:2] == ['m;1\t"x", y', "a, b"]
