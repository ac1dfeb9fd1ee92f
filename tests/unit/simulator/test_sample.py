"""The sample is what the simulator makes of its manifest, byte for byte, and fit to be everybody's first world."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from o2o_mining.core.sample import SAMPLE
from o2o_mining.simulator import World, write
from o2o_mining.simulator.writing import MANIFEST

DEFAULT_DAY = date(2025, 6, 24)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def manifest() -> dict[str, object]:
    content: dict[str, object] = json.loads((SAMPLE / MANIFEST).read_text(encoding="utf-8"))
    return content


def test_the_sample_is_made_again_byte_for_byte(tmp_path: Path, manifest: dict[str, object]) -> None:
    arguments = {name: manifest[name] for name in ("customers", "days", "scenario", "seed")}
    write(World(**arguments), tmp_path / "again", str(manifest["format"]))  # type: ignore[arg-type]
    assert _digests(tmp_path / "again") == _digests(SAMPLE)


def test_the_manifest_knows_every_file_by_its_rows_and_bytes(manifest: dict[str, object]) -> None:
    files = manifest["files"]
    assert isinstance(files, dict)
    assert {name: about["sha256"] for name, about in files.items()} | {MANIFEST: ""} == (
        _digests(SAMPLE) | {MANIFEST: ""}
    )
    for name, about in files.items():
        assert len((SAMPLE / name).read_text(encoding="utf-8").splitlines()) == about["rows"] + 1


def test_the_sample_is_two_thousand_customers_and_eighteen_months_in_less_than_five_megabytes() -> None:
    assert len(pd.read_csv(SAMPLE / "customers.csv")) == 2_000
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 5_000_000


def test_campaigns_are_running_on_the_default_day_and_some_have_asked_nobody_yet() -> None:
    campaigns = pd.read_csv(SAMPLE / "campaigns.csv", parse_dates=["starts_at", "ends_at"])
    last = pd.read_csv(SAMPLE / "offline_redemptions.csv", parse_dates=["redeemed_at"])["redeemed_at"].max()
    assert last.date() == DEFAULT_DAY.replace(day=DEFAULT_DAY.day - 1)
    day = pd.Timestamp(DEFAULT_DAY)
    running = campaigns[(campaigns["starts_at"] <= day) & (campaigns["ends_at"] > day)]
    assert len(running) == 4
    touched = pd.read_csv(SAMPLE / "touches.csv")["campaign_id"]
    assert running["campaign_id"].isin(touched).sum() == 1
    coupons = pd.read_csv(SAMPLE / "coupons.csv")
    assert running["campaign_id"].isin(coupons["campaign_id"]).all()
