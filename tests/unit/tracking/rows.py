"""One order from the message to the refund, and a stranger who must not turn up in it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from o2o_mining.tracking import Keys, mint
from tests.unit.exports.rows import Rows

KEYS = Keys((bytes(range(32)),))
CODE = mint("spring:ann", valid_until=date(2024, 3, 31), keys=KEYS)
MODELS = ("first", "last")


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 3, day, hour)


def _entries(purchase: str, shares: dict[str | None, str], refund: str | None) -> Rows:
    """Credit the first touch by the model first, the last one by the model last."""
    touches = {"first": next(iter(shares)), "last": list(shares)[-1]}
    return [
        {
            "entry_id": f"{model}:{kind}:{purchase}:{touches[model]}", "model": model, "purchase_id": purchase,
            "touch_id": touches[model], "customer_id": "ann", "channel": shares[touches[model]], "kind": kind,
            "campaign_id": "spring", "credited_at": at(5), "share": 1.0, "amount": Decimal(amount), "conversions": 1.0,
        }
        for model in MODELS
        for kind, amount in (("credit", "50.00"), ("refund", refund))
        if amount is not None
    ]  # fmt: skip


def life(code: str = CODE, **more: Rows) -> dict[str, Any]:
    """Return all tables of one order whose rows carry a code; ``more`` adds rows to tables."""
    ann: dict[str, Any] = {"customer_id": "ann", "coupon_id": "ten", "merchant_id": "noodle", "tracking_code": code}
    tables: dict[str, Rows] = {
        "customer_contacts": [{"customer_id": "ann", "phone": "+8613800138000", "email": "ann@example.com"}],
        "sends": [ann | {"send_id": "spring:ann", "campaign_id": "spring", "channel": "line", "sent_at": at(1)}],
        "touches": [
            ann
            | {"touch_id": "t1", "touched_at": at(2), "channel": "line", "campaign_id": "spring", "action": "click"},
            {"touch_id": "t2", "customer_id": "ann", "touched_at": at(3), "channel": "search", "action": "visit"},
            {"touch_id": "t3", "customer_id": "bob", "touched_at": at(3), "channel": "map", "action": "visit"},
        ],
        "coupon_receipts": [ann | {"receipt_id": "rc1", "received_at": at(2, 13), "channel": "line"}],
        "online_orders": [
            ann | {"order_id": "o1", "receipt_id": "rc1", "ordered_at": at(4), "paid_amount": Decimal("50.00"),
                   "fulfilment": "in_store", "status": "refunded"},
        ],
        "offline_redemptions": [
            ann | {"redemption_id": "r1", "order_id": "o1", "redeemed_at": at(5), "store_id": "s1",
                   "paid_amount": Decimal("0.00"), "tracking_code": None},
            {"redemption_id": "r2", "customer_id": "bob", "merchant_id": "noodle", "redeemed_at": at(6)},
        ],
        "coupon_redemptions": [
            ann | {"coupon_redemption_id": "u1", "receipt_id": "rc1", "order_id": "o1", "redeemed_at": at(5),
                   "discount_amount": Decimal("10.00")},
        ],
        "coupon_lifecycle": [
            ann | {"receipt_id": "rc1", "campaign_id": "spring", "redemption_id": "r1", "expires_at": at(31, 0),
                   "received_at": at(2, 13), "state": "redeemed"},
        ],
        "purchases": [
            ann | {"purchase_id": "o:o1", "order_id": "o1", "redemption_id": "r1", "receipt_id": "rc1",
                   "purchased_at": at(4), "consumed_at": at(5), "campaign_id": "spring", "source": "online",
                   "paid_amount": Decimal("50.00"), "refunded_at": at(8), "refunded_amount": Decimal("20.00"),
                   "net_amount": Decimal("30.00"), "fulfilment": "in_store"},
            {"purchase_id": "r:r2", "customer_id": "bob", "redemption_id": "r2", "merchant_id": "noodle",
             "purchased_at": at(6), "source": "offline"},
        ],
        "journey_touches": [
            {"journey_id": "o:o1", "touch_id": touch, "customer_id": "ann", "position": place, "touched_at": at(place),
             "channel": channel, "campaign_id": campaign}
            for place, (touch, channel, campaign) in enumerate(
                [("s:spring:ann", "line", "spring"), ("t1", "line", "spring"), ("t2", "search", None)], 1)
        ],
        "attribution_ledger": _entries("o:o1", {"t1": "line", "t2": "search"}, "-20.00"),
        "reviews": [
            ann | {"review_id": "w1", "redemption_id": "r1", "reviewed_at": at(9), "rating": 2, "is_complaint": True,
                   "text": "call me: ann@example.com"},
        ],
    }  # fmt: skip
    columns = {name: [*rows, *more.get(name, [])] for name, rows in tables.items()}
    return columns | {name: rows for name, rows in more.items() if name not in tables}
