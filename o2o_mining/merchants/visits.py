"""What was told of visits: one value of one measure, how often, where and on which day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import counted, moment, share

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

PARTS = 100  # values are whole hundredths, so that their sums do not depend on the order
# What is beyond counts as this: a till that is an hour off is no wait.
MOST_MIN, MOST_SHARE = 60.0, 1.0
_A_DAY = 86_400


def observations(
    purchases: ir.Table, online_orders: ir.Table, reviews: ir.Table, *, as_of: date, since: date
) -> ir.Table:
    """One value that one measure took in one store on the day on which it became known, and how often.

    What a store cannot help is left out: deliveries, reservations cancelled before their time, and waits of visits to
    which nothing was promised. Where a merchant promises everybody the same, it holds for those who walk in, too.

    Parameters
    ----------
    purchases
        As known before as_of.
    online_orders, reviews
        The feeds; of the orders only their promises are read.
    as_of
        Uses what was known before this UTC day.
    since
        The first day of what is returned.

    Returns
    -------
    ir.Table
        ``measure, merchant_id, store_id, day, hundredths, n``. Values are worse the larger they are: minutes beyond the
        promise, stars below it, the share paid on top, and 1 for a complaint, a refund or a reservation not kept.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = [ibis.table(contract(n).schema, name=n) for n in ("known_purchases", "online_orders", "reviews")]
    >>> list(observations(*logs, as_of=date(2024, 7, 1), since=date(2024, 1, 1)).columns)
    ['measure', 'merchant_id', 'store_id', 'day', 'hundredths', 'n']
    """
    known = with_promises(purchases, online_orders)
    judged = reviews.filter(reviews.reviewed_at < moment(as_of))
    parts = (
        _waits(known),
        _ratings(known, judged),
        _complaints(known, judged),
        _refunds(known),
        _reservations(known, as_of=as_of),
        _on_top(known, purchases),
    )
    t = ibis.union(*parts)
    t = t.filter(t.value.notnull(), t.day >= ibis.literal(since), t.day < ibis.literal(as_of))
    return t.group_by("measure", "merchant_id", "store_id", "day", hundredths=counted(t.value, PARTS)).aggregate(
        n=t.count()
    )


def with_promises(purchases: ir.Table, online_orders: ir.Table) -> ir.Table:
    """One payment that is to be consumed in a store, with the wait and the stars promised.

    Parameters
    ----------
    purchases, online_orders
        As for `observations`.

    Returns
    -------
    ir.Table
        The columns of purchases; ``promised_wait_min`` and ``promised_rating`` are the order's own, else what the
        merchant promises everybody alike. A payment on top of an order is no visit of its own and left out.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = [ibis.table(contract(n).schema, name=n) for n in ("purchases", "online_orders")]
    >>> "promised_rating" in with_promises(*logs).columns
    True
    """
    t = purchases.filter((purchases.fulfilment != "delivery").fill_null(True))
    stars = online_orders.select(promising_id="order_id", promised_rating="promised_rating")
    online = t.filter(t.source == "online")
    online = online.left_join(stars, online.order_id == stars.promising_id).drop("promising_id")
    offline = t.filter(t.source == "offline").anti_join(
        online.filter(online.redemption_id.notnull()).select("redemption_id"), "redemption_id"
    )
    alike = _promised_alike(online)
    t = online.union(offline.mutate(promised_rating=ibis.null("float64")).select(*online.columns))
    t = t.left_join(alike, t.merchant_id == alike.promiser_id)
    return t.mutate(
        promised_wait_min=t.promised_wait_min.coalesce(t.wait_alike),
        promised_rating=t.promised_rating.coalesce(t.rating_alike),
    ).drop("promiser_id", "wait_alike", "rating_alike")


def _promised_alike(online: ir.Table) -> ir.Table:
    """One merchant with the wait and the stars that all of its orders were promised, null where they differ."""
    t = online.group_by(promiser_id=online.merchant_id).aggregate(
        wait_low=online.promised_wait_min.min(),
        wait_high=online.promised_wait_min.max(),
        rating_low=online.promised_rating.min(),
        rating_high=online.promised_rating.max(),
    )
    return t.select(
        "promiser_id",
        wait_alike=(t.wait_low == t.wait_high).ifelse(t.wait_low, ibis.null("float64")),
        rating_alike=(t.rating_low == t.rating_high).ifelse(t.rating_low, ibis.null("float64")),
    )


def _told(t: ir.Table, measure: str, day: ir.TimestampValue, value: ir.NumericValue) -> ir.Table:
    return t.select(
        "merchant_id",
        "store_id",
        measure=ibis.literal(measure),
        day=day.date(),
        value=value.cast("float64"),
    )


def _consumed(known: ir.Table) -> ir.Table:
    return known.filter(known.consumed_at.notnull(), known.cancelled_at.isnull())


def _waits(known: ir.Table) -> ir.Table:
    t = _consumed(known)
    beyond = (t.waited_min - t.promised_wait_min).clip(-MOST_MIN, MOST_MIN)
    return _told(t, "wait", t.consumed_at, beyond)


def _of_purchases(known: ir.Table, reviews: ir.Table) -> ir.Table:
    """One review with the purchase it is about, by order, else by redemption; without one if neither is known."""
    by_order = known.filter(known.order_id.notnull(), known.source == "online").select(
        ordered_id="order_id", order_purchase_id="purchase_id", order_rating="promised_rating"
    )
    by_visit = (
        known.filter(known.redemption_id.notnull())
        .group_by(visit_id="redemption_id")
        .aggregate(visit_purchase_id=known.purchase_id.min(), visit_rating=known.promised_rating.max())
    )
    t = reviews.left_join(by_order, reviews.order_id == by_order.ordered_id)
    t = t.left_join(by_visit, t.redemption_id == by_visit.visit_id)
    return t.mutate(
        about_id=t.order_purchase_id.coalesce(t.visit_purchase_id),
        promised_rating=t.order_rating.coalesce(t.visit_rating),
    )


def _ratings(known: ir.Table, reviews: ir.Table) -> ir.Table:
    t = _of_purchases(known, reviews)
    return _told(t, "rating", t.reviewed_at, t.promised_rating - t.rating)


def _complaints(known: ir.Table, reviews: ir.Table) -> ir.Table:
    """Visits with 0, or 1 on the day of the complaint; complaints that name neither order nor visit count, too."""
    visits = _consumed(known)
    t = _of_purchases(visits, reviews.filter(reviews.is_complaint))
    linked = (
        t.filter(t.about_id.notnull()).group_by(complained_id=t.about_id).aggregate(complained_at=t.reviewed_at.min())
    )
    told = visits.left_join(linked, visits.purchase_id == linked.complained_id)
    loose = t.filter(t.about_id.isnull(), t.order_id.isnull(), t.redemption_id.isnull())
    return _told(
        told,
        "complaint",
        told.complained_at.coalesce(told.consumed_at),
        told.complained_id.notnull().cast("int64"),
    ).union(_told(loose, "complaint", loose.reviewed_at, ibis.literal(1)))


def _refunds(known: ir.Table) -> ir.Table:
    t = known.filter(known.cancelled_at.isnull(), known.consumed_at.notnull() | known.refunded_at.notnull())
    return _told(t, "refund", t.refunded_at.coalesce(t.consumed_at), t.refunded_at.notnull().cast("int64"))


def _reservations(known: ir.Table, *, as_of: date) -> ir.Table:
    """Reservations a day after their time; one cancelled before its time is the customer's own affair."""
    late = known.reserved_for + ibis.interval(seconds=_A_DAY)
    t = known.filter(
        known.fulfilment == "reservation",
        late < moment(as_of),
        (known.cancelled_at >= known.reserved_for).fill_null(True),
    )
    kept = t.consumed_at.notnull() & t.cancelled_at.isnull()
    return _told(t, "reservation", t.reserved_for + ibis.interval(seconds=_A_DAY), 1 - kept.cast("int64"))


def _on_top(known: ir.Table, purchases: ir.Table) -> ir.Table:
    """Visits of orders with what the store took beside the price shown and paid online, as a share of it."""
    orders = _consumed(known).filter(lambda t: (t.source == "online") & (t.paid_amount > 0).fill_null(False))
    more = purchases.filter(purchases.source == "offline", purchases.redemption_id.notnull())
    more = more.group_by(extra_id="redemption_id").aggregate(extra=more.paid_amount.sum())
    t = orders.left_join(more, orders.redemption_id == more.extra_id)
    extra = share(t.extra, t.paid_amount).fill_null(0.0).clip(0.0, MOST_SHARE)
    return _told(t, "price", t.consumed_at, extra)
