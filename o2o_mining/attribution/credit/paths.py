"""Attribution over a table of paths, for whoever has paths of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from o2o_mining.attribution.credit.checked import COUNTS, checked_paths
from o2o_mining.attribution.credit.markov import HIGHEST_ORDER, Chain, best_chain, effects, markov_chain
from o2o_mining.attribution.credit.models import DIRECT, ENDS, HALF_LIFE_DAYS, PATH_MODELS, check_half_life, check_model
from o2o_mining.attribution.credit.sequences import Sequences, read_paths
from o2o_mining.attribution.credit.shapley import shapley_values
from o2o_mining.core.errors import UsageError

Order = int | Literal["auto"]

_CREDITED = ("conversions", "value")


def attribute(
    paths: pd.DataFrame,
    *,
    model: str,
    order: Order = 1,
    half_life_days: float = HALF_LIFE_DAYS,
    keep_loops: bool = True,
) -> pd.DataFrame:
    """Credit conversions and value to channels by one model.

    Parameters
    ----------
    paths
        ``path``, channels in order (``"search > map"``); ``conversions``, how often it led to one; ``value``, the money
        of those together; for ``markov`` and ``shapley`` also ``nulls``, how often it led to none, and for
        ``time_decay`` ``gaps_days``, the list of days before the conversion in path order. Null numbers count as 0.
    model
        One of ``models.ALL_MODELS``.
    order
        For ``markov``: how many channels a state remembers, 1 to 4, or ``auto``, the order that best foretells moves
        it has not seen.
    half_life_days
        For ``time_decay``: the days after which a touch weighs half.
    keep_loops
        For ``markov``: whether a channel that follows itself counts as a move.

    Returns
    -------
    pandas.DataFrame
        ``channel``, ``conversions``, ``value``, sorted by channel: one row for each channel of any path, those with
        0 included. They add up to the totals of the input and do not depend on the order of its rows. Also
        ``standard_error``, of the conversions, where ``shapley`` drew orders since there are more than 15 channels.

    Raises
    ------
    UsageError
        If there is no such model or no such option of it, a column is missing or there twice, a path is empty or no
        text, a number is none or infinite, counts are negative, gaps do not fit their path, or ``markov`` or
        ``shapley`` find value and no conversion. It names column and row, counted from 0.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["map > search", "map"], "conversions": [1, 2], "value": [30.0, 50.0]})
    >>> attribute(paths, model="linear")
      channel  conversions  value
    0     map          2.5   65.0
    1  search          0.5   15.0
    >>> attribute(paths.assign(nulls=[1, 5]), model="markov").round(3)
      channel  conversions  value
    0     map         2.25   60.0
    1  search         0.75   20.0
    """
    check_model(model)
    check_half_life(half_life_days)
    _check_order(order)
    if model in PATH_MODELS:
        return _of_channels(paths, model, order=order, keep_loops=keep_loops)
    return _of_touches(paths, model, half_life_days=half_life_days)


def removal_effects(paths: pd.DataFrame, *, order: Order = 1, keep_loops: bool = True) -> pd.DataFrame:
    """Return the part of all conversions that is lost when a channel is taken out of the Markov chain.

    Parameters
    ----------
    paths
        One row per path: ``path``, ``conversions`` and ``nulls`` as in ``attribute``.
    order
        How many channels a state remembers, 1 to 4, or ``auto``.
    keep_loops
        Whether a channel that follows itself counts as a move.

    Returns
    -------
    pandas.DataFrame
        ``channel``, ``removal_effect`` between 0 and 1, sorted by channel. All 0 where nothing converts.

    Raises
    ------
    UsageError
        As for ``attribute``.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["map > search", "map"], "conversions": [1, 2], "nulls": [1, 5]})
    >>> removal_effects(paths).round(3)
      channel  removal_effect
    0     map           1.000
    1  search           0.333
    """
    _check_order(order)
    grouped = _grouped(checked_paths(paths, ("path", *COUNTS), model="markov"), COUNTS)
    chain = _chain(_read(grouped), grouped, order=order, keep_loops=keep_loops)
    return pd.DataFrame({"channel": list(chain.channels), "removal_effect": effects(chain)})


def _of_touches(paths: pd.DataFrame, model: str, *, half_life_days: float) -> pd.DataFrame:
    """Credit by a model that looks at one path at a time."""
    needed = ("path", *_CREDITED, "gaps_days") if model == "time_decay" else ("path", *_CREDITED)
    given = checked_paths(paths, needed, model=model)
    sequences = read_paths(given["path"])
    if model == "time_decay":
        weights = _decayed(sequences, given["gaps_days"], half_life_days)
    else:
        weights = _weights(sequences, model)
    whole = np.bincount(sequences.row, weights=weights, minlength=len(given))
    shares = weights / whole[sequences.row]
    return _totals(sequences, shares, given)


def _of_channels(paths: pd.DataFrame, model: str, *, order: Order, keep_loops: bool) -> pd.DataFrame:
    """Credit by a model that looks at all paths together."""
    amounts = (*_CREDITED, "nulls")
    grouped = _grouped(checked_paths(paths, ("path", *amounts), model=model), amounts)
    totals = {name: math.fsum(grouped[name]) for name in _CREDITED}
    if totals["value"] and not totals["conversions"]:
        raise UsageError(
            f"paths have a value of {totals['value']:g} and no conversion that it could come from",
            next_step="give conversions, or a touch-level model",
        )
    sequences = _read(grouped)
    credited = pd.DataFrame({"channel": list(sequences.channels)})
    errors = np.zeros(len(credited))
    if model == "markov":
        worth = effects(_chain(sequences, grouped, order=order, keep_loops=keep_loops))
    else:
        values = shapley_values(sequences, *(grouped[name].to_numpy() for name in COUNTS))
        worth, errors = values.value, values.standard_error
    whole = math.fsum(worth) or 1.0
    for name in _CREDITED:
        credited[name] = worth / whole * totals[name]
    return credited.assign(standard_error=errors / whole * totals["conversions"]) if errors.any() else credited


def _chain(sequences: Sequences, grouped: pd.DataFrame, *, order: Order, keep_loops: bool) -> Chain:
    """Return the chain of paths that are grouped."""
    counts = [grouped[name].to_numpy() for name in COUNTS]
    walked = sequences if keep_loops else sequences.without_loops()
    return best_chain(walked, *counts) if order == "auto" else markov_chain(walked, *counts, order=order)


def _grouped(paths: pd.DataFrame, amounts: Sequence[str]) -> pd.DataFrame:
    """Return one row per way to write a path, with sums that do not depend on the order of the rows."""
    rows = paths.assign(row=range(len(paths))).sort_values(["path", *amounts])
    return rows.groupby("path", as_index=False).agg({**dict.fromkeys(amounts, "sum"), "row": "min"})


def _read(grouped: pd.DataFrame) -> Sequences:
    """Return the paths of rows that are grouped; a refusal names the row that the caller knows."""
    return read_paths(grouped["path"], rows=grouped["row"].to_numpy())


def _check_order(order: object) -> None:
    if isinstance(order, (int, np.integer)):
        known = 1 <= order <= HIGHEST_ORDER
    else:
        known = isinstance(order, str) and order == "auto"
    if not known:
        raise UsageError(
            f"order = {order!r} is neither 'auto' nor a whole number from 1 to {HIGHEST_ORDER}",
            next_step="leave it out for 1",
        )


def _weights(touches: Sequences, model: str) -> npt.NDArray[np.float64]:
    """Return the weight of each touch by a model that looks at places only."""
    position, n = touches.position, touches.lengths[touches.row]
    if model == "linear":
        return np.ones(len(position))
    if model == "last_non_direct":
        direct = touches.channels.index(DIRECT) if DIRECT in touches.channels else -1
        named = np.where(touches.codes != direct, position, 0)
        last_named = np.maximum.reduceat(named, touches.starts)[touches.row] if len(named) else named
        chosen = np.where(last_named > 0, last_named, n)
        return np.where(position == chosen, 1.0, 0.0)
    rule = ENDS[model]
    first, last, between = rule.ends
    is_first, is_last = position == 1, position == n
    of_two = np.where(is_first, rule.pair[0], rule.pair[1])
    of_more = np.where(is_first, first * (n - 2), np.where(is_last, last * (n - 2), between))
    return np.where(n == 1, 1, np.where(n == 2, of_two, of_more)).astype(np.float64)


def _decayed(touches: Sequences, gaps_days: pd.Series, half_life_days: float) -> npt.NDArray[np.float64]:
    """Return the weight of each touch by its age, relative to the youngest of its path so that none vanishes."""
    unfit = np.flatnonzero(gaps_days.map(len).to_numpy() != touches.lengths)
    if len(unfit):
        raise UsageError(
            f"{len(unfit)} paths have another number of gaps_days than of touches, the first in row {unfit[0]}",
            next_step="give each path the list of days from each touch to the conversion, in path order",
        )
    gaps = pd.Series([gap for listed in gaps_days for gap in listed], dtype=np.float64)
    younger = gaps.groupby(touches.row).transform("min")
    decayed: npt.NDArray[np.float64] = np.exp2((younger - gaps) / half_life_days).to_numpy()
    return decayed


def _totals(touches: Sequences, shares: npt.NDArray[np.float64], paths: pd.DataFrame) -> pd.DataFrame:
    """Add up the credit of each channel, exactly rounded, so that the order of the rows does not matter."""
    names = touches.channels
    by_channel = np.argsort(touches.codes, kind="stable")
    borders = np.searchsorted(touches.codes[by_channel], np.arange(1, len(names)))
    credited: dict[str, list[float]] = {}
    for name in _CREDITED:
        amounts = paths[name].to_numpy()
        credit = shares * amounts[touches.row]
        credited[name] = [math.fsum(part) for part in np.split(credit[by_channel], borders)][: len(names)]
    return pd.DataFrame({"channel": list(names), **credited})
