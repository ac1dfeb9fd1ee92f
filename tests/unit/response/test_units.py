"""What uplift is learned from, by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from o2o_mining.response import evidence
from o2o_mining.response.units import COVARIATES, offer_units
from tests.unit.response.logs import at, logs, receipt, visit

HOME = {"home_lat": 25.0, "home_lon": 121.5}
CAMPAIGNS: list[dict[str, Any]] = [
    {"campaign_id": "g", "merchant_id": "m", "channel": "sms", "starts_at": at(10), "ends_at": at(20)},
    {"campaign_id": "later", "merchant_id": "m", "channel": "sms", "starts_at": at(28), "ends_at": at(40)},
]
WORLD: dict[str, list[dict[str, Any]]] = {
    "merchants": [{"merchant_id": "m", "category": "cafe", "city": "here"}],
    "stores": [{"store_id": "s", "merchant_id": "m", "lat": 25.0, "lon": 121.51}],
    "coupons": [
        {"coupon_id": "k", "merchant_id": "m", "campaign_id": "g", "kind": "rate", "discount": 0.3},
        {"coupon_id": "always", "merchant_id": "m", "kind": "rate", "discount": 0.2},
    ],
    "campaigns": CAMPAIGNS,
    "customers": [
        *({"customer_id": name, "joined_at": at(-9), "city": "here", "birth_year": 1984, **HOME} for name in "abc"),
        {"customer_id": "far", "joined_at": at(-9), "city": "there"},
        {"customer_id": "young", "joined_at": at(15), "city": "here"},
    ],
}  # fmt: skip


def units(day: int = 31, **rows: list[dict[str, Any]]) -> pd.DataFrame:
    made: pd.DataFrame = offer_units(evidence(logs(**(WORLD | rows))), as_of=date(2024, 1, day)).execute()
    return made.sort_values(["offer_id", "customer_id"], ignore_index=True)


def test_a_campaign_and_everybody_whom_it_could_reach_make_units_and_nobody_else() -> None:
    found = units()
    assert found["customer_id"].tolist() == ["a", "b", "c"]
    assert set(found["offer_id"]) == {"g"}
    assert not found[["asked", "held", "came"]].any(axis=None)


def test_arms_and_visits_are_told_while_the_campaign_ran() -> None:
    drawn = [
        {"campaign_id": "g", "customer_id": "a", "arm": "treatment", "assigned_at": at(10)},
        {"campaign_id": "g", "customer_id": "b", "arm": "control", "assigned_at": at(10)},
    ]
    bought = [visit(1, "a", 12), visit(2, "b", 9), visit(3, "b", 20), visit(4, "c", 19)]
    found = units(assignments=drawn, purchases=bought).set_index("customer_id")
    assert found["asked"].to_dict() == {"a": True, "b": False, "c": False}
    assert found["held"].to_dict() == {"a": False, "b": True, "c": False}
    assert found["came"].to_dict() == {"a": True, "b": False, "c": True}
    assert found["n_visits"].to_dict() == {"a": 0, "b": 1, "c": 0}
    assert found.loc["b", "recency_days"] == 1
    assert found.loc["a", "off_share"] == 0.3
    assert found["distance_m"].between(900, 1100).all()


def test_an_offer_that_still_runs_is_no_unit_yet() -> None:
    assert units(day=21).empty
    assert set(units(day=22)["offer_id"]) == {"g"}


def test_a_coupon_taken_without_a_campaign_is_an_offer_that_was_asked_for() -> None:
    taken = [
        receipt(1, "a", 3, coupon_id="always", redeemed_at=at(5)), receipt(2, "b", 3, coupon_id="always"),
        receipt(3, "c", 25, coupon_id="always"),
    ]  # fmt: skip
    found = units(coupon_lifecycle=taken)
    found = found[found["campaign_id"].isna()]
    assert found["offer_id"].tolist() == ["1", "2"]
    assert found["asked"].all()
    assert found["came"].tolist() == [True, False]
    assert found["off_share"].tolist() == [0.2, 0.2]


def test_without_any_log_there_are_no_units() -> None:
    made = offer_units(evidence(logs()), as_of=date(2024, 1, 31)).execute()
    assert made.empty
    assert set(COVARIATES) < set(made.columns)
