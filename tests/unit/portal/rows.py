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
    return {**offers_tables(), **campaign_tables(), **merchant_tables(), **quality_tables(), **rules_tables()}


def rules_tables() -> Tables:
    """Return two rules: one on products with names, one on merchants, where one's name is not known."""
    rule = {
        "n_baskets": 1000, "support": 0.05, "confidence": 0.5, "lift": 4.0, "leverage": 0.04, "q_value": 0.001,
        "period_days": 360,
    }  # fmt: skip
    return {
        "association_rules": [
            {
                **rule, "scope": "basket", "level": "product", "antecedents": ["p1"], "consequents": ["p2"],
                "holdout_lift": 3.2, "holdout_lift_low": 2.7, "holdout_lift_high": 3.8, "customers": 1240,
                "net_amount": Decimal(220800),
            },
            {
                **rule, "scope": "sequence", "level": "merchant", "antecedents": ["m1"], "consequents": ["m9"],
                "holdout_lift": 2.0, "holdout_lift_low": 1.5, "holdout_lift_high": 2.6, "customers": 31,
            },
        ],
        "products": [{"product_id": "p1", "name": "Green tea"}, {"product_id": "p2", "name": "Cup"}],
    }  # fmt: skip


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


def campaign_tables() -> Tables:
    """Return what was credited to the campaigns of the plan, what they caused, and the path of one conversion."""
    return {
        "campaign_attribution": [
            _credited("g/1", "last_non_direct", 3.0, "90.00", "30.00", 3.0),
            _credited("g/1", "linear", 2.5, "75.00", "30.00", 2.5),
            _credited("g/1", "linear", 1.0, "20.00", "10.00", 2.0, start=date(2017, 12, 2)),
            _credited("g2", "last_non_direct", 1.0, "40.00", "0.00", None),
        ],
        "incrementality": [
            _effect("g/1", "purchases", "itt", 0.05, -0.01, 0.11),
            _effect("g/1", "purchases", "cuped", 0.04, 0.01, 0.07),
            _effect("g/1", "net_revenue", "itt", 1.5, 0.5, 2.5),
            _effect("g/1", "margin", "itt", 0.45, 0.15, 0.75),
            {**_effect("g2", "purchases", "did"), "label": "refused", "reason_code": "pre_trend"},
        ],
        "three_wins": [
            {
                "level": "campaign",
                "id": "g/1",
                "customers": 100,
                "incremental_net_revenue": Decimal("150.00"),
                "incremental_visits": 4.0,
                "media_cost": Decimal("30.00"),
                "merchant_margin": Decimal("45.00"),
                "merchant_margin_low": Decimal("15.00"),
                "merchant_margin_high": Decimal("75.00"),
                "incremental_roi": 1.5,
                "label": "experiment",
                "margin_basis": "merchant",
            },
            {
                "level": "campaign",
                "id": "g2",
                "label": "refused",
                "reason_code": "pre_trend",
                "margin_basis": "setting",
            },
            {
                "level": "merchant",
                "id": "m1",
                "label": "refused",
                "reason_code": "no_campaign",
                "margin_basis": "setting",
            },
        ],
        "funnel": [
            _stage(dimension, id_, stage, position, people)
            for dimension, id_, first in (("total", "(all)", 900), ("merchant", "m1", 90))
            for stage, position, people in (("touched", 1, first), ("ordered", 3, first // 3))
        ],
        "purchases": [
            {
                "purchase_id": "o:1/a",
                "customer_id": "c003",
                "merchant_id": "m1",
                "source": "online",
                "purchased_at": pd.Timestamp("2017-12-20 10:00"),
                "paid_amount": Decimal("30.00"),
                "refunded_amount": Decimal("3.00"),
                "refunded_at": pd.Timestamp("2017-12-22"),
                "net_amount": Decimal("27.00"),
                "waited_min": waited,
                "promised_wait_min": 15.0,
                "consumed_at": pd.Timestamp("2017-12-20 12:00"),
                "store_id": "s1",
            }
            for waited in (21.0,)
        ],
        "journeys": [
            {
                "journey_id": "o:1/a",
                "purchase_id": "o:1/a",
                "customer_id": "c003",
                "converted": True,
                "n_touches": 2,
                "started_at": pd.Timestamp("2017-12-18 10:00"),
                "ended_at": pd.Timestamp("2017-12-20 10:00"),
                "days_to_convert": 2.0,
                "path": "sms > search",
            }
        ],
        "journey_touches": [
            _touch("t1", 1, "sms", "g/1"),
            _touch("t2", 2, "search", None),
        ],
        "attribution_ledger": [
            _entry("linear", "t1", "g/1", "credit", "15.00"),
            _entry("linear", "t2", None, "credit", "15.00"),
            _entry("last_non_direct", "t2", None, "credit", "30.00"),
            _entry("last_non_direct", "t2", None, "refund", "-3.00"),
            _entry("first", "t1", "g/1", "credit", "30.00"),
            _entry("first", "t1", "g/1", "refund", "-3.00"),
        ],
    }


def _credited(
    id_: str, model: str, conversions: float, net: str, cost: str, roas: float | None, start: date = date(1970, 1, 1)
) -> dict[str, Any]:
    return {
        "window_start": start, "window_end": DAY, "model": model, "level": "campaign", "id": id_,
        "conversions": conversions, "revenue": Decimal(net), "net_revenue": Decimal(net), "cost": Decimal(cost),
        "roas": roas, "share": 0.1,
    }  # fmt: skip


def _effect(campaign_id: str, outcome: str, method: str, *effect: float) -> dict[str, Any]:
    value, low, high = effect or (None, None, None)
    return {
        "campaign_id": campaign_id, "outcome": outcome, "method": method, "n_treatment": 100, "n_control": 90,
        "effect": value, "effect_low": low, "effect_high": high, "label": "experiment",
        "total_effect": None if value is None else 100 * value,
    }  # fmt: skip


def _stage(dimension: str, id_: str, stage: str, position: int, people: int) -> dict[str, Any]:
    return {
        "window_start": date(1970, 1, 1), "window_end": DAY, "dimension": dimension, "id": id_, "stage": stage,
        "position": position, "people": people, "open": 0, "lost": 5,
    }  # fmt: skip


def _touch(touch_id: str, position: int, channel: str, campaign_id: str | None) -> dict[str, Any]:
    return {
        "journey_id": "o:1/a", "touch_id": touch_id, "customer_id": "c003", "position": position, "channel": channel,
        "touched_at": pd.Timestamp(f"2017-12-1{7 + position} 10:00"), "campaign_id": campaign_id,
    }  # fmt: skip


def _entry(model: str, touch_id: str, campaign_id: str | None, kind: str, amount: str) -> dict[str, Any]:
    return {
        "entry_id": f"{model}:{kind}:o:1/a:{touch_id}", "model": model, "purchase_id": "o:1/a", "touch_id": touch_id,
        "customer_id": "c003", "channel": "sms" if touch_id == "t1" else "search", "campaign_id": campaign_id,
        "credited_at": pd.Timestamp("2017-12-20 10:00"), "kind": kind, "amount": Decimal(amount), "share": 0.5,
    }  # fmt: skip


def merchant_tables() -> Tables:
    """Return the scorecards of two merchants on two days, what was done about them, and the stores of both."""
    return {
        "merchants": [_merchant("m1", "Noodle House"), _merchant("m2", "Tea & Cake")],
        "merchant_scorecards": {
            BEFORE: [_card("m1", 0.2, "watch")],
            DAY: [
                {**_card("m1", 1.5, "act"), "action_code": "pause_offers", "mend_code": "mend_wait:14",
                 "reason_codes": ["changed:2017-12-10", "wait:14"], "found_on": date(2017, 12, 20)},
                _card("m2", -0.1, "good"),
            ],
        },
        "promise_gaps": [
            _gap("m1", "all", 1.5), _gap("m1", "wait", 2.5), _gap("m2", "all", -0.1),
            {**_gap("m2", "wait", 9.9), "level": "store", "id": "m1"},
        ],
        "merchant_changes": [
            {"merchant_id": id_, "found_on": date(2017, 12, 20), "changed_on": date(2017, 12, 10 + n),
             "measure": "wait", "visits": 12}
            for n, id_ in enumerate(("m1", "m2"))
        ],
        "merchant_actions": {
            BEFORE: [_action("m1", "notify", "watch", ["slipping:watch:0.20"])],
            DAY: [
                _action("m1", "pause_offers", "act", ["broken_promise:act", "wait:14", "a_rule_of_old:3"]),
                _action("m2", "raise_cap", "good", ["trusted:good:125:0.09:79"]),
            ],
        },
        "store_catchments": [_catchment("s1", "m1", 850.0), _catchment("s2", "m2", 4321.0)],
    }  # fmt: skip


def _merchant(merchant_id: str, name: str) -> dict[str, Any]:
    return {"merchant_id": merchant_id, "name": name, "category": "cafe", "city": "Linhai"}


def _card(merchant_id: str, gap: float, band: str) -> dict[str, Any]:
    return {
        "merchant_id": merchant_id, "category": "cafe", "peers": 40, "visits": 80, "promise_gap": gap,
        "promise_gap_low": gap - 0.1, "promise_gap_high": gap + 0.1, "service_score": 20.0, "cost_score": 60.0,
        "efficiency_score": 70.0, "band": band, "mend_code": "keep", "since_on": date(2017, 10, 3),
    }  # fmt: skip


def _gap(merchant_id: str, measure: str, gap: float) -> dict[str, Any]:
    return {
        "level": "merchant", "id": merchant_id, "merchant_id": merchant_id, "measure": measure, "gap": gap,
        "gap_low": gap - 0.1, "gap_high": gap + 0.1, "visits": 80,
    }  # fmt: skip


def _action(merchant_id: str, action: str, band: str, reasons: list[str]) -> dict[str, Any]:
    rule = reasons[0].partition(":")[0]
    return {
        "merchant_id": merchant_id, "action_code": action, "rule_code": rule, "band": band, "reason_codes": reasons
    }  # fmt: skip


def _catchment(store_id: str, merchant_id: str, radius: float) -> dict[str, Any]:
    return {
        "store_id": store_id, "merchant_id": merchant_id, "category": "cafe", "redemptions": 40, "customers": 30,
        "radius_m": radius, "radius_m_low": radius - 50, "radius_m_high": radius + 50, "half_radius_m": radius / 2,
        "basis": "model",
    }  # fmt: skip


def quality_tables() -> Tables:
    """Return what became of three files, and what was rejected of two of them, with persons in it."""

    def rejected(feed: str, line: int, reason: str, raw: str) -> dict[str, Any]:
        return {
            "rejection_id": f"{feed}{line}", "feed": feed, "file": f"{feed}.csv", "line": line, "reason": reason,
            "column": reason.partition(":")[2] or None, "raw": raw,
        }  # fmt: skip

    return {
        "data_quality": [
            {"feed": "customers", "file": "customers.csv", "rows_read": 100, "rows_accepted": 95, "rows_quarantined": 3,
             "rows_duplicate": 2, "orphans": 0},
            {"feed": "online_orders", "file": "online_orders.csv", "rows_read": 900, "rows_accepted": 899,
             "rows_quarantined": 1, "rows_duplicate": 0, "orphans": 4},
            {"feed": "stores", "file": "stores.csv", "rows_read": 10, "rows_accepted": 10, "rows_quarantined": 0,
             "rows_duplicate": 0, "orphans": 0},
            {"feed": "(all)", "file": "(all)", "traced_share": 0.75},
        ],
        "quarantine": [
            rejected("customers", 2, "bad_type:joined_at", "c9,2025-13-01,1983,f,+886 901 555 000,ann@example.com"),
            rejected("customers", 3, "bad_type:joined_at", "c10,soon,1990,m,王小明"),
            rejected("customers", 4, "malformed_line", "\"Ann Lee"),
            rejected("online_orders", 7, "bad_type:ordered_at", "o1,c0,m8,yesterday,call +886 901 555 001"),
        ],
    }  # fmt: skip
