"""Where customers come from, whom they bring, and which coupons went astray."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

BASES = ("redemptions", "model")

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
        _key("hexagon", "text", "H3 index, resolution 8 (about 0.7 km2)."),
        Column("customers", "int", "Who live in it; hexagons of fewer than ten are left out.", low=10),
        Column("visits_share", "double", "Share of the category's visits in reach that a usual store draws.",
               low=0, high=1),
        Column("visits_365d", "double", "The same as visits in a year.", low=0),
        Column("radius_m", "double", "80 % of them come from within it.", low=0),
        _opt("nearest_store_id", "id", "The category's nearest store."),
        _opt("nearest_store_m", "double", "The way to it.", low=0),
    ),
)  # fmt: skip

TABLES = (STORE_CATCHMENTS, DISTANCE_DECAY, STORE_SITES)
