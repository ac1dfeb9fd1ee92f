"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

_ITEMS = 25


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
    """Draw the hold-out lift between the items of the strongest rules as a heat map.

    Parameters
    ----------
    rules
        Rows of ``association_rules``, the strongest first.
    """
    sides = [[" + ".join(items) for items in rules[side]] for side in ("antecedents", "consequents")]
    left, right = (list(dict.fromkeys(side))[:_ITEMS] for side in sides)
    lifts: dict[tuple[str, str], float] = {}
    for a, b, lift in zip(*sides, rules["holdout_lift"].tolist(), strict=True):
        lifts.setdefault((a, b), lift)
    grid = [[lifts.get((a, b)) for b in right] for a in left]
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=right,
            y=left,
            colorscale="Blues",
            colorbar={"title": "lift"},
            hovertemplate="%{y} → %{x}: %{z:.2f}<extra></extra>",
        )
    )
    figure.update_layout(
        title="The strongest rules: hold-out lift",
        xaxis={"title": "then", "type": "category"},
        yaxis={"title": "if", "type": "category", "autorange": "reversed"},
    )
    return figure


def _labels(rules: pd.DataFrame) -> list[str]:
    return [
        f"{level}: {' + '.join(left)} → {' + '.join(right)}"
        for level, left, right in zip(rules["level"], rules["antecedents"], rules["consequents"], strict=True)
    ]
