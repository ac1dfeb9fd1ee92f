"""The picture of an evaluation: every estimate beside the truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    import pandas as pd

TRUE, ESTIMATED = "#1b9e77", "#d95f02"
LINE_HEIGHT = 22  # pixels


def estimates_beside_truth(table: pd.DataFrame) -> go.Figure:
    """Draw rankings beside the oracle's above, and other estimates beside the truth below, a line for each.

    Parameters
    ----------
    table
        What ``evaluate`` returns.
    """
    rankings, values = table[table["oracle"].notna()], table[table["oracle"].isna()]
    parts = [(some, best) for some, best in ((rankings, "oracle"), (values, "truth")) if len(some)]
    titles = {
        "oracle": "Rankings (area under the curve), clusters (adjusted Rand index)",
        "truth": "Other estimates (logarithmic beyond 1)",
    }
    figure = make_subplots(
        rows=max(len(parts), 1), subplot_titles=[titles[best] for _, best in parts],
        row_heights=[len(some) + 2 for some, _ in parts] or None, vertical_spacing=min(0.4, 3 / (len(table) + 4)),
    )  # fmt: skip
    for row, (some, best) in enumerate(parts, start=1):
        for column, name, colour, symbol in (
            (best, "the best that the feeds allow" if best == "oracle" else "truth", TRUE, "line-ns-open"),
            ("estimate", "estimate", ESTIMATED, "circle"),
        ):
            figure.add_trace(_dots(some, column, name, colour, symbol), row=row, col=1)
        figure.update_yaxes(autorange="reversed", row=row, col=1)
        if best == "truth":
            ticks = [0, 0.5, 1, 10, 100, 1_000, 10_000, 100_000]
            figure.update_xaxes(tickvals=[_place(t) for t in ticks], ticktext=[f"{t:,}" for t in ticks], row=row, col=1)
    figure.update_layout(
        title="Estimates (dots) beside the truth, or the best that the feeds allow (bars)",
        height=200 + LINE_HEIGHT * len(table), template="plotly_white",
        margin={"l": 420}, showlegend=False,
    )  # fmt: skip
    return figure


def _dots(table: pd.DataFrame, column: str, name: str, colour: str, symbol: str) -> go.Scatter:
    names = [f"{room}: {quantity}" for room, quantity in zip(table["room"], table["quantity"], strict=True)]
    numbers = table[column].tolist()
    drawn = numbers if table["oracle"].notna().all() else [_place(number) for number in numbers]
    return go.Scatter(
        x=drawn, y=names, mode="markers", name=name, customdata=numbers,
        marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 3, "color": colour}},
        hovertemplate=f"%{{y}}<br>{name}: %{{customdata:,.3f}}<extra></extra>",
    )  # fmt: skip


def _place(number: float) -> float:
    """Return where a number stands on an axis that is straight up to 1 and logarithmic beyond."""
    return number if abs(number) <= 1 else (1 + math.log10(abs(number))) * (1 if number > 0 else -1)
