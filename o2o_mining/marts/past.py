"""What was known before an earlier day: the windows that models learn from, whose outcome is known by now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import moment
from o2o_mining.marts.knowledge import known_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.marts.features import KnownLogs

WINDOWS = 5
WINDOW_STEP_DAYS = 28


def window_days(as_of: date, *, first: date, horizon_days: int) -> list[date]:
    """Return the days that models look from: the horizon ends before as_of, and there are four weeks to look at.

    Parameters
    ----------
    as_of
        The day of the run.
    first
        Day of the first purchase.
    horizon_days
        How far models look ahead.

    Examples
    --------
    >>> window_days(date(2024, 7, 1), first=date(2024, 2, 1), horizon_days=90)
    [datetime.date(2024, 4, 2), datetime.date(2024, 3, 5)]
    """
    last = as_of - timedelta(days=horizon_days)
    days = [last - timedelta(days=WINDOW_STEP_DAYS * step) for step in range(WINDOWS)]
    return [day for day in days if (day - first).days >= WINDOW_STEP_DAYS]


def past_logs(known: KnownLogs, customers: ir.Table, *, day: date) -> KnownLogs:
    """Return what features are computed from, as it was known before an earlier day, of some customers.

    The tables are those of the later day with everything after the earlier one taken back, which spares building them
    anew. One trace of the later day stays: the store chosen with an order that was consumed after the earlier day is
    not known any more, so it is null.

    Parameters
    ----------
    known
        As known before the later day.
    customers
        ``customer_id`` of those wanted. Friends and homes of others are looked at whole.
    day
        The earlier day.
    """
    before = moment(day)
    purchases = _purchases_before(known.purchases, before).semi_join(customers, "customer_id")
    told = known.journey_touches
    journey_touches = told.filter(told.touched_at < before).semi_join(
        purchases, told.journey_id == purchases.purchase_id
    )
    touches, reviews = (
        known_rows(name, table, as_of=day).semi_join(customers, "customer_id")
        for name, table in (("touches", known.touches), ("reviews", known.reviews))
    )
    return replace(
        known,
        purchases=purchases,
        journey_touches=journey_touches,
        coupon_lifecycle=_coupons_before(known.coupon_lifecycle, before).semi_join(customers, "customer_id"),
        touches=touches,
        reviews=reviews,
        customers=known_rows("customers", known.customers, as_of=day),
        everybody=customers.select("customer_id"),
    )


def _purchases_before(purchases: ir.Table, before: ir.TimestampScalar) -> ir.Table:
    """Return purchases made before, with later consumption, cancellation and refund taken back."""
    t = purchases.filter(purchases.purchased_at < before)
    unconsumed, unrefunded = t.consumed_at >= before, t.refunded_at >= before
    later = dict.fromkeys(("consumed_at", "redemption_id", "distance_m", "waited_min", "store_id"), unconsumed)
    later |= {"cancelled_at": t.cancelled_at >= before, "refunded_at": unrefunded}
    nothing = ibis.literal("0.00").cast(t.refunded_amount.type())
    return t.mutate(
        **{name: _taken_back(t, name, undone) for name, undone in later.items()},
        refunded_amount=unrefunded.fill_null(False).ifelse(nothing, t.refunded_amount),
        net_amount=unrefunded.fill_null(False).ifelse(t.paid_amount, t.net_amount),
    )


def _coupons_before(coupons: ir.Table, before: ir.TimestampScalar) -> ir.Table:
    """Return coupons received before, with later uses taken back."""
    t = coupons.filter(coupons.received_at < before)
    used_later = t.redeemed_at >= before
    later = ("redeemed_at", "redemption_id", "days_to_redeem", "distance_m", "discount_amount")
    return t.mutate(**{name: _taken_back(t, name, used_later) for name in later})


def _taken_back(t: ir.Table, name: str, undone: ir.BooleanValue) -> ir.Value:
    return undone.fill_null(False).ifelse(ibis.null(t[name].type()), t[name])
