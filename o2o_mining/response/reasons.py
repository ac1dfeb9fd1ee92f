"""Why a customer is likely to use a coupon: the features that raise it most, as codes and in words."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from o2o_mining.core.languages import said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_AT_MOST = 2
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
    >>> reason_text("uses_coupons:3:1")
    'coupons used: 3, lapsed: 1'
    >>> reason_text("near:850", "zh-Hant")
    '離家 850 公尺'
    """
    return said({word: about["text"] for word, about in _declared().items()}, code, language)


def reason_codes(contributions: NDArray[np.float64], names: Sequence[str], features: pd.DataFrame) -> pa.ListArray:
    """Return for each pair at most two reasons, the strongest first.

    Written once for each different reason and value, not once a pair: ten million pairs share some thousands.

    Parameters
    ----------
    contributions
        Shape (n, k). How much each input raises the log odds.
    names
        The k inputs.
    features
        Features of the same pairs: reasons name their values.

    Returns
    -------
    pyarrow.ListArray
        Codes with values; empty where nothing raises them.
    """
    reasons = {word: about for word, about in _declared().items() if _places(about, names)}
    if not reasons or not len(features):
        return pa.array([[]] * len(features), pa.list_(pa.string()))
    raised = np.column_stack([contributions[:, _places(about, names)].sum(axis=1) for about in reasons.values()])
    sayable = np.column_stack([_can_say(about, features) for about in reasons.values()])
    # Rounded, so that the last digit of a sum does not decide the order; ties go by the order of the file.
    strength = np.where(sayable, raised, 0.0).round(4)
    order = _strongest(strength)
    strong = np.take_along_axis(strength, order, axis=1) >= _LEAST
    chosen = np.empty(order.shape, dtype=np.int64)
    texts: list[str] = []
    for place, (word, about) in enumerate(reasons.items()):
        rows, ranks = np.nonzero((order == place) & strong)
        values = features[about["values"]].to_numpy(np.float64)[rows]
        digits = 2 if "%" in about["form"] else 0
        which, unique = _distinct(values.round(digits))
        chosen[rows, ranks] = which + len(texts)
        texts += [":".join([word, *(format(value, about["form"]) for value in row)]) for row in unique.tolist()]
    offsets = np.concatenate([[0], np.cumsum(strong.sum(axis=1))]).astype(np.int32)
    codes = pa.array(texts, pa.string()).take(pa.array(chosen[strong]))
    return pa.ListArray.from_arrays(pa.array(offsets), codes)


def _strongest(strength: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the strongest in each row, the strongest first; of equals the first."""
    left, rows, found = strength.copy(), np.arange(len(strength)), []
    for _ in range(min(_AT_MOST, strength.shape[1])):
        found.append(left.argmax(axis=1))
        left[rows, found[-1]] = -np.inf
    return np.column_stack(found)


def _distinct(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each row the number of its values, and the rows that differ."""
    number = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        codes, unique = pd.factorize(column, sort=True)
        number = number * len(unique) + codes
    which, kept = pd.factorize(number, sort=True)
    first = np.zeros(len(kept), dtype=np.int64)
    first[which[::-1]] = np.arange(len(values))[::-1]
    return which, values[first]


def _places(about: dict[str, Any], names: Sequence[str]) -> list[int]:
    """Return the places of a reason's inputs, named whole or by how they begin."""
    return [place for place, name in enumerate(names) if name.startswith(tuple(about["features"]))]


def _can_say(about: dict[str, Any], features: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether the values that a reason names are known and say something."""
    values = features[about["values"]].to_numpy(np.float64)
    return np.asarray(~np.isnan(values).any(axis=1) & (values[:, 0] >= about.get("least", -np.inf)))


@cache
def _declared() -> dict[str, dict[str, Any]]:
    text = files("o2o_mining.response").joinpath("reasons.yaml").read_text(encoding="utf-8")
    declared: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return declared
