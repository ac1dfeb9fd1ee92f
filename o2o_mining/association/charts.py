"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

_RULES = 25


def rule_map(rules: pd.DataFrame) -> go.Figure:
    """Draw every rule by how common it is and how much it lifts, coloured by its q value.

    Parameters
    ----------
    rules
        Rows of ``association_rules``.
    """
    figure = go.Figure()
    for scope, some in rules.groupby("scope", sort=True):
        figure.add_trace(
            go.Scatter(
                x=some["support"],
                y=some["holdout_lift"],
                name=str(scope),
                mode="markers",
                text=_labels(some),
                marker={
                    "color": some["q_value"], "coloraxis": "coloraxis", "size": 9,
                    "symbol": {"basket": "circle", "customer": "diamond", "sequence": "triangle-right"}[str(scope)],
                },
                error_y={
                    "type": "data", "symmetric": False, "thickness": 0.7,
                    "array": some["holdout_lift_high"] - some["holdout_lift"],
                    "arrayminus": some["holdout_lift"] - some["holdout_lift_low"],
                },
                hovertemplate="%{text}<br>support %{x:.4%}, lift %{y:.2f}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_layout(
        title="Rules that hold among customers who had no part in finding them",
        xaxis={"title": "support (log)", "type": "log", "tickformat": ".2%"},
        yaxis={"title": "hold-out lift with 95 % interval (log)", "type": "log"},
        coloraxis={"colorscale": "Viridis", "colorbar": {"title": "q value"}},
        legend={"orientation": "h"},
    )
    return figure


def strongest_rules(rules: pd.DataFrame) -> go.Figure:
    """Draw the hold-out lift of the strongest rules with its interval.

    Parameters
    ----------
    rules
        Rows of ``association_rules``, the strongest first.
    """
    some = rules.head(_RULES)
    # Two scopes may have the same rule: the scope is part of the label.
    labels = [f"{label} ({scope})" for label, scope in zip(_labels(some), some["scope"], strict=True)]
    figure = go.Figure(
        go.Scatter(
            x=some["holdout_lift"],
            y=labels,
            mode="markers",
            error_x={
                "type": "data", "symmetric": False,
                "array": some["holdout_lift_high"] - some["holdout_lift"],
                "arrayminus": some["holdout_lift"] - some["holdout_lift_low"],
            },
            customdata=some[["customers"]],
            hovertemplate="%{y}<br>lift %{x:.2f}, %{customdata[0]:,} customers<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        title="The strongest rules, by the low end of the interval",
        xaxis={"title": "hold-out lift with 95 % interval (log)", "type": "log"},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True},
        height=160 + 24 * len(some),
    )
    return figure


def _labels(rules: pd.DataFrame) -> list[str]:
    return [
        f"{level}: {' + '.join(left)} → {' + '.join(right)}"
        for level, left, right in zip(rules["level"], rules["antecedents"], rules["consequents"], strict=True)
    ]
