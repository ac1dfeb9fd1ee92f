"""Which coupons come into question for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.consent import last_words
from o2o_mining.engine.portable import moment
from o2o_mining.response.deals import distances

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.response.features import Evidence

# Coupons looked at for one customer.
MOST = 20
# A coupon without dates counts as valid while it is handed out.
_HANDED_OUT_DAYS = 30


def valid_coupons(known: Evidence, *, as_of: date) -> ir.Table:
    """One coupon that can be used on a day.

    Without a start and an end, its own or its campaign's, it can if it was handed out in the 30 days before.

    Parameters
    ----------
    known
        What happened.
    as_of
        The day.

    Returns
    -------
    ir.Table
        ``coupon_id, merchant_id, campaign_id``.
    """
    t, day = known.coupons, moment(as_of)
    recent = known.receipts.filter(
        (known.receipts.received_at < day)
        & (known.receipts.received_at >= moment(as_of - timedelta(days=_HANDED_OUT_DAYS)))
    )
    handed = recent.select(handed_id="coupon_id").distinct()
    t = t.left_join(handed, t.coupon_id == handed.handed_id)
    dated = t.starts_at.notnull() | t.ends_at.notnull()
    begun = (t.starts_at < moment(as_of + timedelta(days=1))).fill_null(True)
    lasting = (t.ends_at > day).fill_null(True)
    return t.filter(begun & lasting & (dated | t.handed_id.notnull())).select("coupon_id", "merchant_id", "campaign_id")


def profiled(customers: ir.Table, consents: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who has not refused to be profiled by the last word before a day.

    Parameters
    ----------
    customers
        ``customer_id`` of everybody known.
    consents
        The feed.
    as_of
        The day.

    Returns
    -------
    ir.Table
        ``customer_id``.
    """
    words = last_words(customers, consents, purpose="profiling", as_of=as_of)
    refused = words.filter(~words.word)
    return customers.select("customer_id").distinct().anti_join(refused, "customer_id")


def candidates(people: ir.Table, coupons: ir.Table, known: Evidence, *, as_of: date) -> ir.Table:
    """One customer and coupon within reach: of a merchant of the customer's city, or one the customer knows.

    At most 20 a customer: those of campaigns first, then those good for products bought before, then of merchants
    known, then the nearest.

    Parameters
    ----------
    people
        ``customer_id``.
    coupons
        What `valid_coupons` returns.
    known
        What happened.
    as_of
        The day.

    Returns
    -------
    ir.Table
        ``customer_id, coupon_id``, ``known_at`` (the beginning of the day), ``distance_m`` and ``place``, from 0:
        those from 20 on are to be left out.
    """
    day, logs = moment(as_of), known.logs
    met = ibis.union(
        known.visits.filter(known.visits.visited_at < day).select("customer_id", "merchant_id"),
        known.receipts.filter(known.receipts.received_at < day).select("customer_id", "merchant_id"),
        distinct=True,
    )
    at_home = logs.customers.filter(logs.customers.city.notnull()).select("customer_id", "city")
    cities = logs.merchants.filter(logs.merchants.city.notnull()).select("merchant_id", "city")
    wanted = coupons.select("merchant_id").distinct()
    near = cities.join(wanted, "merchant_id").join(at_home, "city").select("customer_id", "merchant_id")
    reach = near.union(met.join(wanted, "merchant_id").select("customer_id", "merchant_id"), distinct=True)
    reach = reach.join(people.select("customer_id"), "customer_id")
    reach = reach.left_join(met.mutate(is_met=True), ["customer_id", "merchant_id"])
    way = distances(reach.select("customer_id", "merchant_id"), logs)
    reach = reach.left_join(way, ["customer_id", "merchant_id"])
    reach = reach.select("customer_id", "merchant_id", "is_met", "distance_m")
    t = reach.join(coupons, "merchant_id").drop("merchant_id")
    bought = known.lines.filter(known.lines.visited_at < day).select("customer_id", "product_id").distinct()
    liked = bought.join(logs.coupon_products.select("coupon_id", "product_id"), "product_id")
    liked = liked.group_by("customer_id", "coupon_id").aggregate(n_liked=liked.count())
    t = t.left_join(liked, ["customer_id", "coupon_id"]).drop("customer_id_right", "coupon_id_right")
    order = [
        t.campaign_id.isnull().cast("int64"), ibis.desc(t.n_liked.fill_null(0)), t.is_met.isnull().cast("int64"),
        t.distance_m.fill_null(1e12), t.coupon_id,
    ]  # fmt: skip
    place = ibis.row_number().over(group_by=t.customer_id, order_by=order)
    return t.select("customer_id", "coupon_id", "distance_m", known_at=day, place=place)
