"""What a comparison says is worked out by hand, and what cannot be compared is said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from o2o_mining.simulator.comparisons import attribution, ingest, marts, segmentation
from o2o_mining.simulator.findings import Evaluated, auc, share_interval

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


def test_effects_are_compared_with_the_mean_over_those_drawn() -> None:
    truth = pd.DataFrame({
        "campaign_id": "g1", "arm": ["treatment", "control", "control", "none"],
        "occasion0": [False, True, False, False], "occasion1": [True, True, False, True],
    })  # fmt: skip
    found = pd.DataFrame({
        "campaign_id": ["g1", "g2"], "outcome": "purchases", "method": "itt", "label": ["experiment", "observational"],
        "effect": [0.5, 0.1], "effect_low": [0.2, 0.0], "effect_high": [0.8, 0.2],
    })  # fmt: skip
    (only,) = attribution.compare(_evaluated({"campaign_effects": truth}, {"incrementality": found}))
    assert (only.quantity, only.truth, only.estimate) == ("itt: purchases per customer by g1", 1 / 3, 0.5)
    assert (only.low, only.high) == (0.2, 0.8)


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
    for compare in (ingest.compare, marts.compare, segmentation.compare, attribution.compare):
        assert list(compare(empty)) == []


def test_parquet_truth_is_read_as_csv_is(tmp_path: Path) -> None:
    from o2o_mining.simulator.evaluation import read_truth

    table = pd.DataFrame({"parameter": ["days"], "value": ["60"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "b.parquet")
    assert read_truth(tmp_path, "a")["parameter"].tolist() == read_truth(tmp_path, "b")["parameter"].tolist()
    assert read_truth(tmp_path, "c").empty
