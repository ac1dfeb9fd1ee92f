"""Clusters, stages and segments by rule go out as RFM segments do, with everybody in them counted."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import ibis
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.exports import ExportReport, Order, export_moved, export_segment
from tests.unit.exports.rows import ASSUMING, SETTINGS, Publish, member, says, segment_name


@pytest.fixture
def home(publish: Publish) -> object:
    return publish(
        segments=[
            member("a", "lost", cluster="evening_share=high", lifecycle_stage="active", rule_segments=["near", "vip"]),
            member("b", "champions", cluster="evening_share=high", lifecycle_stage="lost", rule_segments=["vip"]),
            member("c", None, cluster=None, lifecycle_stage="prospect", rule_segments=[]),
        ],
        consents=[says("b", False)],
    )


def _export(home: object, asked: str) -> ExportReport:
    return export_segment(home, asked, segment_name=segment_name, settings=ASSUMING)  # type: ignore[arg-type]


def _listed(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["Customer ID"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("asked", "scheme", "listed", "left_out"),
    [
        ("lost", "rfm", ["a"], 0),
        ("vip", "rule", ["a"], 1),
        ("near", "rule", ["a"], 0),
        ("evening_share=high", "cluster", ["a"], 1),
        ("prospect", "lifecycle", ["c"], 0),
        ("lifecycle:active", "lifecycle", ["a"], 0),
    ],
)
def test_rows_and_those_left_out_are_all_members(
    home: object, asked: str, scheme: str, listed: list[str], left_out: int
) -> None:
    report = _export(home, asked)
    assert _listed(report.path) == listed
    assert sum(report.left_out.values()) == left_out
    assert report.manifest["scheme"] == scheme
    assert (scheme == "rfm") == report.path.name.startswith("segment-lost")


def test_a_code_of_two_schemes_is_that_of_the_first_and_the_other_is_named(home: object) -> None:
    assert _export(home, "lost").notes[0] == "scheme lifecycle has a segment lost, too: lifecycle:lost"
    with pytest.raises(UsageError, match=r"'rule:lost' as of 2018-01-01.*use one of near, vip$"):
        _export(home, "rule:lost")


def test_a_list_of_moves_holds_those_who_may_be_written_to_alone(publish: Publish) -> None:
    home = publish(segments=[member("a")], consents=[says("a", True), says("b", False)])
    moved = ibis.memtable({
        "customer_id": ["c", "b", "a"], "change": ["left", "entered", "entered"], "from_code": ["x", "(none)", "y"],
        "to_code": ["y", "x", "x"],
    })  # fmt: skip
    days = (date(2017, 7, 1), date(2018, 1, 1))
    report = export_moved(
        home, moved, scheme="rule", code="x", days=days, order=Order(SETTINGS), segment_name=segment_name
    )
    assert report.path.name == "moved-rule-x-2017-07-01-2018-01-01.en.csv"
    assert _listed(report.path) == ["a"]
    assert report.left_out == {"consent_refused": 1, "no_word_on_consent": 1}
    manifest = json.loads(report.manifest_path.read_text(encoding="utf-8"))
    assert (manifest["from"], manifest["to"], manifest["purpose"]) == ("2017-07-01", "2018-01-01", "marketing")
