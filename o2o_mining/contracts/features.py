"""The features of a customer: unit, meaning, and the moment from which each could have been known."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Column

_f = partial(Column, nullable=True)

FEATURES: tuple[Column, ...] = (
    Column("n_purchases", "int", "Purchases.", available_at="purchased_at"),
    Column("n_purchases_30d", "int", "Purchases of the last 30 days.", available_at="purchased_at"),
    Column("n_purchases_90d", "int", "Purchases of the last 90 days.", available_at="purchased_at"),
    Column("n_purchases_365d", "int", "Purchases of the last 365 days.", available_at="purchased_at"),
    _f("recency_days", "double", "Days since the last purchase.", available_at="purchased_at"),
    _f("tenure_days", "double", "Days since the first purchase.", available_at="purchased_at"),
    _f("mean_gap_days", "double", "Mean days between purchases.", available_at="purchased_at"),
    _f("net_amount", "money", "Sum of net amounts.", available_at="purchased_at"),
    _f("net_amount_90d", "money", "Sum of net amounts of the last 90 days.", available_at="purchased_at"),
    _f("mean_net_amount", "double", "Mean net amount of a purchase.", available_at="purchased_at"),
    _f("discount_share", "double", "Discounts over list prices.", available_at="purchased_at"),
    Column("refunded_amount", "money", "Sum of refunds.", available_at="refunded_at"),
    Column("n_merchants", "int", "Merchants bought from.", available_at="purchased_at"),
    Column("n_stores", "int", "Stores visited.", available_at="consumed_at"),
    _f("online_share", "double", "Share of purchases made online.", available_at="purchased_at"),
    _f("weekend_share", "double", "Share of purchases on local Saturdays and Sundays.", available_at="purchased_at"),
    _f("evening_share", "double", "Share of purchases from 18 to 24 h local time.", available_at="purchased_at"),
    Column("n_touches_30d", "int", "Touches of the last 30 days.", available_at="touched_at"),
    Column("n_touch_channels", "int", "Channels that touched the customer.", available_at="touched_at"),
    Column("n_receipts", "int", "Coupons received.", available_at="received_at"),
    Column("n_coupon_uses", "int", "Coupons used.", available_at="redeemed_at"),
    _f("redemption_share", "double", "Received coupons that were used.", available_at="redeemed_at"),
)
