"""Which offers to give, under budgets, limits per customer and capacities: the worth of all of them at its most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from o2o_mining.core.errors import UsageError
from o2o_mining.offers.prices import clearing_prices
from o2o_mining.offers.problem import LARGEST, MICROS, UNLIMITED, Problem
from o2o_mining.offers.rounding import Effort, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Allocation:
    """The offers to give.

    Attributes
    ----------
    selected
        The candidates chosen, sorted by customer and offer; columns and index as given.
    value, cost
        Their sums.
    upper_bound
        What no allocation of these candidates can exceed.
    gap
        How far the value may at most be from the best, as a share of the bound.
    """

    selected: pd.DataFrame
    value: float
    cost: float
    upper_bound: float

    @property
    def gap(self) -> float:
        """How far the value may at most be from the best, as a share of the bound."""
        return max(0.0, 1 - self.value / self.upper_bound) if self.upper_bound > 0 else 0.0


def allocate(
    candidates: pd.DataFrame,
    *,
    budget: float | Mapping[Any, float],
    per_customer: int = 1,
    capacity: Mapping[Any, int] | None = None,
) -> Allocation:
    """Choose the offers that are worth most together and break no limit.

    Budgets and scarce offers get prices (Lagrange multipliers) such that customers who pick what is worth most to them
    after prices take about what there is; the picks nearest to being others are then decided exactly. The prices also
    give the bound. Below 2,000 candidates with a positive value everything is decided exactly that the bound leaves
    open: then the solution is the best. Costs are counted in millionths and their sums are exact.

    Parameters
    ----------
    candidates
        One row an offer that a customer could get: ``customer_id, offer_id, value, cost``, and ``campaign_id`` when
        ``budget`` is by campaign. What is worth nothing or less is never chosen. No amount, and no sum of all costs,
        may exceed 1e12.
    budget
        Money for everything, or for each campaign, up to 1e12; ``math.inf`` for no limit.
    per_customer
        Most offers for one customer.
    capacity
        How often an offer can be given; offers that it does not name have no limit.

    Returns
    -------
    Allocation
        The same for the same candidates in any order.

    Raises
    ------
    UsageError
        If a column is missing, a number is missing, not finite or too large, a cost is negative, a pair of customer and
        offer occurs twice, a campaign has no budget, or a limit is negative or no number.

    Examples
    --------
    >>> candidates = pd.DataFrame({
    ...     "customer_id": ["ann", "ann", "bob"], "offer_id": ["tea", "spa", "tea"],
    ...     "value": [2.0, 9.0, 1.5], "cost": [1.0, 5.0, 1.0],
    ... })
    >>> found = allocate(candidates, budget=6.0)
    >>> found.selected[["customer_id", "offer_id"]].to_numpy().tolist()
    [['ann', 'spa'], ['bob', 'tea']]
    >>> found.value, found.cost, found.upper_bound, found.gap
    (10.5, 6.0, 10.5, 0.0)
    """
    return allocated(candidates, budget=budget, per_customer=per_customer, capacity=capacity or {}, effort=Effort.EXACT)


def allocated(
    candidates: pd.DataFrame,
    *,
    budget: float | Mapping[Any, float],
    per_customer: int,
    capacity: Mapping[Any, int],
    effort: Effort,
) -> Allocation:
    """Return what `allocate` does, with less effort where many plans are compared."""
    problem, rows = stated(candidates, budget, per_customer, capacity)
    taken, bound = rounded(*clearing_prices(problem, roughly=effort is Effort.QUICK), effort=effort)
    value, cost = float(problem.value[taken].sum()), int(problem.cost[taken].sum()) / MICROS
    return Allocation(candidates.iloc[rows[taken]], value, cost, bound)


def stated(
    candidates: pd.DataFrame, budget: float | Mapping[Any, float], per_customer: int, capacity: Mapping[Any, int]
) -> tuple[Problem, NDArray[np.int64]]:
    """Return the problem of the candidates that can be chosen at all, and their rows."""
    by_campaign = isinstance(budget, Mapping)
    needed = ["customer_id", "offer_id", "value", "cost", *(["campaign_id"] if by_campaign else [])]
    missing = [name for name in needed if name not in candidates]
    if missing:
        raise UsageError(f"candidates lack the columns {', '.join(missing)}", next_step=f"give {', '.join(needed)}")
    value, cost = (candidates[name].to_numpy(np.float64) for name in ("value", "cost"))
    unsound = ~np.isfinite(value) | ~np.isfinite(cost) | (cost < 0)
    if unsound.any():
        raise UsageError(
            f"{int(unsound.sum()):,} of {len(value):,} candidates have a value or cost that is missing, infinite or, "
            "for a cost, negative", next_step="leave them out or mend them",
        )  # fmt: skip
    _refuse_too_large(value, cost)
    _refuse_no_count(per_customer)
    customer, _ = pd.factorize(candidates["customer_id"], sort=True)
    offer, offers = pd.factorize(candidates["offer_id"], sort=True)
    order = np.argsort(customer * np.int64(max(len(offers), 1)) + offer, kind="stable")
    _refuse_twice(customer[order], offer[order])
    if isinstance(budget, Mapping):
        drawn, campaigns = pd.factorize(candidates["campaign_id"], sort=True)
        if (drawn < 0).any():
            raise UsageError(f"{int((drawn < 0).sum()):,} candidates have no campaign", next_step="leave them out")
        budgets = _limits([budget.get(name) for name in campaigns], campaigns, "budget", MICROS)
    else:
        drawn, budgets = np.zeros(len(value), np.int64), _limits([budget], ["everything"], "budget", MICROS)
    capacities = _limits([capacity.get(name, math.inf) for name in offers], offers, "capacity", 1)
    # Rounded up: what is off by less than a thousandth of a millionth is the float's, not the cost's.
    micros = np.ceil(np.round(cost * MICROS, 3)).astype(np.int64)
    sound = (value > 0) & (micros <= budgets[drawn]) & (capacities[offer] > 0)
    rows = order[sound[order]]
    first = np.diff(customer[rows], prepend=-1) != 0
    return Problem(
        np.cumsum(first) - 1, drawn[rows], offer[rows], value[rows], micros[rows], budgets, capacities, per_customer
    ), rows  # fmt: skip


def _refuse_too_large(value: NDArray[np.float64], cost: NDArray[np.float64]) -> None:
    """Refuse amounts whose sums in millionths would not be exact, or not fit."""
    for name, amounts in (("value", np.abs(value)), ("cost", cost)):
        above = int((amounts > LARGEST).sum())
        if above:
            raise UsageError(
                f"{above:,} of {len(amounts):,} candidates have a {name} above {LARGEST:,}",
                next_step=f"give amounts up to {LARGEST:,}, in a larger unit of money if need be",
            )
    if cost.sum() > LARGEST:
        raise UsageError(
            f"the column cost sums up to {cost.sum():,.0f}, and {LARGEST:,} is the most that can be counted",
            next_step="give amounts in a larger unit of money, or fewer candidates",
        )


def _refuse_no_count(per_customer: object) -> None:
    if not isinstance(per_customer, int | np.integer) or per_customer < 1:
        raise UsageError(f"per_customer = {per_customer!r}", next_step="give a whole number from 1 on")


def _refuse_twice(customer: NDArray[np.int64], offer: NDArray[np.int64]) -> None:
    twice = (np.diff(customer) == 0) & (np.diff(offer) == 0)
    if twice.any():
        raise UsageError(
            f"{int(twice.sum()):,} candidates repeat a customer and an offer", next_step="give each pair once"
        )
    if (customer < 0).any() or (offer < 0).any():
        raise UsageError("some candidates have no customer or no offer", next_step="leave them out")


def _limits(given: list[float | None], names: Iterable[Any], what: str, unit: int) -> NDArray[np.int64]:
    """Return limits as whole numbers of a unit, rounded down."""
    limits = []
    for name, limit in zip(names, given, strict=True):
        if not isinstance(limit, int | float | Decimal | np.number) or math.isnan(limit) or limit < 0:
            raise UsageError(
                f"{what} of {name} is {limit!r}", next_step="give a number from 0 on, or math.inf for none"
            )
        if unit == MICROS and LARGEST < limit < math.inf:
            raise UsageError(f"{what} of {name} is {limit}", next_step=f"give up to {LARGEST:,}, or math.inf for none")
        limits.append(UNLIMITED if limit * unit >= UNLIMITED else math.floor(round(limit * unit, 3)))
    return np.array(limits, dtype=np.int64)
