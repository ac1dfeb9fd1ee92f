"""Segments of customers and their profiles."""

from __future__ import annotations

import dagster as dg

from o2o_mining.segmentation import steps
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
            {"segments": ["known_purchases", "known_customers"]},
            lambda house, day: steps.build_segments(house.engine, as_of=day, settings=house.settings),
            name="segments",
            days=days,
        ),
        table_assets(
            {"segment_profiles": ["segments"]},
            lambda house, day: steps.build_segment_profiles(house.engine, as_of=day, settings=house.settings),
            name="segment_profiles",
            days=days,
        ),
    ]
