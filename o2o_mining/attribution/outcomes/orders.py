"""Online orders with what was known of the customer before each, whether it was for the store, and what came of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

import ibis

from o2o_mining.attribution.cents import to_cents
from o2o_mining.attribution.outcomes.funnel import RETURN_DAYS
from o2o_mining.attribution.outcomes.sides import margins
from o2o_mining.engine.portable import days_between, moment

if TYPE_CHECKING:
    import ibis.expr.types as ir


class OrderLogs(NamedTuple):
    """What orders are told by: event tables as known before as_of, and feeds."""

    purchases: ir.Table
    journey_touches: ir.Table
    touches: ir.Table
    merchants: ir.Table


def online_orders(logs: OrderLogs, *, as_of: date, within_days: int, default_share: float) -> ir.Table:
    """One online order that says how it is to be consumed: who the customer was before, and what came of it.

    Parameters
    ----------
    logs
        The tables.
    as_of
        Uses what was known before this UTC day.
    within_days
        After so many days an order that was not consumed is lost.
    default_share
        Margin of a sale where the merchant names none.

    Returns
    -------
    ibis.Table
        ``purchase_id``, ``customer_id``, ``channel``, ``category``, ``in_store`` (delivered if not). Before the order:
        ``purchases_before``, ``cents_before``, ``deliveries_before``, ``coupons_before``, ``days_since_first``,
        ``days_since_last`` (0 without any), ``has_coupon``, ``days_ago``. Outcomes, null where not yet decided or never
        known: ``converted``, ``repeat``, ``basket``, ``margin``, ``acquisition_cost`` (the last three in cents).

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = OrderLogs(*(ibis.table(contract(name).schema, name=name) for name in OrderLogs._fields))
    >>> online_orders(logs, as_of=date(2024, 7, 1), within_days=30, default_share=0.3).columns[:3]
    ('purchase_id', 'customer_id', 'channel')
    """
    told = _with_past(logs.purchases)
    kinds = logs.merchants.select(seller_id="merchant_id", category="category")
    kept = margins(logs.purchases, logs.merchants, default_share=default_share)
    kept = kept.select(sold_id="purchase_id", margin_cents=to_cents(kept.margin))
    orders = told.filter(told.source == "online", told.fulfilment.notnull())
    t = orders.left_join(kinds, orders.merchant_id == kinds.seller_id)
    t = t.left_join(kept, t.purchase_id == kept.sold_id)
    spent = _spent(logs)
    t = t.left_join(spent, t.purchase_id == spent.journey_id)
    is_delivery = t.fulfilment == "delivery"
    stands = t.cancelled_at.isnull()
    done = stands & (t.consumed_at.notnull() | is_delivery)
    decided = t.purchased_at < moment(as_of - timedelta(days=within_days))
    repeat_decided = t.purchased_at < moment(as_of - timedelta(days=RETURN_DAYS))
    soon = days_between(t.next_at, t.purchased_at) <= float(RETURN_DAYS)
    nothing = ibis.null("int64")
    return t.select(
        "purchase_id", "customer_id", "channel", "category",
        "purchases_before", "cents_before", "deliveries_before", "coupons_before",
        in_store=~is_delivery,
        days_since_first=days_between(t.purchased_at, t.first_at).fill_null(0.0),
        days_since_last=days_between(t.purchased_at, t.last_at).fill_null(0.0),
        has_coupon=t.coupon_id.notnull().cast("int64"),
        days_ago=days_between(moment(as_of), t.purchased_at),
        converted=decided.ifelse(done.cast("int64"), nothing),
        repeat=repeat_decided.ifelse(soon.fill_null(False).cast("int64"), nothing),
        basket=to_cents(t.paid_amount),
        margin=stands.ifelse(t.margin_cents, 0),
        # A cancelled order is no conversion: no journey leads to it.
        acquisition_cost=stands.ifelse(t.cents.fill_null(0), nothing),
    )  # fmt: skip


def _with_past(purchases: ir.Table) -> ir.Table:
    """One payment with what its customer bought before it, and when the next purchase follows that stands."""
    # What is paid on top of an order at the till belongs to that order.
    own = purchases.filter((purchases.source == "online") | purchases.order_id.isnull())
    order = [own.purchased_at, own.purchase_id]
    before = ibis.window(group_by=own.customer_id, order_by=order, preceding=(None, 1))
    after = ibis.window(group_by=own.customer_id, order_by=order, following=(1, None))
    stands = own.cancelled_at.isnull()
    delivered = (own.fulfilment == "delivery").fill_null(False)
    counts = {
        "purchases_before": stands.cast("int64"),
        "cents_before": stands.ifelse(to_cents(own.net_amount).fill_null(0), 0),
        "deliveries_before": (stands & delivered).cast("int64"),
        "coupons_before": (stands & own.coupon_id.notnull()).cast("int64"),
    }
    stood_at = stands.ifelse(own.purchased_at, ibis.null("timestamp(6)"))
    return own.mutate(
        first_at=stood_at.min().over(before),
        last_at=stood_at.max().over(before),
        next_at=stood_at.min().over(after),
        **{name: value.sum().over(before).fill_null(0) for name, value in counts.items()},
    )


def _spent(logs: OrderLogs) -> ir.Table:
    """One journey with the cents that its touches cost; none at all where no touch has a cost."""
    priced = logs.touches.filter(logs.touches.cost.notnull()).select("touch_id", cents=to_cents(logs.touches.cost))
    t = logs.journey_touches.join(priced, "touch_id")
    return t.group_by("journey_id").aggregate(cents=t.cents.sum())
