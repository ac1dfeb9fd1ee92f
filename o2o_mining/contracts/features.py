"""The features of a customer: unit, meaning, and the moments from which each could have been known.

``available_at`` names every time column that the value rests on: each must lie before as_of.
"""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Column

_BOUGHT = "purchased_at, cancelled_at"
_PAID = "purchased_at, cancelled_at, refunded_at"

_bought = partial(Column, available_at=_BOUGHT)
_opt_bought = partial(Column, available_at=_BOUGHT, nullable=True)
_opt_paid = partial(Column, available_at=_PAID, nullable=True)
_touched = partial(Column, available_at="touched_at")

FEATURES: tuple[Column, ...] = (
    _bought("n_purchases", "int", "Purchases."),
    _bought("n_purchases_30d", "int", "Purchases of the last 30 days."),
    _bought("n_purchases_90d", "int", "Purchases of the last 90 days."),
    _bought("n_purchases_365d", "int", "Purchases of the last 365 days."),
    _opt_bought("recency_days", "double", "Days since the last purchase.", low=0),
    _opt_bought("tenure_days", "double", "Days since the first purchase.", low=0),
    _opt_bought("mean_gap_days", "double", "Mean days between purchases.", low=0),
    _opt_paid("net_amount", "money", "Sum of net amounts."),
    _opt_paid("net_amount_90d", "money", "Sum of net amounts of the last 90 days."),
    _opt_paid("mean_net_amount", "double", "Mean net amount of a purchase."),
    _opt_bought("discount_share", "double", "Discounts over list prices; below 0 where more was paid than listed."),
    Column("refunded_amount", "money", "Sum of refunds.", available_at=_PAID),
    _bought("n_merchants", "int", "Merchants bought from."),
    Column("n_stores", "int", "Stores visited.", available_at=f"consumed_at, {_BOUGHT}"),
    _opt_bought("online_share", "double", "Share of purchases made online.", low=0, high=1),
    _opt_bought("weekend_share", "double", "Share of purchases on local Saturdays and Sundays.", low=0, high=1),
    _opt_bought("evening_share", "double", "Share of purchases from 18 to 24 h local time.", low=0, high=1),
    _touched("n_touches_30d", "int", "Touches of the last 30 days."),
    _touched("n_touch_channels", "int", "Channels that touched the customer."),
    Column("n_receipts", "int", "Coupons received.", available_at="received_at"),
    Column("n_coupon_uses", "int", "Coupons used, with or without a receipt.", available_at="redeemed_at"),
    Column(
        "redemption_share",
        "double",
        "Received coupons that were used.",
        nullable=True,
        low=0,
        high=1,
        available_at="received_at, redeemed_at",
    ),
)
