"""Association: which of the planted affinities were found, and how many rules are about nothing planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding

Rule = tuple[str, frozenset[str], str]  # scope, antecedents, consequent


@dataclass(frozen=True)
class Planted:
    """What the world planted.

    Attributes
    ----------
    rules
        Scope, antecedents, consequent.
    together, after
        Pairs of products that meet in a basket more often than by chance (of a triple also every two of it), and pairs
        of which the second follows the first.
    """

    rules: frozenset[Rule]
    together: frozenset[frozenset[str]]
    after: frozenset[tuple[str, str]]


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare the rules about products with those planted; a world without planted rules has none that is true."""
    found = world.estimates("association_rules")
    if world.truth("parameters").empty:
        return
    planted = read_planted(world.truth("planted_affinities"))
    rules = found[found["level"] == "product"] if len(found) else found
    held = {
        (scope, frozenset(left), right[0])
        for scope, left, right in zip(rules["scope"], rules["antecedents"], rules["consequents"], strict=True)
    }
    for scope in ("basket", "sequence"):
        wanted = {rule for rule in planted.rules if rule[0] == scope}
        if wanted:
            yield Finding(
                "association", f"{scope}: share of planted rules found", 1.0, len(wanted & held) / len(wanted)
            )
    false = [rule for rule in held if not is_true(rule, planted)]
    yield Finding("association", "rules about products with a true lift of 1 or less", 0.0, float(len(false)))
    if held:
        yield Finding(
            "association", "share of rules about products with a true lift of 1 or less", 0.0, len(false) / len(held)
        )
    others = len(found) - len(rules)
    yield Finding("association", "rules about merchants and categories, of which none is planted", 0.0, float(others))


def read_planted(affinities: pd.DataFrame) -> Planted:
    """Read the truth table ``planted_affinities``.

    Examples
    --------
    >>> planted = read_planted(pd.DataFrame({
    ...     "scope": ["basket", "basket"], "antecedent": ["p1", "p1 + p2"], "consequent": ["p2", "p3"],
    ... }))
    >>> sorted(sorted(pair) for pair in planted.together)
    [['p1', 'p2'], ['p1', 'p3'], ['p2', 'p3']]
    """
    rules = {
        (scope, frozenset(left.split(" + ")), right)
        for scope, left, right in zip(
            *(affinities.get(n, pd.Series(dtype=str)) for n in ("scope", "antecedent", "consequent")), strict=True
        )
    }
    together = {frozenset((item, right)) for scope, left, right in rules if scope == "basket" for item in left}
    after = {(item, right) for scope, left, right in rules if scope == "sequence" for item in left}
    return Planted(frozenset(rules), frozenset(together), frozenset(after))


def is_true(rule: Rule, planted: Planted) -> bool:
    """Return whether the two sides of a rule meet more often than by chance in the category that sells both.

    Apart from what is planted, a basket's products are drawn one by one, which makes two of them meet less often than
    if they were independent. What one customer buys within some days is tied by what follows what.

    Examples
    --------
    >>> planted = read_planted(pd.DataFrame({"scope": ["sequence"], "antecedent": ["p1"], "consequent": ["p2"]}))
    >>> [is_true((scope, frozenset({"p2"}), "p1"), planted) for scope in ("basket", "customer", "sequence")]
    [False, True, False]
    """
    scope, left, right = rule
    if scope == "basket":
        return any(frozenset((item, right)) in planted.together for item in left)
    if scope == "sequence":
        return any((item, right) in planted.after for item in left)
    return any((item, right) in planted.after or (right, item) in planted.after for item in left)
