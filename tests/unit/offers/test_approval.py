"""A plan is approved once, for those who still consent, and the next run knows what was sent."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from o2o_mining.core.errors import HomeError, UsageError
from o2o_mining.engine.home import Home
from o2o_mining.engine.portable import drawn
from o2o_mining.exports import standing_offers
from o2o_mining.offers import Approved, approve
from tests.unit.offers.shop import DAY, NOBODY_HELD_OUT, fill, planned, rows_of, shop

HALF = replace(NOBODY_HELD_OUT, campaign_holdout_share=0.5)


def _mint(ids: Sequence[str], days: Sequence[date]) -> list[str]:
    return [f"{one[:6]}-{day}" for one, day in zip(ids, days, strict=True)]


def _approve(home: Home, **options: Any) -> list[Approved]:
    return approve(home, approved_by="mei", **{"mint": _mint, "settings": HALF, **options})


def _read(home: Home, file: str) -> list[dict[str, str]]:
    with (home.path / file).open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def _published(place: Path, **tables: Any) -> Path:
    engine = shop(**tables)
    planned(engine, HALF)
    engine.publish(place / "snapshots", inputs=[], now=DAY, keep=5, run_id="test")
    engine.close()
    return place


@pytest.fixture(scope="module")
def planned_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a plan, to be copied: publishing takes longer than all the rest."""
    return _published(tmp_path_factory.mktemp("planned"))


@pytest.fixture
def home(planned_home: Path, tmp_path: Path) -> Iterator[Home]:
    shutil.copytree(planned_home, tmp_path / "home")
    opened = Home(tmp_path / "home")
    yield opened
    opened.close()


def test_what_is_sent_and_whom_it_is_compared_with_are_written_as_feeds(home: Home) -> None:
    (done,) = _approve(home)
    planned_for = home.table("targeted_offers").customer_id.execute().tolist()
    assignments, sends = (_read(home, file) for file in done.files)
    assert [file.rsplit("/", 1)[0] for file in done.files] == ["landing/assignments", "landing/sends"]
    arms = {row["customer_id"]: row["arm"] for row in assignments}
    assert [who for who, arm in arms.items() if arm == "treatment"] == sorted(planned_for)
    held = home.table("offer_holdouts").execute().query("would_be_sent")["customer_id"]
    assert [who for who, arm in arms.items() if arm == "control"] == sorted(held)
    assert (done.sent, done.control) == (len(planned_for), len(held))
    assert done.control > 0
    assert sorted(row["customer_id"] for row in sends) == sorted(planned_for)
    assert {row["sent_at"] for row in sends} == {"2026-05-01 00:00:00"}
    # Good for ten days, and the campaign runs for fourteen.
    assert {row["tracking_code"].split("-", 1)[1] for row in sends} == {"2026-05-11"}
    assert len({row["send_id"] for row in sends}) == len(sends)
    log = json.loads((home.path / "approvals.jsonl").read_text())
    assert (log["approved_by"], log["campaign_id"], log["snapshot"]) == ("mei", "spring", home.manifest["snapshot"])


def test_approving_again_writes_nothing(home: Home) -> None:
    (first,) = _approve(home)
    before = {path: path.stat().st_mtime_ns for path in home.path.rglob("*") if path.is_file()}
    (again,) = _approve(home)
    assert (again.files, again.approved_at, again.sent) == ((), first.approved_at, first.sent)
    assert {path: path.stat().st_mtime_ns for path in home.path.rglob("*") if path.is_file()} == before


_ANOTHER = """
import sys
from pathlib import Path
from o2o_mining.core.settings import Settings
from o2o_mining.engine.home import Home
from o2o_mining.offers import approve

print("ready", flush=True)
home = Home(Path(sys.argv[1]))
(done,) = approve(home, mint=lambda ids, days: ids, settings=Settings(global_holdout_share=0), approved_by="portal")
print(len(done.files), done.sent)
"""


def test_of_two_processes_that_approve_at_once_one_writes_and_the_other_finds_it_done(home: Home) -> None:
    command = [sys.executable, "-c", _ANOTHER, str(home.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603 - ours
        assert other.stdout

        def mint(ids: Sequence[str], days: Sequence[date]) -> list[str]:
            """Come to the other process while this one has read the log and not yet written to it."""
            assert other.stdout
            assert other.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(1)
            return _mint(ids, days)

        (done,) = _approve(home, mint=mint)
        assert other.stdout.readline() == f"0 {done.sent}\n"
    (entry,) = [json.loads(line) for line in (home.path / "approvals.jsonl").read_text().splitlines()]
    assert entry["approved_by"] == "mei"
    assert len(_read(home, done.files[1])) == done.sent


def test_whoever_withdrew_after_the_plan_was_made_is_left_out(home: Home, tmp_path: Path) -> None:
    who = home.table("targeted_offers").customer_id.execute().min()
    word = {"customer_id": who, "purpose": "marketing", "changed_at": datetime(2026, 5, 1, 8), "granted": False}
    home = Home(_published(tmp_path / "withdrawn", consents=[word]))
    (done,) = _approve(home)
    assert done.withdrawn == 1
    assignments, sends = (_read(home, file) for file in done.files)
    assert who not in {row["customer_id"] for row in [*assignments, *sends]}


def test_whoever_refused_profiling_after_the_plan_was_made_is_left_out(home: Home, tmp_path: Path) -> None:
    sent = home.table("targeted_offers").customer_id.execute().min()
    held = home.table("offer_holdouts").filter(lambda t: t.would_be_sent).customer_id.execute()
    late = {"purpose": "profiling", "changed_at": datetime(2026, 5, 1, 8), "granted": False}
    words = [late | {"customer_id": who} for who in (sent, held.min())]
    home = Home(_published(tmp_path / "refused", consents=words))
    (done,) = _approve(home)
    assert (done.withdrawn, done.profiling_refused, done.held_out) == (0, 1, 0)
    assert done.control == len(held) - 1
    assignments, sends = (_read(home, file) for file in done.files)
    assert not {sent, held.min()} & {row["customer_id"] for row in [*assignments, *sends]}


def test_whom_the_settings_of_today_hold_out_is_sent_nothing_and_lists_agree(home: Home) -> None:
    raised = replace(HALF, global_holdout_share=0.5)
    offered = home.table("targeted_offers")
    out = drawn(offered.customer_id, salt=raised.holdout_salt, share=0.5)
    held = set(offered.filter(out).customer_id.execute())
    (done,) = _approve(home, settings=raised)
    assert 0 < len(held) == done.held_out
    assert (done.withdrawn, done.profiling_refused) == (0, 0)
    assignments, sends = (_read(home, file) for file in done.files)
    assert not held & {row["customer_id"] for row in [*assignments, *sends]}
    listed = standing_offers(home, settings=raised, as_of=DAY).customer_id.execute()
    assert {row["customer_id"] for row in sends} == set(listed)
    log = json.loads((home.path / "approvals.jsonl").read_text())
    assert (log["held_out"], log["profiling_refused"]) == (len(held), 0)
    assert _approve(home, settings=raised)[0].held_out == len(held)


@pytest.mark.parametrize(
    ("ends_at", "last_day"),
    [
        (datetime(2026, 5, 8), "2026-05-07"),
        (datetime(2026, 5, 8, 0, 0, 1), "2026-05-08"),
        (datetime(2026, 5, 8, 18), "2026-05-08"),
    ],
)
def test_a_code_is_good_no_longer_than_its_coupon(tmp_path: Path, ends_at: datetime, last_day: str) -> None:
    coupon = {
        "coupon_id": "k", "merchant_id": "tea", "campaign_id": "spring", "kind": "fixed", "discount": 5.0,
        "valid_days": 10, "starts_at": datetime(2026, 5, 1), "ends_at": ends_at,
    }  # fmt: skip
    home = Home(_published(tmp_path / "short", coupons=[coupon]))
    (done,) = _approve(home)
    sends = _read(home, done.files[1])
    assert {row["tracking_code"].split("-", 1)[1] for row in sends} == {last_day}


def test_a_plan_older_than_an_approved_one_is_refused(home: Home) -> None:
    later = {"as_of": "2026-05-02", "campaign_id": "summer", "files": ["landing/sends/plan-2026-05-02-summer.csv"]}
    (home.path / "approvals.jsonl").write_text(json.dumps(later) + "\n")
    home.manifest["inputs"] = [{"feed": "sends", "file": later["files"][0], "sha256": "0"}]
    with pytest.raises(HomeError, match=r"the plan of 2026-05-01 is older than that of 2026-05-02, which was approved"):
        _approve(home)
    assert not (home.path / "landing").exists()


def test_a_plan_that_does_not_know_the_latest_days_is_refused(home: Home) -> None:
    home.manifest["now"] = str(DAY + timedelta(days=1))
    with pytest.raises(HomeError, match=r"the plan of 2026-05-01 is stale: the log goes on until 2026-05-02"):
        _approve(home)


def test_a_plan_that_does_not_know_of_an_earlier_approval_is_refused(home: Home) -> None:
    earlier = {"as_of": "2026-04-30", "campaign_id": "winter", "files": ["landing/sends/plan-2026-04-30-winter.csv"]}
    (home.path / "approvals.jsonl").write_text(json.dumps(earlier) + "\n")
    with pytest.raises(HomeError, match="does not know that the plan of 2026-04-30 was approved"):
        _approve(home)
    home.manifest["inputs"] = [{"feed": "sends", "file": earlier["files"][0], "sha256": "0"}]
    assert _approve(home)[0].sent > 0


def test_campaigns_and_days_without_a_plan_are_refused(home: Home) -> None:
    with pytest.raises(UsageError, match=r"the plan of 2026-05-01 has no campaign summer. Next: use one of spring"):
        _approve(home, campaigns=["summer"])
    with pytest.raises(UsageError, match="there is no plan of 2026-04-01"):
        _approve(home, as_of=date(2026, 4, 1))


def test_the_next_plan_asks_nobody_again_and_knows_the_arms(home: Home) -> None:
    (done,) = _approve(home)
    assignments, sends = (_read(home, file) for file in done.files)
    engine = shop()
    for name, rows, at in (("assignments", assignments, "assigned_at"), ("sends", sends, "sent_at")):
        fill(engine, name, [row | {at: datetime(2026, 4, 28)} for row in rows])
    planned(engine, HALF)
    asked = {row["customer_id"] for row in assignments}
    assert not asked & set(rows_of(engine, "targeted_offers")["customer_id"])
    reasons = rows_of(engine, "offer_exclusions").set_index("customer_id")["reason_code"]
    assert set(reasons[[row["customer_id"] for row in sends]]) <= {"fatigue", "not_eligible"}
    held = rows_of(engine, "offer_holdouts").set_index("customer_id")["would_be_sent"]
    assert not held[[row["customer_id"] for row in assignments if row["arm"] == "control"]].any()
