"""The plan of a small shop, from its feeds to its tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from o2o_mining.offers.eligibility import contacts
from o2o_mining.offers.steps import build_targeted_offers
from tests.unit.offers.shop import DAY, NOBODY_HELD_OUT, PEOPLE, planned, rows_of, score, shop


def excluded(**tables: Any) -> dict[str, str]:
    """Plan the shop with an ample budget, and return why customers get nothing."""
    engine = shop(campaigns=[_campaign(budget=None)], **tables)
    planned(engine)
    found = rows_of(engine, "offer_exclusions")
    return dict(zip(found["customer_id"], found["reason_code"], strict=True))


def _campaign(**more: Any) -> dict[str, Any]:
    starts, ends = datetime(2026, 5, 1), datetime(2026, 5, 15)
    return {"campaign_id": "spring", "channel": "sms", "starts_at": starts, "ends_at": ends, **more}


def test_the_offer_is_worth_what_the_three_sides_get() -> None:
    engine = shop(campaigns=[_campaign(budget=None)])
    reports = planned(engine)
    offer = rows_of(engine, "targeted_offers").iloc[0]
    # A visit is worth .6 x 40 = 24; with the coupon 5 less. 8 % come with it, 3 % without; a contact costs 6 cents.
    assert offer["value_merchant"] == pytest.approx(0.08 * (24 - 5) - 0.03 * 24 - 0.06)
    assert offer["value_customer"] == pytest.approx(0.08 * 5)
    assert offer["value_platform"] == pytest.approx(0.1 * (0.08 * 35 - 0.03 * 40))
    assert offer["expected_cost"] == pytest.approx(0.08 * 5 + 0.06)
    weighted = offer["value_merchant"] + 0.1 * offer["value_customer"] + 0.1 * offer["value_platform"]
    assert offer["expected_value"] == pytest.approx(weighted, abs=1e-6)
    assert (offer["channel"], offer["margin_basis"]) == ("sms", "merchant")
    assert offer["send_on"].date() == DAY if isinstance(offer["send_on"], datetime) else offer["send_on"] == DAY
    assert list(offer["reason_codes"])[:2] == ["uplift:5.0:3.0:7.0", "distance:850"]
    assert reports[0].rows == len(PEOPLE)
    assert "no slice of merchant_scorecards" in reports[0].notes[0]


def test_a_budget_is_spent_to_the_cent_and_no_further() -> None:
    engine = shop()
    planned(engine)
    offers = rows_of(engine, "targeted_offers")
    assert len(offers) == 6  # 6 x .46 = 2.76 of 3.00
    assert sorted(offers["rank"]) == [1, 2, 3, 4, 5, 6]
    assert set(rows_of(engine, "offer_exclusions")["reason_code"]) == {"out_of_budget"}


def test_what_the_campaign_has_cost_already_is_taken_off_its_budget() -> None:
    cost = {"campaign_id": "spring", "channel": "sms", "spent_on": date(2026, 4, 30), "cost": Decimal("2.00")}
    engine = shop(campaign_costs=[cost, cost | {"spent_on": date(2026, 5, 1)}])  # the second is not known yet
    planned(engine)
    assert len(rows_of(engine, "targeted_offers")) == 2


def test_the_last_word_on_marketing_before_the_day_decides() -> None:
    def word(who: str, granted: bool, at: datetime, purpose: str = "marketing") -> dict[str, Any]:
        return {"customer_id": who, "purpose": purpose, "changed_at": at, "granted": granted}

    april, march = datetime(2026, 4, 1), datetime(2026, 3, 1)
    customers = [{"customer_id": who, "consent_marketing": who != "c01"} for who in PEOPLE]
    customers[5]["consent_marketing"] = None  # no word at all means no
    consents = [
        word("c00", False, april), word("c01", True, march), word("c02", True, march), word("c02", False, april),
        word("c03", False, datetime(2026, 5, 1)), word("c04", False, april, "ads"),
        word("c06", True, april), word("c06", False, april, "profiling"),
    ]  # fmt: skip
    assert excluded(customers=customers, consents=consents) == dict.fromkeys(("c00", "c02", "c05"), "no_consent")


def test_who_was_contacted_too_often_or_too_lately_is_left_in_peace() -> None:
    def touch(n: int, who: str, at: datetime, **more: Any) -> dict[str, Any]:
        about = {"channel": "sms", "campaign_id": "winter", "action": "impression", "cost": Decimal("0.06")}
        return {"touch_id": f"t{n}", "customer_id": who, "touched_at": at, **about, **more}

    late, week = datetime(2026, 4, 30), datetime(2026, 4, 25)
    touches = [
        touch(0, "c00", late), touch(1, "c01", week), touch(2, "c01", week), touch(3, "c01", week),
        touch(4, "c02", week), touch(5, "c02", week), touch(6, "c03", late, action="click"),
        touch(7, "c04", late, campaign_id=None), touch(8, "c05", datetime(2026, 5, 1)),
        *(touch(10 + n, "c06", datetime(2026, 4, 10)) for n in range(8)),
    ]  # fmt: skip
    sends = [{"send_id": "s", "campaign_id": "winter", "customer_id": "c07", "channel": "sms", "sent_at": late}]
    assert excluded(touches=touches, sends=sends) == dict.fromkeys(("c00", "c01", "c06", "c07"), "fatigue")


def test_a_message_that_was_shown_is_one_contact_however_it_is_logged() -> None:
    def send(who: str, code: str | None) -> dict[str, Any]:
        about = {"campaign_id": "winter", "channel": "sms", "sent_at": week, "tracking_code": code}
        return {"send_id": f"s{who}{code}", "customer_id": who, **about}

    def touch(who: str, code: str, action: str, at: datetime, campaign: str | None = "winter") -> dict[str, Any]:
        about = {"channel": "sms", "campaign_id": campaign, "action": action, "cost": Decimal("0.06")}
        return {"touch_id": f"{code}{action}", "customer_id": who, "touched_at": at, "tracking_code": code, **about}

    week = datetime(2026, 4, 25)
    touches = [
        touch("c01", "k1", "click", week),
        touch("c02", "k2", "impression", week),
        touch("c02", "k2", "click", week),
        touch("c03", "k3", "impression", week, None),
        touch("c04", "k4", "impression", datetime(2026, 5, 2)),  # not known yet
    ]
    sends = [send(f"c0{n}", f"k{n}") for n in range(1, 5)] + [send("c05", None), send("c05", "k5")]
    engine = shop(touches=touches, sends=sends)
    made = contacts(engine.feed("touches"), engine.feed("sends"), as_of=DAY)
    found = engine.execute(made).set_index("customer_id")["in_7_days"].to_dict()
    assert found == {"c01": 1, "c02": 1, "c03": 1, "c04": 1, "c05": 2}


def test_the_report_says_that_a_plan_for_one_side_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("o2o_mining.offers.planning.better_for_all", lambda plan, others: "customer")
    note = "the plan for the customer alone is worth more to all three sides than the one by the weights and was taken"
    assert any(said.startswith(note) for said in planned(shop())[0].notes)


def test_who_was_asked_in_this_campaign_is_not_asked_again() -> None:
    april = datetime(2026, 4, 1)
    drawn = {"campaign_id": "spring", "customer_id": "c00", "arm": "control", "assigned_at": april}
    sent = {"send_id": "s", "campaign_id": "spring", "customer_id": "c01", "channel": "sms", "sent_at": april}
    received = {"receipt_id": "e", "customer_id": "c02", "coupon_id": "k", "received_at": april}
    other = drawn | {"campaign_id": "winter", "customer_id": "c03"}
    found = excluded(assignments=[drawn, other], sends=[sent], coupon_receipts=[received])
    assert found == dict.fromkeys(("c00", "c01", "c02"), "not_eligible")


def test_the_young_the_far_and_those_whom_it_puts_off_get_nothing() -> None:
    scores = [score(who) for who in PEOPLE]
    scores[1] = score("c01", distance_m=25_000.0)
    scores[2] = score("c02", distance_m=None)
    scores[3] = score("c03", uplift=-0.04, uplift_low=-0.06, uplift_high=-0.02)
    scores[4] = score("c04", uplift=0.0, uplift_low=-0.02, uplift_high=0.02)  # comes anyway
    coupon = {"coupon_id": "k", "merchant_id": "tea", "campaign_id": "spring", "kind": "fixed", "discount": 5.0}
    people = [{"customer_id": who, "consent_marketing": True, "birth_year": 1990} for who in PEOPLE]
    people[0]["birth_year"], people[5]["birth_year"] = 2015, None
    found = excluded(response_scores=scores, coupons=[coupon | {"min_age": 18}], customers=people)
    assert found == {
        "c00": "not_eligible", "c01": "not_eligible", "c03": "do_not_disturb", "c04": "no_value", "c05": "not_eligible",
    }  # fmt: skip


def _scorecard(merchant_id: str, action_code: str | None) -> dict[str, Any]:
    numbers = [
        "promise_gap", "promise_gap_low", "promise_gap_high", "refund_share", "complaint_share", "service_score",
        "cost_score", "efficiency_score", "peer_percentile", "evidence",
    ]  # fmt: skip
    words = {"category": "cafe", "band": "act", "mend_code": "wait:20", "reason_codes": [], "since_on": DAY}
    return {
        "merchant_id": merchant_id,
        "action_code": action_code,
        "peers": 1,
        "visits": 9,
        **words,
        **dict.fromkeys(numbers, 0.5),
    }


def test_offers_of_a_merchant_that_is_stopped_wait() -> None:
    assert set(excluded(merchant_scorecards=[_scorecard("tea", "pause_offers")]).values()) == {"promise_gap"}
    assert excluded(merchant_scorecards=[_scorecard("tea", "notify"), _scorecard("spa", "pause_offers")]) == {}


def test_a_lowered_cap_halves_the_offers_of_a_merchant_and_a_raised_one_doubles_its_cap() -> None:
    def sent(action: str | None, cap: int = 10_000) -> tuple[int, set[str], str]:
        engine = shop(campaigns=[_campaign(budget=None)], merchant_scorecards=[_scorecard("tea", action)])
        notes = planned(engine, replace(NOBODY_HELD_OUT, merchant_offers_cap=cap))[0].notes
        told = set(rows_of(engine, "offer_exclusions")["reason_code"])
        return len(rows_of(engine, "targeted_offers")), told, "; ".join(note for note in notes if " cap" in note)

    full = "the cap of 7 offers (setting merchant_offers_cap) is reached for tea"
    assert sent(None) == (20, set(), "")
    assert sent("notify") == (20, set(), "")
    assert sent("lower_cap") == (
        10, {"no_capacity"}, "half of what would be sent for tea: the rules lower the cap (lower_cap)",
    )  # fmt: skip
    assert sent(None, cap=7) == (7, {"no_capacity"}, full)
    assert sent("lower_cap", cap=7)[0] == 3
    raised = "up to 14 offers for tea: the rules raise the cap (raise_cap)"
    assert sent("raise_cap", cap=7) == (14, {"no_capacity"}, raised)


def test_a_lowered_cap_holds_for_all_coupons_of_a_merchant_together() -> None:
    coupons = [
        {"coupon_id": k, "merchant_id": "tea", "campaign_id": "spring", "kind": "fixed", "discount": 5.0} for k in "kl"
    ]
    scores = [score(who, "k" if place < 13 else "l") for place, who in enumerate(PEOPLE)]
    scores += [score(who, "l", uplift=0.045) for who in PEOPLE[:13]]  # who loses the one is not sent the other
    engine = shop(
        campaigns=[_campaign(budget=None)], coupons=coupons, response_scores=scores,
        merchant_scorecards=[_scorecard("tea", "lower_cap")],
    )  # fmt: skip
    planned(engine)
    assert rows_of(engine, "targeted_offers")["coupon_id"].value_counts().to_dict() == {"k": 6, "l": 4}


def test_a_stock_is_not_promised_twice() -> None:
    coupon = {
        "coupon_id": "k", "merchant_id": "tea", "campaign_id": "spring", "kind": "fixed", "discount": 5.0, "stock": 5,
    }  # fmt: skip
    received = {"receipt_id": "e", "customer_id": "c02", "coupon_id": "k", "received_at": datetime(2026, 4, 1)}
    held = received | {"merchant_id": "tea", "campaign_id": "spring", "state": "open"}
    engine = shop(
        coupons=[coupon], coupon_receipts=[received], known_coupon_lifecycle=[held], campaigns=[_campaign(budget=None)]
    )
    planned(engine)
    assert len(rows_of(engine, "targeted_offers")) == 4
    reasons = rows_of(engine, "offer_exclusions").set_index("customer_id")["reason_code"]
    assert reasons.pop("c02") == "not_eligible"
    assert set(reasons) == {"no_capacity"}


def test_without_causal_data_half_of_the_pilot_are_its_control() -> None:
    scores = [
        score(who, basis="propensity", uplift=None, uplift_low=None, uplift_high=None, redemption_probability=0.2)
        for who in PEOPLE
    ]
    engine = shop(response_scores=scores, campaigns=[_campaign(budget=None)])
    notes = planned(engine)[0].notes
    assert any("campaign spring has no causal data: a randomised pilot of 199 customers an arm" in n for n in notes)
    held = rows_of(engine, "offer_holdouts")
    offers = rows_of(engine, "targeted_offers")
    assert len(held) + len(offers) == len(PEOPLE)
    assert held["would_be_sent"].all()
    assert 5 <= len(held) <= 15
    assert offers["uplift"].isna().all()
    assert offers["reason_codes"].iloc[0][0] == "pilot:20.0"


def test_the_same_customers_are_held_out_in_every_run() -> None:
    half = replace(NOBODY_HELD_OUT, global_holdout_share=0.3, campaign_holdout_share=0.3)
    one, other = shop(), shop(response_scores=[score(who) for who in reversed(PEOPLE)])
    planned(one, half)
    planned(other, half)
    held = rows_of(one, "offer_holdouts")
    assert held.equals(rows_of(other, "offer_holdouts"))
    assert set(held["kind"]) == {"global", "campaign"}
    assert not set(held["customer_id"]) & set(rows_of(one, "targeted_offers")["customer_id"])
    salted = shop()
    planned(salted, replace(half, holdout_salt="another"))
    assert set(rows_of(salted, "offer_holdouts")["customer_id"]) != set(held["customer_id"])


def test_what_nobody_told_is_a_setting_and_is_said() -> None:
    engine = shop(merchants=[], campaigns=[_campaign(budget=None)])
    notes = planned(engine)[0].notes
    assert "merchants without a margin_share count with 0.3 (setting)" in notes
    found = rows_of(engine, "targeted_offers")
    assert set(found["margin_basis"]) <= {"setting"}


def test_without_amounts_nothing_is_planned_and_the_report_says_why() -> None:
    engine = shop(known_purchases=[])
    notes = planned(engine)[0].notes
    assert "no amount of any purchase is known: no offer can be valued" in notes
    assert set(rows_of(engine, "offer_exclusions")["reason_code"]) == {"no_value"}


@pytest.mark.parametrize("empty", ["response_scores", "campaigns", "coupons"])
def test_without_offers_the_tables_are_empty_and_the_report_says_so(empty: str) -> None:
    engine = shop(**{empty: []})
    reports = planned(engine)
    assert [report.rows for report in reports] == [0, 0, 0, 0]
    assert "there is nothing to plan" in reports[0].notes[-1]


def test_coupons_without_a_campaign_are_counted_and_not_planned() -> None:
    scores = [score("c00"), score("c00", "standing", campaign_id=None)]
    assert (
        planned(shop(response_scores=scores))[0].notes[0] == "1 coupons without a campaign are scored and not planned"
    )


def test_the_same_plan_is_made_again() -> None:
    engine = shop()
    planned(engine)
    first = rows_of(engine, "targeted_offers")
    build_targeted_offers(engine, as_of=DAY, settings=NOBODY_HELD_OUT)
    assert first.to_csv() == rows_of(engine, "targeted_offers").to_csv()
