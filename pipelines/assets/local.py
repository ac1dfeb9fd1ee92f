"""From how far customers come, whom they bring, and which coupons went astray."""

from __future__ import annotations

import dagster as dg

from o2o_mining.local import steps
from pipelines.assets import Days, table_assets

_VISITS = ["known_purchases", "customers", "stores", "merchants"]
_USES = ["coupon_redemptions", "offline_redemptions", "online_orders"]


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    return [
        table_assets(
            {"store_catchments": _VISITS, "distance_decay": _VISITS, "store_sites": _VISITS},
            lambda house, day: steps.build_store_catchments(house.engine, as_of=day),
            name="store_catchments",
            days=days,
        ),
        table_assets(
            {"coupon_forensics": ["known_coupon_lifecycle", "customers", *_USES]},
            lambda house, day: steps.build_coupon_forensics(house.engine, as_of=day),
            name="coupon_forensics",
            days=days,
        ),
        table_assets(
            {name: ["known_purchases", "customers", "coupon_forensics"] for name in ("referrals", "referral_rates")},
            lambda house, day: steps.build_referrals(house.engine, as_of=day),
            name="referrals",
            days=days,
        ),
    ]
