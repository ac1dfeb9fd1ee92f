"""The steps of the room: what they write, say and draw, whatever the home holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, cast

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import HomeError
from o2o_mining.core.settings import Settings
from o2o_mining.demand.steps import build_demand_forecast, build_market_analysis
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine

AS_OF = date(2024, 8, 1)
HOME = Settings(forecast_days=14)


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", HOME)
    yield engine
    engine.close()


def table(name: str, rows: list[dict[str, Any]]) -> ibis.Table:
    schema = ibis.schema(contract(name).schema).to_pyarrow()
    loose = pa.schema([pa.field(column.name, column.type) for column in schema])
    return ibis.memtable(pa.Table.from_pylist(rows, schema=loose))


def buy(number: int, day: date, merchant: str, store: str | None, **more: Any) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, 12)
    return {
        "purchase_id": f"r:{number}", "customer_id": f"c{number % 50}", "merchant_id": merchant, "store_id": store,
        "purchased_at": at, "consumed_at": at + timedelta(hours=13), "redemption_id": f"{number}",
        "source": "offline", "refunded_amount": Decimal(0), "net_amount": Decimal("10.05"), **more,
    }  # fmt: skip


@cache
def half_a_year() -> list[dict[str, Any]]:
    """Three merchants, of which m1 has two stores and m3 none, for 213 days."""
    chance = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number in range(213):
        day = date(2024, 1, 1) + timedelta(days=number)
        for merchant, store, mean in (("m1", "s1", 4), ("m1", "s2", 2), ("m2", "s3", 3), ("m3", None, 1)):
            for _ in range(chance.poisson(mean * (2 if day.weekday() > 4 else 1))):
                rows.append(buy(len(rows), day, merchant, store))
    return rows


MERCHANTS: list[dict[str, Any]] = [
    {"merchant_id": "m1", "category": "spa", "city": "A"},
    {"merchant_id": "m2", "category": "cafe", "city": "A"},
    {"merchant_id": "m3", "category": "cafe", "city": None},
]


def stored(engine: DuckDBEngine, purchases: list[dict[str, Any]], **feeds: list[dict[str, Any]]) -> None:
    engine.write("known_purchases", table("purchases", purchases), as_of=AS_OF)
    for feed, rows in feeds.items():
        engine.upsert(feed, engine.stage(table(feed, rows)), file_id=1)


def written(engine: DuckDBEngine, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = engine.execute(engine.slice(name, AS_OF).order_by(list(contract(name).key[1:])))
    return frame


def forecast(engine: DuckDBEngine, settings: Settings = HOME) -> tuple[StepReport, pd.DataFrame]:
    report = build_demand_forecast(engine, as_of=AS_OF, settings=settings)
    assert engine.violations(contract("demand_forecast"), as_of=AS_OF) == []
    frame = written(engine, "demand_forecast")
    assert report.rows == len(frame)
    return report, frame


def test_the_forecast_begins_on_the_day_itself_and_adds_up(engine: DuckDBEngine) -> None:
    stored(engine, half_a_year(), merchants=MERCHANTS)
    report, frame = forecast(engine)
    assert report.notes == ()
    assert report.figures["series"] == 3 * (1 + 2 + 3 + 4)
    assert [frame["ds"].min(), frame["ds"].max()] == [pd.Timestamp(2024, 8, 1), pd.Timestamp(2024, 8, 14)]
    units = frame.assign(units=(frame["mean"] * 1e6).round().astype("int64"))
    sums = units.pivot_table(index=["measure", "ds"], columns="level", values="units", aggfunc="sum")
    assert (sums.nunique(axis=1) == 1).all()
    merchants = units[units["level"] == "merchant"].set_index(["measure", "ds", "id"])["units"]
    stores = units[units["level"] == "store"].groupby(["measure", "ds", "parent_id"])["units"].sum()
    assert merchants.sort_index().tolist() == stores.sort_index().tolist()
    assert set(frame.loc[frame["level"] == "store", "id"]) == {"s1", "s2", "s3", "(unknown):m3"}
    total = frame[(frame["level"] == "total") & (frame["measure"] == "purchases")]
    assert total["mean"].sum() == pytest.approx(14 * 10 * 9 / 7, rel=0.1)
    assert (total["method"] == "weighted_regression").all()
    assert (total["mase"] < 1).all()


def test_redemptions_count_on_the_day_of_the_visit(engine: DuckDBEngine) -> None:
    # Bought on the last day at noon, consumed thirteen hours later: a purchase, and no redemption yet.
    stored(engine, half_a_year(), merchants=MERCHANTS)
    _, frame = forecast(engine)
    total = frame[frame["level"] == "total"].groupby("measure")["naive_mean"].first()
    bought = sum(row["purchased_at"].date() == date(2024, 7, 25) for row in half_a_year())
    came = sum(row["purchased_at"].date() == date(2024, 7, 24) for row in half_a_year())
    assert (total["purchases"], total["redemptions"]) == (bought, came)
    assert total["net_revenue"] == pytest.approx(10.05 * bought)


def test_the_order_of_rows_does_not_matter(engine: DuckDBEngine) -> None:
    rows = half_a_year()
    stored(engine, rows, merchants=MERCHANTS)
    _, one = forecast(engine)
    stored(engine, rows[::-1])
    _, other = forecast(engine)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_cancelled_purchases_and_merchants_that_stopped_a_year_ago_are_left_out(engine: DuckDBEngine) -> None:
    old = [buy(90_000 + n, date(2023, 7, 1) - timedelta(days=n), "gone", "s0") for n in range(60)]
    void = [buy(80_000 + n, date(2024, 7, 20), "m1", "s1", cancelled_at=datetime(2024, 7, 21)) for n in range(500)]
    stored(engine, half_a_year() + void + old, merchants=MERCHANTS)
    _, frame = forecast(engine)
    assert "gone" not in set(frame["id"])
    assert frame.loc[frame["level"] == "total", "high_80"].where(frame["measure"] == "purchases").max() < 50


def test_a_home_without_purchases_has_an_empty_table_and_says_so(engine: DuckDBEngine) -> None:
    stored(engine, [])
    report, frame = forecast(engine)
    assert frame.empty
    assert report.notes == ("no purchase is known of the 365 days before 2024-08-01: there is nothing to forecast",)
    market = build_market_analysis(engine, as_of=AS_OF)
    assert market.rows == 0
    assert market.notes[0].startswith("no purchase is known before 2024-08-01")


def test_a_home_that_stopped_long_ago_has_nothing_to_forecast(engine: DuckDBEngine) -> None:
    stored(engine, [buy(1, date(2021, 1, 1), "m1", "s1")])
    report, frame = forecast(engine)
    assert frame.empty
    assert "nothing to forecast" in report.notes[0]
    assert build_market_analysis(engine, as_of=AS_OF).rows > 0


@pytest.mark.parametrize("days", [1, 10])
def test_few_days_are_naive_wide_and_said(engine: DuckDBEngine, days: int) -> None:
    stored(engine, [buy(n, AS_OF - timedelta(days=1 + n % days), "m1", None) for n in range(3 * days)])
    report, frame = forecast(engine)
    assert set(frame["method"]) == {"seasonal_naive"}
    assert report.notes[0].startswith(f"{days} days of history are too few to try forecasts of 14 days")
    assert report.notes[-1] == "no purchase names a store: there is no level of stores"
    purchases = frame[frame["measure"] == "purchases"]
    assert purchases["mean"].tolist() == [3.0] * len(purchases)
    assert (purchases["high_80"] > 4).all()


def test_without_amounts_and_visits_their_measures_are_left_out_and_named(engine: DuckDBEngine) -> None:
    rows = [row | {"net_amount": None, "consumed_at": None, "redemption_id": None} for row in half_a_year()]
    stored(engine, rows, merchants=MERCHANTS)
    report, frame = forecast(engine)
    assert set(frame["measure"]) == {"purchases"}
    assert report.notes == ("the source has nothing to forecast net_revenue and redemptions from",)


def test_a_planned_campaign_is_expected(engine: DuckDBEngine) -> None:
    rows = list(half_a_year())
    begun = [date(2024, 3, 1), date(2024, 4, 15), date(2024, 6, 10)]
    for start in begun:
        for number in range(14):
            rows += [buy(len(rows) + n, start + timedelta(days=number), "m2", "s3") for n in range(9)]
    campaigns = [
        {
            "campaign_id": f"g{number}",
            "merchant_id": "m2",
            "starts_at": datetime(day.year, day.month, day.day),
            "ends_at": datetime(day.year, day.month, day.day) + timedelta(days=14),
        }
        for number, day in enumerate([*begun, date(2024, 8, 8)])
    ]
    stored(engine, rows, merchants=MERCHANTS, campaigns=campaigns)
    _, frame = forecast(engine)
    of = frame[(frame["id"] == "m2") & (frame["measure"] == "purchases")].set_index("ds")["mean"]
    assert of["2024-08-08":"2024-08-14"].mean() / of["2024-08-01":"2024-08-07"].mean() > 2


def test_holidays_of_a_country_are_known_and_an_unknown_country_is_refused(engine: DuckDBEngine) -> None:
    rows = half_a_year()
    # Nobody comes on the holidays of the United States; the 4th of July is the last of them before the day.
    shut = {
        date(2024, 1, 1),
        date(2024, 1, 15),
        date(2024, 2, 19),
        date(2024, 5, 27),
        date(2024, 6, 19),
        date(2024, 7, 4),
    }
    stored(engine, [row for row in rows if row["purchased_at"].date() not in shut], merchants=MERCHANTS)
    settings = Settings(forecast_days=40, holidays_country="US")
    _, frame = forecast(engine, settings)
    total = frame[(frame["level"] == "total") & (frame["measure"] == "purchases")].set_index("ds")["mean"]
    labour_day = date(2024, 9, 2)
    assert total[pd.Timestamp(labour_day)] < 0.7 * total[pd.Timestamp(labour_day - timedelta(days=7))]
    with pytest.raises(HomeError, match="holidays_country 'Atlantis'"):
        forecast(engine, Settings(holidays_country="Atlantis"))


def test_the_pictures_show_history_forecast_and_error(engine: DuckDBEngine) -> None:
    stored(engine, half_a_year(), merchants=MERCHANTS)
    report, frame = forecast(engine)
    fan = cast("Any", report.charts["forecast_fan"]()).data
    assert [trace.name for trace in fan[:3]] == ["80 % of days", "sold", "expected"]
    assert len(fan) == 3 * (1 + 2)
    total = frame[(frame["level"] == "total") & (frame["measure"] == "purchases")]
    assert list(fan[2].y) == total["mean"].tolist()
    bars = cast("Any", report.charts["mase"]()).data
    assert {bar.name for bar in bars} == {"purchases", "net_revenue", "redemptions"}


def test_the_market_is_written_with_its_customers(engine: DuckDBEngine) -> None:
    rows = half_a_year()
    stored(engine, rows, merchants=MERCHANTS)
    report = build_market_analysis(engine, as_of=AS_OF)
    frame = written(engine, "market_analysis")
    assert report.rows == len(frame) == 7 * (1 + 2 + 2 + 3)
    assert report.figures == {"months": 7, "categories": 2, "cities": 2}
    july = frame[(frame["month"] == "2024-07-01")].set_index(["dimension", "id"])
    spa = [row for row in rows if row["purchased_at"].month == 7 and row["merchant_id"] == "m1"]
    assert july.loc[("category", "spa"), "purchases"] == len(spa)
    assert july.loc[("category", "spa"), "customers"] == len({row["customer_id"] for row in spa})
    assert july.loc[("category", "spa"), "net_revenue"] == Decimal("10.05") * len(spa)
    assert set(july.loc["city"].index) == {"A", "(unknown)"}
    assert july.loc["category"]["purchase_share"].sum() == pytest.approx(1)
    assert len(cast("Any", report.charts["market_shares"]()).data) == 4
