"""Pictures of what more money would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from o2o_mining.attribution.budget.advice import Curve

_COLOURS = {"raise": "#2a9d8f", "test": "#e9c46a", "lower": "#e76f51"}
_BESIDE = 3


def response_curves(curves: Mapping[str, Curve]) -> go.Figure:
    """Draw what each channel's campaigns brought in a week by what was spent in it, with the curve and its interval.

    Parameters
    ----------
    curves
        By channel.
    """
    rows = max(1, -(-len(curves) // _BESIDE))
    figure = make_subplots(rows=rows, cols=_BESIDE, subplot_titles=list(curves))
    for number, curve in enumerate(curves.values()):
        place = {"row": number // _BESIDE + 1, "col": number % _BESIDE + 1}
        line = {"color": "#264653"}
        figure.add_scatter(x=curve.spent, y=curve.high, mode="lines", line={"width": 0}, **place)
        figure.add_scatter(
            x=curve.spent, y=curve.low, mode="lines", line={"width": 0}, fill="tonexty",
            fillcolor="rgba(38, 70, 83, 0.2)", **place,
        )  # fmt: skip
        figure.add_scatter(x=curve.spent, y=curve.revenue, mode="lines", line=line, **place)
        figure.add_scatter(
            x=curve.weeks_spent, y=curve.weeks_revenue, mode="markers", marker={"color": "#e76f51"}, **place
        )
    figure.update_layout(title="Net revenue of a week by money spent in it, with the curve at 95 %", showlegend=False)
    figure.update_xaxes(title="spent in a week")
    figure.update_yaxes(title="net revenue")
    return figure


def marginal_returns(advice: pd.DataFrame) -> go.Figure:
    """Draw what one more unit of money would bring in each channel, beside what pays, and name what is refused.

    Parameters
    ----------
    advice
        The columns of ``budget_advice`` without as_of.
    """
    known = advice[advice["marginal_return"].notna()].sort_values(["marginal_return", "channel"])
    figure = go.Figure()
    for word, colour in _COLOURS.items():
        some = known[known["advice"] == word]
        figure.add_scatter(
            x=some["marginal_return"],
            y=some["channel"],
            name=word,
            mode="markers",
            marker={"color": colour, "size": 10},
            error_x={
                "array": some["marginal_return_high"] - some["marginal_return"],
                "arrayminus": some["marginal_return"] - some["marginal_return_low"],
            },
        )
    figure.add_scatter(
        x=known["break_even_return"],
        y=known["channel"],
        name="pays for itself",
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 18, "color": "#495057"},
    )
    refused = advice["channel"][advice["marginal_return"].isna()].tolist()
    told = f"; no curve for {len(refused)}: {', '.join(refused)}" if refused else ""
    first = advice["channel"][advice["test_rank"] == 1].tolist()
    test = f"; test next: {first[0]}" if first else ""
    figure.update_layout(
        title=f"What one more unit of money brings{test}{told}",
        xaxis={"title": "net revenue per money spent, at the margin, 95 %"},
        yaxis={"type": "category", "categoryorder": "array", "categoryarray": known["channel"].tolist()},
    )
    return figure
