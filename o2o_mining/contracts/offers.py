"""Which offer goes to whom, who is held out to measure it, and who gets none and why."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.response import BASES
from o2o_mining.contracts.schema import Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF, CUSTOMER

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

# Why somebody gets no offer of a campaign; the first that applies.
EXCLUSIONS = (
    "no_consent", "fatigue", "do_not_disturb", "promise_gap", "not_eligible", "no_value", "other_offer", "no_capacity",
    "out_of_budget",
)  # fmt: skip

_CAMPAIGN = _key("campaign_id", "id", "The campaign.")

TARGETED_OFFERS = Table(
    name="targeted_offers",
    room="offers",
    kind=Kind.MINED,
    row="One offer to send: a coupon of a campaign for one customer.",
    columns=(
        AS_OF,
        _CAMPAIGN,
        CUSTOMER,
        _key("coupon_id", "id", "The coupon."),
        Column("merchant_id", "id", "The coupon's merchant."),
        Column("channel", "text", "How to send it."),
        Column("send_on", "date", "When to send it."),
        Column("redemption_probability", "double", "Probability of redemption if it is received.", low=0, high=1),
        _opt("uplift", "double", "What it adds to the probability of a visit; null in a pilot.", low=-1, high=1),
        _opt("uplift_low", "double", "Low end of the 90 % interval of the uplift."),
        _opt("uplift_high", "double", "High end of the 90 % interval of the uplift."),
        Column("basis", "text", "What the uplift rests on.", allowed=BASES),
        Column("expected_value", "double", "What the plan maximises: the weighted value of the three sides."),
        Column("value_merchant", "double", "Expected margin it adds for the merchant, after discount and contact."),
        Column("value_customer", "double", "Expected saving of the customer."),
        Column("value_platform", "double", "Expected commission it adds for the platform."),
        Column("expected_cost", "double", "Expected discount and the contact: what it takes of the budget.", low=0),
        Column("rank", "int", "Place within the campaign by expected value for its cost.", low=1),
        Column(
            "margin_basis", "text", "Who told the margin: the merchant, or a setting.", allowed=("merchant", "setting")
        ),
        Column("reason_codes", "codes", "Why this customer, with values."),
    ),
)

OFFER_HOLDOUTS = Table(
    name="offer_holdouts",
    room="offers",
    kind=Kind.MINED,
    row="One customer kept without an offer of a campaign, to measure what it brings.",
    columns=(
        AS_OF,
        _CAMPAIGN,
        CUSTOMER,
        Column("kind", "text", "Held out of everything, or of this campaign.", allowed=("global", "campaign")),
        Column(
            "would_be_sent", "boolean", "Whether the plan would send an offer; these are the campaign's control group."
        ),
    ),
)

OFFER_EXCLUSIONS = Table(
    name="offer_exclusions",
    room="offers",
    kind=Kind.MINED,
    row="One customer who gets no offer of a campaign and is not held out.",
    columns=(
        AS_OF,
        _CAMPAIGN,
        CUSTOMER,
        Column("reason_code", "text", "Why not: the first that applies.", allowed=EXCLUSIONS),
    ),
)

OFFER_BUDGET_CURVE = Table(
    name="offer_budget_curve",
    room="offers",
    kind=Kind.MINED,
    row="What all campaigns with a budget would bring together at some share of their budgets.",
    columns=(
        AS_OF,
        _key("budget_percent", "int", "Per cent of what is left of the budgets.", low=1),
        Column("budget", "double", "That much money.", low=0),
        Column("expected_cost", "double", "What would be spent of it.", low=0),
        Column("expected_value", "double", "The weighted value of the three sides."),
    ),
)

TABLES = (TARGETED_OFFERS, OFFER_HOLDOUTS, OFFER_EXCLUSIONS, OFFER_BUDGET_CURVE)
