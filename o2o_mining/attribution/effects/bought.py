"""What the customers of a campaign bought in a time around it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import to_cents
from o2o_mining.engine.portable import days_between, moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

AFTER_DAYS = 14
"""Effects are counted up to so many days after the end of a campaign."""

BEFORE_DAYS = 90
_TIMES = 4


def spans(campaigns: ir.Table, *, as_of: date) -> ir.Table:
    """One campaign that began before as_of, and the time in which its effect is counted.

    Parameters
    ----------
    campaigns
        The feed.
    as_of
        Nothing from this UTC day on counts.

    Returns
    -------
    ibis.Table
        ``campaign_id``, ``merchant_id``, ``starts_at``, ``until``.
    """
    begun = campaigns.filter(campaigns.starts_at < moment(as_of))
    over = begun.ends_at + ibis.interval(days=AFTER_DAYS)
    return begun.select("campaign_id", "merchant_id", "starts_at", until=ibis.least(over, moment(as_of)))


def bought_by_drawn(purchases: ir.Table, campaigns: ir.Table, assignments: ir.Table, *, as_of: date) -> ir.Table:
    """One customer drawn for one campaign: purchases and cents from its start to 14 days after its end, and before.

    Purchases at the campaign's merchant count, at any merchant if it names none.

    Parameters
    ----------
    purchases
        As known before as_of, with ``margin`` as ``sides.margins`` gives it.
    campaigns, assignments
        The feeds; what is later than as_of is left out here.
    as_of
        Nothing from this UTC day on counts.

    Returns
    -------
    ibis.Table
        ``campaign_id``, ``customer_id``, ``arm``, ``purchases``, ``cents``, ``first_day`` (whole days from the
        start to the first purchase, null without one), ``margin_cents``, and of the 90 days before the start
        ``purchases_before``, ``cents_before``, ``margin_cents_before``.
    """
    drawn = assignments.filter(assignments.assigned_at < moment(as_of)).select("campaign_id", "customer_id", "arm")
    units = drawn.inner_join(spans(campaigns, as_of=as_of), "campaign_id")
    met = _met(units, purchases)
    since = met.purchased_at >= met.starts_at
    within = since & (met.purchased_at < met.until)
    before = ~since & (met.purchased_at >= met.starts_at - ibis.interval(days=BEFORE_DAYS))
    days = days_between(met.purchased_at, met.starts_at).floor().cast("int64")
    sums = met.group_by(["campaign_id", "customer_id"]).aggregate(
        first_day=within.ifelse(days, ibis.null("int64")).min(),
        **{
            f"{name}{ending}": when.ifelse(value, 0).sum().cast("int64")
            for ending, when in (("", within), ("_before", before))
            for name, value in _amounts(met).items()
        },
    )
    counted = [name for name in sums.columns if name not in ("campaign_id", "customer_id", "first_day")]
    joined = drawn.semi_join(units, "campaign_id").left_join(sums, ["campaign_id", "customer_id"])
    return joined.select(
        "campaign_id", "customer_id", "arm", "first_day", **{name: joined[name].fill_null(0) for name in counted}
    )


def bought_by_all(purchases: ir.Table, reached: ir.Table, campaign: ir.Table) -> ir.Table:
    """One customer who had bought before one campaign: purchases and cents in its time and before it.

    Parameters
    ----------
    purchases
        As known before a day, with ``margin`` as ``sides.margins`` gives it.
    reached
        ``customer_id`` of those whom the campaign reached.
    campaign
        One row of ``spans``.

    Returns
    -------
    ibis.Table
        ``customer_id``, ``reached``, and ``purchases_0``, ``cents_0``, ``margin_cents_0`` (in the campaign's time),
        ``…_1`` (just before), ``…_2`` (before that) and ``…_3`` (all before that).
    """
    who = purchases.select("customer_id", "purchased_at").distinct().cross_join(campaign.select("starts_at"))
    known = who.filter(who.purchased_at < who.starts_at).select("customer_id").distinct()
    met = _met(known.cross_join(campaign), purchases)
    length = days_between(met.until, met.starts_at)
    place = (days_between(met.purchased_at, met.starts_at) / length).floor().cast("int64")
    inside = met.purchased_at < met.until
    sums = met.group_by("customer_id").aggregate(
        **{
            f"{name}_{back}": (inside & _in_time(place, back)).ifelse(value, 0).sum().cast("int64")
            for back in range(_TIMES)
            for name, value in _amounts(met).items()
        }
    )
    joined = known.left_join(sums, "customer_id").left_join(
        reached.select("customer_id", there=ibis.literal(True)).distinct(), "customer_id", rname="{name}_reached"
    )
    counted = sums.columns[1:]
    return joined.select(
        "customer_id",
        reached=joined.there.fill_null(False),
        **{name: joined[name].fill_null(0) for name in counted},
    )


def _in_time(place: ir.IntegerValue, back: int) -> ir.BooleanValue:
    """Return whether something lies so many times before the campaign's; the earliest time has no beginning."""
    return place <= -back if back == _TIMES - 1 else place == -back


def _amounts(met: ir.Table) -> dict[str, ir.IntegerValue]:
    """Return what is added up of purchases."""
    return {"purchases": ibis.literal(1, "int64"), "cents": met.cents, "margin_cents": met.margin_cents}


def _met(units: ir.Table, purchases: ir.Table) -> ir.Table:
    """One purchase of one customer that counts for one campaign."""
    paid = purchases.filter(purchases.cancelled_at.isnull()).select(
        "customer_id",
        "purchased_at",
        seller=purchases.merchant_id,
        cents=to_cents(purchases.net_amount).fill_null(0),
        margin_cents=to_cents(purchases.margin).fill_null(0),
    )
    met = units.inner_join(paid, "customer_id")
    return met.filter(met.merchant_id.isnull() | (met.merchant_id == met.seller))
