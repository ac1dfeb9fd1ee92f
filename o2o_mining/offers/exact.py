"""The best allocation of few candidates, by branch and bound."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from o2o_mining.offers.problem import MICROS, UNLIMITED, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

# HiGHS takes a limit for kept that is exceeded by a millionth.
_LENIENCE = 1.5 / MICROS
# It stops within a millionth of the best: counted in thousandths of the largest value, that is nothing.
_LARGEST = 1_000.0
# Hardly ever reached. A limit of time would give other results on another machine.
_NODES = 20_000
_SOLVED = 0


def best_allocation(
    problem: Problem, slots: NDArray[np.int64] | None = None, *, tolerance: float = 0.0, nodes: int = _NODES
) -> tuple[NDArray[np.int64], float]:
    """Return the places of the candidates to take, and what no allocation can exceed.

    Parameters
    ----------
    problem
        A few thousand candidates.
    slots
        Shape (customers,). How many offers each customer may still get; ``per_customer`` by default.
    tolerance
        Relative to the value: a solution this near to the best will do.
    nodes
        Most nodes looked at.

    Returns
    -------
    places, bound
        A solution that breaks no limit, and an upper bound of the value of all solutions.
    """
    if not len(problem):
        return np.zeros(0, np.int64), 0.0
    if slots is None:
        slots = np.full(int(problem.customer[-1]) + 1, problem.per_customer, np.int64)
    pieces = np.ones(len(problem))
    money, budgets = _rows(problem.budget, problem.cost / MICROS, problem.budgets / MICROS)
    others = [_rows(problem.customer, pieces, slots), _rows(problem.offer, pieces, problem.capacities)]
    matrix = vstack([money, *(rows for rows, _ in others)], format="csr")
    unit = float(problem.value.max()) / _LARGEST
    whole = float(problem.value.sum())
    bound = whole
    # What HiGHS was lenient with is solved again under budgets that leave no room for it.
    for stricter in (0.0, _LENIENCE):
        limits = np.concatenate([np.maximum(budgets - stricter, 0), *(limit for _, limit in others)])
        with _silent():
            solved = milp(
                -problem.value / unit,
                constraints=LinearConstraint(matrix, ub=limits),
                integrality=pieces,
                bounds=Bounds(0, 1),
                options={"mip_rel_gap": tolerance, "node_limit": nodes},
            )
        places = np.zeros(0, np.int64) if solved.x is None else np.flatnonzero(solved.x > 0.5)
        found = float(problem.value[places].sum())
        if not stricter and solved.mip_dual_bound is not None:
            proven = solved.status == _SOLVED and not tolerance
            bound = min(whole, found if proven else max(found, -float(solved.mip_dual_bound) * unit))
        if problem.allows(places):
            return places, bound
    return places[:0], bound


def _rows(
    group: NDArray[np.int64], amount: NDArray[np.float64], limits: NDArray[np.float64] | NDArray[np.int64]
) -> tuple[csr_array, NDArray[np.float64]]:
    """Return one row for each group that its limit can bind, and those limits."""
    most = np.bincount(group, amount, minlength=len(limits))
    binding = (limits < UNLIMITED / MICROS) & (most > limits)
    place = np.cumsum(binding) - 1
    some = binding[group]
    shape = (int(binding.sum()), len(group))
    matrix = coo_array((amount[some], (place[group[some]], np.flatnonzero(some))), shape=shape)
    return matrix.tocsr(), np.asarray(limits[binding], dtype=np.float64)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep off standard output what HiGHS (as SciPy 1.17 brings it) prints whatever its options say."""
    if os.name != "posix":
        yield
        return
    printed = ctypes.CDLL(None).fflush
    printed(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        printed(None)  # while it still goes nowhere
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
