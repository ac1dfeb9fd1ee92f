"""The steps that write what this room owns."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.features import FEATURES
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.portable import moment
from o2o_mining.marts.charts import old_and_new
from o2o_mining.marts.coupon_lifecycle import coupon_states
from o2o_mining.marts.features import KnownLogs, customer_features, customers_seen, lacking
from o2o_mining.marts.guard import leak_guard
from o2o_mining.marts.inputs import CONTACTS, COUPONS, MADE_OF, PURCHASES, RESTS_ON, missing
from o2o_mining.marts.journeys import journey_touches, journeys_from_touches
from o2o_mining.marts.knowledge import OWN_TIME, known_rows, later_rows
from o2o_mining.marts.past import of_window, past_logs, window_days
from o2o_mining.marts.purchases import purchases_from_logs
from o2o_mining.marts.restatements import TOLD, amounts_by_day, chained, changed_rows, restatements
from o2o_mining.marts.touches import all_touches
from o2o_mining.marts.tracing import share_traced, traced_purchases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    import ibis.expr.types as ir
    import pandas as pd

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.base import Engine

_TRACED = ("online_orders", "touches", "sends", "coupon_receipts")
_FEATURES = tuple(dict.fromkeys(feed for feature in FEATURES for any_of in feature.feeds for feed in any_of.split("|")))
# Customers of one window that models learn from, and how many there must be for learning to make sense.
SAMPLE = 20_000
FEWEST = 200
_LAST = {"online_orders": "ordered_at", "offline_redemptions": "redeemed_at", "coupon_redemptions": "redeemed_at"}


def default_as_of(engine: Engine) -> date | None:
    """Return the day after the last order or redemption; None if there is none.

    Parameters
    ----------
    engine
        The store with the feeds.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> default_as_of(DuckDBEngine(":memory:", Settings())) is None
    True
    """
    moments = ibis.union(*(engine.feed(name).select(at=column) for name, column in _LAST.items()))
    last: pd.Timestamp | None = engine.execute(moments.aggregate(last=moments["at"].max())).loc[0, "last"]
    if last is None or last != last:  # NaT equals nothing, not even itself
        return None
    return last.date() + timedelta(days=1)


def traced_share(engine: Engine, *, settings: Settings) -> float | None:
    """Return the share of the net amount consumed in stores that is traced; None if there is none.

    Parameters
    ----------
    engine
        The store, with ``purchases`` and ``coupon_lifecycle`` written.
    settings
        For the lookback.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> traced_share(DuckDBEngine(":memory:", Settings()), settings=Settings()) is None
    True
    """
    traced = traced_purchases(
        engine.read("purchases"),
        engine.read("coupon_lifecycle"),
        *(engine.feed(name) for name in _TRACED),
        lookback_days=settings.lookback_days,
    )
    value = engine.execute(share_traced(traced)).loc[0, "traced_share"]
    return None if value is None or value != value else float(value)


def build_known(engine: Engine, *, as_of: date, settings: Settings) -> list[StepReport]:
    """Write the four event tables and the customers as they were known before a day, for the rooms that mine as of it.

    Parameters
    ----------
    engine
        The store.
    as_of
        The day, which is also the present of journeys and coupons.
    settings
        For the lookback and whether touches are used again.

    Returns
    -------
    list[StepReport]
        One report each for ``known_purchases``, ``known_journey_touches``, ``known_journeys``,
        ``known_coupon_lifecycle`` and ``known_customers``.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> reports = build_known(DuckDBEngine(":memory:", Settings()), as_of=date(2024, 1, 1), settings=Settings())
    >>> [report.table for report in reports]
    ['known_purchases', 'known_journey_touches', 'known_journeys', 'known_coupon_lifecycle', 'known_customers']
    """
    feeds = {name: _known_feed(engine, name, as_of) for name in {*PURCHASES, *CONTACTS, *COUPONS}}
    same = {table for table in MADE_OF if _is_known_whole(engine, table, as_of)}
    written = {}

    def write(table: str, made: ir.Table) -> None:
        name = f"known_{table}"
        written[name] = engine.let_stand(table, as_of) if table in same else engine.write(name, made, as_of=as_of)

    write("purchases", purchases_from_logs(*(feeds[name] for name in PURCHASES)))
    purchases = engine.known("purchases", as_of)
    touches = journey_touches(
        purchases,
        *(feeds[name] for name in CONTACTS),
        now=as_of,
        lookback_days=settings.lookback_days,
        reuse_touches=settings.reuse_touches,
    )
    write("journey_touches", touches)
    write("journeys", journeys_from_touches(purchases, engine.known("journey_touches", as_of)))
    write("coupon_lifecycle", coupon_states(*(feeds[name] for name in COUPONS), now=as_of))
    write("customers", _known_customers(engine, as_of))
    return [StepReport(table, rows) for table, rows in written.items()]


def _is_known_whole(engine: Engine, table: str, as_of: date) -> bool:
    """Whether an event table as it stands is what was known before a day."""
    feeds, events = MADE_OF[table], RESTS_ON.get(table, ())
    current = all(engine.is_current(name, feeds) for name in (table, *events)) and engine.is_current(table, events)
    if not current or default_as_of(engine) != as_of:
        return False
    return not any(_knows_later(engine, table, name, as_of) for name in feeds if name in OWN_TIME)


def _knows_later(engine: Engine, table: str, name: str, as_of: date) -> bool:
    later = later_rows(name, engine.feed(name), as_of=as_of)
    if name == "coupon_receipts" and table != "coupon_lifecycle":
        later = later.filter(later.tracking_code.notnull())  # nothing else of a receipt is looked at there
    return bool(engine.execute(later.limit(1).count()))


def _known_customers(engine: Engine, as_of: date) -> ir.Table:
    """One customer of the feed; where that feed is missing altogether, one that any feed names."""
    feeds = OWN_TIME if engine.absence("customers") == "missing" else ("customers",)
    return customers_seen([_known_feed(engine, name, as_of) for name in feeds])


def build_customer_features(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write a slice of ``customer_features`` from what was known before a day.

    Customers are those in ``known_customers`` and everybody with a purchase.

    Parameters
    ----------
    engine
        The store, with the working tables of that day written by `build_known`.
    as_of
        The day.
    settings
        For the time zone.

    Raises
    ------
    ContractError
        If a table that features are computed from knows more than the day could.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> engine, day = DuckDBEngine(":memory:", Settings()), date(2024, 1, 1)
    >>> _ = build_known(engine, as_of=day, settings=Settings())
    >>> build_customer_features(engine, as_of=day, settings=Settings()).rows
    0
    """
    known = known_logs(engine, as_of)
    leak_guard(known.tables(), as_of=as_of, execute=engine.execute)
    lost = [name for name in _FEATURES if engine.absence(name) == "missing"]
    made = customer_features(known, as_of=as_of, timezone=settings.timezone, missing=lost)
    rows = engine.write("customer_features", made, as_of=as_of)
    return StepReport("customer_features", rows, notes=(*missing(engine, _FEATURES), *_not_computed(lost)))


def build_past_features(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write a slice of ``past_features``: the features as of earlier days, of at most a sample of the customers.

    Parameters
    ----------
    engine
        The store, with the working tables of that day written by `build_known`.
    as_of
        The day of the run.
    settings
        For the horizon and the time zone.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> engine, day = DuckDBEngine(":memory:", Settings()), date(2024, 1, 1)
    >>> _ = build_known(engine, as_of=day, settings=Settings())
    >>> build_past_features(engine, as_of=day, settings=Settings()).rows
    0
    """
    days = _windows(engine, engine.known("purchases", as_of), as_of=as_of, settings=settings)
    rows = engine.read("past_features").filter(False).drop("as_of")
    if days:
        known = known_logs(engine, as_of)
        lost = [name for name in _FEATURES if engine.absence(name) == "missing"]
        samples = {day: engine.stage(_sample(known.purchases, day)) for day in days}
        logs = past_logs(known, samples, as_of=as_of)
        logs = replace(logs, **{name: engine.stage(table) for name, table in logs.tables().items()})
        features = customer_features(logs, as_of=as_of, timezone=settings.timezone, missing=lost)
        rows = of_window(features.filter(features.n_purchases > 0), days).select(*rows.columns)
    written = engine.write("past_features", rows, as_of=as_of)
    engine.drop_staged()
    return StepReport("past_features", written, figures={"windows": len(days)})


def _sample(purchases: ir.Table, day: date) -> ir.Table:
    """Return who bought before a day; of many the first by digest, whatever the order of rows."""
    t = purchases.filter(purchases.purchased_at < moment(day)).select("customer_id").distinct()
    return t.order_by(t.customer_id.hexdigest("md5"), t.customer_id).limit(SAMPLE)


def _windows(engine: Engine, purchases: ir.Table, *, as_of: date, settings: Settings) -> list[date]:
    """Return the days to look from; none where there are too few customers to learn from."""
    day = as_of - timedelta(days=settings.churn_horizon_days)
    told = purchases.filter(purchases.purchased_at < moment(day))
    seen = engine.execute(told.aggregate(first=told.purchased_at.min(), customers=told.customer_id.nunique())).iloc[0]
    if seen["customers"] < FEWEST:
        return []
    return window_days(as_of, first=seen["first"].date(), horizon_days=settings.churn_horizon_days)


def known_logs(engine: Engine, as_of: date) -> KnownLogs:
    """Return what features are computed from, as known before a day.

    Parameters
    ----------
    engine
        The store, with the working tables of that day.
    as_of
        The day.
    """
    return KnownLogs(
        **{table: engine.known(table, as_of) for table in ("purchases", "journey_touches", "coupon_lifecycle")},
        **{name: _known_feed(engine, name, as_of) for name in ("customers", "reviews", "merchants", "stores")},
        touches=all_touches(*(_known_feed(engine, name, as_of) for name in ("touches", "sends"))),
        everybody=engine.known("customers", as_of),
    )


def _not_computed(missing: Sequence[str]) -> tuple[str, ...]:
    """Say which features are null because of which feed."""
    by_feeds: dict[tuple[str, ...], list[str]] = {}
    for feature in FEATURES:
        if feeds := lacking(feature, missing):
            by_feeds.setdefault(feeds, []).append(feature.name)
    return tuple(
        f"Without {', '.join(feeds)} these features are null: {', '.join(names)}." for feeds, names in by_feeds.items()
    )


def _known_feed(engine: Engine, name: str, as_of: date) -> ir.Table:
    return known_rows(name, engine.feed(name), as_of=as_of)


def build_restatements(engine: Engine, *, as_of: date, snapshots: Path, settings: Settings) -> StepReport:
    """Write the slice of ``restatements``: what the last snapshot told otherwise of tables of events.

    Parameters
    ----------
    engine
        The store with the tables of events as they are now.
    as_of
        The day that is run.
    snapshots
        The snapshot folder of the home.
    settings
        For the lookback.
    """
    found = []
    days: pd.DataFrame | None = None
    for table, told in TOLD.items():
        changed_since = engine.restated(snapshots, table)
        if changed_since is None:
            continue
        old, new, since = changed_since
        names = contract(table).published_names
        changed = engine.stage(changed_rows(old.select(*names), new.select(*names), told))
        found.append(restatements(changed, table=table, since=since, lookback_days=settings.lookback_days))
        if table == "purchases":
            days = engine.execute(amounts_by_day(changed, found[-1]).order_by("day"))
    slices = engine.read("restatements")
    held = slices.filter(slices.as_of == as_of).drop("as_of")
    rows = chained(held, engine.stage(ibis.union(*found, distinct=False))) if found else held
    written = engine.write("restatements", engine.stage(rows), as_of=as_of)
    engine.drop_staged()
    causes = engine.read("restatements").filter(ibis._.as_of == as_of).group_by("table", "cause")
    counts: pd.DataFrame = engine.execute(causes.aggregate(values=ibis._.count()).order_by(["table", "cause"]))
    return StepReport(
        "restatements",
        written,
        samples={"Told otherwise": counts} if len(counts) else {},
        charts={"old_and_new": lambda: old_and_new(days)} if days is not None and len(days) else {},
    )
