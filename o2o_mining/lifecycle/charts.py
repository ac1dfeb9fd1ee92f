"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd


def churn_histogram(scores: pd.DataFrame) -> go.Figure:
    """Draw how many customers have which chance of churn.

    Parameters
    ----------
    scores
        ``churn_probability`` and ``horizon_days``.
    """
    bins = {"start": 0, "end": 1, "size": 0.05}
    figure = go.Figure(go.Histogram(x=scores["churn_probability"], xbins=bins))
    days = int(scores["horizon_days"].iloc[0]) if len(scores) else 0
    figure.update_layout(
        title=f"Customers by their chance of no purchase within {days} days",
        xaxis={"title": "probability of no purchase", "tickformat": ".0%", "range": [0, 1]},
        yaxis={"title": "customers"},
        bargap=0.05,
    )
    return figure


def value_deciles(table: pd.DataFrame) -> go.Figure:
    """Draw the money predicted and seen by decile of the prediction, out of time.

    Parameters
    ----------
    table
        ``decile, predicted, seen``.
    """
    bars = [
        go.Bar(x=table["decile"], y=table[name], name=name, hovertemplate="decile %{x}: %{y:,.2f}<extra></extra>")
        for name in ("predicted", "seen")
    ]
    figure = go.Figure(bars)
    figure.update_layout(
        title="Net amount of 90 days a customer, predicted and seen, by decile of the prediction",
        xaxis={"title": "decile of the prediction (10 = most)", "dtick": 1},
        yaxis={"title": "mean net amount"},
        barmode="group",
    )
    return figure


def cohort_worth(cohorts: pd.DataFrame) -> go.Figure:
    """Draw what each month's new customers will bring within a year, with the 80 % interval.

    Parameters
    ----------
    cohorts
        ``cohort_on, clv_365d, clv_365d_low, clv_365d_high`` as numbers.
    """
    error = {
        "type": "data",
        "symmetric": False,
        "array": cohorts["clv_365d_high"] - cohorts["clv_365d"],
        "arrayminus": cohorts["clv_365d"] - cohorts["clv_365d_low"],
    }
    figure = go.Figure(go.Bar(x=cohorts["cohort_on"], y=cohorts["clv_365d"], error_y=error))
    figure.update_layout(
        title="Net amount expected within a year, by month of the first purchase",
        xaxis={"title": "month of the first purchase"},
        yaxis={"title": "net amount, 80 % interval"},
    )
    return figure
