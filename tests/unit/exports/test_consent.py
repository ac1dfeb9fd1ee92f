"""Nobody is on a list without consent by the last word in the snapshot."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.exports import ExportReport, export_segment
from tests.unit.exports.rows import ASSUMING, SETTINGS, Publish, Rows, customer, member, says, segment_name


def _export(publish: Publish, members: str, *, settings: Settings = SETTINGS, **feeds: Rows) -> ExportReport:
    home = publish(segments=[member(one) for one in members], **feeds)
    return export_segment(home, "champions", segment_name=segment_name, settings=settings)


def _listed(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["Customer ID"] for row in csv.DictReader(file)]


def test_the_last_word_wins_in_whatever_order_the_rows_come(publish: Publish) -> None:
    words = [
        says("b", True, "2017-01-01 00:00:00"),
        says("b", False, "2017-05-01 00:00:01"),
        says("a", True, "2017-05-01 00:00:01"),
        says("a", False, "2017-05-01 00:00:00"),
    ]
    assert _listed(_export(publish, "ab", consents=words).path) == ["a"]


def test_a_withdrawal_after_the_last_order_counts(publish: Publish) -> None:
    words = [says("a", True), says("b", True), says("b", False, "2018-03-01")]
    assert _listed(_export(publish, "ab", consents=words).path) == ["a"]


def test_a_word_in_consents_beats_consent_marketing_both_ways(publish: Publish) -> None:
    customers = [customer("a", False), customer("b", True), customer("c", True), customer("d", False)]
    words = [says("a", True), says("b", False)]
    report = _export(publish, "abcd", customers=customers, consents=words)
    assert _listed(report.path) == ["a", "c"]
    assert report.left_out == {"consent_refused": 2}


@pytest.mark.parametrize("purpose", ["ads", "profiling"])
def test_a_word_on_another_purpose_says_nothing_on_marketing(publish: Publish, purpose: str) -> None:
    words = [says("a", True), says("b", True, purpose=purpose), says("a", False, "2017-06-01", purpose=purpose)]
    report = _export(publish, "ab", consents=words)
    assert _listed(report.path) == ["a"]
    assert report.left_out == {"no_word_on_consent": 1}


def test_silence_means_no_unless_consent_is_assumed(publish: Publish) -> None:
    report = _export(publish, "abc", settings=ASSUMING, customers=[customer("a")], consents=[says("b", False)])
    assert _listed(report.path) == ["a", "c"]
    assert report.left_out == {"consent_refused": 1}


def test_a_file_on_assumed_consent_says_so_in_itself_its_manifest_and_the_report(publish: Publish) -> None:
    report = _export(publish, "ab", settings=ASSUMING, consents=[says("a", True)])
    with report.path.open(encoding="utf-8-sig", newline="") as file:
        assert {row["Customer ID"]: row["Basis of consent"] for row in csv.DictReader(file)} == {
            "a": "Given by the customer",
            "b": "Assumed, the customer never said",
        }
    manifest = json.loads(report.manifest_path.read_text(encoding="utf-8"))
    assert manifest["purpose"] == "marketing"
    assert manifest["consent"] == {
        "basis": "the last word in the snapshot",
        "assumed_consent": True,
        "rows_stated": 1,
        "rows_assumed": 1,
    }
    assert [note for note in report.notes if "assumed_consent" in note and "1 customers" in note]


def test_a_list_that_is_empty_for_lack_of_consent_is_refused_with_count_and_setting(publish: Publish) -> None:
    home = publish(segments=[member("a"), member("b"), member("c")], consents=[says("a", False)])
    with pytest.raises(
        O2OError, match=r"nobody of the 3 .* 1 refused marketing, 2 never said .*assumed_consent"
    ) as raised:
        export_segment(home, "champions", segment_name=segment_name, settings=SETTINGS)
    assert not isinstance(raised.value, UsageError)
    assert not (home.path / "exports").exists()


def test_only_members_of_the_segment_and_the_day_are_listed(publish: Publish) -> None:
    home = publish(
        segments={
            date(2017, 7, 1): [member("old")],
            date(2018, 1, 1): [member("a"), member("b", "lost"), member("c", None, r_score=None)],
        }
    )
    latest = export_segment(home, "champions", segment_name=segment_name, settings=ASSUMING)
    assert (_listed(latest.path), latest.manifest["as_of"]) == (["a"], "2018-01-01")
    earlier = export_segment(home, "champions", segment_name=segment_name, settings=ASSUMING, as_of="2017-07-01")
    assert (_listed(earlier.path), earlier.manifest["as_of"]) == (["old"], "2017-07-01")


def test_a_segment_may_be_asked_for_by_its_name_in_any_language(publish: Publish) -> None:
    home = publish(segments=[member("a")])
    for asked in ("champions", "Champions", "冠軍顧客", "冠军顾客"):
        report = export_segment(home, asked, segment_name=segment_name, settings=ASSUMING)
        assert report.manifest["segment"] == "champions"


def test_an_unknown_segment_names_those_that_exist(publish: Publish) -> None:
    home = publish(segments=[member("a"), member("b", "lost")])
    with pytest.raises(UsageError, match=r"'champignons'.*champions, lost"):
        export_segment(home, "champignons", segment_name=segment_name, settings=ASSUMING)


def test_a_day_without_slice_names_those_that_exist(publish: Publish) -> None:
    home = publish(segments=[member("a")])
    with pytest.raises(UsageError, match=r"no slice 2018-01-02, only 2018-01-01.*o2o run --home .* --as-of 2018-01-02"):
        export_segment(home, "champions", segment_name=segment_name, settings=ASSUMING, as_of=date(2018, 1, 2))
