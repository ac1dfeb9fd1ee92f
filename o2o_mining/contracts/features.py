"""The features of a customer: meaning, the feeds they need, and the moments from which each could have been known.

``available_at`` names every time column that the value rests on: each must lie before as_of. ``feeds`` names the feeds
without which the value is null, not 0; of feeds parted by ``|`` any one will do.
"""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Column

# From how many minutes over the promise on a visit is a bad one.
BAD_VISIT_MIN = 10

_feature = partial(Column, nullable=True)
_share = partial(Column, type="double", nullable=True, low=0, high=1)

_BOUGHT = "purchased_at, cancelled_at"
_PAID = "purchased_at, cancelled_at, refunded_at"
_VISITED = "consumed_at, purchased_at, cancelled_at"
_USED = "received_at, redeemed_at"
_PEOPLE = "joined_at"
_LOGS = ("online_orders|offline_redemptions",)
_BOTH = ("online_orders", "offline_redemptions")
_CONTACTS = ("touches|sends",)
_USES = ("coupon_redemptions|offline_redemptions|online_orders",)

_rhythm = partial(_feature, available_at=_BOUGHT, feeds=_LOGS)
_rhythm_share = partial(_share, available_at=_BOUGHT, feeds=_LOGS)
_spend = partial(_feature, available_at=_PAID, feeds=_LOGS)
_receipt = partial(_feature, available_at="received_at", feeds=("coupon_receipts",))
_use = partial(_feature, available_at="redeemed_at", feeds=_USES)
_contact = partial(_feature, available_at="touched_at", feeds=_CONTACTS)
_contact_share = partial(_share, available_at="touched_at", feeds=_CONTACTS)
_visit = partial(_feature, available_at=_VISITED, feeds=_LOGS)
_order_share = partial(_share, available_at=_VISITED, feeds=_BOTH)
_person = partial(_feature, available_at=_PEOPLE, feeds=("customers",))
_review = partial(_feature, available_at="reviewed_at", feeds=("reviews",))

RHYTHM = (
    _rhythm("n_purchases", "int", "Purchases."),
    _rhythm("n_purchases_7d", "int", "Purchases of the last 7 days."),
    _rhythm("n_purchases_30d", "int", "Purchases of the last 30 days."),
    _rhythm("n_purchases_90d", "int", "Purchases of the last 90 days."),
    _rhythm("n_purchases_180d", "int", "Purchases of the last 180 days."),
    _rhythm("n_purchases_365d", "int", "Purchases of the last 365 days."),
    _rhythm(
        "purchase_trend", "double", "Purchases of the last 90 days less those of the 90 before, over both.", low=-1,
        high=1,
    ),
    _rhythm("recency_days", "double", "Days since the last purchase.", low=0),
    _rhythm("tenure_days", "double", "Days since the first purchase.", low=0),
    _rhythm("mean_gap_days", "double", "Mean days between purchases.", low=0),
    _rhythm("median_gap_days", "double", "Median of the days between purchases, in whole minutes.", low=0),
    _rhythm("std_gap_days", "double", "Standard deviation of the days between purchases, from two gaps on.", low=0),
    _rhythm("gap_variation", "double", "Standard deviation of the gaps over their mean.", low=0),
    _rhythm_share("gap_regularity", doc="Squared sum of n gaps over n times the sum of their squares; 1 if alike."),
    _rhythm("recency_over_gap", "double", "Days since the last purchase over the mean gap.", low=0),
    _rhythm_share("monday_share", doc="Share of purchases on local Mondays."),
    _rhythm_share("tuesday_share", doc="Share of purchases on local Tuesdays."),
    _rhythm_share("wednesday_share", doc="Share of purchases on local Wednesdays."),
    _rhythm_share("thursday_share", doc="Share of purchases on local Thursdays."),
    _rhythm_share("friday_share", doc="Share of purchases on local Fridays."),
    _rhythm_share("weekend_share", doc="Share of purchases on local Saturdays and Sundays."),
    _rhythm_share("noon_share", doc="Share of purchases from 11 to 14 h local time."),
    _rhythm_share("evening_share", doc="Share of purchases from 18 to 24 h local time."),
)  # fmt: skip

SPEND = (
    _spend("net_amount", "money", "Sum of net amounts."),
    _spend("net_amount_7d", "money", "Sum of net amounts of the last 7 days."),
    _spend("net_amount_30d", "money", "Sum of net amounts of the last 30 days."),
    _spend("net_amount_90d", "money", "Sum of net amounts of the last 90 days."),
    _spend("net_amount_180d", "money", "Sum of net amounts of the last 180 days."),
    _spend("net_amount_365d", "money", "Sum of net amounts of the last 365 days."),
    _spend("mean_net_amount", "double", "Mean net amount of a purchase."),
    _spend("max_net_amount", "money", "Largest net amount of a purchase."),
    _spend("spend_trend", "double", "Net amount of the last 90 days over that of the last 180."),
    _spend("refunded_amount", "money", "Sum of refunds."),
    _spend("n_refunds", "int", "Purchases of which money was given back."),
)

DISCOUNTS = (
    _rhythm("discount_share", "double", "Discounts over list prices; below 0 where more was paid than listed."),
    _rhythm("mean_discount_share", "double", "Mean of a purchase's discount over its list price, to a millionth."),
    _rhythm_share("discounted_share", doc="Share of purchases, of those with a known discount, that had one."),
    _rhythm_share("discounted_spend_share", doc="Share of money paid, of that with a known discount, paid with one."),
    _receipt("n_receipts", "int", "Coupons received."),
    _receipt("n_receipts_90d", "int", "Coupons received in the last 90 days."),
    _use("n_coupon_uses", "int", "Coupons used, with or without a receipt."),
    _use("n_coupon_uses_90d", "int", "Coupons used in the last 90 days."),
    _share("redemption_share", doc="Received coupons that were used.", available_at=_USED, feeds=("coupon_receipts",)),
    _share(
        "redemption_365d_share", doc="Coupons received in the last 365 days that were used.", available_at=_USED,
        feeds=("coupon_receipts",),
    ),
    _feature(
        "mean_redeem_days", "double", "Mean days from receipt to use.", low=0, available_at=_USED,
        feeds=("coupon_receipts",),
    ),
)  # fmt: skip

CONTACTS = (
    _contact("n_touches_7d", "int", "Touches of the last 7 days."),
    _contact("n_touches_30d", "int", "Touches of the last 30 days."),
    _contact("n_touches_90d", "int", "Touches of the last 90 days."),
    _contact("n_touch_channels", "int", "Channels that touched the customer."),
    _contact_share("unpaid_share", doc="Share of touches that belong to no campaign."),
    _contact_share("main_channel_share", doc="Share of touches through the channel of most."),
    _contact("n_devices", "int", "Devices of the touches."),
    _contact_share("main_device_share", doc="Share of touches with a known device on the device of most."),
    _contact("n_impressions_90d", "int", "Impressions of campaigns in the last 90 days."),
    _contact("n_clicks_90d", "int", "Clicks of campaigns in the last 90 days."),
    _contact("n_campaigns_90d", "int", "Campaigns that reached the customer in the last 90 days."),
    _contact("contact_days", "double", "Days since the last touch.", low=0),
    _feature(
        "n_exposed_purchases", "int", "Purchases with a touch of a campaign in their journey.",
        available_at=f"touched_at, {_BOUGHT}", feeds=(*_LOGS, *_CONTACTS),
    ),
    _share(
        "exposed_purchase_share", doc="Share of purchases with a touch of a campaign in their journey.",
        available_at=f"touched_at, {_BOUGHT}", feeds=(*_LOGS, *_CONTACTS),
    ),
)  # fmt: skip

CHOICES = (
    _rhythm("n_merchants", "int", "Merchants bought from."),
    _rhythm("n_merchants_90d", "int", "Merchants bought from in the last 90 days."),
    _rhythm_share("top_merchant_share", doc="Share of purchases at the merchant of most."),
    _rhythm("merchant_entropy", "double", "Entropy of purchases over merchants in nats, to a millionth.", low=0),
    _visit("n_stores", "int", "Stores visited."),
    _feature(
        "n_categories", "int", "Categories of merchants bought from.", available_at=_BOUGHT,
        feeds=(*_LOGS, "merchants"),
    ),
    _share(
        "top_category_share", doc="Share of purchases of a known category in the category of most.",
        available_at=_BOUGHT, feeds=(*_LOGS, "merchants"),
    ),
    _feature(
        "category_entropy", "double", "Entropy of purchases over categories in nats, to a millionth.", low=0,
        available_at=_BOUGHT, feeds=(*_LOGS, "merchants"),
    ),
)  # fmt: skip

PLACES = (
    _visit("mean_distance_m", "double", "Mean distance to the store, visits taken to the metre.", low=0),
    _visit("max_distance_m", "double", "Largest distance to the store.", low=0),
    _share(
        "within_2km_share", doc="Share of visits of known distance within 2 km.", available_at=_VISITED, feeds=_LOGS
    ),
    _feature(
        "home_to_visits_km", "double", "From home to the middle of the stores bought from, to the metre.", low=0,
        available_at=f"joined_at, {_BOUGHT}", feeds=(*_LOGS, "customers", "stores"),
    ),
    _person("home_to_centre_km", "double", "From home to the middle of the city's known homes, to the metre.", low=0),
)  # fmt: skip

ONLINE_TO_OFFLINE = (
    _share("online_share", doc="Share of purchases made online.", available_at=_BOUGHT, feeds=_BOTH),
    _share(
        "delivery_share", doc="Share of online purchases of known fulfilment that were delivered.",
        available_at=_BOUGHT, feeds=("online_orders",),
    ),
    _share(
        "cancelled_share", doc="Share of online orders that were cancelled.", available_at=_BOUGHT,
        feeds=("online_orders",),
    ),
    _feature(
        "n_reservations", "int", "Reservations whose time has come, those cancelled before it left out.",
        available_at=_BOUGHT, feeds=("online_orders",),
    ),
    _feature("n_no_shows", "int", "Of these the ones not kept.", available_at=_VISITED, feeds=_BOTH),
    _order_share("kept_reservations_share", doc="Share of these that were kept."),
)  # fmt: skip

PROMISES = (
    _order_share("late_share", doc="Share of visits with a promise and a known wait that waited longer than promised."),
    _feature(
        "mean_excess_wait_min", "double", "Mean wait beyond the promise of such visits, to a hundredth; 0 if kept.",
        low=0, available_at=_VISITED, feeds=_BOTH,
    ),
    _feature(
        "n_bad_visits_90d", "int", f"Visits of the last 90 days over {BAD_VISIT_MIN} min beyond the promise.",
        available_at=_VISITED, feeds=_BOTH,
    ),
    _review("n_reviews", "int", "Reviews written."),
    _review("mean_rating", "double", "Mean of the stars given.", low=1, high=5),
    _review("n_complaints", "int", "Reviews that complain."),
    _review("n_complaints_90d", "int", "Reviews of the last 90 days that complain."),
)  # fmt: skip

PEOPLE = (
    _person("age_years", "int", "Year of as_of less the year of birth."),
    _person("known_days", "double", "Days since the customer became known.", low=0),
    _person("is_referred", "boolean", "Whether somebody brought the customer."),
    _person("n_friends", "int", "Customers brought."),
    _feature(
        "n_friends_active_90d", "int", "Customers brought who bought in the last 90 days.",
        available_at=f"joined_at, {_BOUGHT}", feeds=(*_LOGS, "customers"),
    ),
)  # fmt: skip

GROUPS: dict[str, tuple[Column, ...]] = {
    "rhythm": RHYTHM,
    "spend": SPEND,
    "discounts and coupons": DISCOUNTS,
    "contacts and campaigns": CONTACTS,
    "merchants and categories": CHOICES,
    "distance": PLACES,
    "online to offline": ONLINE_TO_OFFLINE,
    "promises kept": PROMISES,
    "people and referrals": PEOPLE,
}
FEATURES: tuple[Column, ...] = tuple(feature for group in GROUPS.values() for feature in group)
