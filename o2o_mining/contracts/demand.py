"""What demand comes, and how the market stands."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

# Ids of everything together, and of what has no category, city or store.
EVERYTHING, UNKNOWN = "(all)", "(unknown)"
LEVELS = ("total", "category", "merchant", "store")
MEASURES = ("purchases", "net_revenue", "redemptions")
METHODS = ("weighted_regression", "seasonal_naive")
DIMENSIONS = ("total", "category", "city", "category_city")

DEMAND_FORECAST = Table(
    name="demand_forecast",
    room="demand",
    kind=Kind.MINED,
    row="What one series is expected to sell on one day to come.",
    columns=(
        AS_OF,
        _key("level", "text", "What is added up.", allowed=LEVELS),
        _key("id", "text", "(all), category, merchant_id, store_id, (unknown) or (unknown):<merchant_id>."),
        _key("measure", "text", "What is forecast, per UTC day.", allowed=MEASURES),
        _key("ds", "date", "The UTC day."),
        Column("mean", "double", "Expected value; children add up to their parent.", low=0),
        Column("low_80", "double", "Low end of the interval that holds 80 % of days.", low=0),
        Column("high_80", "double", "High end of that interval.", low=0),
        Column("method", "text", "How it is forecast; naive where nothing beat it.", allowed=METHODS),
        Column("mase", "double", "Mean absolute error over seasonal naive's on rolling origins; 1 for naive.", low=0),
        _opt("parent_id", "text", "The id one level up; null for the total."),
        Column("naive_mean", "double", "What seasonal naive says: the same weekday of the last week.", low=0),
    ),
    checks=(
        Check("mean_inside", "low_80 <= mean <= high_80", lambda t: (t["mean"] < t.low_80) | (t["mean"] > t.high_80)),
        Check(
            "naive_where_nothing_beats_it",
            "mase is 1 for seasonal naive and lower for all others",
            lambda t: (t.mase >= 1) != (t.method == "seasonal_naive"),
        ),
    ),
)

MARKET_ANALYSIS = Table(
    name="market_analysis",
    room="demand",
    kind=Kind.MINED,
    row="One category, city or both in one month.",
    columns=(
        AS_OF,
        _key("dimension", "text", "What the market is cut by.", allowed=DIMENSIONS),
        _key("id", "text", "(all), the category, the city, or <category> / <city>; (unknown) where not told."),
        _key("month", "date", "First UTC day of the month."),
        Column("days", "int", "Days of the month within the log.", low=1),
        Column("is_whole", "boolean", "Whether the log covers the whole month; growth is told of whole months only."),
        Column("purchases", "int", "Purchases, cancelled ones left out.", low=0),
        Column("customers", "int", "Customers who bought.", low=0),
        Column("merchants", "int", "Merchants who sold.", low=0),
        _opt("net_revenue", "money", "Money paid less refunds; null if no amount is known."),
        Column("purchase_share", "double", "Share of the month's purchases.", low=0, high=1),
        _opt("revenue_share", "double", "Share of the month's net revenue."),
        _opt("purchase_growth", "double", "Purchases per day over those of the month before, less 1."),
        _opt("revenue_growth", "double", "Net revenue per day over that of the month before, less 1."),
        _opt("purchase_growth_yearly", "double", "Purchases per day over those of the same month last year, less 1."),
        _opt("revenue_growth_yearly", "double", "Net revenue per day over that of the same month last year, less 1."),
        _opt("season_index", "double", "Purchases per day over the mean of the twelve months around, so 1 is usual."),
        _opt("hhi", "double", "Concentration: sum of the squared shares of merchants, 1 for one alone.", low=0, high=1),
    ),
)

TABLES = (DEMAND_FORECAST, MARKET_ANALYSIS)
