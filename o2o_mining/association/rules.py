"""From transactions to rules: found in one half of the customers, judged in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from o2o_mining.association.families import Columns, Family, Habit, common
from o2o_mining.association.holdout import N_SIZES, NOTHING, Comparison, Estimate, by_habit, either, q_values, strata
from o2o_mining.association.itemsets import fitting_sets, metrics
from o2o_mining.association.mining import least_count

Array = NDArray[Any]

MOST_SETS = 100_000  # pairs of one half; where there are more, those in more transactions are looked at
MOST_TESTED = 200  # rules of one family and length; the strongest
_LEAST = 3  # transactions of the half that finds rules
_STRONG = 2.0  # root of the deviance from which on a rule is worth testing
_BLOCK = 1_024
_HABIT_ITEMS = 300  # the most common ones

COLUMNS = (
    "scope", "level", "antecedents", "consequents", "n_baskets", "support", "confidence", "lift", "leverage",
    "conviction", "holdout_lift", "holdout_lift_low", "holdout_lift_high", "q_value", "customers", "cents",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A rule worth testing: codes of the antecedents, ascending, and of the consequent."""

    antecedents: tuple[int, ...]
    consequent: int


@dataclass(frozen=True)
class Tested:
    """A rule of a family and what the other half of the customers says of it."""

    family: Family
    rule: Candidate
    estimate: Estimate


def tested_rules(family: Family, *, min_support: float, max_length: int) -> list[Tested]:
    """Let each half of the customers judge the rules that the other half found.

    Parameters
    ----------
    family
        The transactions.
    min_support
        Least share of the transactions of the half that finds; more where that gives too many itemsets.
    max_length
        Longest itemset of baskets; other families have pairs alone.

    Returns
    -------
    list of Tested
        Every rule that was tested, also those that failed, by antecedents and consequent.
    """
    judged: dict[Candidate, list[Estimate]] = {}
    if not family.half.any() or family.half.all():
        return []
    halves = [Half.of(family, some) for some in (~family.half, family.half)]
    for finder, other in (halves, reversed(halves)):
        judge = _Judge(other)
        for rule in _found_rules(finder, min_support=min_support, max_length=max_length):
            judged.setdefault(rule, []).append(judge.estimate(rule))
    return [
        Tested(family, rule, either(estimates[0], estimates[-1] if len(estimates) > 1 else NOTHING))
        for rule, estimates in sorted(judged.items(), key=lambda one: (one[0].antecedents, one[0].consequent))
    ]


@dataclass(frozen=True)
class Half:
    """The transactions of one half of the customers: which they are, and what they hold by their numbers in all."""

    family: Family
    kept: Array
    left: Columns
    right: Columns

    @classmethod
    def of(cls, family: Family, kept: Array) -> Half:
        """Take the transactions of a mask."""
        left = family.left.among(kept)
        return cls(family, kept, left, left if family.is_one_basket else family.right.among(kept))

    def __len__(self) -> int:
        return int(np.count_nonzero(self.kept))


def _found_rules(half: Half, *, min_support: float, max_length: int) -> list[Candidate]:
    """Return what one half finds worth testing."""
    least = max(_LEAST, least_count(min_support, len(half)))
    if half.family.habit:
        return _habit_rules(half, half.family.habit, least)
    pairs, counts = _found_pairs(half, least)
    chosen = _pair_rules(half, pairs, counts)
    if half.family.is_one_basket and max_length > 2:
        chosen += _triple_rules(*_triples(half.left, chosen, least), pairs, counts, half.left.sizes)
    return chosen


def surviving(tested: Sequence[Tested], *, max_q: float) -> list[tuple[Tested, float]]:
    """Return the rules that hold, with their q values over all that were tested.

    A rule holds if its false discovery rate is at most ``max_q``, its interval lies above 1, and no rule with fewer
    antecedents and the same consequent lifts as much.
    """
    q = q_values(np.array([one.estimate.p_value for one in tested]))
    held = [
        (one, float(value)) for one, value in zip(tested, q, strict=True) if value <= max_q and one.estimate.low > 1.0
    ]
    lifts = {
        (id(one.family), one.rule.antecedents[0], one.rule.consequent): one.estimate.lift
        for one, _ in held
        if len(one.rule.antecedents) == 1
    }

    def is_redundant(one: Tested) -> bool:
        general = [lifts.get((id(one.family), item, one.rule.consequent), 0.0) for item in one.rule.antecedents]
        return len(one.rule.antecedents) > 1 and one.estimate.lift <= max(general)

    return [(one, value) for one, value in held if not is_redundant(one)]


def as_table(held: Sequence[tuple[Tested, float]]) -> pd.DataFrame:
    """Return rules as rows with plain metrics over all transactions, both halves together.

    Returns
    -------
    DataFrame
        ``COLUMNS``; names of items are lists of text.
    """
    rows = []
    for one, q in held:
        family, rule, estimate = one.family, one.rule, one.estimate
        left, right = family.left.of_all(rule.antecedents), family.right.of(rule.consequent)
        both = common(left, right)
        n_left, n_right, n_both = (np.array([len(part)]) for part in (left, right, both))
        plain = {name: value[0] for name, value in metrics(n_left, n_right, n_both, len(family)).items()}
        rows.append({
            "scope": family.scope,
            "level": family.level,
            "antecedents": sorted(family.names[item] for item in rule.antecedents),
            "consequents": [family.names[rule.consequent]],
            "n_baskets": len(family),
            **{name: float(plain[name]) for name in ("support", "confidence", "lift", "leverage")},
            "conviction": None if np.isinf(plain["conviction"]) else float(plain["conviction"]),
            "holdout_lift": _rounded(estimate.lift),
            "holdout_lift_low": _rounded(estimate.low),
            "holdout_lift_high": _rounded(estimate.high),
            "q_value": _rounded(q),
            "customers": int(np.count_nonzero(np.bincount(family.customer[both]))),
            "cents": int(family.cents[both].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rounded(value: float) -> float:
    """Keep eight significant digits: what floats make of a sum in another order lies below."""
    return float(f"{value:.8g}")


def _found_pairs(half: Half, least: int) -> tuple[Array, Array]:
    """Return the pairs (left, right) that are frequent in one half, with their counts."""
    if not half.family.is_one_basket:
        return _followed_pairs(half, least)
    _, sets = fitting_sets(half.left.transaction, half.left.item, least=least, max_length=2, most=MOST_SETS)
    if len(sets) < 2:
        return np.empty((0, 2), np.int64), np.array([], np.int64)
    # Each set of two is a rule in both directions.
    both = np.concatenate([sets[1].items, sets[1].items[:, ::-1]])
    return both, np.concatenate([sets[1].counts] * 2)


def _triples(held: Columns, chosen: Sequence[Candidate], least: int) -> tuple[Array, Array]:
    """Return the frequent sets of three that hold one of the pairs chosen, ascending, with their counts.

    A rule of two antecedents is worth a look where one of them alone says something already. To go on from there is
    bounded; the sets of three of a supermarket are not.
    """
    n_items = len(held.sizes)
    rows = np.sort(held.transaction * n_items + held.item)
    starts = np.searchsorted(rows, np.arange(int(held.transaction.max(initial=0)) + 2) * n_items)
    found: dict[tuple[int, ...], int] = {}
    for pair in sorted({tuple(sorted((*rule.antecedents, rule.consequent))) for rule in chosen}):
        both = held.of_all(pair)
        lengths = starts[both + 1] - starts[both]
        before = np.cumsum(lengths) - lengths
        counts = np.bincount(
            rows[np.repeat(starts[both] - before, lengths) + np.arange(int(lengths.sum()))] % n_items,
            minlength=n_items,
        )
        counts[list(pair)] = 0
        for third in np.flatnonzero(counts >= least).tolist():
            found[tuple(sorted((*pair, third)))] = int(counts[third])
    triples = sorted(found)
    return np.array(triples, np.int64).reshape(-1, 3), np.array([found[one] for one in triples], np.int64)


def _followed_pairs(half: Half, least: int) -> tuple[Array, Array]:
    sides = []
    for some in (half.left, half.right):
        kept = (some.sizes >= least)[some.item]
        shape = (len(some.sizes), len(half.kept))
        table = sparse.coo_array((np.ones(int(kept.sum()), np.int32), (some.item[kept], some.transaction[kept])), shape)
        sides.append(table.tocsr())
    left, turned = sides[0], sides[1].T.tocsr()
    parts, counts = [np.empty((0, 2), np.int64)], [np.array([], np.int64)]
    for begin in range(0, left.shape[0], _BLOCK):
        together = (left[begin : begin + _BLOCK] @ turned).tocoo()
        first, second = together.coords[0] + begin, together.coords[1]
        kept = (together.data >= least) & (first != second)
        parts.append(np.column_stack([first[kept], second[kept]]))
        counts.append(together.data[kept].astype(np.int64))
    pairs, found = np.concatenate(parts).astype(np.int64), np.concatenate(counts)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], found[order]


def _pair_rules(half: Half, pairs: Array, counts: Array) -> list[Candidate]:
    """Return the pairs that meet more often than by chance, the strongest first where there are too many."""
    if not len(pairs):
        return []
    kept = _strongest(counts, _expected(half, pairs), pairs)
    return [Candidate((int(left),), int(right)) for left, right in pairs[kept]]


def _habit_rules(half: Half, habit: Habit, least: int) -> list[Candidate]:
    """Return the pairs that linked visits hold more often than the customers' habits would give."""
    sizes = np.minimum(half.left.sizes, half.right.sizes)
    frequent = np.flatnonzero(sizes >= least)
    frequent = np.sort(frequent[np.lexsort((frequent, -sizes[frequent]))][:_HABIT_ITEMS])
    if not len(frequent):
        return []
    finders = np.zeros(len(habit.chance), bool)
    finders[half.family.customer[half.kept]] = True
    found, expected = habit.totals(frequent, finders)
    np.fill_diagonal(found, 0)
    left, right = np.nonzero(found >= least)
    pairs = np.column_stack([frequent[left], frequent[right]])
    kept = _strongest(found[left, right], expected[left, right], pairs)
    return [Candidate((int(a),), int(b)) for a, b in pairs[kept]]


def _expected(half: Half, pairs: Array) -> Array:
    """Return how often the two sides of each pair would meet, were they independent in each stratum."""
    place = half.family.place
    stratum = strata(place, half.family.size)
    n_strata = (int(place.max()) + 1) * N_SIZES
    sizes = np.maximum(np.bincount(stratum[half.kept], minlength=n_strata), 1)
    shares = []
    for some in (half.left, half.right):
        cells = some.item * n_strata + stratum[some.transaction]
        shares.append(np.bincount(cells, minlength=len(some.sizes) * n_strata).reshape(-1, n_strata))
    expected = [
        (shares[0][part[:, 0]] * (shares[1][part[:, 1]] / sizes)).sum(axis=1)
        for part in np.array_split(pairs, max(1, len(pairs) * n_strata // 4_000_000))
    ]
    return np.concatenate(expected)


def _triple_rules(triples: Array, counts: Array, pairs: Array, pair_counts: Array, sizes: Array) -> list[Candidate]:
    """Return the rules of two antecedents that promise more than each antecedent alone."""
    if not len(triples):
        return []
    keys = pairs[:, 0] * len(sizes) + pairs[:, 1]
    order = np.argsort(keys)

    def together(a: Array, b: Array) -> Array:
        return np.asarray(pair_counts[order[np.searchsorted(keys, a * len(sizes) + b, sorter=order)]])

    a, b, c = (np.concatenate([triples[:, place] for place in places]) for places in ((0, 0, 1), (1, 2, 2), (2, 1, 0)))
    best = np.maximum(together(a, c) / sizes[a], together(b, c) / sizes[b])
    rules = np.column_stack([a, b, c])
    kept = _strongest(np.concatenate([counts] * 3), together(a, b) * best, rules, least=0.0)
    return [Candidate((int(a), int(b)), int(c)) for a, b, c in rules[kept]]


def _strongest(counts: Array, expected: Array, rules: Array, *, least: float = _STRONG) -> Array:
    """Return the places of the rules that are found more often than expected, at most so many, in their order."""
    safe = np.maximum(expected, 1e-9)
    deviance = 2 * (counts * np.log(np.maximum(counts, 1e-9) / safe) - (counts - safe))
    strength = np.where(counts > safe, np.sqrt(np.maximum(deviance, 0.0)), 0.0)
    worth = np.flatnonzero(strength > least)
    order = np.lexsort((*rules[worth].T[::-1], -np.round(strength[worth], 6)))
    return np.sort(worth[order[:MOST_TESTED]])


class _Judge:
    """Estimates rules of a family among some of its transactions."""

    def __init__(self, half: Half) -> None:
        self.family = family = half.family
        kept = np.flatnonzero(half.kept)
        _, customer = np.unique(family.customer[kept], return_inverse=True)
        self.comparison = Comparison(customer, family.place[kept], family.size[kept])
        place = np.cumsum(half.kept) - 1
        self.left, self.right = (side.among(half.kept, place=place) for side in (half.left, half.right))
        self.customers = np.unique(family.customer[kept])

    def estimate(self, rule: Candidate) -> Estimate:
        """Return the estimate of a rule."""
        if self.family.habit:
            found, expected = self.family.habit.sums(rule.antecedents[0], rule.consequent)
            return by_habit(found[self.customers], expected[self.customers])
        return self.comparison.estimate(
            self.left.of_all(rule.antecedents),
            self.right.of(rule.consequent),
            n_left=len(rule.antecedents) if self.family.is_one_basket else 0,
        )
