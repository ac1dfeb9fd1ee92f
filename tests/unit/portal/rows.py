"""Rows of the tables that the pages of offers, campaigns, merchants and quality show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from tests.unit.exports.rows import DAY, Rows, held, offer

BEFORE = date(2017, 12, 1)
Tables = dict[str, Rows | Mapping[date, Rows]]


def page_tables() -> Tables:
    """Return all of them."""
    return {**offers_tables()}


def offers_tables() -> Tables:
    """Return a plan of two campaigns, and the plan of the month before: c000 is gone since, c060 to c063 are new."""
    worth = {
        "expected_value": 10.0,
        "expected_cost": 4.0,
        "uplift": 0.031,
        "channel": "sms",
        "margin_basis": "merchant",
        "send_on": date(2024, 1, 2),
    }
    reasons = ["uplift:3.1:1.9:4.3", "distance:850"]

    def plan(first: int, last: int, value: float) -> list[dict[str, Any]]:
        return [
            offer(f"c{n:03}", "g/1", **{**worth, "expected_value": value, "rank": n + 1, "reason_codes": reasons})
            for n in range(first, last)
        ]

    planned = plan(1, 64, 10.0)
    planned[0] |= {"channel": "email", "margin_basis": "setting"}
    return {
        "targeted_offers": {
            BEFORE: plan(0, 60, 9.0),
            DAY: [*planned, offer("c005", "g2", **worth, reason_codes=reasons)],
        },
        "offer_holdouts": [
            {**held("c070", "g/1", "campaign"), "would_be_sent": True},
            held("c071", "g/1", "global"),
            {**held("c100", "g2", "global"), "would_be_sent": False},
        ],
        "offer_exclusions": [
            *({"campaign_id": "g/1", "customer_id": f"c{n:03}", "reason_code": "no_value"} for n in range(80, 85)),
            {"campaign_id": "g3", "customer_id": "c001", "reason_code": "no_consent"},
        ],
        "offer_budget_curve": [
            {
                "budget_percent": percent,
                "budget": 2.0 * percent,
                "expected_cost": 1.9 * percent,
                "expected_value": worth,
            }
            for percent, worth in ((50, 400.0), (100, 640.0))
        ],
        "campaigns": [_campaign("g/1", "Spring"), _campaign("g2", "Summer")],
        "coupons": [{"coupon_id": "k", "merchant_id": "m1", "campaign_id": "g/1", "valid_days": 14}],
    }


def _campaign(campaign_id: str, name: str) -> dict[str, Any]:
    starts, ends = pd.Timestamp("2017-11-01"), pd.Timestamp("2018-02-01")
    return {
        "campaign_id": campaign_id, "name": name, "channel": "sms", "merchant_id": "m1", "starts_at": starts,
        "ends_at": ends, "budget": Decimal("300.00"),
    }  # fmt: skip
