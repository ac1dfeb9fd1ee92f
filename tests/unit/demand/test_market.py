"""The market: shares, growth, seasons and concentration by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.demand import compound_growth
from o2o_mining.demand.market import market_analysis

NONE = pd.DataFrame({"dimension": [], "id": [], "month": pd.Series(dtype="datetime64[us]"), "customers": []})


def months(*rows: tuple[str, str, str, str, int, float | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["month", "category", "city", "merchant_id", "purchases", "net_revenue"])
    frame["month"] = pd.to_datetime(frame["month"]).astype("datetime64[us]")
    return frame.assign(first_on=frame["month"])


def analysed(frame: pd.DataFrame, as_of: date, dimension: str, name: str) -> dict[str, dict[str, Any]]:
    made = market_analysis(frame, NONE, as_of=as_of)
    rows = made[(made["dimension"] == dimension) & (made["id"] == name)]
    return {f"{row['month']:%Y-%m}": row for row in rows.to_dict("records")}  # type: ignore[misc]


def test_the_published_market_grew_by_61_9_per_cent_a_year() -> None:
    assert compound_growth(98.68, 418.85, 3) == pytest.approx(0.619, abs=5e-4)
    assert compound_growth(100, 100, 5) == 0
    assert compound_growth(100, 50, 1) == -0.5


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1), (float("nan"), 1, 1)])
def test_no_growth_leads_from_nothing(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="no growth"):
        compound_growth(*wrong)


def test_shares_and_concentration_are_of_the_month() -> None:
    frame = months(
        ("2024-01-01", "spa", "A", "m1", 6, 3000.0),
        ("2024-01-01", "spa", "B", "m2", 2, 1000.0),
        ("2024-01-01", "cafe", "A", "m3", 8, 1000.0),
    )
    spa = analysed(frame, date(2024, 2, 1), "category", "spa")["2024-01"]
    assert (spa["purchases"], spa["merchants"], spa["net_revenue"]) == (8, 2, 4000.0)
    assert (spa["purchase_share"], spa["revenue_share"]) == (0.5, 0.8)
    assert spa["hhi"] == 0.75**2 + 0.25**2
    assert analysed(frame, date(2024, 2, 1), "category_city", "spa / A")["2024-01"]["hhi"] == 1
    assert analysed(frame, date(2024, 2, 1), "city", "A")["2024-01"]["purchase_share"] == 14 / 16


def test_growth_is_by_the_day_and_only_of_whole_months() -> None:
    frame = months(
        ("2024-01-01", "spa", "A", "m1", 31, 3100.0),
        ("2024-02-01", "spa", "A", "m1", 58, 2900.0),
        ("2024-03-01", "spa", "A", "m1", 30, 3000.0),
    )
    made = analysed(frame, date(2024, 3, 11), "total", "(all)")
    assert made["2024-02"]["purchase_growth"] == 1.0
    assert made["2024-02"]["revenue_growth"] == 0.0
    assert (made["2024-03"]["days"], made["2024-03"]["is_whole"]) == (10, False)
    assert pd.isna(made["2024-03"]["purchase_growth"])


def test_growth_over_a_year_and_the_season_are_found() -> None:
    steps = pd.date_range("2022-01-01", "2024-12-01", freq="MS")
    rows = [
        (f"{month:%Y-%m-%d}", "spa", "A", "m1", month.days_in_month * (200 if month.month == 12 else 100), None)
        for month in steps
    ]
    made = analysed(months(*rows), date(2025, 1, 1), "total", "(all)")
    assert made["2024-05"]["purchase_growth_yearly"] == 0
    assert made["2023-12"]["season_index"] == pytest.approx(200 / (1300 / 12))
    assert made["2023-05"]["season_index"] == pytest.approx(100 / (1300 / 12))
    assert pd.isna(made["2024-12"]["season_index"])
    assert pd.isna(made["2024-05"]["revenue_growth_yearly"])


def test_a_month_without_a_sale_is_told_and_grows_from_nothing_to_nothing() -> None:
    frame = months(
        ("2024-01-01", "spa", "A", "m1", 5, 100.0),
        ("2024-01-01", "cafe", "A", "m2", 5, 100.0),
        ("2024-02-01", "cafe", "A", "m2", 5, 100.0),
        ("2024-03-01", "spa", "A", "m1", 5, 100.0),
    )
    made = analysed(frame, date(2024, 4, 1), "category", "spa")
    assert (made["2024-02"]["purchases"], made["2024-02"]["merchants"], made["2024-02"]["net_revenue"]) == (0, 0, 0.0)
    assert pd.isna(made["2024-02"]["hhi"])
    assert made["2024-02"]["purchase_growth"] == -1
    assert pd.isna(made["2024-03"]["purchase_growth"])


def test_without_amounts_concentration_is_of_purchases() -> None:
    frame = months(("2024-01-01", "spa", "A", "m1", 3, None), ("2024-01-01", "spa", "A", "m2", 1, None))
    row = analysed(frame, date(2024, 2, 1), "total", "(all)")["2024-01"]
    assert row["hhi"] == 0.625
    assert pd.isna(row["net_revenue"])
    assert pd.isna(row["revenue_share"])


def test_without_sales_there_is_no_market() -> None:
    assert market_analysis(months(), NONE, as_of=date(2024, 1, 1)).empty
