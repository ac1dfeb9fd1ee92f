"""Touches: those of the log, those made from messages, and the codes that rows carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir


def all_touches(touches: ir.Table, sends: ir.Table) -> ir.Table:
    """One contact of one customer: a touch of the log, or a message of ours whose code no touch carries.

    Parameters
    ----------
    touches, sends
        The feeds; either may be empty.

    Returns
    -------
    ir.Table
        ``touch_id`` (``s:<send_id>`` for messages), ``customer_id``, ``touched_at``, ``channel``, ``campaign_id``,
        ``tracking_code``, ``action`` (``impression`` for messages), ``device``.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> all_touches(*(ibis.table(contract(name).schema, name=name) for name in ("touches", "sends"))).columns
    ('touch_id', 'customer_id', 'touched_at', 'channel', 'campaign_id', 'tracking_code', 'action', 'device')
    """
    columns = ("touch_id", "customer_id", "touched_at", "channel", "campaign_id", "tracking_code", "action", "device")
    codes = touches.filter(touches.tracking_code.notnull()).select("tracking_code")
    # A null code equals no code, so the anti join keeps messages without one.
    unseen = sends.anti_join(codes, "tracking_code")
    made = unseen.select(
        touch_id=ibis.literal("s:") + unseen.send_id,
        customer_id=unseen.customer_id,
        touched_at=unseen.sent_at,
        channel=unseen.channel,
        campaign_id=unseen.campaign_id,
        tracking_code=unseen.tracking_code,
        action=ibis.literal("impression"),
        device=ibis.null("string"),
    )
    return touches.select(*columns).union(made)


def carried_codes(touches: ir.Table, sends: ir.Table, coupon_receipts: ir.Table) -> ir.Table:
    """One tracking code, with channel and campaign of the row that carries it.

    Touches come before messages, messages before receipts, and of those the smallest id.

    Parameters
    ----------
    touches, sends, coupon_receipts
        The feeds; any may be empty.

    Returns
    -------
    ir.Table
        ``tracking_code``, ``channel`` (null for receipts without one), ``campaign_id`` (null for receipts).

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("touches", "sends", "coupon_receipts")
    >>> carried_codes(*(ibis.table(contract(name).schema, name=name) for name in names)).columns
    ('tracking_code', 'channel', 'campaign_id')
    """
    carriers = ibis.union(
        *(
            feed.filter(feed.tracking_code.notnull()).select(
                tracking_code=feed.tracking_code,
                feed=ibis.literal(rank, "int64"),
                id=feed[key],
                channel=feed.channel,
                campaign_id=feed.campaign_id if "campaign_id" in feed.columns else ibis.null("string"),
            )
            for rank, (feed, key) in enumerate(
                ((touches, "touch_id"), (sends, "send_id"), (coupon_receipts, "receipt_id"))
            )
        )
    )
    rank = ibis.row_number().over(group_by=carriers.tracking_code, order_by=[carriers.feed, carriers.id])
    first = carriers.mutate(rank=rank).filter(lambda t: t.rank == 0)
    return first.select("tracking_code", "channel", "campaign_id")
