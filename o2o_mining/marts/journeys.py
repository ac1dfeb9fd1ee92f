"""Journeys: which touches lie before which purchase, and which led to none.

- A touch of any action serves the first purchase, not cancelled, at or after it, if that is no more than the lookback
  away. Of purchases at one moment the smallest purchase_id takes the touches.
- A purchase that names a campaign or a known code, and has no touch of either, gets one at its own time.
- Touches that no purchase used follow each other in a journey without purchase, until the gap exceeds the lookback. It
  is told once its last touch is older than the lookback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import days_between, joined_in_order, moment
from o2o_mining.marts.touches import all_touches, carried_codes

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

_TOUCH = ("touch_id", "customer_id", "touched_at", "channel", "campaign_id", "tracking_code")


def journey_touches(
    purchases: ir.Table,
    touches: ir.Table,
    sends: ir.Table,
    coupon_receipts: ir.Table,
    campaigns: ir.Table,
    *,
    now: date,
    lookback_days: int,
    reuse_touches: bool = False,
    customers: ir.Table | None = None,
) -> ir.Table:
    """One touch within one journey.

    Parameters
    ----------
    purchases
        The table ``purchases``.
    touches, sends, coupon_receipts, campaigns
        The feeds; any may be empty.
    now, lookback_days
        The day whose beginning is the present; how long before a purchase a touch may lie, that moment included.
    reuse_touches
        Whether a touch serves every purchase within the lookback, also those at one moment.
    customers
        The ``customer_id`` of those whose touches are looked at and whose purchases are given; all without.

    Returns
    -------
    ir.Table
        The columns of the contract ``journey_touches``. A purchase without any touch has no row.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("purchases", "touches", "sends", "coupon_receipts", "campaigns")
    >>> tables = (ibis.table(contract(name).schema, name=name) for name in names)
    >>> journey_touches(*tables, now=date(2024, 1, 1), lookback_days=30).columns == contract(
    ...     "journey_touches").column_names
    True
    """
    bought = purchases.filter(purchases.cancelled_at.isnull())
    contacts = all_touches(touches, sends).select(*_TOUCH)
    contacts = contacts if customers is None else contacts.semi_join(customers, "customer_id")
    lookback = ibis.interval(days=lookback_days)
    if reuse_touches:
        used = _every_purchase(contacts, bought, lookback)
        unused = contacts.anti_join(used, "touch_id")
    else:
        served = _first_purchase(contacts, bought, lookback)
        used = served.filter(served.purchase_id.notnull())
        unused = served.filter(served.purchase_id.isnull())
    made = _made_touches(bought, used, carried_codes(touches, sends, coupon_receipts), campaigns)
    over = _without_purchase(unused, lookback, moment(now))
    rows = ibis.union(used.select(*_TOUCH, journey_id="purchase_id"), made, over)
    position = ibis.row_number().over(group_by=rows.journey_id, order_by=[rows.touched_at, rows.touch_id])
    return rows.mutate(position=(position + 1).cast("int64")).select(
        "journey_id", "touch_id", "customer_id", "position", "touched_at", "channel", "campaign_id", "tracking_code"
    )


def _first_purchase(contacts: ir.Table, bought: ir.Table, lookback: ir.IntervalScalar) -> ir.Table:
    """One contact with the purchase it serves, or null.

    Contacts and purchases of a customer are read backwards in one pass; a join on a range of time would pair each
    contact with every later purchase first.
    """
    moments = bought.group_by("customer_id", "purchased_at").aggregate(purchase_id=bought.purchase_id.min())
    at_type = contacts.touched_at.type()
    events = contacts.mutate(bought_at=ibis.null(at_type)).union(
        moments.select(
            touch_id=ibis.null("string"),
            customer_id=moments.customer_id,
            touched_at=moments.purchased_at.cast(at_type),
            channel=ibis.null("string"),
            campaign_id=ibis.null("string"),
            tracking_code=ibis.null("string"),
            bought_at=moments.purchased_at.cast(at_type),
        )
    )
    backwards = ibis.cumulative_window(
        group_by=events.customer_id, order_by=[ibis.desc(events.touched_at), events.bought_at.isnull().cast("int8")]
    )
    following = events.mutate(next_at=events.bought_at.min().over(backwards)).filter(lambda t: t.touch_id.notnull())
    # Purchases beyond the lookback are forgotten before the join, so that nothing matches them.
    near = following.next_at <= following.touched_at + lookback
    following = following.mutate(next_at=near.ifelse(following.next_at, ibis.null(at_type)))
    moments = moments.rename(buyer_id="customer_id")
    return following.left_join(
        moments, [following.customer_id == moments.buyer_id, following.next_at == moments.purchased_at]
    ).select(*_TOUCH, "purchase_id")


def _every_purchase(contacts: ir.Table, bought: ir.Table, lookback: ir.IntervalScalar) -> ir.Table:
    """One contact with one of the purchases it serves."""
    buyers = bought.select("purchase_id", "purchased_at", buyer_id="customer_id")
    return contacts.join(
        buyers,
        [
            contacts.customer_id == buyers.buyer_id,
            contacts.touched_at <= buyers.purchased_at,
            buyers.purchased_at <= contacts.touched_at + lookback,
        ],
    ).select(*_TOUCH, "purchase_id")


def _made_touches(bought: ir.Table, used: ir.Table, codes: ir.Table, campaigns: ir.Table) -> ir.Table:
    """One touch that a purchase's campaign or code tells of and the log does not.

    Its campaign is the purchase's, else that of the row which carries the code; its channel that campaign's, else that
    of the row which carries the code, else the purchase's, else ``direct``.
    """
    codes = codes.select(known_code="tracking_code", code_channel="channel", code_campaign_id="campaign_id")
    named = bought.select("purchase_id", "customer_id", "purchased_at", "channel", "campaign_id", "tracking_code")
    named = named.filter(named.campaign_id.notnull() | named.tracking_code.notnull())
    wanted = named.select(wanted_id="purchase_id", wanted_campaign_id="campaign_id", wanted_code="tracking_code")
    met = used.join(wanted, used.purchase_id == wanted.wanted_id)
    met = met.filter((met.campaign_id == met.wanted_campaign_id) | (met.tracking_code == met.wanted_code))
    t = named.anti_join(met.select("purchase_id"), "purchase_id")
    t = t.left_join(codes, t.tracking_code == codes.known_code)
    t = t.filter(t.campaign_id.notnull() | t.known_code.notnull())
    t = t.mutate(campaign_id=t.campaign_id.coalesce(t.code_campaign_id))
    run = campaigns.select(run_id="campaign_id", run_channel="channel")
    t = t.left_join(run, t.campaign_id == run.run_id)
    return t.select(
        touch_id=ibis.literal("p:") + t.purchase_id,
        customer_id=t.customer_id,
        touched_at=t.purchased_at,
        channel=ibis.coalesce(t.run_channel, t.code_channel, t.channel, ibis.literal("direct")),
        campaign_id=t.campaign_id,
        tracking_code=t.tracking_code,
        journey_id=t.purchase_id,
    )


def _without_purchase(unused: ir.Table, lookback: ir.IntervalScalar, now: ir.TimestampScalar) -> ir.Table:
    """One unused touch within a journey that is over."""
    in_order = {"group_by": "customer_id", "order_by": ["touched_at", "touch_id"]}
    t = unused.mutate(before=unused.touched_at.lag().over(ibis.window(**in_order)))
    t = t.mutate(opens=(t.before.isnull() | (t.before + lookback < t.touched_at)).cast("int64"))
    t = t.mutate(run=t.opens.sum().over(ibis.cumulative_window(**in_order)))
    run = ibis.window(group_by=[t.customer_id, t.run])
    t = t.mutate(
        ended_at=t.touched_at.max().over(run),
        first_id=(t.opens == 1).ifelse(t.touch_id, ibis.null("string")).max().over(run),
    )
    over = t.filter(t.ended_at + lookback < now)
    return over.select(*_TOUCH, journey_id=ibis.literal("n:") + over.first_id)


def journeys_from_touches(purchases: ir.Table, journey_touches: ir.Table) -> ir.Table:
    """One journey: the touches before one purchase, or touches that led to none.

    Parameters
    ----------
    purchases, journey_touches
        The tables of these names. A purchase that no touch names is a journey too, of path ``direct``.

    Returns
    -------
    ir.Table
        The columns of the contract ``journeys``.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> tables = (ibis.table(contract(name).schema, name=name) for name in ("purchases", "journey_touches"))
    >>> journeys_from_touches(*tables).columns == contract("journeys").column_names
    True
    """
    seen = journey_touches.group_by(seen_id=journey_touches.journey_id).aggregate(
        seen_customer_id=journey_touches.customer_id.min(),
        first_at=journey_touches.touched_at.min(),
        last_at=journey_touches.touched_at.max(),
        seen_touches=journey_touches.count(),
        seen_path=joined_in_order(journey_touches.channel, journey_touches.position, " > "),
    )
    bought = purchases.filter(purchases.cancelled_at.isnull())
    t = bought.left_join(seen, bought.purchase_id == seen.seen_id)
    t = t.mutate(started_at=t.first_at.coalesce(t.purchased_at))
    converted = t.select(
        journey_id=t.purchase_id,
        customer_id=t.customer_id,
        purchase_id=t.purchase_id,
        converted=ibis.literal(True),
        started_at=t.started_at,
        ended_at=t.purchased_at,
        n_touches=t.seen_touches.fill_null(0),
        path=t.seen_path.fill_null("direct"),
        days_to_convert=days_between(t.purchased_at, t.started_at),
        value=t.paid_amount,
        net_value=t.net_amount,
    )
    led_to_none = seen.filter(seen.seen_id.startswith("n:"))
    return converted.union(
        led_to_none.select(
            journey_id=led_to_none.seen_id,
            customer_id=led_to_none.seen_customer_id,
            purchase_id=ibis.null("string"),
            converted=ibis.literal(False),
            started_at=led_to_none.first_at,
            ended_at=led_to_none.last_at,
            n_touches=led_to_none.seen_touches,
            path=led_to_none.seen_path,
            days_to_convert=ibis.null("float64"),
            value=ibis.null(purchases.paid_amount.type()),
            net_value=ibis.null(purchases.net_amount.type()),
        )
    )
