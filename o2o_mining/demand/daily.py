"""What was sold where, day by day, and the months of the market: the tables that both halves of the room start from."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.demand import EVERYTHING, UNKNOWN

if TYPE_CHECKING:
    import ibis.expr.types as ir

PAIR = " / "  # between a category and a city


def daily_demand(purchases: ir.Table, merchants: ir.Table, *, as_of: date, since: date) -> ir.Table:
    """One merchant, or one of its stores, on one day on which something happened there.

    Parameters
    ----------
    purchases
        As known before as_of.
    merchants
        The feed.
    as_of
        Uses what happened before this UTC day.
    since
        First day.

    Returns
    -------
    ibis.Table
        ``ds`` (UTC day), ``category``, ``merchant_id``, ``store_id``, ``purchases`` and ``net_cents`` by the day of the
        purchase, ``redemptions`` by the day of the consumption in the store, and ``amounts``, how many purchases have
        a known amount. Cancelled purchases count nowhere.
    """
    valid = purchases.filter(purchases.cancelled_at.isnull())
    nothing = ibis.literal(0, "int64")
    bought = valid.select(
        "merchant_id",
        "store_id",
        ds=valid.purchased_at.date(),
        purchases=ibis.literal(1, "int64"),
        net_cents=(valid.net_amount.fill_null(ibis.literal(0, "decimal(18, 2)")) * 100).cast("int64"),
        amounts=valid.net_amount.notnull().cast("int64"),
        redemptions=nothing,
    )
    came = valid.filter(valid.redemption_id.notnull() & valid.consumed_at.notnull())
    consumed = came.select(
        "merchant_id",
        "store_id",
        ds=came.consumed_at.date(),
        purchases=nothing,
        net_cents=nothing,
        amounts=nothing,
        redemptions=ibis.literal(1, "int64"),
    )
    events = bought.union(consumed)
    events = events.filter((events.ds >= ibis.literal(since)) & (events.ds < ibis.literal(as_of)))
    summed = events.group_by(["ds", "merchant_id", "store_id"]).aggregate(
        **{name: events[name].sum() for name in ("purchases", "net_cents", "redemptions", "amounts")}
    )
    known = merchants.select("merchant_id", "category")
    joined = summed.left_join(known, "merchant_id")
    return joined.select(
        "ds", "category", "merchant_id", "store_id", "purchases", "net_cents", "redemptions", "amounts"
    )


def running_campaigns(campaigns: ir.Table, *, since: date, until: date) -> ir.Table:
    """One campaign that runs on one of the days from since to before until: its merchant, first day and day after.

    Parameters
    ----------
    campaigns
        The feed; what is planned is known.
    since, until
        UTC days.

    Returns
    -------
    ibis.Table
        ``campaign_id, merchant_id`` (null: of all merchants), ``starts_on``, ``ends_on`` (the first day without it).
    """
    begins, ends = campaigns.starts_at.date(), campaigns.ends_at.date()
    # A campaign that ends at midnight did not run on that day; one that ends later did.
    ran_on_last = (campaigns.ends_at > ends.cast("timestamp(6)")).ifelse(1, 0)
    table = campaigns.select("campaign_id", "merchant_id", starts_on=begins, ends_on=ends, ran_on_last=ran_on_last)
    return table.filter((table.starts_on < ibis.literal(until)) & (table.ends_on >= ibis.literal(since)))


def merchant_months(purchases: ir.Table, merchants: ir.Table, *, as_of: date) -> ir.Table:
    """One merchant's sales in one month.

    Parameters
    ----------
    purchases
        As known before as_of.
    merchants
        The feed.
    as_of
        Uses purchases before this UTC day.

    Returns
    -------
    ibis.Table
        ``month`` (its first day), ``category``, ``city``, ``merchant_id``, ``purchases``, ``net_revenue`` (null if no
        amount is known), ``first_on``, the first day of a purchase. Cancelled purchases are left out.
    """
    sold = _placed(purchases, merchants, as_of)
    return sold.group_by(["month", "category", "city", "merchant_id"]).aggregate(
        purchases=sold.count(), net_revenue=sold.net_amount.sum(), first_on=sold.ds.min()
    )


def market_customers(purchases: ir.Table, merchants: ir.Table, *, as_of: date) -> ir.Table:
    """How many customers bought in one month: in all, in one category, in one city, in one category of one city.

    Parameters
    ----------
    purchases, merchants, as_of
        As ``merchant_months`` takes them.

    Returns
    -------
    ibis.Table
        ``dimension, id, month, customers``.
    """
    sold = _placed(purchases, merchants, as_of)
    ids = {
        "total": ibis.literal(EVERYTHING),
        "category": sold.category,
        "city": sold.city,
        "category_city": sold.category.concat(PAIR, sold.city),
    }
    parts = [
        sold.select("month", "customer_id", dimension=ibis.literal(dimension), id=value)
        for dimension, value in ids.items()
    ]
    every = ibis.union(*parts)
    return every.group_by(["dimension", "id", "month"]).aggregate(customers=every.customer_id.nunique())


def _placed(purchases: ir.Table, merchants: ir.Table, as_of: date) -> ir.Table:
    """Return the purchases that count, with their month and where their merchant stands."""
    valid = purchases.filter(purchases.cancelled_at.isnull() & (purchases.purchased_at.date() < ibis.literal(as_of)))
    dated = valid.select(
        "merchant_id",
        "customer_id",
        "net_amount",
        ds=valid.purchased_at.date(),
        month=valid.purchased_at.date().truncate("M"),
    )
    known = merchants.select(
        "merchant_id",
        category=merchants.category.fill_null(UNKNOWN),
        city=merchants.city.fill_null(UNKNOWN),
    )
    joined = dated.left_join(known, "merchant_id")
    return joined.select(
        "merchant_id",
        "customer_id",
        "net_amount",
        "ds",
        "month",
        category=joined.category.fill_null(UNKNOWN),
        city=joined.city.fill_null(UNKNOWN),
    )
