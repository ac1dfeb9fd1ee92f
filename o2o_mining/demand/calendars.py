"""The days of the history and those to come: weekdays, holidays of a country, campaigns of merchants."""

from __future__ import annotations

from collections.abc import Sequence

import holidays
import numpy as np
import pandas as pd

from o2o_mining.core.errors import HomeError
from o2o_mining.demand.hierarchy import Array, Level
from o2o_mining.demand.model import Calendar


def calendar(days: pd.DatetimeIndex, campaigns: pd.DataFrame, levels: Sequence[Level], *, country: str) -> Calendar:
    """Return what is known of days.

    Parameters
    ----------
    days
        Of the history and those to come.
    campaigns
        As ``running_campaigns`` gives them.
    levels
        Of a tree with a level of merchants.
    country
        ISO 3166 code, with a subdivision after a hyphen if wished; empty for no holidays.
    """
    merchants = next(level.ids for level in levels if level.name == "merchant")
    return Calendar(days.day_of_week.to_numpy(), holidays_of(days, country), _running(days, campaigns, merchants))


def holidays_of(days: pd.DatetimeIndex, country: str) -> Array:
    """Return which days are public holidays.

    Parameters
    ----------
    days
        Any days.
    country
        ISO 3166 code such as ``TW`` or ``US-NY``; empty for no holidays.

    Raises
    ------
    HomeError
        If the library of holidays does not know the country.

    Examples
    --------
    >>> import pandas as pd
    >>> holidays_of(pd.date_range("2024-12-24", periods=3), "US").tolist()
    [False, True, False]
    """
    if not country:
        return np.zeros(len(days), dtype=bool)
    nation, _, subdivision = country.partition("-")
    years = range(days[0].year, days[-1].year + 1)
    try:
        known = holidays.country_holidays(nation, subdiv=subdivision or None, years=years)
    except NotImplementedError:  # what the library says of a country it does not know
        raise HomeError(
            f"no holidays are known of holidays_country '{country}'",
            next_step="use an ISO 3166 code such as TW or US-NY",
        ) from None
    return np.array([day.date() in known for day in days], dtype=bool)


def _running(days: pd.DatetimeIndex, campaigns: pd.DataFrame, merchants: Sequence[str]) -> Array:
    """Return whether a campaign of each merchant runs on each day, shape (days, merchants)."""
    running = np.zeros((len(days), len(merchants)), dtype=bool)
    place = {name: number for number, name in enumerate(merchants)}
    for merchant, start, end, ran_on_last in zip(
        campaigns["merchant_id"],
        pd.to_datetime(campaigns["starts_on"]),
        pd.to_datetime(campaigns["ends_on"]),
        campaigns["ran_on_last"],
        strict=True,
    ):
        on = np.asarray((days >= start) & ((days < end) | ((days == end) & bool(ran_on_last))))
        if not isinstance(merchant, str):
            running[on] = True
        elif merchant in place:
            running[on, place[merchant]] = True
    return running
