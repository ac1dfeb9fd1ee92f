"""Journeys as an absorbing Markov chain: what is lost when a channel is taken out of it.

The states of a chain of order k are the last k channels of a journey, fewer right after START. A journey moves from
START over its states to CONVERSION or NULL. Removing a channel sends every transition into a state that contains it to
NULL.

Anderl, E., Becker, I., von Wangenheim, F., Schumann, J. H. (2016). Mapping the customer journey: lessons learned from
graph-based online attribution modeling. International Journal of Research in Marketing 33(3), 457-474.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from o2o_mining.attribution.credit.sequences import summed
from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from o2o_mining.attribution.credit.sequences import Sequences

HIGHEST_ORDER = 4
START, CONVERSION, NULL = "(start)", "(conversion)", "(null)"

# Up to so many states the equations are solved densely, in a moment. Above, journeys are sent through the sparse chain
# step by step: elimination fills a matrix of 20,000 states, where each state leads to a dozen others, almost entirely.
_DENSE_STATES = 400
# What may still be under way, as a part of all that converts, when the sending ends.
_UNDER_WAY = 1e-16
# Added to the count of every move when the order is chosen (Jeffreys' prior).
_PRIOR = 0.5


@dataclass(frozen=True)
class Chain:
    """How often journeys moved from state to state.

    Attributes
    ----------
    channels
        Names of the channels.
    order
        How many channels a state remembers.
    states
        The channels of each state as digits of base ``len(channels) + 1``, the last one lowest, 0 for none; sorted, so
        that START is the first.
    moves
        Journeys that moved from one state (row) to another (column).
    converted, lost
        Journeys that ended in each state with and without a conversion.
    """

    channels: tuple[str, ...]
    order: int
    states: npt.NDArray[np.int64]
    moves: sparse.csr_array
    converted: npt.NDArray[np.float64]
    lost: npt.NDArray[np.float64]

    def departures(self) -> npt.NDArray[np.float64]:
        """Return how often each state was left."""
        moved: npt.NDArray[np.float64] = self.moves.sum(axis=1)
        return moved + self.converted + self.lost

    def contains(self, channel: int) -> npt.NDArray[np.bool_]:
        """Return which states contain a channel, given by its place."""
        base = len(self.channels) + 1
        digits = self.states[:, None] // base ** np.arange(self.order) % base
        contained: npt.NDArray[np.bool_] = (digits == channel + 1).any(axis=1)
        return contained


def markov_chain(
    sequences: Sequences, converted: npt.NDArray[np.float64], lost: npt.NDArray[np.float64], *, order: int
) -> Chain:
    """Count the moves of journeys.

    Parameters
    ----------
    sequences
        The paths.
    converted, lost
        Journeys of each path with and without a conversion.
    order
        How many channels a state remembers.

    Raises
    ------
    UsageError
        If there are more channels than a chain of that order can tell apart.
    """
    base = len(sequences.channels) + 1
    if base ** (order + 1) > np.iinfo(np.int64).max:
        raise UsageError(
            f"{base - 1} channels are too many for a chain of order {order}", next_step="choose a lower order"
        )
    reached = np.zeros(len(sequences.codes), dtype=np.int64)
    for back in range(order):
        earlier = sequences.codes[: len(reached) - back] + 1
        reached[back:] += np.where(sequences.position[back:] > back, earlier, 0) * base**back
    left = np.where(sequences.position > 1, np.roll(reached, 1), 0)
    travelled = (converted + lost)[sequences.row]
    # A journey that nobody made leaves no state behind that cannot be left.
    made = travelled > 0
    numbers, states = pd.factorize(np.concatenate([[0], left[made], reached[made]]), sort=True)
    origin, target = np.split(numbers[1:], 2)
    size = len(states)
    moves = sparse.coo_array((travelled[made], (origin, target)), shape=(size, size)).tocsr()
    ends = np.searchsorted(states, reached[sequences.starts + sequences.lengths - 1])
    some = (converted + lost) > 0
    return Chain(
        channels=sequences.channels,
        order=order,
        states=np.asarray(states, dtype=np.int64),
        moves=moves,
        converted=summed(ends[some], converted[some], size),
        lost=summed(ends[some], lost[some], size),
    )


def effects(chain: Chain) -> npt.NDArray[np.float64]:
    """Return the removal effect of each channel: the part of all conversions that is lost without it.

    Parameters
    ----------
    chain
        The chain.

    Returns
    -------
    numpy.ndarray
        Shape (n_channels,), between 0 and 1; all 0 where nothing converts.
    """
    if not chain.converted.any():
        return np.zeros(len(chain.channels))
    kept = np.array([np.ones(len(chain.states), dtype=bool)] + [~chain.contains(j) for j in range(len(chain.channels))])
    departures = chain.departures()
    onward = sparse.diags_array(1 / departures).tocsr() @ chain.moves
    converting = chain.converted / departures
    solve = _solved if len(chain.states) <= _DENSE_STATES else _sent
    reached = solve(onward, converting, kept)
    without: npt.NDArray[np.float64] = 1 - reached[1:] / reached[0]
    return without


def _solved(
    onward: sparse.csr_array, converting: npt.NDArray[np.float64], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the chance of a conversion from START in each set of states kept: (I - Q)^-1 R there."""
    equations = np.eye(len(converting)) - onward.toarray()
    return np.array([np.linalg.solve(equations[np.ix_(some, some)], converting[some])[0] for some in kept])


def _sent(
    onward: sparse.csr_array, converting: npt.NDArray[np.float64], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the same as the series R + QR + Q²R + … from START.

    All terms are positive, and what is left out at the end is at most what is still under way.
    """
    back = onward.T.tocsr()
    under_way = np.zeros((len(converting), len(kept)))
    under_way[0] = 1.0
    reached = np.zeros(len(kept))
    while under_way.sum(axis=0).max() > _UNDER_WAY * reached[0]:
        reached += converting @ under_way
        under_way = np.where(kept.T, back @ under_way, 0.0)
    return reached


def likelihood(chain: Chain) -> float:
    """Return the mean log-likelihood of a move, each foretold from all other moves.

    Leaving one out needs no drawing of folds: a move that was made n times is foretold from the n - 1 others.

    Parameters
    ----------
    chain
        The chain.
    """
    counts = np.concatenate([chain.moves.data, chain.converted, chain.lost])
    departures = chain.departures()
    origin = np.repeat(np.arange(len(departures)), np.diff(chain.moves.indptr))
    left = np.concatenate([departures[origin], departures, departures])
    made = counts > 0
    counts, left = counts[made], left[made]
    possible = len(chain.channels) + 2
    others, all_others = np.maximum(counts - 1, 0) + _PRIOR, np.maximum(left - 1, 0) + _PRIOR * possible
    return float(counts @ np.log(others / all_others) / counts.sum()) if len(counts) else 0.0


def best_chain(sequences: Sequences, converted: npt.NDArray[np.float64], lost: npt.NDArray[np.float64]) -> Chain:
    """Return the chain whose order foretells moves best that it has not seen; of equals the lower.

    Parameters
    ----------
    sequences
        The paths.
    converted, lost
        Journeys of each path with and without a conversion.
    """
    chains = (markov_chain(sequences, converted, lost, order=order) for order in range(1, HIGHEST_ORDER + 1))
    return max(chains, key=lambda chain: (likelihood(chain), -chain.order))


def transitions(chain: Chain) -> pd.DataFrame:
    """Return the chain as a table.

    Parameters
    ----------
    chain
        A chain of order 1.

    Returns
    -------
    pandas.DataFrame
        ``from_state`` and ``to_state``, channels or ``(start)``, ``(conversion)``, ``(null)``; a channel of that name
        has another pair of parentheses, ``((start))``. ``journeys``, and ``probability``, their part of all that left
        the state. Only moves that were made.
    """
    names = np.array([START, *map(_as_state, chain.channels)], dtype=object)[chain.states]
    inner = chain.moves.tocoo()
    # Channels and states stay apart by number: names come last, and no two are alike.
    parts = [(inner.row, names[inner.col], inner.data)]
    for end, ended in ((CONVERSION, chain.converted), (NULL, chain.lost)):
        some = np.flatnonzero(ended)
        parts.append((some, np.full(len(some), end, dtype=object), ended[some]))
    origin, target, journeys = (np.concatenate(column) for column in zip(*parts, strict=True))
    table = pd.DataFrame({"from_state": names[origin], "to_state": target, "journeys": journeys})
    table["probability"] = journeys / chain.departures()[origin]
    return table.sort_values(["from_state", "to_state"], ignore_index=True)


def _as_state(channel: str) -> str:
    """Return a channel's name as a state's: one more pair of parentheses around what a state of its own is called."""
    bare = channel
    # What bears the parentheses already gets another pair too, so that no two channels become one.
    while bare.startswith("((") and bare.endswith("))"):
        bare = bare[1:-1]
    return f"({channel})" if bare in (START, CONVERSION, NULL) else channel
