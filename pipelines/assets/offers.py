"""Which offer goes to whom, and who gets none."""

from __future__ import annotations

import dagster as dg

from o2o_mining.offers import steps
from pipelines.assets import Days, table_assets

_MINED = [
    "response_scores", "churn_scores", "segments", "merchant_scorecards", "known_purchases", "known_coupon_lifecycle",
]  # fmt: skip
_FEEDS = [
    "campaigns", "coupons", "merchants", "customers", "consents", "assignments", "sends", "touches", "coupon_receipts",
    "campaign_costs",
]  # fmt: skip
_TABLES = ("targeted_offers", "offer_holdouts", "offer_exclusions", "offer_budget_curve")


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    return [
        table_assets(
            {table: [*_MINED, *_FEEDS] for table in _TABLES},
            lambda house, day: steps.build_targeted_offers(house.engine, as_of=day, settings=house.settings),
            name="targeted_offers",
            days=days,
        ),
    ]
