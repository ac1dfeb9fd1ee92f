"""Noisy figures of alike things, each drawn towards the mean of all by as much as its error asks for (random effects).

DerSimonian, R., Laird, N. (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7, 177-188.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Pooled:
    """Figures drawn towards their mean.

    Attributes
    ----------
    each
        Of each thing, drawn towards the mean.
    trust
        How much of it is its own figure, 0 to 1; the rest is the mean.
    mean, mean_error
        Of all things, and its standard error; of a thing without a figure of its own.
    between
        Variance of the true figures around the mean.
    """

    each: pd.Series
    trust: pd.Series
    mean: float
    mean_error: float
    between: float


def pooled(found: pd.Series, error: pd.Series, *, least_between: float = 0.0) -> Pooled:
    """Draw figures towards their mean.

    Parameters
    ----------
    found, error
        The figures and their standard errors above 0, with one index, not empty.
    least_between
        Variance of the true figures that is taken for granted: a few figures with large errors look all the same.

    Examples
    --------
    >>> pooled(pd.Series([1.0, 3.0]), pd.Series([9.0, 9.0])).each.tolist()
    [2.0, 2.0]
    """
    fixed = 1 / error**2
    heterogeneity = float((fixed * (found - np.average(found, weights=fixed)) ** 2).sum())
    room = float(fixed.sum() - (fixed**2).sum() / fixed.sum())
    seen = (heterogeneity - (len(found) - 1)) / room if room > 0 else 0.0
    between = max(least_between, seen)
    weights = 1 / (error**2 + between)
    mean = float(np.average(found, weights=weights))
    trust = between / (between + error**2)
    return Pooled(mean + trust * (found - mean), trust, mean, float(weights.sum() ** -0.5), between)
