"""Tables that stand for what transformations read; nothing is in them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

import ibis

from o2o_mining import marts
from o2o_mining.attribution.credit.campaigns import (
    Known,
)
from o2o_mining.attribution.credit.channels import outcomes
from o2o_mining.attribution.credit.coded import Grouped, group_paths
from o2o_mining.attribution.effects.bought import spans
from o2o_mining.attribution.effects.places import store_purchases
from o2o_mining.attribution.outcomes.funnel import FunnelLogs
from o2o_mining.attribution.outcomes.funnel import people as people_of_funnel
from o2o_mining.attribution.outcomes.sides import margins, offers_received
from o2o_mining.contracts.catalogue import contract
from o2o_mining.local import uses
from o2o_mining.offers import eligibility
from o2o_mining.response import (
    OfferLogs,
    candidates,
    evidence,
)
from o2o_mining.response.features import feature_parts, with_features

DAY = date(2024, 7, 1)


def feed(*names: str) -> list[ibis.Table]:
    return [ibis.table(contract(name).schema, name=name) for name in names]


def known_logs() -> marts.KnownLogs:
    names = (
        "purchases",
        "journey_touches",
        "coupon_lifecycle",
        "touches",
        "customers",
        "reviews",
        "merchants",
        "stores",
    )
    return marts.KnownLogs(*feed(*names, "customers"))


def put_together() -> ibis.Table:
    known, given = evidence(offer_logs()), pairs()
    given = given.mutate(day=given.known_at.date())
    return with_features(given, feature_parts(given, known), known)


def within_reach() -> candidates.Reach:
    known = evidence(offer_logs())
    coupons = candidates.valid_coupons(known, as_of=DAY)
    people = candidates.homes(*feed("customers", "customers"))
    return candidates.Reach(
        people,
        coupons,
        candidates.met_before(known, coupons, as_of=DAY),
        candidates.liked_before(known, coupons, as_of=DAY),
        candidates.nearest(people, coupons, known.logs),
    )


def offer_logs() -> OfferLogs:
    names = [field.name for field in fields(OfferLogs)]
    return OfferLogs(**dict(zip(names, feed(*names), strict=True)))


def pairs() -> ibis.Table:
    return ibis.table({"customer_id": "string", "coupon_id": "string", "known_at": "timestamp(6)"}, name="pairs")


def days(place: str) -> ibis.Table:
    return ibis.table({place: "string", "day": "date"}, name="days")


JOURNEYS = ("journeys", "journey_touches")


CONTACTS = ("touches", "sends", "coupon_receipts")


USES = ("coupon_redemptions", "offline_redemptions", "online_orders")


def two_days(name: str) -> list[ibis.Table]:
    return [ibis.table(contract(name).schema, name=f"{name}_{day}") for day in ("before", "now")]


def used() -> ibis.Table:
    """Return how coupons were used."""
    return uses.used_coupons(*feed("coupon_lifecycle", *USES))


def already_asked() -> ibis.Table:
    """Return who was asked already."""
    assignments, sends, received, coupons = feed("assignments", "sends", "coupon_receipts", "coupons")
    coupons = coupons.select("coupon_id", "campaign_id")
    return eligibility.already_asked(assignments, sends, received, coupons, as_of=DAY)


def received_offers() -> ibis.Table:
    return offers_received(*feed("touches", "sends", "coupon_lifecycle", "campaigns"), as_of=DAY)


def with_margins() -> ibis.Table:
    return margins(*feed("purchases", "merchants"), default_share=0.3)


def purchases_by_store() -> ibis.Table:
    campaigns = spans(*feed("campaigns"), as_of=DAY)
    purchases, reached = feed("purchases", "touches")
    return store_purchases(purchases, campaigns.filter(campaigns.campaign_id == "c"), campaigns, reached)


def credited() -> Known:
    return Known(*feed("purchases", *JOURNEYS, "attribution_ledger", "campaigns", "campaign_costs", "touches"))


def funnel_people() -> ibis.Table:
    logs = FunnelLogs(*feed("purchases", "coupon_lifecycle", "touches", "campaigns"))
    return people_of_funnel(logs, as_of=DAY, within_days=30)


def grouped_paths() -> Grouped:
    ended = outcomes(*feed("purchases", "journeys"), as_of=DAY, lookback_days=30)
    return group_paths(ended, *feed("journey_touches"), channels=["direct", "map"])
