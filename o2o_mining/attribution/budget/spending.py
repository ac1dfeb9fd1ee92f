"""What was spent on each channel week by week, and what the touches of that week were credited."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import to_cents
from o2o_mining.attribution.credit.campaigns import Known, costs_before, paid_touches_before, spending_known
from o2o_mining.engine.portable import days_between, moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WEEK_DAYS = 7
_MILLION = 1_000_000


def weekly_returns(known: Known, *, as_of: date, lookback_days: int, model: str) -> ir.Table:
    """One channel in one week in which its campaigns spent money or had a touch: money spent, and credited to them.

    Credit counts in the week of its touch, whenever the purchase came. So that every touch has had the whole lookback
    to bring one, the latest week ends that many days before as_of.

    Parameters
    ----------
    known
        The tables looked at.
    as_of
        Nothing from this UTC day on counts.
    lookback_days
        How far back touches count.
    model
        The touch-level model.

    Returns
    -------
    ibis.Table
        ``channel``, ``week`` (0 for the latest, counted backwards), ``spent_cents``, ``net_cents``. Spending is that of
        ``campaign_costs``, else of the touches.
    """
    until = as_of - timedelta(days=lookback_days)
    rows = ibis.union(_spent(known, until, as_of), _credited(known, until, model))
    return rows.group_by(["channel", "week"]).aggregate(
        spent_cents=rows.spent_cents.sum().cast("int64"), net_cents=rows.net_cents.sum().cast("int64")
    )


def channel_margins(known: Known, merchants: ir.Table, *, model: str, default_share: float) -> ir.Table:
    """One channel whose campaigns are credited with money: what merchants keep of one unit of it.

    Parameters
    ----------
    known
        The tables looked at.
    merchants
        The feed.
    model
        The touch-level model.
    default_share
        Stands in where a merchant names no margin.

    Returns
    -------
    ibis.Table
        ``channel``, ``margin_share``: the mean over the merchants of the purchases, weighted by the money credited.
    """
    sold = known.purchases.select("purchase_id", "merchant_id")
    own = merchants.select(seller_id="merchant_id", own_share="margin_share")
    entries = known.ledger.filter(
        known.ledger.model == model, known.ledger.kind == "credit", known.ledger.campaign_id.notnull()
    )
    met = entries.inner_join(sold, "purchase_id").left_join(own, ibis._.merchant_id == own.seller_id)
    rows = met.select(
        "channel", cents=to_cents(met.amount).fill_null(0), share=met.own_share.cast("float64").fill_null(default_share)
    )
    # Whole cents by whole millionths: sums of floats would depend on the order of the rows.
    kept = (rows.cents * (rows.share * _MILLION).round().cast("int64")).sum().cast("float64") / _MILLION
    shares = rows.group_by("channel").aggregate(margin_share=kept / rows.cents.sum().nullif(0).cast("float64"))
    return shares.filter(shares.margin_share > 0)


def _spent(known: Known, until: date, as_of: date) -> ir.Table:
    """One amount spent on one channel."""
    costs, touches = costs_before(known, as_of=until), paid_touches_before(known, as_of=until)
    touches = touches.filter(touches.campaign_id.notnull())
    by_campaign = costs.select("channel", at=costs.spent_on.cast("timestamp(6)"), cents=to_cents(costs.cost), fed=True)
    by_touch = touches.select("channel", at=touches.touched_at, cents=to_cents(touches.cost), fed=False)
    rows = ibis.union(by_campaign, by_touch).cross_join(spending_known(known, as_of=as_of))
    # What was spent is told once: by the feed of costs where it exists, else by the touches.
    counted = rows.filter(rows.fed == rows.has_campaign_costs)
    return counted.select(
        "channel", week=_week(counted.at, until), spent_cents=counted.cents, net_cents=ibis.literal(0, "int64")
    )


def _credited(known: Known, until: date, model: str) -> ir.Table:
    """One share of one purchase, or of its refund, that a touch of a campaign is credited with."""
    when = known.journey_touches.select("touch_id", "touched_at", purchase_id=known.journey_touches.journey_id)
    entries = known.ledger.filter((known.ledger.model == model) & known.ledger.campaign_id.notnull())
    met = entries.inner_join(when, ["purchase_id", "touch_id"])
    met = met.filter(met.touched_at < moment(until))
    return met.select(
        "channel",
        week=_week(met.touched_at, until),
        spent_cents=ibis.literal(0, "int64"),
        net_cents=to_cents(met.amount).fill_null(0),
    )


def _week(at: ir.TimestampValue, until: date) -> ir.IntegerValue:
    """Return in which week before a day something lies: 0 for the seven days up to it."""
    return (days_between(moment(until), at) / float(_WEEK_DAYS)).ceil().cast("int64") - 1
