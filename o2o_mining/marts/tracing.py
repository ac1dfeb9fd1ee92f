"""How much of what was consumed in stores leads back to the online log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine import portable
from o2o_mining.marts.touches import all_touches

if TYPE_CHECKING:
    import ibis.expr.types as ir


def traced_purchases(
    purchases: ir.Table,
    coupon_lifecycle: ir.Table,
    online_orders: ir.Table,
    touches: ir.Table,
    sends: ir.Table,
    coupon_receipts: ir.Table,
    *,
    lookback_days: int,
) -> ir.Table:
    """One purchase consumed in a store, not cancelled, of known net amount, and what it leads back to.

    Parameters
    ----------
    purchases, coupon_lifecycle
        The tables of these names.
    online_orders, touches, sends, coupon_receipts
        The feeds; any may be empty.
    lookback_days
        How long before the purchase a touch may lie, whether another purchase used it or not.

    Returns
    -------
    ir.Table
        ``purchase_id``, ``net_amount``, ``by_order`` (it consumes an order of the log), ``by_receipt`` (it redeems a
        receipt of the log), ``by_code`` (a row of the log carries its code), ``by_touch``, and ``traced``: any of them.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("purchases", "coupon_lifecycle", "online_orders", "touches", "sends", "coupon_receipts")
    >>> tables = (ibis.table(contract(name).schema, name=name) for name in names)
    >>> traced_purchases(*tables, lookback_days=30).columns
    ('purchase_id', 'net_amount', 'by_order', 'by_receipt', 'by_code', 'by_touch', 'traced')
    """
    eaten = purchases.filter(
        purchases.cancelled_at.isnull() & purchases.consumed_at.notnull() & purchases.net_amount.notnull()
    )
    receipts = coupon_receipts.select(seen_receipt_id="receipt_id")
    real = coupon_lifecycle.semi_join(receipts, coupon_lifecycle.receipt_id == receipts.seen_receipt_id)
    visits = real.filter(real.redemption_id.notnull()).select(visit_id="redemption_id").distinct()
    orders = online_orders.select(placed_id="order_id")
    codes = _codes(touches, sends, coupon_receipts)
    last = _last_touch(eaten, all_touches(touches, sends))
    t = eaten.left_join(orders, eaten.order_id == orders.placed_id)
    t = t.left_join(receipts, t.receipt_id == receipts.seen_receipt_id)
    t = t.left_join(visits, t.redemption_id == visits.visit_id)
    t = t.left_join(codes, t.tracking_code == codes.known_code)
    t = t.left_join(last, t.purchase_id == last.touched_id)
    t = t.mutate(
        by_order=t.placed_id.notnull(),
        by_receipt=t.seen_receipt_id.notnull() | t.visit_id.notnull(),
        by_code=t.known_code.notnull(),
        by_touch=(t.purchased_at <= t.last_at + ibis.interval(days=lookback_days)).fill_null(False),
    )
    return t.select(
        "purchase_id", "net_amount", "by_order", "by_receipt", "by_code", "by_touch",
        traced=t.by_order | t.by_receipt | t.by_code | t.by_touch,
    )  # fmt: skip


def _codes(*feeds: ir.Table) -> ir.Table:
    """One code that a row of the feeds carries."""
    carried = (t.filter(t.tracking_code.notnull()).select(known_code="tracking_code") for t in feeds)
    return ibis.union(*carried, distinct=True)


def _last_touch(eaten: ir.Table, contacts: ir.Table) -> ir.Table:
    """One purchase with the time of the last touch at or before it."""
    at_type = contacts.touched_at.type()
    events = contacts.select(
        customer_id="customer_id", at="touched_at", seen_at="touched_at", touched_id=ibis.null("string")
    ).union(
        eaten.select(
            customer_id="customer_id",
            at=eaten.purchased_at.cast(at_type),
            seen_at=ibis.null(at_type),
            touched_id="purchase_id",
        )
    )
    forwards = ibis.cumulative_window(
        group_by=events.customer_id, order_by=[events.at, events.touched_id.notnull().cast("int8")]
    )
    t = events.mutate(last_at=events.seen_at.max().over(forwards))
    return t.filter(t.touched_id.notnull()).select("touched_id", "last_at")


def share_traced(traced: ir.Table) -> ir.Table:
    """One row: the share of the net amount that is traced; null where the amounts add up to nothing.

    Parameters
    ----------
    traced
        What `traced_purchases` returns.

    Returns
    -------
    ir.Table
        ``traced_share``. Refunds above what was paid could push it out of 0..1; it is held there.

    Examples
    --------
    >>> from decimal import Decimal
    >>> rows = {"net_amount": [Decimal("7.50"), Decimal("2.50")], "traced": [True, False]}
    >>> share_traced(ibis.memtable(rows)).traced_share.execute().tolist()
    [0.75]
    """
    nothing = ibis.literal("0.00").cast(traced.net_amount.type())
    sums = traced.aggregate(part=traced.traced.ifelse(traced.net_amount, nothing).sum(), whole=traced.net_amount.sum())
    return sums.select(traced_share=portable.share(sums.part, sums.whole).clip(0.0, 1.0))
