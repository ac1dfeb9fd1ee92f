"""A folder in the format of the feeds page, made by somebody else, runs as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import o2o_mining
from o2o_mining.cli import main
from o2o_mining.core.errors import HomeError, O2OError, UsageError, WarehouseBusyError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.warehouse import Origin, open_warehouse
from o2o_mining.simulator import evaluate
from pipelines.execution import Outcome
from tests.scenarios.conftest import FIRST_PARTITION, Run, published
from tests.scenarios.feeds import write

# What they share is made once.
pytestmark = pytest.mark.xdist_group("folder")


def test_the_whole_job_gives_the_tables_worked_out_by_hand(shop: Outcome) -> None:
    assert shop.as_of == date(2024, 3, 21)

    purchases = o2o_mining.load("purchases", home=shop.home).set_index("purchase_id")
    assert sorted(purchases.index) == ["o:o1", "o:o2", "o:o3", "r:r2", "r:r3"]
    assert purchases.loc["o:o1", "redemption_id"] == "r1"
    assert purchases.loc["o:o1", "net_amount"] == Decimal("50.00")
    assert purchases.loc["o:o1", "campaign_id"] == "spring"
    assert purchases.loc["o:o2", "net_amount"] == Decimal("60.00")

    journeys = o2o_mining.load("journeys", home=shop.home).set_index("journey_id")
    assert journeys.loc["o:o1", "path"] == "social > search > map"
    assert journeys.loc["o:o2", "path"] == "search"
    assert journeys.loc["r:r2", "path"] == "direct"
    assert journeys.loc["n:t5", "converted"] == False  # noqa: E712
    assert "o:o3" not in journeys.index

    coupons = o2o_mining.load("coupon_lifecycle", home=shop.home).set_index("receipt_id")
    assert coupons["state"].to_dict() == {"rc1": "redeemed", "rc2": "expired"}

    segments = o2o_mining.load("segments", home=shop.home).set_index("customer_id")
    assert segments["frequency"].to_dict() == {"ann": 1, "bob": 1, "cleo": 2}
    assert segments.loc["cleo", "monetary"] == Decimal("20.00")
    assert segments.loc["cleo", "recency_days"] == 1
    assert segments.loc["ann", "recency_days"] == 17


def test_attribution_adds_up_to_all_net_revenue_and_shows_what_spent_without_earning(shop: Outcome) -> None:
    table = o2o_mining.load("campaign_attribution", home=shop.home)
    everything = table[(table["window_start"].astype(str) == "1970-01-01")]
    channels = everything[everything["level"] == "channel"]
    for model, rows in channels.groupby("model"):
        assert rows["net_revenue"].sum() == Decimal("130.00"), model  # 50 + 60 + 12.30 + 7.70
        assert rows["conversions"].sum() == pytest.approx(4), model
    linear = channels[channels["model"] == "linear"].set_index("id")
    assert linear.loc["social", "revenue"] == Decimal("16.66")  # 50.00 / 3, the odd cents to the later touches
    assert linear.loc["social", "cost"] == Decimal("30.00")
    campaigns = everything[(everything["level"] == "campaign") & (everything["model"] == "last")].set_index("id")
    assert campaigns.loc["idle", "roas"] == 0.0
    assert campaigns.loc["idle", "cost"] == Decimal("5.00")

    ledger = o2o_mining.load("attribution_ledger", home=shop.home)
    credited = ledger.groupby(["model", "channel"])["amount"].sum()
    touch_level = channels[channels["model"].isin(set(ledger["model"]))]  # markov and shapley have no rows a purchase
    assert set(channels["model"]) - set(touch_level["model"]) == {"markov", "shapley"}
    for row in touch_level.itertuples():
        assert credited.get((row.model, row.id), Decimal(0)) == row.net_revenue


def test_nothing_but_offline_redemptions_runs_and_says_what_is_missing(visits: Outcome) -> None:
    notes = {note for report in visits.reports.values() for note in report.notes}
    assert "no feed touches" in notes
    assert "no feed customers" in notes
    assert len(o2o_mining.load("purchases", home=visits.home)) == 3
    assert set(o2o_mining.load("segments", home=visits.home)["customer_id"]) == {"ann", "cleo"}
    quality = o2o_mining.load("data_quality", home=visits.home).set_index("feed")
    assert quality.loc["offline_redemptions", "orphans"] == 0
    attribution = o2o_mining.load("campaign_attribution", home=visits.home)
    assert set(attribution[attribution["level"] == "channel"]["id"]) == {"direct"}
    assert attribution["cost"].isna().all()


def test_an_empty_folder_runs_and_publishes_empty_tables(mine: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outcome = mine(tmp_path / "in")
    assert outcome.as_of is None
    purchases = o2o_mining.load("purchases", home=outcome.home)
    assert purchases.empty
    assert "net_amount" in purchases.columns
    assert o2o_mining.load("segments", home=outcome.home).empty


def test_customers_without_any_purchase_run_too(mine_few: Run, tmp_path: Path) -> None:
    outcome = mine_few(write(tmp_path / "in", "customers"), as_of=date(2024, 3, 1))
    segments = o2o_mining.load("segments", home=outcome.home)
    assert segments["customer_id"].tolist() == ["ann", "bob", "cleo"]  # dan joins later
    assert segments["frequency"].tolist() == [0, 0, 0]
    assert segments["segment_code"].isna().all()


def test_without_any_order_the_day_of_the_run_is_the_present_of_journeys_and_coupons(
    mine_few: Run, tmp_path: Path
) -> None:
    folder = write(tmp_path / "in", "touches", "coupon_receipts", "coupons")
    outcome = mine_few(folder, as_of=date(2024, 3, 20))
    assert outcome.reports["known_journeys"].rows == 1
    journeys = o2o_mining.load("journeys", home=outcome.home)
    assert journeys["journey_id"].tolist() == ["n:t5"]  # the others are younger than the lookback
    states = o2o_mining.load("coupon_lifecycle", home=outcome.home).set_index("receipt_id")["state"]
    assert states.to_dict() == {"rc1": "expired", "rc2": "expired"}  # 14 days after 2024-03-01
    later = mine_few(folder, as_of=datetime.now(UTC).date() + timedelta(days=1))  # the last day that can be run
    assert len(o2o_mining.load("journeys", home=later.home)) == 3
    nothing = mine_few(folder, home="no-day")
    assert nothing.as_of is None
    assert o2o_mining.load("journeys", home=nothing.home).empty


def test_files_of_other_names_are_reported_and_ignored(visits: Outcome) -> None:
    assert visits.ignored == ("notes.txt", "orders.csv")


def test_the_published_customers_hold_no_contact_data(shop: Outcome) -> None:
    customers = o2o_mining.load("customers", home=shop.home)
    assert not {"phone", "email", "home_lat", "home_lon"} & set(customers.columns)
    contacts = o2o_mining.load("customer_contacts", home=shop.home).set_index("customer_id")
    assert contacts.loc["ann", "email"] == "ann@example.com"
    assert "cleo" not in contacts.index


def test_running_twice_and_in_another_home_gives_the_same_bytes(shop: Outcome, mine: Run, tmp_path: Path) -> None:
    folder = shop.home.parent / "in"
    shutil.copytree(shop.home, tmp_path / "home")
    again = mine(folder)
    elsewhere = mine(folder, home="other/home")
    assert published(shop) == published(again) == published(elsewhere)
    assert shop.snapshot == again.snapshot == elsewhere.snapshot


def test_the_order_of_rows_does_not_matter(shop: Outcome, mine: Run, tmp_path: Path) -> None:
    for path in write(tmp_path / "reversed").glob("*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([header, *reversed(rows)]) + "\n", encoding="utf-8")
    assert published(mine(tmp_path / "reversed")) == published(shop)


def test_a_backfill_of_three_dates_equals_three_separate_runs(
    shop: Outcome, early: Outcome, mine: Run, tmp_path: Path
) -> None:
    folder, day = shop.home.parent / "in", date(2024, 3, 9)
    shutil.copytree(shop.home, tmp_path / "home")
    mine(folder, as_of=day)
    together = published(mine(folder, as_of=early.as_of))
    for separate in (early, mine(folder, home="alone", as_of=day), shop):
        alone = published(separate)
        slices = {key: sha for key, sha in alone.items() if key[1] is not None}
        assert {key[1] for key in slices} == {str(separate.as_of)}
        assert all(together[key] == sha for key, sha in slices.items())


def test_a_slice_knows_nothing_of_what_came_later(early: Outcome) -> None:
    segments = o2o_mining.load("segments", as_of=early.as_of, home=early.home).set_index("customer_id")
    assert segments["frequency"].to_dict() == {"ann": 1, "bob": 2, "cleo": 0}
    assert segments.loc["bob", "monetary"] == Decimal("160.00")


def test_a_late_refund_changes_the_next_run_and_the_ledger(shop: Outcome, mine_few: Run, tmp_path: Path) -> None:
    shutil.copytree(shop.home, tmp_path / "home")
    (tmp_path / "home" / "landing" / "offline_redemptions.csv").write_text(
        "redemption_id,customer_id,merchant_id,store_id,redeemed_at,list_amount,paid_amount,refunded_at\n"
        "r2,cleo,noodle,s1,2024-03-08 18:00:00,12.30,12.30,2024-03-19 10:00:00\n"
    )
    after = mine_few(shop.home.parent / "in")
    ledger = o2o_mining.load("attribution_ledger", home=after.home)
    refunds = ledger[(ledger["purchase_id"] == "r:r2") & (ledger["kind"] == "refund") & (ledger["model"] == "last")]
    assert refunds["amount"].tolist() == [Decimal("-12.30")]
    assert refunds["credited_at"].tolist() == [pd.Timestamp("2024-03-19 10:00:00")]
    quality = o2o_mining.load("data_quality", home=after.home).set_index("file")
    assert quality.loc["landing/offline_redemptions.csv", "rows_accepted"] == 1
    assert quality.loc["offline_redemptions.csv", "rows_accepted"] == 3


def test_a_day_outside_the_partitions_is_refused_and_names_the_setting(mine_few: Run, tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    with pytest.raises(O2OError, match="first_partition"):
        mine_few(folder, as_of=FIRST_PARTITION - timedelta(days=1))
    with pytest.raises(O2OError, match="tomorrow"):
        mine_few(folder, as_of=datetime.now(UTC).date() + timedelta(days=2))


def test_a_home_refuses_another_folder(visits: Outcome, mine_few: Run, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="holds the source folder"):
        mine_few(write(tmp_path / "elsewhere", "offline_redemptions"), home=str(visits.home))


def test_a_second_run_at_once_is_told_who_holds_the_warehouse(mine_few: Run, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", "offline_redemptions")
    with (
        open_warehouse(tmp_path / "home", Origin("folder", str(folder), Settings())),
        pytest.raises(WarehouseBusyError, match="held by process"),
    ):
        mine_few(folder)


def test_the_command_prints_what_came_out_and_exits_with_0(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", "offline_redemptions")
    command = [sys.executable, "-m", "o2o_mining.cli", "run", "--source", "folder", "--input", str(folder)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "as of 2024-03-21" in done.stdout
    assert "touches" in done.stdout.split("Not given")[1]
    assert (tmp_path / "var" / "folder" / "snapshots" / "current.json").exists()
    assert (tmp_path / "var" / "dagster" / "history").exists()


def test_a_home_without_truth_is_told_how_to_get_one(visits: Outcome) -> None:
    with pytest.raises(UsageError, match="came without truth"):
        evaluate(visits.home)
    assert CliRunner().invoke(main, ["evaluate", "--home", str(visits.home)]).exit_code == 2
