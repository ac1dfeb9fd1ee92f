"""Purchases: the online and the offline log put together, one row a payment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir


def is_cancelled(online_orders: ir.Table) -> ir.BooleanValue:
    """Return whether an order is cancelled: it says so, or when.

    Parameters
    ----------
    online_orders
        The feed.

    Returns
    -------
    ir.BooleanValue
        Never null.
    """
    return (online_orders.status == "cancelled") | online_orders.cancelled_at.notnull()


def purchases_from_logs(
    online_orders: ir.Table, offline_redemptions: ir.Table, coupon_redemptions: ir.Table, coupons: ir.Table
) -> ir.Table:
    """One payment, online or in a store.

    - An order is a purchase at its order time. The first redemption (by time, then id) of an order that is not
      cancelled fills when and where it was consumed; it is a purchase of its own only if something was paid on top.
    - Any other redemption is a purchase, also a further one of the same order and one whose order is unknown; one that
      names a cancelled order only if something was paid.
    - A refund is told by the state, by a time, or by an amount above 0. Without a time it counts from the order or
      visit, without an amount it is all that was paid. The refund of a redemption that is no purchase is its order's,
      unless the order has one of its own.
    - A row of ``coupon_redemptions`` belongs to one purchase: that which its redemption became (the redemption's own
      purchase before the order it fills), else that of its order. The smallest id speaks for the purchase where the
      order or redemption names no coupon; its receipt counts only if it is of the purchase's coupon.

    Parameters
    ----------
    online_orders, offline_redemptions, coupon_redemptions, coupons
        The feeds; any may be empty.

    Returns
    -------
    ir.Table
        The columns of the contract ``purchases``.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("online_orders", "offline_redemptions", "coupon_redemptions", "coupons")
    >>> made = purchases_from_logs(*(ibis.table(contract(name).schema, name=name) for name in names))
    >>> set(contract("purchases").column_names) <= set(made.columns)
    True
    """
    orders = _orders(online_orders)
    visits = _visits(offline_redemptions)
    first = _first_visits(orders, visits)
    payments = _online(orders, first).union(_offline(orders, visits, first))
    return _amounts(_with_coupons(payments, coupon_redemptions, coupons))


def _zero() -> ir.DecimalScalar:
    return ibis.literal("0.00").cast("decimal(18, 2)")


def _orders(feed: ir.Table) -> ir.Table:
    refunded = (feed.status == "refunded") | feed.refunded_at.notnull() | (feed.refunded_amount > 0).fill_null(False)
    return feed.mutate(
        cancelled_at=(feed.status == "cancelled").ifelse(
            feed.cancelled_at.coalesce(feed.ordered_at), feed.cancelled_at
        ),
        refunded_at=refunded.ifelse(feed.refunded_at.coalesce(feed.ordered_at), feed.refunded_at),
    )


def _visits(feed: ir.Table) -> ir.Table:
    refunded = feed.refunded_at.notnull() | (feed.refunded_amount > 0).fill_null(False)
    return feed.mutate(
        refunded_at=refunded.ifelse(feed.refunded_at.coalesce(feed.redeemed_at), feed.refunded_at),
        is_paid=(feed.paid_amount > 0).fill_null(False),
    )


def _first_visits(orders: ir.Table, visits: ir.Table) -> ir.Table:
    """One order that is not cancelled, with its first redemption."""
    standing = orders.filter(orders.cancelled_at.isnull())
    named = visits.filter(visits.order_id.notnull()).semi_join(standing, "order_id")
    rank = ibis.row_number().over(group_by=named.order_id, order_by=[named.redeemed_at, named.redemption_id])
    first = named.mutate(rank=rank).filter(lambda t: t.rank == 0)

    def unless_paid(value: ir.Value) -> ir.Value:
        return first.is_paid.ifelse(ibis.null(value.type()), value)

    return first.select(
        filled_order_id=first.order_id,
        first_redemption_id=first.redemption_id,
        first_redeemed_at=first.redeemed_at,
        first_store_id=first.store_id,
        first_distance_m=first.distance_m,
        first_waited_min=first.waited_min,
        first_refunded_at=unless_paid(first.refunded_at),
        first_refunded_amount=unless_paid(first.refunded_amount),
    )


def _online(orders: ir.Table, first: ir.Table) -> ir.Table:
    """One order."""
    t = orders.left_join(first, orders.order_id == first.filled_order_id)
    own = t.refunded_at.notnull()
    return t.select(
        purchase_id=ibis.literal("o:") + t.order_id,
        customer_id=t.customer_id,
        merchant_id=t.merchant_id,
        store_id=t.first_store_id.coalesce(t.store_id),
        purchased_at=t.ordered_at,
        consumed_at=t.first_redeemed_at,
        cancelled_at=t.cancelled_at,
        source=ibis.literal("online"),
        fulfilment=t.fulfilment,
        order_id=t.order_id,
        redemption_id=t.first_redemption_id,
        list_amount=t.list_amount,
        paid_amount=t.paid_amount,
        refunded_at=t.refunded_at.coalesce(t.first_refunded_at),
        refunded_amount=own.ifelse(t.refunded_amount, t.first_refunded_amount),
        coupon_id=t.coupon_id,
        receipt_id=t.receipt_id,
        campaign_id=t.campaign_id,
        channel=t.channel,
        tracking_code=t.tracking_code,
        distance_m=t.first_distance_m,
        reserved_for=t.reserved_for,
        promised_wait_min=t.promised_wait_min,
        waited_min=t.first_waited_min,
    )


def _offline(orders: ir.Table, visits: ir.Table, first: ir.Table) -> ir.Table:
    """One redemption that is a purchase of its own."""
    cancelled = orders.filter(orders.cancelled_at.notnull()).select(cancelled_order_id="order_id")
    joined = visits.left_join(first.select("first_redemption_id"), visits.redemption_id == first.first_redemption_id)
    joined = joined.left_join(cancelled, joined.order_id == cancelled.cancelled_order_id)
    t = joined.filter(joined.is_paid | (joined.first_redemption_id.isnull() & joined.cancelled_order_id.isnull()))
    none = ibis.null("string")
    return t.select(
        purchase_id=ibis.literal("r:") + t.redemption_id,
        customer_id=t.customer_id,
        merchant_id=t.merchant_id,
        store_id=t.store_id,
        purchased_at=t.redeemed_at,
        consumed_at=t.redeemed_at,
        cancelled_at=ibis.null(t.redeemed_at.type()),
        source=ibis.literal("offline"),
        fulfilment=none,
        order_id=t.order_id,
        redemption_id=t.redemption_id,
        list_amount=t.list_amount,
        paid_amount=t.paid_amount,
        refunded_at=t.refunded_at,
        refunded_amount=t.refunded_amount,
        coupon_id=t.coupon_id,
        receipt_id=t.receipt_id,
        campaign_id=none,
        channel=none,
        tracking_code=t.tracking_code,
        distance_m=t.distance_m,
        reserved_for=ibis.null(t.redeemed_at.type()),
        promised_wait_min=ibis.null("float64"),
        waited_min=t.waited_min,
    )


def _with_coupons(payments: ir.Table, uses: ir.Table, coupons: ir.Table) -> ir.Table:
    """One payment with coupon, receipt and campaign."""
    first = _first_uses(payments, uses)
    t = payments.left_join(first, payments.purchase_id == first.used_for)
    t = t.mutate(coupon_id=t.coupon_id.coalesce(t.use_coupon_id))
    same_coupon = t.use_coupon_id == t.coupon_id
    t = t.mutate(receipt_id=t.receipt_id.coalesce(same_coupon.ifelse(t.use_receipt_id, ibis.null("string"))))
    known = coupons.select(known_coupon_id="coupon_id", coupon_campaign_id="campaign_id")
    t = t.left_join(known, t.coupon_id == known.known_coupon_id)
    return t.mutate(campaign_id=t.campaign_id.coalesce(t.coupon_campaign_id)).select(*payments.columns)


def _first_uses(payments: ir.Table, uses: ir.Table) -> ir.Table:
    """One payment with the smallest row of coupon_redemptions that belongs to it."""
    of_visit = payments.select(visit_id="redemption_id", visit_purchase_id="purchase_id")
    of_order = payments.filter(payments.source == "online").select(
        placed_order_id="order_id", order_purchase_id="purchase_id"
    )
    # A visit that fills an order and is a purchase too is named by both: "r:" is the greater text.
    visit = uses.join(of_visit, uses.redemption_id == of_visit.visit_id)
    visit = visit.group_by(visit_use_id=visit.coupon_redemption_id).aggregate(
        visit_purchase_id=visit.visit_purchase_id.max()
    )
    t = uses.left_join(visit, uses.coupon_redemption_id == visit.visit_use_id)
    t = t.left_join(of_order, t.order_id == of_order.placed_order_id)
    t = t.select(
        used_for=t.visit_purchase_id.coalesce(t.order_purchase_id),
        use_id=t.coupon_redemption_id,
        use_coupon_id=t.coupon_id,
        use_receipt_id=t.receipt_id,
    )
    t = t.filter(t.used_for.notnull())
    rank = ibis.row_number().over(group_by=t.used_for, order_by=t.use_id)
    return t.mutate(rank=rank).filter(lambda t: t.rank == 0)


def _amounts(t: ir.Table) -> ir.Table:
    """One payment with what was taken off and given back."""
    given_back = t.refunded_at.notnull().ifelse(t.refunded_amount.coalesce(t.paid_amount, _zero()), _zero())
    t = t.mutate(refunded_amount=given_back)
    return t.mutate(discount_amount=t.list_amount - t.paid_amount, net_amount=t.paid_amount - t.refunded_amount)
