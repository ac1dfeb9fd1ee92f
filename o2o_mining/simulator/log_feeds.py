"""The feeds of the online and the offline log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.simulator.chance import DAY, Array, running, stream
from o2o_mining.simulator.columns import ids, moments, money, values, words
from o2o_mining.simulator.history import History
from o2o_mining.simulator.journeys import ACTIONS, ALL_CHANNELS, DEVICES, SEARCH, Touches
from o2o_mining.simulator.visits import DELIVERY, RESERVATION

FULFILMENT = ("in_store", "in_store", "reservation", "delivery")
RING_DOUBLE_SHARE = 0.25
PRAISE = ("", "Would come again", "As promised", "Waited far too long")


def log_feeds(history: History, touches: Touches) -> Iterator[tuple[str, Any]]:
    """Give name and table of the feeds of what happened."""
    paid = touches.campaign >= 0
    device = stream(history.world.seed, "devices").choice(3, history.world.customers, p=[0.75, 0.2, 0.05])
    yield "touches", pa.table({
        "touch_id": ids("t", np.arange(len(touches.at))), "customer_id": ids("c", touches.customer),
        "touched_at": moments(touches.at), "channel": words(ALL_CHANNELS, touches.channel),
        "campaign_id": ids("g", touches.campaign, missing=~paid), "action": words(ACTIONS, touches.action),
        "cost": money(touches.cost, missing=~paid), "device": words(DEVICES, device[touches.customer]),
        "tracking_code": ids("T", touches.unit, missing=touches.unit < 0),
    })  # fmt: skip
    yield "coupon_receipts", _receipts(history, touches)
    yield "online_orders", _orders(history, device)
    yield "offline_redemptions", _redemptions(history)
    yield "coupon_redemptions", _coupon_uses(history)
    yield "basket_lines", _lines(history)
    yield "reviews", _reviews(history)


def _receipts(history: History, touches: Touches) -> Any:
    units = history.units
    unit = np.flatnonzero(history.given_out)
    channel: Array = np.full(len(units.coupon), SEARCH)
    first = (touches.unit >= 0) & (touches.at == history.units.received_at[touches.unit])
    channel[touches.unit[first]] = touches.channel[first]
    return pa.table({
        "receipt_id": ids("e", unit), "customer_id": ids("c", units.customer[unit]),
        "coupon_id": ids("k", units.coupon[unit]), "received_at": moments(units.received_at[unit]),
        "channel": words(ALL_CHANNELS, channel[unit]), "distance_m": values(units.distance_m[unit]),
        "tracking_code": ids("T", unit),
    })  # fmt: skip


def _orders(history: History, device: Array) -> Any:
    visits, places = history.visits, history.places
    end = history.world.days * DAY
    at = np.flatnonzero(history.ordered & (history.ordered_at < end))
    coupon, merchant = history.coupon[at], visits.merchant[at]
    plain = coupon < 0
    campaign = np.where(coupon < history.offers.campaigns, coupon, -1)
    cancelled = visits.no_show[at] & (visits.at[at] < end)
    status = np.where(cancelled, 1, np.where(history.refunded[at] & (history.refunded_at[at] < end), 2, 0))
    channel = stream(history.world.seed, "order channels").choice(3, len(at), p=[0.4, 0.3, 0.3]) + SEARCH
    whole = history.baskets.total[at]
    paid = whole - history.discount[at]
    return pa.table({
        "order_id": ids("o", at), "customer_id": ids("c", visits.customer[at]), "merchant_id": ids("m", merchant),
        "store_id": ids("s", visits.store[at]), "ordered_at": moments(history.ordered_at[at]),
        "channel": words(ALL_CHANNELS, channel), "device": words(DEVICES, device[visits.customer[at]]),
        "list_amount": money(whole), "paid_amount": money(paid),
        "coupon_id": ids("k", coupon, missing=plain), "receipt_id": ids("e", visits.unit[at], missing=plain),
        "campaign_id": ids("g", campaign, missing=campaign < 0),
        "tracking_code": ids("T", visits.unit[at], missing=plain),
        "fulfilment": words(FULFILMENT, visits.kind[at]),
        "reserved_for": moments(visits.at[at], missing=visits.kind[at] != RESERVATION),
        "promised_wait_min": values(places.merchant_promise_min[merchant], missing=visits.kind[at] == DELIVERY),
        "promised_rating": values(places.merchant_promise_rating[merchant]),
        "status": words(("paid", "cancelled", "refunded"), status),
        "cancelled_at": moments(visits.at[at], missing=status != 1),
        "refunded_at": moments(history.refunded_at[at], missing=status != 2),
        "refunded_amount": money(paid, missing=status != 2),
    })  # fmt: skip


def _redemptions(history: History) -> Any:
    visits, places = history.visits, history.places
    end = history.world.days * DAY
    at = np.flatnonzero(history.came & (visits.at < end))
    ordered = history.ordered[at]
    coupon = np.where(ordered, -1, history.coupon[at])
    whole = history.baskets.total[at]
    paid = whole - history.discount[at]
    back = ~ordered & history.refunded[at] & (history.refunded_at[at] < end)
    distance = np.round(places.distance_km[history.people.block[visits.customer[at]], visits.store[at]] * 1000)
    return pa.table({
        "redemption_id": ids("r", at), "customer_id": ids("c", visits.customer[at]),
        "merchant_id": ids("m", visits.merchant[at]), "store_id": ids("s", visits.store[at]),
        "redeemed_at": moments(visits.at[at]), "order_id": ids("o", at, missing=~ordered),
        "coupon_id": ids("k", coupon, missing=coupon < 0),
        "receipt_id": ids("e", visits.unit[at], missing=coupon < 0),
        "list_amount": money(whole, missing=ordered), "paid_amount": money(np.where(ordered, 0, paid)),
        "distance_m": values(distance), "waited_min": values(visits.waited_min[at]),
        "tracking_code": ids("T", visits.unit[at], missing=coupon < 0),
        "refunded_at": moments(history.refunded_at[at], missing=~back),
        "refunded_amount": money(paid, missing=~back),
    })  # fmt: skip


def _coupon_uses(history: History) -> Any:
    visits = history.visits
    used = np.flatnonzero(history.coupon >= 0)
    # Some coupons pass the till a second time, within three days and tied to no visit; rings try it often.
    chance = stream(history.world.seed, "double redemptions")
    share = history.world.parameters.double_redemption_share
    in_ring = history.people.ring[visits.customer[used]] >= 0
    twice = used[chance.random(len(used)) < np.where(in_ring, RING_DOUBLE_SHARE, share)]
    at = np.concatenate([used, twice])
    again = np.arange(len(at)) >= len(used)
    used_at = history.bought_at[at] + np.where(again, chance.integers(7_200, 3 * DAY, len(at)), 0)
    within = used_at < history.world.days * DAY
    at, again, used_at = at[within], again[within], used_at[within]
    return pa.table({
        "coupon_redemption_id": pc.if_else(pa.array(again), ids("u2-", at), ids("u", at)),
        "customer_id": ids("c", visits.customer[at]), "coupon_id": ids("k", history.coupon[at]),
        "redeemed_at": moments(used_at), "receipt_id": ids("e", visits.unit[at]),
        "redemption_id": ids("r", at, missing=again | history.ordered[at]),
        "order_id": ids("o", at, missing=again | ~history.ordered[at]),
        "discount_amount": money(history.discount[at]),
    })  # fmt: skip


def _lines(history: History) -> Any:
    baskets = history.baskets
    known = history.bought_at[baskets.visit] < history.world.days * DAY
    number = 1 + running(np.bincount(baskets.visit, minlength=len(history.visits)))[known]
    visit = baskets.visit[known]
    basket = pc.if_else(pa.array(history.ordered[visit]), ids("o", visit), ids("r", visit))
    return pa.table({
        "basket_id": basket, "line_no": values(number), "product_id": ids("p", baskets.product[known]),
        "quantity": values(baskets.quantity[known].astype(float)), "amount": money(baskets.amount[known]),
    })  # fmt: skip


def _reviews(history: History) -> Any:
    visits = history.visits
    later = visits.at + stream(history.world.seed, "review moments").integers(3_600, 3 * DAY, len(visits))
    at = np.flatnonzero(history.reviewed & (later < history.world.days * DAY))
    said = np.where(
        history.complaint[at], 3, np.where(history.rating[at] >= 5, 1, np.where(history.rating[at] == 4, 2, 0))
    )
    return pa.table({
        "review_id": ids("w", at), "customer_id": ids("c", visits.customer[at]),
        "merchant_id": ids("m", visits.merchant[at]), "store_id": ids("s", visits.store[at]),
        "reviewed_at": moments(later[at]), "rating": values(history.rating[at]),
        "order_id": ids("o", at, missing=~history.ordered[at]),
        "redemption_id": ids("r", at, missing=~history.came[at]),
        "is_complaint": values(history.complaint[at]), "text": words(PRAISE, said, missing=said == 0),
    })  # fmt: skip
