"""Why a customer is at risk: the features that raise it most, in words."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from o2o_mining.core.languages import said

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

_AT_MOST = 3
# How many of the log odds a reason must add to be one.
_LEAST = 0.05


def reason_text(code: str, language: str = "en") -> str:
    """Return what a reason says in a language.

    Parameters
    ----------
    code
        One of ``reason_codes``: a word and its values, parted by colons.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        A few words.

    Raises
    ------
    UsageError
        If there is no such reason or language.

    Examples
    --------
    >>> reason_text("silence:64:2.4")
    'no purchase for 64 days, 2.4 times the usual gap'
    >>> reason_text("bought_once:1", "zh-Hant")
    '只買過一次'
    """
    return said({word: about["text"] for word, about in _declared().items()}, code, language)


def reason_codes(contributions: NDArray[np.float64], inputs: pd.DataFrame, features: pd.DataFrame) -> list[list[str]]:
    """Return for each customer at most three reasons, the strongest first.

    Parameters
    ----------
    contributions
        Shape (n, k). How much each input raises the log odds of not buying.
    inputs
        Shape (n, k). The inputs of the model.
    features
        ``customer_features`` of the same customers: reasons name their values.

    Returns
    -------
    list of list of str
        Codes with values; empty where nothing raises the risk.
    """
    names = inputs.columns.tolist()
    reasons = {word: about for word, about in _declared().items() if _columns(about, names)}
    if not reasons or inputs.empty:
        return [[] for _ in range(len(inputs))]
    places = [np.array(_columns(about, names)) for about in reasons.values()]
    raised = np.column_stack([contributions[:, place].sum(axis=1) for place in places])
    sayable = np.column_stack([_can_say(about, features) for about in reasons.values()])
    # Rounded, so that the last digit of a sum does not decide the order; ties go by the order of the file.
    order = np.argsort(-np.where(sayable, raised, 0.0).round(6), axis=1, kind="stable")[:, :_AT_MOST]
    strong = np.take_along_axis(np.where(sayable, raised, 0.0), order, axis=1) >= _LEAST
    chosen = np.full(order.shape, "", dtype=object)
    for place, (word, about) in enumerate(reasons.items()):
        rows, ranks = np.nonzero((order == place) & strong)
        chosen[rows, ranks] = _codes(word, about, features.iloc[rows])
    return [[code for code in row if code] for row in chosen.tolist()]


def _columns(about: dict[str, Any], names: Sequence[str]) -> list[int]:
    """Return the places of a reason's inputs, named whole or by how they begin."""
    return [place for place, name in enumerate(names) if name.startswith(tuple(about["features"]))]


def _can_say(about: dict[str, Any], features: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether the values that a reason names are known and say something."""
    values = [np.asarray(features[name], dtype=np.float64) for name in about["values"]]
    low, high = about.get("between", (-np.inf, np.inf))
    return np.asarray(~np.any(np.isnan(values), axis=0) & (values[0] >= low) & (values[0] <= high))


def _codes(word: str, about: dict[str, Any], features: pd.DataFrame) -> list[str]:
    """Return the code with its values for each of some customers."""
    columns = [features[name].astype("float64").map(f"{{:{form}}}".format) for name, form in about["values"].items()]
    return [":".join([word, *values]) for values in zip(*columns, strict=True)]


@cache
def _declared() -> dict[str, dict[str, Any]]:
    text = files("o2o_mining.lifecycle").joinpath("reasons.yaml").read_text(encoding="utf-8")
    declared: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return declared
