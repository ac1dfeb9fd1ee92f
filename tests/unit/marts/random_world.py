"""A world in which everything that can happen happens, at random and often at one moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.unit.marts.worlds import campaign, coupon, order, receipt, send, touch, use, visit

if TYPE_CHECKING:
    from tests.unit.marts.worlds import World

FIRST = datetime(2024, 4, 1)


def random_world(seed: int, *, size: int = 60) -> World:
    """Return all feeds that this room reads."""
    draw = np.random.default_rng(seed)

    def moment(earliest: datetime = FIRST) -> datetime:
        return earliest + timedelta(days=int(draw.integers(0, 40)), hours=6 * int(draw.integers(0, 4)))

    def maybe(prefix: str, share: float = 0.5, names: int = 6) -> str | None:
        return f"{prefix}{draw.integers(0, names)}" if draw.random() < share else None

    def money(share: float = 0.8) -> Decimal | None:
        return Decimal(int(draw.integers(0, 5000))).scaleb(-2) if draw.random() < share else None

    def refund(since: datetime) -> dict[str, Any]:
        if draw.random() < 0.7:
            return {}
        return {"refunded_at": moment(since), "refunded_amount": money(0.5)}

    def placed(number: int) -> dict[str, Any]:
        when = moment()
        state = str(draw.choice(["paid", "paid", "cancelled", "refunded"]))
        gone = {"cancelled_at": moment(when)} if state == "cancelled" and draw.random() < 0.7 else {}
        return order(
            str(number), when, customer_id=maybe("c", 1), merchant_id=maybe("m", 1), store_id=maybe("s"), status=state,
            list_amount=money(), paid_amount=money(), coupon_id=maybe("k", 0.3), receipt_id=maybe("q", 0.1, size),
            campaign_id=maybe("x", 0.2), channel=maybe("channel"), tracking_code=maybe("t", 0.3),
            fulfilment=("reservation", "delivery", "in_store", None)[number % 4],
            reserved_for=when + timedelta(days=number % 7) if number % 3 else None,
            promised_wait_min=float(number % 20) if number % 5 else None, **gone, **refund(when),
        )  # fmt: skip

    def eaten(number: int) -> dict[str, Any]:
        when = moment()
        return visit(
            str(number), when, customer_id=maybe("c", 1), merchant_id=maybe("m", 1), store_id=maybe("s"),
            order_id=maybe("", 0.5, size), coupon_id=maybe("k", 0.3), receipt_id=maybe("q", 0.1, size),
            list_amount=money(), paid_amount=money(0.4), tracking_code=maybe("t", 0.2),
            waited_min=1.3 * (number % 30) if number % 7 else None, **refund(when),
        )  # fmt: skip

    def contact(prefix: str, number: int) -> dict[str, Any]:
        who = {"customer_id": maybe("c", 1), "tracking_code": maybe("t", 0.3)}
        if prefix == "s":
            return send(f"{number}", moment(), campaign_id=maybe("x", 1), **who)
        channel = str(maybe("channel", 1))
        action, device = ("click", "impression")[number % 2], ("phone", "desk", "tv", None)[number % 4]
        return touch(
            f"{number}", moment(), channel, campaign_id=maybe("x", 0.4), **who, action=action, device=device
        )  # fmt: skip

    numbers = range(size)
    return {
        "customers": [{"customer_id": f"c{i}", "joined_at": moment() if i % 2 else None} for i in range(9)],
        "campaigns": [campaign(f"x{i}", maybe("channel", 0.6)) for i in range(5)],
        "coupons": [
            coupon(f"k{i}", campaign_id=maybe("x"), valid_days=int(draw.integers(1, 30)) if i % 2 else None)
            for i in range(5)
        ],
        "online_orders": [placed(i) for i in numbers],
        "offline_redemptions": [eaten(i) for i in numbers],
        "touches": [contact("t", i) for i in range(2 * size)],
        "sends": [contact("s", i) for i in numbers],
        "coupon_receipts": [
            receipt(f"q{i}", moment(), customer_id=maybe("c", 1), coupon_id=maybe("k", 1),
                    tracking_code=maybe("t", 0.1))
            for i in numbers
        ],
        "coupon_redemptions": [
            use(str(i), moment(), customer_id=maybe("c", 1), coupon_id=maybe("k", 1), receipt_id=maybe("q", 0.3, size),
                redemption_id=maybe("", 0.5, size), order_id=maybe("", 0.3, size), discount_amount=money(0.5))
            for i in numbers
        ],
    }  # fmt: skip
