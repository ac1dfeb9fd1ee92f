"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

_BINS = 10


def calibration(tried: pd.DataFrame) -> go.Figure:
    """Draw predicted and seen shares of use in ten bins of like predictions, out of time.

    Parameters
    ----------
    tried
        ``probability`` and ``redeemed`` of receipts.
    """
    order = np.argsort(tried["probability"].to_numpy(), kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    told = [tried["probability"].to_numpy()[part].mean() for part in parts]
    seen = [tried["redeemed"].to_numpy()[part].mean() for part in parts]
    figure = go.Figure(
        [
            go.Scatter(x=told, y=seen, mode="markers+lines", name="receipts"),
            go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot"}, name="as predicted"),
        ]
    )
    figure.update_layout(
        title="Share of coupons used, predicted and seen, on receipts after those learned from",
        xaxis={"title": "predicted", "tickformat": ".0%"},
        yaxis={"title": "seen", "tickformat": ".0%"},
    )
    return figure
