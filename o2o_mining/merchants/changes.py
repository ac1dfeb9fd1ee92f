"""Merchants that turn bad: found within days, with a bounded share of false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.contracts.merchants import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

WATCHED_DAYS = 365
# What is better than this counts as this: a bet can lose only so much. Worse than the second is a slip of the clock.
_BEST, _WORST = -1.5, 6.0
# A merchant mends when it is not half a standard deviation off; of better and worse days no more than this counts.
_STILL_BAD, _MENDED_BEST, _MENDED_WORST = 0.5, -6.0, 1.5
# Shares of the largest bet that cannot lose everything; what they win is averaged.
_BETS = np.array([0.3, 0.6, 0.9])
_MIDDLE = 1
# Merchants watched at once: their days take memory.
_AT_ONCE = 1_000
_CHANGE_COLUMNS = ["merchant_id", "found_on", "changed_on", "lifted_on", "measure", "visits", "evidence"]
# Beyond this evidence nothing is left to prove, and numbers would overflow.
_MOST = 1e12


@dataclass(frozen=True)
class Limits:
    """What may be wrong how often.

    Attributes
    ----------
    good_within
        Standard deviations that a good merchant may be worse than usual.
    false_alarm_share
        At most this share of good merchants is stopped within 365 days.
    false_lift_days
        How many days pass on average before a merchant that is still bad is let go.
    bad_visit_min
        Minutes beyond the promise that make a visit bad.
    """

    good_within: float
    false_alarm_share: float
    false_lift_days: float
    bad_visit_min: float

    @property
    def alarm(self) -> float:
        """The evidence at which a merchant is stopped."""
        return WATCHED_DAYS / self.false_alarm_share


@dataclass(frozen=True)
class Watched:
    """What watching a year gives.

    Attributes
    ----------
    changes
        The columns of ``merchant_changes`` but for ``as_of``.
    evidence
        By merchant, sorted: log10 of the evidence on the last day.
    """

    changes: pd.DataFrame
    evidence: pd.Series[float]


def log_bets(score: NDArray[np.float64], *, null_mean: float, least: float) -> NDArray[np.float64]:
    """Return the log of what bets on a mean above the null win on each score.

    A bet of ``b`` wins ``1 + b (score - null_mean)``: its expectation is at most 1 as long as the mean of the score,
    given all before, is at most ``null_mean``, whatever its distribution. The largest bet is the one that would lose
    everything on the least score; taken are three shares of it.

    Parameters
    ----------
    score
        Shape (n,), none below ``least``.
    null_mean
        The largest mean that is no change.
    least
        The least score there is.

    Returns
    -------
    ndarray
        Shape (3, n).

    Notes
    -----
    I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting, JRSS B 86 (2024).

    Examples
    --------
    >>> np.exp(log_bets(np.array([-1.0, 0.0, 1.0]), null_mean=0.0, least=-1.0)).round(1).tolist()
    [[0.7, 1.0, 1.3], [0.4, 1.0, 1.6], [0.1, 1.0, 1.9]]
    """
    bets = _BETS / (null_mean - least)
    return np.asarray(np.log1p(bets[:, None] * (score - null_mean)))


def watch(rows: pd.DataFrame, weights: Mapping[str, float], limits: Limits, *, as_of: date) -> Watched:
    """Go through a year day by day, and note when each merchant turned bad and when it mended.

    For each measure and bet the evidence of Shiryaev and Roberts adds up what a bettor would have won who began on any
    of the days so far: ``R = (R + 1) * won today``. The measures' evidences are averaged by their weights. As long as a
    merchant is good, R less the number of days is a martingale, so the chance that R ever reaches A within 365 days is
    at most 365 / A (Doob). Reaching A stops the merchant; the same evidence the other way round lets it go.

    Parameters
    ----------
    rows
        As `standardised` returns them; only the last 365 days count.
    weights
        By measure; of those that occur.
    limits
        How good a merchant must be, and how often the alarm may be wrong.
    as_of
        The day.

    Returns
    -------
    Watched
        Changes found, and the evidence of the last day.

    Notes
    -----
    J. Shin, A. Ramdas and A. Rinaldo, E-detectors, NEJSDS 2 (2024).

    Examples
    --------
    >>> turned = pd.DataFrame({"merchant_id": "m", "measure": "wait", "age": range(100, 0, -1), "n": 3,
    ...                        "z": [0.0] * 80 + [2.0] * 20})
    >>> limits = Limits(good_within=0.2, false_alarm_share=0.01, false_lift_days=365, bad_visit_min=10)
    >>> found = watch(turned, {"wait": 1.0}, limits, as_of=date(2024, 7, 1)).changes
    >>> found[["changed_on", "found_on"]].astype(str).values.tolist()
    [['2024-06-11', '2024-06-17']]
    """
    rows = rows[rows["age"] <= WATCHED_DAYS]
    told = [measure for measure in MEASURES if (rows["measure"] == measure).any()]
    merchants = np.array(sorted(rows["merchant_id"].unique()), dtype=object)
    share = np.array([weights[measure] for measure in told])
    parts = [
        _watched(rows[rows["merchant_id"].isin(some)], told, some, share / share.sum(), limits, as_of)
        for some in (merchants[at : at + _AT_ONCE] for at in range(0, len(merchants), _AT_ONCE))
    ]
    if not parts:
        return Watched(pd.DataFrame(columns=_CHANGE_COLUMNS), pd.Series(dtype="float64", name="evidence"))
    changes = pd.concat([part.changes for part in parts], ignore_index=True)
    return Watched(changes, pd.concat([part.evidence for part in parts]))


def _watched(
    rows: pd.DataFrame,
    told: list[str],
    merchants: NDArray[np.object_],
    share: NDArray[np.float64],
    limits: Limits,
    as_of: date,
) -> Watched:
    """Watch some merchants, given in the order of their ids."""
    scan = _Scan(share, len(merchants), limits)
    seen, worse, better = _daily(rows, told, merchants, limits)
    found = [row for day in range(WATCHED_DAYS) for row in scan.day(day, seen[day], worse[day], better[day])]
    changes = _table(found, merchants, told, as_of - timedelta(days=WATCHED_DAYS), rows)
    evidence = pd.Series(np.log10(np.maximum(scan.total, 1.0)).round(6), index=merchants, name="evidence")
    return Watched(changes, evidence)


class _Scan:
    """The state of all merchants, moved on day by day; arrays are (measures, bets, merchants)."""

    def __init__(self, share: NDArray[np.float64], merchants: int, limits: Limits) -> None:
        self.share, self.limits = share, limits
        shape = (len(share), len(_BETS), merchants)
        self.evidence, self.mended = np.zeros(shape), np.zeros(shape)
        self.walk, self.since = np.zeros((len(share), merchants)), np.zeros((len(share), merchants), dtype=np.int64)
        self.standing: dict[int, dict[str, float]] = {}
        self.bad = np.zeros(merchants, dtype=bool)
        self.driver = np.zeros(merchants, dtype=np.int64)
        self.total = np.zeros(merchants)

    def day(
        self, day: int, seen: NDArray[np.bool_], worse: NDArray[np.float64], better: NDArray[np.float64]
    ) -> list[dict[str, float]]:
        """Take in a day, and return the changes that begin to be known; of one that mends the day is noted in it."""
        told = seen[:, None, :]
        self.evidence = np.where(told, np.minimum((self.evidence + 1) * np.exp(worse), _MOST), self.evidence)
        self.mended = np.where(told & self.bad, np.minimum((self.mended + 1) * np.exp(better), _MOST), self.mended)
        fresh = seen & (self.walk <= 0)
        self.since[fresh] = day
        self.walk = np.where(seen, np.maximum(self.walk, 0) + worse[:, _MIDDLE], self.walk)
        parts = self.share[:, None] * self.evidence.mean(axis=1)
        self.total = parts.sum(axis=0)
        self._lift(day)
        return self._stop(day, parts)

    def _stop(self, day: int, parts: NDArray[np.float64]) -> list[dict[str, float]]:
        found = []
        for merchant in np.flatnonzero(~self.bad & (self.total >= self.limits.alarm)):
            driver = int(parts[:, merchant].argmax())
            self.bad[merchant], self.driver[merchant] = True, driver
            self.mended[:, :, merchant] = 0.0
            row = {
                "merchant": merchant, "found": day, "changed": self.since[driver, merchant], "lifted": -1,
                "measure": driver, "evidence": np.log10(self.total[merchant]),
            }  # fmt: skip
            self.standing[int(merchant)] = row
            found.append(row)
        return found

    def _lift(self, day: int) -> None:
        every = np.arange(len(self.bad))
        mended = self.mended[self.driver, :, every].mean(axis=1)
        for merchant in np.flatnonzero(self.bad & (mended >= self.limits.false_lift_days)):
            self.bad[merchant] = False
            self.standing.pop(int(merchant))["lifted"] = day
            # What was known of the bad time is settled: the watch begins anew.
            self.evidence[:, :, merchant], self.walk[:, merchant], self.total[merchant] = 0.0, 0.0, 0.0


def _daily(
    rows: pd.DataFrame, told: list[str], merchants: NDArray[np.object_], limits: Limits
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Return by day and measure which merchants were told of, and the logs won by bets on bad and on mended."""
    shape = (WATCHED_DAYS, len(told), len(merchants))
    day = WATCHED_DAYS - rows["age"].to_numpy()
    measure = pd.Categorical(rows["measure"], categories=told).codes.astype(np.int64)
    merchant = np.searchsorted(merchants.astype(str), rows["merchant_id"].to_numpy().astype(str))
    place = np.ravel_multi_index((day, measure, merchant), shape)
    z, n = rows["z"].to_numpy(), rows["n"].to_numpy()
    size = int(np.prod(shape))
    worse = log_bets(np.clip(z, _BEST, _WORST), null_mean=limits.good_within, least=_BEST)
    better = log_bets(-np.clip(z, _MENDED_BEST, _MENDED_WORST), null_mean=-_STILL_BAD, least=-_MENDED_WORST)
    seen = np.bincount(place, minlength=size).reshape(shape) > 0
    won_worse, won_better = (
        np.stack([1.0 * np.bincount(place, weights=n * bet, minlength=size).reshape(shape) for bet in logs], axis=2)
        for logs in (worse, better)
    )
    return np.asarray(seen), won_worse, won_better


def _table(
    found: list[dict[str, float]], merchants: NDArray[np.object_], told: list[str], first: date, rows: pd.DataFrame
) -> pd.DataFrame:
    """Return the changes with their days; what happened on a day is known to the as_of of the next."""
    if not found:
        return pd.DataFrame(columns=_CHANGE_COLUMNS)
    changes = pd.DataFrame(found)
    changes["merchant_id"] = merchants[changes["merchant"].to_numpy()]
    changes["measure"] = np.array(told, dtype=object)[changes["measure"].to_numpy()]
    days = rows[["merchant_id", "measure", "n"]].assign(day=WATCHED_DAYS - rows["age"])
    between = changes.merge(days, on=["merchant_id", "measure"])
    between = between[between["day"].between(between["changed"], between["found"])]
    counted = between.groupby(["merchant_id", "found"])["n"].sum()
    changes["visits"] = counted.loc[pd.MultiIndex.from_frame(changes[["merchant_id", "found"]])].to_numpy()

    def day(numbers: pd.Series[int]) -> list[date | None]:
        return [first + timedelta(days=int(number)) if number >= 0 else None for number in numbers]

    changes["found_on"], changes["changed_on"] = day(changes["found"] + 1), day(changes["changed"])
    changes["lifted_on"] = day(changes["lifted"] + (changes["lifted"] >= 0))
    changes["evidence"] = changes["evidence"].round(6)
    return changes[_CHANGE_COLUMNS].sort_values(["merchant_id", "found_on"], ignore_index=True)
