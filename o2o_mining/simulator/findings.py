"""What a comparison of an estimate with the truth is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

Z95 = 1.959964


@dataclass(frozen=True)
class Finding:
    """One estimate beside the truth.

    Attributes
    ----------
    room, quantity
        Whose estimate, and of what.
    truth, estimate
        For a ranking, ``estimate`` is its AUC and ``truth`` is null.
    low, high
        The estimate's interval, where it gives one.
    oracle
        For a ranking, the AUC of the best that the feeds allow.
    """

    room: str
    quantity: str
    truth: float | None
    estimate: float
    low: float | None = None
    high: float | None = None
    oracle: float | None = None


@dataclass(frozen=True)
class Evaluated:
    """What comparisons read, by name.

    Attributes
    ----------
    as_of
        The first day after the world's log.
    truth
        Gives a truth table; empty without columns where the world has none of that name.
    estimates
        Gives a published table: the slice of ``as_of`` of what is mined.
    """

    as_of: date
    truth: Callable[[str], pd.DataFrame]
    estimates: Callable[[str], pd.DataFrame]


def auc(score: pd.Series[float], outcome: pd.Series[bool]) -> float:
    """Return the area under the ROC curve: how often one with the outcome is ranked above one without; ties half.

    Parameters
    ----------
    score, outcome
        Shape (n,); without both outcomes there is nothing to rank, and the result is NaN.

    Examples
    --------
    >>> auc(pd.Series([3.0, 2.0, 1.0]), pd.Series([True, False, False]))
    1.0
    """
    yes, no = int(outcome.sum()), int((~outcome).sum())
    if not yes or not no:
        return float("nan")
    return float((score.rank()[outcome].sum() - yes * (yes + 1) / 2) / (yes * no))


def share_interval(successes: int, tries: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Examples
    --------
    >>> low, high = share_interval(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if not tries:
        return float("nan"), float("nan")
    share, square = successes / tries, Z95**2
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = Z95 * np.sqrt(share * (1 - share) / tries + square / (4 * tries**2)) / (1 + square / tries)
    return float(middle - half), float(middle + half)
