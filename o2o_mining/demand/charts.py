"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    import pandas as pd

_MOST_BARS = 30
_LINE, _BAND = "#1f77b4", "rgba(31, 119, 180, 0.2)"


def forecast_fan(history: pd.DataFrame, ahead: pd.DataFrame, *, title: str) -> go.Figure:
    """Draw what was sold and what is expected with its interval, one picture a series.

    Parameters
    ----------
    history
        ``id, ds, y``.
    ahead
        ``id, ds, mean, low_80, high_80``; series are drawn in the order in which they come.
    title
        Of the whole.
    """
    ids = list(dict.fromkeys(ahead["id"]))
    figure = make_subplots(
        rows=len(ids), shared_xaxes=True, subplot_titles=ids, vertical_spacing=0.4 / max(len(ids), 1) / 2
    )
    for row, name in enumerate(ids, start=1):
        past, coming = history[history["id"] == name], ahead[ahead["id"] == name]
        days = coming["ds"].tolist()
        figure.add_scatter(
            x=days + days[::-1], y=coming["high_80"].tolist() + coming["low_80"].tolist()[::-1], fill="toself",
            fillcolor=_BAND, line={"width": 0}, hoverinfo="skip", name="80 % of days", legendgroup="band",
            showlegend=row == 1, row=row, col=1,
        )  # fmt: skip
        for frame, value, label, style in (
            (past, "y", "sold", {"color": "#555555", "width": 1}),
            (coming, "mean", "expected", {"color": _LINE, "width": 2}),
        ):
            figure.add_scatter(
                x=frame["ds"], y=frame[value], mode="lines", line=style, name=label, legendgroup=label,
                showlegend=row == 1, row=row, col=1,
            )  # fmt: skip
    figure.update_layout(title=title, height=140 + 160 * len(ids))
    figure.update_yaxes(rangemode="tozero")
    return figure


def error_bars(errors: pd.DataFrame) -> go.Figure:
    """Draw the error of each series over that of seasonal naive.

    Parameters
    ----------
    errors
        ``series, measure, mase``, the series in their order.
    """
    figure = go.Figure()
    shown = list(dict.fromkeys(errors["series"]))[:_MOST_BARS]
    for measure, rows in errors[errors["series"].isin(shown)].groupby("measure", sort=True):
        figure.add_bar(
            y=rows["series"], x=rows["mase"], name=str(measure), orientation="h", texttemplate="%{x:.2f}",
            hovertemplate="%{y}: %{x:.3f} of seasonal naive's error<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=1, line={"dash": "dash"}, annotation_text="seasonal naive")
    figure.update_layout(
        title="Mean absolute error over seasonal naive's, on rolling origins (less is better)",
        barmode="group",
        height=200 + 60 * len(shown),
        xaxis={"title": "MASE", "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "type": "category"},
    )
    return figure


def market_shares(market: pd.DataFrame) -> go.Figure:
    """Draw the share of each category by month, and its growth over the month before.

    Parameters
    ----------
    market
        ``id, month, share, growth`` of one dimension.
    """
    titles = ("Share of the market", "Growth of purchases a day over the month before")
    figure = make_subplots(rows=2, shared_xaxes=True, subplot_titles=titles)
    order = market.groupby("id")["share"].sum().sort_values(ascending=False).index[:_MOST_BARS].tolist()
    colours = dict(zip(order, _colours(len(order)), strict=True))
    for name in order:
        rows = market[market["id"] == name]
        figure.add_scatter(
            x=rows["month"], y=rows["share"], stackgroup="share", name=name, legendgroup=name,
            line={"color": colours[name], "width": 1}, hovertemplate="%{x|%Y-%m}: %{y:.1%}", row=1, col=1,
        )  # fmt: skip
        figure.add_scatter(
            x=rows["month"], y=rows["growth"], mode="lines+markers", name=name, legendgroup=name, showlegend=False,
            line={"color": colours[name]}, hovertemplate="%{x|%Y-%m}: %{y:+.1%}", row=2, col=1,
        )  # fmt: skip
    figure.update_layout(title="The market by category", height=700)
    figure.update_yaxes(tickformat=".0%")
    return figure


def _colours(count: int) -> list[str]:
    """Return as many colours, evenly around the circle."""
    return [f"hsl({360 * number // max(count, 1)}, 60%, 50%)" for number in range(count)]
