"""The named segments: which scores they hold, and what they are called in each language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from math import ceil
from typing import Any

import yaml

from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import known_language


@dataclass(frozen=True)
class Rectangle:
    """Scores of recency and frequency from low to high, ends included."""

    r_low: int
    r_high: int
    f_low: int
    f_high: int


def segment_codes() -> list[str]:
    """Return the codes of the named RFM segments, from the best to the worst.

    Returns
    -------
    list of str
        Eleven codes.

    Examples
    --------
    >>> segment_codes()[:3]
    ['champions', 'loyal', 'potential_loyalist']
    """
    return list(_declared())


def segment_name(code: str, language: str = "en") -> str:
    """Return what a segment is called in a language.

    Parameters
    ----------
    code
        A ``segment_code``.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        The name.

    Raises
    ------
    UsageError
        If there is no such segment or language.

    Examples
    --------
    >>> segment_name("at_risk"), segment_name("at_risk", "zh-Hant")
    ('At risk', '流失風險')
    """
    return _text(code, "name", language)


def segment_advice(code: str, language: str = "en") -> str:
    """Return in one sentence what to do with a segment.

    Parameters
    ----------
    code
        A ``segment_code``.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        The sentence.

    Raises
    ------
    UsageError
        If there is no such segment or language.

    Examples
    --------
    >>> segment_advice("lost")
    'One attempt to win them back; leave them in peace afterwards.'
    """
    return _text(code, "advice", language)


def score_rectangles(bins: int) -> Iterator[tuple[str, Rectangle]]:
    """Yield each segment with a rectangle of scores that it holds; a segment may have several or none.

    Parameters
    ----------
    bins
        Number of scores.

    Examples
    --------
    >>> next(score_rectangles(5))
    ('champions', Rectangle(r_low=5, r_high=5, f_low=4, f_high=5))
    """
    for code, segment in _declared().items():
        for where in segment["where"]:
            r_low, r_high = _scores(where["recency"], bins)
            f_low, f_high = _scores(where["frequency"], bins)
            if r_low <= r_high and f_low <= f_high:
                yield code, Rectangle(r_low, r_high, f_low, f_high)


def segments_of_scores(bins: int) -> dict[tuple[int, int], list[str]]:
    """Return the segments that each pair of recency and frequency score falls in: exactly one, as a test proves.

    Examples
    --------
    >>> segments_of_scores(5)[5, 1]
    ['new_customers']
    """
    found: dict[tuple[int, int], list[str]] = {pair: [] for pair in product(range(1, bins + 1), range(1, bins + 1))}
    for code, at in score_rectangles(bins):
        for pair in product(range(at.r_low, at.r_high + 1), range(at.f_low, at.f_high + 1)):
            found[pair].append(code)
    return found


def _scores(fractions: list[float], bins: int) -> tuple[int, int]:
    """Return the scores whose middle, (score - 0.5) / bins, lies in [low, high); reckoned in hundredths."""
    low, high = (round(100 * fraction) for fraction in fractions)
    return ceil((low * bins + 50) / 100), ceil((high * bins + 50) / 100) - 1


def _text(code: str, what: str, language: str) -> str:
    try:
        said = _declared()[code][what]
    except KeyError:
        raise UsageError(f"there is no segment '{code}'", next_step=f"use one of {', '.join(_declared())}") from None
    return str(said[known_language(language)])


@cache
def _declared() -> dict[str, dict[str, Any]]:
    text = files("o2o_mining.segmentation").joinpath("segments.yaml").read_text(encoding="utf-8")
    declared: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return declared
