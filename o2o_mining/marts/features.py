"""Features of a customer at a point in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.core.moments import midnight
from o2o_mining.engine.portable import days_between, moment, share, to_local

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import ibis.expr.types as ir

_EVENING = 18
_SATURDAY = 5


def customers_seen(tables: Sequence[ir.Table]) -> ir.Table:
    """One customer that any of the tables names.

    Parameters
    ----------
    tables
        Feeds with a ``customer_id``, at least one.

    Returns
    -------
    ir.Table
        ``customer_id``.

    Examples
    --------
    >>> sends, touches = ibis.memtable({"customer_id": ["a", "b"]}), ibis.memtable({"customer_id": ["b"]})
    >>> customers_seen([sends, touches]).order_by("customer_id").execute().customer_id.tolist()
    ['a', 'b']
    """
    return ibis.union(*(table.select("customer_id") for table in tables), distinct=True)


def customer_features(
    purchases: ir.Table,
    touches: ir.Table,
    coupon_lifecycle: ir.Table,
    customers: ir.Table,
    *,
    as_of: date,
    timezone: str = "UTC",
) -> ir.Table:
    """One customer with a purchase before a day, or known before it, and what was known of them.

    Parameters
    ----------
    purchases, coupon_lifecycle
        The tables of these names as known before the day.
    touches
        What `all_touches` returns of the feeds as known before the day.
    customers
        ``customer_id`` of everybody known before the day.
    as_of
        The day, D. "The last 30 days" are those from D - 30 to the day before D.
    timezone
        IANA name of the time that weekends and evenings are reckoned in.

    Returns
    -------
    ir.Table
        ``customer_id`` and the features of ``contracts/features.py``. Counts are 0 where nothing is known, shares and
        means null. Sums of money are null if no amount is known.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("purchases", "touches", "coupon_lifecycle", "customers")
    >>> tables = (ibis.table(contract(name).schema, name=name) for name in names)
    >>> customer_features(*tables, as_of=date(2024, 1, 1)).columns == contract("customer_features").column_names[1:]
    True
    """
    bought = purchases.filter(purchases.cancelled_at.isnull())
    everybody = customers_seen([bought, customers])
    parts = (
        _of_purchases(bought, as_of=as_of, timezone=timezone),
        _of_touches(touches, as_of=as_of),
        _of_coupons(coupon_lifecycle),
    )
    t = everybody
    columns: dict[str, ir.Value] = {}
    for part in parts:
        part = part.rename(owner_id="customer_id")
        t = t.left_join(part, t.customer_id == part.owner_id).drop("owner_id")
        counted = [name for name in part.columns if name.startswith("n_")]
        t = t.mutate(**{name: t[name].fill_null(0) for name in counted})
    nothing = ibis.literal("0.00").cast("decimal(18, 2)")
    columns = {name: t[name] for name in t.columns}
    columns["refunded_amount"] = t.refunded_amount.cast("decimal(18, 2)").coalesce(nothing)
    return t.select(**columns)


def _of_purchases(bought: ir.Table, *, as_of: date, timezone: str) -> ir.Table:
    """One customer who bought."""
    now = moment(as_of)
    t = bought.mutate(
        local_at=to_local(bought.purchased_at, timezone, until=as_of), is_online=bought.source == "online"
    )
    recent = {days: t.purchased_at >= _days_before(as_of, days) for days in (30, 90, 365)}
    both = t.discount_amount.notnull()
    sums = t.group_by("customer_id").aggregate(
        n_purchases=t.count(),
        **{f"n_purchases_{days}d": t.count(where=within) for days, within in recent.items()},
        first_at=t.purchased_at.min(),
        last_at=t.purchased_at.max(),
        known=t.net_amount.count(),
        net_amount=t.net_amount.sum(),
        recent_amount=t.net_amount.sum(where=recent[90]),
        discount=t.discount_amount.sum(),
        listed=t.list_amount.sum(where=both),
        refunded_amount=t.refunded_amount.sum(),
        n_merchants=t.merchant_id.nunique(),
        n_stores=t.store_id.nunique(where=t.consumed_at.notnull()),
        online=t.count(where=t.is_online),
        weekend=t.count(where=t.local_at.day_of_week.index() >= _SATURDAY),
        evening=t.count(where=t.local_at.hour() >= _EVENING),
    )
    nothing = ibis.literal("0.00").cast(sums.net_amount.type())
    # Nothing bought lately is 0.00 for whoever's amounts are known; bought for unknown amounts is null.
    lately = sums.recent_amount.coalesce(
        ((sums.n_purchases_90d == 0) & (sums.known > 0)).ifelse(nothing, ibis.null(nothing.type()))
    )
    return sums.select(
        "customer_id", "n_purchases", "n_purchases_30d", "n_purchases_90d", "n_purchases_365d",
        recency_days=days_between(now, sums.last_at),
        tenure_days=days_between(now, sums.first_at),
        mean_gap_days=share(days_between(sums.last_at, sums.first_at), sums.n_purchases - 1),
        net_amount=sums.net_amount,
        net_amount_90d=lately,
        mean_net_amount=share(sums.net_amount, sums.known),
        discount_share=share(sums.discount, sums.listed),
        refunded_amount=sums.refunded_amount,
        n_merchants=sums.n_merchants,
        n_stores=sums.n_stores,
        online_share=share(sums.online, sums.n_purchases),
        weekend_share=share(sums.weekend, sums.n_purchases),
        evening_share=share(sums.evening, sums.n_purchases),
    )  # fmt: skip


def _of_touches(touches: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who was touched."""
    return touches.group_by("customer_id").aggregate(
        n_touches_30d=touches.count(where=touches.touched_at >= _days_before(as_of, 30)),
        n_touch_channels=touches.channel.nunique(),
    )


def _of_coupons(coupon_lifecycle: ir.Table) -> ir.Table:
    """One customer who received or used a coupon."""
    is_receipt = ~coupon_lifecycle.receipt_id.startswith("u:")
    is_used = coupon_lifecycle.redeemed_at.notnull()
    sums = coupon_lifecycle.group_by("customer_id").aggregate(
        n_receipts=coupon_lifecycle.count(where=is_receipt),
        n_coupon_uses=coupon_lifecycle.count(where=is_used),
        used=coupon_lifecycle.count(where=is_receipt & is_used),
    )
    return sums.select("customer_id", "n_receipts", "n_coupon_uses", redemption_share=share(sums.used, sums.n_receipts))


def _days_before(day: date, days: int) -> ir.TimestampScalar:
    return ibis.literal(midnight(day)) - ibis.interval(days=days)
