"""Who customers are, whom they brought, what they hold in their hands and what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import counted, days_between, km_between, moment, share
from o2o_mining.marts.bought import since

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

_MICRO = 10**6
_DAY_US = 86_400_000_000.0


def of_people(customers: ir.Table, *, as_of: date) -> ir.Table:
    """One customer of the feed."""
    at_home = customers.filter(customers.city.notnull() & customers.home_lat.notnull() & customers.home_lon.notnull())
    centre = at_home.group_by(centre_of=at_home.city).aggregate(
        n=at_home.count(), lat=counted(at_home.home_lat, _MICRO).sum(), lon=counted(at_home.home_lon, _MICRO).sum()
    )
    centre = centre.select(
        "centre_of", lat=share(centre.lat, centre.n * _MICRO), lon=share(centre.lon, centre.n * _MICRO)
    )
    t = customers.left_join(centre, customers.city == centre.centre_of)
    return t.select(
        "customer_id", "home_lat", "home_lon",
        age_years=ibis.literal(as_of.year) - t.birth_year,
        known_days=days_between(moment(as_of), t.joined_at),
        is_referred=t.referrer_id.notnull(),
        home_to_centre_km=km_between(t.home_lat, t.home_lon, t.lat, t.lon),
    )  # fmt: skip


def of_friends(customers: ir.Table, bought: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who brought others."""
    brought = customers.filter(customers.referrer_id.notnull()).select("referrer_id", friend_id="customer_id")
    active = bought.filter(bought.purchased_at >= since(as_of, 90)).select(active_id="customer_id").distinct()
    t = brought.left_join(active, brought.friend_id == active.active_id)
    return t.group_by(customer_id=t.referrer_id).aggregate(
        n_friends=t.count(), n_friends_active_90d=t.active_id.count()
    )


def of_coupons(coupon_lifecycle: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who received or used a coupon."""
    t = coupon_lifecycle
    is_receipt = ~t.receipt_id.startswith("u:")
    is_used = t.redeemed_at.notnull()
    this_year = is_receipt & (t.received_at >= since(as_of, 365))
    in_order = is_receipt & (t.redeemed_at >= t.received_at)
    sums = t.group_by("customer_id").aggregate(
        n_receipts=t.count(where=is_receipt),
        n_receipts_90d=t.count(where=is_receipt & (t.received_at >= since(as_of, 90))),
        n_coupon_uses=t.count(where=is_used),
        n_coupon_uses_90d=t.count(where=t.redeemed_at >= since(as_of, 90)),
        used=t.count(where=is_receipt & is_used),
        received_this_year=t.count(where=this_year),
        used_of_them=t.count(where=this_year & is_used),
        in_order=t.count(where=in_order),
        waited_us=t.redeemed_at.delta(t.received_at, unit="microsecond").sum(where=in_order),
    )
    return sums.select(
        "customer_id", "n_receipts", "n_receipts_90d", "n_coupon_uses", "n_coupon_uses_90d",
        redemption_share=share(sums.used, sums.n_receipts),
        redemption_365d_share=share(sums.used_of_them, sums.received_this_year),
        mean_redeem_days=share(sums.waited_us, sums.in_order) / _DAY_US,
    )  # fmt: skip


def of_reviews(reviews: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who wrote a review."""
    sums = reviews.group_by("customer_id").aggregate(
        n_reviews=reviews.count(),
        stars=reviews.rating.sum(),
        n_complaints=reviews.count(where=reviews.is_complaint),
        n_complaints_90d=reviews.count(where=reviews.is_complaint & (reviews.reviewed_at >= since(as_of, 90))),
    )
    return sums.select(
        "customer_id", "n_reviews", "n_complaints", "n_complaints_90d", mean_rating=share(sums.stars, sums.n_reviews)
    )
