"""Who uses which coupon."""

from __future__ import annotations

import dagster as dg

from o2o_mining.response import steps
from pipelines.assets import Days, table_assets

_MADE_FROM = ["known_purchases", "known_coupon_lifecycle", "known_customers"]


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    return [
        table_assets(
            dict.fromkeys(("response_scores", "response_quality"), _MADE_FROM),
            lambda house, day: steps.build_response_scores(house.engine, as_of=day),
            name="response_scores",
            days=days,
        ),
    ]
