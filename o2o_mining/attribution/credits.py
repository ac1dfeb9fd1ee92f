"""Each converted journey shared out among its touches by each touch-level model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.models import DIRECT, ENDS, HALF_LIFE_DAYS, check_half_life, check_model
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.engine.portable import days_between, share

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Weights by age are whole numbers too: sums of floats differ from run to run, sums of integers do not. The youngest
# touch weighs 2**40, so a share is off by less than 1e-12, and the sum over millions of touches stays within int64.
_YOUNGEST = 2.0**40


def touches_in_order(journeys: ir.Table, journey_touches: ir.Table) -> ir.Table:
    """One touch of one converted journey, or one converted journey without any, which counts as one of ``direct``.

    Parameters
    ----------
    journeys, journey_touches
        Columns as in the tables of these names.

    Returns
    -------
    ibis.Table
        ``journey_id``, ``purchase_id``, ``customer_id``, ``touch_id`` (null without a touch), ``touched_at``,
        ``channel``, ``campaign_id``, ``position`` by time and touch_id from 1, and ``n``, the number of touches.
    """
    converted = journeys.filter(journeys.converted).select("journey_id", "purchase_id", "customer_id")
    touches = journey_touches.select("journey_id", "touch_id", "touched_at", "channel", "campaign_id")
    joined = converted.left_join(touches, "journey_id").drop("journey_id_right")
    return joined.mutate(
        channel=joined.channel.fill_null(DIRECT),
        position=1 + ibis.row_number().over(group_by="journey_id", order_by=["touched_at", "touch_id"]),
        n=joined.count().over(group_by="journey_id"),
    )


def credits(  # noqa: A001 - the word of the trade; nobody here leaves the interpreter
    journeys: ir.Table,
    journey_touches: ir.Table,
    *,
    models: Sequence[str] = TOUCH_MODELS,
    half_life_days: float = HALF_LIFE_DAYS,
) -> ir.Table:
    """One touch with the share of its conversion that one model credits to it; touches with share 0 have no row.

    Parameters
    ----------
    journeys, journey_touches
        Columns as in the tables of these names.
    models
        Touch-level models.
    half_life_days
        For ``time_decay``.

    Returns
    -------
    ibis.Table
        The columns of ``touches_in_order``, ``model``, ``weight`` and ``weights`` (integers: the row's and the
        conversion's), and ``share``, their quotient. The shares of a conversion and model add up to 1.
    """
    for model in models:
        check_model(model)
    check_half_life(half_life_days)
    touches = _aged(touches_in_order(journeys, journey_touches), half_life_days=half_life_days)
    each = touches.mutate(model=ibis.array(list(models)).unnest())
    weighed = each.mutate(weight=_weight(each, models), weights=_weights(each, models))
    credited = weighed.filter(weighed.weight > 0)
    return credited.mutate(share=share(credited.weight, credited.weights)).drop("_age", "_ages", "_non_direct")


def _aged(touches: ir.Table, *, half_life_days: float) -> ir.Table:
    """One touch with its weight by age, the sum of these, and the place of the last that is not direct."""
    youngest = touches.touched_at.max().over(group_by=touches.journey_id)
    place = ibis.ifelse(touches.channel == DIRECT, ibis.null("int64"), touches.position)
    aged = touches.mutate(_behind=days_between(youngest, touches.touched_at), _place=place)
    # A journey without a touch has no age; its one row weighs as the youngest.
    decayed = (ibis.literal(2.0) ** (-aged._behind.fill_null(0.0) / half_life_days) * _YOUNGEST).round()
    weighed = aged.mutate(_age=decayed.cast("int64"))
    by_journey = ibis.window(group_by=weighed.journey_id)
    return weighed.mutate(
        _ages=weighed._age.sum().over(by_journey).cast("int64"),
        _non_direct=weighed._place.max().over(by_journey).fill_null(weighed.n),
    ).drop("_behind", "_place")


def _weight(touches: ir.Table, models: Sequence[str]) -> ir.IntegerValue:
    """Return the weight of the touch by the model of its row."""
    first, last = touches.position == 1, touches.position == touches.n
    found = {
        "linear": ibis.literal(1, "int64"),
        "last_non_direct": (touches.position == touches._non_direct).cast("int64"),
        "time_decay": touches._age,
    }
    for model, rule in ENDS.items():
        opening, closing, between = rule.ends
        found[model] = ibis.cases(
            (touches.n == 1, 1),
            ((touches.n == 2) & first, rule.pair[0]),
            (touches.n == 2, rule.pair[1]),
            (first, opening * (touches.n - 2)),
            (last, closing * (touches.n - 2)),
            else_=between,
        ).cast("int64")
    return ibis.cases(*((touches.model == model, found[model]) for model in models), else_=0).cast("int64")


def _weights(touches: ir.Table, models: Sequence[str]) -> ir.IntegerValue:
    """Return the sum of the weights of the conversion by the model of the row."""
    found = {
        "linear": touches.n,
        "last_non_direct": ibis.literal(1, "int64"),
        "time_decay": touches._ages,
    }
    for model, rule in ENDS.items():
        found[model] = ibis.cases(
            (touches.n == 1, 1), (touches.n == 2, sum(rule.pair)), else_=sum(rule.ends) * (touches.n - 2)
        ).cast("int64")
    return ibis.cases(*((touches.model == model, found[model]) for model in models), else_=1).cast("int64")
