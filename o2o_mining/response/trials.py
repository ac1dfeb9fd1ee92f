"""What trials say of predicted uplift: how much of it comes true, and how far another campaign may be off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import chi2, t
from sklearn.isotonic import IsotonicRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BINS, _ROWS_OF_A_BIN = 10, 300
# Uplift is taken to be there when no effect anywhere would show as much as seldom as this.
_ALPHA = 0.01
# How far campaigns may differ from what like campaigns brought, before any is seen: in points, and relatively.
_SCALE_OF_ALL, _SCALE_OF_EACH = 0.01, 0.25
_LEVEL = 0.9
# Scores that are all alike leave some doubt.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """The effect that comes with a predicted one.

    Attributes
    ----------
    predicted, effect, error
        Shape (bins,). Mean prediction, the effect that trials showed, never falling, and its standard error.
    between_all, between_each
        Standard deviation of a campaign's effect around it: in points, and as a share of the effect.
    p_value
        Chance of trials as clear as these if nobody were moved. From .01 on, no effect is claimed for anybody.
    trials
        How many campaigns were tried.

    References
    ----------
    Higgins, Thompson and Spiegelhalter, *A re-evaluation of random-effects meta-analysis*, Journal of the Royal
    Statistical Society A 172 (2009), for the interval of a new campaign.
    """

    predicted: Floats
    effect: Floats
    error: Floats
    between_all: float
    between_each: float
    p_value: float
    trials: int

    @property
    def holds(self) -> bool:
        """Whether trials showed any effect."""
        return self.p_value < _ALPHA

    def uplift(self, predicted: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the uplift that comes with predictions, and the ends of its 90 % interval for a new campaign.

        Parameters
        ----------
        predicted
            Shape (n,).

        Returns
        -------
        uplift, low, high
            Shape (n,) each, within -1 and 1.
        """
        # Beyond the last bins the prediction's own slope goes on.
        beyond = predicted - np.clip(predicted, self.predicted[0], self.predicted[-1])
        found = np.interp(predicted, self.predicted, self.effect) + beyond
        error = np.interp(predicted, self.predicted, self.error)
        if not self.holds:
            found = np.zeros(len(predicted))
        # A new campaign differs from the mean of all, and that mean is known from so many trials.
        between = self.between_all**2 + (self.between_each * found) ** 2
        spread = np.sqrt(error**2 + between * (1 + 1 / self.trials))
        reach = t.ppf((1 + _LEVEL) / 2, max(self.trials - 1, 1)) * spread
        ends = (np.clip(part, -1.0, 1.0) for part in (found, found - reach, found + reach))
        uplift, low, high = ends
        return uplift, low, high


def effect_scores(without: Floats, with_offer: Floats, asked: Floats, came: Floats, chance: Floats) -> Floats:
    """Return doubly robust scores: their mean over any customers is the effect on them.

    Parameters
    ----------
    without, with_offer
        Shape (n,). Predicted chances of a visit.
    asked, came
        Shape (n,). What happened, 0 or 1.
    chance
        Shape (n,). Chance of being asked.

    Examples
    --------
    >>> half = np.full(2, 0.5)
    >>> effect_scores(half, half, np.array([1.0, 0.0]), np.array([1.0, 0.0]), half).tolist()
    [1.0, 1.0]
    """
    return np.asarray(
        with_offer - without + asked * (came - with_offer) / chance - (1 - asked) * (came - without) / (1 - chance)
    )


def calibrated(
    campaign: NDArray[np.int64], predicted: Floats, scores: Floats, weight: Floats | None = None
) -> Calibration:
    """Set predicted uplift beside what trials showed.

    Effects are pooled over campaigns in bins of like predictions, and made to rise with them. What campaigns differ
    from that beyond chance is estimated by their likelihood on a grid, with half-normal priors: few
    campaigns cannot show that they are all alike.

    Parameters
    ----------
    campaign
        Shape (n,). Number of the trial.
    predicted
        Shape (n,). Uplift predicted from what was known before it.
    scores
        Shape (n,). What `effect_scores` returns.
    weight
        Shape (n,). How many customers each stands for; by default 1.

    Returns
    -------
    Calibration

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> predicted = rng.choice([0.0, 0.4], 20_000)
    >>> found = calibrated(np.arange(20_000) % 8, predicted, predicted / 2 + rng.normal(size=20_000))
    >>> found.holds, bool(abs(found.uplift(np.array([0.4]))[0][0] - 0.2) < 0.03)
    (True, True)
    """
    cells, pooled, error = _cells(campaign, predicted, scores, np.ones(len(predicted)) if weight is None else weight)
    seen = pooled["score"].to_numpy()
    p_value = float(chi2.sf(((seen / error) ** 2).sum(), len(seen)))
    effect = IsotonicRegression().fit_transform(pooled["predicted"], seen, sample_weight=error**-2.0)
    told = np.interp(cells["predicted"], pooled["predicted"], effect)
    trials = len(np.unique(campaign))
    # The pooled effect follows its own campaigns: they lie nearer to it than another one will.
    nearer = np.sqrt(1 - 1 / max(trials, 2))
    between_all, between_each = _between(
        (cells["score"] - told).to_numpy() / nearer, cells["error2"].to_numpy(), told if p_value < _ALPHA else 0 * told
    )
    return Calibration(
        pooled["predicted"].to_numpy(), np.asarray(effect, dtype=np.float64), error, between_all, between_each,
        p_value, trials,
    )  # fmt: skip


def _cells(
    campaign: NDArray[np.int64], predicted: Floats, scores: Floats, weight: Floats
) -> tuple[pd.DataFrame, pd.DataFrame, Floats]:
    """Return means of bins in campaigns with the square of their error, means of bins, and the error of these."""
    bins = int(np.clip(len(predicted) // _ROWS_OF_A_BIN, 2, _BINS))
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    share = weight / weight.mean()
    rows = pd.DataFrame({
        "campaign": campaign, "bin": np.searchsorted(edges, predicted, side="left"), "n": share, "squares": share**2,
        "predicted": share * predicted, "score": share * scores, "square": share * scores**2,
    })  # fmt: skip
    sums = rows.groupby(["bin", "campaign"]).sum()
    whole = sums.groupby("bin").sum()
    pooled, cells = whole.div(whole["n"], axis=0), sums.div(sums["n"], axis=0)
    # One spread a bin: that of a small cell is known too badly.
    within = (pooled["square"] - pooled["score"] ** 2).clip(lower=_LEAST_VARIANCE)
    # So many customers of equal weight would tell as much.
    alike = sums["n"] ** 2 / sums["squares"]
    cells["error2"] = within.reindex(cells.index.get_level_values("bin")).to_numpy() / alike
    return cells, pooled, np.sqrt((within * whole["squares"] / whole["n"] ** 2).to_numpy(np.float64))


def _between(residual: Floats, error2: Floats, effect: Floats) -> tuple[float, float]:
    """Return the root of the mean posterior variance between campaigns: in points, and relative to the effect."""
    steps = np.linspace(0.0, 3.0, 31)
    of_all, of_each = np.meshgrid(steps * _SCALE_OF_ALL, steps * _SCALE_OF_EACH, indexing="ij")
    variance = error2 + of_all[..., None] ** 2 + (of_each[..., None] * effect) ** 2
    weight = -0.5 * (np.log(variance) + residual**2 / variance).sum(axis=-1)
    weight -= 0.5 * ((of_all / _SCALE_OF_ALL) ** 2 + (of_each / _SCALE_OF_EACH) ** 2)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    return float(np.sqrt((weight * of_all**2).sum())), float(np.sqrt((weight * of_each**2).sum()))
