"""What a comparison says is worked out by hand, and what cannot be compared is said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from o2o_mining.simulator.comparisons import attribution, ingest, marts, merchants, segmentation
from o2o_mining.simulator.findings import Evaluated, Finding, auc, share_interval

D = date(2024, 3, 1)


def _evaluated(truth: dict[str, pd.DataFrame], estimates: dict[str, pd.DataFrame]) -> Evaluated:
    return Evaluated(D, lambda name: truth.get(name, pd.DataFrame()), lambda name: estimates.get(name, pd.DataFrame()))


def test_the_area_under_the_curve_counts_ties_half() -> None:
    yes = pd.Series([True, False, True, False])
    assert auc(pd.Series([4.0, 1.0, 3.0, 2.0]), yes) == 1.0
    assert auc(pd.Series([1.0, 1.0, 1.0, 1.0]), yes) == 0.5
    assert auc(pd.Series([2.0, 1.0, 1.0, 3.0]), yes) == pytest.approx(1.5 / 4)


def test_nothing_is_ranked_when_all_have_the_outcome() -> None:
    assert pd.isna(auc(pd.Series([1.0, 2.0]), pd.Series([True, True])))


def test_the_interval_of_a_share_is_wilsons_and_unknown_of_nothing() -> None:
    assert share_interval(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert all(pd.isna(end) for end in share_interval(0, 0))


def test_redeemed_receipts_are_compared_with_their_chances_and_open_ones_left_out() -> None:
    truth = pd.DataFrame({"receipt_id": ["a", "b", "c", "d"], "p_true": [0.2, 0.4, 0.6, 1.0]})
    states = pd.DataFrame({
        "receipt_id": ["a", "b", "c", "d"], "state": ["expired", "redeemed", "redeemed", "open"],
        "campaign_id": ["g1", None, "g1", None],
        "expires_at": pd.to_datetime(["2024-02-01", "2024-02-01", "2024-02-01", "2024-04-01"]),
    })  # fmt: skip
    world = _evaluated({"receipt_probabilities": truth}, {"coupon_lifecycle": states})
    every, of_campaigns = marts.compare(world)
    assert every.truth == pytest.approx(0.4)
    assert every.estimate == pytest.approx(2 / 3)
    assert of_campaigns.truth == pytest.approx(0.4)
    assert of_campaigns.estimate == 0.5
    assert of_campaigns.low is not None
    assert of_campaigns.high is not None
    assert of_campaigns.low < 0.4 < of_campaigns.high


def test_scores_are_ranked_beside_the_oracle() -> None:
    outlook = pd.DataFrame({
        "customer_id": list("abcd"), "is_there": [True, False, True, False], "purchases": [2, 0, 1, 0],
        "horizon_days": 90, "p_there_observable": [0.9, 0.1, 0.8, 0.2],
        "p_no_purchase_observable": [0.1, 0.9, 0.95, 0.9],
    })  # fmt: skip
    segments = pd.DataFrame({
        "customer_id": list("abcd"), "recency_days": [1, 9, 5, 3], "r_score": [5, 1, 2, 3], "f_score": [5, 1, 1, 1],
        "m_score": [None, None, None, None],
    })  # fmt: skip
    there, recency, score = segmentation.compare(_evaluated({"customer_outlook": outlook}, {"segments": segments}))
    assert (there.estimate, there.oracle) == (0.75, 1.0)
    assert (recency.estimate, recency.oracle) == (0.75, 0.5)
    assert score.estimate == 0.75


def test_credit_is_compared_with_increments_and_the_rest_is_for_channels_that_cause_none() -> None:
    truth = pd.DataFrame({
        "campaign_id": ["g1", "g2", "g1"], "channel": ["sms", "sms", "push"], "incremental_conversions": [3, 1, 2],
        "campaign_incremental_conversions": [6, 1, 6],
    })  # fmt: skip
    credit = pd.DataFrame({
        "level": ["channel"] * 4 + ["campaign"],
        "window_start": [date(1970, 1, 1)] * 3 + [date(2024, 2, 1), date(1970, 1, 1)],
        "model": "last", "id": ["sms", "search", "map", "sms", "g1"], "conversions": [7.0, 5.0, 1.5, 6.0, 6.0],
    })  # fmt: skip
    found = list(attribution.compare(_evaluated({"channel_increments": truth}, {"campaign_attribution": credit})))
    assert [(f.quantity, f.truth, f.estimate) for f in found] == [
        ("last: conversions by push", 2.0, 0.0),
        ("last: conversions by sms", 4.0, 7.0),
        ("last: conversions by all campaigns", 7.0, 6.0),
        ("last: conversions by channels that nobody pays for and that cause none", 0.0, 6.5),
    ]


# Of 10 that a visit pays without the coupon and 14 with it 2 are taken off; the merchant keeps half.
WORTH = {
    "offer_values": pd.DataFrame(
        {"coupon_id": ["k1"], "margin_without": [5.0], "margin_with": [7.0], "discount": [2.0], "contact_cost": [0.1]}
    )
}
KNOWN = {
    "coupons": pd.DataFrame({"coupon_id": ["k1"], "campaign_id": ["g1"], "merchant_id": ["m"]}),
    "merchants": pd.DataFrame({"merchant_id": ["m"], "margin_share": [0.5]}),
    "campaigns": pd.DataFrame({"campaign_id": ["g1"], "starts_at": pd.to_datetime(["2024-02-01"])}),
}
UNITS = pd.DataFrame({
    "campaign_id": "g1", "customer_id": list("abcd"), "arm": ["treatment", "control", "control", "none"],
    "exposed": [True, False, False, True], "occasion0": [False, True, False, False],
    "occasion1": [True, True, False, True], "y0": [True, True, False, False], "y1": [True, True, False, True],
})  # fmt: skip


def _found(method: str, label: str, outcomes: list[str]) -> pd.DataFrame:
    return pd.DataFrame({
        "campaign_id": "g1", "outcome": outcomes, "method": method, "label": label, "n_treatment": 3,
        "effect": 0.5, "effect_low": 0.2, "effect_high": 0.8,
    })  # fmt: skip


def test_effects_are_compared_with_the_mean_over_those_drawn() -> None:
    found = _found("itt", "experiment", ["margin", "net_revenue", "purchases", "converted"])
    refused = _found("did", "refused", ["purchases"]).assign(campaign_id="g2")
    estimates = {"incrementality": pd.concat([found, refused], ignore_index=True), **KNOWN}
    findings = list(attribution.compare(_evaluated({"campaign_effects": UNITS, **WORTH}, estimates)))
    # One of three comes because of it and pays 12. One comes anyway and pays 12 instead of 10, for 4 more in goods.
    assert [(f.quantity, f.truth) for f in findings] == [
        ("itt: converted per customer by g1", 0.0),
        ("itt: purchases per customer by g1", pytest.approx(1 / 3)),
        ("itt: net_revenue per customer by g1", pytest.approx((12 + 2) / 3)),
        ("itt: margin per customer by g1", pytest.approx((5 + 0) / 3)),
    ]
    assert {(f.estimate, f.low, f.high) for f in findings} == {(0.5, 0.2, 0.8)}


def test_without_the_worth_of_a_visit_money_is_not_compared() -> None:
    estimates = {"incrementality": _found("itt", "experiment", ["margin", "purchases"])}
    findings = list(attribution.compare(_evaluated({"campaign_effects": UNITS}, estimates)))
    assert [f.quantity for f in findings] == ["itt: purchases per customer by g1"]


def test_a_comparison_without_a_draw_speaks_of_those_reached_who_had_bought_before() -> None:
    bought = pd.DataFrame({"customer_id": ["a", "d"], "purchased_at": pd.to_datetime(["2024-01-05", "2024-02-05"])})
    estimates = {"incrementality": _found("did", "observational", ["net_revenue"]), "purchases": bought, **KNOWN}
    (only,) = attribution.compare(_evaluated({"campaign_effects": UNITS, **WORTH}, estimates))
    assert (only.quantity, only.truth) == ("did: net_revenue per customer by g1", 12.0)


def test_places_are_compared_by_all_that_a_campaign_brought() -> None:
    estimates = {"incrementality": _found("synthetic_control", "observational", ["purchases"]), **KNOWN}
    (only,) = attribution.compare(_evaluated({"campaign_effects": UNITS, **WORTH}, estimates))
    assert (only.quantity, only.truth) == ("synthetic_control: purchases by g1", 2.0)
    assert (only.estimate, only.low, only.high) == pytest.approx((1.5, 0.6, 2.4))


def test_returns_are_compared_with_what_old_contacts_brought_for_their_money() -> None:
    truth = {
        "channel_increments": pd.DataFrame({
            "campaign_id": ["g1", "g9"], "channel": "sms", "incremental_conversions": [6, 3],
            "campaign_incremental_conversions": [6, 3],
        }),
        **WORTH,
    }  # fmt: skip
    # g9 began within the 30 days that credit may still need.
    campaigns = pd.DataFrame({"campaign_id": ["g1", "g9"], "starts_at": pd.to_datetime(["2024-01-10", "2024-02-20"])})
    costs = pd.DataFrame({"channel": "sms", "spent_on": [date(2024, 1, 10), date(2024, 2, 20)], "cost": [24, 1000]})
    credit = pd.DataFrame({
        "level": ["channel"], "window_start": [date(1970, 1, 1)], "model": "linear", "id": "sms", "conversions": [18.0],
        "lookback_days": 30,
    })  # fmt: skip
    advice = pd.DataFrame({
        "channel": ["sms", "push"], "label": ["calibrated", "refused"], "caused_share": [0.4, None],
        **{f"{kind}_return{end}": [2.0, None] for kind in ("average", "marginal") for end in ("", "_low", "_high")},
    })  # fmt: skip
    estimates = {
        **KNOWN, "campaigns": campaigns, "campaign_costs": costs, "campaign_attribution": credit,
        "budget_advice": advice,
    }  # fmt: skip
    findings = {f.quantity: f for f in attribution.compare(_evaluated(truth, estimates))}
    assert findings["purchases caused per purchase credited to sms"].truth == 0.5
    # Six visits at 12 for 24.
    assert findings["average return of money on sms"].truth == 3.0
    marginal = findings["marginal return of money on sms"]
    assert (marginal.truth, marginal.estimate, marginal.low, marginal.high) == (3.0, 2.0, 2.0, 2.0)


def _merchants(changes: pd.DataFrame, actions: dict[str, str]) -> dict[str, Finding]:
    """Return by quantity what is found of one merchant that was always bad, one that turned, and two good ones."""
    truth = pd.DataFrame({
        "merchant_id": ["a", "t", "g", "h", "t"], "gap_min": [14.0, 0.0, 0.0, 0.0, 14.0],
        "from_on": ["2022-01-01"] * 4 + ["2024-01-10"],
    })  # fmt: skip
    cards = pd.DataFrame({
        "merchant_id": list("atgh"), "promise_gap": [2.0, 1.0, 0.1, 0.2], "wait_gap_min": [13.0, None, 0.5, 3.0],
        "wait_gap_min_low": [11.0, None, -1.0, 2.0], "wait_gap_min_high": [15.0, None, 1.0, 4.0],
    })  # fmt: skip
    gaps = pd.DataFrame({
        "level": ["store"] * 3 + ["merchant"], "measure": "wait", "id": ["s1", "s2", "s3", "a"],
        "merchant_id": ["a", "g", "t", "a"], "gap": [1.0, 2.0, 3.0, 9.0],
    })  # fmt: skip
    visits = pd.DataFrame({"merchant_id": ["t"], "consumed_at": pd.to_datetime(["2024-01-11"])})
    decided = pd.DataFrame({"merchant_id": list(actions), "action_code": list(actions.values())})
    estimates = {
        "merchant_scorecards": cards, "promise_gaps": gaps, "merchant_changes": changes, "merchant_actions": decided,
        "purchases": visits,
    }  # fmt: skip
    return {f.quantity: f for f in merchants.compare(_evaluated({"merchant_gaps": truth}, estimates))}


def test_changes_and_actions_are_compared_with_who_is_bad_and_since_when() -> None:
    changes = pd.DataFrame({
        "merchant_id": ["t", "a", "h", "t"],
        "changed_on": [date(2024, 1, 12), date(2023, 4, 1)] + [date(2023, 6, 1)] * 2,
        "found_on": [date(2024, 1, 20), date(2023, 5, 1)] + [date(2023, 7, 1)] * 2,
    })  # fmt: skip
    found = _merchants(changes, {"a": "raise_cap", "t": "pause_offers", "h": "pause_offers"})
    figures = {quantity: (f.truth, f.estimate) for quantity, f in found.items()}
    assert figures == {
        "who is bad, by promise_gap": (None, 1.0),
        "which stores are bad, by their gap in waiting": (None, 0.5),
        "bad merchants whose offers wait": (2.0, 1.0),
        "good merchants whose offers wait": (0.0, 1.0),
        "bad merchants whose cap is raised": (0.0, 1.0),
        "share of 3 merchants whose added minutes lie in the 95 % interval": (0.95, pytest.approx(2 / 3)),
        # Of h, and of t before it turned.
        "changes found of merchants that were good": (0.0, 2.0),
        "merchants found of those that turned bad within a year": (1.0, 1.0),
        "days between a change and the likeliest day told, median": (0.0, 2.0),
        "days until a change was found, median": (None, 10.0),
    }


def test_where_no_change_was_found_those_that_came_are_missed() -> None:
    found = _merchants(pd.DataFrame(), {"g": "notify"})
    assert found["changes found of merchants that were good"].estimate == 0.0
    missed = found["merchants found of those that turned bad within a year"]
    assert (missed.truth, missed.estimate) == (1.0, 0.0)
    assert not any(quantity.startswith("days") for quantity in found)


def test_what_bad_visits_cost_is_compared_over_the_first_of_each_customer() -> None:
    truth = pd.DataFrame({
        # Before the year that is looked at; first; second of the same; first; too late for 90 days to be over.
        "customer_id": ["a", "a", "a", "b", "c"],
        "at": ["2022-10-01", "2023-05-01", "2023-06-01", "2023-05-01", "2024-01-15"],
        "lost_visits": [9.0, 1.0, 9.0, 0.0, 9.0], "lost_amount": [0.0, 30.0, 0.0, 10.0, 0.0],
        "friends_lost_visits": [9.0, 0.2, 0.0, 0.0, 0.0], "friends_lost_amount": [0.0] * 5,
    })  # fmt: skip
    costs = pd.DataFrame({
        "reach": ["customer", "customer", "friends", "friends"], "outcome": ["purchases", "net_revenue"] * 2,
        "label": ["observational"] * 3 + ["refused"], "effect": [-0.6, -25.0, -0.3, None],
        "effect_low": [-0.9, -40.0, -0.5, None], "effect_high": [-0.3, -10.0, 0.1, None],
    })  # fmt: skip
    found = list(merchants.compare(_evaluated({"bad_visits": truth}, {"bad_visit_costs": costs})))
    what = "what a first bad visit changes in 90 days: "
    assert [(f.quantity.removeprefix(what), f.truth, f.estimate, f.low, f.high) for f in found] == [
        ("net_revenue of customer", -20.0, -25.0, -40.0, -10.0),
        ("purchases of customer", -0.5, -0.6, -0.9, -0.3),
        ("purchases of friends", -0.1, -0.3, -0.5, 0.1),
    ]


def test_counts_of_a_feed_in_several_files_are_added_up() -> None:
    expected = pd.DataFrame({
        "feed": ["touches", "touches"], "file": ["a", "b"], "rows_read": [5, 3], "rows_accepted": [4, 3],
        "rows_quarantined": [1, 0], "rows_duplicate": [0, 0], "orphans": [2, 1],
    })  # fmt: skip
    quality = expected.replace({"feed": {"(all)": "x"}})
    found = list(ingest.compare(_evaluated({"expected_quality": expected}, {"data_quality": quality})))
    assert [(f.truth, f.estimate) for f in found] == [(8.0, 8.0), (7.0, 7.0), (1.0, 1.0), (0.0, 0.0), (3.0, 3.0)]


def test_a_world_without_estimates_gives_no_findings() -> None:
    empty = _evaluated({}, {})
    rooms = (ingest, marts, segmentation, attribution, merchants)
    for compare in (room.compare for room in rooms):
        assert list(compare(empty)) == []


def test_parquet_truth_is_read_as_csv_is(tmp_path: Path) -> None:
    from o2o_mining.simulator.evaluation import read_truth

    table = pd.DataFrame({"parameter": ["days"], "value": ["60"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "b.parquet")
    assert read_truth(tmp_path, "a")["parameter"].tolist() == read_truth(tmp_path, "b")["parameter"].tolist()
    assert read_truth(tmp_path, "c").empty
