"""What is to be allocated, as arrays: candidates in the order of their customers, and the limits they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Costs and budgets are counted in millionths, so that their sums are exact.
MICROS = 1_000_000
# The largest amount of money, and the largest sum of all costs: in millionths it is well within what is unlimited.
LARGEST = 10**12
# What is unlimited, in millionths and in pieces.
UNLIMITED = 2**62


@dataclass(frozen=True)
class Problem:
    """Candidates with a positive value, sorted by customer and offer, and what limits them.

    Attributes
    ----------
    customer, budget, offer
        Shape (n,). Number of the customer, from 0 in order; of the budget and of the offer that a candidate draws on.
    value
        Shape (n,). What a candidate is worth, above 0.
    cost
        Shape (n,). Millionths of the currency, at least 0.
    budgets, capacities
        Shape (k,) and (m,). Millionths that each budget holds; how often each offer can be given.
    per_customer
        Most offers of one customer.
    """

    customer: NDArray[np.int64]
    budget: NDArray[np.int64]
    offer: NDArray[np.int64]
    value: NDArray[np.float64]
    cost: NDArray[np.int64]
    budgets: NDArray[np.int64]
    capacities: NDArray[np.int64]
    per_customer: int

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.value)

    def of(self, some: NDArray[np.int64] | NDArray[np.bool_]) -> Problem:
        """Return the problem with some of the candidates only, given by their places in order or by a mask."""
        customer = self.customer[some]
        first = np.diff(customer, prepend=-1) != 0
        return Problem(
            np.cumsum(first) - 1, self.budget[some], self.offer[some], self.value[some], self.cost[some],
            self.budgets, self.capacities, self.per_customer,
        )  # fmt: skip

    def used(self, taken: NDArray[np.int64] | NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what candidates take of every budget and of every offer."""
        spent = np.zeros(len(self.budgets), np.int64)
        np.add.at(spent, self.budget[taken], self.cost[taken])
        return spent, np.bincount(self.offer[taken], minlength=len(self.capacities))

    def allows(self, taken: NDArray[np.int64] | NDArray[np.bool_]) -> bool:
        """Return whether candidates may be taken together."""
        spent, given = self.used(taken)
        each = np.bincount(self.customer[taken], minlength=1).max()
        return bool((spent <= self.budgets).all() and (given <= self.capacities).all() and each <= self.per_customer)
