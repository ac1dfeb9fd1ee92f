"""Association rules."""

from __future__ import annotations

import dagster as dg

from o2o_mining.association import steps
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
            {"association_rules": ["known_purchases", "basket_lines", "products", "merchants"]},
            lambda house, day: steps.build_association_rules(house.engine, as_of=day, settings=house.settings),
            name="association_rules",
            days=days,
        )
    ]
