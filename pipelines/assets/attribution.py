"""The ledger of credits, and what each channel and campaign brought."""

from __future__ import annotations

import dagster as dg

from o2o_mining.attribution import steps
from pipelines.assets import Days, table_assets


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    known = ["known_purchases", "known_journeys", "known_journey_touches"]
    return [
        table_assets(
            {"attribution_ledger": ["purchases", "journeys", "journey_touches"]},
            lambda house, _: steps.build_attribution_ledger(house.engine, settings=house.settings),
            name="attribution_ledger",
        ),
        table_assets(
            {"campaign_attribution": [*known, "campaigns", "campaign_costs", "touches"]},
            lambda house, day: steps.build_campaign_attribution(house.engine, as_of=day, settings=house.settings),
            name="campaign_attribution",
            days=days,
        ),
    ]
