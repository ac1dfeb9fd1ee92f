"""What happened to an order, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from o2o_mining.tracking.threads import Found, Row

# What comes first of events at one moment.
_ORDER = (
    "send", "receipt", "touch", "order", "cancellation", "redemption", "coupon used", "refund", "review", "expiry",
)  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes
    ----------
    at
        When, UTC.
    what
        ``send``, ``receipt``, ``touch``, ``order``, ``cancellation``, ``redemption``, ``coupon used``, ``refund``,
        ``review`` or ``expiry``.
    id
        Of the row that says so.
    customer_id
        Whose it is.
    amount
        Money paid, negative where it was given back; None where no money moved or none is known.
    channel, campaign_id, coupon_id, merchant_id, store_id
        As the row has them.
    tracking_code
        The code that the row carries.
    note
        What else the row says.
    """

    at: datetime
    what: str
    id: str
    customer_id: str
    amount: Decimal | None = None
    channel: str | None = None
    campaign_id: str | None = None
    coupon_id: str | None = None
    merchant_id: str | None = None
    store_id: str | None = None
    tracking_code: str | None = None
    note: str = ""


def events_of(found: Found, journey: Iterable[Row]) -> tuple[Event, ...]:
    """Return all that happened, in the order of time.

    Parameters
    ----------
    found
        Rows of the tables that belong together.
    journey
        Rows of ``journey_touches`` of the purchases among them.
    """
    events = [*_contacts(found, journey), *_coupons(found), *_payments(found), *_changes(found), *_reviews(found)]
    return tuple(sorted(events, key=lambda event: (event.at, _ORDER.index(event.what), event.id, event.note)))


def _event(row: Row, what: str, key: str, at: str, *, amount: Decimal | None = None, note: str = "") -> Event:
    told = ("channel", "campaign_id", "coupon_id", "merchant_id", "store_id", "tracking_code")
    place = {column: row[column] for column in told if column in row}
    return Event(row[at], what, row[key], row["customer_id"], amount=amount, note=note, **place)


def _contacts(found: Found, journey: Iterable[Row]) -> Iterator[Event]:
    """Give sends and touches; a touch of the journey that was made from a send is told as the send."""
    led = {row["touch_id"]: row for row in journey}
    for row in found["sends"]:
        yield _event(row, "send", "send_id", "sent_at")
    for row in found["touches"]:
        note = f"{row['action']}, in the journey" if row["touch_id"] in led else row["action"]
        yield _event(row, "touch", "touch_id", "touched_at", note=note)
    told = {row["touch_id"] for row in found["touches"]} | {f"s:{row['send_id']}" for row in found["sends"]}
    for touch_id, row in led.items():
        if touch_id not in told:
            made = "made from the purchase" if touch_id.startswith("p:") else "in the journey"
            yield _event(row, "touch", "touch_id", "touched_at", note=made)


def _coupons(found: Found) -> Iterator[Event]:
    lives = {row["receipt_id"]: row for row in found["coupon_lifecycle"]}
    for row in found["coupon_receipts"]:
        life = lives.get(row["receipt_id"], {"campaign_id": None, "expires_at": None, "state": "", "merchant_id": None})
        until = f"{life['state']}, good until {life['expires_at']:%Y-%m-%d %H:%M}" if life["expires_at"] else ""
        whole = row | {"campaign_id": life["campaign_id"], "merchant_id": life["merchant_id"]}
        yield _event(whole, "receipt", "receipt_id", "received_at", note=until or life["state"])
        if life["state"] == "expired":
            yield _event(whole | {"expires_at": life["expires_at"]}, "expiry", "receipt_id", "expires_at")
    for row in found["coupon_redemptions"]:
        off = row["discount_amount"]
        note = "" if off is None else f"{off:,.2f} off"
        yield _event(row, "coupon used", "coupon_redemption_id", "redeemed_at", note=note)


def _payments(found: Found) -> Iterator[Event]:
    for row in found["online_orders"]:
        note = row["fulfilment"] or ""
        yield _event(row, "order", "order_id", "ordered_at", amount=row["paid_amount"], note=note)
    for row in found["offline_redemptions"]:
        note = f"consumes order {row['order_id']}" if row["order_id"] else ""
        yield _event(row, "redemption", "redemption_id", "redeemed_at", amount=row["paid_amount"], note=note)


def _changes(found: Found) -> Iterator[Event]:
    """Give cancellations and refunds, as `purchases` settles them where the log leaves time or amount out."""
    for row in found["purchases"]:
        if row["cancelled_at"]:
            yield _event(row, "cancellation", "purchase_id", "cancelled_at")
        if row["refunded_amount"]:
            yield _event(row, "refund", "purchase_id", "refunded_at", amount=-row["refunded_amount"])


def _reviews(found: Found) -> Iterator[Event]:
    for row in found["reviews"]:
        note = f"{row['rating']} of 5{', a complaint' if row['is_complaint'] else ''}"
        yield _event(row, "review", "review_id", "reviewed_at", note=note)
