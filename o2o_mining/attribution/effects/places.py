"""Where a campaign ran and where not: what was bought in each place, week by week around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import to_cents
from o2o_mining.engine.portable import days_between

if TYPE_CHECKING:
    import ibis.expr.types as ir

PRE_WEEKS = 26
_WEEK_DAYS = 7


def store_purchases(purchases: ir.Table, campaign: ir.Table, running: ir.Table, reached: ir.Table) -> ir.Table:
    """One purchase in a store, of the campaign's merchant or of one without any campaign in that time.

    Parameters
    ----------
    purchases
        As known before a day.
    campaign, running
        One row of ``spans`` that names its merchant, and all of ``spans``.
    reached
        ``customer_id`` of those whom the campaign reached.

    Returns
    -------
    ibis.Table
        ``place``, ``treated``, ``reached`` (whether the buyer was), ``customer_id``, ``purchased_at``, ``cents``.
    """
    one = campaign.select("starts_at", "until", seller="merchant_id")
    beside = running.cross_join(one)
    # Where another campaign ran at the same time, nothing shows what would have been without any.
    busy = beside.filter((beside.starts_at < beside.until_right) & (beside.until > beside.starts_at_right))
    sold = purchases.filter(purchases.cancelled_at.isnull() & purchases.store_id.notnull()).cross_join(
        one.select("seller")
    )
    sold = sold.mutate(treated=sold.merchant_id == sold.seller)
    others = sold.filter(~sold.treated).anti_join(busy.filter(busy.merchant_id.notnull()), "merchant_id")
    every = ibis.union(*(_bought(rows, rows.store_id) for rows in (sold.filter(sold.treated), others)))
    return _marked(every, reached)


def city_purchases(purchases: ir.Table, customers: ir.Table, reached: ir.Table) -> ir.Table:
    """One purchase of a customer of a city in which the campaign reached many, or nobody.

    Parameters
    ----------
    purchases
        As known before a day.
    customers
        The feed.
    reached
        ``customer_id`` of those whom the campaign reached.

    Returns
    -------
    ibis.Table
        ``place``, ``treated``, ``reached`` (whether the buyer was), ``customer_id``, ``purchased_at``, ``cents``.
    """
    homes = customers.filter(customers.city.notnull()).select("customer_id", "city")
    marked = _marked(homes, reached)
    cities = marked.group_by("city").aggregate(share=marked.reached.mean())
    # Where a few were reached the campaign neither ran nor did not run.
    clear = cities.filter((cities.share == 0) | (cities.share >= 0.05)).select("city", treated=cities.share > 0)
    sold = purchases.filter(purchases.cancelled_at.isnull()).inner_join(homes, "customer_id")
    placed = sold.inner_join(clear, "city")
    return _marked(_bought(placed, placed.city), reached)


def _marked(rows: ir.Table, reached: ir.Table) -> ir.Table:
    """One row, with whether the campaign reached its customer."""
    there = reached.select("customer_id", there=ibis.literal(True)).distinct()
    joined = rows.left_join(there, "customer_id", rname="{name}_reached")
    return joined.select(*rows.columns, reached=joined.there.fill_null(False))


def _bought(rows: ir.Table, place: ir.StringValue) -> ir.Table:
    """One purchase in one place."""
    return rows.select(
        "treated", "customer_id", "purchased_at", place=place, cents=to_cents(rows.net_amount).fill_null(0)
    )


def place_weeks(bought: ir.Table, campaign: ir.Table) -> ir.Table:
    """One place in one week around a campaign: what was bought there, and how many customers it had before.

    Parameters
    ----------
    bought
        As the functions above give it.
    campaign
        One row of ``spans``.

    Returns
    -------
    ibis.Table
        ``place``, ``treated``, ``week`` (0 for the first of the campaign, below 0 before it), ``purchases``, ``cents``,
        and ``unreached``: purchases of customers whom it did not reach.
    """
    met = bought.cross_join(campaign.select("starts_at", "until"))
    week = (days_between(met.purchased_at, met.starts_at) / float(_WEEK_DAYS)).floor().cast("int64")
    inside = met.mutate(week=week).filter((met.purchased_at < met.until) & (week >= -PRE_WEEKS))
    return inside.group_by(["place", "treated", "week"]).aggregate(
        purchases=inside.count(),
        cents=inside.cents.sum().cast("int64"),
        unreached=(~inside.reached).cast("int64").sum(),
    )


def place_customers(bought: ir.Table, campaign: ir.Table) -> ir.Table:
    """One kind of place, where the campaign ran or where not: customers who had bought there before.

    Parameters
    ----------
    bought
        As the functions above give it.
    campaign
        One row of ``spans``.

    Returns
    -------
    ibis.Table
        ``treated``, ``customers``.
    """
    met = bought.cross_join(campaign.select("starts_at"))
    before = met.filter(met.purchased_at < met.starts_at)
    return before.group_by("treated").aggregate(customers=before.customer_id.nunique())
