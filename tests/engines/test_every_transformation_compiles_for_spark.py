"""The pure part of every room is written once and compiles for Spark too, without Spark or a JVM."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import ibis
import pytest
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.config import Config, options

import o2o_mining
from o2o_mining import marts, segmentation
from o2o_mining.association import baskets
from o2o_mining.attribution.budget.spending import weekly_returns
from o2o_mining.attribution.cents import share_out
from o2o_mining.attribution.credit.campaigns import (
    campaign_attribution,
    costs_before,
    paid_touches_before,
    spending_known,
    touch_credit,
)
from o2o_mining.attribution.credit.channels import outcomes
from o2o_mining.attribution.credit.credits import credited_touches, weighed_touches
from o2o_mining.attribution.credit.ledger import entries, ledger, touch_credits
from o2o_mining.attribution.credit.roles import closing_touches, lengths
from o2o_mining.attribution.effects.bought import bought_by_all, bought_by_drawn, spans
from o2o_mining.attribution.effects.places import city_purchases, place_customers, place_weeks
from o2o_mining.attribution.outcomes.funnel import funnel_counts
from o2o_mining.attribution.outcomes.orders import OrderLogs, online_orders
from o2o_mining.attribution.outcomes.sides import sides
from o2o_mining.core.settings import Settings
from o2o_mining.demand.daily import daily_demand, market_customers, merchant_months, running_campaigns
from o2o_mining.engine.consent import MARKETING, last_words
from o2o_mining.local import forensics, referrals, uses
from o2o_mining.local.visits import homes, redemptions, store_customers, store_visits
from o2o_mining.marts import bought, choices, past, people
from o2o_mining.marts.knowledge import later_rows
from o2o_mining.marts.restatements import TOLD, amounts_by_day, chained, changed_rows, restatements
from o2o_mining.merchants.sales import SoldFrom, merchant_sales, served_visits
from o2o_mining.merchants.visits import observations, with_promises
from o2o_mining.offers import eligibility, money
from o2o_mining.response import (
    candidates,
    couponed,
    deals,
    evidence,
    habits,
    occasions,
    pair_features,
)
from o2o_mining.response.guard import leaked_pairs
from o2o_mining.response.logs import learning_pairs, receipts, visits
from o2o_mining.response.running import sums_until
from o2o_mining.response.units import offer_units
from o2o_mining.segmentation.changes import feature_changes, segment_changes
from o2o_mining.segmentation.habits import behaviours, category_counts
from o2o_mining.segmentation.migration import memberships, segment_migration
from o2o_mining.segmentation.named import segment_profiles, segments
from o2o_mining.segmentation.rule_query import Known as KnownToRules
from o2o_mining.segmentation.rule_query import with_rule_segments
from o2o_mining.segmentation.rules import parse_rules
from tests.engines.inputs import (
    CONTACTS,
    DAY,
    JOURNEYS,
    USES,
    already_asked,
    credited,
    days,
    feed,
    funnel_people,
    grouped_paths,
    known_logs,
    offer_logs,
    pairs,
    purchases_by_store,
    put_together,
    received_offers,
    two_days,
    used,
    with_margins,
    within_reach,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# Rooms that read and write files through one engine instead of mining tables.
NOT_MINING = {"core", "contracts", "engine", "ingest", "exports", "portal", "cli"}
# Furniture that calls transformations or draws what they gave.
NOT_PURE = {"steps", "charts"}


RULES = """
a:
  name: A
  all:
    - any: [{purchases: {category: cafe, within_days: 90}, at_least: 2}, {feature: lifecycle_stage, in: [new, active]}]
    - not: {distance_to: {merchant: m1}, at_most_km: 2}
    - {feature: evening_share, at_least: 0.2}
"""


# Each room adds its own: "<room>.<function>", and after a blank what is special about the call.
TRANSFORMATIONS: dict[str, Callable[[], ibis.Table]] = {
    "marts.purchases_from_logs": lambda: marts.purchases_from_logs(
        *feed("online_orders", "offline_redemptions", "coupon_redemptions", "coupons")
    ),
    "marts.all_touches": lambda: marts.all_touches(*feed("touches", "sends")),
    "marts.carried_codes": lambda: marts.carried_codes(*feed(*CONTACTS)),
    "marts.journey_touches": lambda: marts.journey_touches(
        *feed("purchases", *CONTACTS, "campaigns"), now=DAY, lookback_days=30
    ),
    "marts.journey_touches with touches used again": lambda: marts.journey_touches(
        *feed("purchases", *CONTACTS, "campaigns"), now=DAY, lookback_days=30, reuse_touches=True
    ),
    "marts.journeys_from_touches": lambda: marts.journeys_from_touches(*feed("purchases", "journey_touches")),
    "marts.coupon_uses": lambda: marts.coupon_uses(*feed(*USES)),
    "marts.coupon_states": lambda: marts.coupon_states(*feed("coupon_receipts", "coupons", *USES), now=DAY),
    "marts.traced_purchases": lambda: marts.traced_purchases(
        *feed("purchases", "coupon_lifecycle", "online_orders", *CONTACTS), lookback_days=30
    ),
    "marts.share_traced": lambda: marts.share_traced(
        ibis.table({"net_amount": "decimal(18, 2)", "traced": "boolean"}, name="traced")
    ),
    "marts.known_rows of orders": lambda: marts.known_rows("online_orders", *feed("online_orders"), as_of=DAY),
    "marts.known_rows of redemptions": lambda: marts.known_rows(
        "offline_redemptions", *feed("offline_redemptions"), as_of=DAY
    ),
    "marts.later_rows": lambda: later_rows("touches", *feed("touches"), as_of=DAY),
    "marts.customers_seen": lambda: marts.customers_seen(feed(*CONTACTS)),
    "marts.customer_features": lambda: marts.customer_features(known_logs(), as_of=DAY, timezone="America/New_York"),
    "marts.customer_features of some feeds": lambda: marts.customer_features(
        known_logs(), as_of=DAY, missing=["touches", "sends", "reviews"]
    ),
    "marts.of_purchases": lambda: bought.of_purchases(*feed("purchases"), as_of=DAY, timezone="UTC"),
    "marts.of_gaps": lambda: bought.of_gaps(*feed("purchases")),
    "marts.of_orders": lambda: bought.of_orders(*feed("purchases"), as_of=DAY),
    "marts.of_merchants": lambda: choices.of_merchants(*feed("purchases", "merchants"), as_of=DAY),
    "marts.of_stores": lambda: choices.of_stores(*feed("purchases", "stores")),
    "marts.of_campaigns": lambda: choices.of_campaigns(*feed("touches"), as_of=DAY),
    "marts.of_touches": lambda: choices.of_touches(*feed("touches"), as_of=DAY),
    "marts.of_channels": lambda: choices.of_channels(*feed("touches")),
    "marts.of_devices": lambda: choices.of_devices(*feed("touches")),
    "marts.of_exposure": lambda: choices.of_exposure(*feed("journey_touches")),
    "marts.of_people": lambda: people.of_people(*feed("customers"), as_of=DAY),
    "marts.of_friends": lambda: people.of_friends(*feed("customers", "purchases"), as_of=DAY),
    "marts.of_coupons": lambda: people.of_coupons(*feed("coupon_lifecycle"), as_of=DAY),
    "marts.of_reviews": lambda: people.of_reviews(*feed("reviews"), as_of=DAY),
    "marts.changed_rows": lambda: changed_rows(
        old=feed("purchases")[0], new=feed("purchases")[0], told=TOLD["purchases"]
    ),
    "marts.restatements": lambda: restatements(
        changed_rows(old=feed("journeys")[0], new=feed("journeys")[0], told=TOLD["journeys"]),
        table="journeys",
        since=DAY,
        lookback_days=30,
    ),
    "marts.amounts_by_day": lambda: amounts_by_day(
        changed_rows(old=feed("purchases")[0], new=feed("purchases")[0], told=TOLD["purchases"]),
        feed("restatements")[0],
    ),
    "marts.chained": lambda: chained(*feed("restatements", "restatements")),
    "attribution.credited_touches": lambda: credited_touches(*feed(*JOURNEYS)),
    "attribution.weighed_touches": lambda: weighed_touches(*feed(*JOURNEYS), half_life_days=7.0),
    "attribution.touch_credits": lambda: touch_credits(*feed("purchases", *JOURNEYS)),
    "attribution.entries": lambda: entries(*feed("touch_credits")),
    "attribution.ledger": lambda: ledger(*feed("purchases", *JOURNEYS)),
    "attribution.share_out": lambda: share_out(
        ibis.table({"id": "string", "i": "int64", "cents": "int64", "w": "int64", "all": "int64"}, name="parts"),
        cents="cents",
        weight="w",
        weights="all",
        group=("id",),
        later="i",
    ),
    "attribution.campaign_attribution": lambda: campaign_attribution(credited(), as_of=DAY, lookback_days=30),
    "attribution.touch_credit": lambda: touch_credit(credited(), as_of=DAY),
    "attribution.costs_before": lambda: costs_before(credited(), as_of=DAY),
    "attribution.paid_touches_before": lambda: paid_touches_before(credited(), as_of=DAY),
    "attribution.spending_known": lambda: spending_known(credited(), as_of=DAY),
    "attribution.weekly_returns": lambda: weekly_returns(credited(), as_of=DAY, lookback_days=30, model="linear"),
    "attribution.lengths": lambda: lengths(*feed("journeys"), as_of=DAY),
    "attribution.closing_touches": lambda: closing_touches(*feed("purchases", *JOURNEYS), as_of=DAY),
    "attribution.outcomes": lambda: outcomes(*feed("purchases", "journeys"), as_of=DAY, lookback_days=30),
    "attribution.spans": lambda: spans(*feed("campaigns"), as_of=DAY),
    "attribution.bought_by_drawn": lambda: bought_by_drawn(
        with_margins(), *feed("campaigns", "assignments"), as_of=DAY
    ),
    "attribution.bought_by_all": lambda: bought_by_all(
        with_margins(), feed("touches")[0], spans(*feed("campaigns"), as_of=DAY)
    ),
    "attribution.store_purchases": lambda: purchases_by_store(),
    "attribution.city_purchases": lambda: city_purchases(*feed("purchases", "customers", "touches")),
    "attribution.place_weeks": lambda: place_weeks(purchases_by_store(), spans(*feed("campaigns"), as_of=DAY)),
    "attribution.place_customers": lambda: place_customers(purchases_by_store(), spans(*feed("campaigns"), as_of=DAY)),
    "attribution.margins": lambda: with_margins(),
    "attribution.offers_received": lambda: received_offers(),
    "attribution.sides": lambda: sides(
        feed("purchases")[0], received_offers(), spans(*feed("campaigns"), as_of=DAY), as_of=DAY
    ),
    "attribution.people": lambda: funnel_people(),
    "attribution.funnel_counts": lambda: funnel_counts(funnel_people()),
    "attribution.online_orders": lambda: online_orders(
        OrderLogs(*feed("purchases", "journey_touches", "touches", "merchants")),
        as_of=DAY,
        within_days=30,
        default_share=0.3,
    ),
    "attribution.group_paths": lambda: grouped_paths().short,
    "attribution.group_paths, long": lambda: grouped_paths().long,
    "segmentation.rfm_scores": lambda: segmentation.rfm_scores(*feed("purchases"), as_of=DAY),
    "segmentation.segments": lambda: segments(*feed("purchases", "customers"), as_of=DAY),
    "demand.daily_demand": lambda: daily_demand(*feed("purchases", "merchants"), as_of=DAY, since=DAY),
    "demand.running_campaigns": lambda: running_campaigns(*feed("campaigns"), since=DAY, until=DAY),
    "demand.merchant_months": lambda: merchant_months(*feed("purchases", "merchants"), as_of=DAY),
    "demand.market_customers": lambda: market_customers(*feed("purchases", "merchants"), as_of=DAY),
    "segmentation.segments with clusters": lambda: segments(*feed("purchases", "customers", "segments"), as_of=DAY),
    "segmentation.segment_profiles": lambda: segment_profiles(*feed("segments")),
    "segmentation.lifecycle_stages": lambda: segmentation.lifecycle_stages(*feed("purchases"), as_of=DAY),
    "segmentation.behaviours": lambda: behaviours(*feed("customer_features")),
    "segmentation.category_counts": lambda: category_counts(*feed("purchases", "merchants")),
    "segmentation.memberships": lambda: memberships(feed("segments")[0], "rule"),
    "segmentation.segment_migration": lambda: segment_migration(*two_days("segments")),
    "segmentation.segment_changes": lambda: segment_changes(*two_days("segments"), scheme="rule", code="a"),
    "segmentation.feature_changes": lambda: feature_changes(
        segment_changes(*two_days("segments"), scheme="lifecycle", code="lost"), *two_days("customer_features")
    ),
    "segmentation.with_rule_segments": lambda: with_rule_segments(
        KnownToRules(*feed("segments", "customer_features", "purchases", "merchants", "customers", "stores")),
        list(parse_rules(RULES, "rules.yaml")),
        as_of=DAY,
    ),
    "response.visits": lambda: visits(offer_logs()),
    "response.receipts": lambda: receipts(offer_logs()),
    "response.learning_pairs": lambda: learning_pairs(offer_logs(), as_of=DAY),
    "response.occasions": lambda: occasions.occasions(offer_logs(), visits(offer_logs())),
    "response.of_occasions": lambda: occasions.of_occasions(pairs(), evidence(offer_logs()).occasions),
    "response.of_receipts": lambda: occasions.of_receipts(pairs(), receipts(offer_logs())),
    "response.of_receipts_there": lambda: occasions.of_receipts_there(
        pairs(), receipts(offer_logs()), place="category"
    ),
    "response.of_visits": lambda: habits.of_visits(pairs(), visits(offer_logs())),
    "response.of_visits_there": lambda: habits.of_visits_there(pairs(), visits(offer_logs()), place="category"),
    "response.of_people": lambda: habits.of_people(pairs(), *feed("customers")),
    "response.of_contacts": lambda: habits.of_contacts(pairs(), *feed("touches")),
    "response.bought_lines": lambda: couponed.bought_lines(visits(offer_logs()), *feed("basket_lines")),
    "response.bought_before": lambda: couponed.bought_before(pairs(), evidence(offer_logs()).lines),
    "response.of_products": lambda: couponed.of_products(
        pairs(), couponed.bought_before(pairs(), evidence(offer_logs()).lines), *feed("coupon_products")
    ),
    "response.of_kinds": lambda: couponed.of_kinds(
        pairs(),
        couponed.bought_before(pairs(), evidence(offer_logs()).lines),
        *feed("coupon_products", "products"),
        level="category",
    ),
    "response.of_tills": lambda: couponed.of_tills(pairs(), evidence(offer_logs()).lines),
    "response.of_coupons": lambda: deals.of_coupons(offer_logs()),
    "response.of_outcomes": lambda: deals.of_outcomes(days("category"), receipts(offer_logs()), place="category"),
    "response.of_baskets": lambda: deals.of_baskets(days("merchant_id"), visits(offer_logs())),
    "response.distances": lambda: deals.distances(feed("purchases")[0], offer_logs()),
    "response.sums_until": lambda: sums_until(
        days("shop"), ibis.table({"shop": "string", "at": "timestamp(6)", "n": "int64"}), "shop", ("n",), until="until"
    ),
    "response.offer_units": lambda: offer_units(evidence(offer_logs()), as_of=DAY),
    "response.pair_features": lambda: pair_features(pairs(), evidence(offer_logs())),
    "response.with_features": lambda: put_together(),
    "response.leaked_pairs": lambda: leaked_pairs(pair_features(pairs(), evidence(offer_logs()))),
    "response.valid_coupons": lambda: candidates.valid_coupons(evidence(offer_logs()), as_of=DAY),
    "response.profiled": lambda: candidates.profiled(*feed("customers", "consents"), as_of=DAY),
    "response.within_reach": lambda: candidates.within_reach(within_reach(), offer_logs()),
    "response.candidates": lambda: candidates.candidates(
        candidates.within_reach(within_reach(), offer_logs()), offer_logs(), as_of=DAY
    ),
    "response.homes": lambda: within_reach().people,
    "response.met_before": lambda: within_reach().met,
    "response.liked_before": lambda: within_reach().liked,
    "response.nearest": lambda: within_reach().near,
    "offers.campaign_offers": lambda: eligibility.campaign_offers(*feed("coupons", "campaigns"), as_of=DAY),
    "offers.contacts": lambda: eligibility.contacts(*feed("touches", "sends"), as_of=DAY),
    "offers.already_asked": lambda: already_asked(),
    "offers.marked": lambda: eligibility.marked(
        feed("response_scores")[0],
        eligibility.campaign_offers(*feed("coupons", "campaigns"), as_of=DAY),
        customers=feed("customers")[0],
        words=last_words(*feed("customers", "consents"), purpose=MARKETING, as_of=DAY),
        contacts=eligibility.contacts(*feed("touches", "sends"), as_of=DAY),
        asked=already_asked(),
        settings=Settings(),
        as_of=DAY,
    ),
    "offers.baskets": lambda: money.baskets(*feed("purchases")),
    "offers.coupon_uses": lambda: money.coupon_uses(
        feed("coupon_lifecycle")[0],
        feed("purchases")[0],
        ibis.table({"merchant_id": "string", "off_share": "float64"}, name="usual"),
    ),
    "offers.contact_costs": lambda: money.contact_costs(*feed("touches", "campaign_costs"), as_of=DAY),
    "association.visits": lambda: baskets.visits(*feed("purchases", "merchants"), as_of=DAY, days=730),
    "association.visit_products": lambda: baskets.visit_products(
        baskets.visits(*feed("purchases", "merchants"), as_of=DAY, days=730), *feed("basket_lines")
    ),
    "merchants.observations": lambda: observations(
        *feed("purchases", "online_orders", "reviews"), as_of=DAY, since=DAY
    ),
    "merchants.with_promises": lambda: with_promises(*feed("purchases", "online_orders")),
    "merchants.merchant_sales": lambda: merchant_sales(
        SoldFrom(*feed("purchases", "coupon_lifecycle", "campaigns", "campaign_costs", "touches")),
        as_of=DAY,
        since=DAY,
    ),
    "merchants.served_visits": lambda: served_visits(*feed("purchases", "merchants", "customers"), since=DAY),
    "local.used_coupons": lambda: used(),
    "local.accounts": lambda: uses.accounts(used()),
    "local.uses_of": lambda: uses.uses_of(used(), uses.accounts(used())),
    "local.people_of": lambda: forensics.people_of(*feed("customers"), as_of=DAY),
    "local.newcomers": lambda: referrals.newcomers(*feed("customers", "purchases"), as_of=DAY),
    "local.homes": lambda: homes(*feed("customers"), as_of=DAY),
    "local.redemptions": lambda: redemptions(*feed("purchases"), since=DAY),
    "local.store_visits": lambda: store_visits(*feed("purchases", "customers", "stores"), since=DAY),
    "local.store_customers": lambda: store_customers(*feed("purchases"), since=DAY),
    "marts.of_window": lambda: past.of_window(
        marts.customer_features(past.past_logs(known_logs(), {DAY: feed("customers")[0]}, as_of=DAY), as_of=DAY), [DAY]
    ),
    "marts.leaks": lambda: marts.leaks(dict(zip(CONTACTS, feed(*CONTACTS), strict=True)), as_of=DAY),
}


@pytest.fixture(autouse=True)
def _spark_options(monkeypatch: pytest.MonkeyPatch) -> None:
    # The compiler asks for an option that Ibis only declares when pyspark is imported.
    class PySpark(Config):  # type: ignore[misc]  # Ibis has no types
        treat_nan_as_null: bool = False

    monkeypatch.setattr(options, "pyspark", PySpark(), raising=False)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformation_compiles_for_spark(name: str) -> None:
    sql = PySparkCompiler().to_sqlglot(TRANSFORMATIONS[name]()).sql("spark")
    assert sql.startswith(("SELECT", "WITH"))


def test_every_transformation_of_every_room_is_among_them() -> None:
    compiled = {name.split(" ")[0] for name in TRANSFORMATIONS}
    assert sorted(_transformations() - compiled) == []


def _transformations() -> set[str]:
    """Find the public functions that return an Ibis table, room by room."""
    return {
        f"{room}.{name}"
        for room in _names(o2o_mining)
        if room not in NOT_MINING
        for part in _names(importlib.import_module(f"o2o_mining.{room}"))
        if part not in NOT_PURE
        for name, function in vars(importlib.import_module(f"o2o_mining.{room}.{part}")).items()
        if inspect.isfunction(function) and not name.startswith("_")
        if function.__module__ == f"o2o_mining.{room}.{part}" and _returns_table(function)
    }


def _names(package: Any) -> Iterator[str]:
    return (module.name for module in pkgutil.iter_modules(package.__path__))


def _returns_table(function: Callable[..., Any]) -> bool:
    return str(function.__annotations__.get("return")) in {"ir.Table", "ibis.Table"}
