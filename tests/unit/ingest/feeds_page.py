"""The feeds as the page has them, copied from it, and rows that follow it or break one of its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# `*` marks the key, `?` a nullable column; a column without a type is an id if its name ends so, else text.
PAGE = """
customers: customer_id*, joined_at? timestamp, birth_year? int, gender? (f,m,x), city?, home_lat? double -90..90, \
home_lon? double -180..180, phone?, email?, referrer_id?, consent_marketing? boolean
consents: customer_id*, purpose* (marketing,ads,profiling), changed_at* timestamp, granted boolean
merchants: merchant_id*, name?, category?, city?, margin_share? double 0..1, commission_share? double 0..1
stores: store_id*, merchant_id, lat? double -90..90, lon? double -180..180
products: product_id*, name?, department?, category?, subcategory?, merchant_id?
campaigns: campaign_id*, name?, channel?, merchant_id?, starts_at timestamp, ends_at timestamp, budget? money 0..
campaign_costs: campaign_id*, channel*, spent_on* date, cost money 0..
coupons: coupon_id*, merchant_id, campaign_id?, kind? (rate,threshold,fixed), threshold? money 0.., \
discount? double 0.., valid_days? int 0.., starts_at? timestamp, ends_at? timestamp, stock? int 0.., min_age? int 0..
coupon_products: coupon_id*, product_id*
assignments: campaign_id*, customer_id*, arm (treatment,control), assigned_at timestamp
sends: send_id*, campaign_id, customer_id, coupon_id?, channel, sent_at timestamp, tracking_code?
touches: touch_id*, customer_id, touched_at timestamp, channel, campaign_id?, action (impression,click,visit), \
cost? money 0.., device?, tracking_code?
coupon_receipts: receipt_id*, customer_id, coupon_id, received_at timestamp, channel?, distance_m? double 0.., \
tracking_code?
online_orders: order_id*, customer_id, merchant_id, store_id?, ordered_at timestamp, channel?, device?, \
list_amount? money 0.., paid_amount? money 0.., coupon_id?, receipt_id?, campaign_id?, tracking_code?, \
fulfilment? (in_store,reservation,delivery), reserved_for? timestamp, promised_wait_min? double 0.., \
promised_rating? double 1..5, status (paid,cancelled,refunded), cancelled_at? timestamp, refunded_at? timestamp, \
refunded_amount? money 0..
offline_redemptions: redemption_id*, customer_id, merchant_id, store_id?, redeemed_at timestamp, order_id?, \
coupon_id?, receipt_id?, list_amount? money 0.., paid_amount? money 0.., distance_m? double 0.., \
waited_min? double 0.., tracking_code?, refunded_at? timestamp, refunded_amount? money 0..
coupon_redemptions: coupon_redemption_id*, customer_id, coupon_id, redeemed_at timestamp, receipt_id?, \
redemption_id?, order_id?, discount_amount? money 0..
basket_lines: basket_id*, line_no* int, product_id, quantity double 0.., amount money 0..
reviews: review_id*, customer_id, merchant_id, store_id?, reviewed_at timestamp, rating int 1..5, order_id?, \
redemption_id?, is_complaint boolean, text?
"""

TIME_ORDER = {  # what may not come before what
    "campaigns": [("ends_at", "starts_at")],
    "coupons": [("ends_at", "starts_at")],
    "online_orders": [("cancelled_at", "ordered_at"), ("refunded_at", "ordered_at")],
    "offline_redemptions": [("refunded_at", "redeemed_at")],
}

_COLUMN = re.compile(
    r"(?P<name>\w+)(?P<mark>[*?]?)(?: (?P<type>[a-z]+))?"
    r"(?: \((?P<allowed>[\w,]+)\))?(?: (?P<low>-?\d+)\.\.(?P<high>\d*))?$"
)


@dataclass(frozen=True)
class PageColumn:
    """One column as the page has it."""

    name: str
    type: str
    key: bool
    nullable: bool
    allowed: tuple[str, ...]
    low: float | None
    high: float | None

    def good(self, number: int) -> str:
        """Return a value that breaks no rule, the same for columns of moments, different for keys."""
        if self.allowed:
            return self.allowed[number % len(self.allowed)] if self.key else self.allowed[0]
        if self.type == "id":
            return f"{self.name}-{number}"
        if self.type in ("int", "double", "money"):
            return str(number) if self.key else "0.5" if self.name == "discount" else "1"
        if self.type == "date":
            return "2017-07-01"
        return {"timestamp": "2017-07-01 12:00:00", "boolean": "true", "text": "any text"}[self.type]


@dataclass(frozen=True)
class Fault:
    """One rule broken: its code, and what stands in which columns instead."""

    reason: str
    values: dict[str, str]


def _parse() -> dict[str, list[PageColumn]]:
    feeds: dict[str, list[PageColumn]] = {}
    for line in PAGE.strip().splitlines():
        feed, columns = line.split(": ", 1)
        feeds[feed] = [_column(text) for text in re.split(r", (?![^(]*\))", columns)]
    return feeds


def _column(text: str) -> PageColumn:
    found = _COLUMN.match(text)
    assert found, text
    name = found["name"]
    return PageColumn(
        name=name,
        type=found["type"] or ("id" if name.endswith("_id") else "text"),
        key=found["mark"] == "*",
        nullable=found["mark"] == "?",
        allowed=tuple((found["allowed"] or "").split(",")) if found["allowed"] else (),
        low=float(found["low"]) if found["low"] else None,
        high=float(found["high"]) if found["high"] else None,
    )


FEEDS = _parse()


def good_row(feed: str, number: int) -> dict[str, str]:
    """Return a row that breaks no rule and shares its key with no other number."""
    return {column.name: column.good(number) for column in FEEDS[feed]}


def faults(feed: str) -> Iterator[Fault]:
    """Yield every rule of a feed broken once, in the order in which the first one counts."""
    columns = FEEDS[feed]
    yield from (Fault("missing_key", {c.name: ""}) for c in columns if c.key)
    yield from (Fault(f"bad_type:{c.name}", {c.name: "x"}) for c in columns if c.type not in ("id", "text"))
    yield from (Fault(f"missing_value:{c.name}", {c.name: ""}) for c in columns if not c.key and not c.nullable)
    for c in columns:
        if c.allowed:
            yield Fault(f"not_allowed:{c.name}", {c.name: "other"})
        if c.name == "channel":
            yield Fault("not_allowed:channel", {c.name: "search > map"})
    for c in columns:
        yield from (Fault(f"out_of_range:{c.name}", values) for values in _outside(c))
    for later, earlier in TIME_ORDER.get(feed, []):
        yield Fault("time_order", {later: "2017-06-30 23:59:59", earlier: "2017-07-01 00:00:00"})


def _outside(column: PageColumn) -> Iterator[dict[str, str]]:
    if column.type == "id":
        yield {column.name: "é" * 65}
    step = 0.01 if column.type in ("double", "money") else 1
    if column.low is not None:
        yield {column.name: f"{column.low - step:.2f}" if step < 1 else str(int(column.low) - 1)}
    if column.high is not None:
        yield {column.name: f"{column.high + step:.2f}" if step < 1 else str(int(column.high) + 1)}
    if column.name == "discount":
        yield {"discount": "0", "kind": "rate"}
        yield {"discount": "1", "kind": "rate"}
