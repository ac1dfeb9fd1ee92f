"""Where customers come from, whom they bring, and which coupons went astray."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

BASES = ("redemptions", "model")
KINDS = ("double_redemption", "velocity", "self_redemption", "ring")
REFUSALS = ("too_few",)

STORE_CATCHMENTS = Table(
    name="store_catchments",
    room="local",
    kind=Kind.MINED,
    row="One store with a redemption whose distance is known: from how far its customers come.",
    columns=(
        AS_OF,
        _key("store_id", "id", "The store."),
        Column("merchant_id", "id", "Its merchant."),
        Column("category", "text", "Its merchant's category; (unknown) where none is told."),
        Column("redemptions", "int", "Redemptions of the last 730 days whose distance is known.", low=1),
        Column("customers", "int", "Customers who made them.", low=1),
        Column("radius_m", "double", "80 % of the redemptions lie within it; shrunk where they are few.", low=0),
        Column("radius_m_low", "double", "Low end of its 95 % interval.", low=0),
        Column("radius_m_high", "double", "High end of its 95 % interval.", low=0),
        Column("half_radius_m", "double", "Half of the redemptions lie within it; shrunk alike.", low=0),
        Column("basis", "text", "Whether the model of its category has a part in the radius.", allowed=BASES),
        _opt("decay_per_km", "double", "By how much log odds of choosing it fall with a kilometre."),
        _opt("overlap_store_id", "id", "The sister store whose catchment holds most of its redemptions."),
        _opt("overlap_share", "double", "Share of its redemptions from within that catchment.", low=0, high=1),
        _opt("cannibalised_share", "double", "Share of its visits that sister stores would get without it.",
             low=0, high=1),
    ),
    checks=(
        Check(
            "radius_is_inside_its_interval",
            "radius_m_low <= radius_m <= radius_m_high",
            lambda t: (t.radius_m < t.radius_m_low) | (t.radius_m > t.radius_m_high),
        ),
    ),
)  # fmt: skip

DISTANCE_DECAY = Table(
    name="distance_decay",
    room="local",
    kind=Kind.MINED,
    row="One category: how fast a store's draw falls with the way to it, given who lives where.",
    columns=(
        AS_OF,
        _key("category", "text", "The category; (unknown) for merchants without one."),
        Column("stores", "int", "Stores that people choose among.", low=2),
        Column("redemptions", "int", "Redemptions without a coupon that tell.", low=1),
        Column("decay_per_km", "double", "By how much log odds of choosing a store fall with a kilometre."),
        Column("decay_per_km_low", "double", "Low end of its 95 % interval."),
        Column("decay_per_km_high", "double", "High end of its 95 % interval."),
        Column("spread_per_km", "double", "Standard deviation of the stores' own decays.", low=0),
    ),
)

STORE_SITES = Table(
    name="store_sites",
    room="local",
    kind=Kind.MINED,
    row="One hexagon where people live, for one category: what a new store there would draw.",
    columns=(
        AS_OF,
        _key("category", "text", "The category."),
        _key("hexagon", "text", "H3 index of resolution 8, or 7 or 6 where few people live."),
        Column("customers", "int", "Who live in it; hexagons of fewer than ten are left out.", low=10),
        Column("visits_share", "double", "Share of the category's visits in reach that a usual store draws.",
               low=0, high=1),
        Column("visits_365d", "double", "The same as visits in a year.", low=0),
        Column("radius_m", "double", "80 % of them come from within it.", low=0),
        _opt("nearest_store_id", "id", "The category's nearest store."),
        _opt("nearest_store_m", "double", "The way to it.", low=0),
    ),
)  # fmt: skip

COUPON_FORENSICS = Table(
    name="coupon_forensics",
    room="local",
    kind=Kind.MINED,
    row="One finding: coupons used in a way that honest customers hardly do, and the money at risk.",
    columns=(
        AS_OF,
        _key("finding_id", "text", "The kind and what it is about."),
        Column("kind", "text", "What was found.", allowed=KINDS),
        Column("merchant_id", "id", "Whose coupons."),
        Column("customer_ids", "codes", "The accounts, sorted."),
        Column("receipt_ids", "codes", "The coupons used, sorted; as in coupon_lifecycle."),
        Column("accounts", "int", "How many accounts.", low=1),
        Column("uses", "int", "How many uses.", low=1),
        Column("first_at", "timestamp", "The first of them."),
        Column("last_at", "timestamp", "The last of them."),
        Column(
            "score", "double", "Digits of evidence: so many zeros has the number of honest ones that look so.", low=0
        ),
        Column("amount_at_risk", "money", "Discounts of these uses; findings may share uses.", low=0),
        Column("evidence_codes", "codes", "What speaks for it, with values."),
    ),
)

REFERRALS = Table(
    name="referrals",
    room="local",
    kind=Kind.MINED,
    row="One customer who brought others.",
    columns=(
        AS_OF,
        _key("referrer_id", "id", "The customer who brought them."),
        Column("referred", "int", "Customers brought.", low=1),
        Column("referred_active_90d", "int", "Of them, those who bought in the last 90 days.", low=0),
        Column("first_referred_at", "timestamp", "When the first of them joined.", nullable=True),
        _opt("cycle_days", "double", "Median days from joining to a friend's joining.", low=0),
        _opt("referred_net_amount", "money", "What those brought have paid net; null where no amount is known."),
        Column("is_ring", "boolean", "Whether the referrer belongs to a ring of coupon_forensics."),
        _opt("ring_id", "text", "The finding."),
    ),
)

REFERRAL_RATES = Table(
    name="referral_rates",
    room="local",
    kind=Kind.MINED,
    row="Customers who joined in one month, or all: how many they brought, and what those brought are worth.",
    columns=(
        AS_OF,
        _key("cohort", "text", "Month of joining, or (all); accounts of rings are left out."),
        Column("customers", "int", "Who joined.", low=1),
        Column("referred", "int", "Of them, those whom somebody brought.", low=0),
        Column("brought", "int", "Customers whom they brought so far.", low=0),
        Column("k_factor", "double", "Customers brought by each of them.", low=0),
        Column("k_factor_low", "double", "Low end of its 95 % interval."),
        Column("k_factor_high", "double", "High end of its 95 % interval."),
        _opt("cycle_days", "double", "Median days from joining to a friend's joining.", low=0),
        _opt("value_referred", "double", "Mean net amount in 90 days of those brought."),
        _opt("value_other", "double", "The same of others alike: age, gender, city and quarter of joining."),
        _opt("difference", "double", "What those brought are worth more."),
        _opt("difference_low", "double", "Low end of its 95 % interval."),
        _opt("difference_high", "double", "High end of its 95 % interval."),
        _opt("matched_share", "double", "Share of those brought who have others alike.", low=0, high=1),
        Column("label", "text", "What the figure rests on.", allowed=("observational", "refused")),
        _opt("reason_code", "text", "Why there is no figure.", allowed=REFUSALS),
    ),
)

TABLES = (STORE_CATCHMENTS, DISTANCE_DECAY, STORE_SITES, COUPON_FORENSICS, REFERRALS, REFERRAL_RATES)
