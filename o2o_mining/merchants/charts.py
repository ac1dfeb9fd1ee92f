"""The pictures of the room."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from o2o_mining.contracts.merchants import ALL, MEASURES

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

_COLOURS = {"good": "#2a9d8f", "watch": "#e9c46a", "act": "#c1121f"}
_ACTIONS = {"pause_offers": "#c1121f", "lower_cap": "#f4a261", "notify": "#e9c46a", "raise_cap": "#2a9d8f"}
_MOST_MERCHANTS, _MOST_CHANGES = 8, 40


def gap_intervals(cards: pd.DataFrame) -> go.Figure:
    """Draw the promise gaps with their intervals, the widest on top, coloured by band.

    Parameters
    ----------
    cards
        ``merchant_id, promise_gap, promise_gap_low, promise_gap_high, band``.
    """
    figure = go.Figure()
    ordered = cards.sort_values(["promise_gap", "merchant_id"])
    for band, colour in _COLOURS.items():
        some = ordered[ordered["band"] == band]
        figure.add_scatter(
            x=some["promise_gap"],
            y=some["merchant_id"],
            mode="markers",
            name=band,
            marker={"color": colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": some["promise_gap_high"] - some["promise_gap"],
                "arrayminus": some["promise_gap"] - some["promise_gap_low"],
            },
        )
    figure.update_layout(
        title="How much worse than promised, by merchant",
        xaxis={"title": "standard deviations of the category, 95 % interval", "zeroline": True},
        yaxis={"title": "merchant", "categoryorder": "array", "categoryarray": ordered["merchant_id"].tolist()},
    )
    return figure


def gaps_by_measure(gaps: pd.DataFrame) -> go.Figure:
    """Draw by which measures the merchants that are furthest from their promise miss it, the worst on top.

    Parameters
    ----------
    gaps
        The columns of ``promise_gaps`` without as_of.
    """
    of_merchants = gaps[gaps["level"] == "merchant"]
    whole = of_merchants[of_merchants["measure"] == ALL].sort_values(["gap", "id"], ascending=[False, True])
    worst = whole["id"].head(_MOST_MERCHANTS).tolist()
    told = [measure for measure in MEASURES if (of_merchants["measure"] == measure).any()]
    figure = make_subplots(
        cols=max(len(told), 1), shared_xaxes="all", shared_yaxes=True, subplot_titles=told, horizontal_spacing=0.02
    )
    for column, measure in enumerate(told, start=1):
        some = of_merchants[(of_merchants["measure"] == measure) & of_merchants["id"].isin(worst)]
        error = {
            "type": "data",
            "symmetric": False,
            "array": some["gap_high"] - some["gap"],
            "arrayminus": some["gap"] - some["gap_low"],
        }
        figure.add_scatter(
            x=some["gap"], y=some["id"], mode="markers", name=measure, error_x=error,
            customdata=some[["mean", "visits"]],
            hovertemplate="%{y}: %{x:.2f} (mean %{customdata[0]:.3g}, %{customdata[1]} told)", row=1, col=column,
        )  # fmt: skip
        figure.add_vline(x=0, line={"color": "#888", "width": 1}, row=1, col=column)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=worst[::-1])
    figure.update_layout(
        title=f"What the {len(worst)} merchants furthest from their promise miss (standard deviations, 95 %)",
        showlegend=False,
    )
    return figure


def change_timeline(changes: pd.DataFrame, *, as_of: date) -> go.Figure:
    """Draw each change for the worse from the day it came, over the day it was found, to the day it was over.

    Parameters
    ----------
    changes
        ``merchant_id, changed_on, found_on, lifted_on, measure``.
    as_of
        Where those end that stand.
    """
    latest = changes.sort_values(["found_on", "merchant_id"]).tail(_MOST_CHANGES)
    over = latest["lifted_on"].notna()
    figure = go.Figure()
    parts = (
        ("not yet found", latest["changed_on"], latest["found_on"], {"color": "#f4a261", "width": 4}),
        ("stands", latest["found_on"], latest["lifted_on"].fillna(as_of), {"color": "#c1121f", "width": 8}),
    )
    for name, begins, ends, line in parts:
        xs = [x for begin, end in zip(begins, ends, strict=True) for x in (begin, end, None)]
        ys = [y for merchant in latest["merchant_id"] for y in (merchant, merchant, None)]
        figure.add_scatter(x=xs, y=ys, mode="lines", name=name, line=line, hoverinfo="skip")
    for name, column, some, symbol in (
        ("came, most likely", "changed_on", latest, "circle-open"),
        ("found", "found_on", latest, "diamond"),
        ("over", "lifted_on", latest[over], "circle"),
    ):
        figure.add_scatter(
            x=some[column], y=some["merchant_id"], text=some["measure"], mode="markers", name=name,
            marker={"symbol": symbol, "size": 10, "color": "#333"},
            hovertemplate="%{y}, %{x|%Y-%m-%d}: %{text}",
        )  # fmt: skip
    stand = int(changes["lifted_on"].isna().sum())
    figure.update_layout(
        title=f"Changes for the worse found within a year: {len(changes)}, of which {stand} stand",
        xaxis={"title": "day", "range": [latest["changed_on"].min() - timedelta(days=7), as_of]},
        yaxis={"title": "merchant", "type": "category", "autorange": "reversed"},
    )
    return figure


def actions_by_rule(actions: pd.DataFrame) -> go.Figure:
    """Draw how many merchants each rule decides about, coloured by what is done.

    Parameters
    ----------
    actions
        ``merchant_id, rule_code, action_code``.
    """
    figure = go.Figure()
    done = actions["action_code"]
    for action, colour in _ACTIONS.items():
        if not (done == action).any():
            continue
        names = actions[done == action].groupby("rule_code")["merchant_id"].agg(sorted)
        figure.add_bar(
            x=names.map(len), y=names.index, orientation="h", name=action, marker={"color": colour},
            text=[", ".join(some[:_MOST_MERCHANTS]) + (" …" if len(some) > _MOST_MERCHANTS else "") for some in names],
        )  # fmt: skip
    figure.update_layout(
        title=f"What the rules decide about {len(actions)} merchants",
        xaxis={"title": "merchants"},
        yaxis={"title": "rule", "type": "category"},
        barmode="stack",
    )
    return figure


def score_map(cards: pd.DataFrame) -> go.Figure:
    """Draw service against efficiency, with cost as colour: who is good at what.

    Parameters
    ----------
    cards
        ``merchant_id, service_score, cost_score, efficiency_score``.
    """
    figure = go.Figure(
        go.Scatter(
            x=cards["service_score"],
            y=cards["efficiency_score"],
            text=cards["merchant_id"],
            mode="markers",
            marker={
                "color": cards["cost_score"],
                "colorscale": "Viridis",
                "cmin": 0,
                "cmax": 100,
                "colorbar": {"title": "cost score"},
            },
            hovertemplate="%{text}: service %{x:.0f}, efficiency %{y:.0f}, cost %{marker.color:.0f}<extra></extra>",
        )
    )
    figure.update_layout(
        title="Service, efficiency and cost among peers (100 is best)",
        xaxis={"title": "service score", "range": [0, 100]},
        yaxis={"title": "efficiency score", "range": [0, 100]},
    )
    return figure


def losses(costs: pd.DataFrame) -> go.Figure:
    """Draw what a bad visit costs, with its interval, by whose purchases are lost.

    Parameters
    ----------
    costs
        ``reach, outcome, effect, effect_low, effect_high`` of what has a figure.
    """
    error = {
        "type": "data",
        "symmetric": False,
        "array": costs["effect_high"] - costs["effect"],
        "arrayminus": costs["effect"] - costs["effect_low"],
    }
    figure = go.Figure(go.Bar(x=costs["reach"] + ": " + costs["outcome"], y=costs["effect"], error_y=error))
    figure.update_layout(
        title="What a first bad visit changes within 90 days", yaxis={"title": "a bad visit, 95 % interval"}
    )
    return figure
