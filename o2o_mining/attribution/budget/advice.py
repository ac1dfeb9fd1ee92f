"""Where one more unit of money would bring most, and which channel an experiment should look at next.

Each channel with spending has a curve (``curves``) of the revenue credited to it. Credit is not effect: where campaigns
were drawn, the curve is scaled by purchases caused over purchases credited (``calibration``), with the error of that.
The bends of channels are drawn towards their mean, since a few dozen weeks tell little of one channel alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from o2o_mining.attribution.budget.curves import DRAWS, LEAST_SPREAD, LEAST_WEEKS, Drawn, drawn, interval_ends
from o2o_mining.attribution.effects.pooling import Pooled, pooled

RECENT_WEEKS = 13

# Standard deviation by which the bends of channels differ at the least.
_BENDS_DIFFER = 0.15


@dataclass(frozen=True)
class Scale:
    """Purchases caused per purchase credited to one channel.

    Attributes
    ----------
    factor, error
        The figure and its standard error; 1 and 0 where no experiment speaks.
    experiments
        Campaigns of the channel that were drawn and compared.
    """

    factor: float = 1.0
    error: float = 0.0
    experiments: int = 0


@dataclass(frozen=True)
class Advice:
    """A row of ``budget_advice``; figures that cannot be given are None."""

    channel: str
    weeks: int
    spent: float
    net_revenue: float
    typical_spent: float
    experiments: int
    label: str
    caused_share: float | None = None
    average_return: float | None = None
    average_return_low: float | None = None
    average_return_high: float | None = None
    bend: float | None = None
    marginal_return: float | None = None
    marginal_return_low: float | None = None
    marginal_return_high: float | None = None
    break_even_return: float = 0.0
    advice: str = "test"
    at_stake: float = 0.0
    test_rank: int = 0
    reason_code: str | None = None


@dataclass(frozen=True)
class Curve:
    """The curve of one channel as it is drawn: money a week, revenue caused a week, and the ends of its interval."""

    spent: list[float]
    revenue: list[float]
    low: list[float]
    high: list[float]
    weeks_spent: list[float]
    weeks_revenue: list[float]


@dataclass(frozen=True)
class Budget:
    """What is advised.

    Attributes
    ----------
    rows
        The columns of ``budget_advice`` without as_of.
    curves
        By channel, where there is one.
    """

    rows: pd.DataFrame
    curves: dict[str, Curve] = field(default_factory=dict)


def channel_scales(credit: pd.DataFrame, ratios: Pooled | None) -> dict[str, Scale]:
    """Return purchases caused per purchase credited, of each channel with credit of campaigns.

    Parameters
    ----------
    credit
        ``channel``, ``campaign_id``, ``conversions`` credited over all history, of campaigns only.
    ratios
        Purchases caused per purchase credited by campaign; None without an experiment.
    """
    if ratios is None:
        return {}
    scales = {}
    for channel, rows in credit[credit["conversions"] > 0].groupby("channel"):
        parts = (rows["conversions"] / rows["conversions"].sum()).to_numpy()
        trust = rows["campaign_id"].map(ratios.trust)
        each = rows["campaign_id"].map(ratios.each).fillna(ratios.mean).to_numpy()
        own = trust.fillna(0.0).to_numpy()
        # Of a campaign that was drawn remains what its own figure leaves open; of another all that campaigns differ by.
        spread = parts**2 @ (ratios.between * (1 - own)) + (parts @ (1 - own)) ** 2 * ratios.mean_error**2
        scales[str(channel)] = Scale(float(parts @ each), float(np.sqrt(spread)), int(trust.notna().sum()))
    return scales


def advised(
    weekly: pd.DataFrame,
    scales: dict[str, Scale],
    *,
    margin_share: float,
    margin_shares: Mapping[str, float] = MappingProxyType({}),
    seed: int = 0,
) -> Budget:
    """Advise on the budget of each channel with spending.

    Parameters
    ----------
    weekly
        ``channel``, ``week`` (counted backwards), ``spent``, ``net_revenue``.
    scales
        As ``channel_scales`` gives them; empty where there is no experiment at all.
    margin_share
        What a merchant keeps of one unit of net revenue: its inverse is the marginal return that pays.
    margin_shares
        The same by channel, of those where it is known.
    seed
        Of the draws.

    Returns
    -------
    Budget
        One row per channel that money was spent on.
    """
    spending = {str(name): rows for name, rows in weekly.groupby("channel") if (rows["spent"] > 0).any()}
    plain = {
        name: _plain(name, rows, scales, 1 / margin_shares.get(name, margin_share))
        for name, rows in sorted(spending.items())
    }
    fitted = {name: drawn(*_weeks(spending[name]), seed=seed) for name, row in plain.items() if row.reason_code is None}
    curves: dict[str, Curve] = {}
    if fitted:
        # A bend without any error cannot be drawn anywhere: it stands for itself.
        shared = pooled(
            pd.Series({name: one.bend for name, one in fitted.items()}),
            pd.Series({name: max(one.error, 1e-6) for name, one in fitted.items()}),
            least_between=_BENDS_DIFFER**2,
        )
        for name, one in fitted.items():
            scale = scales.get(name, Scale())
            plain[name], curves[name] = _reckoned(plain[name], one, shared, scale, seed=seed)
    return Budget(_table(list(plain.values())), curves)


def _weeks(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return spending and credit of the weeks in which something was spent, the earliest first."""
    some = rows[rows["spent"] > 0].sort_values("week", ascending=False)
    # More given back than was paid is possible in a week by restatement; a curve through less than nothing is not.
    return some["spent"].to_numpy(dtype=np.float64), some["net_revenue"].to_numpy(dtype=np.float64).clip(0)


def _plain(name: str, rows: pd.DataFrame, scales: dict[str, Scale], break_even: float) -> Advice:
    """Return what needs no curve, and why there can be none."""
    spent, revenue = _weeks(rows)
    reason = None
    if len(spent) < LEAST_WEEKS:
        reason = "too_few_weeks"
    elif np.log(spent).std() < LEAST_SPREAD:
        reason = "spending_does_not_vary"
    elif not revenue.any():
        reason = "nothing_credited"
    return Advice(
        channel=name,
        weeks=len(spent),
        spent=float(spent.sum()),
        net_revenue=float(rows["net_revenue"].sum()),
        typical_spent=float(spent[-RECENT_WEEKS:].mean()),
        experiments=scales[name].experiments if name in scales else 0,
        break_even_return=break_even,
        label="refused" if reason else "calibrated" if name in scales else "credited",
        reason_code=reason,
    )


def _reckoned(row: Advice, one: Drawn, shared: Pooled, scale: Scale, *, seed: int) -> tuple[Advice, Curve]:
    """Return a row with what its curve says, and the curve."""
    chance = np.random.default_rng((seed, 1))
    common, of_scale = chance.standard_normal(DRAWS), chance.standard_normal(DRAWS)
    trust, middle = float(shared.trust[row.channel]), float(np.clip(shared.each[row.channel], 0, 1))
    bends = shared.each[row.channel] + trust**0.5 * (one.bends - one.bend) + (1 - trust) * shared.mean_error * common
    bends = np.clip(bends, 0, 1)
    # The share of credit that was caused may be found below nothing; a curve downwards is then shown as it is.
    factors = scale.factor + scale.error * of_scale
    levels = factors * one.scales(bends)
    level = scale.factor * one.scale(middle)
    at = row.typical_spent
    low, high = np.percentile(levels * bends * at ** (bends - 1), interval_ends(row.weeks))
    average = factors * one.revenue[one.weeks].sum(axis=1) / one.spent[one.weeks].sum(axis=1)
    found = float(level * middle * at ** (middle - 1))
    # Credit is more than effect wherever ads go to those who buy anyway: it may say that a channel does not pay, never
    # that it does.
    pays = low >= row.break_even_return and row.label == "calibrated"
    advice = "raise" if pays else "lower" if high < row.break_even_return else "test"
    points = np.linspace(one.spent.min() / 2, one.spent.max() * 1.25, 40)
    band = np.percentile(levels[:, None] * points ** bends[:, None], interval_ends(row.weeks), axis=0)
    curve = Curve(
        spent=points.tolist(),
        revenue=(level * points**middle).tolist(),
        low=band[0].tolist(),
        high=band[1].tolist(),
        weeks_spent=one.spent.tolist(),
        weeks_revenue=(scale.factor * one.revenue).tolist(),
    )
    ends = np.percentile(average, interval_ends(row.weeks))
    middle_average = scale.factor * float(one.revenue.sum() / one.spent.sum())
    return replace(
        row,
        caused_share=scale.factor if row.label == "calibrated" else None,
        average_return=middle_average,
        average_return_low=float(min(ends[0], middle_average)),
        average_return_high=float(max(ends[1], middle_average)),
        bend=middle,
        marginal_return=found,
        marginal_return_low=float(min(low, found)),
        marginal_return_high=float(max(high, found)),
        advice=advice,
    ), curve


def _table(rows: list[Advice]) -> pd.DataFrame:
    """Return rows as a table, with what is at stake and the order in which channels should be tested.

    At stake is the money spent on a channel times what nobody knows of its return: the width of the marginal return's
    interval or, if that is wider, how far credit lies from what experiments found. Where no experiment speaks or no
    curve can be drawn, all that is credited may have come anyway.
    """
    columns = list(Advice.__dataclass_fields__)
    frame = pd.DataFrame([vars(row) for row in rows], columns=columns)
    floats = [name for name in columns if name not in ("channel", "weeks", "experiments", "label", "advice")]
    floats = [name for name in floats if name not in ("reason_code", "test_rank")]
    frame[floats] = frame[floats].astype("float64")
    credited = frame["net_revenue"] / frame["spent"]
    width = frame["marginal_return_high"] - frame["marginal_return_low"]
    gap = (credited - frame["average_return"]).abs().where(frame["label"] == "calibrated", credited.abs())
    frame["at_stake"] = frame["spent"] * np.fmax(width, gap)
    frame[floats] = frame[floats].round(6)
    order = frame.sort_values(["at_stake", "channel"], ascending=[False, True]).index
    frame["test_rank"] = pd.Series(range(1, len(frame) + 1), index=order).reindex(frame.index)
    texts = dict.fromkeys(("channel", "label", "advice", "reason_code"), "str")
    return frame.astype({"weeks": "int64", "experiments": "int64", "test_rank": "int64", **texts})
