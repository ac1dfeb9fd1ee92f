"""Offers are allocated so that they are worth most together, and no limit is ever broken."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.core.errors import UsageError
from o2o_mining.offers import Allocation, allocate
from o2o_mining.offers.allocation import stated
from o2o_mining.offers.exact import best_allocation
from tests.unit.offers.drawn import budgets, candidates

COLUMNS = ["customer_id", "offer_id", "campaign_id", "value", "cost"]
# Few values and costs, so that ties, free offers and worthless ones abound.
_ROW = st.tuples(
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.0, 2.25, 7.3]),
    st.sampled_from([0.0, 0.01, 0.5, 1.0, 1.0, 2.345678]),
)
ROWS = st.lists(_ROW, max_size=14, unique_by=lambda row: row[:2])
BUDGET = st.sampled_from([0.0, 0.01, 1.0, 2.0, 3.35, math.inf])


def _table(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame([(c, o, o % 2, v, cost) for c, o, v, cost in rows], columns=COLUMNS)


def _broken(found: Allocation, budget: dict[int, float], per_customer: int, capacity: dict[int, int]) -> list[str]:
    """Name the limits that an allocation breaks, by exact fractions of what floats print as."""
    chosen = found.selected
    broken = []
    for campaign, limit in budget.items():
        costs = chosen.loc[chosen["campaign_id"] == campaign, "cost"]
        if math.isfinite(limit) and sum(Fraction(str(cost)) for cost in costs) > Fraction(str(limit)):
            broken.append(f"budget of {campaign}")
    broken += [f"customer {c}" for c, n in Counter(chosen["customer_id"]).items() if n > per_customer]
    return broken + [f"offer {o}" for o, n in Counter(chosen["offer_id"]).items() if n > capacity.get(o, math.inf)]


def _most_by_trying(
    given: list[tuple[Any, ...]], budget: dict[int, float], per_customer: int, capacity: dict[int, int]
) -> float:
    """Return the most that any set of candidates is worth, by trying all."""
    rows = [row for row in given if row[2] > 0]
    best = 0.0
    for size in range(len(rows) + 1):
        for some in itertools.combinations(rows, size):
            spent: Counter[int] = Counter()
            for _, offer, _, cost in some:
                spent[offer % 2] += round(cost * 1_000_000)
            if any(spent[c] > round(limit * 1_000_000) for c, limit in budget.items() if math.isfinite(limit)):
                continue
            if any(n > per_customer for n in Counter(row[0] for row in some).values()):
                continue
            if any(n > capacity.get(o, math.inf) for o, n in Counter(row[1] for row in some).items()):
                continue
            best = max(best, sum(row[2] for row in some))
    return best


@settings(max_examples=60, deadline=None)
@given(ROWS, BUDGET, BUDGET, st.integers(1, 2), st.dictionaries(st.integers(0, 3), st.integers(0, 2)))
def test_few_candidates_are_allocated_as_if_everything_had_been_tried(
    rows: list[tuple[Any, ...]], one: float, other: float, per_customer: int, capacity: dict[int, int]
) -> None:
    table, budget = _table(rows), {0: one, 1: other}
    found = allocate(table, budget=budget, per_customer=per_customer, capacity=capacity)
    assert _broken(found, budget, per_customer, capacity) == []
    assert (found.selected["value"] > 0).all()
    assert found.value == pytest.approx(_most_by_trying(rows, budget, per_customer, capacity))
    assert found.gap == pytest.approx(0, abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(0.001, 0.5), st.integers(1, 3),
    st.sampled_from(["drawn", "all alike", "few prices"]),
)  # fmt: skip
def test_many_candidates_break_no_limit_either(seed: int, share: float, per_customer: int, sort: str) -> None:
    table = candidates(900, 6, seed=seed)
    if sort == "all alike":
        table["value"], table["cost"] = 1.0, 0.33
    if sort == "few prices":
        table["value"], table["cost"] = table["value"].round(0), table["cost"].round(0)
    limits, capacity = budgets(table, share), {0: 7, 3: 0, 4: 100}
    found = allocate(table, budget=limits, per_customer=per_customer, capacity=capacity)
    assert _broken(found, limits, per_customer, capacity) == []
    assert (found.selected["value"] > 0).all()
    assert found.value <= found.upper_bound * (1 + 1e-12)
    assert found.value == pytest.approx(found.selected["value"].sum())
    assert found.cost == pytest.approx(found.selected["cost"].sum(), abs=1e-6)


def test_below_two_thousand_candidates_the_best_is_found() -> None:
    table = candidates(300, 5, seed=0)
    limits = budgets(table, 0.1)
    problem, _ = stated(table, limits, 1, {})
    assert 1_200 < len(problem) < 2_000
    best, bound = best_allocation(problem)
    found = allocate(table, budget=limits)
    assert found.value == pytest.approx(problem.value[best].sum(), rel=1e-9)
    assert found.upper_bound == pytest.approx(bound, rel=1e-9)
    assert found.gap == 0


@pytest.mark.parametrize("seed", range(3))
def test_from_a_thousand_customers_on_the_best_is_missed_by_less_than_a_thousandth(seed: int) -> None:
    table = candidates(1_000, 5, seed=seed)
    limits = budgets(table, 0.1)
    problem, _ = stated(table, limits, 1, {})
    assert len(problem) > 2_000
    best, bound = best_allocation(problem, tolerance=1e-4)
    found = allocate(table, budget=limits)
    assert found.value >= 0.999 * bound
    assert problem.value[best].sum() <= found.upper_bound * (1 + 1e-9)


def test_the_gap_holds_what_is_missed() -> None:
    table = candidates(3_000, 8, seed=5)
    found = allocate(table, budget=budgets(table, 0.05), capacity={1: 40})
    assert 0 <= found.gap < 1e-3
    assert found.gap == pytest.approx(1 - found.value / found.upper_bound)


def test_rows_may_come_in_any_order() -> None:
    table = candidates(700, 6, seed=3)
    table["value"] = table["value"].round(1)  # ties
    shuffled = table.sample(frac=1, random_state=1)
    limits = budgets(table, 0.1)
    one, other = (allocate(some, budget=limits) for some in (table, shuffled))
    pd.testing.assert_frame_equal(one.selected, other.selected)
    assert one.upper_bound == other.upper_bound


def test_one_budget_may_serve_everything() -> None:
    table = candidates(200, 3, seed=4).drop(columns="campaign_id")
    found = allocate(table, budget=5.0)
    assert 4.9 < found.cost <= 5.0
    assert found.selected["customer_id"].is_unique


def test_without_limits_everybody_gets_what_is_worth_most_to_them() -> None:
    table = candidates(2_000, 5, seed=6)
    found = allocate(table, budget=math.inf)
    best = table[table["value"] > 0].groupby("customer_id")["value"].max()
    assert found.value == pytest.approx(best.sum())
    assert found.gap == 0


def test_a_budget_of_nothing_buys_what_costs_nothing() -> None:
    table = pd.DataFrame({"customer_id": ["a", "b"], "offer_id": ["x", "x"], "value": [1.0, 2.0], "cost": [0.0, 0.01]})
    assert allocate(table, budget=0.0).selected["customer_id"].tolist() == ["a"]


def test_budgets_are_kept_to_the_last_fraction_of_a_cent() -> None:
    # Ten times 0.1 is a little more than 1 in floats, and exactly 1 in money.
    table = pd.DataFrame({"customer_id": range(30), "offer_id": 0, "value": 1.0, "cost": 0.1})
    assert len(allocate(table, budget=1.0).selected) == 10
    table["cost"] = 0.100001
    assert len(allocate(table, budget=1.0).selected) == 9


def test_nothing_to_allocate_is_an_empty_allocation() -> None:
    empty = allocate(_table([]), budget={})
    assert (len(empty.selected), empty.value, empty.cost, empty.upper_bound, empty.gap) == (0, 0.0, 0.0, 0.0, 0.0)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    table = candidates(300, 5, seed=0)
    allocate(table, budget=budgets(table, 0.1))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": np.nan}, "1 of 2 candidates have a value or cost that is missing"),
        ({"cost": np.inf}, "1 of 2 candidates have a value or cost that is missing"),
        ({"cost": -0.01}, "1 of 2 candidates have a value or cost that is missing"),
        ({"customer_id": "a"}, "1 candidates repeat a customer and an offer"),
        ({"customer_id": None}, "no customer or no offer"),
        ({"campaign_id": "unheard of"}, "budget of unheard of is None"),
        ({"campaign_id": None}, "1 candidates have no campaign"),
        ({"value": 1e13}, "1 of 2 candidates have a value above 1,000,000,000,000"),
        ({"cost": 1e13}, "1 of 2 candidates have a cost above 1,000,000,000,000"),
        ({"cost": 1e12}, "the column cost sums up to 1,000,000,000,001"),
    ],
)
def test_unsound_candidates_are_refused(change: dict[str, Any], said: str) -> None:
    rows = {"customer_id": ["a", "b"], "offer_id": ["x", "x"], "campaign_id": ["g", "g"]}
    table = pd.DataFrame({**rows, "value": [1.0, 2.0], "cost": [1.0, 1.0]})
    for name, value in change.items():
        table[name] = [table[name].iloc[0], value]
    with pytest.raises(UsageError, match=said):
        allocate(table, budget={"g": 1.0})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": -1.0}, "budget of everything is -1.0"),
        ({"budget": math.nan}, "budget of everything is nan"),
        ({"budget": "5"}, "budget of everything is '5'"),
        ({"budget": 1e13}, "budget of everything is 10000000000000.0"),
        ({"budget": 1.0, "per_customer": 0}, "per_customer = 0"),
        ({"budget": 1.0, "per_customer": 1.5}, "per_customer = 1.5"),
        ({"budget": 1.0, "per_customer": "1"}, "per_customer = '1'"),
        ({"budget": 1.0, "capacity": {0: "2"}}, "capacity of 0 is '2'"),
        ({"budget": 1.0, "capacity": {0: -1}}, "capacity of 0 is -1"),
    ],
)
def test_limits_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        allocate(_table([(0, 0, 1.0, 1.0)]), **options)


def test_the_largest_amounts_are_still_exact() -> None:
    table = _table([(0, 0, 1e12, 4e11), (1, 0, 1e12, 6e11), (2, 0, 1.0, 0.0)])
    assert (allocate(table, budget=1e12).cost, allocate(table, budget=5 * 10**11).cost) == (1e12, 4e11)


def test_missing_columns_are_named() -> None:
    with pytest.raises(UsageError, match="lack the columns cost, campaign_id"):
        allocate(_table([(0, 0, 1.0, 1.0)])[["customer_id", "offer_id", "value"]], budget={"g": 1.0})
