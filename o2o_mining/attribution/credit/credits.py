"""Each converted journey shared out among its touches by each touch-level model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.credit.models import DIRECT, ENDS, check_half_life
from o2o_mining.engine.portable import days_between

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Weights by age are whole numbers too: sums of floats differ from run to run, sums of integers do not. The youngest
# touch weighs 2**40, so a share is off by less than 1e-12, and the sum over millions of touches stays within int64.
_YOUNGEST = 2.0**40


def credited_touches(journeys: ir.Table, journey_touches: ir.Table) -> ir.Table:
    """One touch of one converted journey, or one converted journey without any, which counts as one of ``direct``.

    Parameters
    ----------
    journeys, journey_touches
        Columns as in the tables of these names.

    Returns
    -------
    ibis.Table
        ``journey_id``, ``purchase_id``, ``customer_id``, ``touch_id`` (null without a touch), ``touched_at``,
        ``channel``, ``campaign_id``, ``position`` from 1, and ``n``, the number of touches.
    """
    converted = journeys.filter(journeys.converted).select("journey_id", "purchase_id", "customer_id", "n_touches")
    touches = journey_touches.select("journey_id", "touch_id", "touched_at", "channel", "campaign_id", "position")
    joined = converted.left_join(touches, "journey_id").drop("journey_id_right")
    return joined.mutate(
        channel=joined.channel.fill_null(DIRECT),
        position=joined.position.fill_null(1),
        n=(joined.n_touches > 0).ifelse(joined.n_touches, 1),
    ).drop("n_touches")


def weighed_touches(journeys: ir.Table, journey_touches: ir.Table, *, half_life_days: float) -> ir.Table:
    """One touch with what the models look at beside its place.

    Parameters
    ----------
    journeys, journey_touches
        Columns as in the tables of these names.
    half_life_days
        For ``time_decay``.

    Returns
    -------
    ibis.Table
        The columns of ``credited_touches``, ``last_named``, the position of the last touch that is not direct (of the
        last one if all are), and the integers ``age_weight`` and ``age_weights``: what the touch weighs by its age, and
        all touches of the conversion together.
    """
    check_half_life(half_life_days)
    touches = credited_touches(journeys, journey_touches)
    alone, several = touches.filter(touches.n == 1), touches.filter(touches.n > 1)
    whole = ibis.literal(int(_YOUNGEST), "int64")
    return alone.mutate(last_named=alone.n, age_weight=whole, age_weights=whole).union(
        _aged(several, half_life_days=half_life_days)
    )


def _aged(touches: ir.Table, *, half_life_days: float) -> ir.Table:
    journey = ibis.window(group_by=touches.journey_id)
    place = ibis.ifelse(touches.channel == DIRECT, ibis.null("int64"), touches.position)
    aged = touches.mutate(
        _youngest=touches.touched_at.max().over(journey), last_named=place.max().over(journey).fill_null(touches.n)
    )
    behind = days_between(aged._youngest, aged.touched_at)
    decayed = (ibis.literal(2.0) ** (-behind / half_life_days) * _YOUNGEST).round()
    weighed = aged.mutate(age_weight=decayed.cast("int64")).drop("_youngest")
    return weighed.mutate(age_weights=weighed.age_weight.sum().over(group_by=weighed.journey_id).cast("int64"))


def weight(touches: ir.Table, model: str) -> ir.IntegerValue:
    """Return what a touch weighs by a model, as a whole number.

    Parameters
    ----------
    touches
        What ``weighed_touches`` gives.
    model
        A touch-level model.
    """
    if model == "linear":
        return ibis.literal(1, "int64")
    if model == "last_non_direct":
        return (touches.position == touches.last_named).cast("int64")
    if model == "time_decay":
        return touches.age_weight
    rule, first, last = ENDS[model], touches.position == 1, touches.position == touches.n
    opening, closing, between = rule.ends
    return ibis.cases(
        (touches.n == 1, 1),
        ((touches.n == 2) & first, rule.pair[0]),
        (touches.n == 2, rule.pair[1]),
        (first, opening * (touches.n - 2)),
        (last, closing * (touches.n - 2)),
        else_=between,
    ).cast("int64")


def weights(touches: ir.Table, model: str) -> ir.IntegerValue:
    """Return what all touches of a conversion weigh by a model together; a touch's share is its part of that.

    Parameters
    ----------
    touches
        What ``weighed_touches`` gives.
    model
        A touch-level model.
    """
    if model == "linear":
        return touches.n
    if model == "last_non_direct":
        return ibis.literal(1, "int64")
    if model == "time_decay":
        return touches.age_weights
    rule = ENDS[model]
    return ibis.cases(
        (touches.n == 1, 1), (touches.n == 2, sum(rule.pair)), else_=sum(rule.ends) * (touches.n - 2)
    ).cast("int64")
