"""What is published depends on what came in, never on the way it came in or on what was mined before."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.execution import Outcome
from tests.scenarios.conftest import Run, published
from tests.scenarios.feeds import write

# The homes that they start from are those of the tests of folders.
pytestmark = pytest.mark.xdist_group("folder")

# Two files that come in one after the other: the second fills what the first left open.
FIRST = {
    "customers": "customer_id,birth_year,city\nann,,\neve,,\n",
    "offline_redemptions": (
        "redemption_id,customer_id,merchant_id,store_id,redeemed_at,list_amount,paid_amount\n"
        "r2,cleo,noodle,,2024-03-08 18:00:00,,\n"
        "r4,eve,noodle,,2024-03-09 18:00:00,,\n"
    ),
}
SECOND = {
    "customers": (
        "customer_id,birth_year,city,joined_at,consent_marketing\n"
        "ann,1990,Taipei,2024-01-01,true\nbob,1991,Taipei,2024-01-05,false\n"
        "cleo,1992,Taipei,2024-02-01,true\neve,1993,Taipei,2024-02-02,true\n"
    ),
    "offline_redemptions": (
        "redemption_id,customer_id,merchant_id,store_id,redeemed_at,list_amount,paid_amount\n"
        "r2,cleo,noodle,s1,2024-03-08 18:00:00,12.30,12.30\n"
        "r4,eve,noodle,s1,2024-03-22 18:00:00,5.00,5.00\n"
    ),
}


def _slices_and_whole_tables(outcome: Outcome, day: date) -> dict[str, str]:
    # What was told otherwise before, and who moved since the day mined before, is history, and of no other table.
    shas = published(outcome).items()
    history = {"restatements", "segment_migration"}
    return {name: sha for (name, as_of), sha in shas if as_of in (None, str(day)) and name not in history}


def _land(home: Path, number: int, files: dict[str, str]) -> None:
    (home / "landing").mkdir(parents=True, exist_ok=True)
    for feed, text in files.items():
        (home / "landing" / feed).mkdir(exist_ok=True)
        (home / "landing" / feed / f"{number}.csv").write_text(text, encoding="utf-8")


def test_a_day_without_prospects_has_the_same_bytes_after_days_with_prospects(
    early: Outcome, shop: Outcome, mine: Run, tmp_path: Path
) -> None:
    shutil.copytree(early.home, tmp_path / "home")  # nulls in segments on the first day, then none
    last = mine(shop.home.parent / "in", as_of=shop.as_of)
    for fresh in (early, shop):
        assert fresh.as_of
        assert _slices_and_whole_tables(last, fresh.as_of) == _slices_and_whole_tables(fresh, fresh.as_of)


def test_files_that_came_one_by_one_give_the_same_bytes_as_all_at_once(mine_few: Run, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", "merchants", "touches", "offline_redemptions")
    mine_few(folder, home="bit-by-bit")
    for number, files in enumerate((FIRST, SECOND), start=1):
        _land(tmp_path / "bit-by-bit", number, files)
        last = mine_few(folder, home="bit-by-bit")
        _land(tmp_path / "at-once", number, files)
    fresh = mine_few(folder, home="at-once")
    assert last.as_of == fresh.as_of == date(2024, 3, 23)
    assert _slices_and_whole_tables(last, date(2024, 3, 23)) == _slices_and_whole_tables(fresh, date(2024, 3, 23))


def test_every_column_of_every_file_may_hold_nulls_so_that_no_file_tells_of_others(shop: Outcome) -> None:
    files = list((shop.home / "snapshots" / "files").rglob("*.parquet"))
    assert len(files) > 15
    for file in files:
        schema = pq.ParquetFile(file).schema
        assert all(schema.column(i).max_definition_level > 0 for i in range(len(schema))), file.name
