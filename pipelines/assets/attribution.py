"""The ledger of credits, what each channel and campaign brought, and what would not have come without it."""

from __future__ import annotations

import dagster as dg

from o2o_mining.attribution.budget import steps as budget_steps
from o2o_mining.attribution.credit import steps
from o2o_mining.attribution.effects import steps as effect_steps
from o2o_mining.attribution.outcomes import steps as outcome_steps
from pipelines.assets import Days, table_assets

_PATHS = ("path_summary", "path_histograms", "channel_transitions", "channel_roles")

_THREE_SIDES = [
    "known_purchases", "known_coupon_lifecycle", "incrementality", "campaign_attribution", "campaigns", "touches",
    "sends", "merchants",
]  # fmt: skip


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
            {"campaign_attribution": [*known, "incrementality", "campaigns", "campaign_costs", "touches"]},
            lambda house, day: steps.build_campaign_attribution(house.engine, as_of=day, settings=house.settings),
            name="campaign_attribution",
            days=days,
        ),
        table_assets(
            {"incrementality": ["known_purchases", "campaigns", "assignments", "touches", "customers", "merchants"]},
            lambda house, day: effect_steps.build_incrementality(house.engine, as_of=day, settings=house.settings),
            name="incrementality",
            days=days,
        ),
        table_assets(
            {"budget_advice": [*known, "incrementality", "campaigns", "campaign_costs", "touches", "merchants"]},
            lambda house, day: budget_steps.build_budget_advice(house.engine, as_of=day, settings=house.settings),
            name="budget_advice",
            days=days,
        ),
        table_assets(
            {"three_wins": _THREE_SIDES},
            lambda house, day: outcome_steps.build_three_wins(house.engine, as_of=day, settings=house.settings),
            name="three_wins",
            days=days,
        ),
        table_assets(
            {"funnel": ["known_purchases", "known_coupon_lifecycle", "touches", "campaigns"]},
            lambda house, day: outcome_steps.build_funnel(house.engine, as_of=day, settings=house.settings),
            name="funnel",
            days=days,
        ),
        table_assets(
            {"o2o_b2c": ["known_purchases", "known_journey_touches", "touches", "merchants"]},
            lambda house, day: outcome_steps.build_o2o_b2c(house.engine, as_of=day, settings=house.settings),
            name="o2o_b2c",
            days=days,
        ),
        table_assets(
            {table: [*known, "campaign_attribution"] for table in _PATHS},
            lambda house, day: steps.build_channel_roles(house.engine, as_of=day, settings=house.settings),
            name="channel_roles",
            days=days,
        ),
    ]
