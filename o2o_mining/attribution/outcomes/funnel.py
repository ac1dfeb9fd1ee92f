"""Where people are lost between a touch and coming back, per channel, device and merchant.

Counted are people, once for each channel, device and merchant in each window: from their first contact within it. Who
reached a stage counts for all before it, since many order without a coupon and many come without a touch.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import ibis

from o2o_mining.attribution.cents import to_cents
from o2o_mining.attribution.credit.windows import last_window, window_starts
from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

RETURN_DAYS = 90
"""Who buys again within so many days has come back."""

ALL = "(all)"
_MEMBER = ("window", "dimension", "id", "customer_id")
_DAY = 86_400


class FunnelLogs(NamedTuple):
    """What the funnel is counted from: two event tables as known before as_of, and two feeds."""

    purchases: ir.Table
    coupon_lifecycle: ir.Table
    touches: ir.Table
    campaigns: ir.Table


def people(logs: FunnelLogs, *, as_of: date, within_days: int) -> ir.Table:
    """One person who had a contact with one channel, device or merchant in one window, and how far it led.

    Parameters
    ----------
    logs
        The tables.
    as_of
        Uses what was known before this UTC day.
    within_days
        For so many days after the first contact what the person does counts.

    Returns
    -------
    ibis.Table
        ``window``, ``dimension``, ``id``, ``customer_id``; 0 or 1: ``touched``, ``received``, ``ordered``,
        ``redeemed``, ``returned``, ``waiting`` (the days are not over), ``due`` (an order is still to be consumed),
        ``fresh`` (the days to come back are not over); ``spent`` on touches, ``net`` of what was consumed, ``again`` of
        what was bought on coming back, in cents; ``reservations`` due, ``no_shows`` of them, and what these would have
        paid, ``missed``.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = FunnelLogs(*(ibis.table(contract(name).schema, name=name) for name in FunnelLogs._fields))
    >>> people(logs, as_of=date(2024, 7, 1), within_days=30).columns[:4]
    ('window', 'dimension', 'id', 'customer_id')
    """
    entered = _entered(logs, as_of=as_of, within_days=within_days)
    received = _received(entered, logs.coupon_lifecycle)
    ordered = _ordered(entered, logs.purchases, as_of=as_of)
    back = _back(ordered, logs.purchases)
    t = entered.left_join(received, list(_MEMBER), rname="{name}_received")
    t = t.left_join(ordered, list(_MEMBER), rname="{name}_ordered")
    t = t.left_join(back, list(_MEMBER), rname="{name}_back")
    counted = (
        "received",
        "ordered",
        "redeemed",
        "due",
        "net",
        "reservations",
        "no_shows",
        "missed",
        "returned",
        "again",
    )
    return t.select(
        *_MEMBER,
        "touched",
        "spent",
        **{name: t[name].fill_null(0) for name in counted},
        waiting=(t.until > moment(as_of)).cast("int64"),
        fresh=(t.done_at + ibis.interval(days=RETURN_DAYS) > moment(as_of)).fill_null(False).cast("int64"),
    )


def funnel_counts(persons: ir.Table) -> ir.Table:
    """One channel, device or merchant in one window: people by the stage they reached, open and lost, and money.

    Parameters
    ----------
    persons
        As ``people`` gives them.

    Returns
    -------
    ibis.Table
        ``window``, ``dimension``, ``id``; for stages 1 to 5 ``people_1`` and so on, ``observed_…`` (who was seen in the
        stage itself), ``open_…`` and ``spent_…`` (cents for touches of those lost there); ``net``, ``again``,
        ``reservations``, ``no_shows``, ``missed``.

    Examples
    --------
    >>> names = ["window", "touched", "received", "ordered", "redeemed", "returned", "waiting", "due", "fresh", "spent",
    ...          "net", "again", "reservations", "no_shows", "missed"]
    >>> columns = dict.fromkeys(names, "int64") | dict.fromkeys(("dimension", "id", "customer_id"), "string")
    >>> funnel_counts(ibis.table(columns, name="people")).columns[3:7]
    ('people_1', 'observed_1', 'open_1', 'spent_1')
    """
    t = persons
    reached = ibis.cases((t.returned == 1, 5), (t.redeemed == 1, 4), (t.ordered == 1, 3), (t.received == 1, 2), else_=1)
    t = t.mutate(reached=reached)
    # Who stands at a stage and may still go on is not lost.
    may_go_on = (t.waiting == 1, t.waiting == 1, t.due == 1, t.fresh == 1, ibis.literal(False))
    seen = (t.touched, t.received, t.ordered, t.redeemed, t.returned)
    sums = {}
    for stage, (going, observed) in enumerate(zip(may_go_on, seen, strict=True), start=1):
        at_stage = t.reached == stage
        sums[f"people_{stage}"] = (t.reached >= stage).cast("int64").sum()
        sums[f"observed_{stage}"] = observed.sum()
        sums[f"open_{stage}"] = (at_stage & going).cast("int64").sum()
        sums[f"spent_{stage}"] = (at_stage & ~going).ifelse(t.spent, 0).sum()
    for name in ("net", "again", "reservations", "no_shows", "missed"):
        sums[name] = t[name].sum()
    return t.group_by(["window", "dimension", "id"]).aggregate(**sums)


def _entered(logs: FunnelLogs, *, as_of: date, within_days: int) -> ir.Table:
    """One person with the first contact in a window, until when it counts, and what was spent on touches till then."""
    rows = _contacts(logs, as_of=as_of)
    numbers = ibis.array([ibis.literal(number, "int64") for number in range(len(window_starts(as_of)))])
    spread = rows.mutate(window=numbers.unnest(), last_window=last_window(rows["at"], as_of))
    inside = spread.filter(spread.window <= spread.last_window)
    first = inside["at"].min().over(group_by=[inside[name] for name in _MEMBER])
    begun = inside.mutate(entered_at=first)
    begun = begun.mutate(until=begun.entered_at + ibis.interval(days=within_days))
    counting = begun.filter(begun["at"] <= begun.until)
    return counting.group_by(list(_MEMBER)).aggregate(
        entered_at=counting.entered_at.min(),
        until=counting.until.min(),
        touched=counting.touch.max(),
        spent=counting.cents.sum(),
    )


def _contacts(logs: FunnelLogs, *, as_of: date) -> ir.Table:
    """One contact of one customer with one channel, device or merchant, and with any."""
    owners = logs.campaigns.select(run_id="campaign_id", owner_id="merchant_id")
    touches = logs.touches.filter(logs.touches.touched_at < moment(as_of))
    t = touches.left_join(owners, touches.campaign_id == owners.run_id)
    touched = t.select(
        "customer_id", "channel", "device", at=t.touched_at, merchant=t.owner_id, touch=ibis.literal(1, "int64"),
        cents=to_cents(t.cost).fill_null(0),
    )  # fmt: skip
    lifecycle, purchases = logs.coupon_lifecycle, logs.purchases
    lifecycle = lifecycle.filter(~lifecycle.receipt_id.startswith("u:"))
    others = [
        rows.select(
            "customer_id", channel=ibis.null("string"), device=ibis.null("string"), at=rows[at],
            merchant=rows.merchant_id, touch=ibis.literal(0, "int64"), cents=ibis.literal(0, "int64"),
        )
        for rows, at in ((lifecycle, "received_at"), (purchases, "purchased_at"))
    ]  # fmt: skip
    every = ibis.union(touched, *others)
    names = {"total": ibis.literal(ALL), **{name: every[name] for name in ("channel", "device", "merchant")}}
    return ibis.union(
        *(
            every.filter(id_.notnull()).select(
                "customer_id", "at", "touch", "cents", dimension=ibis.literal(name), id=id_
            )
            for name, id_ in names.items()
        )
    )


def _of_member(entered: ir.Table, rows: ir.Table) -> ir.Table:
    """One row of the same customer, and of the same merchant where people are counted by merchants."""
    met = entered.join(rows, "customer_id")
    return met.filter((met.dimension != "merchant") | (met.id == met.merchant_id))


def _received(entered: ir.Table, lifecycle: ir.Table) -> ir.Table:
    rows = lifecycle.filter(~lifecycle.receipt_id.startswith("u:")).select("customer_id", "merchant_id", "received_at")
    met = _of_member(entered, rows)
    inside = met.filter((met.received_at >= met.entered_at) & (met.received_at <= met.until))
    return inside.group_by(list(_MEMBER)).aggregate(received=inside.count().clip(0, 1))


def _ordered(entered: ir.Table, purchases: ir.Table, *, as_of: date) -> ir.Table:
    """One person who ordered in time: what was consumed, what is still to come, who was awaited in vain.

    A delivery is consumed when ordered. A reservation is due a day after its time; one cancelled before its time is no
    no-show.
    """
    kept = purchases.cancelled_at.isnull()
    delivered = (purchases.fulfilment == "delivery").fill_null(False)
    done = kept & (purchases.consumed_at.notnull() | delivered)
    late = purchases.reserved_for + ibis.interval(seconds=_DAY) < moment(as_of)
    in_time = (purchases.cancelled_at >= purchases.reserved_for).fill_null(True)
    reserved = ((purchases.fulfilment == "reservation") & late & in_time).fill_null(False)
    rows = purchases.select(
        "customer_id", "merchant_id", "purchased_at",
        done=done, kept=kept, reserved=reserved, ahead=(purchases.reserved_for >= moment(as_of)).fill_null(False),
        finished_at=purchases.consumed_at.coalesce(purchases.purchased_at),
        net_cents=to_cents(purchases.net_amount).fill_null(0), paid_cents=to_cents(purchases.paid_amount).fill_null(0),
    )  # fmt: skip
    met = _of_member(entered, rows)
    t = met.filter((met.purchased_at >= met.entered_at) & (met.purchased_at <= met.until))
    missing = t.reserved & ~t.done
    to_come = t.kept & ~t.done & (t.ahead | (t.until > moment(as_of)))
    return t.group_by(list(_MEMBER)).aggregate(
        ordered=t.count().clip(0, 1),
        redeemed=t.done.cast("int64").max(),
        done_at=t.done.ifelse(t.finished_at, ibis.null("timestamp(6)")).min(),
        net=t.done.ifelse(t.net_cents, 0).sum(),
        due=to_come.cast("int64").max(),
        reservations=t.reserved.cast("int64").sum(),
        no_shows=missing.cast("int64").sum(),
        missed=missing.ifelse(t.paid_cents, 0).sum(),
    )


def _back(ordered: ir.Table, purchases: ir.Table) -> ir.Table:
    """One person who bought again, with what was bought within the days to come back."""
    rows = purchases.filter(purchases.cancelled_at.isnull()).select(
        "customer_id", "merchant_id", "purchased_at", net_cents=to_cents(purchases.net_amount).fill_null(0)
    )
    met = _of_member(ordered.filter(ordered.done_at.notnull()).select(*_MEMBER, "done_at"), rows)
    last = met.done_at + ibis.interval(days=RETURN_DAYS)
    inside = met.filter((met.purchased_at > met.done_at) & (met.purchased_at <= last))
    return inside.group_by(list(_MEMBER)).aggregate(returned=inside.count().clip(0, 1), again=inside.net_cents.sum())
