"""Codes of reasons and of what to mend, and what they say in each language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from o2o_mining.contracts.merchants import MEASURES
from o2o_mining.core.languages import said
from o2o_mining.merchants.rules import Rule, read_judging

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_AT_MOST = 3
# Percentile below which cost or efficiency is what to mend first, once service is in order.
_POOR = 25.0


def reason_text(code: str, language: str = "en", *, rules: Iterable[Rule] | None = None) -> str:
    """Return what a reason, or what is to be mended, says in a language.

    Parameters
    ----------
    code
        One of ``reason_codes``, or a ``mend_code``: a word and its values, parted by colons.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.
    rules
        The rules whose codes may stand there; the shipped ones without it.

    Returns
    -------
    str
        A few words; a sentence of what is to be mended.

    Raises
    ------
    UsageError
        If there is no such code or language.

    Examples
    --------
    >>> reason_text("wait:14")
    'customers wait 14 minutes longer than promised'
    >>> reason_text("mend_wait:14", "zh-Hant")
    '請把承諾等候時間加長 14 分鐘，或縮短實際等候。'
    >>> reason_text("slipping:watch:0.31")
    'to be told: it is 0.31 standard deviations worse than promised'
    """
    known = read_judging().rules if rules is None else rules
    texts = {rule.code: rule.why for rule in known} | _texts()["reasons"] | _texts()["mend"]
    return said(texts, code, language)


def gap_reasons(gaps: pd.DataFrame) -> pd.Series[Any]:
    """Return by merchant what is worse than promised beyond chance, the heaviest first, at most three.

    Parameters
    ----------
    gaps
        Of merchants, by single measures: ``id, measure, mean, gap, gap_low, weight, spread``.

    Returns
    -------
    Series of list of str
        Codes with values: minutes, stars, or per cent. Merchants without a reason are left out.

    Examples
    --------
    >>> import pandas as pd
    >>> gaps = pd.DataFrame({"id": "a", "measure": ["complaint", "wait"], "mean": [0.1, 9.0], "gap": [1.0, 2.0],
    ...                      "gap_low": 0.5, "weight": 0.5, "spread": [0.3, 4.0]})
    >>> gap_reasons(gaps)["a"]
    ['wait:8', 'complaint:10']
    """
    worse = gaps[gaps["gap_low"] > 0].copy()
    worse["heavy"] = -(worse["gap"] * worse["weight"]).round(6)
    worse["place"] = worse["measure"].map(MEASURES.index)
    worse = worse.sort_values(["id", "heavy", "place"])
    worse["code"] = [
        f"{measure}:{_value(measure, mean, gap * spread)}"
        for measure, mean, gap, spread in zip(
            worse["measure"], worse["mean"], worse["gap"], worse["spread"], strict=True
        )
    ]
    return worse.groupby("id")["code"].agg(lambda codes: list(codes)[:_AT_MOST])


def mend_first(reasons: list[str], *, cost_score: float, cost_share: float, efficiency_score: float) -> str:
    """Return the code of what to mend first: the heaviest broken promise, else cost or efficiency where they are poor.

    Parameters
    ----------
    reasons
        As `gap_reasons` gives them, for one merchant.
    cost_score, efficiency_score
        Percentiles, 0 to 100.
    cost_share
        Discounts and media over list price.

    Returns
    -------
    str
        A code with values.

    Examples
    --------
    >>> mend_first(["wait:8"], cost_score=5, cost_share=0.4, efficiency_score=50)
    'mend_wait:8'
    >>> mend_first([], cost_score=5, cost_share=0.4, efficiency_score=50)
    'mend_cost:40'
    """
    if reasons:
        return f"mend_{reasons[0]}"
    if cost_score < _POOR and cost_score <= efficiency_score:
        return f"mend_cost:{100 * cost_share:.0f}"
    if efficiency_score < _POOR:
        return f"mend_efficiency:{efficiency_score:.0f}"
    return "keep"


def _value(measure: str, mean: float, beyond: float) -> str:
    if measure == "wait":
        return f"{beyond:.0f}"
    return f"{beyond:.1f}" if measure == "rating" else f"{100 * mean:.0f}"


@cache
def _texts() -> dict[str, dict[str, dict[str, str]]]:
    text = files("o2o_mining.merchants").joinpath("texts.yaml").read_text(encoding="utf-8")
    texts: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(text)
    return texts
