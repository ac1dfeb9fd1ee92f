"""Late rows and corrections change what they must, and what was told before is kept beside what is told now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import o2o_mining
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.simulator import World, write
from pipelines.execution import Outcome
from tests.scenarios.conftest import FEW_ROOMS, Run, miner, published

# What they share is made once.
pytestmark = pytest.mark.xdist_group("restatements")

Again = Callable[[], Outcome]
ORDERS = "order_id,customer_id,merchant_id,ordered_at,paid_amount,status,refunded_at,refunded_amount\n"
TOUCHES = "touch_id,customer_id,touched_at,channel,action\n"
FIRST = {
    "online_orders": ORDERS
    + "o1,ann,m1,2024-03-01 10:00:00,50.00,paid,,\n"
    + "o2,bob,m1,2024-03-05 10:00:00,30.00,paid,,\n"
    + "o3,cleo,m1,2024-03-09 10:00:00,20.00,paid,,\n",
    "touches": TOUCHES + "t1,ann,2024-02-28 10:00:00,search,click\n",
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the first run, to be read only; the folder ``in`` lies beside its home."""
    place = tmp_path_factory.mktemp("first")
    (place / "in").mkdir()
    for feed, text in FIRST.items():
        (place / "in" / f"{feed}.csv").write_text(text)
    return miner(place, FEW_ROOMS)(place / "in")


@pytest.fixture
def home(first: Outcome, tmp_path: Path) -> Outcome:
    """Return the first run with a home that is the test's own."""
    shutil.copytree(first.home, tmp_path / "home")
    return replace(first, home=tmp_path / "home")


@pytest.fixture
def again(first: Outcome, mine_few: Run) -> Again:
    """Return how the home is run again."""
    return lambda: mine_few(first.home.parent / "in")


def _land(outcome: Outcome, feed: str, name: str, text: str) -> None:
    folder = outcome.home / "landing" / feed
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text(text)


def _restated(outcome: Outcome, table: str) -> dict[tuple[str, str], tuple[object, object, str]]:
    rows = o2o_mining.load("restatements", as_of=outcome.as_of, home=outcome.home)
    rows = rows[rows["table"] == table].astype(object).where(lambda t: t.notna(), None)
    columns = (rows[name].tolist() for name in ("key", "column", "old", "new", "cause"))
    return {(key, column): (old, new, cause) for key, column, old, new, cause in zip(*columns, strict=True)}


def test_nothing_is_restated_by_a_first_run_nor_by_a_second_one(home: Outcome, again: Again) -> None:
    assert o2o_mining.load("restatements", home=home.home).empty
    assert again().snapshot == home.snapshot


def test_a_late_refund_is_told_with_old_and_new(home: Outcome, again: Again) -> None:
    _land(
        home, "online_orders", "1", ORDERS + "o2,bob,m1,2024-03-05 10:00:00,30.00,refunded,2024-03-06 09:00:00,12.00\n"
    )
    after = again()
    told = _restated(after, "purchases")
    assert told == {
        ("o:o2", "refunded_at"): (None, "2024-03-06 09:00:00", "refund"),
        ("o:o2", "refunded_amount"): ("0.00", "12.00", "refund"),
        ("o:o2", "net_amount"): ("30.00", "18.00", "refund"),
    }
    ledger = _restated(after, "attribution_ledger")
    assert {cause for *_, cause in ledger.values()} == {"late_row"}
    assert len(ledger) == 7  # one refund row for each model, none touched otherwise


def test_a_refund_on_its_day_is_no_restatement(home: Outcome, again: Again) -> None:
    text = "o2,bob,m1,2024-03-05 10:00:00,30.00,refunded,2024-03-11 09:00:00,12.00\n"
    _land(home, "online_orders", "1", ORDERS + text + "o4,bob,m1,2024-03-12 10:00:00,5.00,paid,,\n")
    after = again()
    assert after.as_of == date(2024, 3, 13)
    assert o2o_mining.load("restatements", home=after.home).empty
    purchases = o2o_mining.load("purchases", home=after.home).set_index("purchase_id")
    assert purchases.loc["o:o2", "net_amount"] == Decimal("18.00")


def test_a_late_touch_changes_the_journey_and_the_credit_of_one_purchase(home: Outcome, again: Again) -> None:
    _land(home, "touches", "1", TOUCHES + "t2,bob,2024-03-04 10:00:00,social,click\n")
    after = again()
    journeys = _restated(after, "journeys")
    assert {key for key, _ in journeys} == {"o:o2"}
    assert journeys["o:o2", "path"] == ("direct", "social", "touch")
    assert journeys["o:o2", "n_touches"] == ("0", "1", "touch")
    assert not _restated(after, "purchases")


def test_a_corrected_amount_and_a_late_purchase_are_told(home: Outcome, again: Again) -> None:
    late = "o0,dan,m1,2024-03-02 10:00:00,7.00,paid,,\n"
    _land(home, "online_orders", "1", ORDERS + "o1,ann,m1,2024-03-01 10:00:00,55.00,paid,,\n" + late)
    after = again()
    told = _restated(after, "purchases")
    assert told["o:o1", "paid_amount"] == ("50.00", "55.00", "correction")
    assert told["o:o0", "(row)"] == (None, "present", "late_row")
    assert {key for key, _ in told} == {"o:o0", "o:o1"}
    (page,) = (after.home / "charts").glob("restatements-*-old_and_new.html")
    assert "Net revenue of restated purchases: +12.00 on 2 days" in page.read_text(encoding="utf-8")
    # By each of the seven models: the cents of o1, which its touch t1 had and has, and the late purchase's.
    ledger = _restated(after, "attribution_ledger")
    assert {about for (key, _), about in ledger.items() if ":o:o1:" in key} == {("50.00", "55.00", "correction")}
    assert {key for key, _ in ledger} == {f"{m}:credit:{row}" for m in TOUCH_MODELS for row in ("o:o1:t1", "o:o0:")}


def test_a_late_purchase_takes_the_touch_of_another_and_the_ledger_tells_both(home: Outcome, again: Again) -> None:
    late = "o0,ann,m1,2024-02-29 10:00:00,7.00,refunded,2024-03-02 10:00:00,2.00\n"
    _land(home, "online_orders", "1", ORDERS + late)
    after = again()
    ledger = _restated(after, "attribution_ledger")
    came, went = (None, "present", "late_row"), ("present", None, "withdrawn")
    # t1 serves the first purchase after it, which now is o0: o1 is left without a touch, and goes to direct.
    for model in TOUCH_MODELS:
        assert ledger.pop((f"{model}:credit:o:o0:t1", "(row)")) == came
        assert ledger.pop((f"{model}:refund:o:o0:t1", "(row)")) == came
        assert ledger.pop((f"{model}:credit:o:o1:t1", "(row)")) == went
        assert ledger.pop((f"{model}:credit:o:o1:", "(row)")) == came
    assert ledger == {}
    entries = o2o_mining.load("attribution_ledger", home=after.home)
    linear = entries[entries["model"] == "linear"].groupby(["purchase_id", "channel"])["amount"].sum()
    assert linear["o:o0", "search"] == Decimal("5.00")
    assert linear["o:o1", "direct"] == Decimal("50.00")


def test_two_corrections_of_one_day_tell_the_first_old_and_the_last_new(home: Outcome, again: Again) -> None:
    for number, amount in (("1", "55.00"), ("2", "60.00")):
        _land(home, "online_orders", number, ORDERS + f"o1,ann,m1,2024-03-01 10:00:00,{amount},paid,,\n")
        after = again()
    assert _restated(after, "purchases")["o:o1", "paid_amount"] == ("50.00", "60.00", "correction")
    _land(home, "online_orders", "3", ORDERS + "o1,ann,m1,2024-03-01 10:00:00,50.00,paid,,\n")
    assert not _restated(again(), "purchases")


def test_late_rows_change_nothing_but_what_hangs_on_them(mine_few: Run, tmp_path: Path) -> None:
    write(World(300, 120), tmp_path / "world")
    redemptions = pd.read_csv(tmp_path / "world" / "offline_redemptions.csv", dtype=str)
    late = redemptions[redemptions["order_id"].isna()].iloc[[40]]
    redemptions.drop(index=late.index).to_csv(tmp_path / "world" / "offline_redemptions.csv", index=False)
    before = mine_few(tmp_path / "world")
    (before.home / "landing").mkdir(exist_ok=True)
    late.to_csv(before.home / "landing" / "offline_redemptions.csv", index=False)
    after = mine_few(tmp_path / "world")
    told = o2o_mining.load("restatements", home=after.home)
    customer, purchase = late["customer_id"].iloc[0], f"r:{late['redemption_id'].iloc[0]}"
    purchases = told[told["table"] == "purchases"]
    assert purchases[["key", "column", "cause"]].to_numpy().tolist() == [[purchase, "(row)", "late_row"]]
    journeys = o2o_mining.load("journeys", home=after.home).set_index("journey_id")["customer_id"]
    touched = told[(told["table"] == "journeys") & told["key"].isin(journeys.index)]["key"]
    assert set(journeys[touched]) <= {customer}
    untouched = {name for name, _ in published(before)} - {
        "purchases", "journeys", "journey_touches", "attribution_ledger", "customer_features", "segments",
        "segment_profiles", "campaign_attribution", "restatements", "offline_redemptions", "data_quality",
        "coupon_lifecycle",
    }  # fmt: skip
    same = {key: value for key, value in published(before).items() if key[0] in untouched}
    assert same == {key: value for key, value in published(after).items() if key[0] in untouched}


def test_a_late_purchase_of_the_last_weeks_is_a_late_journey_too(home: Outcome, again: Again) -> None:
    _land(home, "online_orders", "1", ORDERS + "o9,dan,m1,2024-03-08 10:00:00,5.00,paid,,\n")
    after = again()
    assert _restated(after, "journeys") == {("o:o9", "(row)"): (None, "present", "late_row")}
