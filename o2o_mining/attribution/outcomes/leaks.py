"""What the people lost at each stage of the funnel would have been worth, had they gone on like the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from o2o_mining.contracts.attribution import STAGES

_ORDERED = "ordered"


def funnel_stages(counts: pd.DataFrame, *, is_priced: bool) -> pd.DataFrame:
    """Return one row per stage of each channel, device and merchant.

    A person who goes one stage further brings, on average, what those bring who stand at that stage: that times the
    people lost is the most that mending the stage could bring.

    Parameters
    ----------
    counts
        As ``funnel.funnel_counts`` gives them.
    is_priced
        Whether any touch has a cost.

    Returns
    -------
    DataFrame
        The columns of ``funnel``, with the number of the ``window`` in place of its days.
    """
    parts = [_stage(counts, number, is_priced=is_priced) for number in range(1, len(STAGES) + 1)]
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values(["window", "dimension", "id", "position"], ignore_index=True)


def _stage(counts: pd.DataFrame, number: int, *, is_priced: bool) -> pd.DataFrame:
    """Return the rows of one stage."""
    people, open_ = counts[f"people_{number}"], counts[f"open_{number}"]
    is_last = number == len(STAGES)
    further = counts[f"people_{number + 1}"] if not is_last else people
    decided = people - open_
    lost = decided - further
    # Coming back brings what is bought then, everything before that what was consumed the first time.
    cents = counts["again"] if number == len(STAGES) - 1 else counts["net"]
    each = cents / further.where(further > 0)
    rows = counts[["window", "dimension", "id"]].assign(
        stage=STAGES[number - 1],
        position=number,
        people=people,
        observed=counts[f"observed_{number}"],
        share_of_first=people / counts["people_1"],
        open=open_,
        lost=lost,
    )
    nothing: list[Decimal | None] = [None] * len(rows)
    on_order = STAGES[number - 1] == _ORDERED
    more: dict[str, list[Any]] = {
        "pass_share": nothing if is_last else (further / decided.where(decided > 0)).tolist(),
        "lost_amount": nothing if is_last else _money(lost * each),
        "spent_on_lost": _money(counts[f"spent_{number}"]) if is_priced and not is_last else nothing,
        "reservations": counts["reservations"].tolist() if on_order else nothing,
        "no_shows": counts["no_shows"].tolist() if on_order else nothing,
        "no_show_amount": _money(counts["missed"]) if on_order else nothing,
    }
    return rows.assign(**{name: pd.Series(values, index=rows.index, dtype="object") for name, values in more.items()})


def _money(cents: pd.Series[Any]) -> list[Decimal | None]:
    """Return cents as money; nothing where nobody went on."""
    return [None if value != value else Decimal(round(value)).scaleb(-2) for value in cents]
