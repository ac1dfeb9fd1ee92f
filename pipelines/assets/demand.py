"""The forecast of demand, and the market."""

from __future__ import annotations

import dagster as dg

from o2o_mining.demand import steps
from pipelines.assets import Days, table_assets


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    return [
        table_assets(
            {"demand_forecast": ["known_purchases", "merchants", "campaigns"]},
            lambda house, day: steps.build_demand_forecast(house.engine, as_of=day, settings=house.settings),
            name="demand_forecast",
            days=days,
        ),
        table_assets(
            {"market_analysis": ["known_purchases", "merchants"]},
            lambda house, day: steps.build_market_analysis(house.engine, as_of=day),
            name="market_analysis",
            days=days,
        ),
    ]
