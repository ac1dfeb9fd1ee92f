"""What a campaign changed where it ran, beside places weighted to move alike before (synthetic control).

The places where it ran are taken together. Every place counts in its own usual week, the mean of the weeks before, so
that large and small ones can stand for each other. The same is done to each place without the campaign as if it had run
there: how far those end up from their own weighted neighbours is how far chance alone goes.

Abadie, A., Diamond, A., Hainmueller, J. (2010). Synthetic control methods for comparative case studies. Journal of the
American Statistical Association 105, 493-505.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

from o2o_mining.attribution.effects.experiments import DETECTED, LEVEL, Z95, Effect
from o2o_mining.attribution.effects.incrementality import Row, with_effect

Floats = npt.NDArray[np.float64]

LEAST_PLACES = 19
"""With fewer places no placebo test can come below 5 %."""

MOST_PLACES = 24
LEAST_PURCHASES = 26
"""Purchases before, one a week, or a place moves by chance alone."""

WORST_FIT = 0.5
"""A weighted mean that misses the usual week by more than half, root mean square, follows nothing."""

_MOVED_P = 0.1
_HEAVY = 1e4
_OUTCOMES = {"purchases": "purchases", "net_revenue": "cents"}


@dataclass(frozen=True)
class _Followed:
    """The places where the campaign ran beside the others, each in its own usual week; the first is where it ran.

    Attributes
    ----------
    gaps, misses
        As ``placebos`` gives them.
    usual
        What a usual week holds where it ran.
    weeks
        Weeks from its start on.
    total
        What was bought in them where it ran.
    """

    gaps: Floats
    misses: Floats
    usual: float
    weeks: int
    total: float

    @property
    def strays(self) -> Floats:
        """How far each place ends up from the others; one that cannot be followed well before may stray farther."""
        return np.abs(self.gaps / np.maximum(self.misses, 1e-9))

    @property
    def p_value(self) -> float:
        """Share of the places that end up at least as far from the others as the first does."""
        strays = self.strays
        return float((strays >= strays[0]).mean())


def compared_places(
    campaign_id: str, weeks: pd.DataFrame, customers: tuple[int, int], *, alone: bool, reach_known: bool
) -> Iterator[Row]:
    """Give the effects of one campaign by places, or why they cannot be given; nothing where it ran everywhere.

    Customers whom it did not reach show whether anything else happened where it ran: it cannot have moved them. Where
    they bought more or less than others foretell, or are too few to tell, there is no figure.

    Parameters
    ----------
    campaign_id
        The campaign.
    weeks
        As ``places.place_weeks`` gives it.
    customers
        Customers of the places where it ran, and of those where it did not.
    alone
        Whether no other campaign ran at the same places in its time.
    reach_known
        Whether the log tells whom it reached; if not the figure stands in doubt.
    """
    if not customers[0] or not customers[1]:
        return
    followed = {outcome: _followed(weeks, value, "purchases") for outcome, value in _OUTCOMES.items()}
    told = any(isinstance(found, _Followed) for found in followed.values())
    moved = _moved_otherwise(weeks) if told and alone and reach_known else None
    for outcome, found in followed.items():
        row = Row(campaign_id, outcome, "synthetic_control", *customers, label="refused")
        reason = found if isinstance(found, str) else moved if alone else "another_campaign"
        if reason or isinstance(found, str):
            yield replace(row, reason_code=reason)
            continue
        doubt = None if reach_known else "reach_unknown"
        unit = 1.0 if outcome == "purchases" else 100.0
        yield with_effect(replace(row, label="observational", reason_code=doubt), _effect(found, unit * customers[0]))


def _moved_otherwise(weeks: pd.DataFrame) -> str | None:
    """Return why what happened where a campaign ran may not be its own: by customers whom it did not reach."""
    others = _followed(weeks, "unreached", "unreached")
    if isinstance(others, str):
        return "too_few_unreached"
    return "unreached_moved" if others.p_value <= _MOVED_P else None


def _followed(weeks: pd.DataFrame, value: str, counted: str) -> _Followed | str:
    """Set the places where a campaign ran beside the others, or return why that cannot be done.

    ``counted`` is the number of purchases behind ``value``: places need some.
    """
    panel = _panel(weeks, value)
    before, after = (panel.index < 0), (panel.index >= 0)
    often: dict[Any, float] = _panel(weeks, counted)[before].sum().to_dict()
    usual = panel[before].mean()
    level: dict[Any, float] = usual.to_dict()
    usable = [name for name in map(str, panel.columns) if often[name] >= LEAST_PURCHASES and level[name] > 0]
    others = sorted((name for name in usable if name), key=lambda name: (-often[name], name))[:MOST_PLACES]
    if not after.any() or not before.any() or "" not in usable or len(others) < LEAST_PLACES:
        return "too_few_places"
    scaled = (panel / usual)[["", *others]].to_numpy()
    gaps, misses = placebos(scaled[before], scaled[after])
    if misses[0] > WORST_FIT:
        return "poor_fit"
    return _Followed(gaps, misses, level[""], int(after.sum()), float(panel[""][after].sum()))


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


def _effect(found: _Followed, customers: float) -> Effect:
    """Return the effect for each customer of the first place, with the interval that placebos leave it."""
    unit = found.usual * found.weeks / customers
    n = len(found.gaps)
    rank = min(int(np.ceil(LEVEL * n)), n - 1)
    half = float(np.sort(found.strays[1:])[rank - 1] * found.misses[0]) * unit
    effect, mean = float(found.gaps[0]) * unit, found.total / customers
    error = half / Z95
    return Effect(mean, mean - effect, effect, effect - half, effect + half, found.p_value, error, DETECTED * error)
