"""Frequent itemsets over integer codes: each item's baskets become bitmaps of what else they hold, walked depth first.

Source: M. J. Zaki, Scalable algorithms for association mining, IEEE TKDE 12 (2000), as Eclat; that an item is followed
only by more frequent ones, inside its own baskets, is the projection of J. Han et al., Mining frequent patterns without
candidate generation, SIGMOD 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]

MOST_SETS = 1_000_000
_PACKED_AT_ONCE = 64_000_000  # bytes before packing into bits


class TooManySetsError(Exception):
    """The search was stopped; ``counts`` are those of the itemsets found until then."""

    def __init__(self, counts: Array) -> None:
        self.counts = counts
        super().__init__(f"more than {len(counts)} itemsets")


@dataclass(frozen=True)
class Sets:
    """The frequent itemsets of one length.

    Attributes
    ----------
    items
        Shape (n, length): codes, ascending within a row; rows in lexical order.
    counts
        Shape (n,): baskets that hold all items of the row.
    """

    items: Array
    counts: Array


def least_count(min_support: float, n_baskets: int) -> int:
    """Return the smallest whole number of baskets whose share is at least ``min_support``, at least 1.

    The share is taken for the decimal number that it prints as: 0.07 of 100 baskets are 7, not 8. A share that was
    reckoned as a count over the baskets gives that count back.

    Examples
    --------
    >>> least_count(0.07, 100), least_count(0.071, 100), least_count(0.0, 100)
    (7, 8, 1)
    """
    least = max(1, ceil(Fraction(str(float(min_support))) * n_baskets))
    return least - 1 if least > 1 and (least - 1) / n_baskets >= min_support else least


def frequent_sets(
    baskets: Array, items: Array, *, least: int, max_length: int | None = None, most: int = MOST_SETS
) -> list[Sets]:
    """Return all itemsets that at least ``least`` baskets hold, one entry a length.

    Parameters
    ----------
    baskets, items
        Shape (n,): codes from 0, one row an item in a basket; a row twice counts once.
    least
        Smallest number of baskets, at least 1.
    max_length
        Longest itemset; None for any.
    most
        With more itemsets than this the search stops.

    Returns
    -------
    list of Sets
        Of length 1, 2, …, until there are none.

    Raises
    ------
    TooManySetsError
        If there are more itemsets than ``most``.

    Examples
    --------
    >>> found = frequent_sets(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0]), least=2)
    >>> [one.items.tolist() for one in found], [one.counts.tolist() for one in found]
    ([[[0], [1]], [[0, 1]]], [[3, 2], [2]])
    """
    if not len(items):
        return []
    n_baskets = int(baskets.max()) + 1
    # One sorted key a row: repeats go, and the baskets of each item stand together, ascending.
    keys = items.astype(np.int64) * n_baskets + baskets
    if (keys[1:] < keys[:-1]).any():
        keys.sort()
    keys = keys[np.diff(keys, prepend=-1) != 0]
    item = keys // n_baskets
    counts = np.bincount(item)
    frequent = np.flatnonzero(counts >= least)
    # From the rarest on: what follows an item are the more frequent ones in its few baskets.
    frequent = frequent[np.lexsort((frequent, counts[frequent]))]
    if not len(frequent):
        return []
    place = np.full(len(counts), -1)
    place[frequent] = np.arange(len(frequent))
    kept = place[item] >= 0
    search = _Search(least, max_length or len(frequent), most)
    search.note((), np.arange(len(frequent)), counts[frequent])
    if search.max_length > 1:
        search.run(_by_item(place[item[kept]], keys[kept] % n_baskets, len(frequent), n_baskets))
    return _by_length(search.found, frequent)


def _by_item(row: Array, basket: Array, n_items: int, n_baskets: int) -> sparse.csr_array:
    """Return the table of items by baskets."""
    held = sparse.coo_array((np.ones(len(row), bool), (row, basket)), shape=(n_items, n_baskets))
    return held.tocsr()


class _Search:
    """The walk over all itemsets of two items and more; items are numbered from the rarest."""

    def __init__(self, least: int, max_length: int, most: int) -> None:
        self.least, self.max_length, self.most = least, max_length, most
        self.found: list[tuple[tuple[int, ...], Array, Array]] = []
        self.size = 0

    def note(self, prefix: tuple[int, ...], last: Array, counts: Array) -> None:
        """Keep the itemsets that extend a prefix by one item each."""
        self.found.append((prefix, last, counts))
        self.size += len(last)
        if self.size > self.most:
            raise TooManySetsError(np.concatenate([counts for _, _, counts in self.found]))

    def run(self, table: sparse.csr_array) -> None:
        """Find all itemsets of two items and more."""
        n_items = table.shape[0]
        # Where each entry of the table stands when a basket's items stand together, ascending.
        numbered = sparse.csr_array((np.arange(table.nnz), table.indices, table.indptr), shape=table.shape).tocsc()
        of_basket, ends = numbered.indices, numbered.indptr
        position = np.empty(table.nnz, np.int64)
        position[numbered.data] = np.arange(table.nnz)
        local = np.full(n_items, -1)
        for item in range(n_items):
            entries = slice(table.indptr[item], table.indptr[item + 1])
            begin = position[entries] + 1
            lengths = ends[table.indices[entries] + 1] - begin
            before = np.cumsum(lengths) - lengths
            total = int(lengths.sum())
            others = of_basket[np.repeat(begin - before, lengths) + np.arange(total)]
            counts = np.bincount(others, minlength=n_items)
            partners = np.flatnonzero(counts >= self.least)
            if not len(partners):
                continue
            self.note((item,), partners, counts[partners])
            if self.max_length == 2 or len(partners) == 1:
                continue
            local[partners] = np.arange(len(partners))
            rows = local[others]
            kept = rows >= 0
            columns = np.repeat(np.arange(len(lengths)), lengths)[kept]
            self.extend((item,), partners, _packed(rows[kept], columns, len(partners), len(lengths)))
            local[partners] = -1

    def extend(self, prefix: tuple[int, ...], last: Array, bits: Array) -> None:
        """Find the itemsets that begin with a prefix, given its extensions and the baskets of each as bits."""
        for place in range(len(last) - 1):
            both = bits[place + 1 :] & bits[place]
            counts = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
            kept = np.flatnonzero(counts >= self.least)
            if not len(kept):
                continue
            longer = (*prefix, int(last[place]))
            following = last[place + 1 :][kept]
            self.note(longer, following, counts[kept])
            if len(kept) > 1 and len(longer) + 1 < self.max_length:
                self.extend(longer, following, both[kept])


def _packed(rows: Array, columns: Array, n_rows: int, n_columns: int) -> Array:
    """Return a table of bits, shape (rows, words), from the places that are set."""
    words = -(-n_columns // 64)
    bits = np.empty((n_rows, words), np.uint64)
    block = max(1, _PACKED_AT_ONCE // (64 * words))
    for begin in range(0, n_rows, block):
        some = slice(None) if block >= n_rows else np.flatnonzero((rows >= begin) & (rows < begin + block))
        wide = np.zeros((min(block, n_rows - begin), 64 * words), bool)
        wide[rows[some] - begin, columns[some]] = True
        bits[begin : begin + block] = np.packbits(wide, axis=1).view(np.uint64)
    return bits


def _by_length(found: list[tuple[tuple[int, ...], Array, Array]], frequent: Array) -> list[Sets]:
    """Put what was found into one table a length, with the codes that came in."""
    made = []
    for length in range(1, max(len(prefix) for prefix, _, _ in found) + 2):
        some = [(prefix, last, counts) for prefix, last, counts in found if len(prefix) == length - 1]
        prefixes = np.array([prefix for prefix, _, _ in some], np.int64).reshape(len(some), length - 1)
        last = np.concatenate([last for _, last, _ in some])
        counts = np.concatenate([counts for _, _, counts in some]).astype(np.int64)
        sizes = [len(last) for _, last, _ in some]
        items = np.sort(frequent[np.column_stack([np.repeat(prefixes, sizes, axis=0), last])], axis=1)
        order = np.lexsort(items.T[::-1])
        made.append(Sets(items[order], counts[order]))
    return made
