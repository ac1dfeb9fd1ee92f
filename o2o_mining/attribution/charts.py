"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from o2o_mining.contracts.mined import MODELS, NO_CAMPAIGN

if TYPE_CHECKING:
    import pandas as pd

_MOST_BARS = 30


def models_side_by_side(channels: pd.DataFrame) -> go.Figure:
    """Draw the net revenue that each model credits to each channel.

    Parameters
    ----------
    channels
        ``model``, ``id``, ``net_revenue``, of one window.
    """
    order = channels.groupby("id")["net_revenue"].max().sort_values(ascending=False).index[:_MOST_BARS].tolist()
    figure = go.Figure()
    for model in (name for name in MODELS if name in set(channels["model"])):
        rows = channels[channels["model"] == model].set_index("id").reindex(order)
        figure.add_bar(
            x=order, y=rows["net_revenue"], name=model, hovertemplate="%{x}: %{y:,.2f}<extra>" + model + "</extra>"
        )
    figure.update_layout(
        title="Net revenue by channel, models side by side",
        barmode="group",
        xaxis={"title": "channel", "type": "category"},
        yaxis={"title": "net revenue"},
    )
    return figure


def campaign_returns(campaigns: pd.DataFrame, *, model: str) -> go.Figure:
    """Draw the net revenue of each campaign, with its return on ad spend where the spend is known.

    Parameters
    ----------
    campaigns
        ``id``, ``net_revenue``, ``roas``, of one window and model, the best first.
    model
        The model, for the title.
    """
    rows = campaigns[campaigns["id"] != NO_CAMPAIGN].head(_MOST_BARS)
    everything = campaigns["net_revenue"].sum()
    credited = 1 - campaigns["net_revenue"][campaigns["id"] == NO_CAMPAIGN].sum() / everything if everything else 0
    labels = ["" if roas != roas else f"ROAS {roas:.2f}" for roas in rows["roas"].astype("float64")]
    figure = go.Figure(
        go.Bar(
            x=rows["net_revenue"],
            y=rows["id"],
            orientation="h",
            text=labels,
            hovertemplate="%{y}: %{x:,.2f} %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        title=f"Net revenue by campaign, {model}: {credited:.1%} of all net revenue has a campaign",
        xaxis={"title": "net revenue"},
        yaxis={"autorange": "reversed", "type": "category"},
    )
    return figure
