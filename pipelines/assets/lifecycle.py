"""Who is leaving, and what customers are worth."""

from __future__ import annotations

import dagster as dg

from o2o_mining.lifecycle import steps
from pipelines.assets import Days, table_assets

_MADE_FROM = ["known_purchases", "customer_features", "past_features"]


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    return [
        table_assets(
            dict.fromkeys(("churn_scores", "churn_quality", "customer_cohorts"), _MADE_FROM),
            lambda house, day: steps.build_churn_scores(house.engine, as_of=day, settings=house.settings),
            name="churn_scores",
            days=days,
        ),
    ]
