"""How far an account's use of coupons is from what honest customers do, in digits of evidence.

A digit is a factor of ten: where what was seen, or more of it, happens to one honest account in a thousand, that is
three. What is usual is learned from all uses of the source, those of cheats included, which makes it err towards trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import binom, chi2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_MOST = 99.0  # digits; beyond, the numbers are those of the arithmetic
_LN10 = float(np.log(10))


@dataclass(frozen=True)
class Usual:
    """What is usual of uses: shares within half an hour and again, of pairs at one merchant, and of busy days."""

    quick: float
    again: float
    same: float
    busy: float


def usual(accounts: pd.DataFrame) -> Usual:
    """Return what is usual, each share with one case more of either outcome.

    Parameters
    ----------
    accounts
        ``customer_id, uses, timed, quick, again, moments, days``.

    Returns
    -------
    Usual
        Shares: of uses with a known receipt those within half an hour of it; of uses those of a coupon used before; of
        two uses of one customer the chance that both are of one merchant; of a use on a day the chance of another one.

    Examples
    --------
    >>> usual(pd.DataFrame({"customer_id": ["a"], "uses": [8], "timed": [8], "quick": [2], "again": [0],
    ...                     "moments": [8], "days": [8]})).quick
    0.3
    """
    sums = accounts[["uses", "timed", "quick", "again", "moments", "days"]].sum()
    each, whole = accounts["uses"], accounts.groupby("customer_id")["uses"].sum()
    pairs, together = (whole * (whole - 1)).sum(), (each * (each - 1)).sum()

    def share(part: float, of: float) -> float:
        return float((part + 1) / (of + 2))

    return Usual(
        quick=share(sums["quick"], sums["timed"]),
        again=share(sums["again"], sums["uses"]),
        same=share(together, pairs),
        busy=share(sums["moments"] - sums["days"], sums["moments"]),
    )


def at_least(count: Numbers, of: Numbers, share: float) -> Numbers:
    """Return the digits of evidence of ``count`` or more successes in ``of`` tries.

    Examples
    --------
    >>> at_least(np.array([3.0, 0.0]), np.array([3.0, 5.0]), 0.1).round(6).tolist()
    [3.0, 0.0]
    """
    return np.asarray(np.clip(-binom.logsf(count - 1, of, share) / _LN10, 0.0, _MOST) + 0.0)


def account_digits(accounts: pd.DataFrame, of: Usual) -> pd.DataFrame:
    """Return the evidence against each account at a merchant.

    Parameters
    ----------
    accounts
        As for `usual`, with ``everywhere``, the customer's uses at all merchants.
    of
        What is usual.

    Returns
    -------
    DataFrame
        Digits ``quick, only, again, burst`` (many uses on a day) and ``all``, the first three together by Fisher's
        method (R. A. Fisher, Statistical methods for research workers, 1932).

    Examples
    --------
    >>> rows = pd.DataFrame({"uses": [4], "timed": [4], "quick": [4], "again": [0], "moments": [4], "days": [4],
    ...                      "everywhere": [4]})
    >>> account_digits(rows, Usual(0.01, 0.01, 0.1, 0.01)).round(2).iloc[0].tolist()
    [8.0, 3.0, 0.0, 0.0, 8.46]
    """
    n = accounts.astype({"uses": float})
    uses, everywhere = n["uses"].to_numpy(), n["everywhere"].to_numpy(float)
    quick = at_least(n["quick"].to_numpy(float), n["timed"].to_numpy(float), of.quick)
    only = at_least(uses - 1, everywhere - 1, of.same)
    again = at_least(n["again"].to_numpy(float), uses, of.again)
    moments = n["moments"].to_numpy(float)
    burst = at_least(moments - n["days"].to_numpy(float), moments, of.busy)
    together = -chi2.logsf(2 * _LN10 * (quick + only + again), 6) / _LN10
    digits = {"quick": quick, "only": only, "again": again, "burst": burst, "all": together}
    return pd.DataFrame({name: np.clip(value, 0.0, _MOST) for name, value in digits.items()}, index=accounts.index)
