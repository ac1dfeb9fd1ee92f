"""What was sold before a day and what is known of the days to come: all that a forecast is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from o2o_mining.contracts.demand import MEASURES
from o2o_mining.demand.calendars import calendar
from o2o_mining.demand.hierarchy import Level, build_levels
from o2o_mining.demand.model import Calendar

HISTORY_DAYS = 1_461  # four years; what is older changes no weight that counts
ALIVE_DAYS = 365  # a merchant or store without a sale in so long is not forecast
_COLUMN = {"net_revenue": "net_cents"}


@dataclass(frozen=True)
class Sold:
    """The history of a home before a day.

    Attributes
    ----------
    as_of
        The first day that is not known.
    daily
        As ``daily_demand`` gives it.
    campaigns
        As ``running_campaigns`` gives them.
    """

    as_of: date
    daily: pd.DataFrame
    campaigns: pd.DataFrame

    @property
    def alive(self) -> pd.DataFrame:
        """What those merchants and stores sold that had a sale in the last year, in a total order."""
        daily = self.daily.assign(ds=pd.to_datetime(self.daily["ds"]).astype("datetime64[us]"))
        daily = daily[daily["ds"] < pd.Timestamp(self.as_of)]
        recent = daily["ds"] >= pd.Timestamp(self.as_of - timedelta(days=ALIVE_DAYS))
        places = daily["merchant_id"] + "\n" + daily["store_id"].fillna("")
        selling = places[recent & (daily["purchases"] > 0)].unique()
        some = daily[places.isin(selling)]
        # More given back than taken would be less than no demand.
        some = some.assign(net_cents=some["net_cents"].clip(lower=0))
        return some.sort_values(["ds", "merchant_id", "store_id"], ignore_index=True)

    @property
    def measures(self) -> list[str]:
        """The measures that the source can fill: without amounts there is no revenue, without visits no redemption."""
        lacking = {
            "net_revenue": not self.daily["amounts"].sum(),
            "redemptions": not self.daily["redemptions"].sum(),
        }
        return [measure for measure in MEASURES if not lacking.get(measure)]

    def trees(self, horizon: int, *, country: str = "") -> dict[str, tuple[list[Level], Calendar]]:
        """Return the tree of each measure and the calendar of its days; nothing where nothing was sold.

        Parameters
        ----------
        horizon
            Days to forecast.
        country
            Whose holidays are known; empty for none.
        """
        rows = self.alive
        if rows.empty:
            return {}
        days = pd.date_range(rows["ds"].min(), pd.Timestamp(self.as_of) - pd.Timedelta(days=1), unit="us")
        every = pd.date_range(days[0], periods=len(days) + horizon, unit="us")
        trees = {measure: build_levels(days, rows, _COLUMN.get(measure, measure)) for measure in self.measures}
        if "net_revenue" in trees:
            # Hundredths are added up, so that sums are exact, and told in the home's currency.
            trees["net_revenue"] = [replace(level, values=level.values / 100) for level in trees["net_revenue"]]
        known = calendar(every, self.campaigns, trees["purchases"], country=country)
        return {measure: (levels, known) for measure, levels in trees.items()}

    def days_ahead(self, horizon: int) -> pd.DatetimeIndex:
        """Return the days to forecast."""
        return pd.date_range(np.datetime64(self.as_of, "us"), periods=horizon, unit="us")
