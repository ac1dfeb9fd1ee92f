"""How good predictions were, measured on outcomes that came after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 10
# What stands for none in a share that is compared with another one.
_TRACE = 1e-4


def calibration_error(probability: NDArray[np.float64], outcome: NDArray[np.bool_]) -> float:
    """Return the mean distance of predicted and seen shares over ten bins of like predictions, weighted by their size.

    Parameters
    ----------
    probability, outcome
        Shape (n,).

    Examples
    --------
    >>> calibration_error(np.full(20, 0.5), np.arange(20) % 2 == 0)
    0.0
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, _BINS + 1)[1:-1]))
    off = np.bincount(np.searchsorted(edges, probability, side="right"), probability - outcome)
    return float(np.abs(off).sum() / len(outcome))


def ranking_quality(probability: NDArray[np.float64], outcome: NDArray[np.bool_]) -> dict[str, float]:
    """Return AUC, Brier score and calibration error of predicted probabilities; no AUC without both outcomes.

    Parameters
    ----------
    probability, outcome
        Shape (n,).

    Examples
    --------
    >>> ranking_quality(np.array([0.9, 0.1]), np.array([True, False]))["auc"]
    1.0
    """
    found = {
        "brier": float(brier_score_loss(outcome, probability)),
        "calibration_error": calibration_error(probability, outcome),
    }
    if 0 < outcome.sum() < len(outcome):
        found["auc"] = float(roc_auc_score(outcome, probability))
    return found


def deciles(predicted: NDArray[np.float64], seen: NDArray[np.float64]) -> pd.DataFrame:
    """Return ten groups of customers of like prediction, with the mean predicted and the mean seen.

    Parameters
    ----------
    predicted, seen
        Shape (n,).

    Returns
    -------
    DataFrame
        ``decile`` (1 for the lowest predictions), ``customers, predicted, seen``.
    """
    parts = np.array_split(np.lexsort((seen, predicted)), _BINS)
    rows = [(i, len(p), predicted[p].mean(), seen[p].mean()) for i, p in enumerate(parts, start=1) if len(p)]
    return pd.DataFrame(rows, columns=["decile", "customers", "predicted", "seen"])


def stability_index(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the population stability index of a score: above .25 its distribution is another one.

    Parameters
    ----------
    before, now
        Shape (n,) and (m,). The score then and now; the bins are the deciles of then.

    Examples
    --------
    >>> stability_index(np.arange(100.0), np.arange(100.0))
    0.0
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1) / len(x), _TRACE)
        for x in (before, now)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
