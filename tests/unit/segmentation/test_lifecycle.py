"""The stage of life goes by each customer's own rhythm, as the closed form says."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from o2o_mining.segmentation.lifecycle import lifecycle_stages

AS_OF = date(2024, 7, 1)
MIDNIGHT = datetime(2024, 7, 1)
SCHEMA = ibis.schema({"customer_id": "string", "purchased_at": "timestamp", "cancelled_at": "timestamp"})


def _stages(bought: dict[str, list[float]], cancelled: dict[str, float] | None = None) -> pd.DataFrame:
    """Return the stages of customers who bought so many days before as_of."""
    rows: list[tuple[str, datetime, Any]] = [
        (who, MIDNIGHT - timedelta(days=days), None) for who, all_days in bought.items() for days in all_days
    ]
    rows += [
        (who, MIDNIGHT - timedelta(days=days), MIDNIGHT - timedelta(hours=1)) for who, days in (cancelled or {}).items()
    ]
    purchases = ibis.memtable(pd.DataFrame(rows, columns=list(SCHEMA)), schema=SCHEMA)
    found: pd.DataFrame = lifecycle_stages(purchases, as_of=AS_OF).execute()
    return found.set_index("customer_id")


def _crowd() -> dict[str, list[float]]:
    """Fifty weekly and fifty quarterly customers, all here until lately."""
    weekly = {f"w{n:02d}": [1 + n % 5 + 7.0 * k for k in range(30)] for n in range(50)}
    return weekly | {f"q{n:02d}": [1 + n % 5 + 90.0 * k for k in range(6)] for n in range(50)}


def test_a_slow_buyer_is_not_lapsing_where_a_weekly_one_has_long_gone() -> None:
    slow = {"slow": [60 + 90.0 * k for k in range(6)], "quick": [60 + 7.0 * k for k in range(30)]}
    found = _stages(_crowd() | slow)["lifecycle_stage"]
    assert (found["slow"], found["quick"]) == ("active", "lost")


def test_stages_follow_the_silence() -> None:
    asked = {f"silent{days}": [days + 7.0 * k for k in range(30)] for days in (3, 20, 38, 70)}
    found = _stages(_crowd() | asked)["lifecycle_stage"]
    assert [found[name] for name in asked] == ["active", "cooling", "lapsing", "lost"]


def test_the_probability_is_lomax_of_moments() -> None:
    bought = _crowd() | {"ann": [11.0, 31.0, 61.0]}
    own = [(len(days) - 1, max(days) - min(days)) for days in bought.values()]
    x, t = (np.array(part, dtype=float) for part in zip(*own, strict=True))
    mean = t / x
    mu, square = mean.mean(), (mean**2 * x / (x + 1)).mean()
    a = 2 + mu**2 / (square - mu**2)
    b = (a - 1) * mu
    found = _stages(bought).loc["ann"]
    assert found["silence_probability"] == pytest.approx(((b + 50) / (b + 50 + 11)) ** (a + 2), rel=1e-4)
    limit = found["lapsing_after_days"]
    assert ((b + 50) / (b + 50 + limit)) ** (a + 2) == pytest.approx(0.05, rel=1e-4)


def test_who_came_once_lately_is_new_and_who_came_once_long_ago_is_lost() -> None:
    found = _stages(_crowd() | {"fresh": [2.0], "once": [1500.0]})["lifecycle_stage"]
    assert (found["fresh"], found["once"]) == ("new", "lost")


def test_who_returns_from_a_silence_of_the_lost_is_won_back_until_the_third_day() -> None:
    before = [200 + 7.0 * k for k in range(20)]
    found = _stages(_crowd() | {"one": [3.0, *before], "two": [3.0, 9.0, *before], "three": [3.0, 9.0, 15.0, *before]})
    assert found.loc[["one", "two", "three"], "lifecycle_stage"].tolist() == ["won_back", "won_back", "active"]


def test_several_purchases_of_a_day_are_one_visit_and_cancelled_ones_none() -> None:
    plain = _stages(_crowd() | {"ann": [5.0, 12.0, 19.0]})
    more = _stages(_crowd() | {"ann": [5.0, 4.9, 12.0, 11.8, 19.0]}, cancelled={"ann": 1.0})
    assert plain.loc[["ann"]].equals(more.loc[["ann"]])


def test_what_lies_on_or_after_the_day_is_not_known() -> None:
    found = _stages({"ann": [5.0, 0.0, -3.0], "later": [0.0]})
    assert found.index.tolist() == ["ann"]
    assert found.loc["ann", "lifecycle_stage"] == "new"


@pytest.mark.parametrize("bought", [{}, {"ann": [1.0]}, {"ann": [1.0, 3.0]}, {"a": [1.0, 3.0], "b": [2.0, 4.0]}])
def test_tiny_worlds_have_stages_too(bought: dict[str, list[float]]) -> None:
    found = _stages(bought)
    assert found["lifecycle_stage"].isin(["new", "active"]).all()
    assert found["lapsing_after_days"].between(0, 1e6, inclusive="neither").all()
