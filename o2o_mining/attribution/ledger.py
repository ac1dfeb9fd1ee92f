"""The ledger: every purchase and every refund booked to the touches before it, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import share_out, to_cents, to_money
from o2o_mining.attribution.credits import credits  # noqa: A004 - the word of the trade
from o2o_mining.attribution.models import HALF_LIFE_DAYS
from o2o_mining.contracts.events import TOUCH_MODELS

if TYPE_CHECKING:
    import ibis.expr.types as ir


def entries(
    purchases: ir.Table,
    journeys: ir.Table,
    journey_touches: ir.Table,
    *,
    models: Sequence[str] = TOUCH_MODELS,
    half_life_days: float = HALF_LIFE_DAYS,
) -> ir.Table:
    """One touch credited with its part of one purchase (kind ``credit``) or charged with its part of the refund.

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
        The columns of ``credits``, ``kind``, ``purchased_at``, ``refunded_at`` and ``cents``, positive for both kinds.
        The cents of a purchase, model and kind add up to the amount paid (0 if null) or refunded.
    """
    paid = purchases.select(
        "purchase_id",
        "purchased_at",
        "refunded_at",
        paid_cents=to_cents(purchases.paid_amount).fill_null(0),
        refunded_cents=to_cents(purchases.refunded_amount),
    )
    shared = credits(journeys, journey_touches, models=models, half_life_days=half_life_days)
    booked = shared.inner_join(paid, "purchase_id")
    refunded = booked.filter(booked.refunded_at.notnull())
    kinds = {"credit": booked.mutate(cents=booked.paid_cents), "refund": refunded.mutate(cents=refunded.refunded_cents)}
    rows = ibis.union(*(rows.mutate(kind=ibis.literal(kind)) for kind, rows in kinds.items()))
    rows = rows.drop("paid_cents", "refunded_cents")
    # Most rows have all of their purchase: three models name one touch, and many purchases have one or none.
    parts = share_out(
        rows.filter(rows.weight < rows.weights),
        cents="cents",
        weight="weight",
        weights="weights",
        group=("journey_id", "model", "kind"),
        later="position",
    )
    return ibis.union(rows.filter(rows.weight == rows.weights), parts)


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
    booked = entries(purchases, journeys, journey_touches, models=models, half_life_days=half_life_days)
    is_credit = booked.kind == "credit"
    entry = booked.model + ":" + booked.kind + ":" + _escaped(booked.purchase_id) + ":" + booked.touch_id.fill_null("")
    return booked.select(
        "model",
        "purchase_id",
        "touch_id",
        "customer_id",
        "channel",
        "campaign_id",
        "kind",
        "share",
        entry_id=entry,
        credited_at=ibis.ifelse(is_credit, booked.purchased_at, booked.refunded_at),
        amount=to_money(ibis.ifelse(is_credit, booked.cents, -booked.cents)),
        conversions=ibis.ifelse(is_credit, booked.share, 0.0),
    )


def _escaped(purchase_id: ir.StringValue) -> ir.StringValue:
    """Return a purchase_id in which only the colon of its prefix is left, so that no two entries share an id.

    Without this, purchase ``o:1`` with touch ``2:3`` and purchase ``o:1:2`` with touch ``3`` would have one entry_id.
    """
    rest = purchase_id.substr(2).replace("%", "%25").replace(":", "%3A")
    return purchase_id.substr(0, 2) + rest
