"""How customers took earlier offers: coupons received and used, campaigns that asked them or passed them over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import days_between, share

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.response.logs import OfferLogs

_KEY = ("customer_id", "known_at")


def occasions(logs: OfferLogs, visits: ir.Table) -> ir.Table:
    """One campaign and customer whom it asked, drew for an arm, or could have reached.

    It could reach who had joined before its start and lives in the city of its merchant.

    Parameters
    ----------
    logs
        The logs.
    visits
        What `logs.visits` returns.

    Returns
    -------
    ir.Table
        ``campaign_id, customer_id, merchant_id, category, starts_at, ends_at``; ``asked_at``, the first message, touch
        or receipt of the campaign, or the drawing for treatment; ``held_at``, the drawing for control; ``came_at``,
        the first visit to the merchant while the campaign ran. Each null if it never happened.
    """
    asked, drawn = _asked(logs), _drawn(logs)
    keys = ["campaign_id", "customer_id"]
    everybody = ibis.union(_reachable(logs), asked.select(keys), drawn.select(keys), distinct=True)
    merchants = logs.merchants.select("category", known_merchant="merchant_id")
    campaigns = logs.campaigns.select("campaign_id", "merchant_id", "starts_at", "ends_at")
    campaigns = campaigns.filter(campaigns.merchant_id.notnull())
    t = everybody.join(campaigns, "campaign_id")
    t = t.left_join(merchants, t.merchant_id == merchants.known_merchant).drop("known_merchant")
    for part in (asked, drawn, _came(campaigns, visits)):
        t = t.left_join(part, keys).drop("campaign_id_right", "customer_id_right")
    return t.mutate(asked_at=ibis.least(t.asked_at.coalesce(t.treated_at), t.treated_at.coalesce(t.asked_at))).drop(
        "treated_at"
    )


def of_occasions(moments: ir.Table, occasions: ir.Table) -> ir.Table:
    """One customer and moment with campaigns that had started before it.

    Who was not asked and has not come while the campaign ran stayed away; before it ends, that is not known.

    Parameters
    ----------
    moments
        ``customer_id, known_at``, each pair of them once.
    occasions
        What `occasions` returns.
    """
    t = moments.join(occasions, "customer_id").filter(lambda r: r.starts_at < r.known_at)
    asked, held = (t.asked_at < t.known_at).fill_null(False), (t.held_at < t.known_at).fill_null(False)
    came, over = (t.came_at < t.known_at).fill_null(False), (t.ends_at < t.known_at).fill_null(False)
    made = t.group_by(_KEY).aggregate(
        n_campaigns=t.count(),
        n_reached=(asked | held).sum(),
        n_unasked_came=(~asked & came).sum(),
        n_unasked_away=(~asked & ~came & over).sum(),
        campaigns_until=ibis.greatest(
            t.starts_at.max(),
            asked.ifelse(t.asked_at, t.starts_at).max(),
            came.ifelse(t.came_at, t.starts_at).max(),
            over.ifelse(t.ends_at, t.starts_at).max(),
        ),
    )
    return made.mutate(reached_share=share(made.n_reached, made.n_campaigns))


def of_receipts(moments: ir.Table, receipts: ir.Table) -> ir.Table:
    """One customer and moment with coupons received before it; what is still open is neither used nor lapsed.

    Parameters
    ----------
    moments
        As in `of_occasions`.
    receipts
        What `logs.receipts` returns.
    """
    t = _before(moments, receipts)
    campaign = t.campaign_id.notnull()
    made = t.group_by(_KEY).aggregate(
        n_receipts=t.count(),
        n_open=(~t.used & ~t.lapsed).sum(),
        n_used=t.used.sum(),
        n_lapsed=t.lapsed.sum(),
        n_campaign_used=(t.used & campaign).sum(),
        n_campaign_lapsed=(t.lapsed & campaign).sum(),
        received_until=t.received_at.max(),
        used_until=t.used.ifelse(t.redeemed_at, ibis.null("timestamp(6)")).max(),
        lapsed_until=t.lapsed.ifelse(t.lapses_at, ibis.null("timestamp(6)")).max(),
    )
    return made.mutate(
        receipt_days=days_between(made.known_at, made.received_until),
        use_days=days_between(made.known_at, made.used_until),
    )


def of_receipts_there(moments: ir.Table, receipts: ir.Table, *, place: str) -> ir.Table:
    """One customer, moment and coupon, merchant, category or channel with coupons whose outcome was known.

    Parameters
    ----------
    moments, receipts
        As in `of_receipts`.
    place
        The column of receipts that says where.
    """
    t = _before(moments, receipts)
    t = t.filter(t[place].notnull())
    return t.group_by(*_KEY, place).aggregate(n_used=t.used.sum(), n_lapsed=t.lapsed.sum())


def _before(moments: ir.Table, receipts: ir.Table) -> ir.Table:
    """One moment and coupon received before it, with what had become of it by then."""
    t = moments.join(receipts, "customer_id").filter(lambda r: r.received_at < r.known_at)
    used = (t.redeemed_at < t.known_at).fill_null(False)
    return t.mutate(used=used, lapsed=~used & (t.lapses_at < t.known_at).fill_null(False))


def _reachable(logs: OfferLogs) -> ir.Table:
    """One campaign and customer of its merchant's city."""
    cities = logs.merchants.filter(logs.merchants.city.notnull()).select("merchant_id", "city")
    campaigns = logs.campaigns.join(cities, "merchant_id").select("campaign_id", "city", "starts_at")
    people = logs.customers.select("customer_id", "city", "joined_at")
    t = campaigns.join(people, "city").filter(lambda r: (r.joined_at < r.starts_at).fill_null(True))
    return t.select("campaign_id", "customer_id")


def _asked(logs: OfferLogs) -> ir.Table:
    """One campaign and customer whom it asked, with the first time."""
    names = ("campaign_id", "customer_id")
    touches, receipts, sends = logs.touches, logs.coupon_lifecycle, logs.sends
    t = ibis.union(
        touches.filter(touches.campaign_id.notnull()).select(*names, at="touched_at"),
        receipts.filter(receipts.campaign_id.notnull()).select(*names, at="received_at"),
        sends.select(*names, at="sent_at"),
    )
    return t.group_by(*names).aggregate(asked_at=t["at"].min())


def _drawn(logs: OfferLogs) -> ir.Table:
    """One campaign and customer drawn for an arm, and when."""
    t = logs.assignments
    none = ibis.null("timestamp(6)")
    return t.group_by("campaign_id", "customer_id").aggregate(
        treated_at=(t.arm == "treatment").ifelse(t.assigned_at, none).min(),
        held_at=(t.arm == "control").ifelse(t.assigned_at, none).min(),
    )


def _came(campaigns: ir.Table, visits: ir.Table) -> ir.Table:
    """One campaign and customer who came to its merchant while it ran, and when first."""
    t = campaigns.join(visits.filter(visits.cancelled_at.isnull()), "merchant_id")
    t = t.filter((t.visited_at >= t.starts_at) & (t.visited_at < t.ends_at))
    return t.group_by("campaign_id", "customer_id").aggregate(came_at=t.visited_at.min())
