"""Segments of customers, their profiles, and who moved between them."""

from __future__ import annotations

import dagster as dg

from o2o_mining.segmentation import steps
from o2o_mining.segmentation.rules import RULES_FOLDER
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
            {"cluster_centres": ["customer_features", "known_purchases", "merchants"]},
            lambda house, day: steps.build_cluster_centres(house.engine, as_of=day),
            name="cluster_centres",
            days=days,
        ),
        table_assets(
            {"segments": ["known_purchases", "known_customers", "customer_features", "cluster_centres", "stores"]},
            lambda house, day: steps.build_segments(
                house.engine, as_of=day, settings=house.settings, rules_folder=house.home / RULES_FOLDER
            ),
            name="segments",
            days=days,
        ),
        table_assets(
            {"segment_profiles": ["segments", "cluster_centres"]},
            lambda house, day: steps.build_segment_profiles(
                house.engine, as_of=day, settings=house.settings, rules_folder=house.home / RULES_FOLDER
            ),
            name="segment_profiles",
            days=days,
        ),
        table_assets(
            {"segment_migration": ["segments"]},
            lambda house, day: steps.build_segment_migration(house.engine, as_of=day),
            name="segment_migration",
            days=days,
        ),
    ]
