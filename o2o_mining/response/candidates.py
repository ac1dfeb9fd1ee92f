"""Which coupons come into question for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.consent import last_words
from o2o_mining.engine.portable import km_between, moment
from o2o_mining.response.deals import distances

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.response.features import Evidence
    from o2o_mining.response.logs import OfferLogs

# Coupons looked at for one customer.
MOST = 20
# A coupon without dates counts as valid while it is handed out.
_HANDED_OUT_DAYS = 30
# Homes are looked at by cells of so many degrees, at most so many metres across (from corner to corner).
_CELL, _CELL_M = 0.002, 320.0
_PLACE = ("city", "cell_lat", "cell_lon")
_M, _FAR = 1000, 1e12


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


@dataclass(frozen=True)
class Reach:
    """What decides which coupons come into question; a step stages it once for all customers.

    Attributes
    ----------
    people
        ``customer_id, city, home_lat, home_lon, cell_lat, cell_lon`` of who may be profiled.
    coupons
        What `valid_coupons` returns.
    met
        ``customer_id, merchant_id`` of customers who visited the merchant or received a coupon of it.
    liked
        ``customer_id, coupon_id, n_liked``: the products of the coupon that the customer has bought.
    near
        What `nearest` returns.
    """

    people: ir.Table
    coupons: ir.Table
    met: ir.Table
    liked: ir.Table
    near: ir.Table


def homes(people: ir.Table, customers: ir.Table) -> ir.Table:
    """One customer who may be profiled, with city, home, and the middle of the cell that the home lies in.

    Parameters
    ----------
    people
        What `profiled` returns.
    customers
        The feed.
    """
    t = people.left_join(customers.select("customer_id", "city", "home_lat", "home_lon"), "customer_id")
    t = t.select("customer_id", "city", "home_lat", "home_lon")
    known = t.home_lat.notnull() & t.home_lon.notnull()
    return t.mutate(**{
        f"cell_{side}": known.ifelse((t[f"home_{side}"] / _CELL).floor() * _CELL + _CELL / 2, ibis.null("float64"))
        for side in ("lat", "lon")
    })  # fmt: skip


def met_before(known: Evidence, coupons: ir.Table, *, as_of: date) -> ir.Table:
    """One customer and merchant whom the customer visited, or received a coupon of, before a day.

    Parameters
    ----------
    known
        What happened.
    coupons
        What `valid_coupons` returns: other merchants are left out.
    as_of
        The day.
    """
    day = moment(as_of)
    met = ibis.union(
        known.visits.filter(known.visits.visited_at < day).select("customer_id", "merchant_id"),
        known.receipts.filter(known.receipts.received_at < day).select("customer_id", "merchant_id"),
        distinct=True,
    )
    return met.semi_join(coupons, "merchant_id")


def liked_before(known: Evidence, coupons: ir.Table, *, as_of: date) -> ir.Table:
    """One customer and coupon good for products that the customer had bought before a day, and for how many.

    Parameters
    ----------
    known, coupons, as_of
        As in `met_before`.
    """
    products = known.logs.coupon_products.select("coupon_id", "product_id").semi_join(coupons, "coupon_id")
    bought = known.lines.filter(known.lines.visited_at < moment(as_of)).semi_join(products, "product_id")
    liked = bought.select("customer_id", "product_id").distinct().join(products, "product_id")
    return liked.group_by("customer_id", "coupon_id").aggregate(n_liked=liked.count())


def nearest(people: ir.Table, coupons: ir.Table, logs: OfferLogs) -> ir.Table:
    """One cell of homes and coupon that may be among the 20 nearest of a home in it, with and without a campaign apart.

    Everything that lies as near to the middle of the cell as the 20th and the cell's own width more: no home in it
    can have another among its 20 nearest. So distances to every coupon of a city are reckoned for cells alone.

    Parameters
    ----------
    people
        What `homes` returns.
    coupons
        What `valid_coupons` returns.
    logs
        For merchants and stores.
    """
    cells = people.filter(people.city.notnull()).select(*_PLACE).distinct()
    merchants = logs.merchants.select("merchant_id", merchant_city="city")
    there = coupons.join(merchants, "merchant_id")
    stores = logs.stores.select("lat", "lon", of_merchant="merchant_id")
    t = cells.join(there, cells.city == there.merchant_city)
    t = t.left_join(stores, t.merchant_id == stores.of_merchant)
    t = t.mutate(m=_M * km_between(t.cell_lat, t.cell_lon, t.lat, t.lon), planned=t.campaign_id.notnull())
    t = t.group_by(*_PLACE, "coupon_id", "planned").aggregate(m=t.m.min().fill_null(_FAR))
    place = ibis.row_number().over(group_by=[*_PLACE, "planned"], order_by=[t.m, t.coupon_id])
    t = t.mutate(place=place)
    last = (t.place == MOST - 1).ifelse(t.m, ibis.null("float64")).max()
    t = t.mutate(last=last.over(group_by=[*_PLACE, "planned"]))
    within = (t.m <= t.last + _CELL_M) & (t.m < _FAR)
    return t.filter((t.place < MOST) | within.fill_null(False)).select(*_PLACE, "coupon_id")


def within_reach(reach: Reach, logs: OfferLogs) -> ir.Table:
    """One customer and coupon within reach: of a merchant of the customer's city, or one the customer knows.

    Of the city those alone that can be among the first 20 of `candidates`.

    Parameters
    ----------
    reach
        The customers, and what decides.
    logs
        For merchants.

    Returns
    -------
    ir.Table
        ``customer_id, coupon_id, merchant_id, campaign_id``, ``is_met`` and ``n_liked``, null if not.
    """
    pair = ["customer_id", "coupon_id"]
    people, met = reach.people, reach.met.semi_join(reach.people, "customer_id")
    cities = logs.merchants.select(of_merchant="merchant_id", merchant_city="city")
    coupons = reach.coupons.left_join(cities, reach.coupons.merchant_id == cities.of_merchant).drop("of_merchant")
    # Cells without coordinates are places too.
    same = [people.city == reach.near.city, *(people[n].identical_to(reach.near[n]) for n in _PLACE[1:])]
    near = people.join(reach.near, same).select(pair)
    known = met.join(coupons, "merchant_id").select(pair)
    own = people.select("customer_id", "city").join(reach.liked, "customer_id")
    own = own.join(coupons.select("coupon_id", "merchant_city"), "coupon_id")
    own = own.filter(own.city == own.merchant_city).select(pair)
    t = ibis.union(near, known, own, distinct=True).join(coupons, "coupon_id")
    t = t.left_join(met.mutate(is_met=True), ["customer_id", "merchant_id"])
    t = t.drop("customer_id_right", "merchant_id_right")
    t = t.left_join(reach.liked, pair)
    return t.select(*pair, "merchant_id", "campaign_id", "is_met", "n_liked")


def candidates(near: ir.Table, logs: OfferLogs, *, as_of: date) -> ir.Table:
    """One customer and coupon that comes into question.

    At most 20 a customer: those of campaigns first, then those good for products bought before, then of merchants
    known, then the nearest.

    Parameters
    ----------
    near
        What `within_reach` returns.
    logs
        For homes and stores.
    as_of
        The day.

    Returns
    -------
    ir.Table
        ``customer_id, coupon_id``, ``known_at`` (the beginning of the day) and ``distance_m``.
    """
    t = near
    way = distances(t.select("customer_id", "merchant_id").distinct(), logs)
    t = t.left_join(way, ["customer_id", "merchant_id"]).drop("customer_id_right", "merchant_id_right")
    order = [
        t.campaign_id.isnull().cast("int64"), ibis.desc(t.n_liked.fill_null(0)), t.is_met.isnull().cast("int64"),
        t.distance_m.fill_null(_FAR), t.coupon_id,
    ]  # fmt: skip
    t = t.mutate(place=ibis.row_number().over(group_by=t.customer_id, order_by=order))
    return t.filter(t.place < MOST).select("customer_id", "coupon_id", "distance_m", known_at=moment(as_of))
