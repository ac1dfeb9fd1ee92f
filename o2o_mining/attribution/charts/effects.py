"""Pictures of what campaigns changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_MOST_BARS = 30


def campaign_effects(found: pd.DataFrame) -> go.Figure:
    """Draw what each campaign changed of the number of purchases, with its interval, and name what is refused.

    Parameters
    ----------
    found
        The columns of ``incrementality`` without as_of.
    """
    every = found[found["outcome"] == "purchases"]
    by_places = every[every["method"] == "synthetic_control"]
    rows = every.drop(by_places.index).drop_duplicates("campaign_id", keep="last").head(_MOST_BARS)
    figure = go.Figure()
    traces = {label: rows[rows["label"] == label] for label in ("experiment", "observational")}
    traces["observational, by places"] = by_places[by_places["label"] == "observational"].head(_MOST_BARS)
    for name, some in traces.items():
        figure.add_scatter(
            x=some["effect"],
            y=some["campaign_id"],
            name=name,
            mode="markers",
            error_x={
                "array": some["effect_high"] - some["effect"],
                "arrayminus": some["effect"] - some["effect_low"],
            },
        )
    refused = rows["campaign_id"][rows["label"] == "refused"].tolist()
    told = f"; no figure can be given for {len(refused)}: {', '.join(refused)}" if refused else ""
    figure.update_layout(
        title=f"Purchases per customer that each campaign brought{told}",
        xaxis={"title": "purchases per customer drawn or reached, 95 %", "zeroline": True},
        yaxis={"autorange": "reversed", "type": "category"},
    )
    return figure


def cumulative_effects(days: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw the effect on the share that bought as it was found up to each day, with intervals that hold on all days.

    Parameters
    ----------
    days
        By campaign: ``day``, ``effect``, ``low``, ``high``.
    """
    figure = go.Figure()
    for name, rows in list(days.items())[:_MOST_BARS]:
        # One campaign is shown, the others are there for the asking.
        shown = True if name == next(iter(days)) else "legendonly"
        for column, dash in (("effect", "solid"), ("low", "dot"), ("high", "dot")):
            figure.add_scatter(
                x=rows["day"],
                y=rows[column],
                name=name,
                legendgroup=name,
                showlegend=column == "effect",
                visible=shown,
                line={"dash": dash},
            )
    figure.update_layout(
        title="Effect on the share that bought, as found up to each day; the intervals hold on all days at once",
        xaxis={"title": "day of the campaign"},
        yaxis={"title": "treatment less control", "tickformat": ".1%"},
    )
    return figure
