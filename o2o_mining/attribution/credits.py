"""Each converted journey shared out among its touches by each touch-level model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.models import DIRECT, ENDS, HALF_LIFE_DAYS, check_half_life, check_model
from o2o_mining.contracts.events import TOUCH_MODELS
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


def weight_of(model: str) -> str:
    """Return the column with what a touch weighs by a model, a whole number."""
    return f"{model}_weight"


def weights_of(model: str) -> str:
    """Return the column with what all touches of a conversion weigh by a model together."""
    return f"{model}_weights"


def credits(  # noqa: A001 - the word of the trade; nobody here leaves the interpreter
    journeys: ir.Table,
    journey_touches: ir.Table,
    *,
    models: Sequence[str] = TOUCH_MODELS,
    half_life_days: float = HALF_LIFE_DAYS,
) -> ir.Table:
    """One touch with what it weighs by each model.

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
        The columns of ``credited_touches``, and for each model the integers ``weight_of`` and ``weights_of`` it. The
        touch has the share weight / weights of the conversion; the shares of a conversion add up to 1.
    """
    for model in models:
        check_model(model)
    check_half_life(half_life_days)
    touches = _aged(credited_touches(journeys, journey_touches), half_life_days=half_life_days)
    weights = {weight_of(model): _weight(touches, model).cast("int64") for model in models}
    totals = {weights_of(model): _weights(touches, model).cast("int64") for model in models}
    return touches.mutate(**weights, **totals).drop("_age", "_ages", "_non_direct")


def _aged(touches: ir.Table, *, half_life_days: float) -> ir.Table:
    """One touch with its weight by age, the sum of these, and the place of the last that is not direct."""
    journey = ibis.window(group_by=touches.journey_id)
    place = ibis.ifelse(touches.channel == DIRECT, ibis.null("int64"), touches.position)
    aged = touches.mutate(
        _youngest=touches.touched_at.max().over(journey), _non_direct=place.max().over(journey).fill_null(touches.n)
    )
    # A journey without a touch has no age; its one row weighs as the youngest.
    behind = days_between(aged._youngest, aged.touched_at).fill_null(0.0)
    decayed = (ibis.literal(2.0) ** (-behind / half_life_days) * _YOUNGEST).round()
    weighed = aged.mutate(_age=decayed.cast("int64")).drop("_youngest")
    return weighed.mutate(_ages=weighed._age.sum().over(group_by=weighed.journey_id).cast("int64"))


def _weight(touches: ir.Table, model: str) -> ir.IntegerValue:
    """Return what the touch weighs by a model."""
    if model == "linear":
        return ibis.literal(1)
    if model == "last_non_direct":
        return touches.position == touches._non_direct
    if model == "time_decay":
        return touches._age
    rule, first, last = ENDS[model], touches.position == 1, touches.position == touches.n
    opening, closing, between = rule.ends
    return ibis.cases(
        (touches.n == 1, 1),
        ((touches.n == 2) & first, rule.pair[0]),
        (touches.n == 2, rule.pair[1]),
        (first, opening * (touches.n - 2)),
        (last, closing * (touches.n - 2)),
        else_=between,
    )


def _weights(touches: ir.Table, model: str) -> ir.IntegerValue:
    """Return what all touches of the conversion weigh by a model together."""
    if model == "linear":
        return touches.n
    if model == "last_non_direct":
        return ibis.literal(1)
    if model == "time_decay":
        return touches._ages
    rule = ENDS[model]
    return ibis.cases((touches.n == 1, 1), (touches.n == 2, sum(rule.pair)), else_=sum(rule.ends) * (touches.n - 2))
