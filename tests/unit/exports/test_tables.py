"""Tables without customers leave whole, but for groups that are too small."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.exports import export_table, exportable_tables
from tests.unit.exports.rows import SETTINGS, Publish, credit, profile, segment_name


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_no_table_with_a_customer_or_personal_column_is_exportable() -> None:
    assert "campaign_attribution" in exportable_tables()
    for name in exportable_tables():
        assert not {"customer_id", "referrer_id", "raw", "phone", "email"} & set(contract(name).column_names)
    assert not {"segments", "purchases", "customers", "customer_contacts", "quarantine"} & set(exportable_tables())


@pytest.mark.parametrize("table", ["segments", "purchases", "customer_contacts", "quarantine", "basket_lines"])
def test_a_table_about_single_persons_is_refused(publish: Publish, table: str) -> None:
    home = publish(campaign_attribution=[credit()])
    with pytest.raises(UsageError, match=rf"table {table} is about single persons .* campaign_attribution"):
        export_table(home, table, settings=SETTINGS)


def test_an_unknown_table_names_those_that_exist(publish: Publish) -> None:
    with pytest.raises(UsageError, match=r"no table 'atribution' is published.*campaign_attribution"):
        export_table(publish(campaign_attribution=[credit()]), "atribution", settings=SETTINGS)


def test_the_latest_slice_is_the_default_and_others_are_named(publish: Publish) -> None:
    home = publish(campaign_attribution={date(2017, 7, 1): [credit("old")], date(2018, 1, 1): [credit("new")]})
    report = export_table(home, "campaign_attribution", settings=SETTINGS)
    assert [row["Channel or campaign"] for row in _rows(report.path)] == ["new"]
    with pytest.raises(UsageError, match=r"no slice 2016-01-01, only 2017-07-01, 2018-01-01"):
        export_table(home, "campaign_attribution", settings=SETTINGS, as_of="2016-01-01")


def test_a_mined_table_without_any_slice_says_what_to_do(publish: Publish) -> None:
    with pytest.raises(UsageError, match=r"campaign_attribution has no slice. Next: o2o run"):
        export_table(publish(), "campaign_attribution", settings=SETTINGS)


def test_a_day_for_a_table_without_days_is_refused(publish: Publish) -> None:
    home = publish(merchants=[{"merchant_id": "m"}])
    assert export_table(home, "merchants", settings=SETTINGS).rows == 1
    with pytest.raises(UsageError, match=r"not mined as of a day"):
        export_table(home, "merchants", settings=SETTINGS, as_of="2018-01-01")


def test_rows_can_be_chosen_by_key(publish: Publish) -> None:
    home = publish(
        campaign_attribution=[
            credit("a"),
            credit("b", model="linear"),
            credit("c", model="linear", window_start=date(2017, 10, 3)),
        ]
    )
    chosen = {"model": "linear", "window_start": "1970-01-01"}
    report = export_table(home, "campaign_attribution", settings=SETTINGS, where=chosen)
    assert [row["Channel or campaign"] for row in _rows(report.path)] == ["b"]
    assert report.path.name == "campaign_attribution-2018-01-01-model=linear-window_start=1970-01-01.en.csv"
    assert report.manifest["where"] == chosen
    with pytest.raises(UsageError, match=r"no row with model = lineal.*last_non_direct, linear"):
        export_table(home, "campaign_attribution", settings=SETTINGS, where={"model": "lineal"})
    with pytest.raises(UsageError, match=r"cannot be asked by 'revenue'.*window_start, window_end, model, level, id"):
        export_table(home, "campaign_attribution", settings=SETTINGS, where={"revenue": "0"})


def test_names_stand_beside_their_codes(publish: Publish) -> None:
    home = publish(campaign_attribution=[credit()])
    (row,) = _rows(export_table(home, "campaign_attribution", settings=SETTINGS, language="zh-Hant").path)
    assert (row["模型代碼"], row["歸因模型"]) == ("last_non_direct", "末次非直接接觸")
    assert row["營收（TWD）"] == "12.50"


def test_a_group_smaller_than_k_min_is_left_out_and_counted(publish: Publish) -> None:
    home = publish(segment_profiles=[profile("a", 4), profile("b", 9), profile("c", 10), profile("d", 30)])
    report = export_table(home, "segment_profiles", settings=SETTINGS, segment_name=segment_name)
    assert [(row["Segment code"], row["Segment"]) for row in _rows(report.path)] == [("c", "C"), ("d", "D")]
    assert report.left_out == {"group_smaller_than_k_min": 2}
    assert report.manifest["left_out"] == [{"reason": "group_smaller_than_k_min", "rows": 2}]
    assert report.manifest["k_min"] == 10
    assert report.notes == ("2 groups left out: smaller than 10 people",)


def test_a_small_group_cannot_be_reckoned_from_the_rest(publish: Publish) -> None:
    # Shares add up to 1: with one group left out, the rest would tell its size and its money.
    home = publish(segment_profiles=[profile("a", 3), profile("b", 12), profile("c", 40), profile("x", 11, "cluster")])
    report = export_table(home, "segment_profiles", settings=SETTINGS)
    assert [row["Segment code"] for row in _rows(report.path)] == ["x", "c"]
    assert report.left_out == {
        "group_smaller_than_k_min": 1,
        "group_that_would_give_a_smaller_one_away": 1,
    }


def test_a_small_group_asked_for_alone_is_refused(publish: Publish) -> None:
    home = publish(segment_profiles=[profile("a", 3), profile("b", 7), profile("c", 40)])
    with pytest.raises(O2OError, match=r"no group of the 1 asked for may be described, the least size is 10") as raised:
        export_table(home, "segment_profiles", settings=SETTINGS, where={"segment_code": "a"})
    assert not isinstance(raised.value, UsageError)
    assert not (home.path / "exports").exists()


def test_groups_of_k_min_are_large_enough(publish: Publish) -> None:
    home = publish(segment_profiles=[profile("a", 10), profile("b", 10)])
    report = export_table(home, "segment_profiles", settings=SETTINGS)
    assert (report.rows, report.left_out) == (2, {})


def test_paths_of_few_and_funnels_that_tell_of_few_are_left_out(publish: Publish) -> None:
    stages = [("touched", 40), ("ordered", 12), ("redeemed", 3), ("returned", 0)]
    funnel = [
        {"dimension": "merchant", "id": id_, "stage": stage, "position": place, "people": people if id_ == "m1" else 50}
        for id_ in ("m1", "m2")
        for place, (stage, people) in enumerate(stages, start=1)
    ]
    paths = [{"outcome": "converted", "rank": rank, "journeys": count} for rank, count in ((1, 40), (2, 9), (3, 1))]
    home = publish(funnel=funnel, path_summary=paths)
    report = export_table(home, "funnel", settings=SETTINGS)
    assert [row["Channel, device or merchant"] for row in _rows(report.path)] == ["m2"] * 4
    assert report.left_out == {"group_smaller_than_k_min": 1, "group_that_would_give_a_smaller_one_away": 3}
    report = export_table(home, "path_summary", settings=SETTINGS)
    assert (report.rows, report.left_out, report.manifest["k_min"]) == (1, {"group_smaller_than_k_min": 2}, 10)
