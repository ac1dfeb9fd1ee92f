"""What the features of pairs are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

# After so many days a receipt without an end counts as not used: four in five uses come sooner in every log seen.
PATIENCE_DAYS = 30
_LOOSE = "u:"  # how the ids of uses without a receipt begin in coupon_lifecycle


@dataclass(frozen=True)
class OfferLogs:
    """The tables that features of pairs are computed from; each feature masks them to its own moment.

    Attributes
    ----------
    purchases, coupon_lifecycle
        The tables of these names, as known before the day of the run.
    customers, merchants, stores, products, coupons, coupon_products, campaigns, assignments, touches, sends,
    basket_lines
        The feeds; any may be empty.
    """

    purchases: ir.Table
    coupon_lifecycle: ir.Table
    customers: ir.Table
    merchants: ir.Table
    stores: ir.Table
    products: ir.Table
    coupons: ir.Table
    coupon_products: ir.Table
    campaigns: ir.Table
    assignments: ir.Table
    touches: ir.Table
    sends: ir.Table
    basket_lines: ir.Table


def visits(logs: OfferLogs) -> ir.Table:
    """One visit: a consumption in a store, or a purchase that needs none.

    Parameters
    ----------
    logs
        The logs. A reservation that was not kept is no visit.

    Returns
    -------
    ir.Table
        ``purchase_id, customer_id, merchant_id, category`` (of the merchant), ``visited_at, cancelled_at``,
        ``with_coupon, list_amount, paid_amount, basket_id, order_id, redemption_id``.
    """
    t = logs.purchases
    stays_away = t.fulfilment.isin(["reservation", "in_store"]).fill_null(False)
    t = t.mutate(visited_at=t.consumed_at.coalesce(stays_away.ifelse(ibis.null("timestamp(6)"), t.purchased_at)))
    kinds = logs.merchants.select(known_merchant="merchant_id", category="category")
    t = t.filter(t.visited_at.notnull()).left_join(kinds, t.merchant_id == kinds.known_merchant)
    with_coupon = t.coupon_id.notnull() | t.receipt_id.notnull()
    return t.select(
        "purchase_id", "customer_id", "merchant_id", "category", "visited_at", "cancelled_at", "list_amount",
        "paid_amount", "order_id", "redemption_id", with_coupon=with_coupon,
    )  # fmt: skip


def receipts(logs: OfferLogs) -> ir.Table:
    """One coupon that somebody received, with what it is and until when it can be used.

    Parameters
    ----------
    logs
        The logs. Uses without a receipt are none.

    Returns
    -------
    ir.Table
        ``receipt_id, customer_id, coupon_id, merchant_id, category, campaign_id, channel, received_at``,
        ``redeemed_at`` and ``lapses_at``: after it, a receipt that was not used counts as not used.
    """
    t = logs.coupon_lifecycle
    t = t.filter(~t.receipt_id.startswith(_LOOSE))
    kinds = logs.merchants.select(known_merchant="merchant_id", category="category")
    channels = logs.campaigns.select(known_campaign="campaign_id", channel="channel")
    t = t.left_join(kinds, t.merchant_id == kinds.known_merchant)
    t = t.left_join(channels, t.campaign_id == channels.known_campaign)
    return t.select(
        "receipt_id", "customer_id", "coupon_id", "merchant_id", "category", "campaign_id", "channel", "received_at",
        "redeemed_at", lapses_at=t.expires_at.coalesce(t.received_at + ibis.interval(days=PATIENCE_DAYS)),
    )  # fmt: skip


def learning_pairs(logs: OfferLogs, *, as_of: date) -> ir.Table:
    """One receipt whose time was up before a day, used or not.

    A receipt that can still be used is left out: it is censored, not "not redeemed". So is one that was used already
    while its like can still be used: uses are told early, and would stand alone among the last receipts.

    Parameters
    ----------
    logs
        The logs.
    as_of
        The day.

    Returns
    -------
    ir.Table
        ``receipt_id, customer_id, coupon_id``, ``known_at`` (the moment of receipt), ``told_at`` (when its time was up,
        or the use that came later) and ``redeemed``.
    """
    t = receipts(logs)
    before = moment(as_of)
    used = (t.redeemed_at < before).fill_null(False)
    late = (t.redeemed_at > t.lapses_at).fill_null(False) & used
    t = t.filter(t.lapses_at < before)
    return t.select(
        "receipt_id", "customer_id", "coupon_id", known_at="received_at",
        told_at=late.ifelse(t.redeemed_at, t.lapses_at), redeemed=used,
    )  # fmt: skip
