"""Attribution over a table of paths, for whoever has paths of their own."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from o2o_mining.attribution.models import DIRECT, ENDS, HALF_LIFE_DAYS, check_half_life, check_model
from o2o_mining.core.errors import UsageError

_REQUIRED = ("path", "conversions", "value")


def attribute(
    paths: pd.DataFrame, *, model: str, order: int = 1, half_life_days: float = HALF_LIFE_DAYS
) -> pd.DataFrame:
    """Credit conversions and value to channels by one model.

    Parameters
    ----------
    paths
        One row per path: ``path``, channels in order joined by ``>`` (``"search > map"``); ``conversions``, how often
        it led to one; ``value``, the money of those conversions together; optionally ``nulls``, how often it led to
        none, and ``gaps_days``, the list of days before the conversion in path order. Null conversions and values
        count as 0.
    model
        ``first``, ``last``, ``last_non_direct``, ``linear``, ``position``, ``j_shaped`` or ``time_decay``.
    order
        Order of the Markov chain, at least 1; the touch-level models do not use it.
    half_life_days
        For ``time_decay``: the days after which a touch weighs half.

    Returns
    -------
    pandas.DataFrame
        ``channel``, ``conversions``, ``value``, sorted by channel: one row for each channel of any path, those with
        0 included. They add up to the totals of the input and do not depend on the order of its rows.

    Raises
    ------
    UsageError
        If the model is not available, a column is missing, a path is empty, or gaps do not fit their path.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["map > search", "map"], "conversions": [1, 2], "value": [30.0, 50.0]})
    >>> attribute(paths, model="linear")
      channel  conversions  value
    0     map          2.5   65.0
    1  search          0.5   15.0
    """
    check_model(model)
    check_half_life(half_life_days)
    if order < 1:
        raise UsageError(f"order = {order} is below 1")
    needed = (*_REQUIRED, "gaps_days") if model == "time_decay" else _REQUIRED
    missing = [name for name in needed if name not in paths.columns]
    if missing:
        raise UsageError(
            f"paths lacks {', '.join(missing)}, which the model '{model}' needs",
            next_step="pass " + ", ".join(needed),
        )
    touches = _touches(paths)
    if model == "time_decay":
        weights = _decayed(touches, paths["gaps_days"], half_life_days)
    else:
        weights = _weights(touches, model)
    whole = np.bincount(touches["row"], weights=weights, minlength=len(paths))
    shares = weights / whole[touches["row"]]
    return _totals(touches, shares, paths)


def _touches(paths: pd.DataFrame) -> pd.DataFrame:
    """Return one row per touch: ``row`` of its path, ``position`` from 1, ``n`` of the path, ``channel``."""
    channels = [[name.strip() for name in str(path).split(">")] for path in paths["path"].fillna("")]
    empty = [number for number, names in enumerate(channels) if not all(names)]
    if empty:
        raise UsageError(f"{len(empty)} paths have a touch without a channel, the first in row {empty[0]}")
    lengths = np.array([len(names) for names in channels], dtype=np.int64)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return pd.DataFrame(
        {
            "row": np.repeat(np.arange(len(channels)), lengths),
            "position": np.arange(len(starts)) - starts + 1,
            "n": np.repeat(lengths, lengths),
            "channel": [name for names in channels for name in names],
        }
    )


def _weights(touches: pd.DataFrame, model: str) -> npt.NDArray[np.float64]:
    """Return the weight of each touch by a model that looks at places only."""
    position, n = touches["position"].to_numpy(), touches["n"].to_numpy()
    if model == "linear":
        return np.ones(len(touches))
    if model == "last_non_direct":
        named = np.where(touches["channel"] != DIRECT, position, 0)
        last_named = pd.Series(named).groupby(touches["row"]).transform("max").to_numpy()
        chosen = np.where(last_named > 0, last_named, n)
        return np.where(position == chosen, 1.0, 0.0)
    rule = ENDS[model]
    first, last, between = rule.ends
    is_first, is_last = position == 1, position == n
    of_two = np.where(is_first, rule.pair[0], rule.pair[1])
    of_more = np.where(is_first, first * (n - 2), np.where(is_last, last * (n - 2), between))
    return np.where(n == 1, 1, np.where(n == 2, of_two, of_more)).astype(np.float64)


def _decayed(touches: pd.DataFrame, gaps_days: pd.Series, half_life_days: float) -> npt.NDArray[np.float64]:
    """Return the weight of each touch by its age, relative to the youngest of its path so that none vanishes."""
    listed = [list(gaps) if isinstance(gaps, (list, tuple, np.ndarray)) else [] for gaps in gaps_days]
    lengths = np.array([len(gaps) for gaps in listed])
    unfit = np.flatnonzero(lengths != np.bincount(touches["row"], minlength=len(listed)))
    if len(unfit):
        raise UsageError(
            f"{len(unfit)} paths have another number of gaps_days than of touches, the first in row {unfit[0]}",
            next_step="give each path the list of days from each touch to the conversion, in path order",
        )
    gaps = pd.Series([float(gap) for gaps in listed for gap in gaps], dtype=np.float64)
    wrong = ~(np.isfinite(gaps) & (gaps >= 0))
    if wrong.any():
        raise UsageError(f"{int(wrong.sum())} gaps_days are missing, infinite or below 0")
    younger = gaps.groupby(touches["row"]).transform("min")
    decayed: npt.NDArray[np.float64] = np.exp2((younger - gaps) / half_life_days).to_numpy()
    return decayed


def _totals(touches: pd.DataFrame, shares: npt.NDArray[np.float64], paths: pd.DataFrame) -> pd.DataFrame:
    """Add up the credit of each channel, exactly rounded, so that the order of the rows does not matter."""
    channel, names = pd.factorize(touches["channel"], sort=True)
    by_channel = np.argsort(channel, kind="stable")
    borders = np.searchsorted(channel[by_channel], np.arange(1, len(names)))
    credited: dict[str, list[float]] = {}
    for name in ("conversions", "value"):
        amounts = paths[name].astype("float64").fillna(0.0).to_numpy()
        credit = shares * amounts[touches["row"]]
        credited[name] = [math.fsum(part) for part in np.split(credit[by_channel], borders)][: len(names)]
    return pd.DataFrame({"channel": list(names), **credited})
