"""The steps of the room: read contract tables, forecast, write contract tables, say what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.demand import LEVELS, MEASURES
from o2o_mining.contracts.slices import AS_OF
from o2o_mining.core.settings import Settings
from o2o_mining.demand.backtest import LEAST_DAYS
from o2o_mining.demand.charts import error_bars, forecast_fan, market_shares
from o2o_mining.demand.daily import daily_demand, market_customers, merchant_months, running_campaigns
from o2o_mining.demand.forecasting import DIGITS, NAIVE, REGRESSION, Forecast, forecast_tree
from o2o_mining.demand.market import market_analysis
from o2o_mining.demand.sold import ALIVE_DAYS, HISTORY_DAYS, Sold
from o2o_mining.engine.base import Engine, StepReport

_SHOWN_DAYS = 120
_SHOWN_CATEGORIES = 8


def build_demand_forecast(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``demand_forecast`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``merchants`` and ``campaigns``.
    as_of
        Uses what was known before this UTC day; the first day that is forecast.
    settings
        ``forecast_days``, ``holidays_country``.
    """
    horizon = settings.forecast_days
    sold = read_sold(engine, as_of=as_of, horizon=horizon)
    trees = sold.trees(horizon, country=settings.holidays_country)
    made = {measure: forecast_tree(levels, known, horizon=horizon) for measure, (levels, known) in trees.items()}
    columns = _columns(made, sold.days_ahead(horizon))
    rows = engine.write("demand_forecast", _table("demand_forecast", columns), as_of=as_of)
    if not made:
        note = f"no purchase is known of the {ALIVE_DAYS} days before {as_of}: there is nothing to forecast"
        return StepReport(table="demand_forecast", rows=rows, notes=(note,), figures={"series": 0})
    return _report(rows, made, sold.days_ahead(horizon))


def read_sold(engine: Engine, *, as_of: date, horizon: int) -> Sold:
    """Return all that a forecast as of a day is made from.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``merchants`` and ``campaigns``.
    as_of
        The first day that is not known.
    horizon
        Days to forecast; campaigns planned for them count.
    """
    since, until = as_of - timedelta(days=HISTORY_DAYS), as_of + timedelta(days=horizon)
    daily = daily_demand(engine.known("purchases", as_of), engine.feed("merchants"), as_of=as_of, since=since)
    running = running_campaigns(engine.feed("campaigns"), since=since, until=until).order_by("campaign_id")
    return Sold(as_of, engine.execute(daily), engine.execute(running))


def build_market_analysis(engine: Engine, *, as_of: date) -> StepReport:
    """Write ``market_analysis`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feed ``merchants``.
    as_of
        Uses what was known before this UTC day.
    """
    logs = engine.known("purchases", as_of), engine.feed("merchants")
    months, customers = (engine.execute(table(*logs, as_of=as_of)) for table in (merchant_months, market_customers))
    months["net_revenue"] = (months["net_revenue"].astype("float64") * 100).round()
    for frame in (months, customers):
        frame["month"] = pd.to_datetime(frame["month"])
    market = market_analysis(months, customers, as_of=as_of)
    columns = {name: market[name] for name in market.columns}
    rows = engine.write("market_analysis", _table("market_analysis", columns), as_of=as_of)
    notes = [] if rows else [f"no purchase is known before {as_of}: there is no market to look at"]
    if lack := engine.absence("merchants"):
        notes.append(f"feed merchants is {lack}: categories and cities are not known")
    if not rows:
        return StepReport(table="market_analysis", rows=rows, notes=tuple(notes), figures={"months": 0})
    latest = market[market["month"] == market["month"].max()]
    share = "revenue_share" if market["revenue_share"].notna().any() else "purchase_share"
    categories = market[market["dimension"] == "category"].assign(share=market[share], growth=market["purchase_growth"])
    shown = ["id", "days", "purchases", "purchase_share", "revenue_share", "purchase_growth", "merchants", "hhi"]
    return StepReport(
        table="market_analysis",
        rows=rows,
        notes=tuple(notes),
        figures={
            "months": int(market["month"].nunique()),
            "categories": int((latest["dimension"] == "category").sum()),
            "cities": int((latest["dimension"] == "city").sum()),
        },
        samples={
            f"Categories in the last month, {latest['month'].iloc[0]:%Y-%m}": latest[latest["dimension"] == "category"][
                shown
            ].reset_index(drop=True)
        },
        charts={"market_shares": lambda: market_shares(categories)},
    )


def _columns(made: dict[str, list[Forecast]], ahead: pd.DatetimeIndex) -> dict[str, pd.Series]:
    """Return the columns of the table, from arrays of shape (horizon, series)."""
    if not made:
        return {}
    parts: list[pd.DataFrame] = []
    for measure, forecasts in made.items():
        above: tuple[str, ...] = ()
        for one in forecasts:
            ids = np.array(one.level.ids, dtype=object)
            count = len(ids)
            parents = np.array(above, dtype=object)[one.level.parent] if above else np.full(count, None)
            low, high = one.intervals[80]
            method = np.where(one.is_naive, NAIVE, REGRESSION)
            parts.append(
                pd.DataFrame({
                    "level": one.level.name, "id": np.repeat(ids, len(ahead)), "measure": measure,
                    "ds": np.tile(ahead.to_numpy(), count), "mean": one.mean.T.ravel(), "low_80": low.T.ravel(),
                    "high_80": high.T.ravel(), "method": np.repeat(method, len(ahead)),
                    "mase": np.repeat(one.mase, len(ahead)), "parent_id": np.repeat(parents, len(ahead)),
                    "naive_mean": one.naive.T.ravel().round(DIGITS),
                })
            )  # fmt: skip
            above = one.level.ids
    rows = pd.concat(parts, ignore_index=True)
    # Rounded down, so that what is better than naive by a hair does not read as its equal.
    rows["mase"] = np.floor(rows["mase"] * 10**DIGITS) / 10**DIGITS
    return {str(name): rows[name] for name in rows.columns}


def _table(name: str, columns: Mapping[str, pd.Series]) -> ibis.Table:
    """Return columns as a table of a contract's types, without the day; those of money come in hundredths."""
    arrays = {}
    for column, kind in ((c, t) for c, t in zip(contract(name).columns, _types(name), strict=True) if c != AS_OF):
        values = columns.get(column.name, pd.Series(dtype="object"))
        if column.type == "money":
            values = values.map(lambda cents: Decimal(int(cents)).scaleb(-2), na_action="ignore").astype("object")
        arrays[column.name] = pa.Array.from_pandas(values, type=kind)
    return ibis.memtable(pa.table(arrays))


def _types(name: str) -> list[pa.DataType]:
    return [field.type for field in ibis.schema(contract(name).schema).to_pyarrow()]


def _report(rows: int, made: Mapping[str, list[Forecast]], ahead: pd.DatetimeIndex) -> StepReport:
    """Say what came out: how many series, how far from seasonal naive, and what the days to come bring."""
    total, horizon = made["purchases"][0], len(ahead)
    known = len(total.level.values)
    errors = pd.DataFrame(
        [
            (f"{one.level.name} {name}", one.level.name, measure, mase, bool(naive), mean)
            for measure, forecasts in made.items()
            for one in forecasts
            for name, mase, naive, mean in zip(one.level.ids, one.mase, one.is_naive, one.mean.sum(axis=0), strict=True)
        ],
        columns=["series", "level", "measure", "mase", "is_naive", "expected"],
    )
    by_level = errors.groupby(["level", "measure"], sort=False).agg(
        series=("series", "size"), mase=("mase", "mean"), naive=("is_naive", "sum"), expected=("expected", "sum")
    )
    notes = []
    if known < LEAST_DAYS + horizon:
        notes.append(
            f"{known} days of history are too few to try forecasts of {horizon} days:"
            " all is seasonal naive, with intervals as wide as so few days make them"
        )
    if lacking := [measure for measure in MEASURES if measure not in made]:
        notes.append(f"the source has nothing to forecast {' and '.join(lacking)} from")
    if len(made["purchases"]) < len(LEVELS):
        notes.append("no purchase names a store: there is no level of stores")
    fans = {"total": 1, "category": 2}
    return StepReport(
        table="demand_forecast",
        rows=rows,
        notes=tuple(notes),
        figures={
            "series": int(by_level["series"].sum()),
            "horizon_days": horizon,
            "history_days": known,
            "purchases_expected": round(float(total.mean.sum()), 1),
            "mase_total": round(float(total.mase[0]), 3),
        },
        samples={
            "Error over seasonal naive's, by level; expected in all days to come": by_level.round(3).reset_index()
        },
        charts={
            "forecast_fan": lambda: forecast_fan(
                *_fan(made["purchases"][: len(fans)], ahead), title="Purchases a day, and what is expected"
            ),
            "mase": lambda: error_bars(errors[errors["level"].isin(list(fans))]),
        },
    )


def _fan(forecasts: Sequence[Forecast], ahead: pd.DatetimeIndex) -> tuple[pd.DataFrame, ...]:
    """Return the last days of the history and the forecast of the total and the largest categories."""
    past, coming = [], []
    for one in forecasts:
        for place in np.argsort(-one.mean.sum(axis=0), kind="stable")[:_SHOWN_CATEGORIES]:
            name = one.level.ids[place]
            sold = one.level.values[-_SHOWN_DAYS:, place]
            days = pd.date_range(end=ahead[0] - pd.Timedelta(days=1), periods=len(sold), unit="us")
            past.append(pd.DataFrame({"id": name, "ds": days, "y": sold}))
            low, high = (bound[:, place] for bound in one.intervals[80])
            coming.append(
                pd.DataFrame({"id": name, "ds": ahead, "mean": one.mean[:, place], "low_80": low, "high_80": high})
            )
    return pd.concat(past), pd.concat(coming)
