"""The figures that pages draw, as the chart library takes them; their colours are those of the page, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

Figure = dict[str, Any]

# Named colours of the style sheet, which the script puts in.
ACCENT = "var(--chart-1)"
SECOND = "var(--chart-2)"
MUTED = "var(--chart-muted)"
LINK = "var(--chart-link)"


def bars(names: Sequence[str], values: Sequence[float], *, form: str = ",") -> Figure:
    """Return bars from top to bottom.

    Parameters
    ----------
    names, values
        One of each a bar.
    form
        How numbers are shown, as d3 writes it.
    """
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": list(values),
        "y": list(names),
        "marker": {"color": ACCENT},
        "hovertemplate": f"%{{y}}: %{{x:{form}}}<extra></extra>",
    }
    layout = {
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        "xaxis": {"tickformat": form},
        "height": 60 + 28 * max(len(names), 3),
    }
    return {"data": [trace], "layout": layout}


def columns(names: Sequence[str], values: Sequence[float], *, form: str = ",") -> Figure:
    """Return columns from left to right, as of a histogram."""
    trace = {
        "type": "bar",
        "x": list(names),
        "y": list(values),
        "marker": {"color": ACCENT},
        "hovertemplate": f"%{{x}}: %{{y:{form}}}<extra></extra>",
    }
    return {"data": [trace], "layout": {"xaxis": {"type": "category"}, "yaxis": {"tickformat": form}, "height": 280}}


def lines(days: Sequence[date], series: Mapping[str, Sequence[float | None]], *, form: str = ",") -> Figure:
    """Return lines over days, one for each name; the value axis begins at zero."""
    colours = (ACCENT, SECOND, MUTED)
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [str(day) for day in days],
            "y": list(values),
            "line": {"color": colours[number % len(colours)]},
            "hovertemplate": f"%{{x}}: %{{y:{form}}}<extra>%{{fullData.name}}</extra>",
        }
        for number, (name, values) in enumerate(series.items())
    ]
    layout = {
        "xaxis": {"tickformat": "%Y-%m-%d", "nticks": 6},  # names of months would be English in every language
        "yaxis": {"rangemode": "tozero", "tickformat": form},
        "showlegend": len(data) > 1,
        "height": 280,
    }
    return {"data": data, "layout": layout}


def sankey(flows: Sequence[tuple[str, str, float]], *, marked: str) -> Figure:
    """Return what flows from the names on the left to the names on the right; a name may stand on both sides.

    Parameters
    ----------
    flows
        From, to, and how much.
    marked
        The name that stands out.
    """
    left = list(dict.fromkeys(one for one, _, _ in flows))
    right = list(dict.fromkeys(one for _, one, _ in flows))
    trace = {
        "type": "sankey",
        "node": {
            "label": [*left, *right],
            "color": [ACCENT if name == marked else MUTED for name in (*left, *right)],
            "pad": 12,
        },
        "link": {
            "source": [left.index(one) for one, _, _ in flows],
            "target": [len(left) + right.index(one) for _, one, _ in flows],
            "value": [value for _, _, value in flows],
            "color": LINK,
        },
        "valueformat": ",",
    }
    return {"data": [trace], "layout": {"height": 80 + 30 * max(len(left), len(right), 4)}}


def curve(points: Sequence[tuple[float, float]], *, across: str, up: str, form: str = ",.0f") -> Figure:
    """Return a curve through points, such as of what comes out against what goes in.

    Parameters
    ----------
    points
        Across and up, from left to right.
    across, up
        What stands on the two axes.
    form
        How numbers are shown, as d3 writes it.
    """
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {"color": ACCENT},
        "hovertemplate": f"%{{x:{form}}}: %{{y:{form}}}<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": across}, "rangemode": "tozero", "tickformat": form},
        "yaxis": {"title": {"text": up}, "rangemode": "tozero", "tickformat": form},
        "height": 320,
    }
    return {"data": [trace], "layout": layout}


def intervals(rows: Sequence[tuple[str, float, float, float]], *, form: str = ",.3f") -> Figure:
    """Return points with their intervals, from top to bottom, and a line at zero.

    Parameters
    ----------
    rows
        Name, value, low and high end.
    form
        How numbers are shown, as d3 writes it.
    """
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [value for _, value, _, _ in rows],
        "y": [name for name, _, _, _ in rows],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [float(high) - float(value) for _, value, _, high in rows],
            "arrayminus": [float(value) - float(low) for _, value, low, _ in rows],
            "color": ACCENT,
        },
        "marker": {"color": ACCENT, "size": 10},
        "hovertemplate": f"%{{y}}: %{{x:{form}}}<extra></extra>",
    }
    layout = {
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        "xaxis": {"tickformat": form, "zeroline": True, "zerolinewidth": 2},
        "height": 80 + 40 * max(len(rows), 2),
    }
    return {"data": [trace], "layout": layout}


def banded(days: Sequence[date], values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> Figure:
    """Return a line over days within the band of its interval."""
    found = [str(day) for day in days]
    edge = {"type": "scatter", "mode": "lines", "x": found, "line": {"width": 0}, "hoverinfo": "skip"}
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": found,
        "y": list(values),
        "line": {"color": ACCENT},
        "hovertemplate": "%{x}: %{y:.2f}<extra></extra>",
    }
    data = [{**edge, "y": list(lows)}, {**edge, "y": list(highs), "fill": "tonexty", "fillcolor": LINK}, line]
    layout = {
        "xaxis": {"tickformat": "%Y-%m-%d", "nticks": 6},  # names of months would be English in every language
        "yaxis": {"rangemode": "tozero", "zeroline": True, "zerolinewidth": 2},
        "showlegend": False,
        "height": 280,
    }
    return {"data": data, "layout": layout}
