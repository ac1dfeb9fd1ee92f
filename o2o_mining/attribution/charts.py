"""The pictures of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from o2o_mining.contracts.attribution import MODELS, NO_CAMPAIGN

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def campaign_effects(found: pd.DataFrame) -> go.Figure:
    """Draw what each campaign changed of the number of purchases, with its interval, and name what is refused.

    Parameters
    ----------
    found
        The columns of ``incrementality`` without as_of.
    """
    rows = found[found["outcome"] == "purchases"].drop_duplicates("campaign_id", keep="last").head(_MOST_BARS)
    figure = go.Figure()
    for label in ("experiment", "observational"):
        some = rows[rows["label"] == label]
        figure.add_scatter(
            x=some["effect"],
            y=some["campaign_id"],
            name=label,
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
