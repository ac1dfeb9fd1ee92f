"""The stage of each customer's life, judged by the customer's own rhythm.

Days between days of purchase are exponential with a mean of the customer's own, and these means follow an inverse gamma
distribution over the population (so the rates are gamma: the gamma-Poisson model of Ehrenberg, Repeat-Buying, 1988).
After ``x`` gaps that took ``t`` days the next gap outlasts ``s`` days with probability ``((b + t) / (b + t + s)) **
(a + x)``, Lomax's law. The parameters come from two moments of the customers' mean gaps ``m`` in closed form: a mean
of ``x`` gaps has ``E[m^2 x / (x + 1)] = E[mu^2]``, so with ``v = E[mu^2] - E[m]^2``: ``a = 2 + E[m]^2 / v`` and
``b = (a - 1) E[m]``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import counted, moment, share

if TYPE_CHECKING:
    import ibis.expr.types as ir

STAGES = ("prospect", "new", "active", "won_back", "cooling", "lapsing", "lost")
# A silence that so few of a customer's own gaps would outlast means: cooling, lapsing, lost.
COOLING, LAPSING, LOST = 0.2, 0.05, 0.01
# Up to the second day of purchase after a silence that looked like lost, a customer is won back. One that looked like
# lapsing is not enough: of the gaps of those who never left, every twentieth does.
RETURN_DAYS = 2
# Where gaps differ less than chance alone would have it, everybody has the population's rhythm, all but exactly.
_MOST_ALIKE = 1_000.0


def lifecycle_stages(purchases: ir.Table, *, as_of: date) -> ir.Table:
    """One customer with a purchase before as_of: the stage, and the silence by the customer's own rhythm.

    Parameters
    ----------
    purchases
        ``customer_id``, ``purchased_at`` and ``cancelled_at`` as known before as_of.
    as_of
        Counts what was purchased before this UTC day.

    Returns
    -------
    ibis.Table
        ``customer_id``; ``lifecycle_stage``, one of ``new``, ``active``, ``won_back``, ``cooling``, ``lapsing``,
        ``lost``; ``silence_probability``, that a gap of this customer outlasts the days since the last purchase;
        ``lapsing_after_days``, from how many days on the customer counts as lapsing.

    Examples
    --------
    >>> from datetime import datetime
    >>> bought = [("ann", d) for d in (1, 3, 5, 7)] + [("bob", 2), ("bob", 20), ("cleo", 28)]
    >>> purchases = ibis.memtable({
    ...     "customer_id": [who for who, _ in bought],
    ...     "purchased_at": [datetime(2017, 6, day) for _, day in bought],
    ... }).mutate(cancelled_at=ibis.null("timestamp"))
    >>> stages = lifecycle_stages(purchases, as_of=date(2017, 7, 1)).order_by("customer_id").execute()
    >>> stages["lifecycle_stage"].tolist()
    ['cooling', 'active', 'new']
    """
    days = _days(purchases, as_of=as_of)
    rhythm = _rhythm(days)
    steps = days.filter(days.number > 0).cross_join(rhythm)
    # Each gap is judged by what was known before it: number - 1 gaps that took the days up to the one before.
    surprise = _outlasts(steps.gap_days, steps.number - 1, steps.reached_days - steps.gap_days, steps)
    returned = steps.mutate(was_lost=surprise < LOST)
    back = returned.group_by("customer_id").aggregate(back_number=returned.number.max(where=returned.was_lost))
    whole = days.group_by("customer_id").aggregate(
        gaps=days.number.max(), span_days=days.reached_days.max(), last_day=days.day.max()
    )
    joined = whole.left_join(back, "customer_id").drop("customer_id_right").cross_join(rhythm)
    # The day itself is not over: a purchase on the day before is one day old.
    silent = ibis.literal(as_of).delta(joined.last_day, unit="day").cast("int64")
    return _staged(joined.mutate(probability=_outlasts(silent, joined.gaps, joined.span_days, joined)))


def _staged(known: ir.Table) -> ir.Table:
    """One customer: the stage, the silence, and from how long a silence on it means lapsing."""
    stage = ibis.cases(
        (known.probability < LOST, ibis.literal("lost")),
        (known.probability < LAPSING, ibis.literal("lapsing")),
        (known.probability < COOLING, ibis.literal("cooling")),
        (known.gaps == 0, ibis.literal("new")),
        ((known.gaps - known.back_number < RETURN_DAYS).fill_null(False), ibis.literal("won_back")),
        else_=ibis.literal("active"),
    )
    power = -1.0 / (known["shape"] + known.gaps.cast("float64"))
    limit = (known["scale"] + known.span_days.cast("float64")) * (ibis.literal(LAPSING).pow(power) - 1.0)
    return known.select(
        "customer_id",
        lifecycle_stage=stage,
        silence_probability=known.probability.round(9),
        lapsing_after_days=limit.round(3),
    )


def _days(purchases: ir.Table, *, as_of: date) -> ir.Table:
    """One UTC day on which a customer bought: which it is from 0, days since the one before and since the first."""
    bought = purchases.filter(
        (purchases.purchased_at < moment(as_of))
        & (purchases.cancelled_at.isnull() | (purchases.cancelled_at >= moment(as_of)))
    )
    days = bought.select("customer_id", day=bought.purchased_at.date()).distinct()
    window = ibis.window(group_by=days.customer_id, order_by=days.day)
    numbered = days.mutate(number=ibis.row_number().over(window), before=days.day.lag().over(window))
    first = numbered.day.min().over(group_by=numbered.customer_id)
    return numbered.select(
        "customer_id",
        "day",
        "number",
        gap_days=numbered.day.delta(numbered.before, unit="day").cast("int64"),
        reached_days=numbered.day.delta(first, unit="day").cast("int64"),
    )


def _rhythm(days: ir.Table) -> ir.Table:
    """One row: shape and scale of the population's gaps; 3 and 60 days, a mean of 30, where nobody came again.

    Means are added up in thousandths of a day, so that the order does not matter.
    """
    own = days.group_by("customer_id").aggregate(gaps=days.number.max(), span_days=days.reached_days.max())
    own = own.filter(own.gaps > 0)
    gaps = own.gaps.cast("float64")
    mean = own.span_days.cast("float64") / gaps
    moments = own.select(first=counted(mean, 1000), second=counted(mean * mean * gaps / (gaps + 1.0), 1000))
    sums = moments.aggregate(customers=moments.count(), first=moments["first"].sum(), second=moments.second.sum())
    mu = share(sums["first"], sums.customers) / 1000.0
    variance = share(sums.second, sums.customers) / 1000.0 - mu * mu
    shape = ibis.ifelse(
        variance * _MOST_ALIKE > mu * mu, 2.0 + mu * mu / ibis.ifelse(variance > 0, variance, 1.0), _MOST_ALIKE
    )
    found = sums.select(shape=shape.fill_null(3.0), mean=mu.fill_null(30.0))
    return found.select("shape", scale=(found["shape"] - 1.0) * found["mean"])


def _outlasts(
    silent: ir.IntegerValue, gaps: ir.IntegerValue, spanned: ir.IntegerValue, rhythm: ir.Table
) -> ir.FloatingValue:
    """Return Lomax's survival of a silence after some gaps that took some days."""
    known = rhythm.scale + spanned.cast("float64")
    return (known / (known + silent.cast("float64"))).pow(rhythm["shape"] + gaps.cast("float64"))
