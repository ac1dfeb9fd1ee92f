"""Whether stores keep what was promised, and what is done about it."""

from __future__ import annotations

import dagster as dg

from o2o_mining.merchants import steps
from o2o_mining.merchants.rules import RULES_FILE
from pipelines.assets import Days, table_assets

_VISITS = ["known_purchases", "online_orders", "reviews", "merchants"]
_COSTS = ["known_coupon_lifecycle", "campaigns", "campaign_costs", "touches"]


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    return [
        table_assets(
            {
                "merchant_scorecards": [*_VISITS, *_COSTS],
                "promise_gaps": _VISITS,
                "merchant_changes": _VISITS,
                "merchant_actions": [*_VISITS, *_COSTS],
            },
            lambda house, day: steps.build_merchant_scorecards(
                house.engine, as_of=day, rules_file=house.home / RULES_FILE
            ),
            name="merchant_scorecards",
            days=days,
        ),
        table_assets(
            {"bad_visit_costs": ["known_purchases", "online_orders", "merchants", "customers"]},
            lambda house, day: steps.build_bad_visit_costs(house.engine, as_of=day, rules_file=house.home / RULES_FILE),
            name="bad_visit_costs",
            days=days,
        ),
    ]
