"""Paths as numbers: the channels of all touches in one array, and how many of them each path has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.core.errors import UsageError

_SEPARATOR = ">"


@dataclass(frozen=True)
class Sequences:
    """Paths of at least one touch, one after another.

    Attributes
    ----------
    channels
        Names of the channels, sorted.
    codes
        Channel of each touch, a place in ``channels``, in path order.
    lengths
        Touches of each path.
    """

    channels: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each path begins in ``codes``."""
        ends: npt.NDArray[np.int64] = np.cumsum(self.lengths)
        return ends - self.lengths

    @cached_property
    def row(self) -> npt.NDArray[np.int64]:
        """Number of the path of each touch."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def position(self) -> npt.NDArray[np.int64]:
        """Place of each touch in its path, from 1."""
        return np.arange(len(self.codes)) - np.repeat(self.starts, self.lengths) + 1

    def without_loops(self) -> Sequences:
        """Return the paths with every run of one channel as a single touch."""
        stays = np.zeros(len(self.codes), dtype=bool)
        stays[1:] = self.codes[1:] == self.codes[:-1]
        kept = (self.position == 1) | ~stays
        lengths = np.bincount(self.row[kept], minlength=len(self.lengths))
        return Sequences(self.channels, self.codes[kept], lengths)


def read_paths(paths: Iterable[str], *, rows: npt.NDArray[np.int64] | None = None) -> Sequences:
    """Return paths written as ``"search > map"`` as numbers.

    Parameters
    ----------
    paths
        Channels in order, joined by ``>``.
    rows
        By which number a refusal names each path; by its place, if None.

    Raises
    ------
    UsageError
        If a touch has no channel.

    Examples
    --------
    >>> read = read_paths(["search > map", "map"])
    >>> read.channels, read.codes.tolist(), read.lengths.tolist()
    (('map', 'search'), [1, 0, 0], [2, 1])
    """
    listed = pc.split_pattern(pa.array(list(paths), pa.string()), pattern=_SEPARATOR)
    lengths = pc.list_value_length(listed).to_numpy(zero_copy_only=False).astype(np.int64)
    named = pc.utf8_trim_whitespace(listed.flatten()).dictionary_encode()
    names, found = named.dictionary.to_pylist(), named.indices.to_numpy(zero_copy_only=False)
    if "" in names:
        empty = np.unique(np.repeat(np.arange(len(lengths)), lengths)[found == names.index("")])
        first = min(empty if rows is None else rows[empty])
        raise UsageError(
            f"path has a touch without a channel in {len(empty)} paths, the first in row {first}",
            next_step="write channels in order, joined by ' > '; a journey without a touch is 'direct'",
        )
    order = sorted(range(len(names)), key=names.__getitem__)
    places = np.empty(len(names), dtype=np.int64)
    places[order] = np.arange(len(names))
    return Sequences(tuple(names[number] for number in order), places[found], lengths)


def summed(places: npt.NDArray[np.int64], amounts: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return what falls on each place.

    Parameters
    ----------
    places
        From 0 up to ``size``, excluded.
    amounts
        What falls on each of them, of the same length.
    size
        Number of places.

    Examples
    --------
    >>> summed(np.array([2, 0, 2]), np.array([1.0, 5.0, 0.5]), 3).tolist()
    [5.0, 0.0, 1.5]
    """
    return np.asarray(np.bincount(places, weights=amounts, minlength=size), dtype=np.float64)
