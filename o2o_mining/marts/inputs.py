"""What the tables of events are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from o2o_mining.engine.base import Engine

PURCHASES = ("online_orders", "offline_redemptions", "coupon_redemptions", "coupons")
CONTACTS = ("touches", "sends", "coupon_receipts", "campaigns")
COUPONS = ("coupon_receipts", "coupons", "coupon_redemptions", "offline_redemptions", "online_orders")
# The feeds that each is made of, and the other tables of events it rests on.
MADE_OF = {
    "purchases": PURCHASES,
    "journey_touches": (*PURCHASES, *CONTACTS),
    "journeys": (*PURCHASES, *CONTACTS),
    "coupon_lifecycle": COUPONS,
}
RESTS_ON = {"journey_touches": ("purchases",), "journeys": ("purchases", "journey_touches")}


def missing(engine: Engine, feeds: tuple[str, ...]) -> tuple[str, ...]:
    """Say which of the feeds are missing or empty."""
    return tuple(f"The feed {name} is {lack}." for name in feeds if (lack := engine.absence(name)))
