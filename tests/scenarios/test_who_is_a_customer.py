"""Who counts as a customer, with the feed customers and without it, is the same for every room."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import o2o_mining
from pipelines.execution import Outcome
from tests.scenarios.conftest import Run
from tests.scenarios.feeds import write

DAY = date(2024, 3, 21)
# One feed a person, and each of them also names somebody on the day itself, who is not known yet.
SEEN_IN = {
    "assignments": "campaign_id,customer_id,arm,assigned_at\nspring,{who},control,{at}\n",
    "consents": "customer_id,purpose,changed_at,granted\n{who},marketing,{at},true\n",
    "coupon_receipts": "receipt_id,customer_id,coupon_id,received_at\n{who},{who},ten,{at}\n",
    "coupon_redemptions": "coupon_redemption_id,customer_id,coupon_id,redeemed_at\n{who},{who},ten,{at}\n",
    "online_orders": (
        "order_id,customer_id,merchant_id,ordered_at,status,cancelled_at\n{who},{who},noodle,{at},cancelled,{at}\n"
    ),
    "reviews": ("review_id,customer_id,merchant_id,reviewed_at,rating,is_complaint\n{who},{who},noodle,{at},5,false\n"),
    "sends": "send_id,campaign_id,customer_id,channel,sent_at\n{who},spring,{who},sms,{at}\n",
    "touches": "touch_id,customer_id,touched_at,channel,action\n{who},{who},{at},map,click\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder without customers: one visit of cleo, and one row of somebody else in every other feed."""
    made = tmp_path / "in"
    for feed, text in SEEN_IN.items():
        for number, at in enumerate(("2024-03-20 10:00:00", "2024-03-21 00:00:00"), start=1):
            (made / feed).mkdir(parents=True, exist_ok=True)
            (made / feed / f"{number}.csv").write_text(text.format(who=f"{feed}-{number}", at=at))
    visits = "redemption_id,customer_id,merchant_id,redeemed_at,paid_amount\nr1,cleo,noodle,2024-03-08 18:00:00,9.00\n"
    (made / "offline_redemptions.csv").write_text(visits)
    return made


def _listed(outcome: Outcome, table: str) -> list[str]:
    found: list[str] = o2o_mining.load(table, home=outcome.home)["customer_id"].tolist()
    return found


def test_without_customers_all_rooms_know_whoever_any_feed_named_before_the_day(mine_few: Run, folder: Path) -> None:
    outcome = mine_few(folder, as_of=DAY)
    everybody = sorted(["cleo", *(f"{feed}-1" for feed in SEEN_IN)])
    assert _listed(outcome, "segments") == _listed(outcome, "customer_features") == everybody
    assert "feed customers is missing" in outcome.reports["segments"].notes[0]
    assert "The feed customers is missing." in outcome.reports["customer_features"].notes


@pytest.mark.parametrize(
    "text", ["customer_id,birth_year\n", "customer_id,birth_year\nann,last century\n"], ids=["empty", "all rejected"]
)
def test_customers_that_were_given_but_hold_nobody_are_empty_and_not_missing(
    mine_few: Run, folder: Path, text: str
) -> None:
    (folder / "customers.csv").write_text(text)
    outcome = mine_few(folder, as_of=DAY)
    assert _listed(outcome, "segments") == _listed(outcome, "customer_features") == ["cleo"]
    assert outcome.reports["segments"].notes == ("feed customers is empty: there are no prospects",)
    assert "The feed customers is empty." in outcome.reports["customer_features"].notes


def test_with_customers_those_who_joined_before_the_day_are_known_and_nobody_else(mine_few: Run, folder: Path) -> None:
    write(folder, "customers")
    outcome = mine_few(folder, as_of=date(2024, 1, 5))
    assert _listed(outcome, "segments") == _listed(outcome, "customer_features") == ["ann"]
    assert not any("customers" in note for note in outcome.reports["segments"].notes)
