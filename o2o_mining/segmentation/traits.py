"""What sets a cluster apart: as codes with arguments, as the cluster's code, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from o2o_mining.segmentation.habits import CATEGORY, SHARES

if TYPE_CHECKING:
    import pandas as pd

HIGH, LOW = "high", "low"
# A habit sets a cluster apart from half a standard deviation of the customers on; a trait more has to be strong.
SETS_APART = 0.5
MOST_TRAITS = 5
# Nothing sets this cluster apart.
AVERAGE = "average"


# Below this mean adjusted Rand index clusters are called not stable: other customers would have given others.
STABLE = 0.7


def is_stable(stability: float) -> bool:
    """Return whether clusters hold.

    Examples
    --------
    >>> is_stable(0.7), is_stable(0.69), is_stable(float("nan"))
    (True, False, False)
    """
    return stability >= STABLE


@dataclass(frozen=True)
class Trait:
    """One habit in which a cluster differs: the mean of its customers and of all, and how far they are apart."""

    habit: str
    level: str
    value: float
    everybody: float
    strength: float

    def __str__(self) -> str:
        """Return the trait as a code with arguments: ``evening_share|high|0.62|0.41``."""
        return f"{self.habit}|{self.level}|{self.value:.3g}|{self.everybody:.3g}"

    @property
    def token(self) -> str:
        """How the trait stands in the code of a cluster."""
        return f"{self.habit}={self.level}"


def traits_of(apart: pd.DataFrame) -> list[Trait]:
    """Return what sets a cluster apart: what is high before what is low, the strongest first.

    Parameters
    ----------
    apart
        ``mean``, ``everybody`` and ``difference`` of each habit, which is the index.
    """
    found = [
        Trait(str(name), HIGH if away > 0 else LOW, mean, everybody, away)
        for name, mean, everybody, away in apart[["mean", "everybody", "difference"]].itertuples()
        if abs(away) >= SETS_APART
    ]
    found.sort(key=lambda trait: (trait.level != HIGH, -abs(trait.strength), trait.habit))
    return found[:MOST_TRAITS]


def cluster_codes(traits: list[list[Trait]]) -> list[str]:
    """Name each cluster by its strongest trait, and by as many as it takes to tell it from the others.

    The same profile gives the same code on every day, whatever the order in which clusters are found.

    Examples
    --------
    >>> late, near = Trait("evening_share", "high", .9, .4, 2.0), Trait("within_2km_share", "high", .8, .3, 1.0)
    >>> cluster_codes([[late, near], [near], [late]])
    ['evening_share=high+within_2km_share=high', 'within_2km_share=high', 'evening_share=high']
    """
    taken = [1] * len(traits)
    codes = _codes(traits, taken)
    while len(set(codes)) < len(codes):
        alike = [place for place, code in enumerate(codes) if codes.count(code) > 1]
        longer = [place for place in alike if taken[place] < len(traits[place])]
        if not longer:
            return _counted(codes)
        for place in longer:
            taken[place] += 1
        codes = _codes(traits, taken)
    return codes


def _codes(traits: list[list[Trait]], taken: list[int]) -> list[str]:
    pairs = zip(traits, taken, strict=True)
    return ["+".join(trait.token for trait in found[:number]) or AVERAGE for found, number in pairs]


def _counted(codes: list[str]) -> list[str]:
    """Tell equal codes apart by a number, the larger cluster first."""
    return [
        code if codes.index(code) == place else f"{code}#{codes[: place + 1].count(code)}"
        for place, code in enumerate(codes)
    ]


def trait_text(code: str, language: str = "en") -> str:
    """Return a trait in words.

    Parameters
    ----------
    code
        As ``segment_profiles.traits`` has them.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        What sets the cluster apart, with its own mean and that of all clustered customers.

    Examples
    --------
    >>> trait_text("evening_share|high|0.62|0.41")
    'evenings: 62 % (all: 41 %)'
    >>> trait_text("category/cafe|low|0.05|0.2", "zh-Hant")
    '少去cafe：5 %（全體：20 %）'
    """
    habit, level, value, everybody = code.rsplit("|", 3)
    said = _words()["trait"][language]
    form = "{:,.0%}" if habit in SHARES or habit.startswith(CATEGORY) else "{:,.2f}"
    numbers = (form.format(float(number)).replace("%", " %") for number in (value, everybody))
    return str(said).format(habit_text(habit, level, language), *numbers)


def profile_text(codes: list[str], language: str = "en") -> str:
    """Return all that sets a cluster apart, in one line.

    Parameters
    ----------
    codes
        The ``traits`` of a row of ``segment_profiles``.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        The traits in words, the strongest first.

    Examples
    --------
    >>> profile_text(["within_2km_share|high|0.8|0.3", "discounted_share|high|0.2|0.1"])
    'within 2 km: 80 % (all: 30 %), with a discount: 20 % (all: 10 %)'
    """
    parts = [trait_text(code, language) for code in codes]
    return str(_words()["separator"][language]).join(parts) or str(_words()["average"][language])


def cluster_name(code: str, language: str = "en") -> str:
    """Return what a cluster is called, made from its code.

    Examples
    --------
    >>> cluster_name("evening_share=high+category/cafe=low")
    'Evenings, seldom cafe'
    >>> cluster_name("category/spa=high", "zh-Hans"), cluster_name("average#2")
    ('常去spa', 'Like everybody 2')
    """
    plain, _, number = code.partition("#")
    if plain == AVERAGE:
        text = str(_words()["average"][language])
    else:
        tokens = (token.rsplit("=", 1) for token in plain.split("+"))
        text = str(_words()["separator"][language]).join(habit_text(habit, level, language) for habit, level in tokens)
    return " ".join([text[:1].upper() + text[1:], *([number] if number else [])])


def habit_text(habit: str, level: str, language: str) -> str:
    """Return a habit that is high or low in words, such as ``evenings`` or ``seldom evenings``."""
    words = _words()
    if habit.startswith(CATEGORY):
        return str(words["category"][level][language]).format(habit.removeprefix(CATEGORY))
    return str(words["habits"][habit][level][language])


@cache
def _words() -> dict[str, Any]:
    text = files("o2o_mining.segmentation").joinpath("traits.yaml").read_text(encoding="utf-8")
    words: dict[str, Any] = yaml.safe_load(text)
    return words
