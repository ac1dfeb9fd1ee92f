"""The pictures of the room. Maps are drawn in kilometres about where most people live: no tiles from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from o2o_mining.local.choice import EARTH_KM, REACH_KM
from o2o_mining.local.sites import outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_BANDS = 7
_SHOWN = 8
_PALE = "#e9ecef"
_LARGEST = 30
_KINDS = {"ring": "#c1121f", "self_redemption": "#e76f51", "velocity": "#e9c46a", "double_redemption": "#457b9d"}


def catchment_map(cells: pd.DataFrame, stores: pd.DataFrame) -> go.Figure:
    """Draw where people live as hexagons, and the catchments of one merchant's stores as circles.

    Parameters
    ----------
    cells
        ``hexagon, people, lat, lon``; not empty.
    stores
        ``store_id, merchant_id, lat, lon, redemptions, radius_m``; the merchants with most redemptions can be chosen.
    """
    origin = _densest(cells)
    figure = go.Figure()
    shown = _tiles(figure, cells, cells["people"].to_numpy(float), origin, "people")
    near = stores[_away(stores, origin) < REACH_KM]
    busiest = near.groupby("merchant_id")["redemptions"].sum().sort_values(ascending=False, kind="stable").index
    choices = []
    for number, merchant in enumerate(busiest[:_SHOWN]):
        own = near[near["merchant_id"] == merchant]
        x, y = _plane(own["lat"].to_numpy(float), own["lon"].to_numpy(float), origin)
        turn = np.linspace(0, 2 * np.pi, 61)
        around = own["radius_m"].to_numpy(float)[:, None] / 1000
        rings = [np.append(part, [np.nan]) for part in x[:, None] + around * np.cos(turn)]
        sides = [np.append(part, [np.nan]) for part in y[:, None] + around * np.sin(turn)]
        visible = number == 0
        figure.add_scatter(
            x=np.concatenate(rings), y=np.concatenate(sides), mode="lines", line={"color": "#c1121f"}, visible=visible,
            name="80 % of redemptions", hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=y, mode="markers+text", text=own["store_id"], textposition="top center", visible=visible,
            marker={"color": "#c1121f", "size": 9}, name=f"stores of {merchant}", customdata=own["radius_m"],
            hovertemplate="%{text}: %{customdata:.0f} m<extra></extra>",
        )  # fmt: skip
        choices.append(str(merchant))
    _menu(figure, choices, each=2, always=shown)
    _plain(figure, "Where people live, and from how far they come")
    return figure


def site_map(sites: pd.DataFrame, cells: pd.DataFrame) -> go.Figure:
    """Draw what a usual new store would draw a year from each hexagon, a category at a time.

    Parameters
    ----------
    sites
        ``category, hexagon, visits_365d``; not empty.
    cells
        ``hexagon, people, lat, lon``.
    """
    origin = _densest(cells)
    figure = go.Figure()
    categories = sorted(sites["category"].unique())
    counts = []
    for number, category in enumerate(categories):
        rows = cells.merge(sites[sites["category"] == category][["hexagon", "visits_365d"]], on="hexagon")
        counts.append(
            _tiles(figure, rows, rows["visits_365d"].to_numpy(float), origin, "visits a year", visible=number == 0)
        )
    _menu(figure, categories, each=counts)
    _plain(figure, "What a usual new store would draw")
    return figure


def decay_curves(decays: pd.DataFrame) -> go.Figure:
    """Draw how the odds of going to a store fall with the way to it, with 95 % intervals.

    Parameters
    ----------
    decays
        ``category, decay_per_km, decay_per_km_low, decay_per_km_high``.
    """
    figure = go.Figure()
    km = np.linspace(0, 8, 41)
    ordered = decays.sort_values(["decay_per_km", "category"])
    ends_of = ordered[["decay_per_km", "decay_per_km_low", "decay_per_km_high"]].to_numpy(float)
    colours = sample_colorscale("Turbo", np.linspace(0.05, 0.95, max(len(ordered), 2)))
    for category, colour, (middle, low, high) in zip(ordered["category"], colours, ends_of, strict=False):
        ends = np.exp(-high * km), np.exp(-low * km[::-1])
        group = {"legendgroup": category}
        figure.add_scatter(
            x=np.append(km, km[::-1]), y=np.append(*ends), fill="toself", mode="lines", line={"width": 0},
            fillcolor=colour.replace("rgb(", "rgba(").replace(")", ", 0.15)"), showlegend=False, hoverinfo="skip",
            **group,
        )  # fmt: skip
        figure.add_scatter(x=km, y=np.exp(-middle * km), mode="lines", line={"color": colour}, name=category, **group)
    figure.update_layout(
        title="How the draw of a store falls with distance",
        xaxis={"title": "km from home to store"},
        yaxis={"title": "odds of going there (1 next door)", "range": [0, 1]},
    )
    return figure


def money_at_risk(found: pd.DataFrame) -> go.Figure:
    """Draw the money at risk of the largest findings, coloured by kind.

    Parameters
    ----------
    found
        ``finding_id, kind, score, amount_at_risk, accounts, uses``.
    """
    figure = go.Figure()
    money = found["amount_at_risk"].astype(float)
    top = found.assign(money=money).sort_values(["money", "finding_id"], ascending=[False, True]).head(_LARGEST)
    for kind, colour in _KINDS.items():
        some = top[top["kind"] == kind]
        figure.add_bar(
            x=some["money"], y=some["finding_id"], orientation="h", name=kind, marker={"color": colour},
            customdata=some[["score", "accounts", "uses"]],
            hovertemplate="%{y}: %{x:.2f}, score %{customdata[0]:.1f}, %{customdata[1]} accounts, "
            "%{customdata[2]} uses<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        title="Money at risk, by finding (findings may share uses)",
        xaxis={"title": "discounts in the home's currency"},
        yaxis={"categoryorder": "array", "categoryarray": top["finding_id"].tolist()[::-1], "automargin": True},
    )
    return figure


def k_factors(rates: pd.DataFrame) -> go.Figure:
    """Draw how many customers those of each month brought so far, with 95 % intervals.

    Parameters
    ----------
    rates
        ``cohort, k_factor, k_factor_low, k_factor_high, customers``; the row of all is a line.
    """
    whole, months = rates[rates["cohort"] == "(all)"], rates[rates["cohort"] != "(all)"].sort_values("cohort")
    k = months["k_factor"].astype(float)
    figure = go.Figure(
        go.Scatter(
            x=months["cohort"], y=k, mode="markers", name="k-factor", text=months["customers"],
            error_y={
                "type": "data", "symmetric": False, "array": months["k_factor_high"].astype(float) - k,
                "arrayminus": k - months["k_factor_low"].astype(float),
            },
            hovertemplate="%{x}: %{y:.3f} (%{text} customers)<extra></extra>",
        )
    )  # fmt: skip
    for mean in whole["k_factor"]:
        figure.add_hline(y=float(mean), line={"dash": "dot"})
    figure.update_layout(
        title="Customers brought by each customer so far, by month of joining",
        xaxis={"title": "joined", "type": "category"},
        yaxis={"title": "customers brought, 95 % interval", "rangemode": "tozero"},
    )
    return figure


def brought_by_month(joined: pd.DataFrame) -> go.Figure:
    """Draw how many customers joined by a friend each month, those brought by accounts of rings apart.

    Parameters
    ----------
    joined
        ``month, of_ring, customers``.
    """
    figure = go.Figure()
    for of_ring, name, colour in ((False, "by a friend", "#457b9d"), (True, "by an account of a ring", _KINDS["ring"])):
        rows = joined[joined["of_ring"] == of_ring].sort_values("month")
        figure.add_bar(x=rows["month"], y=rows["customers"], name=name, marker={"color": colour})
    figure.update_layout(
        title=f"Customers brought by others, by month of joining: {int(joined['customers'].sum()):,} in all",
        barmode="stack", xaxis={"title": "joined", "type": "category", "categoryorder": "category ascending"},
        yaxis={"title": "customers"},
    )  # fmt: skip
    return figure


def _tiles(
    figure: go.Figure, cells: pd.DataFrame, value: np.ndarray, origin: tuple[float, float], what: str, *,
    visible: bool = True,
) -> int:  # fmt: skip
    """Add the hexagons near the origin, one trace a band of values, and return how many traces that were."""
    near = _away(cells, origin) < REACH_KM
    cells, value = cells[near], value[near]
    edges = np.unique(np.quantile(value, np.linspace(0, 1, _BANDS + 1))) if len(value) else np.zeros(1)
    band = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, max(len(edges) - 2, 0))
    last = max(int(band.max(initial=0)), 1)
    bands = np.unique(band)
    for number in bands:
        x: list[float] = []
        y: list[float] = []
        for hexagon in cells["hexagon"][band == number]:
            lat, lon = np.array(outline(hexagon)).T
            east, north = _plane(lat, lon, origin)
            x += [*east, np.nan]
            y += [*north, np.nan]
        some = value[band == number]
        figure.add_scatter(
            x=x, y=y, fill="toself", mode="lines", line={"color": "white", "width": 0.5}, visible=visible,
            fillcolor=sample_colorscale("YlGnBu", 0.15 + 0.8 * number / last)[0], hoverinfo="name",
            name=_from_to(some, what),
        )  # fmt: skip
    return len(bands)


def _from_to(value: np.ndarray, what: str) -> str:
    low, high = f"{value.min():,.0f}", f"{value.max():,.0f}"
    return f"{low} {what}" if low == high else f"{low} to {high} {what}"


def _densest(cells: pd.DataFrame) -> tuple[float, float]:
    best = cells.sort_values(["people", "hexagon"], ascending=[False, True]).iloc[0]
    return float(best["lat"]), float(best["lon"])


def _plane(lat: np.ndarray, lon: np.ndarray, origin: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return kilometres east and north of an origin."""
    scale = np.radians(1.0) * EARTH_KM
    return (lon - origin[1]) * scale * np.cos(np.radians(origin[0])), (lat - origin[0]) * scale


def _away(table: pd.DataFrame, origin: tuple[float, float]) -> np.ndarray:
    x, y = _plane(table["lat"].to_numpy(float), table["lon"].to_numpy(float), origin)
    return np.asarray(np.hypot(x, y))


def _menu(figure: go.Figure, choices: Sequence[str], *, each: int | Sequence[int], always: int = 0) -> None:
    """Let one of several groups of traces be chosen; those that always show come first."""
    sizes = [each] * len(choices) if isinstance(each, int) else list(each)
    buttons = []
    for number, name in enumerate(choices):
        shown = [True] * always + [n == number for n, size in enumerate(sizes) for _ in range(size)]
        buttons.append({"label": name, "method": "restyle", "args": ["visible", shown]})
    if buttons:
        figure.update_layout(updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.1}])


def _plain(figure: go.Figure, title: str) -> None:
    figure.update_layout(
        title=title, plot_bgcolor=_PALE,
        xaxis={"title": "km east", "showgrid": False, "zeroline": False},
        yaxis={"title": "km north", "showgrid": False, "zeroline": False, "scaleanchor": "x"},
    )  # fmt: skip
