"""Who may get which offer of a campaign: consent, fatigue, eligibility, holdouts; each as a mark on the candidates."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import drawn, moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings


def campaign_offers(coupons: ir.Table, campaigns: ir.Table, *, as_of: date) -> ir.Table:
    """One coupon of a campaign that runs on a day or starts on it, good on that day."""
    today, tomorrow = moment(as_of), moment(as_of + timedelta(days=1))
    running = campaigns.filter((campaigns.starts_at < tomorrow) & (campaigns.ends_at > today))
    good = coupons.filter(
        (coupons.starts_at.isnull() | (coupons.starts_at < tomorrow))
        & (coupons.ends_at.isnull() | (coupons.ends_at > today))
    )
    named = running.select("campaign_id", "ends_at", "budget", campaign_channel="channel")
    return good.drop("starts_at", "ends_at").inner_join(named, "campaign_id")


def contacts(touches: ir.Table, sends: ir.Table, *, as_of: date) -> ir.Table:
    """One customer with the contacts that campaigns of any kind made before a day: their number and the last.

    Impressions of campaigns, and messages sent whose code none of these impressions carries.
    """
    shown = touches.filter(
        (touches.action == "impression") & touches.campaign_id.notnull() & (touches.touched_at < moment(as_of))
    )
    told = sends.filter(sends.sent_at < moment(as_of))
    codes = shown.filter(shown.tracking_code.notnull()).select("tracking_code").distinct()
    told = told.anti_join(codes, "tracking_code")
    every = ibis.union(
        shown.select("customer_id", at="touched_at"), told.select("customer_id", at="sent_at"), distinct=False
    )
    return every.group_by("customer_id").aggregate(
        last_at=every["at"].max(),
        in_7_days=every.count(where=every["at"] >= moment(as_of - timedelta(days=7))),
        in_30_days=every.count(where=every["at"] >= moment(as_of - timedelta(days=30))),
    )


def already_asked(
    assignments: ir.Table, sends: ir.Table, receipts: ir.Table, coupons: ir.Table, *, as_of: date
) -> ir.Table:
    """One campaign and customer who was drawn for it, written to or given its coupon before a day."""
    drawn = assignments.filter(assignments.assigned_at < moment(as_of))
    sent = sends.filter(sends.sent_at < moment(as_of))
    received = receipts.filter(receipts.received_at < moment(as_of)).inner_join(coupons, "coupon_id")
    received = received.filter(received.campaign_id.notnull())
    pair = ("campaign_id", "customer_id")
    return ibis.union(*(t.select(*pair) for t in (drawn, sent, received)), distinct=True)


def marked(
    scores: ir.Table,
    offers: ir.Table,
    *,
    customers: ir.Table,
    words: ir.Table,
    contacts: ir.Table,
    asked: ir.Table,
    settings: Settings,
    as_of: date,
) -> ir.Table:
    """One customer and coupon of a campaign, with a mark for each thing that speaks against it.

    Parameters
    ----------
    scores
        ``response_scores`` of the day.
    offers
        As `campaign_offers` returns them.
    customers
        The feed, for the year of birth.
    words, contacts, asked
        As ``engine.consent.last_words``, `contacts` and `already_asked` return them.
    settings
        Caps, gaps, shares and salt.
    as_of
        The day.
    """
    kept = [name for name in scores.columns if name not in ("campaign_id", "merchant_id", "reason_codes")]
    t = scores.select(*kept).inner_join(
        offers.select("coupon_id", "campaign_id", "merchant_id", "min_age"), "coupon_id"
    )
    born = customers.select("customer_id", "birth_year")
    before = asked.select("campaign_id", "customer_id", was_asked=ibis.literal(True))
    t = t.left_join(words, "customer_id").drop("customer_id_right")
    t = t.left_join(contacts, "customer_id").drop("customer_id_right")
    t = t.left_join(born, "customer_id").drop("customer_id_right")
    t = t.left_join(before, ["campaign_id", "customer_id"]).drop("campaign_id_right", "customer_id_right")
    too_soon = t.last_at > moment(as_of - timedelta(days=settings.contact_gap_days))
    too_young = t.min_age.notnull() & ((as_of.year - t.birth_year).fill_null(-1) < t.min_age)
    both = t.campaign_id + ":" + t.customer_id
    return t.select(
        *kept, "campaign_id", "merchant_id",
        no_consent=~t.word.fill_null(settings.assumed_consent),
        fatigue=(
            too_soon | (t.in_7_days >= settings.max_contacts_7d) | (t.in_30_days >= settings.max_contacts_30d)
        ).fill_null(False),
        do_not_disturb=(t.uplift_high < 0).fill_null(False),
        not_eligible=t.was_asked.notnull() | too_young | (t.distance_m > settings.max_distance_m).fill_null(False),
        held_globally=drawn(t.customer_id, salt=settings.holdout_salt, share=settings.global_holdout_share),
        held_here=drawn(both, salt=settings.holdout_salt, share=settings.campaign_holdout_share),
        held_in_pilot=drawn(both, salt=settings.holdout_salt, share=0.5),
        lot=(ibis.literal(f"{settings.holdout_salt}:pilot:") + both).hexdigest("md5"),
    )  # fmt: skip
