"""The pictures of the room."""

from __future__ import annotations

from o2o_mining.attribution.charts.budget import marginal_returns, response_curves
from o2o_mining.attribution.charts.credit import (
    booked_by_month,
    campaign_returns,
    channel_parts,
    models_side_by_side,
    time_to_convert,
    top_paths,
    transition_matrix,
)
from o2o_mining.attribution.charts.effects import campaign_effects, cumulative_effects
from o2o_mining.attribution.charts.outcomes import funnel_by_channel, store_beside_delivery, three_sides

__all__ = [
    "booked_by_month",
    "campaign_effects",
    "campaign_returns",
    "channel_parts",
    "cumulative_effects",
    "funnel_by_channel",
    "marginal_returns",
    "models_side_by_side",
    "response_curves",
    "store_beside_delivery",
    "three_sides",
    "time_to_convert",
    "top_paths",
    "transition_matrix",
]
