"""What a rule is looked for in: transactions with a left and a right side, one family a scope and level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from o2o_mining.association.baskets import Items, Visits, at_level, of_merchants

Array = NDArray[Any]

_DAY_US = 86_400_000_000
_MERCHANT_BASKETS = 500  # from so many baskets on a merchant is compared with itself alone
_MOST_MERCHANTS = 200


class Columns:
    """Which transactions hold each item.

    Examples
    --------
    >>> held = Columns(np.array([0, 1, 1]), np.array([5, 2, 5]), n_items=6)
    >>> held.of(5).tolist(), held.sizes.tolist()
    ([0, 1], [0, 0, 1, 0, 0, 2])
    """

    def __init__(self, transaction: Array, item: Array, *, n_items: int) -> None:
        # Sorting one key is several times as fast as ordering by two.
        n = int(transaction.max(initial=0)) + 1
        keys = item.astype(np.int64) * n + transaction
        keys.sort()
        self._hold(keys % n, keys // n, n_items)

    def _hold(self, transaction: Array, item: Array, n_items: int) -> None:
        self.transaction, self.item = transaction, item
        self.sizes = np.bincount(item, minlength=n_items)
        self._ends = np.concatenate([[0], np.cumsum(self.sizes)])

    def of(self, item: int) -> Array:
        """Return the transactions that hold an item, ascending."""
        return np.asarray(self.transaction[self._ends[item] : self._ends[item + 1]])

    def of_all(self, items: tuple[int, ...]) -> Array:
        """Return the transactions that hold all of some items, ascending."""
        held = self.of(items[0])
        for item in items[1:]:
            held = common(held, self.of(item))
        return held

    def among(self, kept: Array, *, place: Array | None = None) -> Columns:
        """Return the columns of some transactions, given as a mask over all.

        Their numbers stay, or become what ``place`` says, which must keep their order.
        """
        some = kept[self.transaction]
        transaction = self.transaction[some]
        made = Columns.__new__(Columns)
        made._hold(transaction if place is None else place[transaction], self.item[some], len(self.sizes))
        return made


def common(some: Array, others: Array) -> Array:
    """Return the numbers that are in both of two ascending arrays.

    Examples
    --------
    >>> common(np.array([1, 3, 5]), np.array([3, 4, 5, 6])).tolist()
    [3, 5]
    """
    if len(some) > len(others):
        some, others = others, some
    at = np.searchsorted(others, some)
    return np.asarray(some[others[np.minimum(at, len(others) - 1)] == some]) if len(others) else others


@dataclass(frozen=True)
class Family:
    """The transactions of one scope and level.

    Attributes
    ----------
    scope, level, names
        As in the table; the ids of the items by code.
    customer, place, size, cents, half
        Shape (n,): whose; where; how much lies in the basket of the right side; the amount in hundredths; whether the
        customer belongs to the second half.
    left, right
        What each transaction holds; the same object where both sides are one basket.
    habit
        How often visits of one customer are linked, where the customer's own habits are what a rule is compared with.
    """

    scope: str
    level: str
    names: tuple[str, ...]
    customer: Array
    place: Array
    size: Array
    cents: Array
    half: Array
    left: Columns
    right: Columns
    habit: Habit | None = None

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def is_one_basket(self) -> bool:
        """Whether both sides of a transaction are the same basket."""
        return self.left is self.right


@dataclass(frozen=True)
class Habit:
    """Pairs of visits of one customer that are linked, for instance the next within some days.

    Attributes
    ----------
    items
        What each visit holds, by visit.
    customer
        Shape (visits,).
    pair_group
        Shape (visits,): two different visits of one group are linked, in both orders; None if ``first`` says it.
    first, second
        Shape (links,): the visits linked, in this order; empty if ``pair_group`` says it.
    """

    items: Columns
    customer: Array
    pair_group: Array | None
    first: Array
    second: Array

    @cached_property
    def chance(self) -> Array:
        """Share of a customer's ordered pairs of visits that are linked, shape (customers,)."""
        n = np.bincount(self.customer)
        if self.pair_group is None:
            links = np.bincount(self.customer[self.first], minlength=len(n))
        else:
            sizes = np.bincount(self.pair_group)
            owner = np.zeros(len(sizes), np.int64)
            owner[self.pair_group] = self.customer
            links = np.bincount(owner, weights=sizes * (sizes - 1), minlength=len(n))
        return np.asarray(links / np.maximum(n * (n - 1), 1))

    def totals(self, some: Array, finders: Array) -> tuple[Array, Array]:
        """Return for every pair of some items what ``sums`` gives, added up over some customers.

        Parameters
        ----------
        some
            Shape (k,): items, ascending.
        finders
            Shape (customers,): whom to count.

        Returns
        -------
        tuple of ndarray
            Found and by chance, shapes (k, k): left by right.
        """
        code = np.full(len(self.items.sizes), -1)
        code[some] = np.arange(len(some))
        kept = (code[self.items.item] >= 0) & finders[self.customer[self.items.transaction]]
        visit, item = self.items.transaction[kept], code[self.items.item[kept]]

        def table(row: Array, rows: int) -> sparse.csr_array:
            made = sparse.coo_array((np.ones(len(row), np.int64), (row, item)), shape=(rows, len(some)))
            return made.tocsr()

        by_visit = table(visit, len(self.customer))
        times = table(self.customer[visit], len(self.chance))
        chance = sparse.diags_array(self.chance)
        expected = times.T @ chance @ times - by_visit.T @ sparse.diags_array(self.chance[self.customer]) @ by_visit
        if self.pair_group is None:
            found = by_visit[self.first].T @ by_visit[self.second]
        else:
            grouped = table(self.pair_group[visit], int(self.pair_group.max()) + 1)
            found = grouped.T @ grouped - by_visit.T @ by_visit
        return found.toarray(), expected.toarray()

    def sums(self, left: int, right: int) -> tuple[Array, Array]:
        """Return by customer how often the linked visits hold a left and a right item, and how often by chance.

        By chance means: the same visits of the customer in any order, each as likely.
        """
        n_customers = len(self.chance)
        a, b = self.items.of(left), self.items.of(right)
        both = np.bincount(self.customer[common(a, b)], minlength=n_customers)
        times = (
            np.bincount(self.customer[a], minlength=n_customers),
            np.bincount(self.customer[b], minlength=n_customers),
        )
        expected = (times[0] * times[1] - both) * self.chance
        if self.pair_group is None:
            has_a, has_b = np.zeros((2, len(self.customer)), bool)
            has_a[a], has_b[b] = True, True
            meets = self.first[has_a[self.first] & has_b[self.second]]
            return np.bincount(self.customer[meets], minlength=n_customers), expected
        in_group = np.bincount(self.pair_group[b], minlength=int(self.pair_group.max()) + 1)
        observed = np.bincount(self.customer[a], weights=in_group[self.pair_group[a]], minlength=n_customers)
        return observed - both, expected


def every_family(
    visits: Visits, bought: pd.DataFrame, products: pd.DataFrame, *, until_us: int, within_days: int
) -> Iterator[Family]:
    """Give everything that rules are looked for in.

    Parameters
    ----------
    visits
        All visits.
    bought
        ``visit, product``: the number of a product bought at a visit, each pair once.
    products
        ``product_id, subcategory, category`` by number.
    until_us
        The moment of as_of in microseconds.
    within_days
        Within how many days something follows, or is done by one customer together.
    """
    visit, product = (bought[name].to_numpy(np.int64) for name in ("visit", "product"))
    # Offers bring people to one place at one time: that is no habit, and would make places belong together.
    own, place = visits.without_offers()
    for level in ("product", "subcategory", "category"):
        items = at_level(visit, product, products["product_id" if level == "product" else level])
        if len(items.names) > 1:
            yield baskets(visits, items, level)
            if level != "category":  # for where people go, that is a category of merchants
                yield following(visits, items, level, within_days=within_days)
                yield windows(own, items.among(place), level, until_us=until_us, within_days=within_days)
    for level in ("category", "merchant"):
        items = of_merchants(own, level)
        if len(items.names) > 1:
            yield going_on(own, items, level, within_days=within_days)
            yield windows(own, items, level, until_us=until_us, within_days=within_days)


def baskets(visits: Visits, items: Items, level: str) -> Family:
    """Return the family of what lies in one basket; alike are baskets of one size at one place."""
    begins = np.diff(items.visit, prepend=-1) != 0
    visit, transaction = items.visit[begins], np.cumsum(begins) - 1
    held = Columns(transaction, items.item, n_items=len(items.names))
    return Family(
        "basket", level, items.names, visits.customer[visit], _places(visits, visit), np.bincount(transaction),
        visits.cents[visit], visits.half[visit], held, held,
    )  # fmt: skip


def following(visits: Visits, items: Items, level: str, *, within_days: int) -> Family:
    """Return the family of what is bought after what: a visit, and the customer's next one in each category.

    Alike are second visits to the same place with as much in the basket.
    """
    first, second = next_visits(
        visits, items.visit[np.diff(items.visit, prepend=-1) != 0], within_days=within_days, each_category=True
    )
    starts = np.searchsorted(items.visit, np.arange(len(visits) + 1))
    left, right = (_spread(starts, items.item, some, len(items.names)) for some in (first, second))
    size = np.diff(starts)[second]
    return Family(
        "sequence", level, items.names, visits.customer[first], _places(visits, second), size, visits.cents[second],
        visits.half[first], left, right,
    )  # fmt: skip


def going_on(visits: Visits, items: Items, level: str, *, within_days: int) -> Family:
    """Return the family of where people go next, against where the same people go anyway."""
    first, second = next_visits(visits, items.visit, within_days=within_days, each_category=False)
    code = np.full(len(visits), -1)
    code[items.visit] = items.item
    sides = [Columns(np.arange(len(some)), code[some], n_items=len(items.names)) for some in (first, second)]
    every = Columns(items.visit, items.item, n_items=len(items.names))
    return Family(
        "sequence", level, items.names, visits.customer[first], _none(first), _none(first),
        visits.cents[second], visits.half[first], sides[0], sides[1],
        Habit(every, visits.customer, None, first, second),
    )  # fmt: skip


def windows(visits: Visits, items: Items, level: str, *, until_us: int, within_days: int) -> Family:
    """Return the family of what one customer buys in one window of days, against the same customer's habits.

    Windows end at ``until_us`` and follow each other back in time.
    """
    age = np.maximum(until_us - 1 - visits.at_us, 0) // (within_days * _DAY_US)
    _, group = np.unique(visits.customer * (int(age.max(initial=0)) + 1) + age, return_inverse=True)
    transaction, held = np.unique(group[items.visit], return_inverse=True)
    keys = np.sort(held * len(items.names) + items.item)
    keys = keys[np.diff(keys, prepend=-1) != 0]
    owner = np.zeros(len(transaction), np.int64)
    owner[held] = visits.customer[items.visit]
    cents = np.bincount(group, weights=visits.cents).astype(np.int64)[transaction]
    half = np.zeros(len(transaction), bool)
    half[held] = visits.half[items.visit]
    some = Columns(keys // len(items.names), keys % len(items.names), n_items=len(items.names))
    none = np.array([], np.int64)
    habit = Habit(
        Columns(items.visit, items.item, n_items=len(items.names)), visits.customer, group, none, none,
    )  # fmt: skip
    return Family(
        "customer", level, items.names, owner, _none(transaction), _none(transaction), cents, half, some, some,
        habit,
    )  # fmt: skip


def next_visits(visits: Visits, some: Array, *, within_days: int, each_category: bool) -> tuple[Array, Array]:
    """Return pairs of visits: each of some visits, and the customer's next among them within the days.

    With ``each_category`` the next one in each category of merchants that the customer goes to counts. Visits at one
    moment do not follow each other.
    """
    customer, at = visits.customer[some], visits.at_us[some]
    category = visits.category[some] + 1 if each_category else np.zeros(len(some), np.int64)
    # The last visit of the same customer at the same moment: what comes after it is later.
    is_last = np.append((np.diff(customer) != 0) | (np.diff(at) != 0), [True])[: len(some)]
    last = np.flatnonzero(is_last)[np.cumsum(is_last) - is_last]
    pairs = [np.empty((2, 0), np.int64)]
    for one in range(int(category.max(initial=0)) + 1):
        those = np.flatnonzero(category == one)
        follower = np.searchsorted(those, last, side="right")
        found = np.flatnonzero(follower < len(those))
        after = those[follower[found]]
        near = (customer[after] == customer[found]) & (at[after] - at[found] <= within_days * _DAY_US)
        pairs.append(np.stack([some[found[near]], some[after[near]]]))
    first, second = np.concatenate(pairs, axis=1)
    order = np.lexsort((second, first))
    return first[order], second[order]


def _spread(starts: Array, item: Array, visits: Array, n_items: int) -> Columns:
    """Return what each of some visits holds, numbered by its place among them."""
    lengths = starts[visits + 1] - starts[visits]
    before = np.cumsum(lengths) - lengths
    entries = np.repeat(starts[visits] - before, lengths) + np.arange(int(lengths.sum()))
    return Columns(np.repeat(np.arange(len(visits)), lengths), item[entries], n_items=n_items)


def _places(visits: Visits, some: Array) -> Array:
    """Return where each visit was: the merchant if many visits can be compared there, else its category."""
    merchant, category = visits.merchant[some], visits.category[some]
    sizes = np.bincount(merchant, minlength=1)
    large = np.flatnonzero(sizes >= _MERCHANT_BASKETS)
    large = large[np.lexsort((large, -sizes[large]))][:_MOST_MERCHANTS]
    return _numbered(np.where(np.isin(merchant, large), merchant, -2 - category))


def _none(some: Array) -> Array:
    """Return places or sizes where a rule is compared with habits instead."""
    return np.zeros(len(some), np.int64)


def _numbered(codes: Array) -> Array:
    """Return codes from 0 without gaps, in the same order."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)
