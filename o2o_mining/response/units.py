"""What uplift is learned from: one customer and one offer that is over, asked or not, came or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import moment
from o2o_mining.response.deals import distances, of_baskets, off_share
from o2o_mining.response.habits import of_people, of_visits

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.response.features import Evidence

# What is known of a unit before it begins; `pair_features` calls it by the same names.
COVARIATES = ("off_share", "distance_m", "n_visits", "recency_days", "age_years", "centre_km")
_FACTS = (
    "customer_id", "offer_id", "campaign_id", "merchant_id", "category", "channel", "known_at", "told_at", "asked",
    "held", "came",
)  # fmt: skip


def offer_units(known: Evidence, *, as_of: date) -> ir.Table:
    """One customer and offer that was over before a day: a campaign that could reach the customer, or a coupon taken.

    Parameters
    ----------
    known
        What happened.
    as_of
        The day. Offers that still run are left out: who has not come yet may come.

    Returns
    -------
    ir.Table
        ``customer_id, offer_id, campaign_id`` (null for a coupon without one), ``merchant_id, category, channel,
        known_at`` (when it began), ``told_at`` (when it was over), ``asked``, ``held`` (drawn for control), ``came``
        (to the campaign's merchant while it ran; with the coupon, where there is no campaign), and the covariates as
        float64, null where not known.
    """
    day = moment(as_of)
    units = ibis.union(_of_campaigns(known), _of_coupons(known)).filter(lambda t: t.told_at < day)
    moments = units.select("customer_id", "known_at").distinct()
    where = units.select("customer_id", "merchant_id").distinct()
    days = units.select("merchant_id", day=units.known_at.date()).distinct()
    t = units.mutate(day=units.known_at.date())
    moment_key, place_key, day_key = ["customer_id", "known_at"], ["customer_id", "merchant_id"], ["merchant_id", "day"]
    for part, on in (
        (of_visits(moments, known.visits).select(*moment_key, "n_visits", "recency_days"), moment_key),
        (of_people(moments, known.logs.customers).select(*moment_key, "age_years", "centre_km"), moment_key),
        (distances(where, known.logs), place_key),
        (of_baskets(days, known.visits).select(*day_key, "usual_amount"), day_key),
    ):
        t = t.left_join(part, on).drop(*(f"{name}_right" for name in on))
    t = t.mutate(off_share=off_share(t), n_visits=t.n_visits.fill_null(0))
    return t.select(*_FACTS, *(t[name].cast("float64").name(name) for name in COVARIATES))


def _of_campaigns(known: Evidence) -> ir.Table:
    """One campaign and customer whom it could reach; its terms are those of the first of its coupons."""
    t = known.occasions
    coupons = known.coupons.filter(known.coupons.campaign_id.notnull())
    place = ibis.row_number().over(group_by=coupons.campaign_id, order_by=coupons.coupon_id)
    terms = coupons.mutate(place=place).filter(lambda r: r.place == 0)
    terms = terms.select("kind", "discount", "threshold", of_campaign="campaign_id")
    runs = known.logs.campaigns.select("channel", run_id="campaign_id")
    t = t.left_join(terms, t.campaign_id == terms.of_campaign)
    t = t.left_join(runs, t.campaign_id == runs.run_id)
    asked = (t.asked_at < t.ends_at).fill_null(False)
    return t.select(
        "customer_id", "campaign_id", "merchant_id", "category", "kind", "discount", "threshold", asked=asked,
        offer_id=t.campaign_id, channel=t.channel, known_at=t.starts_at, told_at=t.ends_at,
        held=(t.held_at < t.ends_at).fill_null(False) & ~asked, came=t.came_at.notnull(),
    ).select(*_FACTS, "kind", "discount", "threshold")  # fmt: skip


def _of_coupons(known: Evidence) -> ir.Table:
    """One receipt of a coupon without campaign: everybody who stands here asked."""
    t, yes = known.receipts, ibis.literal(True)
    t = t.filter(t.campaign_id.isnull())
    terms = known.coupons.select("kind", "discount", "threshold", of_coupon="coupon_id")
    t = t.left_join(terms, t.coupon_id == terms.of_coupon)
    return t.select(
        "customer_id", "campaign_id", "merchant_id", "category", "kind", "discount", "threshold",
        offer_id="receipt_id", channel=ibis.null("string"), known_at="received_at", told_at="lapses_at", asked=yes,
        held=~yes, came=(t.redeemed_at <= t.lapses_at).fill_null(False),
    ).select(*_FACTS, "kind", "discount", "threshold")  # fmt: skip
