"""How journeys run: the paths most taken, how long they are, from where to where, and which part each channel has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import ibis
import numpy as np
import pandas as pd

from o2o_mining.attribution.credit.credits import credited_touches
from o2o_mining.attribution.credit.markov import effects, markov_chain, transitions
from o2o_mining.attribution.credit.windows import last_window, window_starts
from o2o_mining.contracts.attribution import PATH_SEPARATOR

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.attribution.credit.coded import CountedPaths

_TOP = 50
_DIGITS = 6


class Window(NamedTuple):
    """What the paths of one window tell.

    Attributes
    ----------
    summary
        ``outcome``, ``rank``, ``path``, ``journeys``, ``share``, ``conversion_rate``, ``cents``.
    transitions
        ``from_state``, ``to_state``, ``journeys``, ``probability``.
    removal_effects
        ``channel``, ``removal_effect``.
    """

    summary: pd.DataFrame
    transitions: pd.DataFrame
    removal_effects: pd.DataFrame


def windows_of_paths(paths: CountedPaths, *, as_of: date) -> Iterator[Window]:
    """Tell what the paths of each window show, the longest window first.

    Parameters
    ----------
    paths
        Grouped journeys, labelled with the shortest window they lie in.
    as_of
        The windows end before this UTC day.
    """
    for window in range(len(window_starts(as_of))):
        within = paths.counts.where(paths.counts["label"] >= window, 0).assign(path=paths.counts["path"])
        chain = markov_chain(
            paths.sequences, *(within[name].to_numpy(np.float64) for name in ("converted", "lost")), order=1
        )
        moved = transitions(chain).round({"probability": _DIGITS}).astype({"journeys": "int64"})
        removed = pd.DataFrame({"channel": list(chain.channels), "removal_effect": effects(chain).round(_DIGITS)})
        yield Window(_summary(paths, within), moved, removed)


def _summary(paths: CountedPaths, within: pd.DataFrame) -> pd.DataFrame:
    """Return the paths taken most by journeys that converted, and by those that did not."""
    sums = within.groupby("path")[["converted", "lost", "paid_cents"]].sum()
    row = within.drop_duplicates("path").reset_index().set_index("path")["index"]
    parts = []
    for outcome in ("converted", "lost"):
        # Paths lie in an order of their own, so that the choice among equals is the same at every run.
        top = sums[sums[outcome] > 0].sort_values(outcome, ascending=False, kind="stable").head(_TOP)
        parts.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "rank": np.arange(1, len(top) + 1),
                    "path": [_written(paths, row[number]) for number in top.index],
                    "journeys": top[outcome].to_numpy(),
                    "share": (top[outcome] / sums[outcome].sum()).round(_DIGITS).to_numpy(),
                    "conversion_rate": (top["converted"] / (top["converted"] + top["lost"])).round(_DIGITS).to_numpy(),
                    "cents": (top["paid_cents"] if outcome == "converted" else top["paid_cents"] * 0).to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _written(paths: CountedPaths, row: int) -> str:
    """Return a path as text."""
    start = paths.sequences.starts[row]
    codes = paths.sequences.codes[start : start + paths.sequences.lengths[row]]
    return PATH_SEPARATOR.join(paths.sequences.channels[code] for code in codes)


def lengths(journeys: ir.Table, *, as_of: date) -> ir.Table:
    """One amount of days or touches that conversions of one shortest window took.

    Parameters
    ----------
    journeys
        As known before as_of.
    as_of
        The windows end before this UTC day.

    Returns
    -------
    ibis.Table
        ``measure``, ``amount``, ``last_window``, ``conversions``.
    """
    converted = journeys.filter(journeys.converted)
    rows = converted.select(
        last_window=last_window(converted.ended_at, as_of),
        days=converted.days_to_convert.fill_null(0.0).floor().cast("int64"),
        touches=converted.n_touches,
    )
    grouped = (
        rows.group_by(["last_window", amount])
        .aggregate(conversions=rows.count())
        .rename(amount=amount)
        .mutate(measure=ibis.literal(amount))
        .select("measure", "amount", "last_window", "conversions")
        for amount in ("days", "touches")
    )
    return ibis.union(*grouped)


def closing_touches(purchases: ir.Table, journeys: ir.Table, journey_touches: ir.Table, *, as_of: date) -> ir.Table:
    """One channel: the first and the later purchases of customers that it closed, of one shortest window.

    Parameters
    ----------
    purchases, journeys, journey_touches
        As known before as_of.
    as_of
        The windows end before this UTC day.

    Returns
    -------
    ibis.Table
        ``channel``, ``last_window``, ``new_customer_conversions``, ``returning_customer_conversions``.
    """
    touches = credited_touches(journeys, journey_touches)
    last = touches.filter(touches.position == touches.n).select("purchase_id", "channel")
    bought = purchases.semi_join(last, "purchase_id")
    before = ibis.row_number().over(group_by=bought.customer_id, order_by=[bought.purchased_at, bought.purchase_id])
    counted = bought.select("purchase_id", is_first=before == 0, last_window=last_window(bought.purchased_at, as_of))
    rows = last.inner_join(counted, "purchase_id")
    return rows.group_by(["channel", "last_window"]).aggregate(
        new_customer_conversions=rows.is_first.cast("int64").sum(),
        returning_customer_conversions=(~rows.is_first).cast("int64").sum(),
    )


def in_windows(rows: pd.DataFrame, keys: list[str], *, as_of: date) -> list[pd.DataFrame]:
    """Add up over each window what belongs to the shortest window it lies in.

    Parameters
    ----------
    rows
        ``last_window``, keys and whole numbers.
    keys
        What the sums are by.
    as_of
        The windows end before this UTC day.
    """
    return [
        rows[rows["last_window"] >= window].drop(columns="last_window").groupby(keys, as_index=False).sum()
        for window in range(len(window_starts(as_of)))
    ]


def shares_of(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return counts of conversions with their share of all of one key.

    Parameters
    ----------
    rows
        The key and ``conversions``.
    key
        Within which the shares add up to 1.

    Examples
    --------
    >>> shares_of(pd.DataFrame({"measure": ["days", "days"], "conversions": [1, 3]}), "measure")["share"].tolist()
    [0.25, 0.75]
    """
    whole = rows.groupby(key)["conversions"].transform("sum")
    return rows.assign(share=(rows["conversions"] / whole).round(_DIGITS))


def roles(credited: pd.DataFrame, removal_effects: pd.DataFrame, closed: pd.DataFrame) -> pd.DataFrame:
    """Return the part of each channel in one window.

    Parameters
    ----------
    credited
        Rows of ``campaign_attribution`` of the models ``first`` and ``last``.
    removal_effects
        ``channel``, ``removal_effect``; a channel that no journey has loses nothing.
    closed
        ``channel``, ``new_customer_conversions``, ``returning_customer_conversions``.

    Returns
    -------
    pandas.DataFrame
        The columns of ``channel_roles`` without the window.
    """
    first, last = (credited[credited["model"] == model].set_index("id") for model in ("first", "last"))
    parts = pd.DataFrame(
        {
            "first_conversions": first["conversions"],
            "last_conversions": last["conversions"],
            "assisted_conversions": last["assisted_conversions"],
        }
    )
    ratio = parts["assisted_conversions"] / parts["last_conversions"].where(parts["last_conversions"] > 0)
    parts["assisted_per_last"] = ratio.astype("float64").round(_DIGITS)
    found = parts.join(removal_effects.set_index("channel")).join(closed.set_index("channel"))
    filled = found.fillna({name: 0 for name in found.columns if name != "assisted_per_last"})
    whole = ["assisted_conversions", "new_customer_conversions", "returning_customer_conversions"]
    return filled.astype(dict.fromkeys(whole, "int64")).rename_axis("channel").sort_index().reset_index()
