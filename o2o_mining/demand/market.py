"""How the market stands: shares, growth, seasons and concentration, by category and city, month by month."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.contracts.demand import EVERYTHING
from o2o_mining.core.errors import UsageError
from o2o_mining.demand.daily import PAIR

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS = 9  # a ratio's last bits are the machine's own
_SEASON_MONTHS = 12
_KEY = ["dimension", "id"]
DIMENSIONS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "total": lambda rows: pd.Series(EVERYTHING, index=rows.index, dtype="str"),
    "category": lambda rows: rows["category"],
    "city": lambda rows: rows["city"],
    "category_city": lambda rows: rows["category"] + PAIR + rows["city"],
}


def compound_growth(first: float, last: float, years: float) -> float:
    """Return the compound annual growth rate.

    Parameters
    ----------
    first, last
        The size at the beginning and at the end, in the same unit, above 0.
    years
        How many years lie between, above 0.

    Returns
    -------
    float
        The growth a year that leads from the one to the other: .619 is 61.9 %.

    Raises
    ------
    UsageError
        If a size or the time is not above 0.

    Examples
    --------
    The O2O market of China grew from 98.68 billion yuan in 2012 to 418.85 billion in 2015:

    >>> round(100 * compound_growth(98.68, 418.85, 3), 1)
    61.9
    """
    if not (first > 0 and last > 0 and years > 0):
        raise UsageError(
            f"no growth leads from {first} to {last} in {years} years", next_step="pass sizes and years above 0"
        )
    return float((last / first) ** (1 / years) - 1)


def market_analysis(months: pd.DataFrame, customers: pd.DataFrame, *, as_of: date) -> pd.DataFrame:
    """Return the market by category, city and both, month by month.

    Parameters
    ----------
    months
        ``month, category, city, merchant_id, purchases, net_revenue`` (whole hundredths as float, NaN if unknown) and
        ``first_on``.
    customers
        ``dimension, id, month, customers``.
    as_of
        The first day that is not known.

    Returns
    -------
    DataFrame
        The columns of ``market_analysis`` without as_of, amounts in hundredths, ordered by key. Every market has a row
        for each month from its first sale on.
    """
    if months.empty:
        return pd.DataFrame()
    rows = months.sort_values(["month", "merchant_id"], ignore_index=True)
    begun = pd.Timestamp(rows["first_on"].min())
    cut = pd.concat([_summed(rows, dimension) for dimension in DIMENSIONS], ignore_index=True)
    table = cut.merge(customers, how="left", on=["dimension", "id", "month"])
    counts = ["purchases", "merchants", "customers"]
    table[counts] = table[counts].fillna(0).astype("int64")
    table["days"], table["is_whole"] = _days_known(table["month"], begun, pd.Timestamp(as_of))
    whole = table[table["dimension"] == "total"].set_index("month")
    table["purchase_share"] = _ratio(table["purchases"], table["month"].map(whole["purchases"]))
    table["revenue_share"] = _ratio(table["net_revenue"], table["month"].map(whole["net_revenue"]))
    table = table.sort_values([*_KEY, "month"], ignore_index=True)
    for name, of in (("purchase", "purchases"), ("revenue", "net_revenue")):
        # Months differ in length, so they are compared by the day; parts of a month are compared with nothing.
        daily = (table[of] / table["days"]).where(table["is_whole"])
        by_market = daily.groupby([table["dimension"], table["id"]], sort=False)
        table[f"{name}_growth"] = (_ratio(daily, by_market.shift(1)) - 1).round(_DIGITS)
        table[f"{name}_growth_yearly"] = (_ratio(daily, by_market.shift(12)) - 1).round(_DIGITS)
    table["season_index"] = _season(table)
    return table


def _summed(rows: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """Return purchases, revenue, merchants and concentration of each market of a dimension, for every month."""
    named = rows.assign(id=DIMENSIONS[dimension](rows))
    groups = named.groupby(["id", "month"], sort=True)
    made = groups.agg(purchases=("purchases", "sum"), merchants=("merchant_id", "nunique"))
    made["net_revenue"] = groups["net_revenue"].sum(min_count=1)
    # Concentration is of revenue; where no amount is known, or more was given back than taken, of purchases.
    sold = named["net_revenue"].where(named["net_revenue"].notna(), 0.0).clip(lower=0.0)
    for name, values in (("of_revenue", sold), ("of_purchases", named["purchases"].astype("float64"))):
        keys = [named["id"], named["month"]]
        made[name] = _ratio((values**2).groupby(keys).sum(), values.groupby(keys).sum() ** 2)
    made["hhi"] = made["of_revenue"].where(made["net_revenue"].notna(), made["of_purchases"]).clip(upper=1.0)
    made = made.drop(columns=["of_revenue", "of_purchases"]).reset_index()
    return _filled(made, rows["month"].min(), rows["month"].max()).assign(dimension=dimension)


def _filled(made: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Return the markets with a row for each month since their first sale, so that a month without sales is told."""
    months = pd.date_range(first, last, freq="MS").astype(made["month"].dtype)
    began = made.groupby("id", sort=True)["month"].min()
    grid = pd.MultiIndex.from_product([began.index, months], names=["id", "month"]).to_frame(index=False)
    grid = grid[grid["month"] >= grid["id"].map(began)]
    filled = grid.merge(made, how="left", on=["id", "month"])
    if made["net_revenue"].notna().any():
        filled["net_revenue"] = filled["net_revenue"].mask(filled["purchases"].isna(), 0.0)
    return filled


def _days_known(months: pd.Series, begun: pd.Timestamp, end: pd.Timestamp) -> tuple[pd.Series, pd.Series]:
    """Return how many days of each month lie in the log, and whether these are all."""
    after = months + pd.offsets.MonthBegin(1)
    days = (after.mask(after > end, end) - months.mask(months < begun, begun)).dt.days
    return days.astype("int64"), days == (after - months).dt.days


def _season(table: pd.DataFrame) -> pd.Series:
    """Return each whole month's purchases a day over the mean of the year around it.

    As in a classical decomposition thirteen months are taken, of which the two at the ends count half.
    """
    daily = (table["purchases"] / table["days"]).where(table["is_whole"])
    groups = [table["dimension"], table["id"]]

    def shifted(by: int) -> pd.Series:
        return daily.groupby(groups, sort=False).shift(by)

    half = _SEASON_MONTHS // 2
    around = sum((shifted(by) for by in range(1 - half, half)), start=(shifted(half) + shifted(-half)) / 2)
    return _ratio(daily, around / _SEASON_MONTHS)


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Return a ratio, null where the whole is not above zero."""
    above = pd.to_numeric(whole, errors="coerce").astype("float64")
    made = part.astype("float64") / above.where(above > 0, np.nan)
    return made.round(_DIGITS)
