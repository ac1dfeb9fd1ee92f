"""The feeds of who, where, what, and of what was offered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_mining.simulator.baskets import PRODUCTS
from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.columns import dates, ids, moments, money, nothing, values, words
from o2o_mining.simulator.history import History
from o2o_mining.simulator.journeys import ALL_CHANNELS, Touches, daily_costs
from o2o_mining.simulator.offers import CHANNELS, CONTACT_COST, KINDS, WINDOW_DAYS, known_coupons
from o2o_mining.simulator.places import CATEGORIES, CITIES, PRICES
from o2o_mining.simulator.responses import CONTROL, NO_ARM

PURPOSES = ("marketing", "ads", "profiling")
BUDGET_SHARE, USUAL_REDEMPTION = 0.1, 0.2
CONSENT_SHARE, CHANGE_SHARE, WITHDRAW_SHARE = 0.8, 0.12, 0.7


def reference_feeds(history: History, touches: Touches) -> Iterator[tuple[str, Any]]:
    """Give name and table of the feeds that describe people, places and offers."""
    yield from _people(history)
    yield from _places(history)
    yield from _campaigns(history, touches)
    yield from _coupons(history)
    units = history.units
    drawn = np.flatnonzero((units.arm != NO_ARM) & (units.start < history.world.days * DAY))
    yield "assignments", pa.table({
        "campaign_id": ids("g", units.coupon[drawn]), "customer_id": ids("c", units.customer[drawn]),
        "arm": words(("treatment", "control"), (units.arm[drawn] == CONTROL).astype(np.int64)),
        "assigned_at": moments(units.start[drawn]),
    })  # fmt: skip
    texts = ("send_id", "campaign_id", "customer_id", "coupon_id", "channel")
    yield "sends", pa.table({
        **{name: nothing(0) for name in texts}, "sent_at": moments(np.zeros(0)), "tracking_code": nothing(0),
    })  # fmt: skip


def _people(history: History) -> Iterator[tuple[str, Any]]:
    people, places = history.people, history.places
    chance = stream(history.world.seed, "consents")
    known = np.flatnonzero(people.joined < history.world.days * DAY)
    granted = chance.random(len(known)) < CONSENT_SHARE
    yield "customers", pa.table({
        "customer_id": ids("c", known), "joined_at": moments(people.joined[known]),
        "birth_year": values(people.birth_year[known]), "gender": words(("f", "m", "x"), people.gender[known]),
        "city": words(CITIES, people.city[known]), "home_lat": values(places.block_lat[people.block[known]]),
        "home_lon": values(places.block_lon[people.block[known]]),
        "phone": ids("+88690", 1_000_000 + known),
        "email": pa.compute.binary_join_element_wise(ids("c", known), "@example.com", ""),
        "referrer_id": ids("c", people.referrer[known], missing=people.referrer[known] < 0),
        "consent_marketing": values(granted),
    })  # fmt: skip
    says = np.flatnonzero(chance.random(len(known)) < CHANGE_SHARE)
    purpose = chance.choice(3, len(says), p=[0.6, 0.25, 0.15])
    # Who consented to marketing withdraws it; about the other purposes people say either.
    now = np.where(purpose == 0, ~granted[says], chance.random(len(says)) > WITHDRAW_SHARE)
    begin = np.maximum(people.joined[known[says]], 0)
    at = begin + (chance.random(len(says)) * (history.world.days * DAY - begin)).astype(np.int64)
    yield "consents", pa.table({
        "customer_id": ids("c", known[says]), "purpose": words(PURPOSES, purpose), "changed_at": moments(at),
        "granted": values(now),
    })  # fmt: skip


def _places(history: History) -> Iterator[tuple[str, Any]]:
    places = history.places
    merchants, stores = np.arange(len(places.merchant_city)), np.arange(len(places.store_merchant))
    category = words(CATEGORIES, places.merchant_category)
    yield "merchants", pa.table({
        "merchant_id": ids("m", merchants),
        "name": pa.compute.binary_join_element_wise(category, merchants.astype(str), " "),
        "category": category, "city": words(CITIES, places.merchant_city),
        "margin_share": values(places.merchant_margin), "commission_share": values(places.merchant_commission),
    })  # fmt: skip
    yield "stores", pa.table({
        "store_id": ids("s", stores), "merchant_id": ids("m", places.store_merchant),
        "lat": values(places.store_lat), "lon": values(places.store_lon),
    })  # fmt: skip
    products = np.arange(len(CATEGORIES) * PRODUCTS)
    group, place = products // PRODUCTS, products % PRODUCTS
    kind = words(CATEGORIES, group)
    yield "products", pa.table({
        "product_id": ids("p", products),
        "name": pa.compute.binary_join_element_wise(kind, place.astype(str), " item "),
        "department": words(("food", "services"), np.isin(group, (3, 4, 5, 6)).astype(np.int64)),
        "category": kind,
        "subcategory": pa.compute.binary_join_element_wise(kind, (place // 10).astype(str), " line "),
        "merchant_id": nothing(len(products)),
    })  # fmt: skip


def _campaigns(history: History, touches: Touches) -> Iterator[tuple[str, Any]]:
    offers = history.offers
    number = np.arange(offers.announced)
    campaign, channel, day, cost = daily_costs(touches)
    spent = np.bincount(campaign, weights=cost, minlength=offers.campaigns)
    budget = np.where(offers.start < history.world.days * DAY, 1.2 * spent, _planned_budget(history))[number]
    yield "campaigns", pa.table({
        "campaign_id": ids("g", number), "name": ids("Campaign ", number + 1),
        "channel": words(CHANNELS, offers.main[number]), "merchant_id": ids("m", offers.merchant[number]),
        "starts_at": moments(offers.start[number]), "ends_at": moments(offers.start[number] + WINDOW_DAYS * DAY),
        "budget": money((np.ceil(budget / 10_000) * 10_000).astype(np.int64)),
    })  # fmt: skip
    yield "campaign_costs", pa.table({
        "campaign_id": ids("g", campaign), "channel": words(ALL_CHANNELS, channel), "spent_on": dates(day),
        "cost": money(cost),
    })  # fmt: skip


def _planned_budget(history: History) -> Array:
    """Return of every campaign a tenth of what it would cost, discounts included, if all in its city were asked."""
    offers, places, people = history.offers, history.places, history.people
    campaign = np.arange(offers.campaigns)
    city = places.merchant_city[offers.merchant[campaign]]
    asked = np.bincount(people.city, minlength=len(CITIES))[city]
    basket = 200 * PRICES[places.merchant_category[offers.merchant[campaign]]]
    each = CONTACT_COST[offers.main[campaign]] + USUAL_REDEMPTION * offers.share[campaign] * basket
    return np.asarray(BUDGET_SHARE * asked * each)


def _coupons(history: History) -> Iterator[tuple[str, Any]]:
    offers, places = history.offers, history.places
    number = known_coupons(offers)
    standing = number >= offers.campaigns
    start: Array = np.zeros(len(number), dtype=np.int64)
    start[~standing] = offers.start[: offers.announced]
    yield "coupons", pa.table({
        "coupon_id": ids("k", number), "merchant_id": ids("m", offers.merchant[number]),
        "campaign_id": ids("g", number, missing=standing), "kind": words(KINDS, offers.kind[number]),
        "threshold": money((offers.threshold[number] * 100).astype(np.int64), missing=offers.kind[number] != 1),
        "discount": values(offers.discount[number]), "valid_days": values(offers.valid_days[number]),
        "starts_at": moments(start), "ends_at": moments(start + WINDOW_DAYS * DAY, missing=standing),
        "stock": nothing(len(number), "int64"), "min_age": nothing(len(number), "int64"),
    })  # fmt: skip
    # Every fifth coupon spells out what it is good for: all that its merchant's category sells.
    listed = np.repeat(number[::5], PRODUCTS)
    product = places.merchant_category[offers.merchant[listed]] * PRODUCTS + np.tile(
        np.arange(PRODUCTS), len(number[::5])
    )
    yield "coupon_products", pa.table({"coupon_id": ids("k", listed), "product_id": ids("p", product)})
