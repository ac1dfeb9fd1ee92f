"""Pictures of what three sides got, where people are lost, and of the store beside delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    import pandas as pd

_MOST_BARS = 30


def three_sides(campaigns: pd.DataFrame) -> go.Figure:
    """Draw what each campaign brought to the merchant, to the customers, and what became of them on the platform.

    Parameters
    ----------
    campaigns
        Rows of ``three_wins`` of one level.
    """
    rows = campaigns.head(_MOST_BARS)
    names = rows["id"].tolist()
    figure = make_subplots(
        rows=1,
        cols=3,
        shared_yaxes=True,
        subplot_titles=["merchant: margin caused, 95 %", "customers: saved on list prices", "platform: came back"],
    )
    known = rows[rows["merchant_margin"].notna()]
    money = ("merchant_margin", "merchant_margin_low", "merchant_margin_high")
    margin, low, high = (known[name].astype("float64") for name in money)
    figure.add_scatter(
        x=margin,
        y=known["id"],
        mode="markers",
        error_x={"array": high - margin, "arrayminus": margin - low},
        text=[_basis(*pair) for pair in zip(known["margin_share"], known["margin_basis"], strict=True)],
        hovertemplate="%{y}: %{x:,.2f}<br>%{text}<extra></extra>",
        row=1,
        col=1,
    )
    offers = [f"{each:.1f} offers a visit" for each in rows["offers_per_visit"]]
    figure.add_bar(x=rows["customer_savings"].astype("float64"), y=names, orientation="h", text=offers, row=1, col=2)
    figure.add_bar(
        x=rows["platform_retention_share"],
        y=names,
        orientation="h",
        text=[f"{each:.1f} visits each" for each in rows["visits_per_customer"]],
        row=1,
        col=3,
    )
    refused = rows["id"][rows["merchant_margin"].isna()].tolist()
    told = f"; no margin can be given for {len(refused)}: {', '.join(refused)}" if refused else ""
    figure.update_layout(title=f"Three wins by campaign{told}", showlegend=False)
    figure.update_xaxes(tickformat=".0%", col=3)
    figure.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=names)
    return figure


def _basis(share: float, basis: str) -> str:
    """Return the margin that was reckoned with and who named it."""
    return "margins of several merchants" if share != share else f"margin {share:.0%} by {basis}"


def funnel_by_channel(stages: pd.DataFrame) -> go.Figure:
    """Draw how many people go from a touch to coming back: all of them, and by channel for the asking.

    Parameters
    ----------
    stages
        Rows of ``funnel`` of one window, without merchants' where there are many.
    """
    figure = go.Figure()
    names = stages[stages["dimension"] != "merchant"].drop_duplicates(["dimension", "id"])
    for row in names.sort_values(["dimension", "id"], key=_total_first).itertuples():
        some = stages[(stages["dimension"] == row.dimension) & (stages["id"] == row.id)].sort_values("position")
        figure.add_funnel(
            y=some["stage"],
            x=some["people"],
            name=str(row.id),
            visible=True if row.dimension == "total" else "legendonly",
            textinfo="value+percent previous",
            customdata=some[["lost", "open", "lost_amount"]].astype("object"),
            hovertemplate="%{y}: %{x:,}<br>lost %{customdata[0]:,}, open %{customdata[1]:,}<br>"
            "worth at most %{customdata[2]}<extra>%{fullData.name}</extra>",
        )
    lost = stages[(stages["dimension"] == "total") & stages["lost_amount"].notna()]
    worst = lost.assign(worth=lost["lost_amount"].astype("float64")).sort_values("worth", ascending=False).head(1)
    told = f": most is lost after '{worst['stage'].iloc[0]}'" if len(worst) else ""
    figure.update_layout(title=f"From a touch to coming back, people{told}", yaxis={"title": "stage"})
    return figure


def _total_first(values: pd.Series[str]) -> pd.Series[str]:
    """Return values such that the total sorts before all others."""
    return values.replace({"total": ""})


def store_beside_delivery(compared: pd.DataFrame) -> go.Figure:
    """Draw how orders for the store differ from orders delivered, with and without weights, each in its own scale.

    Parameters
    ----------
    compared
        The columns of ``o2o_b2c`` without as_of.
    """
    rows = compared[compared["label"] == "observational"]
    outcomes = rows["outcome"].drop_duplicates().tolist()
    figure = make_subplots(rows=1, cols=max(len(outcomes), 1), shared_yaxes=True, subplot_titles=outcomes)
    names = (rows["dimension"] + " " + rows["id"]).drop_duplicates().tolist()
    for column, outcome in enumerate(outcomes, start=1):
        some = rows[rows["outcome"] == outcome]
        figure.add_scatter(
            x=some["difference"],
            y=some["dimension"] + " " + some["id"],
            mode="markers",
            name="alike customers, 95 %",
            showlegend=column == 1,
            marker={"color": "#264653"},
            error_x={
                "array": some["difference_high"] - some["difference"],
                "arrayminus": some["difference"] - some["difference_low"],
            },
            row=1,
            col=column,
        )
        figure.add_scatter(
            x=some["plain_difference"],
            y=some["dimension"] + " " + some["id"],
            mode="markers",
            name="as they are",
            showlegend=column == 1,
            marker={"color": "#e76f51", "symbol": "x"},
            row=1,
            col=column,
        )
        figure.add_vline(x=0, line={"dash": "dot", "width": 1}, row=1, col=column)
    figure.update_layout(title="Orders consumed in a store, less orders delivered")
    figure.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=names)
    return figure
