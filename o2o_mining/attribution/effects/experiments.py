"""What a draw shows: treatment against control, as they were drawn and not as they were reached.

Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. Statistics in Medicine
17, 873-890. Deng, A., Xu, Y., Kohavi, R., Walker, T. (2013). Improving the sensitivity of online controlled experiments
by utilizing pre-experiment data. WSDM. Robbins, H. (1970). Statistical methods related to the law of the iterated
logarithm. Annals of Mathematical Statistics 41, 1397-1409.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.95
ALARM_P = 0.001
"""Groups as unequal as this by a fair draw stop nobody from looking, but raise an alarm."""

_POWER = 0.8
Z95 = float(stats.norm.ppf((1 + LEVEL) / 2))
DETECTED = Z95 + float(stats.norm.ppf(_POWER))
"""So many standard errors is the smallest effect that is found four times of five."""

# Shares of treatment that are drawn in practice: half, two of three, three of four, and so on, either way.
_DESIGNS = np.unique([share for odds in (1, 2, 3, 4, 9, 19, 99) for share in (odds / (odds + 1), 1 / (odds + 1))])


@dataclass(frozen=True)
class Effect:
    """A difference of means with its interval at 95 %.

    Attributes
    ----------
    mean_treatment, mean_control
        Means of the groups.
    effect, low, high
        Treatment less control, and the ends of its interval.
    p_value
        Two-sided.
    standard_error
        Of the effect.
    detectable
        The smallest effect found four times of five at that size.
    """

    mean_treatment: float
    mean_control: float
    effect: float
    low: float
    high: float
    p_value: float
    standard_error: float
    detectable: float


def difference_of_shares(treated: int, of_treated: int, held: int, of_held: int) -> Effect:
    """Compare shares by Newcombe's hybrid of two Wilson intervals.

    Parameters
    ----------
    treated, of_treated
        Successes and customers in treatment.
    held, of_held
        Successes and customers in control.

    Examples
    --------
    >>> found = difference_of_shares(56, 70, 48, 80)
    >>> round(found.effect, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    one, other = treated / of_treated, held / of_held
    (one_low, one_high), (other_low, other_high) = _wilson(treated, of_treated), _wilson(held, of_held)
    effect = one - other
    pooled = (treated + held) / (of_treated + of_held)
    spread = pooled * (1 - pooled) * (1 / of_treated + 1 / of_held)
    error = float(np.sqrt(spread))
    return Effect(
        one,
        other,
        effect,
        effect - float(np.hypot(one - one_low, other_high - other)),
        effect + float(np.hypot(one_high - one, other - other_low)),
        float(2 * stats.norm.sf(abs(effect) / error)) if error else 1.0,
        float(np.sqrt(one * (1 - one) / of_treated + other * (1 - other) / of_held)),
        DETECTED * error,
    )


def _wilson(successes: int, tries: int) -> tuple[float, float]:
    share, z2 = successes / tries, Z95 * Z95
    middle = (share + z2 / (2 * tries)) / (1 + z2 / tries)
    half = Z95 * np.sqrt(share * (1 - share) / tries + z2 / (4 * tries * tries)) / (1 + z2 / tries)
    # Rounding must not leave a share of 0 or 1 outside its own interval.
    return min(share, float(middle - half)), max(share, float(middle + half))


def difference_of_means(treated: npt.NDArray[np.float64], held: npt.NDArray[np.float64]) -> Effect:
    """Compare means by Welch's interval.

    Parameters
    ----------
    treated, held
        Outcomes of the customers of each group, at least two each.

    Examples
    --------
    >>> found = difference_of_means(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0]))
    >>> found.effect, round(found.low, 3), round(found.high, 3)
    (1.0, -1.267, 3.267)
    """
    parts = treated.var(ddof=1) / len(treated), held.var(ddof=1) / len(held)
    error = float(np.sqrt(sum(parts)))
    means = float(treated.mean()), float(held.mean())
    effect = means[0] - means[1]
    if not error:
        return Effect(*means, effect, effect, effect, 1.0 if not effect else 0.0, 0.0, 0.0)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(treated) - 1) + parts[1] ** 2 / (len(held) - 1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(effect) / error, freedom))
    return Effect(*means, effect, effect - half, effect + half, p_value, error, DETECTED * error)


def adjusted(
    treated: npt.NDArray[np.float64],
    held: npt.NDArray[np.float64],
    treated_before: npt.NDArray[np.float64],
    held_before: npt.NDArray[np.float64],
) -> Effect | None:
    """Compare means after taking out what the time before foretells (CUPED); None if it foretells nothing.

    Parameters
    ----------
    treated, held
        Outcomes of the customers of each group.
    treated_before, held_before
        The same of the time before the campaign, in the same order.

    Examples
    --------
    >>> before = np.arange(6.0)
    >>> found = adjusted(before + 1, before, before, before)
    >>> found.effect, found.standard_error < 1e-9
    (1.0, True)
    """
    before, outcome = np.concatenate([treated_before, held_before]), np.concatenate([treated, held])
    groups = np.repeat([0, 1], [len(treated), len(held)])
    # Within the groups: the effect itself must not pass for what the time before foretells.
    centred = [
        values - np.array([values[groups == group].mean() for group in (0, 1)])[groups] for values in (before, outcome)
    ]
    spread = float(centred[0] @ centred[0])
    if not spread:
        return None
    slope = float(centred[0] @ centred[1]) / spread
    moved = slope * (before - before.mean())
    return difference_of_means(treated - moved[groups == 0], held - moved[groups == 1])


def sample_ratio_p(n_treatment: int, n_control: int) -> float:
    """Return the chance of groups so unequal if they had been drawn in the nearest usual proportion.

    The feed does not say in which proportion was drawn; it is taken to be the nearest of 1:1, 2:1, 3:1, 4:1, 9:1, 19:1
    and 99:1, either way.

    Parameters
    ----------
    n_treatment, n_control
        Customers of the groups.

    Examples
    --------
    >>> round(sample_ratio_p(5000, 5000), 3), sample_ratio_p(5300, 4700) < 0.001
    (1.0, True)
    """
    n = n_treatment + n_control
    share = _DESIGNS[np.argmin(np.abs(_DESIGNS - n_treatment / n))]
    expected = np.array([n * share, n * (1 - share)])
    return float(stats.chisquare([n_treatment, n_control], expected).pvalue)


def confidence_sequence(
    effect: npt.NDArray[np.float64], standard_error: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return intervals that hold on all days at once, so that looking every day does no harm.

    The effect found so far is a martingale around the true one with the square of its standard error as its clock;
    Robbins' mixture bounds it at all times at once. It is tightest at the last day's standard error.

    Parameters
    ----------
    effect, standard_error
        Found up to the end of each day, shape (n_days,).

    Examples
    --------
    >>> low, high = confidence_sequence(np.array([0.0]), np.array([1.0]))
    >>> round(float(high[0]), 2)
    3.04
    """
    clock = standard_error**2
    alpha = 1 - LEVEL
    # The value of the mixture's variance that makes the bound tightest at the last clock, to first order.
    mixed = clock[-1] / (2 * np.log(1 / alpha) + np.log(1 + 2 * np.log(1 / alpha))) if clock[-1] else 1.0
    half = np.sqrt((clock + mixed) * np.log((clock + mixed) / (mixed * alpha**2)))
    return effect - half, effect + half
