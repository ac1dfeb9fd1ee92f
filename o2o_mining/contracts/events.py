"""Tables of events: what the two logs say once they are put together. They carry their own time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

TOUCH_MODELS = ("first", "last", "last_non_direct", "linear", "position", "j_shaped", "time_decay")

_CUSTOMER = Column("customer_id", "id", "The customer.")

CUSTOMER_CONTACTS = Table(
    name="customer_contacts",
    room="ingest",
    kind=Kind.EVENTS,
    row="How one customer can be reached; kept apart from customers.",
    columns=(
        _key("customer_id", "id", "The customer."),
        _opt("home_lat", "double", "Latitude of the home in degrees.", personal=True),
        _opt("home_lon", "double", "Longitude of the home in degrees.", personal=True),
        _opt("phone", "text", "Phone number as given.", personal=True),
        _opt("email", "text", "E-mail address as given.", personal=True),
    ),
)

DATA_QUALITY = Table(
    name="data_quality",
    room="ingest",
    kind=Kind.EVENTS,
    row="What became of one file of one feed; the row (all) holds the traced share.",
    columns=(
        _key("feed", "text", "The feed, or (all)."),
        _key("file", "text", "Path of the file relative to its source, or (all)."),
        _opt("rows_read", "int", "Records read."),
        _opt("rows_accepted", "int", "Records loaded."),
        _opt("rows_quarantined", "int", "Records rejected, each with its reason in quarantine."),
        _opt("rows_duplicate", "int", "Records that repeat a key of the file or a row already loaded."),
        _opt("orphans", "int", "References of the rows in force to an unknown customer, merchant or coupon."),
        _opt(
            "traced_share",
            "double",
            "Share of the net amount consumed in stores that leads back to an order, a receipt, a code or a touch.",
            low=0,
            high=1,
        ),
    ),
    checks=(
        Check(
            "nothing_lost",
            "read = accepted + quarantined + duplicates",
            lambda t: t.rows_read != t.rows_accepted + t.rows_quarantined + t.rows_duplicate,
        ),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    room="ingest",
    kind=Kind.EVENTS,
    row="One rejected record with its first fault.",
    columns=(
        _key("rejection_id", "id", "Derived from feed, file and line."),
        Column("feed", "text", "The feed it was meant for."),
        Column("file", "text", "Path of the file relative to its source."),
        Column("line", "int", "First line of the record; row number in Parquet."),
        Column("reason", "text", "Code of the first fault, with its column."),
        _opt("column", "text", "The column at fault."),
        Column("raw", "text", "The record as read.", personal=True),
    ),
)

LOADED_FILES = Table(
    name="loaded_files",
    room="ingest",
    kind=Kind.WORKING,
    row="One file of one feed as last loaded: the ledger that knows files by content.",
    columns=(
        _key("feed", "text", "The feed."),
        _key("file", "text", "Path of the file relative to its source."),
        Column("file_id", "int", "Number of the file, in the order of loading."),
        Column("sha256", "text", "What identifies the content."),
        Column("rows_read", "int", "Records read."),
        Column("rows_accepted", "int", "Records loaded."),
        Column("rows_quarantined", "int", "Records rejected."),
        Column("rows_duplicate", "int", "Records that repeat."),
        Column("unknown_columns", "codes", "Columns of the file that the feed does not know."),
        Column("missing_columns", "codes", "Columns of the feed that the file lacks and that may not be null."),
    ),
)

PURCHASES = Table(
    name="purchases",
    room="marts",
    kind=Kind.EVENTS,
    row="One payment, online or in a store.",
    columns=(
        _key("purchase_id", "text", "`o:<order_id>` or `r:<redemption_id>`."),
        _CUSTOMER,
        Column("merchant_id", "id", "The merchant."),
        _opt("store_id", "id", "Where it was consumed, else the store chosen."),
        Column("purchased_at", "timestamp", "When it was paid."),
        _opt("consumed_at", "timestamp", "When it was consumed."),
        _opt("cancelled_at", "timestamp", "From when on it counts nowhere."),
        Column("source", "text", "Which log it comes from.", allowed=("online", "offline")),
        _opt("fulfilment", "text", "How it is consumed."),
        _opt("order_id", "id", "The online order."),
        _opt("redemption_id", "id", "The consumption in a store."),
        _opt("list_amount", "money", "Price before discounts."),
        _opt("discount_amount", "money", "List less paid."),
        _opt("paid_amount", "money", "Money paid."),
        _opt("refunded_at", "timestamp", "When money was given back."),
        Column("refunded_amount", "money", "Money given back; 0.00 without a refund."),
        _opt("net_amount", "money", "Paid less refunded."),
        _opt("coupon_id", "id", "The coupon used."),
        _opt("receipt_id", "id", "The receipt used."),
        _opt("campaign_id", "id", "The order's campaign, else the coupon's."),
        _opt("channel", "text", "Channel of the order."),
        _opt("tracking_code", "text", "Code that the order or redemption carries."),
        _opt("distance_m", "double", "Distance from the customer to the store."),
        _opt("reserved_for", "timestamp", "Moment of the reservation, which may lie ahead."),
        _opt("promised_wait_min", "double", "Waiting time promised online."),
        _opt("waited_min", "double", "How long the customer waited at the consumption."),
    ),
    checks=(
        Check(
            "net_is_paid_less_refunded",
            "net = paid - refunded",
            lambda t: t.net_amount != t.paid_amount - t.refunded_amount,
        ),
    ),
    at="purchased_at",
)

JOURNEYS = Table(
    name="journeys",
    room="marts",
    kind=Kind.EVENTS,
    row="The touches before one purchase, or touches that led to none.",
    columns=(
        _key("journey_id", "text", "The purchase_id, or `n:<first touch_id>`."),
        _CUSTOMER,
        _opt("purchase_id", "text", "The purchase it led to."),
        Column("converted", "boolean", "Whether it led to a purchase."),
        Column("started_at", "timestamp", "First touch, or the purchase if there was none."),
        Column("ended_at", "timestamp", "The purchase, or the last touch."),
        Column("n_touches", "int", "Number of touches.", low=0),
        Column("path", "text", "Channels in order, joined by ' > '."),
        _opt("days_to_convert", "double", "Days from the first touch to the purchase.", low=0),
        _opt("value", "money", "Amount paid."),
        _opt("net_value", "money", "Amount paid less refunded."),
    ),
    at="ended_at",
)

JOURNEY_TOUCHES = Table(
    name="journey_touches",
    room="marts",
    kind=Kind.EVENTS,
    row="One touch within one journey.",
    columns=(
        _key("journey_id", "text", "The journey."),
        _key("touch_id", "text", "The touch; `p:` and `s:` mark those made from a purchase or a message."),
        _CUSTOMER,
        Column("position", "int", "1 for the first touch of the journey.", low=1),
        Column("touched_at", "timestamp", "When."),
        Column("channel", "text", "Channel of the touch."),
        _opt("campaign_id", "id", "Campaign of the touch."),
        _opt("tracking_code", "text", "Code that the touch carries."),
    ),
    at="touched_at",
)

COUPON_LIFECYCLE = Table(
    name="coupon_lifecycle",
    room="marts",
    kind=Kind.EVENTS,
    row="One coupon in one customer's hand, from receipt to redemption or expiry.",
    columns=(
        _key("receipt_id", "text", "The receipt, or `u:<id of the use>` for a use without one."),
        _CUSTOMER,
        Column("coupon_id", "id", "The coupon."),
        Column("merchant_id", "text", "Where it is good; (unknown) if no row says so."),
        _opt("campaign_id", "id", "The coupon's campaign."),
        Column("received_at", "timestamp", "When it was received."),
        _opt("expires_at", "timestamp", "Until when it is good."),
        _opt("redeemed_at", "timestamp", "When it was used."),
        _opt("redemption_id", "id", "The visit at which it was used."),
        _opt("days_to_redeem", "double", "Days from receipt to use.", low=0),
        _opt("distance_m", "double", "Distance from the customer to the store."),
        _opt("discount_amount", "money", "Money off through it."),
        Column("state", "text", "Where it stands.", allowed=("open", "redeemed", "expired")),
    ),
    at="received_at",
)

TOUCH_CREDITS = Table(
    name="touch_credits",
    room="attribution",
    kind=Kind.WORKING,
    row="One touch of one purchase, or of its refund: what the entries of all models about it are made of.",
    columns=(
        _key("kind", "text", "What is booked.", allowed=("credit", "refund")),
        _key("entry", "text", "How the ids of its entries end: `<purchase_id>:<touch_id>`."),
        Column("purchase_id", "text", "The purchase."),
        _opt("touch_id", "text", "The touch; null for a purchase without any."),
        Column("customer_id", "id", "The customer."),
        Column("channel", "text", "Channel of the touch."),
        _opt("campaign_id", "id", "Campaign of the touch."),
        Column("credited_at", "timestamp", "When money was paid, or given back."),
        Column("position", "int", "1 for the first touch of the journey.", low=1),
        Column("n", "int", "Touches of the journey, at least 1.", low=1),
        Column("last_named", "int", "Position of the last touch that is not direct; the last if all are.", low=1),
        Column("age_weight", "int", "What the touch weighs by its age.", low=0),
        Column("age_weights", "int", "What all touches of the journey weigh by their age.", low=0),
        Column("cents", "int", "All that was paid, or given back, in hundredths."),
        *(
            Column(f"{model}_cents", "int", f"The part of the touch by the model {model}, in hundredths.")
            for model in ("linear", "position", "j_shaped", "time_decay")
        ),
    ),
    at="credited_at",
)

ATTRIBUTION_LEDGER = Table(
    name="attribution_ledger",
    room="attribution",
    kind=Kind.EVENTS,
    row="The share of one purchase, or of its refund, that one model credits to one touch.",
    columns=(
        _key("entry_id", "text", "`<model>:<kind>:<purchase_id>:<touch_id>`."),
        Column("model", "text", "The model.", allowed=TOUCH_MODELS),
        Column("purchase_id", "text", "The purchase."),
        _opt("touch_id", "text", "The touch; null for a purchase without any."),
        _CUSTOMER,
        Column("channel", "text", "Channel credited."),
        _opt("campaign_id", "id", "Campaign credited."),
        Column("credited_at", "timestamp", "The purchase, or the refund."),
        Column("kind", "text", "What is booked.", allowed=("credit", "refund")),
        Column("share", "double", "Share of the purchase.", low=0, high=1),
        Column("amount", "money", "Money credited; negative for refunds."),
        Column("conversions", "double", "Share of the conversion; 0 for refunds.", low=0, high=1),
    ),
    at="credited_at",
)

TABLES = (
    CUSTOMER_CONTACTS,
    DATA_QUALITY,
    QUARANTINE,
    LOADED_FILES,
    PURCHASES,
    JOURNEYS,
    JOURNEY_TOUCHES,
    COUPON_LIFECYCLE,
    TOUCH_CREDITS,
    ATTRIBUTION_LEDGER,
)


def as_known(table: Table) -> Table:
    """Return the working table that holds one event table as it was known before a day.

    Rooms that mine as of D read it instead of the event table, which knows later refunds and uses.

    Examples
    --------
    >>> as_known(PURCHASES).name
    'known_purchases'
    """
    as_of = Column("as_of", "date", "The day before whose beginning everything here was known.", key=True)
    row = f"{table.row.rstrip('.')}, as known before as_of."
    return replace(
        table, name=f"known_{table.name}", kind=Kind.WORKING, row=row, columns=(as_of, *table.columns), checks=()
    )
