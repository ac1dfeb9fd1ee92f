"""The ledger: every purchase and every refund booked to the touches before it, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import share_out, to_cents, to_money
from o2o_mining.attribution.credits import credits, weight_of, weights_of  # noqa: A004 - the word of the trade
from o2o_mining.attribution.models import HALF_LIFE_DAYS
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.engine.portable import share

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

# By these a touch has all of a conversion or nothing.
_UNDIVIDED = ("first", "last", "last_non_direct")
KINDS = ("credit", "refund")


def ledger(
    purchases: ir.Table,
    journeys: ir.Table,
    journey_touches: ir.Table,
    *,
    models: Sequence[str] = TOUCH_MODELS,
    half_life_days: float = HALF_LIFE_DAYS,
    stage: Callable[[ir.Table], ir.Table] = lambda rows: rows,
) -> ir.Table:
    """One touch's share of one purchase, or of its refund, by one model; touches with share 0 have no row.

    Parameters
    ----------
    purchases, journeys, journey_touches
        Columns as in the tables of these names, all as known at one moment.
    models
        Touch-level models.
    half_life_days
        For ``time_decay``.
    stage
        Keeps a table that all models are read from, in the order in which it comes: the rows of the ledger then come
        in the order of its key.

    Returns
    -------
    ibis.Table
        The columns of ``attribution_ledger``. A refund is charged to the touches that were credited, by the same
        shares, at its own time; it may be more than was paid.
    """
    touches = credits(journeys, journey_touches, models=models, half_life_days=half_life_days)
    refunded = purchases.filter(purchases.refunded_at.notnull())
    amounts = {
        "credit": purchases.select(
            "purchase_id", credited_at="purchased_at", cents=to_cents(purchases.paid_amount).fill_null(0)
        ),
        "refund": refunded.select("purchase_id", credited_at="refunded_at", cents=-to_cents(refunded.refunded_amount)),
    }
    divided = {kind: stage(_divided(touches, amounts[kind], models).order_by("entry")) for kind in KINDS}
    booked = (_booked(divided[kind], model, kind) for model in sorted(models) for kind in KINDS)
    return reduce(lambda before, next_ones: before.union(next_ones), booked)  # a union of many at once mixes them


def _divided(touches: ir.Table, amounts: ir.Table, models: Sequence[str]) -> ir.Table:
    """One touch of one purchase with its part of the amount by each model, and how its entries end."""
    rows = touches.inner_join(amounts, "purchase_id")
    entry = _escaped(rows.purchase_id) + ":" + rows.touch_id.fill_null("")
    whole = {
        _cents_of(model): (rows[weight_of(model)] == rows[weights_of(model)]).ifelse(rows.cents, 0) for model in models
    }
    rows = rows.mutate(entry=entry, **whole)
    # Most touches are alone before their purchase, and of nothing everybody has nothing.
    among_several = (rows.n > 1) & (rows.cents != 0)
    return ibis.union(rows.filter(~among_several), _shared_out(rows.filter(among_several), models))


def _shared_out(rows: ir.Table, models: Sequence[str]) -> ir.Table:
    """Fill in the parts of the models that divide a purchase among its touches."""
    for model in models:
        if model in _UNDIVIDED:
            continue
        name = _cents_of(model)
        parts = share_out(
            rows.mutate(**{name: rows.cents.abs()}),
            cents=name,
            weight=weight_of(model),
            weights=weights_of(model),
            group=("journey_id",),
            later="position",
        )
        rows = parts.mutate(**{name: parts[name] * (parts.cents > 0).ifelse(1, -1)})
    return rows


def _booked(divided: ir.Table, model: str, kind: str) -> ir.Table:
    """One entry of one model and kind."""
    rows = divided.filter(divided[weight_of(model)] > 0)
    part = share(rows[weight_of(model)], rows[weights_of(model)])
    return rows.select(
        "purchase_id",
        "touch_id",
        "customer_id",
        "channel",
        "campaign_id",
        "credited_at",
        entry_id=ibis.literal(f"{model}:{kind}:") + rows.entry,
        model=ibis.literal(model),
        kind=ibis.literal(kind),
        share=part,
        amount=to_money(rows[_cents_of(model)]),
        conversions=part if kind == "credit" else ibis.literal(0.0),
    )


def _cents_of(model: str) -> str:
    return f"{model}_cents"


def _escaped(purchase_id: ir.StringValue) -> ir.StringValue:
    """Return a purchase_id in which only the colon of its prefix is left, so that no two entries share an id.

    Without this, purchase ``o:1`` with touch ``2:3`` and purchase ``o:1:2`` with touch ``3`` would have one entry_id.
    """
    rest = purchase_id.substr(2).replace("%", "%25").replace(":", "%3A")
    return purchase_id.substr(0, 2) + rest
