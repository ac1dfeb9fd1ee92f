"""Who redeems which coupon, and whom it moves."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF, CUSTOMER

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

# What an uplift rests on: arms drawn by chance, comparable customers who were not asked, or nothing causal at all.
BASES = ("experiment", "observational", "propensity")

RESPONSE_SCORES = Table(
    name="response_scores",
    room="response",
    kind=Kind.MINED,
    row="One customer who may be profiled and one coupon within reach that is valid on the day.",
    columns=(
        AS_OF,
        CUSTOMER,
        _key("coupon_id", "id", "The coupon."),
        _opt("campaign_id", "id", "The coupon's campaign."),
        Column("merchant_id", "id", "The coupon's merchant."),
        _opt("distance_m", "double", "From the customer's home to the merchant's nearest store.", low=0),
        Column(
            "redemption_probability", "double", "Probability that the customer redeems the coupon if it is received.",
            low=0, high=1,
        ),
        _opt("uplift", "double", "What receiving it adds to the probability of a visit.", low=-1, high=1),
        _opt("uplift_low", "double", "Low end of the 90 % interval of the uplift."),
        _opt("uplift_high", "double", "High end of the 90 % interval of the uplift."),
        Column("basis", "text", "What the uplift rests on; with propensity there is none.", allowed=BASES),
        Column("reason_codes", "codes", "What raises the probability most, with values."),
    ),
    checks=(
        Check(
            "uplift_is_inside_its_interval",
            "uplift_low <= uplift <= uplift_high",
            lambda t: (t.uplift < t.uplift_low) | (t.uplift > t.uplift_high),
        ),
        Check(
            "no_uplift_without_causal_data",
            "basis = 'propensity' exactly where uplift is null",
            lambda t: (t.basis == "propensity") != t.uplift.isnull(),
        ),
    ),
)  # fmt: skip

RESPONSE_QUALITY = Table(
    name="response_quality",
    room="response",
    kind=Kind.MINED,
    row="One metric of a model, on offers after those it had learned from.",
    columns=(
        AS_OF,
        _key("model", "text", "Which model.", allowed=("redemption", "uplift")),
        _key("metric", "text", "What is measured."),
        Column("value", "double", "Its value."),
        _opt("value_low", "double", "Low end of its interval."),
        _opt("value_high", "double", "High end of its interval."),
    ),
)

TABLES = (RESPONSE_SCORES, RESPONSE_QUALITY)
