"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    import pandas as pd


def rfm_map(counts: pd.DataFrame, *, bins: int) -> go.Figure:
    """Draw the customers by recency and frequency score.

    Parameters
    ----------
    counts
        ``r_score``, ``f_score``, ``customers``.
    bins
        Number of scores.
    """
    scores = list(range(1, bins + 1))
    columns = (counts[name].tolist() for name in ("r_score", "f_score", "customers"))
    found = {(r, f): customers for r, f, customers in zip(*columns, strict=True)}
    grid = [[found.get((r, f), 0) for f in scores] for r in scores]
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=scores,
            y=scores,
            texttemplate="%{z:,}",
            colorscale="Blues",
            colorbar={"title": "customers"},
            hovertemplate="recency %{y}, frequency %{x}: %{z:,} customers<extra></extra>",
        )
    )
    figure.update_layout(
        title="Customers by recency and frequency score",
        xaxis={"title": "frequency score (best right)", "dtick": 1},
        yaxis={"title": "recency score (best up)", "dtick": 1},
    )
    return figure


def segment_bars(profiles: pd.DataFrame) -> go.Figure:
    """Draw the customers and the share of revenue of each segment side by side.

    Parameters
    ----------
    profiles
        ``segment``, ``customers``, ``revenue_share``; drawn from top to bottom.
    """
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=("Customers", "Share of net revenue"))
    for column, (name, form) in enumerate((("customers", "%{x:,}"), ("revenue_share", "%{x:.1%}")), start=1):
        bars = go.Bar(
            x=profiles[name], y=profiles["segment"], orientation="h", texttemplate=form,
            hovertemplate=f"%{{y}}: {form}<extra></extra>",
        )  # fmt: skip
        figure.add_trace(bars, row=1, col=column)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(tickformat=".0%", col=2)
    figure.update_layout(title="Segments", showlegend=False)
    return figure
