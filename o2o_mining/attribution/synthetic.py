"""What a campaign changed where it ran, beside places weighted to move alike before (synthetic control).

The places where it ran are taken together. Every place counts in its own usual week, the mean of the weeks before, so
that large and small ones can stand for each other. The same is done to each place without the campaign as if it had run
there: how far those end up from their own weighted neighbours is how far chance alone goes.

Abadie, A., Diamond, A., Hainmueller, J. (2010). Synthetic control methods for comparative case studies. Journal of the
American Statistical Association 105, 493-505.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

from o2o_mining.attribution.experiments import DETECTED, LEVEL, Z95, Effect
from o2o_mining.attribution.incrementality import Row, with_effect

Floats = npt.NDArray[np.float64]

LEAST_PLACES = 19
"""With fewer places no placebo test can come below 5 %."""

MOST_PLACES = 24
LEAST_PURCHASES = 26
"""Purchases before, one a week, or a place moves by chance alone."""

WORST_FIT = 0.5
"""A weighted mean that misses the usual week by more than half, root mean square, follows nothing."""

_HEAVY = 1e4
_OUTCOMES = {"purchases": 1.0, "net_revenue": 100.0}


def compared_places(campaign_id: str, weeks: pd.DataFrame, customers: tuple[int, int]) -> Iterator[Row]:
    """Give the effects of one campaign by places, or why they cannot be given; nothing where it ran everywhere.

    Parameters
    ----------
    campaign_id
        The campaign.
    weeks
        As ``places.place_weeks`` gives it.
    customers
        Customers of the places where it ran, and of those where it did not.
    """
    if not customers[0] or not customers[1]:
        return
    for outcome, cents in _OUTCOMES.items():
        row = Row(campaign_id, outcome, "synthetic_control", *customers, label="refused")
        panel = _panel(weeks, "purchases" if outcome == "purchases" else "cents") / cents
        before, after = (panel.index < 0), (panel.index >= 0)
        often: dict[Any, float] = _panel(weeks, "purchases")[before].sum().to_dict()
        usual = panel[before].mean()
        level: dict[Any, float] = usual.to_dict()
        usable = [name for name in map(str, panel.columns) if often[name] >= LEAST_PURCHASES and level[name] > 0]
        others = sorted((name for name in usable if name), key=lambda name: (-often[name], name))[:MOST_PLACES]
        if not after.any() or not before.any() or "" not in usable or len(others) < LEAST_PLACES:
            yield replace(row, reason_code="too_few_places")
            continue
        scaled = (panel / usual)[["", *others]].to_numpy()
        gaps, misses = placebos(scaled[before], scaled[after])
        if misses[0] > WORST_FIT:
            yield replace(row, reason_code="poor_fit")
            continue
        total = float(panel[""][after].sum())
        found = _effect(gaps, misses, level[""] * int(after.sum()) / customers[0], total / customers[0])
        yield with_effect(replace(row, label="observational"), found)


def _panel(weeks: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return weeks by places; the places where the campaign ran are one, without a name."""
    named = weeks.assign(place=weeks["place"].where(~weeks["treated"], ""))
    sums = named.groupby(["week", "place"])[value].sum().unstack(fill_value=0)
    every = range(int(sums.index.min()), int(sums.index.max()) + 1) if len(sums) else range(0)
    return sums.reindex(every, fill_value=0).astype("float64")


def placebos(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """Return how far each place ends up from the weighted others, and how far the weights miss it before.

    Parameters
    ----------
    before, after
        Weeks by places, shape (n_weeks, n_places). The first place is where the campaign ran; it stands for no other.

    Returns
    -------
    numpy.ndarray
        Mean gap after, shape (n_places,).
    numpy.ndarray
        Root mean square of the gaps before, shape (n_places,).
    """
    gaps, misses = [], []
    for place in range(before.shape[1]):
        others = [other for other in range(1, before.shape[1]) if other != place]
        weights = place_weights(before[:, others], before[:, place])
        gaps.append(float((after[:, place] - after[:, others] @ weights).mean()))
        misses.append(float(np.sqrt(((before[:, place] - before[:, others] @ weights) ** 2).mean())))
    return np.array(gaps), np.array(misses)


def place_weights(others: Floats, place: Floats) -> Floats:
    """Return weights of other places, not negative and adding up to 1, by which they move as one place does.

    Parameters
    ----------
    others
        Weeks by places, shape (n_weeks, n_others).
    place
        Shape (n_weeks,).

    Examples
    --------
    >>> others = np.array([[1.0, 3.0], [2.0, 0.0], [0.0, 2.0]])
    >>> place_weights(others, others @ [0.25, 0.75]).round(3).tolist()
    [0.25, 0.75]
    """
    # With a row so heavy that the weights have to add up to 1, what is left is least squares without negative weights.
    heavy = _HEAVY * max(1.0, float(np.abs(others).max()))
    rows = np.vstack([others, np.full((1, others.shape[1]), heavy)])
    weights, _ = nnls(rows, np.append(place, heavy))
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _effect(gaps: Floats, misses: Floats, unit: float, mean: float) -> Effect:
    """Return the effect of the first place with the interval that placebos leave it; ``unit`` makes gaps effects."""
    # A place that cannot be followed well before may stray farther after.
    strays = np.abs(gaps / np.maximum(misses, 1e-9))
    n = len(gaps)
    rank = min(int(np.ceil(LEVEL * n)), n - 1)
    half = float(np.sort(strays[1:])[rank - 1] * misses[0]) * unit
    effect = float(gaps[0]) * unit
    p_value = float((strays >= strays[0]).mean())
    error = half / Z95
    return Effect(mean, mean - effect, effect, effect - half, effect + half, p_value, error, DETECTED * error)
