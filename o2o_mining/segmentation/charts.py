"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from datetime import date

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


def criterion_curve(criterion: dict[int, float], *, chosen: int) -> go.Figure:
    """Draw the mean silhouette by number of clusters, the chosen number marked.

    Parameters
    ----------
    criterion
        Value by number of clusters.
    chosen
        The number taken.
    """
    numbers = list(criterion)
    figure = go.Figure(go.Scatter(x=numbers, y=list(criterion.values()), mode="lines+markers", name="mean silhouette"))
    if chosen in criterion:
        figure.add_trace(
            go.Scatter(x=[chosen], y=[criterion[chosen]], mode="markers", marker={"size": 16}, name="chosen")
        )
    figure.update_layout(
        title="How many clusters: the largest mean silhouette",
        xaxis={"title": "clusters", "dtick": 1},
        yaxis={"title": "mean silhouette"},
    )
    return figure


def cluster_map(centres: pd.DataFrame) -> go.Figure:
    """Draw how far each cluster is from the mean of all in each habit.

    Parameters
    ----------
    centres
        ``cluster``, ``feature``, ``mean``, ``everybody`` and ``difference``.
    """
    by_cluster = {name: centres.pivot_table(index="cluster", columns="feature", values=name) for name in
                  ("difference", "mean", "everybody")}  # fmt: skip
    away = by_cluster["difference"]
    figure = go.Figure(
        go.Heatmap(
            z=away.to_numpy(),
            x=list(away.columns),
            y=list(away.index),
            text=by_cluster["mean"].to_numpy(),
            customdata=by_cluster["everybody"].to_numpy(),
            texttemplate="%{text:.2f}",
            colorscale="RdBu_r",
            zmid=0,
            colorbar={"title": "standard<br>deviations"},
            hovertemplate="%{y}, %{x}: %{text:.3f}, all %{customdata:.3f}<extra></extra>",
        )
    )
    figure.update_layout(title="Clusters by habit: the mean of each, coloured by its distance from all customers")
    return figure


def stage_bars(stages: pd.DataFrame) -> go.Figure:
    """Draw the customers in each stage of life.

    Parameters
    ----------
    stages
        ``segment`` and ``customers``, from the first stage to the last.
    """
    figure = go.Figure(go.Bar(x=stages["segment"], y=stages["customers"], texttemplate="%{y:,}"))
    figure.update_layout(title="Customers by stage of life", yaxis={"title": "customers"})
    return figure


def migration_map(moves: pd.DataFrame, before: date, now: date) -> go.Figure:
    """Draw who moved from which segment to which.

    Parameters
    ----------
    moves
        ``from_code``, ``to_code`` and ``customers`` of one scheme.
    before, now
        The two days.
    """
    grid = moves.pivot_table(index="from_code", columns="to_code", values="customers", aggfunc="sum").fillna(0)
    shares = grid.div(grid.sum(axis=1), axis=0)
    figure = go.Figure(
        go.Heatmap(
            z=shares.to_numpy(),
            x=list(grid.columns),
            y=list(grid.index),
            text=grid.to_numpy(),
            texttemplate="%{text:,.0f}",
            colorscale="Blues",
            colorbar={"title": "share of<br>the row", "tickformat": ".0%"},
            hovertemplate="%{y} to %{x}: %{text:,.0f} customers, %{z:.1%}<extra></extra>",
        )
    )
    figure.update_layout(title=f"From {before} (down) to {now} (across)", yaxis={"autorange": "reversed"})
    return figure
