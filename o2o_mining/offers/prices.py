"""Prices of budgets and offers under which every customer, left alone, picks about what can be afforded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

from o2o_mining.offers.problem import MICROS, UNLIMITED, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

# So many customers are looked at to find where to begin, and so often a price vector is tried at most.
_SAMPLE = 20_000
_TRIALS = 150
# The search ends when the bound can fall by no more than this share of itself; the second where less will do.
_ENOUGH = 2e-6
_ROUGHLY = 2e-4


@dataclass(frozen=True)
class Demand:
    """What customers pick at some prices.

    Attributes
    ----------
    bound
        What no allocation can exceed: the worth of the picks after prices, and of all limits at these prices.
    slope
        Shape (k + m,). How the bound changes with every price: what is left of each limit.
    """

    bound: float
    slope: NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """A problem seen by its limits that can bind: the only ones with a price.

    Attributes
    ----------
    problem
        The problem.
    priced
        Shape (d,). Places among all budgets, then all offers, of what can bind.
    limits
        Shape (d,). Money of the budgets and pieces of the offers that can bind.
    highest
        Shape (d,). The price from which on nobody wants it.
    """

    problem: Problem
    priced: NDArray[np.int64]
    limits: NDArray[np.float64]
    highest: NDArray[np.float64]
    starts: NDArray[np.int64]
    money: NDArray[np.float64] = field(repr=False)

    @staticmethod
    def of(problem: Problem) -> Market:
        """Return the market of a problem."""
        money = problem.cost / MICROS
        spent, given = problem.used(np.ones(len(problem), dtype=np.bool_))
        binding = np.concatenate([
            (spent > problem.budgets) & (problem.budgets < UNLIMITED), given > problem.capacities,
        ])  # fmt: skip
        limits = np.concatenate([problem.budgets / MICROS, problem.capacities.astype(np.float64)])
        highest = np.zeros(len(limits))
        costly = money > 0
        np.maximum.at(highest, problem.budget[costly], problem.value[costly] / money[costly])
        np.maximum.at(highest, len(spent) + problem.offer, problem.value)
        starts = np.flatnonzero(np.diff(problem.customer, prepend=-1))
        priced = np.flatnonzero(binding)
        return Market(problem, priced, limits[priced], highest[priced], starts, money)

    def all_prices(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the prices of all budgets and then all offers; what cannot bind costs nothing."""
        every = np.zeros(len(self.problem.budgets) + len(self.problem.capacities))
        every[self.priced] = prices
        return every

    def worth(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each candidate is worth after it has paid for what it takes."""
        every = self.all_prices(prices)
        k = len(self.problem.budgets)
        worth = self.problem.value - every[self.problem.budget] * self.money
        if every[k:].any():
            worth -= every[k + self.problem.offer]
        return worth

    def picks(self, worth: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the places of what customers pick: their best above 0, as many as they may have, ties to the first."""
        left, found = worth, []
        for turn in range(self.problem.per_customer):
            best = np.maximum.reduceat(left, self.starts)
            wanted = np.flatnonzero((left == best[self.problem.customer]) & (left > 0))
            wanted = wanted[np.diff(self.problem.customer[wanted], prepend=-1) != 0]
            if not len(wanted):
                break
            found.append(wanted)
            if turn + 1 < self.problem.per_customer:
                left = left.copy() if turn == 0 else left
                left[wanted] = -np.inf
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def demand(self, prices: NDArray[np.float64]) -> Demand:
        """Return what customers pick at prices, and what follows for the bound."""
        worth = self.worth(prices)
        picked = self.picks(worth)
        k = len(self.problem.budgets)
        spent = np.bincount(self.problem.budget[picked], self.money[picked], minlength=k)
        given = np.bincount(self.problem.offer[picked], minlength=len(self.problem.capacities))
        slope = self.limits - np.concatenate([spent, given])[self.priced]
        return Demand(float(worth[picked].sum() + prices @ self.limits), slope)


def clearing_prices(problem: Problem, *, roughly: bool = False) -> tuple[Market, NDArray[np.float64], float]:
    """Return the market, the prices with the least bound, and that bound.

    The bound is convex in the prices. Each trial gives a plane below it; the next prices are the lowest point of all
    planes within a box around the best prices so far (Kelley's cutting planes, kept from leaping by the box).
    Source: Marsten, Hogan and Blankenship, The boxstep method for large-scale optimization, Operations Research 23
    (1975).

    Parameters
    ----------
    problem
        Candidates and limits.
    roughly
        Whether prices will do that are not quite the best.

    Returns
    -------
    market, prices, bound
        Prices of what can bind, shape (d,); an upper bound of the value of all allocations.
    """
    market = Market.of(problem)
    start, reach = np.zeros(len(market.priced)), 1.0
    customers = len(market.starts)
    if len(market.priced) and customers > 2 * _SAMPLE:
        start, reach = _prices_of_sample(market, customers // _SAMPLE), 0.02
    prices, bound = _lowest(market, start, reach, _ROUGHLY if roughly else _ENOUGH)
    return market, prices, bound


def _prices_of_sample(market: Market, every: int) -> NDArray[np.float64]:
    """Return the prices of every so-many-th customer, with so much less of everything."""
    problem = market.problem
    some = problem.of(problem.customer % every == 0)
    smaller = Problem(
        some.customer, some.budget, some.offer, some.value, some.cost,
        np.where(some.budgets < UNLIMITED, some.budgets // every, UNLIMITED),
        np.where(some.capacities < UNLIMITED, some.capacities // every, UNLIMITED), some.per_customer,
    )  # fmt: skip
    found = Market.of(smaller)
    prices, _ = _lowest(found, np.zeros(len(found.priced)), 1.0, _ENOUGH)
    return np.minimum(found.all_prices(prices)[market.priced], market.highest)


def _lowest(
    market: Market, start: NDArray[np.float64], reach: float, enough: float
) -> tuple[NDArray[np.float64], float]:
    """Return the prices with the least bound, looking first within a share of the highest prices around some."""
    best, at = market.demand(start), start
    scale = np.maximum(market.highest, 1e-12)
    slopes, heights = [best.slope], [best.bound - best.slope @ start]
    for _ in range(_TRIALS if len(start) else 0):
        low = np.maximum(at - reach * scale, 0)
        high = np.minimum(at + reach * scale, market.highest)
        proposed, floor = _lowest_of_planes(np.array(slopes), np.array(heights), low, high)
        promised = best.bound - floor
        edge = bool((((proposed <= low) & (low > 0)) | ((proposed >= high) & (high < market.highest))).any())
        if promised <= enough * abs(best.bound):
            if not edge:
                break
            reach *= 4
            continue
        found = market.demand(proposed)
        slopes.append(found.slope)
        heights.append(found.bound - found.slope @ proposed)
        if found.bound < best.bound:
            reach *= 2 if edge else 1
            best, at = found, proposed
        else:
            reach /= 2
    return at, best.bound


def _lowest_of_planes(
    slopes: NDArray[np.float64], heights: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the lowest point above all planes within a box, and its height."""
    # In shares of the box and of the largest height, so that no number is far from 1.
    wide = np.maximum(high - low, 1e-300)
    base = heights + slopes @ low
    unit = max(float(np.abs(base).max()), 1e-300)
    rows = np.column_stack([slopes * wide / unit, -np.ones(len(slopes))])
    aim = np.append(np.zeros(len(low)), 1.0)
    bounds = [(0, 1)] * len(low) + [(None, None)]
    solved = linprog(aim, A_ub=rows, b_ub=-base / unit, bounds=bounds, method="highs")
    if solved.x is None:
        return low, -np.inf
    return np.clip(low + solved.x[:-1] * wide, low, high), float(solved.x[-1] * unit)
