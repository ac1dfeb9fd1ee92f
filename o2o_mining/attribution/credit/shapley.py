"""Conversion rates of sets of channels, shared out by Shapley's value.

A set is worth the conversion rate of the journeys that used nothing outside it. A channel gets what it adds to that
rate, averaged over all orders in which the channels can come together.

Shapley, L. S. (1953). A value for n-person games. Contributions to the Theory of Games 2, 307-317.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from o2o_mining.attribution.credit.sequences import summed

if TYPE_CHECKING:
    from o2o_mining.attribution.credit.sequences import Sequences

MOST_CHANNELS = 15
"""Up to so many channels the value is exact; above, orders are drawn."""

_PAIRS = 500


@dataclass(frozen=True)
class Values:
    """Shapley's values.

    Attributes
    ----------
    value
        Of each channel, shape (n_channels,); they add up to the conversion rate of all journeys. Some may be negative.
    standard_error
        Of each value, shape (n_channels,); 0 where it is exact.
    """

    value: npt.NDArray[np.float64]
    standard_error: npt.NDArray[np.float64]


def shapley_values(sequences: Sequences, converted: npt.NDArray[np.float64], lost: npt.NDArray[np.float64]) -> Values:
    """Share out the conversion rate among the channels.

    Parameters
    ----------
    sequences
        The paths.
    converted, lost
        Journeys of each path with and without a conversion.
    """
    if not converted.any():
        nothing = np.zeros(len(sequences.channels))
        return Values(nothing, nothing)
    if len(sequences.channels) > MOST_CHANNELS:
        return _drawn(sequences, converted, converted + lost)
    exact = _exact(sequences, converted, converted + lost)
    return Values(exact, np.zeros(len(exact)))


def _exact(
    sequences: Sequences, converted: npt.NDArray[np.float64], journeys: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the values from the rates of all subsets."""
    size = len(sequences.channels)
    sets = np.bitwise_or.reduceat(1 << sequences.codes, sequences.starts)
    worth = _rate(*(_within(summed(sets, counts, 1 << size)) for counts in (converted, journeys)))
    members = np.bitwise_count(np.arange(1 << size))
    # An order in which a channel comes after exactly the members of a set has this chance.
    chance = np.array([1 / (size * comb(size - 1, number)) for number in range(size)])
    values = np.empty(size)
    for channel in range(size):
        without, with_it = np.moveaxis(worth.reshape(-1, 2, 1 << channel), 1, 0)
        before = members.reshape(-1, 2, 1 << channel)[:, 0]
        values[channel] = np.sum(chance[before] * (with_it - without))
    return values


def _within(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return for each set the sum over its subsets: the zeta transform, one channel after another."""
    sums = counts.copy()
    step = 1
    while step < len(sums):
        halves = sums.reshape(-1, 2, step)
        halves[:, 1] += halves[:, 0]
        step *= 2
    return sums


def _rate(converted: npt.NDArray[np.float64], journeys: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return conversions per journey; a set that no journey lies within is worth nothing."""
    return np.divide(converted, journeys, out=np.zeros_like(converted), where=journeys > 0)


def _drawn(sequences: Sequences, converted: npt.NDArray[np.float64], journeys: npt.NDArray[np.float64]) -> Values:
    """Return the values from orders drawn at random, each with its reverse, and how far they may be off."""
    size = len(sequences.channels)
    draw = np.random.default_rng(0)
    added = np.empty((_PAIRS, size))
    for pair in range(_PAIRS):
        order = draw.permutation(size)
        added[pair] = sum(_added(turned, sequences, converted, journeys) for turned in (order, order[::-1])) / 2
    return Values(added.mean(axis=0), added.std(axis=0, ddof=1) / np.sqrt(_PAIRS))


def _added(
    order: npt.NDArray[np.int64],
    sequences: Sequences,
    converted: npt.NDArray[np.float64],
    journeys: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return what each channel adds to the rate when the channels come in an order."""
    size = len(order)
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    # A journey counts from the moment on at which the last of its channels has come.
    complete = np.maximum.reduceat(place[sequences.codes], sequences.starts)
    worth = _rate(*(np.cumsum(summed(complete, counts, size)) for counts in (converted, journeys)))
    added: npt.NDArray[np.float64] = np.diff(worth, prepend=0.0)[place]
    return added
