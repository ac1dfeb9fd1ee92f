"""From arrays to the columns of the feeds: ids, money, moments, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.world import START

EPOCH_DAY = int(np.datetime64(START, "D").astype(np.int64))


def ids(prefix: str, numbers: Array, *, missing: Array | None = None) -> Any:
    """Return ids made of a letter and a number.

    Examples
    --------
    >>> ids("c", np.array([0, 12])).to_pylist()
    ['c0', 'c12']
    """
    text = pa.array(np.asarray(numbers, dtype=np.int64), mask=missing).cast(pa.string())
    return pc.binary_join_element_wise(pa.scalar(prefix), text, "")


def money(hundredths: Array, *, missing: Array | None = None) -> Any:
    """Return decimals of two places from whole hundredths that are not negative.

    Examples
    --------
    >>> [str(x) for x in money(np.array([5, 1250])).to_pylist()]
    ['0.05', '12.50']
    """
    words = np.zeros((len(hundredths), 2), dtype=np.int64)
    words[:, 0] = hundredths
    valid = None if missing is None else pa.array(~missing).buffers()[1]
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(hundredths), [valid, pa.py_buffer(words)])


def moments(seconds: Array, *, missing: Array | None = None) -> Any:
    """Return UTC timestamps from seconds since the start of the world."""
    return pa.array(np.asarray(seconds, dtype=np.int64) + EPOCH_DAY * DAY, mask=missing).cast(pa.timestamp("s"))


def dates(days: Array) -> Any:
    """Return dates from days since the start of the world."""
    return pa.array((np.asarray(days) + EPOCH_DAY).astype(np.int32)).cast(pa.date32())


def words(choices: Sequence[str], index: Array, *, missing: Array | None = None) -> Any:
    """Return one of a few texts each."""
    return pa.array(list(choices)).take(pa.array(np.asarray(index, dtype=np.int64), mask=missing))


def values(given: Array, *, missing: Array | None = None) -> Any:
    """Return numbers or booleans as they are."""
    return pa.array(np.asarray(given), mask=missing)


def nothing(count: int, kind: str = "string") -> Any:
    """Return a column without any value."""
    return pa.nulls(count, pa.type_for_alias(kind))
