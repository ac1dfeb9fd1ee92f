"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd


def value_by_budget(curve: pd.DataFrame, currency: str) -> go.Figure:
    """Draw what a larger or smaller budget would bring.

    Parameters
    ----------
    curve
        ``budget_percent, budget, expected_cost, expected_value``.
    currency
        Of the amounts.
    """
    figure = go.Figure(
        go.Scatter(
            x=curve["budget"], y=curve["expected_value"], mode="lines+markers",
            customdata=curve[["budget_percent", "expected_cost"]],
            hovertemplate="budget %{x:,.2f} (%{customdata[0]} %): spends %{customdata[1]:,.2f}, "
            "brings %{y:,.2f}<extra></extra>",
        )
    )  # fmt: skip
    own = curve.loc[curve["budget_percent"] == 100, "budget"]
    if len(own):
        figure.add_vline(x=float(own.iloc[0]), line_dash="dot", annotation_text="the campaigns' own")
    figure.update_layout(
        title="What all running campaigns together would bring at other budgets",
        xaxis={"title": f"budget ({currency})"},
        yaxis={"title": f"expected value ({currency})"},
    )
    return figure
