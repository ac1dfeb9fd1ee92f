"""The canonical feeds: the only form in which logs are known downstream."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)
_customer = partial(Column, "customer_id", "id", references="customers")
_merchant = partial(Column, "merchant_id", "id", references="merchants")
_coupon = partial(Column, "coupon_id", "id", references="coupons")
_money = partial(Column, type="money", low=0)

PURPOSES = ("marketing", "ads", "profiling")
COUPON_KINDS = ("rate", "threshold", "fixed")
ORDER_STATES = ("paid", "cancelled", "refunded")


def _before(later: str, earlier: str) -> Check:
    return Check("time_order", f"{later} is not before {earlier}", lambda t: t[later] < t[earlier])


def _feed(name: str, row: str, *columns: Column, checks: tuple[Check, ...] = (), at: str = "") -> Table:
    return Table(name=name, room="ingest", kind=Kind.FEED, row=row, columns=columns, checks=checks, at=at)


def _channel(*, key: bool = False, nullable: bool = False) -> Column:
    said = "Advertising or sales channel; any name without '>'."
    return Column("channel", "text", said, key=key, nullable=nullable, forbidden=">")


def _tracking_code() -> Column:
    return _opt("tracking_code", "text", "Code that ties the row to a campaign's touch.")


def _refund() -> tuple[Column, ...]:
    return (
        _opt("refunded_at", "timestamp", "When money was given back."),
        _money(name="refunded_amount", doc="Money given back; null with a refund means all of it.", nullable=True),
    )


WHO_WHERE_WHAT = (
    _feed(
        "customers",
        "One customer.",
        _key("customer_id", "id", "The customer."),
        _opt("joined_at", "timestamp", "When the customer became known."),
        _opt("birth_year", "int", "Year of birth.", personal=True),
        _opt("gender", "text", "Gender as given.", allowed=("f", "m", "x"), personal=True),
        _opt("city", "text", "City of the home."),
        _opt("home_lat", "double", "Latitude of the home in degrees.", low=-90, high=90, personal=True, withheld=True),
        _opt(
            "home_lon", "double", "Longitude of the home in degrees.", low=-180, high=180, personal=True, withheld=True
        ),
        _opt("phone", "text", "Phone number as given.", personal=True, withheld=True),
        _opt("email", "text", "E-mail address as given.", personal=True, withheld=True),
        _opt("referrer_id", "id", "The customer who referred this one.", references="customers"),
        _opt("consent_marketing", "boolean", "Consent to marketing, where no later word is in consents."),
        at="joined_at",
    ),
    _feed(
        "consents",
        "One word of a customer on one purpose.",
        _customer(key=True, doc="Who speaks."),
        _key("purpose", "text", "What the consent is for.", allowed=PURPOSES),
        _key("changed_at", "timestamp", "From when the word holds."),
        Column("granted", "boolean", "Given or withdrawn."),
        at="changed_at",
    ),
    _feed(
        "merchants",
        "One merchant.",
        _key("merchant_id", "id", "The merchant."),
        _opt("name", "text", "Name of the merchant."),
        _opt("category", "text", "What the merchant sells."),
        _opt("city", "text", "City of the merchant."),
        _opt("margin_share", "double", "Gross margin of a sale before discounts.", low=0, high=1),
        _opt("commission_share", "double", "What the platform takes of a sale.", low=0, high=1),
    ),
    _feed(
        "stores",
        "One store.",
        _key("store_id", "id", "The store."),
        _merchant(doc="Whose store it is."),
        _opt("lat", "double", "Latitude in degrees.", low=-90, high=90),
        _opt("lon", "double", "Longitude in degrees.", low=-180, high=180),
    ),
    _feed(
        "products",
        "One product.",
        _key("product_id", "id", "The product."),
        _opt("name", "text", "Name of the product."),
        _opt("department", "text", "Coarsest level of the hierarchy."),
        _opt("category", "text", "Middle level of the hierarchy."),
        _opt("subcategory", "text", "Finest level of the hierarchy."),
        _merchant(doc="Who sells it.", nullable=True),
    ),
)

OFFERED = (
    _feed(
        "campaigns",
        "One campaign.",
        _key("campaign_id", "id", "The campaign."),
        _opt("name", "text", "Name of the campaign."),
        _channel(nullable=True),
        _merchant(doc="Whom it advertises.", nullable=True),
        Column("starts_at", "timestamp", "Start of the campaign."),
        Column("ends_at", "timestamp", "End of the campaign."),
        _money(name="budget", doc="What may be spent; never a cost.", nullable=True),
        checks=(_before("ends_at", "starts_at"),),
    ),
    _feed(
        "campaign_costs",
        "What one campaign spent on one channel and day.",
        _key("campaign_id", "id", "The campaign."),
        _channel(key=True),
        _key("spent_on", "date", "The UTC day of spending."),
        _money(name="cost", doc="Money spent."),
    ),
    _feed(
        "coupons",
        "One coupon that customers can receive.",
        _key("coupon_id", "id", "The coupon."),
        _merchant(doc="Where it is good."),
        _opt("campaign_id", "id", "The campaign it belongs to."),
        _opt("kind", "text", "How the discount is reckoned.", allowed=COUPON_KINDS),
        _money(name="threshold", doc="Least spending for a threshold coupon.", nullable=True),
        _opt("discount", "double", "Share off for a rate, money off otherwise.", low=0),
        _opt("valid_days", "int", "Days it is good after receipt.", low=0),
        _opt("starts_at", "timestamp", "From when it is good."),
        _opt("ends_at", "timestamp", "Until when it is good."),
        _opt("stock", "int", "How many can be given out.", low=0),
        _opt("min_age", "int", "Least age of the customer in years.", low=0),
        checks=(
            Check(
                "out_of_range:discount",
                "the discount of a rate lies between 0 and 1",
                lambda t: (t.kind == "rate") & ((t.discount <= 0) | (t.discount >= 1)),
            ),
            _before("ends_at", "starts_at"),
        ),
    ),
    _feed(
        "coupon_products",
        "One product that a coupon is good for.",
        _coupon(key=True, doc="The coupon."),
        _key("product_id", "id", "The product."),
    ),
    _feed(
        "assignments",
        "The arm of one customer in one campaign's experiment.",
        _key("campaign_id", "id", "The campaign."),
        _customer(key=True, doc="The customer."),
        Column("arm", "text", "Given the campaign or kept without.", allowed=("treatment", "control")),
        Column("assigned_at", "timestamp", "When the arm was drawn."),
        at="assigned_at",
    ),
    _feed(
        "sends",
        "One message that a plan of ours sent.",
        _key("send_id", "id", "The message."),
        Column("campaign_id", "id", "The campaign it belongs to."),
        _customer(doc="Who received it."),
        _coupon(doc="The coupon in it.", nullable=True),
        _channel(),
        Column("sent_at", "timestamp", "When it was sent."),
        _tracking_code(),
        at="sent_at",
    ),
)

ONLINE = (
    _feed(
        "touches",
        "One contact with an ad or a page.",
        _key("touch_id", "id", "The contact."),
        _customer(doc="Who was touched."),
        Column("touched_at", "timestamp", "When."),
        _channel(),
        _opt("campaign_id", "id", "The campaign it belongs to."),
        Column("action", "text", "What happened.", allowed=("impression", "click", "visit")),
        _money(name="cost", doc="What the contact cost.", nullable=True),
        _opt("device", "text", "Device of the customer."),
        _tracking_code(),
        at="touched_at",
    ),
    _feed(
        "coupon_receipts",
        "One coupon that one customer received.",
        _key("receipt_id", "id", "The receipt."),
        _customer(doc="Who received it."),
        _coupon(doc="What was received."),
        Column("received_at", "timestamp", "When."),
        _channel(nullable=True),
        _opt("distance_m", "double", "Distance from the customer to the store.", low=0),
        _tracking_code(),
        at="received_at",
    ),
    _feed(
        "online_orders",
        "One order paid online.",
        _key("order_id", "id", "The order."),
        _customer(doc="Who ordered."),
        _merchant(doc="From whom."),
        _opt("store_id", "id", "The store chosen."),
        Column("ordered_at", "timestamp", "When."),
        _channel(nullable=True),
        _opt("device", "text", "Device of the customer."),
        _money(name="list_amount", doc="Price before discounts.", nullable=True),
        _money(name="paid_amount", doc="Money paid online.", nullable=True),
        _coupon(doc="Coupon used in the order.", nullable=True),
        _opt("receipt_id", "id", "Receipt of that coupon."),
        _opt("campaign_id", "id", "Campaign the order names."),
        _tracking_code(),
        _opt("fulfilment", "text", "How it is consumed.", allowed=("in_store", "reservation", "delivery")),
        _opt("reserved_for", "timestamp", "Moment of the reservation."),
        _opt("promised_wait_min", "double", "Waiting time promised online.", low=0),
        _opt("promised_rating", "double", "Rating shown online.", low=1, high=5),
        Column("status", "text", "State of the order.", allowed=ORDER_STATES),
        _opt("cancelled_at", "timestamp", "When it was cancelled."),
        *_refund(),
        checks=(_before("cancelled_at", "ordered_at"), _before("refunded_at", "ordered_at")),
        at="ordered_at",
    ),
)

OFFLINE = (
    _feed(
        "offline_redemptions",
        "One consumption in a store.",
        _key("redemption_id", "id", "The consumption."),
        _customer(doc="Who consumed."),
        _merchant(doc="With whom."),
        _opt("store_id", "id", "Where."),
        Column("redeemed_at", "timestamp", "When."),
        _opt("order_id", "id", "The online order that is consumed."),
        _coupon(doc="The coupon redeemed.", nullable=True),
        _opt("receipt_id", "id", "Receipt of that coupon."),
        _money(name="list_amount", doc="Price before discounts.", nullable=True),
        _money(name="paid_amount", doc="Money paid in the store, on top of what was paid online.", nullable=True),
        _opt("distance_m", "double", "Distance from the customer to the store.", low=0),
        _opt("waited_min", "double", "How long the customer waited.", low=0),
        _tracking_code(),
        *_refund(),
        checks=(_before("refunded_at", "redeemed_at"),),
        at="redeemed_at",
    ),
    _feed(
        "coupon_redemptions",
        "One coupon used.",
        _key("coupon_redemption_id", "id", "The use."),
        _customer(doc="Who used it."),
        _coupon(doc="What was used."),
        Column("redeemed_at", "timestamp", "When."),
        _opt("receipt_id", "id", "The receipt used."),
        _opt("redemption_id", "id", "The visit at which it was used."),
        _opt("order_id", "id", "The order in which it was used."),
        _money(name="discount_amount", doc="Money off through it.", nullable=True),
        at="redeemed_at",
    ),
    _feed(
        "basket_lines",
        "One product in one basket.",
        _key("basket_id", "id", "An order_id or a redemption_id."),
        _key("line_no", "int", "Number of the line."),
        Column("product_id", "id", "The product."),
        Column("quantity", "double", "How many.", low=0),
        _money(name="amount", doc="Price of the line."),
    ),
    _feed(
        "reviews",
        "One review of a visit.",
        _key("review_id", "id", "The review."),
        _customer(doc="Who wrote it."),
        _merchant(doc="About whom."),
        _opt("store_id", "id", "About which store."),
        Column("reviewed_at", "timestamp", "When."),
        Column("rating", "int", "Stars given.", low=1, high=5),
        _opt("order_id", "id", "The order reviewed."),
        _opt("redemption_id", "id", "The visit reviewed."),
        Column("is_complaint", "boolean", "Whether it complains."),
        _opt("text", "text", "What was written.", personal=True),
        at="reviewed_at",
    ),
)

FEEDS = WHO_WHERE_WHAT + OFFERED + ONLINE + OFFLINE
