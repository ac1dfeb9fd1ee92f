"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = {"good": "#2a9d8f", "watch": "#e9c46a", "act": "#c1121f"}


def gap_intervals(cards: pd.DataFrame) -> go.Figure:
    """Draw the promise gaps with their intervals, the widest on top, coloured by band.

    Parameters
    ----------
    cards
        ``merchant_id, promise_gap, promise_gap_low, promise_gap_high, band``.
    """
    figure = go.Figure()
    ordered = cards.sort_values(["promise_gap", "merchant_id"])
    for band, colour in _COLOURS.items():
        some = ordered[ordered["band"] == band]
        figure.add_scatter(
            x=some["promise_gap"],
            y=some["merchant_id"],
            mode="markers",
            name=band,
            marker={"color": colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": some["promise_gap_high"] - some["promise_gap"],
                "arrayminus": some["promise_gap"] - some["promise_gap_low"],
            },
        )
    figure.update_layout(
        title="How much worse than promised, by merchant",
        xaxis={"title": "standard deviations of the category, 95 % interval", "zeroline": True},
        yaxis={"title": "merchant", "categoryorder": "array", "categoryarray": ordered["merchant_id"].tolist()},
    )
    return figure


def score_map(cards: pd.DataFrame) -> go.Figure:
    """Draw service against efficiency, with cost as colour: who is good at what.

    Parameters
    ----------
    cards
        ``merchant_id, service_score, cost_score, efficiency_score``.
    """
    figure = go.Figure(
        go.Scatter(
            x=cards["service_score"],
            y=cards["efficiency_score"],
            text=cards["merchant_id"],
            mode="markers",
            marker={
                "color": cards["cost_score"],
                "colorscale": "Viridis",
                "cmin": 0,
                "cmax": 100,
                "colorbar": {"title": "cost score"},
            },
            hovertemplate="%{text}: service %{x:.0f}, efficiency %{y:.0f}, cost %{marker.color:.0f}<extra></extra>",
        )
    )
    figure.update_layout(
        title="Service, efficiency and cost among peers (100 is best)",
        xaxis={"title": "service score", "range": [0, 100]},
        yaxis={"title": "efficiency score", "range": [0, 100]},
    )
    return figure


def losses(costs: pd.DataFrame) -> go.Figure:
    """Draw what a bad visit costs, with its interval, by whose purchases are lost.

    Parameters
    ----------
    costs
        ``reach, outcome, effect, effect_low, effect_high`` of what has a figure.
    """
    error = {
        "type": "data",
        "symmetric": False,
        "array": costs["effect_high"] - costs["effect"],
        "arrayminus": costs["effect"] - costs["effect_low"],
    }
    figure = go.Figure(go.Bar(x=costs["reach"] + ": " + costs["outcome"], y=costs["effect"], error_y=error))
    figure.update_layout(
        title="What a first bad visit changes within 90 days", yaxis={"title": "a bad visit, 95 % interval"}
    )
    return figure
