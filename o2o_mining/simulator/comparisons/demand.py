"""Demand: what was forecast for the days after the log, against what came."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding

MEASURES = ("purchases", "redemptions", "net_revenue")
COVERED = 0.8


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare the sums of all days forecast, the share of days within their intervals, and the error with naive's."""
    truth, forecast = world.truth("demand_truth"), world.estimates("demand_forecast")
    if truth.empty or forecast.empty:
        return
    long = truth.melt(["level", "id", "ds"], list(MEASURES), var_name="measure", value_name="came")
    long["ds"], long["came"] = pd.to_datetime(long["ds"]).astype("datetime64[us]"), long["came"].astype(float)
    forecast = forecast.assign(ds=pd.to_datetime(forecast["ds"]).astype("datetime64[us]"))
    both = forecast.merge(long, on=["level", "id", "measure", "ds"])
    days = int(both["ds"].nunique())
    for (level, measure), rows in both.groupby(["level", "measure"], sort=True):
        if level == "total":
            came, expected = (float(rows[name].sum()) for name in ("came", "mean"))
            yield Finding("demand", f"{measure} in {days} days", came, expected)
        inside = (rows["low_80"] <= rows["came"]) & (rows["came"] <= rows["high_80"])
        of = f"{measure}, {level}"
        yield Finding("demand", f"share of days within the interval: {of}", COVERED, float(inside.mean()))
        ours, naive = ((rows[name] - rows["came"]).abs().sum() for name in ("mean", "naive_mean"))
        if naive:
            yield Finding("demand", f"error over seasonal naive's: {of}", None, float(ours / naive))
