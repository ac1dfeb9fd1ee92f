"""What was known before an earlier day: the windows that models learn from, whose outcome is known by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, timedelta
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import moment
from o2o_mining.marts.knowledge import known_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.marts.features import KnownLogs

WINDOWS = 6
WINDOW_STEP_DAYS = 35
# What there must be to look back at.
FEWEST_DAYS = 28
# Lists without time, shared by all windows; and what is marked with its window, by one digit and a colon.
_LASTING = ("merchants", "stores")
_MARKED = ("customer_id", "referrer_id", "city")
_MARK = 1


def window_days(as_of: date, *, first: date, horizon_days: int) -> list[date]:
    """Return the days that models look from, the last one first: the horizon ends before as_of, in whole weeks.

    Parameters
    ----------
    as_of
        The day of the run.
    first
        Day of the first purchase: there must be four weeks to look at.
    horizon_days
        How far models look ahead.

    Examples
    --------
    >>> window_days(date(2024, 7, 1), first=date(2024, 2, 20), horizon_days=90)
    [datetime.date(2024, 4, 1)]
    """
    last = as_of - timedelta(weeks=-(-horizon_days // 7))
    days = [last - timedelta(days=WINDOW_STEP_DAYS * step) for step in range(WINDOWS)]
    return [day for day in days if (day - first).days >= FEWEST_DAYS]


def past_logs(known: KnownLogs, samples: Mapping[date, ir.Table], *, as_of: date) -> KnownLogs:
    """Return what features are computed from, as known before each of several earlier days, all at once.

    Everything is moved forward by as many weeks as the earlier day lies back, so that features as of as_of are those of
    the earlier day; customers and cities are marked with the window. One question for all windows takes a fifth of the
    time of one a window, most of which goes into putting the question. The tables are those of as_of with everything
    after the earlier day taken back. Three traces of as_of stay: a store that was not visited by then is null also
    where it had been chosen with the order, ages are those of as_of, and an hour may be another where clocks changed.

    Parameters
    ----------
    known
        As known before as_of.
    samples
        ``customer_id`` of those wanted, by the earlier day. Friends' purchases are those of the wanted alone.
    as_of
        The day of the run; earlier days lie whole weeks before it.
    """
    parts = [
        _moved(known, customers, mark=mark, day=day, as_of=as_of)
        for mark, (day, customers) in enumerate(samples.items())
    ]
    together = {
        field.name: reduce(ibis.union, [getattr(part, field.name) for part in parts])
        for field in fields(known)
        if field.name not in _LASTING
    }
    return replace(known, **together)


def of_window(features: ir.Table, days: Sequence[date]) -> ir.Table:
    """Return features of marked customers with the plain id and ``known_on``, the day of the window.

    Parameters
    ----------
    features
        As computed from `past_logs`.
    days
        The earlier days, in the order in which they were given there.
    """
    place = features.customer_id.substr(0, _MARK).cast("int64")
    known_on = ibis.cases(*((place == ibis.literal(i, "int64"), ibis.literal(day)) for i, day in enumerate(days)))
    return features.mutate(known_on=known_on, customer_id=features.customer_id.substr(_MARK + 1))


def _moved(known: KnownLogs, customers: ir.Table, *, mark: int, day: date, as_of: date) -> KnownLogs:
    """Return the logs as known before a day, moved to as_of and marked."""
    before = moment(day)
    purchases = _purchases_before(known.purchases, before).semi_join(customers, "customer_id")
    told = known.journey_touches
    told = told.filter(told.touched_at < before).semi_join(purchases, told.journey_id == purchases.purchase_id)
    lists = {name: known_rows(name, getattr(known, name), as_of=day) for name in ("touches", "reviews", "customers")}
    tables = {
        "purchases": purchases,
        "journey_touches": told,
        "coupon_lifecycle": _coupons_before(known.coupon_lifecycle, before).semi_join(customers, "customer_id"),
        "touches": lists["touches"].semi_join(customers, "customer_id"),
        "reviews": lists["reviews"].semi_join(customers, "customer_id"),
        "customers": lists["customers"],
        "everybody": customers.select("customer_id"),
    }
    weeks = ibis.interval(days=(as_of - day).days)
    return replace(known, **{name: _marked(table, str(mark), weeks) for name, table in tables.items()})


def _marked(t: ir.Table, mark: str, later: ir.IntervalScalar) -> ir.Table:
    """Return a table with its moments moved and its customers and cities marked."""
    moved = {name: t[name] + later for name, kind in t.schema().items() if kind.is_timestamp()}
    marked = {name: ibis.literal(f"{mark}:") + t[name] for name in _MARKED if name in t.columns}
    return t.mutate(**moved, **marked)


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
