"""The life of a coupon in a customer's hand: received, used, expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import days_between, moment
from o2o_mining.marts.purchases import is_cancelled

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

# A validity that says "for ever" in days would leave the calendar.
_LONGEST_DAYS = 365_000


def coupon_uses(coupon_redemptions: ir.Table, offline_redemptions: ir.Table, online_orders: ir.Table) -> ir.Table:
    """One use of one coupon, however many feeds name it.

    A row of ``coupon_redemptions`` is a use. A redemption with a coupon is one, unless such a row names the redemption
    (or only its order) and the coupon. An order with a coupon is one, unless a row or a redemption names the order and
    the coupon. What stands only in a cancelled order is none.

    Parameters
    ----------
    coupon_redemptions, offline_redemptions, online_orders
        The feeds; any may be empty.

    Returns
    -------
    ir.Table
        ``use_id``, ``feed`` (0 coupon_redemptions, 1 offline_redemptions, 2 online_orders), ``customer_id``,
        ``coupon_id``, ``merchant_id`` (of the visit or order), ``redeemed_at``, ``receipt_id`` (as named),
        ``redemption_id``, ``distance_m``, ``discount_amount``. Where the use stands only in the visit or order, that is
        the list amount less what was paid. A row of ``coupon_redemptions`` speaks for itself: its visit's discounts
        hold those of the shelf and of other coupons too.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("coupon_redemptions", "offline_redemptions", "online_orders")
    >>> coupon_uses(*(ibis.table(contract(name).schema, name=name) for name in names)).columns[:4]
    ('use_id', 'feed', 'customer_id', 'coupon_id')
    """
    tills = _till_uses(coupon_redemptions, offline_redemptions, online_orders)
    of_visit = tills.filter(tills.redemption_id.notnull()).select("redemption_id", "coupon_id")
    of_order_only = tills.filter(tills.redemption_id.isnull()).select("order_id", "coupon_id")
    visits = offline_redemptions.filter(offline_redemptions.coupon_id.notnull())
    orders = online_orders.filter(~is_cancelled(online_orders) & online_orders.coupon_id.notnull())
    named = tills.select("order_id", "coupon_id").union(visits.select("order_id", "coupon_id"))
    visits = visits.anti_join(of_visit, ["redemption_id", "coupon_id"])
    visits = visits.anti_join(of_order_only, ["order_id", "coupon_id"])
    orders = orders.anti_join(named, ["order_id", "coupon_id"])
    return ibis.union(
        tills.drop("order_id"),
        _use(visits, 1, visits.redemption_id, visits.redeemed_at, visits.redemption_id, visits.distance_m),
        _use(orders, 2, orders.order_id, orders.ordered_at, ibis.null("string"), ibis.null("float64")),
    )


def _use(
    t: ir.Table, feed: int, use_id: ir.Value, at: ir.Value, redemption_id: ir.Value, distance_m: ir.Value
) -> ir.Table:
    """One visit or order that names a coupon, as a use."""
    return t.select(
        use_id=use_id,
        feed=ibis.literal(feed, "int64"),
        customer_id=t.customer_id,
        coupon_id=t.coupon_id,
        merchant_id=t.merchant_id,
        redeemed_at=at,
        receipt_id=t.receipt_id,
        redemption_id=redemption_id,
        distance_m=distance_m,
        discount_amount=(t.list_amount - t.paid_amount).cast("decimal(18, 2)"),
    )


def _till_uses(tills: ir.Table, visits: ir.Table, orders: ir.Table) -> ir.Table:
    """One row of coupon_redemptions with its visit and the order that one belongs to."""
    visits = visits.select(
        visit_id="redemption_id",
        visit_order_id="order_id",
        visit_merchant_id="merchant_id",
        visit_distance_m="distance_m",
    )
    orders = orders.select(
        placed_id="order_id",
        order_merchant_id="merchant_id",
        order_cancelled=is_cancelled(orders),
    )
    t = tills.left_join(visits, tills.redemption_id == visits.visit_id)
    t = t.left_join(orders, t.order_id == orders.placed_id)
    t = t.filter(t.redemption_id.notnull() | t.order_cancelled.isnull() | ~t.order_cancelled)
    return t.select(
        use_id=t.coupon_redemption_id,
        feed=ibis.literal(0, "int64"),
        customer_id=t.customer_id,
        coupon_id=t.coupon_id,
        merchant_id=t.visit_merchant_id.coalesce(t.order_merchant_id),
        redeemed_at=t.redeemed_at,
        receipt_id=t.receipt_id,
        redemption_id=t.redemption_id,
        order_id=t.order_id.coalesce(t.visit_order_id),
        distance_m=t.visit_distance_m,
        discount_amount=t.discount_amount,
    )


def coupon_states(
    coupon_receipts: ir.Table,
    coupons: ir.Table,
    coupon_redemptions: ir.Table,
    offline_redemptions: ir.Table,
    online_orders: ir.Table,
    *,
    now: date,
) -> ir.Table:
    """One coupon in one customer's hand, from receipt to redemption or expiry.

    A use that names a known receipt takes it; of several the first by time. A use that names none takes the customer's
    earliest unused receipt of that coupon received at or before it, expired or not. Every other use, also one that
    names an unknown receipt, is a row ``u:<id of the use>`` received when it was used. Where uses of several feeds have
    one id, the later feed's is ``u:<feed>:<id>``.

    Parameters
    ----------
    coupon_receipts, coupons, coupon_redemptions, offline_redemptions, online_orders
        The feeds; any may be empty.
    now
        The day whose beginning is the present: what expired before it has expired.

    Returns
    -------
    ir.Table
        The columns of the contract ``coupon_lifecycle``. ``days_to_redeem`` is null where a named receipt is later
        than its use.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("coupon_receipts", "coupons", "coupon_redemptions", "offline_redemptions", "online_orders")
    >>> made = coupon_states(*(ibis.table(contract(name).schema, name=name) for name in names), now=date(2024, 1, 1))
    >>> set(contract("coupon_lifecycle").column_names) <= set(made.columns)
    True
    """
    receipts = coupon_receipts.select("receipt_id", "customer_id", "coupon_id", "received_at", "distance_m")
    uses = coupon_uses(coupon_redemptions, offline_redemptions, online_orders)
    taken = _taken(receipts, uses)
    held = _held(receipts, uses, taken)
    loose = _loose(uses.anti_join(taken, ["feed", "use_id"]))
    return _with_coupon(held.union(loose), coupons, moment(now))


def _taken(receipts: ir.Table, uses: ir.Table) -> ir.Table:
    """One use with the receipt it takes."""
    named = uses.filter(uses.receipt_id.notnull()).semi_join(receipts, "receipt_id")
    rank = ibis.row_number().over(group_by=named.receipt_id, order_by=[named.redeemed_at, named.use_id, named.feed])
    explicit = named.mutate(rank=rank).filter(lambda t: t.rank == 0).select("feed", "use_id", "receipt_id")
    queued = receipts.anti_join(explicit, "receipt_id")
    unnamed = uses.filter(uses.receipt_id.isnull())
    return explicit.union(_first_in_first_out(queued, unnamed))


def _first_in_first_out(receipts: ir.Table, uses: ir.Table) -> ir.Table:
    """One use with the earliest receipt of its customer and coupon that is still unused.

    With +1 a receipt and -1 a use, the lowest the running sum has been below 0 counts the uses that found no receipt.
    Those left aside, the k-th use takes the k-th receipt.
    """
    none = ibis.null("string")
    events = receipts.select(
        "customer_id", "coupon_id", at="received_at", step=ibis.literal(1, "int64"), feed=ibis.literal(0, "int64"),
        id="receipt_id", receipt_id="receipt_id",
    ).union(
        uses.select(
            "customer_id", "coupon_id", at="redeemed_at", step=ibis.literal(-1, "int64"), feed="feed",
            id="use_id", receipt_id=none,
        )
    )  # fmt: skip
    group = ["customer_id", "coupon_id"]
    in_order = {"group_by": group, "order_by": ["at", ibis.desc("step"), "id", "feed"]}
    so_far = ibis.cumulative_window(**in_order)
    t = events.mutate(stock=events.step.sum().over(so_far), nth=(events.step == -1).cast("int64").sum().over(so_far))
    t = t.mutate(unmatched=ibis.greatest(-t.stock.min().over(so_far), ibis.literal(0, "int64")))
    t = t.mutate(unmatched_before=t.unmatched.lag().over(ibis.window(**in_order)).fill_null(0))
    used = t.filter((t.step == -1) & (t.unmatched == t.unmatched_before))
    used = used.select("customer_id", "coupon_id", "feed", use_id=used.id, nth=used.nth - used.unmatched)
    given = t.filter(t.step == 1)
    given = given.select("customer_id", "coupon_id", "receipt_id", nth=given.stock + given.nth)
    return used.join(given, [*group, "nth"]).select("feed", "use_id", "receipt_id")


def _held(receipts: ir.Table, uses: ir.Table, taken: ir.Table) -> ir.Table:
    """One receipt with its use, if any."""
    by = taken.select(taken_feed="feed", taken_use_id="use_id", taken_receipt_id="receipt_id")
    use = uses.select(
        "use_id", "feed", "redeemed_at", "redemption_id", "discount_amount",
        use_merchant_id="merchant_id", use_distance_m="distance_m",
    )  # fmt: skip
    use = by.join(use, [by.taken_use_id == use.use_id, by.taken_feed == use.feed])
    t = receipts.left_join(use, receipts.receipt_id == use.taken_receipt_id)
    return t.select(
        "receipt_id",
        "customer_id",
        "coupon_id",
        "use_merchant_id",
        "received_at",
        "redeemed_at",
        "redemption_id",
        days_to_redeem=(t.redeemed_at >= t.received_at).ifelse(
            days_between(t.redeemed_at, t.received_at), ibis.null("float64")
        ),
        distance_m=t.distance_m.coalesce(t.use_distance_m),
        discount_amount=t.discount_amount,
    )


def _loose(uses: ir.Table) -> ir.Table:
    """One use without a receipt."""
    earlier = ibis.row_number().over(group_by=uses.use_id, order_by=uses.feed)
    t = uses.mutate(earlier=earlier)
    feed = (t.feed == 1).ifelse("offline_redemptions:", "online_orders:")
    return t.select(
        receipt_id=ibis.literal("u:") + (t.earlier > 0).ifelse(feed, "") + t.use_id,
        customer_id=t.customer_id,
        coupon_id=t.coupon_id,
        use_merchant_id=t.merchant_id,
        received_at=t.redeemed_at,
        redeemed_at=t.redeemed_at,
        redemption_id=t.redemption_id,
        days_to_redeem=ibis.null("float64"),
        distance_m=t.distance_m,
        discount_amount=t.discount_amount,
    )


def _with_coupon(rows: ir.Table, coupons: ir.Table, now: ir.TimestampScalar) -> ir.Table:
    """One coupon in one customer's hand with what the coupon says, and its state."""
    forever = coupons.valid_days > _LONGEST_DAYS
    known = coupons.select(
        "merchant_id", "campaign_id", "ends_at", known_id="coupon_id",
        valid_days=forever.ifelse(ibis.literal(_LONGEST_DAYS, "int64"), coupons.valid_days),
    )  # fmt: skip
    t = rows.left_join(known, rows.coupon_id == known.known_id)
    worn_out = t.received_at + t.valid_days.as_interval("D")
    t = t.mutate(
        merchant_id=t.merchant_id.coalesce(t.use_merchant_id, ibis.literal("(unknown)")),
        expires_at=ibis.least(worn_out.coalesce(t.ends_at), t.ends_at.coalesce(worn_out)),
    )
    state = ibis.cases(
        (t.redeemed_at.notnull(), "redeemed"), ((t.expires_at < now).fill_null(False), "expired"), else_="open"
    )
    return t.mutate(state=state)
