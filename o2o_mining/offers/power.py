"""How many customers an experiment needs to tell an effect from chance."""

from __future__ import annotations

import math

from scipy.stats import norm

from o2o_mining.core.errors import UsageError


def pilot_size(control: float, treatment: float, *, significance: float = 0.05, power: float = 0.8) -> int:
    """Return how many customers each of two arms needs so that a test of two shares finds the difference.

    Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions (2003), 4.2, without the continuity
    correction.

    Parameters
    ----------
    control, treatment
        Shares expected in the arms.
    significance, power
        Of the two-sided test.

    Returns
    -------
    int
        Customers of one arm.

    Raises
    ------
    UsageError
        If the shares are the same, or no shares.

    Examples
    --------
    >>> pilot_size(0.10, 0.15)
    686
    """
    if not (0 <= control <= 1 and 0 <= treatment <= 1) or control == treatment:
        raise UsageError(f"no difference between {control} and {treatment} can be found")
    mean = (control + treatment) / 2
    under_null = float(norm.isf(significance / 2)) * math.sqrt(2 * mean * (1 - mean))
    under_effect = float(norm.ppf(power)) * math.sqrt(control * (1 - control) + treatment * (1 - treatment))
    return math.ceil(((under_null + under_effect) / (treatment - control)) ** 2)
