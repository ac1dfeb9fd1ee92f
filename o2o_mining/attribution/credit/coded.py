"""Paths of journeys grouped inside the engine, with channels as digits of whole numbers.

A text for each journey, put together in order, takes most of the time of any model over paths. A sum needs no order: a
touch adds its channel as one digit, at the place of its position. Journeys with the same sums have the same path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from o2o_mining.attribution.credit.models import DIRECT
from o2o_mining.attribution.credit.sequences import Sequences

if TYPE_CHECKING:
    import ibis.expr.types as ir

_LARGEST = 2**63 - 1
_WORDS = 4
_COUNTED = ("converted", "lost", "paid_cents", "refunded_cents")


class Grouped(NamedTuple):
    """Journeys grouped by path, as expressions.

    Attributes
    ----------
    short
        One path of journeys of one label: ``label``, the words ``w0``, ``w1``, …, and the sums of what is counted.
    long
        One touch of a journey that is longer than the words: ``journey_id``, ``position``, ``code``, ``label`` and what
        is counted of the journey.
    """

    short: ir.Table
    long: ir.Table


@dataclass(frozen=True)
class CountedPaths:
    """Paths with what is counted of them.

    Attributes
    ----------
    sequences
        The paths.
    counts
        One row a path and label: ``path`` (its number), ``label``, ``converted``, ``lost``, ``paid_cents``,
        ``refunded_cents``.
    """

    sequences: Sequences
    counts: pd.DataFrame


def digits(n_channels: int) -> int:
    """Return how many touches one word holds.

    Parameters
    ----------
    n_channels
        Number of channels.

    Examples
    --------
    >>> digits(12)
    17
    """
    held = 1
    while (n_channels + 1) ** (held + 1) <= _LARGEST:
        held += 1
    return held


def group_paths(journeys: ir.Table, journey_touches: ir.Table, *, channels: Sequence[str]) -> Grouped:
    """Group journeys by label and path.

    Parameters
    ----------
    journeys
        ``journey_id``, ``label`` and what is counted: ``converted``, ``lost``, ``paid_cents``, ``refunded_cents``.
    journey_touches
        ``journey_id``, ``position`` from 1, ``channel``. A journey without a touch counts as one of ``direct``.
    channels
        All names that occur, and ``direct``.
    """
    held, base = digits(len(channels)), len(channels) + 1
    names = ibis.memtable(pd.DataFrame({"channel": list(channels), "code": np.arange(1, base)}))
    touches = journey_touches.select("journey_id", "position", "channel").inner_join(names, "channel")
    powers = ibis.array([ibis.literal(base**place, "int64") for place in range(held)])
    worth = touches.code * powers[(touches.position - 1) % held]
    word = ((touches.position - 1) / held).floor().cast("int64")
    words = touches.group_by("journey_id").aggregate(
        n=touches.position.max(),
        **{f"w{number}": _whole((word == number).ifelse(worth, 0).sum()) for number in range(_WORDS)},
    )
    direct = ibis.literal(list(channels).index(DIRECT) + 1, "int64")
    joined = journeys.left_join(words, "journey_id")
    filled = joined.mutate(
        n=joined.n.fill_null(0),
        w0=joined.w0.fill_null(direct),
        **{f"w{number}": joined[f"w{number}"].fill_null(0) for number in range(1, _WORDS)},
    )
    fitting = filled.filter(filled.n <= _WORDS * held)
    short = fitting.group_by(["label", *(f"w{number}" for number in range(_WORDS))]).aggregate(
        **{name: _whole(fitting[name].sum()) for name in _COUNTED}
    )
    beyond = filled.filter(filled.n > _WORDS * held).select("journey_id", "label", *_COUNTED)
    long = touches.inner_join(beyond, "journey_id").select("journey_id", "position", "code", "label", *_COUNTED)
    return Grouped(short, long)


def _whole(total: ir.IntegerValue) -> ir.IntegerValue:
    """Return a sum as int64; engines add up in wider types, which take five times as long to read."""
    return total.cast("decimal(38, 0)").cast("int64")


def read_groups(short: pd.DataFrame, long: pd.DataFrame, *, channels: Sequence[str]) -> CountedPaths:
    """Return grouped journeys as paths, in an order of their own.

    Parameters
    ----------
    short, long
        What the expressions of ``group_paths`` give.
    channels
        As given to it.
    """
    names = [f"w{number}" for number in range(_WORDS)]
    order = np.lexsort([short[name].to_numpy(dtype=np.int64) for name in ("label", *reversed(names))])
    short = short.take(order).reset_index(drop=True)
    words = short[names].to_numpy(dtype=np.int64)
    codes, lengths = _spread(words, base=len(channels) + 1)
    long = long.sort_values(["journey_id", "position"], ignore_index=True)
    firsts = long.drop_duplicates("journey_id")
    sequences = Sequences(
        tuple(channels),
        np.concatenate([codes, long["code"].to_numpy(dtype=np.int64)]) - 1,
        np.concatenate([lengths, long.groupby("journey_id", sort=True).size().to_numpy(dtype=np.int64)]),
    )
    differs = (words[1:] != words[:-1]).any(axis=1)
    numbers = pd.Series(np.concatenate([[0], differs.cumsum()])[: len(words)], dtype="int64")
    written = long.groupby("journey_id", sort=True)["code"].agg(lambda codes: ",".join(map(str, codes)))
    beyond = pd.Series(pd.factorize(written)[0] + len(short), dtype="int64")
    counted = pd.concat([short, firsts], ignore_index=True)[["label", *_COUNTED]].astype("int64")
    return CountedPaths(sequences, counted.assign(path=pd.concat([numbers, beyond], ignore_index=True)))


def _spread(words: npt.NDArray[np.int64], *, base: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the codes of all paths one behind the other, and how many each path has.

    Digits are taken off one place after another, only of paths that have one there: most are short.
    """
    lengths = np.zeros(len(words), dtype=np.int64)
    taken = []
    for number in range(words.shape[1]):
        rows = np.flatnonzero(words[:, number])
        left = words[rows, number]
        while len(rows):
            left, code = np.divmod(left, base)
            there = rows[code > 0]
            taken.append((there, lengths[there], code[code > 0]))
            lengths[there] += 1
            rows, left = rows[left > 0], left[left > 0]
    codes = np.empty(lengths.sum(), dtype=np.int64)
    starts = lengths.cumsum() - lengths
    for rows, place, code in taken:
        codes[starts[rows] + place] = code
    return codes, lengths
