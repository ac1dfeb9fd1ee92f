"""What merchants sold, what that cost, and the visits whose consequences are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import ibis

from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

_SQUARE_DEGREES = 0.02


class SoldFrom(NamedTuple):
    """The tables that sales come from; purchases and coupons as known before as_of."""

    purchases: ir.Table
    coupon_lifecycle: ir.Table
    campaigns: ir.Table
    campaign_costs: ir.Table
    touches: ir.Table


def merchant_sales(logs: SoldFrom, *, as_of: date, since: date) -> ir.Table:
    """One merchant with a purchase since a day: money in, money given away, stores, and coupons used and expired.

    Parameters
    ----------
    logs
        The tables.
    as_of
        Uses what was known before this UTC day.
    since
        The first day of purchases, costs and coupons received.

    Returns
    -------
    ir.Table
        ``merchant_id, list_amount, discount_amount, net_amount, stores, media, used, expired``; sums are null where
        nothing is known.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = SoldFrom(*(ibis.table(contract(name).schema, name=name) for name in SoldFrom._fields))
    >>> merchant_sales(logs, as_of=date(2024, 7, 1), since=date(2024, 4, 1)).columns[:2]
    ('merchant_id', 'list_amount')
    """
    t = logs.purchases
    t = t.filter(t.cancelled_at.isnull(), t.purchased_at >= moment(since))
    sold = t.group_by("merchant_id").aggregate(
        list_amount=t.list_amount.sum(where=t.discount_amount.notnull()),
        discount_amount=t.discount_amount.sum(),
        net_amount=t.net_amount.sum(),
        stores=t.store_id.nunique(),
    )
    media, coupons = _media(logs, as_of=as_of, since=since), _coupons(logs.coupon_lifecycle, since=since)
    t = sold.left_join(media, sold.merchant_id == media.payer_id)
    t = t.left_join(coupons, t.merchant_id == coupons.issuer_id)
    return t.select("merchant_id", "list_amount", "discount_amount", "net_amount", "stores", "media", "used", "expired")


def _media(logs: SoldFrom, *, as_of: date, since: date) -> ir.Table:
    """One merchant with the cost of its campaigns: by the feed of costs, or by touches where nobody gave that feed."""
    told = logs.campaign_costs.filter(logs.campaign_costs.spent_on < ibis.literal(as_of))
    whole = told.filter(told.spent_on >= ibis.literal(since)).select("campaign_id", "cost")
    t = logs.touches
    t = t.filter(t.campaign_id.notnull(), t.cost.notnull(), t.touched_at >= moment(since), t.touched_at < moment(as_of))
    t = t.cross_join(told.aggregate(is_told=told.count() > 0))
    paid = whole.union(t.filter(~t.is_told).select("campaign_id", "cost"))
    payers = logs.campaigns.filter(logs.campaigns.merchant_id.notnull())
    t = paid.join(payers.select("campaign_id", payer_id="merchant_id"), "campaign_id")
    return t.group_by("payer_id").aggregate(media=t.cost.sum())


def _coupons(lifecycle: ir.Table, *, since: date) -> ir.Table:
    t = lifecycle.filter(lifecycle.received_at >= moment(since))
    return t.group_by(issuer_id=t.merchant_id).aggregate(
        used=(t.state == "redeemed").sum(), expired=(t.state == "expired").sum()
    )


def served_visits(known: ir.Table, merchants: ir.Table, customers: ir.Table, *, since: date) -> ir.Table:
    """One visit to which a wait was promised and whose wait is known.

    Parameters
    ----------
    known
        Payments with their promises, as `with_promises` returns them.
    merchants, customers
        The feeds.
    since
        The first day.

    Returns
    -------
    ir.Table
        ``purchase_id, customer_id, area, merchant_id, category, consumed_at, beyond_min``; the area is a square of
        about two kilometres about the customer's home, else the city, else nothing.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> served_visits(*(ibis.table(contract(n).schema, name=n)
    ...                 for n in ("known_purchases", "merchants", "customers")), since=date(2024, 1, 1)).columns[-1]
    'beyond_min'
    """
    t = known.filter(known.consumed_at >= moment(since), known.cancelled_at.isnull())
    kinds = merchants.select(kind_id="merchant_id", category="category")
    t = t.left_join(kinds, t.merchant_id == kinds.kind_id)
    degrees = (customers.home_lat, customers.home_lon)
    north, east = ((at / _SQUARE_DEGREES).floor().cast("int64").cast("string") for at in degrees)
    homes = customers.select(home_id="customer_id", area=(north + ":" + east).fill_null(customers.city))
    t = t.left_join(homes, t.customer_id == homes.home_id)
    t = t.mutate(beyond_min=(t.waited_min - t.promised_wait_min).round(2))
    return t.filter(t.beyond_min.notnull()).select(
        "purchase_id", "customer_id", "area", "merchant_id", "category", "consumed_at", "beyond_min"
    )
