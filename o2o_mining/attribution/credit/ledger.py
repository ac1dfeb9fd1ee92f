"""The ledger: every purchase and every refund booked to the touches before it, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import share_out, to_cents, to_money
from o2o_mining.attribution.credit.credits import weighed_touches, weight, weights
from o2o_mining.attribution.credit.models import HALF_LIFE_DAYS, check_model
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.engine.portable import share

if TYPE_CHECKING:
    import ibis.expr.types as ir

# By the other models a touch has all of a conversion or nothing.
DIVIDING = ("linear", "position", "j_shaped", "time_decay")
KINDS = ("credit", "refund")


def ledger(
    purchases: ir.Table,
    journeys: ir.Table,
    journey_touches: ir.Table,
    *,
    models: Sequence[str] = TOUCH_MODELS,
    half_life_days: float = HALF_LIFE_DAYS,
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

    Returns
    -------
    ibis.Table
        The columns of ``attribution_ledger``. A refund is charged to the touches that were credited, by the same
        shares, at its own time; it may be more than was paid.
    """
    return entries(touch_credits(purchases, journeys, journey_touches, half_life_days=half_life_days), models=models)


def touch_credits(
    purchases: ir.Table, journeys: ir.Table, journey_touches: ir.Table, *, half_life_days: float = HALF_LIFE_DAYS
) -> ir.Table:
    """One touch of one purchase, or of its refund, with what every entry about it is made of.

    Parameters
    ----------
    purchases, journeys, journey_touches
        Columns as in the tables of these names, all as known at one moment.
    half_life_days
        For ``time_decay``.

    Returns
    -------
    ibis.Table
        The columns of the working table ``touch_credits``.
    """
    touches = weighed_touches(journeys, journey_touches, half_life_days=half_life_days)
    refunded = purchases.filter(purchases.refunded_at.notnull())
    amounts = {
        "credit": purchases.select(
            "purchase_id", credited_at="purchased_at", cents=to_cents(purchases.paid_amount).fill_null(0)
        ),
        "refund": refunded.select("purchase_id", credited_at="refunded_at", cents=to_cents(refunded.refunded_amount)),
    }
    return ibis.union(
        *(_divided(touches, amounts[kind]).mutate(kind=ibis.literal(kind)) for kind in KINDS), distinct=False
    )


def _divided(touches: ir.Table, amounts: ir.Table) -> ir.Table:
    """One touch of one purchase with its part of the amount by the models that divide it, and how its entries end."""
    rows = touches.inner_join(amounts, "purchase_id")
    entry = _escaped(rows.purchase_id) + ":" + rows.touch_id.fill_null("")
    rows = rows.mutate(entry=entry, **{_part(model): rows.cents for model in DIVIDING})
    # Most touches are alone before their purchase, and of nothing everybody has nothing.
    among_several = (rows.n > 1) & (rows.cents != 0)
    divided = rows.filter(among_several)
    for model in DIVIDING:
        weighed = divided.mutate(_weight=weight(divided, model), _weights=weights(divided, model))
        divided = share_out(
            weighed, cents=_part(model), weight="_weight", weights="_weights", group=("journey_id",), later="position"
        ).drop("_weight", "_weights")
    return rows.filter(~among_several).union(divided)


def entries(credited: ir.Table, *, models: Sequence[str] = TOUCH_MODELS) -> ir.Table:
    """One touch's share of one purchase, or of its refund, by one model.

    Parameters
    ----------
    credited
        What ``touch_credits`` gives. If it comes in the order of its key, so does the result.
    models
        Touch-level models.

    Returns
    -------
    ibis.Table
        The columns of ``attribution_ledger``.
    """
    for model in models:
        check_model(model, TOUCH_MODELS)
    booked = (
        _booked(credited.filter(credited.kind == kind), model, kind) for model in sorted(models) for kind in KINDS
    )
    return reduce(lambda before, next_ones: before.union(next_ones), booked)  # a union of many at once mixes them


def _booked(rows: ir.Table, model: str, kind: str) -> ir.Table:
    """One entry of one model and kind."""
    rows = rows.mutate(_weight=weight(rows, model), _weights=weights(rows, model))
    rows = rows.filter(rows._weight > 0)
    part = share(rows._weight, rows._weights)
    cents = rows[_part(model)] if model in DIVIDING else rows.cents
    return rows.select(
        "purchase_id",
        "touch_id",
        "customer_id",
        "channel",
        "campaign_id",
        "credited_at",
        "kind",
        entry_id=ibis.literal(f"{model}:{kind}:") + rows.entry,
        model=ibis.literal(model),
        share=part,
        amount=to_money(cents if kind == "credit" else -cents),
        conversions=part if kind == "credit" else ibis.literal(0.0),
    )


def _part(model: str) -> str:
    return f"{model}_cents"


def _escaped(purchase_id: ir.StringValue) -> ir.StringValue:
    """Return a purchase_id in which only the colon of its prefix is left, so that no two entries share an id.

    Without this, purchase ``o:1`` with touch ``2:3`` and purchase ``o:1:2`` with touch ``3`` would have one entry_id.
    """
    rest = purchase_id.substr(2).replace("%", "%25").replace(":", "%3A")
    return purchase_id.substr(0, 2) + rest
