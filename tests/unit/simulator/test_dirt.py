"""Damaged worlds: loading them gives the counts and reasons that their truth says, to the row."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import build_data_quality, load_feeds
from o2o_mining.simulator import World, write

COUNTS = ["rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate", "orphans"]


def _truth(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "truth" / f"{name}.csv", keep_default_na=False)


def _loaded(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, StepReport]]:
    """Load a folder and return its counts by file, its quarantine and the reports of the feeds."""
    engine = DuckDBEngine(":memory:", Settings(threads=1))
    try:
        reports = load_feeds(engine, [FolderSource(folder)])
        build_data_quality(engine, traced_share=None)
        quality = engine.execute(engine.read("data_quality")).query("feed != '(all)'")
        rejected = engine.execute(engine.read("quarantine"))
    finally:
        engine.close()
    return quality.set_index(["feed", "file"])[COUNTS].astype(int).sort_index(), rejected, reports


@pytest.mark.parametrize(("seed", "rate"), [(1, 0.02), (2, 0.1), (3, 0.5), (4, 0.3)])
def test_loading_gives_every_count_and_every_reason_of_the_truth(tmp_path: Path, seed: int, rate: float) -> None:
    write(World(customers=400, days=90, seed=seed), tmp_path / "w", dirt=rate)
    quality, rejected, _ = _loaded(tmp_path / "w")
    expected = _truth(tmp_path / "w", "expected_quality").set_index(["feed", "file"])[COUNTS].sort_index()
    pd.testing.assert_frame_equal(quality, expected, check_index_type=False)
    where = ["feed", "file", "line", "reason"]
    damage = _truth(tmp_path / "w", "damage").query("outcome == 'quarantined'")
    assert sorted(rejected[where].itertuples(index=False, name=None)) == sorted(
        damage[where].itertuples(index=False, name=None)
    )
    assert (quality["rows_read"] == quality[COUNTS[1:4]].sum(axis=1)).all()


def test_a_quote_over_100_lines_is_one_record_and_over_101_it_closes_nothing(tmp_path: Path) -> None:
    write(World(customers=2_500, days=60), tmp_path / "w", dirt=0.1)
    damage = _truth(tmp_path / "w", "damage").query("feed == 'customers'")
    line = dict(zip(damage["kind"], damage["line"].astype(int), strict=True))
    assert line["stray_quote"] == line["too_far"] + 100
    _, rejected, _ = _loaded(tmp_path / "w")
    rejected = rejected[rejected["feed"] == "customers"]
    reasons = dict(zip(rejected["line"], rejected["reason"], strict=True))
    assert reasons[line["swallowed_lines"]] == reasons[line["stray_quote"]] == "bad_type:consent_marketing"
    assert reasons[line["too_far"]] == "malformed_line"
    assert rejected.loc[rejected["line"] == line["swallowed_lines"], "raw"].item().count("\n") == 99


def test_the_damage_is_of_the_share_asked_for_and_of_every_kind(tmp_path: Path) -> None:
    clean = write(World(customers=2_000, days=120), tmp_path / "clean")
    write(World(customers=2_000, days=120), tmp_path / "w", dirt=0.1)
    damage = _truth(tmp_path / "w", "damage")
    by_feed = damage.query("kind != 'drift'").groupby("feed").size()
    assert {feed: by_feed.get(feed, 0) for feed in ("touches", "customers")} == {
        feed: round(0.1 * clean[feed]) for feed in ("touches", "customers")
    }
    assert set(damage["kind"]) == {
        "cut_line", "extra_field", "not_utf8", "unclosed_quote", "swallowed_line", "swallowed_lines",
        "too_far", "stray_quote", "missing_key", "missing_value",
        "bad_type", "not_allowed", "out_of_range", "time_order", "duplicate_row", "older_row", "resent_row",
        "unknown_id", "line_break", "late_row", "drift",
    }  # fmt: skip
    assert set(damage["outcome"]) == {"quarantined", "duplicate", "orphan", "accepted", "drift"}


def test_a_later_row_wins_over_an_older_one_of_its_key(tmp_path: Path) -> None:
    write(World(customers=400, days=120), tmp_path / "clean")
    write(World(customers=400, days=120), tmp_path / "w", dirt=0.4)
    damage = _truth(tmp_path / "w", "damage").query("feed == 'products' and kind == 'older_row'")
    lines = (tmp_path / "w" / "products.csv").read_bytes().split(b"\n")
    right = set((tmp_path / "clean" / "products.csv").read_bytes().split(b"\n"))
    assert len(damage) > 3
    for older in (lines[line - 1] for line in damage["line"]):
        later = [line for line in lines if line.startswith(older.split(b",")[0] + b",")]
        assert later[0] == older
        assert later[1] in right - {older}


def test_drift_loses_no_value_and_is_reported(tmp_path: Path) -> None:
    write(World(customers=400, days=120), tmp_path / "w", dirt=0.2)
    late = pd.read_csv(tmp_path / "w" / "touches" / "2-late.csv", dtype=str)
    assert list(late)[-2:] == ["touch_id", "export_version"]
    _, _, reports = _loaded(tmp_path / "w")
    assert "touches/2-late.csv: column(s) export_version left out, touches has none such" in reports["touches"].notes


def test_the_truth_beside_the_damage_stays_clean(tmp_path: Path) -> None:
    write(World(customers=100, days=60), tmp_path / "clean")
    write(World(customers=100, days=60), tmp_path / "w", dirt=0.5)
    for path in (tmp_path / "clean" / "truth").iterdir():
        assert (tmp_path / "w" / "truth" / path.name).read_bytes() == path.read_bytes()


def test_the_same_seed_damages_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(World(customers=100, days=60, seed=seed), tmp_path / name, dirt=0.3)
        files = sorted(path for path in (tmp_path / name).rglob("*.csv"))
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(("kind", "rate"), [("parquet", 0.1), ("csv", 0.6), ("csv", -0.1)])
def test_other_formats_and_rates_are_refused(tmp_path: Path, kind: str, rate: float) -> None:
    with pytest.raises(UsageError, match="is not made"):
        write(World(customers=100, days=60), tmp_path / "w", kind, dirt=rate)
