"""A rule as a sentence that a marketer reads; the words are in ``sentences.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import yaml

from o2o_mining.core.languages import known_language

_MONTH_DAYS = 30
_LIFTS = {"lift": "holdout_lift", "low": "holdout_lift_low", "high": "holdout_lift_high"}


@dataclass(frozen=True)
class Names:
    """What products and merchants are called, by id; an id without a name stands for itself."""

    by_level: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of_feeds(cls, products: pd.DataFrame, merchants: pd.DataFrame) -> Names:
        """Take the names from the feeds ``products`` and ``merchants``.

        Examples
        --------
        >>> products = pd.DataFrame({"product_id": ["p1", "p2"], "name": ["Green tea", None]})
        >>> merchants = pd.DataFrame({"merchant_id": ["m1"], "name": ["Tea house"]})
        >>> names = Names.of_feeds(products, merchants)
        >>> names.of("product", "p1"), names.of("product", "p2"), names.of("merchant", "m1")
        ('Green tea', 'p2', 'Tea house')
        """
        named = {}
        for level, feed in (("product", products), ("merchant", merchants)):
            known = feed.dropna(subset=["name"])
            named[level] = dict(zip(known[f"{level}_id"], known["name"], strict=True))
        return cls(named)

    def of(self, level: str, item: str) -> str:
        """Return what an item is called; categories are their own names."""
        return str(self.by_level.get(level, {}).get(item, item))


def rule_sentence(
    row: Mapping[str, Any],
    *,
    language: str = "en",
    names: Names | None = None,
    currency: str = "",
    within_days: int = 30,
) -> str:
    """Return a rule in words.

    Parameters
    ----------
    row
        A row of ``association_rules`` by column.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.
    names
        What products and merchants are called; their ids without it.
    currency
        Code of the currency of ``net_amount``.
    within_days
        The setting ``rules_within_days`` that the rule was mined with.

    Returns
    -------
    str
        One sentence; without the amount where that is unknown.

    Raises
    ------
    UsageError
        If there is no such language.

    Examples
    --------
    >>> rule_sentence({
    ...     "scope": "basket", "level": "product", "antecedents": ["tea"], "consequents": ["cup"],
    ...     "holdout_lift": 3.21, "holdout_lift_low": 2.7, "holdout_lift_high": 3.8, "customers": 1240,
    ...     "net_amount": 220800, "period_days": 360,
    ... })
    'Who buys tea also buys cup: 3.2 times as often (2.7 to 3.8), 1,240 customers, 18,400 a month.'
    """
    known_language(language)
    words, called, level = _words(), names or Names(), row["level"]
    left, right = (
        words["and"][language].join(called.of(level, item) for item in row[side])
        for side in ("antecedents", "consequents")
    )
    said = words[row["scope"]][level][language].format(
        left=left,
        right=right,
        customers=f"{row['customers']:,}",
        days=within_days,
        **{name: f"{row[column]:.1f}" for name, column in _LIFTS.items()},
    )
    if not pd.isna(row["net_amount"]):
        month = float(row["net_amount"]) * _MONTH_DAYS / row["period_days"]
        said += words["money"][language].format(amount=f"{month:,.0f} {currency}".rstrip())
    return str(said + words["stop"][language])


@cache
def _words() -> dict[str, Any]:
    text = files("o2o_mining.association").joinpath("sentences.yaml").read_text(encoding="utf-8")
    words: dict[str, Any] = yaml.safe_load(text)
    return words
