"""Where chance comes from: one stream a subject, so that a draw more in one changes nothing in another."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DAY = 86_400  # seconds


def stream(seed: int, subject: str) -> np.random.Generator:
    """Return the generator of a subject.

    Examples
    --------
    >>> stream(7, "homes").random() == stream(7, "homes").random()
    True
    >>> stream(7, "homes").random() == stream(7, "tastes").random()
    False
    """
    key = np.random.SeedSequence(entropy=seed, spawn_key=(zlib.crc32(subject.encode()),))
    return np.random.Generator(np.random.Philox(key))


def pick(cumulative: Array, rows: Array, uniform: Array) -> Array:
    """Draw one column for each entry: row ``rows[k]`` of a table of cumulative shares, at ``uniform[k]``.

    Parameters
    ----------
    cumulative
        Shape (rows, columns), each row rising to 1.
    rows, uniform
        Shape (n,).

    Examples
    --------
    >>> pick(np.array([[0.5, 1.0], [0.0, 1.0]]), np.array([0, 0, 1]), np.array([0.2, 0.7, 0.2])).tolist()
    [0, 1, 1]
    """
    width = cumulative.shape[1]
    flat = (cumulative + np.arange(len(cumulative))[:, None]).ravel()
    found = np.searchsorted(flat, rows + uniform, side="right") - rows * width
    return np.asarray(np.clip(found, 0, width - 1))


def logistic(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))``."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def running(lengths: Array) -> Array:
    """Give every entry its number within its group, from 0; groups are given by their lengths.

    Examples
    --------
    >>> running(np.array([2, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths))
