"""What more money brings: revenue by money spent, as a curve that bends down.

Revenue of a week is ``scale * spent ** bend`` on average. A bend of 1 is a straight line, of 0 a channel where more
money brings nothing. The bend is that of Poisson's quasi-likelihood, which takes weeks without revenue as they are
(Santos Silva and Tenreyro 2006); its error and the intervals come from drawing blocks of weeks with replacement, since
neighbouring weeks are alike (Künsch 1989).

Santos Silva, J. M. C., Tenreyro, S. (2006). The log of gravity. Review of Economics and Statistics 88, 641-658.
Künsch, H. R. (1989). The jackknife and the bootstrap for general stationary observations. Annals of Statistics 17,
1217-1241.
Hesterberg, T. C. (2015). What teachers should know about the bootstrap. The American Statistician 69, 371-386.
Priestley, M. B. (1981). Spectral analysis and time series. Academic Press.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from o2o_mining.attribution.effects.experiments import LEVEL

Floats = npt.NDArray[np.float64]

DRAWS = 1000
LEAST_WEEKS = 8
"""So many weeks with spending, or no curve."""

LEAST_SPREAD = 0.15
"""Standard deviation of the logarithm of spending below which its weeks are too alike to show a bend."""

_STEEPEST = 3.0
_STEPS = 40


@dataclass(frozen=True)
class Drawn:
    """The curve of one channel, and those of weeks drawn anew.

    Attributes
    ----------
    bend, error
        The bend as the weeks have it, not held within 0 and 1, and its standard error.
    bends
        Of each draw, shape (n_draws,).
    spent, revenue
        Of the weeks, shape (n_weeks,).
    weeks
        The weeks of each draw, shape (n_draws, n_weeks).
    """

    bend: float
    error: float
    bends: Floats
    spent: Floats
    revenue: Floats
    weeks: npt.NDArray[np.int64]

    def scales(self, bends: Floats) -> Floats:
        """Return the scale of each draw, given its bend.

        Parameters
        ----------
        bends
            Shape (n_draws,).
        """
        powers = self.spent[self.weeks] ** bends[:, None]
        return np.asarray(self.revenue[self.weeks].sum(axis=1) / powers.sum(axis=1))

    def scale(self, bend: float) -> float:
        """Return the scale of all weeks, given the bend.

        Parameters
        ----------
        bend
            The bend.
        """
        return float(self.revenue.sum() / (self.spent**bend).sum())


def bend(spent: Floats, revenue: Floats) -> Floats:
    """Return the bend of each sample of weeks.

    Given the bend, the scale is all revenue over the sum of all ``spent ** bend``; what is left of the likelihood is
    concave in the bend alone, and its root is bracketed within -3 and 3.

    Parameters
    ----------
    spent, revenue
        Of the weeks of each sample, shape (n_samples, n_weeks); money spent above 0.

    Examples
    --------
    >>> spent = np.array([[1.0, 4.0, 9.0, 16.0]])
    >>> bend(spent, 5 * np.sqrt(spent)).round(6).tolist()
    [0.5]
    """
    logs = np.log(spent)
    earned = revenue.sum(axis=1)
    mean = (revenue * logs).sum(axis=1) / np.where(earned > 0, earned, 1.0)
    low, high = (np.full(len(spent), end) for end in (-_STEEPEST, _STEEPEST))
    # By halves: the likelihood's slope falls everywhere, and no step can run away. 40 halves leave 1e-11 of the width.
    for _ in range(_STEPS):
        middle = (low + high) / 2
        weights = np.exp(middle[:, None] * (logs - logs.max(axis=1, keepdims=True)))
        rises = mean > (weights * logs).sum(axis=1) / weights.sum(axis=1)
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    # Without revenue nothing can be told of a bend.
    return np.where(earned > 0, (low + high) / 2, 0.0)


def drawn(spent: Floats, revenue: Floats, *, seed: int) -> Drawn:
    """Fit the curve of one channel to its weeks and to blocks of them drawn with replacement.

    Parameters
    ----------
    spent, revenue
        Of the weeks in which something was spent, in order of time, shape (n_weeks,).
    seed
        Of the draws.
    """
    n = len(spent)
    block = _block_weeks(n)
    starts = np.random.default_rng(seed).integers(0, n, (DRAWS, -(-n // block)))
    # The last week is followed by the first: every week is drawn equally often.
    weeks = ((starts[:, :, None] + np.arange(block)) % n).reshape(DRAWS, -1)[:, :n]
    found = float(bend(spent[None, :], revenue[None, :])[0])
    # A draw of one week over and over, or of weeks alike, tells nothing of a bend.
    tells = np.ptp(spent[weeks], axis=1) > 0
    bends = np.where(tells, bend(spent[weeks], revenue[weeks]), found)
    return Drawn(found, float(bends.std(ddof=1)), bends, spent, revenue, weeks)


def interval_ends(n: int) -> tuple[float, float]:
    """Return the percentiles of what is drawn from n weeks that hold the truth 95 times of 100.

    Those of the draws themselves are too narrow where weeks are few (Hesterberg 2015, expanded percentiles). A draw
    varies less than the truth by a block for each of the curve's two figures, and overlapping blocks tell of the spread
    no more than fewer weeks would: as many as Bartlett's weights count (Priestley 1981).

    Parameters
    ----------
    n
        The weeks.

    Examples
    --------
    >>> [round(low, 2) for low, _ in map(interval_ends, (8, 16, 60, 5000))]
    [0.0, 0.08, 1.25, 2.43]
    """
    block = _block_weeks(n)
    freedom = 3 * n * block / (2 * block**2 + 1) - 2
    low = 100 * stats.norm.cdf(np.sqrt(n / (n - 2 * block)) * stats.t.ppf((1 - LEVEL) / 2, freedom))
    return float(low), float(100 - low)


def _block_weeks(n: int) -> int:
    return max(1, round(float(np.cbrt(n))))
