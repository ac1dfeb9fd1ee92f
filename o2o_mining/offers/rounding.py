"""From prices to an allocation that breaks no limit and loses next to nothing."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from o2o_mining.offers.exact import best_allocation
from o2o_mining.offers.problem import UNLIMITED, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from o2o_mining.offers.prices import Market

# Fewer candidates than this are solved exactly.
EXACT_BELOW = 2_000
# So many candidates, whose side at the prices found is least certain, are decided anew together: how near to their
# best that comes, as a share of the value of the whole, and the most nodes that it may take.
_CORE = 150
_CORE_TOLERANCE = 1e-4
_CORE_NODES = 50
# Candidates below the prices that may fill what is left over, and how often it is tried.
_FILLERS = 50_000
_ROUNDS = 50
# Sums of floats that should be equal differ by less than this share.
_SAME = 1e-12


class Effort(IntEnum):
    """How much is decided by branch and bound: nothing, what is nearest to the other side, all that is open."""

    QUICK = 0
    NEAR = 1
    EXACT = 2


def rounded(
    market: Market, prices: NDArray[np.float64], bound: float, *, effort: Effort = Effort.EXACT
) -> tuple[NDArray[np.int64], float]:
    """Return the places of an allocation, and a bound that may be lower than the one given.

    Customers propose what is worth most to them after prices; proposals that fit are taken, those first of whom would
    lose most by the next best. Then the candidates nearest to the other side are decided exactly, together. Below
    2,000 candidates everything is decided exactly that the bound leaves open.

    Parameters
    ----------
    market
        The problem.
    prices
        Shape (d,). Prices of what can bind.
    bound
        What no allocation can exceed, by these prices.
    effort
        How far to go.
    """
    problem = market.problem
    worth = market.worth(prices)
    picked = market.picks(worth)
    taken = filled(problem, worth)
    value = float(problem.value[taken].sum())
    if bound - value <= _SAME * bound:
        return taken, value
    if effort is Effort.QUICK:
        return taken, bound
    distance = _distances(market, worth, picked)
    core = np.sort(np.argsort(distance, kind="stable")[:_CORE])
    sides = picked if _leaves_room(problem, np.setdiff1d(picked, core, assume_unique=True)) else taken
    taken, _ = _decided(market, sides, taken, core, tolerance=_CORE_TOLERANCE, nodes=_CORE_NODES)
    value = float(problem.value[taken].sum())
    if effort is Effort.EXACT and len(problem) < EXACT_BELOW:
        # An allocation in which a candidate changes sides is worth at most the bound less its distance.
        left_open = np.flatnonzero(distance <= bound - value + _SAME * bound)
        taken, bound_of_open = _decided(market, picked, taken, left_open)
        bound = min(bound, bound_of_open)
    return taken, max(bound, float(problem.value[taken].sum()))


def filled(problem: Problem, worth: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return what fits: customers propose their best, again and again, and who would lose most comes first.

    Parameters
    ----------
    problem
        The problem.
    worth
        Shape (n,). What candidates are worth after prices; of those below 0 only the best are looked at.
    """
    taken = np.zeros(0, np.int64)
    below = np.flatnonzero(worth < 0)
    least = np.partition(worth[below], -_FILLERS)[-_FILLERS] if len(below) > _FILLERS else -np.inf
    left = np.flatnonzero(worth >= least)
    customers = int(problem.customer[-1]) + 1 if len(problem) else 0
    for _ in range(_ROUNDS):
        spent, given = problem.used(taken)
        slots = problem.per_customer - np.bincount(problem.customer[taken], minlength=customers)
        money, pieces = problem.budgets - spent, problem.capacities - given
        fits = (problem.cost[left] <= money[problem.budget[left]]) & (pieces[problem.offer[left]] > 0)
        left = left[fits & (slots[problem.customer[left]] > 0)]
        if not len(left):
            break
        proposed = _proposals(problem.customer[left], worth[left])
        proposed = left[proposed]
        within = _running(problem.budget[proposed], problem.cost[proposed]) <= money[problem.budget[proposed]]
        within &= _running(problem.offer[proposed], np.ones(len(proposed), np.int64)) <= pieces[problem.offer[proposed]]
        accepted = proposed[within]
        taken = np.concatenate([taken, accepted])
        left = np.setdiff1d(left, accepted, assume_unique=True)
    return np.sort(taken)


def _proposals(customer: NDArray[np.int64], worth: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of every customer's best, those first that are furthest above the second best and above 0."""
    first = np.diff(customer, prepend=-1) != 0
    starts, number = np.flatnonzero(first), np.cumsum(first) - 1
    best = np.maximum.reduceat(worth, starts)
    places = np.flatnonzero(worth == best[number])
    places = places[np.diff(number[places], prepend=-1) != 0]
    others = worth.copy()
    others[places] = -np.inf
    lost = best - np.maximum(np.maximum.reduceat(others, starts), 0)
    return np.asarray(places[np.argsort(-lost, kind="stable")])


def _running(group: NDArray[np.int64], amount: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums so far within each group, in the order given."""
    order = np.argsort(group, kind="stable")
    sums = np.cumsum(amount[order])
    first = np.diff(group[order], prepend=-1) != 0
    before = (sums - amount[order])[first]
    sums -= np.repeat(before, np.diff(np.append(np.flatnonzero(first), len(sums))))
    running = np.empty_like(sums)
    running[order] = sums
    return running


def _mask(problem: Problem, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.zeros(len(problem), np.bool_)
    mask[places] = True
    return mask


def _distances(market: Market, worth: NDArray[np.float64], picked: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how much the bound falls at least if a candidate is not on the side that its customer picks."""
    problem, chosen = market.problem, _mask(market.problem, picked)
    next_best = np.maximum(np.maximum.reduceat(np.where(chosen, -np.inf, worth), market.starts), 0)
    full = np.bincount(problem.customer[picked], minlength=len(market.starts)) >= problem.per_customer
    least = np.where(full, np.minimum.reduceat(np.where(chosen, worth, np.inf), market.starts), 0)
    return np.where(chosen, worth - next_best[problem.customer], least[problem.customer] - worth)


def _leaves_room(problem: Problem, taken: NDArray[np.int64]) -> bool:
    spent, given = problem.used(taken)
    return bool((spent <= problem.budgets).all() and (given <= problem.capacities).all())


def _decided(
    market: Market,
    sides: NDArray[np.int64],
    taken: NDArray[np.int64],
    some: NDArray[np.int64],
    *,
    tolerance: float = 0.0,
    nodes: int = 20_000,
) -> tuple[NDArray[np.int64], float]:
    """Decide some candidates anew while the others stay on their sides.

    Returns the better of what was taken and what is found, and what no allocation with these sides can exceed.
    """
    problem = market.problem
    fixed = np.setdiff1d(sides, some, assume_unique=True)
    spent, given = problem.used(fixed)
    small = problem.of(some)
    small = replace(
        small,
        budgets=np.where(problem.budgets < UNLIMITED, problem.budgets - spent, UNLIMITED),
        capacities=np.where(problem.capacities < UNLIMITED, problem.capacities - given, UNLIMITED),
    )
    kept, whole = float(problem.value[fixed].sum()), float(problem.value[taken].sum())
    if not _leaves_room(problem, fixed):  # then no allocation has these sides
        return taken, whole
    held = np.bincount(problem.customer[fixed], minlength=len(market.starts))
    slots = problem.per_customer - held[problem.customer[some[np.diff(small.customer, prepend=-1) != 0]]]
    share = min(0.5, tolerance * whole / max(whole - kept, _SAME)) if tolerance else 0.0
    found, bound = best_allocation(small, slots, tolerance=share, nodes=nodes)
    again = np.sort(np.concatenate([fixed, some[found]]))
    better = float(problem.value[again].sum()) > whole and problem.allows(again)
    return (again if better else taken), max(whole, kept + bound)
