"""Recency, frequency and money of each customer, and their scores by rank."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from o2o_mining.core.errors import UsageError
from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

_REQUIRED = ("customer_id", "purchased_at", "net_amount")


def rfm_scores(purchases: ir.Table, *, as_of: date, bins: int = 5) -> ir.Table:
    """One customer with a purchase before as_of: recency, frequency, money and the score of each.

    The scores are ``1 + floor(bins * (mean_rank - 0.5) / n)`` among the customers of this table, the best is
    ``bins``; equal values share the mean rank, so many customers with one purchase never collapse the scores.

    Parameters
    ----------
    purchases
        ``customer_id``, ``purchased_at`` (UTC) and ``net_amount``; one row per purchase. With ``cancelled_at``, a
        purchase cancelled before as_of does not count; with ``refunded_at`` and ``refunded_amount``, a refund at or
        after as_of is not taken off yet.
    as_of
        Counts what was purchased before this UTC day.
    bins
        Number of scores, at least 2.

    Returns
    -------
    ibis.Table
        ``customer_id``; ``recency_days``, from the UTC day of the last purchase to as_of; ``frequency``, the number
        of purchases; ``monetary``, the sum of known net amounts, null without any; ``r_score``, ``f_score`` and
        ``m_score`` in 1..bins, the last null where monetary is null.

    Raises
    ------
    UsageError
        If a column is missing or bins is below 2.

    Examples
    --------
    >>> from datetime import datetime
    >>> purchases = ibis.memtable(
    ...     {
    ...         "customer_id": ["ann", "ann", "bob"],
    ...         "purchased_at": [datetime(2017, 6, 1), datetime(2017, 6, 30, 23), datetime(2017, 5, 1)],
    ...         "net_amount": [10, 5, 40],
    ...     }
    ... )
    >>> scores = rfm_scores(purchases, as_of=date(2017, 7, 1), bins=2).order_by("customer_id").execute()
    >>> print(scores.to_string(index=False))
    customer_id  recency_days  frequency  monetary  r_score  f_score  m_score
            ann             1          2        15        2        2        1
            bob            61          1        40        1        1        2
    """
    _check(purchases, bins)
    known = _known_before(purchases, as_of)
    last = known.purchased_at.max().date()
    customers = known.group_by("customer_id").aggregate(
        recency_days=ibis.literal(as_of).delta(last, unit="day"),
        frequency=known.count(),
        monetary=known.net_amount.sum(),
    )
    has_money = customers.monetary.notnull()
    m_score = _score(customers.monetary, customers.monetary, bins=bins, among=has_money)
    return customers.mutate(
        r_score=_score(ibis.desc(customers.recency_days), customers.recency_days, bins=bins),
        f_score=_score(customers.frequency, customers.frequency, bins=bins),
        m_score=ibis.ifelse(has_money, m_score, ibis.null("int64")),
    )


def _check(purchases: ir.Table, bins: int) -> None:
    missing = [name for name in _REQUIRED if name not in purchases.columns]
    if missing:
        raise UsageError(f"purchases lacks {', '.join(missing)}", next_step=f"pass {', '.join(_REQUIRED)}")
    if bins < 2:
        raise UsageError(f"bins = {bins} is below 2")


def _known_before(purchases: ir.Table, as_of: date) -> ir.Table:
    """One purchase that counts as of a day, with the net amount known by then."""
    until = moment(as_of)
    known = purchases.filter(purchases.purchased_at < until)
    if "cancelled_at" in known.columns:
        known = known.filter(known.cancelled_at.isnull() | (known.cancelled_at >= until))
    net = known.net_amount
    if {"refunded_at", "refunded_amount"} <= set(known.columns):
        net = ibis.ifelse(known.refunded_at >= until, net + known.refunded_amount.fill_null(0), net)
    if net.type().is_decimal():
        net = net.cast("decimal(18, 2)")
    return known.select("customer_id", "purchased_at", net_amount=net)


def _score(order: ir.Value, value: ir.Value, *, bins: int, among: ir.BooleanValue | None = None) -> ir.IntegerValue:
    """Return the score of a value by its mean rank, ranked apart where ``among`` differs.

    With ``below`` rows ranked lower and ``ties`` rows of the same value, itself included, the mean rank less a half
    is ``below + ties / 2``. So the score is the quotient of two integers, far below 2**53, and no rounding moves it.
    """
    apart = [] if among is None else [among]
    below = ibis.rank().over(group_by=apart or None, order_by=order)
    ties = value.count().over(group_by=[*apart, value])
    everyone = value.count().over(group_by=apart or None)
    return 1 + (bins * (2 * below + ties)) // (2 * everyone)
