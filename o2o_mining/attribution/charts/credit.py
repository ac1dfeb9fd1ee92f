"""Pictures of credit and of journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.colors import qualitative

from o2o_mining.contracts.attribution import MODELS, NO_CAMPAIGN

if TYPE_CHECKING:
    import pandas as pd

_MOST_BARS = 30
_COMPARED = "last"


def models_side_by_side(channels: pd.DataFrame) -> go.Figure:
    """Draw the net revenue that each model credits to each channel, and by how much it departs from the last touch.

    Parameters
    ----------
    channels
        ``model``, ``id``, ``net_revenue``, of one window.
    """
    order = channels.groupby("id")["net_revenue"].max().sort_values(ascending=False).index[:_MOST_BARS].tolist()
    compared = channels[channels["model"] == _COMPARED].set_index("id")["net_revenue"].reindex(order)
    figure = go.Figure()
    for model in (name for name in MODELS if name in set(channels["model"])):
        revenue = channels[channels["model"] == model].set_index("id")["net_revenue"].reindex(order)
        figure.add_bar(
            x=order,
            y=revenue,
            name=model,
            # Models often agree but for a few per cent: bars of one height are told apart by what stands on them.
            text=[_labelled(model, *pair) for pair in zip(revenue, compared, strict=True)],
            textangle=-90,
            hovertemplate="%{x}: %{y:,.2f}<br>%{text}<extra></extra>",
        )
    figure.update_layout(
        title=f"Net revenue by channel, models side by side, with the change against {_COMPARED}",
        barmode="group",
        uniformtext={"minsize": 8, "mode": "hide"},
        xaxis={"title": "channel", "type": "category"},
        yaxis={"title": "net revenue"},
    )
    return figure


def _labelled(model: str, revenue: float, compared: float) -> str:
    """Return the model with its change against the model compared with, where there is one."""
    if model == _COMPARED or not compared or compared != compared:
        return model
    return f"{model} {revenue / compared - 1:+.1%}"


def booked_by_month(booked: pd.DataFrame, *, model: str) -> go.Figure:
    """Draw the money credited to each channel by month, and below the line what was taken back.

    Parameters
    ----------
    booked
        ``month`` (its first day), ``channel``, ``credited``, ``taken_back`` (negative), in order of months.
    model
        The model, for the title.
    """
    figure = go.Figure()
    largest = booked.groupby("channel")["credited"].sum().sort_values(ascending=False, kind="stable")
    for number, channel in enumerate(largest.index[:_MOST_BARS]):
        rows = booked[booked["channel"] == channel]
        colour = qualitative.Plotly[number % len(qualitative.Plotly)]
        for kind in ("credited", "taken_back"):
            figure.add_bar(
                x=rows["month"],
                y=rows[kind],
                name=channel,
                legendgroup=channel,
                showlegend=kind == "credited",
                marker={"color": colour, "opacity": 1.0 if kind == "credited" else 0.5},
                hovertemplate=f"{channel}, {kind.replace('_', ' ')}, %{{x|%Y-%m}}: %{{y:,.2f}}<extra></extra>",
            )
    figure.update_layout(
        title=f"Money credited by month and channel, and taken back by refunds, {model}",
        barmode="relative",
        xaxis={"title": "month"},
        yaxis={"title": "money"},
    )
    return figure


def campaign_returns(campaigns: pd.DataFrame, *, model: str) -> go.Figure:
    """Draw the net revenue of each campaign, with its return on ad spend where the spend is known.

    Parameters
    ----------
    campaigns
        ``id``, ``net_revenue``, ``roas``, of one window and model, the best first.
    model
        The model, for the title.
    """
    rows = campaigns[campaigns["id"] != NO_CAMPAIGN].head(_MOST_BARS)
    everything = campaigns["net_revenue"].sum()
    credited = 1 - campaigns["net_revenue"][campaigns["id"] == NO_CAMPAIGN].sum() / everything if everything else 0
    labels = ["" if roas != roas else f"ROAS {roas:.2f}" for roas in rows["roas"].astype("float64")]
    figure = go.Figure(
        go.Bar(
            x=rows["net_revenue"],
            y=rows["id"],
            orientation="h",
            text=labels,
            hovertemplate="%{y}: %{x:,.2f} %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        title=f"Net revenue by campaign, {model}: {credited:.1%} of all net revenue has a campaign",
        xaxis={"title": "net revenue"},
        yaxis={"autorange": "reversed", "type": "category"},
    )
    return figure


def top_paths(summary: pd.DataFrame) -> go.Figure:
    """Draw the paths that most conversions came by, and that most journeys without one took.

    Parameters
    ----------
    summary
        ``outcome``, ``rank``, ``path``, ``journeys``, of one window.
    """
    figure = go.Figure()
    for outcome in ("converted", "lost"):
        rows = summary[summary["outcome"] == outcome].head(_MOST_BARS // 2)
        figure.add_bar(x=rows["journeys"], y=rows["path"], name=outcome, orientation="h")
    figure.update_layout(
        title="The paths most taken",
        xaxis={"title": "journeys"},
        yaxis={"autorange": "reversed", "type": "category"},
    )
    return figure


def time_to_convert(histograms: pd.DataFrame) -> go.Figure:
    """Draw how many days and how many touches conversions took.

    Parameters
    ----------
    histograms
        ``measure``, ``amount``, ``share``, of one window.
    """
    figure = go.Figure()
    for measure in ("days", "touches"):
        rows = histograms[histograms["measure"] == measure].sort_values("amount")
        figure.add_bar(x=rows["amount"], y=rows["share"], name=measure)
    figure.update_layout(
        title="Days from the first touch, and touches, until the purchase",
        xaxis={"title": "days or touches"},
        yaxis={"title": "share of conversions", "tickformat": ".0%"},
    )
    return figure


def transition_matrix(transitions: pd.DataFrame) -> go.Figure:
    """Draw from which channel journeys move where.

    Parameters
    ----------
    transitions
        ``from_state``, ``to_state``, ``probability``, of one window.
    """
    matrix = transitions.pivot_table(index="from_state", columns="to_state", values="probability")
    figure = go.Figure(
        go.Heatmap(
            x=matrix.columns.tolist(),
            y=matrix.index.tolist(),
            z=matrix,
            colorscale="Blues",
            texttemplate="%{z:.0%}",
            hovertemplate="%{y} to %{x}: %{z:.1%}<extra></extra>",
        )
    )
    figure.update_layout(title="Where journeys move next", yaxis={"autorange": "reversed"})
    return figure


def channel_parts(roles: pd.DataFrame) -> go.Figure:
    """Draw what is lost without each channel, beside how often it assists for each time it closes.

    Parameters
    ----------
    roles
        ``channel``, ``removal_effect``, ``assisted_per_last``, of one window.
    """
    rows = roles.sort_values("removal_effect", ascending=False).head(_MOST_BARS)
    labels = ["" if ratio != ratio else f"assists {ratio:.2f} per close" for ratio in rows["assisted_per_last"]]
    figure = go.Figure(go.Bar(x=rows["channel"], y=rows["removal_effect"], text=labels))
    figure.update_layout(
        title="Part of all conversions lost without a channel, by the Markov chain",
        yaxis={"title": "removal effect", "tickformat": ".0%"},
    )
    return figure
