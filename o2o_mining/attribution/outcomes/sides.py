"""What customers and the platform got of each campaign and merchant, counted in the logs; and margins of purchases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import to_cents, to_money
from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

RECENT_DAYS = 90
"""Who bought before these days and within them has come back."""

_COUNTS = ("customers", "returned", "established", "platform_visits", "visits", "savings", "priced", "offers")


def margins(purchases: ir.Table, merchants: ir.Table, *, default_share: float) -> ir.Table:
    """One purchase with ``margin``, what its merchant keeps of it: net of refunds, less the cost of what was sold.

    The cost is ``1 - margin_share`` of the list price, of what was paid where no list price is known. It is not
    taken off again when money is given back: what was consumed is gone.

    Parameters
    ----------
    purchases
        As known before a day.
    merchants
        The feed.
    default_share
        Stands in where a merchant names no margin.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> feeds = (ibis.table(contract(name).schema, name=name) for name in ("purchases", "merchants"))
    >>> margins(*feeds, default_share=0.3).columns[-1]
    'margin'
    """
    own = merchants.select(seller_id="merchant_id", own_share="margin_share")
    t = purchases.left_join(own, purchases.merchant_id == own.seller_id)
    sold = to_cents(ibis.coalesce(t.list_amount, t.paid_amount)).cast("float64")
    cost = ((1.0 - t.own_share.fill_null(default_share)) * sold).round().cast("int64")
    return t.mutate(margin=to_money(to_cents(t.net_amount) - cost)).drop("seller_id", "own_share")


def offers_received(
    touches: ir.Table, sends: ir.Table, coupon_lifecycle: ir.Table, campaigns: ir.Table, *, as_of: date
) -> ir.Table:
    """One offer that one customer received before as_of: a contact of a campaign, or a coupon that none brought.

    Contacts are impressions, and messages of ours whose code no touch carries. Coupons count where they belong to no
    campaign, or to one that has no contact in the log.

    Parameters
    ----------
    touches, sends, campaigns
        The feeds.
    coupon_lifecycle
        As known before as_of.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    ibis.Table
        ``customer_id``, ``campaign_id`` (null for coupons of none), ``merchant_id`` (null for campaigns of none).

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("touches", "sends", "coupon_lifecycle", "campaigns")
    >>> offers_received(*(ibis.table(contract(n).schema, name=n) for n in names), as_of=date(2024, 7, 1)).columns
    ('customer_id', 'campaign_id', 'merchant_id')
    """
    seen = touches.filter(
        touches.campaign_id.notnull(), touches.action == "impression", touches.touched_at < moment(as_of)
    ).select("customer_id", "campaign_id")
    codes = touches.filter(touches.tracking_code.notnull()).select("tracking_code")
    sent = sends.filter(sends.sent_at < moment(as_of)).anti_join(codes, "tracking_code")
    contacts = seen.union(sent.select("customer_id", "campaign_id"))
    owners = campaigns.select("campaign_id", "merchant_id")
    contacts = contacts.left_join(owners, "campaign_id").select("customer_id", "campaign_id", "merchant_id")
    # A use without a receipt was never received.
    received = coupon_lifecycle.filter(~coupon_lifecycle.receipt_id.startswith("u:"))
    coupons = received.anti_join(contacts, "campaign_id").select("customer_id", "campaign_id", "merchant_id")
    return contacts.union(coupons)


def sides(purchases: ir.Table, offers: ir.Table, spans: ir.Table, *, as_of: date) -> ir.Table:
    """One campaign or merchant: its customers, their visits to it, savings, offers, and what they do on the platform.

    Customers of a campaign are those who received an offer of it; their visits are purchases at its merchant (at any,
    if it names none) from its start to 14 days after its end. Customers of a merchant are those who bought there.

    Parameters
    ----------
    purchases
        As known before as_of.
    offers
        As ``offers_received`` gives them.
    spans
        Campaigns as ``bought.spans`` gives them.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    ibis.Table
        ``level``, ``id``, ``customers``, ``returned`` (those of the ``established`` who bought anything within the last
        90 days), ``established`` (who had bought anything before), ``platform_visits`` (purchases anywhere within),
        ``visits``, ``savings`` (money, of ``priced`` purchases whose list price is known), ``offers``.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> offers = ibis.table({"customer_id": "string", "campaign_id": "string", "merchant_id": "string"}, name="offers")
    >>> spans = ibis.table({"campaign_id": "string", "merchant_id": "string", "starts_at": "timestamp(6)",
    ...                     "until": "timestamp(6)"}, name="spans")
    >>> sides(ibis.table(contract("purchases").schema, name="p"), offers, spans, as_of=date(2024, 7, 1)).columns[:2]
    ('level', 'id')
    """
    bought = purchases.filter(purchases.cancelled_at.isnull())
    sent = offers.semi_join(spans, "campaign_id")
    reached = sent.select("campaign_id", "customer_id").distinct()
    campaign, merchant = ibis.literal("campaign"), ibis.literal("merchant")
    members = ibis.union(
        reached.select("customer_id", level=campaign, id="campaign_id"),
        bought.select("customer_id", level=merchant, id="merchant_id").distinct(),
    )
    counted = ibis.literal(1, "int64")
    parts = (
        members.join(_on_platform(bought, as_of=as_of), "customer_id", how="left").mutate(customers=counted),
        _visits_in_time(reached.join(spans, "campaign_id"), bought).select(
            level=campaign, id="campaign_id", visits=counted
        ),
        bought.select(level=merchant, id="merchant_id", visits=counted),
        _saved(bought.semi_join(spans, "campaign_id")).mutate(level=campaign, id=ibis._.campaign_id),
        _saved(bought).mutate(level=merchant, id=ibis._.merchant_id),
        sent.select(level=campaign, id="campaign_id", offers=counted),
        offers.filter(offers.merchant_id.notnull()).select(level=merchant, id="merchant_id", offers=counted),
    )
    return (
        ibis.union(*map(_added_up, parts))
        .group_by("level", "id")
        .aggregate(**{name: ibis._[name].sum() for name in _COUNTS})
    )


def _visits_in_time(reached: ir.Table, bought: ir.Table) -> ir.Table:
    """One purchase of one customer whom a campaign reached, at its merchant and in its time."""
    met = reached.join(bought, "customer_id", rname="{name}_sold")
    return met.filter(
        met.merchant_id.isnull() | (met.merchant_id == met.merchant_id_sold),
        met.purchased_at >= met.starts_at,
        met.purchased_at < met.until,
    )


def _on_platform(bought: ir.Table, *, as_of: date) -> ir.Table:
    """One customer: whether there before the last 90 days, whether come back within, purchases within."""
    recent = bought.purchased_at >= moment(as_of - timedelta(days=RECENT_DAYS))
    t = bought.group_by("customer_id").aggregate(
        established=(~recent).cast("int64").max(), platform_visits=recent.cast("int64").sum()
    )
    return t.mutate(returned=((t.established == 1) & (t.platform_visits > 0)).cast("int64"))


def _saved(bought: ir.Table) -> ir.Table:
    """One purchase that was kept, with what was saved on its list price; nothing is saved on money given back."""
    kept = bought.filter((bought.net_amount > 0) | (bought.refunded_amount == 0))
    return kept.mutate(savings=kept.discount_amount, priced=kept.discount_amount.notnull().cast("int64"))


def _added_up(rows: ir.Table) -> ir.Table:
    """One campaign or merchant with all counts, zero for those that the rows do not tell."""
    sums = {
        name: (rows[name].sum() if name in rows.columns else ibis.literal(0))
        .fill_null(0)
        .cast("decimal(38, 2)" if name == "savings" else "int64")
        for name in _COUNTS
    }
    return rows.group_by("level", "id").aggregate(**sums)
