"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd


def old_and_new(days: pd.DataFrame) -> go.Figure:
    """Draw what was published of purchases that are told otherwise, beside what is told now, by the day bought.

    Parameters
    ----------
    days
        ``day``, ``old``, ``new``: net amounts.
    """
    figure = go.Figure()
    for name, label, colour in (("old", "as published", "#b8b8b8"), ("new", "as told now", "#2a6f97")):
        figure.add_bar(x=days["day"], y=days[name], name=label, marker={"color": colour})
    change = float(days["new"].sum() - days["old"].sum())
    figure.update_layout(
        title=f"Net revenue of restated purchases: {change:+,.2f} on {len(days)} days",
        xaxis={"title": "day bought"},
        yaxis={"title": "net revenue", "tickformat": ",.0f"},
        barmode="group",
    )
    return figure
