"""Attribution over a table of paths, for whoever has paths of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from o2o_mining.attribution.credit.markov import HIGHEST_ORDER, Chain, best_chain, effects, markov_chain
from o2o_mining.attribution.credit.models import DIRECT, ENDS, HALF_LIFE_DAYS, PATH_MODELS, check_half_life, check_model
from o2o_mining.attribution.credit.sequences import Sequences, read_paths
from o2o_mining.attribution.credit.shapley import shapley_values
from o2o_mining.core.errors import UsageError

Order = int | Literal["auto"]

_CREDITED = ("conversions", "value")
_COUNTED = ("conversions", "nulls")


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
        If there is no such model, a column is missing, a path is empty, counts are negative, gaps do not fit their
        path, or ``markov`` or ``shapley`` find value and no conversion.

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
        If a column is missing, a path is empty or counts are negative.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["map > search", "map"], "conversions": [1, 2], "nulls": [1, 5]})
    >>> removal_effects(paths).round(3)
      channel  removal_effect
    0     map           1.000
    1  search           0.333
    """
    _check_order(order)
    _check_columns(paths, ("path", *_COUNTED), "markov")
    grouped = _grouped(paths, _COUNTED)
    chain = _chain(read_paths(grouped["path"]), grouped, order=order, keep_loops=keep_loops)
    return pd.DataFrame({"channel": list(chain.channels), "removal_effect": effects(chain)})


def _of_touches(paths: pd.DataFrame, model: str, *, half_life_days: float) -> pd.DataFrame:
    """Credit by a model that looks at one path at a time."""
    needed = ("path", *_CREDITED, "gaps_days") if model == "time_decay" else ("path", *_CREDITED)
    _check_columns(paths, needed, model)
    sequences = read_paths(paths["path"].fillna(""))
    if model == "time_decay":
        weights = _decayed(sequences, paths["gaps_days"], half_life_days)
    else:
        weights = _weights(sequences, model)
    whole = np.bincount(sequences.row, weights=weights, minlength=len(paths))
    shares = weights / whole[sequences.row]
    return _totals(sequences, shares, paths)


def _of_channels(paths: pd.DataFrame, model: str, *, order: Order, keep_loops: bool) -> pd.DataFrame:
    """Credit by a model that looks at all paths together."""
    _check_columns(paths, ("path", *_CREDITED, "nulls"), model)
    grouped = _grouped(paths, (*_CREDITED, "nulls"))
    totals = {name: math.fsum(grouped[name]) for name in _CREDITED}
    if totals["value"] and not totals["conversions"]:
        raise UsageError(f"paths have a value of {totals['value']:g} and no conversion that it could come from")
    sequences = read_paths(grouped["path"])
    credited = pd.DataFrame({"channel": list(sequences.channels)})
    errors = np.zeros(len(credited))
    if model == "markov":
        worth = effects(_chain(sequences, grouped, order=order, keep_loops=keep_loops))
    else:
        values = shapley_values(sequences, *(grouped[name].to_numpy() for name in _COUNTED))
        worth, errors = values.value, values.standard_error
    whole = math.fsum(worth) or 1.0
    for name in _CREDITED:
        credited[name] = worth / whole * totals[name]
    return credited.assign(standard_error=errors / whole * totals["conversions"]) if errors.any() else credited


def _chain(sequences: Sequences, grouped: pd.DataFrame, *, order: Order, keep_loops: bool) -> Chain:
    """Return the chain of paths that are grouped."""
    counts = [grouped[name].to_numpy() for name in _COUNTED]
    walked = sequences if keep_loops else sequences.without_loops()
    return best_chain(walked, *counts) if order == "auto" else markov_chain(walked, *counts, order=order)


def _grouped(paths: pd.DataFrame, amounts: Sequence[str]) -> pd.DataFrame:
    """Return one row per way to write a path, with sums that do not depend on the order of the rows."""
    numbers = paths[list(amounts)].astype("float64").fillna(0.0)
    wrong = [name for name in _COUNTED if not (np.isfinite(numbers[name]) & (numbers[name] >= 0)).all()]
    if wrong:
        raise UsageError(f"{' and '.join(wrong)} of paths are infinite or below 0")
    rows = numbers.assign(path=paths["path"].fillna("").astype(str))
    return rows.sort_values(["path", *amounts]).groupby("path", as_index=False).sum()


def _check_order(order: Order) -> None:
    if order != "auto" and order not in range(1, HIGHEST_ORDER + 1):
        raise UsageError(f"order = {order} is neither 'auto' nor 1 to {HIGHEST_ORDER}")


def _check_columns(paths: pd.DataFrame, needed: Sequence[str], model: str) -> None:
    missing = [name for name in needed if name not in paths.columns]
    if missing:
        raise UsageError(
            f"paths lacks {', '.join(missing)}, which the model '{model}' needs",
            next_step="pass " + ", ".join(needed),
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
    listed = [list(gaps) if isinstance(gaps, (list, tuple, np.ndarray)) else [] for gaps in gaps_days]
    unfit = np.flatnonzero(np.array([len(gaps) for gaps in listed]) != touches.lengths)
    if len(unfit):
        raise UsageError(
            f"{len(unfit)} paths have another number of gaps_days than of touches, the first in row {unfit[0]}",
            next_step="give each path the list of days from each touch to the conversion, in path order",
        )
    gaps = pd.Series([float(gap) for gaps in listed for gap in gaps], dtype=np.float64)
    wrong = ~(np.isfinite(gaps) & (gaps >= 0))
    if wrong.any():
        raise UsageError(f"{int(wrong.sum())} gaps_days are missing, infinite or below 0")
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
        amounts = paths[name].astype("float64").fillna(0.0).to_numpy()
        credit = shares * amounts[touches.row]
        credited[name] = [math.fsum(part) for part in np.split(credit[by_channel], borders)][: len(names)]
    return pd.DataFrame({"channel": list(names), **credited})
