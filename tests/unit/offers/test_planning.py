"""Everybody who could get an offer of a campaign is sent one, held out, or told why not; and no limit is broken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.contracts.offers import EXCLUSIONS
from o2o_mining.core.settings import Settings
from o2o_mining.offers import pilot_size
from o2o_mining.offers.planning import Plan, make_plan
from o2o_mining.offers.value import better_for_all

PAIR = ["campaign_id", "customer_id"]
SIDES = ("merchant", "customer", "platform")


def marked(customers: int = 200, *, seed: int = 0, basis: str = "experiment", likely: float = 0.05) -> pd.DataFrame:
    """Return candidates of three campaigns, one of them with two coupons, marked at random."""
    rng = np.random.default_rng(seed)
    coupons = [("g0", "k0"), ("g0", "k1"), ("g1", "k2"), ("g2", "k3")]
    rows = [(g, k, f"c{i:04d}") for g, k in coupons for i in range(customers)]
    table = pd.DataFrame(rows, columns=["campaign_id", "coupon_id", "customer_id"])
    table["merchant_id"] = table["campaign_id"].str.replace("g", "m")
    n = len(table)
    for mark in ("no_consent", "fatigue", "do_not_disturb", "promise_gap", "not_eligible"):
        table[mark] = rng.random(n) < likely
    for mark in ("no_consent", "fatigue"):  # of the customer, not of the offer
        table[mark] = table.groupby("customer_id")[mark].transform("first")
    table["held_globally"] = (table["customer_id"].str[-1] == "0") & (table["customer_id"].str[-2] == "0")
    for mark in ("held_here", "held_in_pilot"):
        table[mark] = rng.random(n) < (0.1 if mark == "held_here" else 0.5)
        table[mark] = table.groupby(PAIR)[mark].transform("first")
    table["lot"] = [f"{number:08x}" for number in rng.integers(0, 2**32, n)]
    table["lot"] = table.groupby(PAIR)["lot"].transform("first")
    table["basis"] = basis
    table["redemption_probability"] = rng.beta(1, 9, n)
    table["expected_cost"] = (table["redemption_probability"] * 10 + 0.02).round(6)
    table["contact_cost"] = 0.02
    table["value_merchant"] = rng.normal(1, 2, n).round(6)
    table["value_customer"] = (table["redemption_probability"] * 10).round(6)
    table["value_platform"] = rng.normal(0.5, 0.3, n).round(6)
    table["expected_value"] = (
        table["value_merchant"] + 0.1 * table["value_customer"] + 0.1 * table["value_platform"]
    ).round(6)
    return table


def plan_of(
    table: pd.DataFrame,
    budgets: Mapping[str, float] | None = None,
    capacities: Mapping[str, int] | None = None,
    actions: Mapping[str, str] | None = None,
    **told: Any,
) -> Plan:
    return make_plan(
        table,
        budgets=budgets or {"g0": 20.0, "g1": 5.0, "g2": math.inf},
        capacities=capacities or {},
        actions=actions or {},
        settings=Settings(**told),
    )


def pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in table[PAIR].to_numpy().tolist()]


@settings(max_examples=5, deadline=None)
@given(
    st.integers(0, 1000), st.sampled_from([0.0, 0.02, 1.0, 17.35, math.inf]), st.integers(0, 30),
    st.sampled_from(["experiment", "propensity"]), st.sampled_from([0.0, 0.3, 1.0]),
)  # fmt: skip
def test_everybody_is_in_exactly_one_table_and_no_limit_is_broken(
    seed: int, budget: float, room: int, basis: str, likely: float
) -> None:
    table = marked(60, seed=seed, basis=basis, likely=likely)
    plan = plan_of(table, {"g0": budget, "g1": 3.0, "g2": math.inf}, {"k0": room, "k3": 5})
    held = table[table["held_globally"] | table["held_here" if basis == "experiment" else "held_in_pilot"]]
    listed = [*pairs(plan.targeted), *pairs(plan.holdouts), *pairs(plan.exclusions)]
    assert sorted(listed) == sorted(set(pairs(table)))
    assert sorted(pairs(plan.holdouts)) == sorted(set(pairs(held)))
    cost = plan.targeted.groupby("campaign_id")["expected_cost"].sum()
    assert cost.get("g0", 0) <= budget + 1e-9
    assert cost.get("g1", 0) <= 3 + 1e-9
    assert (plan.targeted["coupon_id"] == "k0").sum() <= room
    assert (plan.targeted["coupon_id"] == "k3").sum() <= 5
    assert plan.targeted["customer_id"].is_unique
    assert (plan.targeted["expected_value"] > 0).all()
    assert set(plan.exclusions["reason_code"]) <= set(EXCLUSIONS)


def test_those_held_out_are_chosen_as_those_are_who_get_the_offer() -> None:
    table = marked(1_500, seed=7)
    plan = plan_of(table, {"g0": 150.0, "g1": 100.0, "g2": 100.0})
    for campaign in ("g0", "g1", "g2"):
        held = plan.holdouts[plan.holdouts["campaign_id"] == campaign]
        asked = table[(table["campaign_id"] == campaign)]["customer_id"].nunique()
        share_held = held["would_be_sent"].sum() / len(held)
        sent = (plan.targeted["campaign_id"] == campaign).sum()
        share_sent = sent / (asked - len(held))
        assert share_held == pytest.approx(share_sent, abs=0.07)
    cost = plan.targeted.groupby("campaign_id")["expected_cost"].sum()
    assert (cost / pd.Series({"g0": 150.0, "g1": 100.0, "g2": 100.0})).between(0.97, 1).all()


def test_the_first_thing_that_speaks_against_an_offer_is_the_reason() -> None:
    table = marked(6, likely=0.0).query("coupon_id == 'k2'").reset_index(drop=True)
    table[["held_globally", "held_here"]] = False
    table[["value_merchant", "expected_value", "expected_cost"]] = [1.0, 2.0, 1.0]
    table["value_platform"] = 0.1
    table.loc[0, ["no_consent", "fatigue"]] = True
    table.loc[1, ["do_not_disturb", "promise_gap"]] = True
    table.loc[2, ["not_eligible", "expected_value"]] = [True, -1.0]
    table.loc[3, "value_merchant"] = -0.5  # the merchant would pay for what the others gain
    table.loc[5, "expected_value"] = 1.0
    plan = plan_of(table, {"g1": 1.0})
    assert plan.targeted["customer_id"].tolist() == ["c0004"]
    assert plan.exclusions["reason_code"].tolist() == [
        "no_consent", "do_not_disturb", "not_eligible", "no_value", "out_of_budget",
    ]  # fmt: skip


def test_who_gets_another_offer_and_whose_coupon_is_gone_is_told_so() -> None:
    table = marked(2, likely=0.0).query("coupon_id in ['k2', 'k3']").reset_index(drop=True)
    table[["held_globally", "held_here"]] = False
    table[["value_merchant", "value_platform", "expected_cost"]] = [1.0, 1.0, 1.0]
    table["expected_value"] = [5.0, 3.0, 1.0, 1.0]  # campaign g1 for both, then g2 for both
    plan = plan_of(table, {"g1": math.inf, "g2": math.inf}, {"k2": 1, "k3": 0})
    assert pairs(plan.targeted) == [("g1", "c0000")]
    told = dict(zip(pairs(plan.exclusions), plan.exclusions["reason_code"], strict=True))
    assert told == {("g1", "c0001"): "no_capacity", ("g2", "c0000"): "other_offer", ("g2", "c0001"): "no_capacity"}


def test_a_lowered_cap_halves_what_is_sent_for_the_merchant_and_leaves_the_rest_to_others() -> None:
    table, ample = marked(300, seed=4, likely=0.0), dict.fromkeys(("g0", "g1", "g2"), 1e6)
    usual, lowered = plan_of(table, ample), plan_of(table, ample, actions={"m0": "lower_cap", "m1": "notify"})
    before, after = (plan.targeted["merchant_id"].value_counts() for plan in (usual, lowered))
    assert before["m0"] > 50
    assert before["m0"] // 2 - 10 <= after["m0"] <= before["m0"] // 2  # a draw of those held out may take some
    assert after["m1"] + after["m2"] > before["m1"] + before["m2"]
    told = lowered.exclusions.query("campaign_id == 'g0'")["reason_code"].value_counts()
    assert set(told.index) == {"other_offer", "no_value", "no_capacity"}  # there is money enough
    assert lowered.full == ("m0",)


def test_no_plan_sends_more_than_its_cap_for_a_merchant_and_a_raised_cap_is_twice_that() -> None:
    table, ample = marked(200, seed=5, likely=0.0), dict.fromkeys(("g0", "g1", "g2"), math.inf)
    usual = plan_of(table, ample, merchant_offers_cap=20)
    raised = plan_of(table, ample, actions={"m0": "raise_cap"}, merchant_offers_cap=20)
    before, after = (plan.targeted["merchant_id"].value_counts() for plan in (usual, raised))
    assert before.max() <= 20 < after["m0"] <= 40
    assert after[["m1", "m2"]].max() <= 20
    assert plan_of(table, ample, merchant_offers_cap=0).targeted.empty


def test_without_causal_data_a_pilot_of_the_size_it_needs_is_drawn_by_lot() -> None:
    table = marked(3_000, basis="propensity", likely=0.0).query("campaign_id == 'g1'").reset_index(drop=True)
    table["value_merchant"], table["value_platform"], table["expected_value"] = 1.0, 0.1, 1.1
    plan = plan_of(table, {"g1": math.inf})
    needed, there = plan.pilots["g1"]
    assert needed == pilot_size(*_expected_shares(table))
    assert there == 3_000
    in_pilot = [
        (plan.targeted["campaign_id"] == "g1").sum(),
        plan.holdouts.query("campaign_id == 'g1' and kind == 'campaign'")["would_be_sent"].sum(),
    ]
    assert sum(in_pilot) <= 2 * needed
    assert in_pilot[0] == pytest.approx(in_pilot[1], abs=4 * math.sqrt(needed / 2))


def _expected_shares(rows: pd.DataFrame) -> tuple[float, float]:
    treated = float(rows.groupby("customer_id")["redemption_probability"].max().mean())
    return treated * (1 - Settings().assumed_incremental_share), treated


def test_the_size_of_a_pilot_is_the_published_one() -> None:
    # Fleiss, Levin and Paik (2003), table A.4 (two-sided 5 %, power 80 %) without the continuity correction.
    assert pilot_size(0.5, 0.6) == 388
    assert pilot_size(0.1, 0.15) == pilot_size(0.15, 0.1) == 686


def test_no_plan_for_one_side_beats_the_plan_on_all_three() -> None:
    for seed in range(2):
        plan = plan_of(marked(200, seed=seed, likely=0.0))
        assert plan.served is None
        assert better_for_all(plan.sides, plan.alternatives) is None


def test_a_plan_for_one_side_that_serves_all_three_better_is_taken() -> None:
    table = marked(2, likely=0.0).query("coupon_id == 'k2'").reset_index(drop=True)
    table[["held_globally", "held_here"]] = False
    table["expected_cost"] = 1.0
    table["expected_value"] = [1.0, 2.0]  # as weights would never have it: the sides say otherwise
    for side, worth in (("merchant", 5.0), ("customer", 4.0), ("platform", 3.0)):
        table[f"value_{side}"] = [worth, 1.0]
    plan = plan_of(table, {"g1": 1.0})
    assert plan.targeted["customer_id"].tolist() == ["c0000"]
    assert plan.served == "merchant"
    assert plan.sides == {"merchant": 5.0, "customer": 4.0, "platform": 3.0}
    assert plan.exclusions["customer_id"].tolist() == ["c0001"]


def test_only_a_plan_worth_more_to_every_side_is_better_for_all() -> None:
    plan = {"merchant": 2.0, "customer": 2.0}
    assert (
        better_for_all(plan, {"a": {"merchant": 9.0, "customer": 2.0}, "b": {"merchant": 1.0, "customer": 9.0}}) is None
    )
    others = {"a": {"merchant": 3.0, "customer": 3.0}, "b": {"merchant": 5.0, "customer": 4.0}}
    assert better_for_all(plan, others) == "b"


def test_a_budget_beyond_all_costs_is_no_limit() -> None:
    table = marked(40, likely=0.0)
    one, other = (plan_of(table, dict.fromkeys(("g0", "g1", "g2"), money)) for money in (9e15, math.inf))
    pd.testing.assert_frame_equal(one.targeted, other.targeted)


def test_more_budget_never_brings_less() -> None:
    curve = plan_of(marked(500, seed=2), {"g0": 20.0, "g1": 10.0, "g2": 10.0}).curve
    assert curve["budget_percent"].tolist() == [25, 50, 75, 100, 150, 200]
    assert curve["expected_value"].is_monotonic_increasing
    assert (curve["expected_cost"] <= curve["budget"]).all()
    gains = np.diff(curve["expected_value"]) / np.diff(curve["budget"])
    assert (np.diff(gains) <= 0.1 * gains[:-1]).all()  # the next coin brings less than the one before


def test_rows_may_come_in_any_order_to_be_planned() -> None:
    table = marked(150, seed=3)
    one, other = plan_of(table), plan_of(table.sample(frac=1, random_state=1))
    for name in ("targeted", "holdouts", "exclusions", "curve"):
        pd.testing.assert_frame_equal(
            getattr(one, name).reset_index(drop=True), getattr(other, name).reset_index(drop=True)
        )
