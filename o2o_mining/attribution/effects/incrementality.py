"""One campaign after another: what it changed, by draw where there is one, else by comparison, else why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from o2o_mining.attribution.effects.experiments import (
    ALARM_P,
    Effect,
    adjusted,
    confidence_sequence,
    difference_of_means,
    difference_of_shares,
    sample_ratio_p,
)
from o2o_mining.attribution.effects.observational import changed, comparison_weights, moved_apart
from o2o_mining.contracts.attribution import OUTCOMES

_CENTS = {"net_revenue": "cents", "margin": "margin_cents"}


@dataclass(frozen=True)
class Row:
    """A row of ``incrementality``; figures that cannot be given are None."""

    campaign_id: str
    outcome: str
    method: str
    n_treatment: int
    n_control: int
    label: str
    reason_code: str | None = None
    mean_treatment: float | None = None
    mean_control: float | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    p_value: float | None = None
    total_effect: float | None = None
    smallest_detectable_effect: float | None = None
    sample_ratio_p: float | None = None


def randomised(campaign_id: str, drawn: pd.DataFrame) -> Iterator[Row]:
    """Give the effects of one campaign from a draw.

    Parameters
    ----------
    campaign_id
        The campaign.
    drawn
        One row per customer drawn, as ``bought_by_drawn`` gives it.
    """
    in_treatment = (drawn["arm"] == "treatment").to_numpy()
    sizes = int(in_treatment.sum()), int((~in_treatment).sum())
    ratio_p = sample_ratio_p(*sizes)
    doubt = "sample_ratio" if ratio_p < ALARM_P else None
    for outcome in OUTCOMES:
        row = Row(campaign_id, outcome, "itt", *sizes, label="experiment", reason_code=doubt, sample_ratio_p=ratio_p)
        now, before = (_outcome(drawn, outcome, ending) for ending in ("", "_before"))
        treated, held = now[in_treatment], now[~in_treatment]
        if outcome == "converted":
            found = difference_of_shares(int(treated.sum()), sizes[0], int(held.sum()), sizes[1])
        else:
            found = difference_of_means(treated, held)
        yield with_effect(row, found)
        sharper = adjusted(treated, held, before[in_treatment], before[~in_treatment])
        if sharper is not None and sharper.standard_error < found.standard_error:
            yield with_effect(replace(row, method="cuped"), sharper)


def compared(campaign_id: str, customers: pd.DataFrame, *, has_past: bool) -> Iterator[Row]:
    """Give the effects of one campaign without a draw, or why they cannot be given: all of them, or none.

    One comparison, and one decision whether it may be made: an effect on revenue and none on margin would be two.

    Parameters
    ----------
    campaign_id
        The campaign.
    customers
        One row per customer who had bought before: ``reached``, ``purchases_0`` and so on as ``bought_by_all`` gives.
    has_past
        Whether the log goes back over both times before the campaign.
    """
    reached = customers["reached"].to_numpy(dtype=bool)
    sizes = int(reached.sum()), int((~reached).sum())
    refused = Row(campaign_id, "", "did", *sizes, label="refused")
    # By what lies before both times that are compared: weights by these themselves would be weights by their chance.
    earlier = customers[["purchases_3", "cents_3"]].to_numpy(dtype=np.float64).clip(0)
    weights, reason = comparison_weights(reached, earlier)
    # Without a past there are no earlier buyers to reach: the log is too short, whomever the campaign touched.
    if not has_past:
        reason = "no_past"
    elif not sizes[0]:
        reason = "nobody_reached"
    times = {outcome: [_outcome(customers, outcome, f"_{back}") for back in range(3)] for outcome in OUTCOMES}
    if not reason and any(moved_apart(reached, weights, *before) for _, *before in times.values()):
        reason = "pre_trend"
    for outcome, (now, before, _) in times.items():
        row = replace(refused, outcome=outcome)
        if reason:
            yield replace(row, reason_code=reason)
        else:
            yield with_effect(replace(row, label="observational"), changed(reached, weights, now, before))


def with_effect(row: Row, found: Effect) -> Row:
    """Return a row with what was found.

    Parameters
    ----------
    row
        Without figures.
    found
        The figures, for each customer.
    """
    figures: dict[str, Any] = {
        "mean_treatment": found.mean_treatment,
        "mean_control": found.mean_control,
        "effect": found.effect,
        "effect_low": found.low,
        "effect_high": found.high,
        "p_value": found.p_value,
        "total_effect": found.effect * row.n_treatment,
        "smallest_detectable_effect": found.detectable,
    }
    return replace(row, **figures)


def daily(drawn: pd.DataFrame) -> pd.DataFrame:
    """Return the effect on the share that bought, as it was found up to each day of the campaign.

    Parameters
    ----------
    drawn
        One row per customer drawn: ``arm`` and ``first_day``, null for who did not buy.

    Returns
    -------
    pandas.DataFrame
        ``day``, ``effect``, ``low``, ``high``: the intervals hold on all days at once.
    """
    in_treatment = drawn["arm"] == "treatment"
    days = int(drawn["first_day"].max()) + 1 if drawn["first_day"].notna().any() else 1
    shares, spreads = [], []
    for group in (drawn[in_treatment], drawn[~in_treatment]):
        bought = group["first_day"].dropna().astype(int).value_counts().reindex(range(days), fill_value=0).cumsum()
        share = bought.to_numpy(dtype=np.float64) / len(group)
        shares.append(share)
        spreads.append(share * (1 - share) / len(group))
    effect = shares[0] - shares[1]
    low, high = confidence_sequence(effect, np.sqrt(spreads[0] + spreads[1]))
    return pd.DataFrame({"day": np.arange(1, days + 1), "effect": effect, "low": low, "high": high})


def table(rows: list[Row]) -> pd.DataFrame:
    """Return rows as a table, floats to six digits.

    Parameters
    ----------
    rows
        The rows.
    """
    columns = list(Row.__dataclass_fields__)
    frame = pd.DataFrame([vars(row) for row in rows], columns=columns)
    floats = columns[columns.index("mean_treatment") :]
    frame[floats] = frame[floats].astype("float64").round(6)
    texts = dict.fromkeys(("campaign_id", "outcome", "method", "label", "reason_code"), "str")
    return frame.astype({"n_treatment": "int64", "n_control": "int64", **texts})


def _outcome(customers: pd.DataFrame, outcome: str, ending: str) -> npt.NDArray[np.float64]:
    """Return an outcome of each customer: bought at all, how often, for how much, and what merchants keep of that."""
    if outcome in _CENTS:
        return customers[f"{_CENTS[outcome]}{ending}"].to_numpy(dtype=np.float64) / 100
    purchases = customers[f"purchases{ending}"].to_numpy(dtype=np.float64)
    return (purchases > 0).astype(np.float64) if outcome == "converted" else purchases
