"""The steps that write the tables of events: whole, or for the customers concerned alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.engine.base import StepReport
from o2o_mining.marts.affected import Told, affected_customers
from o2o_mining.marts.coupon_lifecycle import coupon_states
from o2o_mining.marts.inputs import CONTACTS, COUPONS, MADE_OF, PURCHASES, RESTS_ON, missing
from o2o_mining.marts.journeys import journey_touches, journeys_from_touches
from o2o_mining.marts.purchases import purchases_from_logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.base import Engine


def build_purchases(engine: Engine) -> StepReport:
    """Write ``purchases``.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> build_purchases(DuckDBEngine(":memory:", Settings())).rows
    0
    """

    def made(customers: ir.Table | None) -> ir.Table:
        return purchases_from_logs(*(_theirs(engine.feed(name), customers) for name in PURCHASES))

    return StepReport("purchases", _write(engine, "purchases", Told(), made), notes=missing(engine, PURCHASES))


def build_journey_touches(engine: Engine, *, now: date, settings: Settings) -> StepReport:
    """Write ``journey_touches`` from ``purchases`` and the feeds.

    Parameters
    ----------
    engine
        The store.
    now
        The default as_of of the input.
    settings
        For the lookback and whether touches are used again.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> engine = DuckDBEngine(":memory:", Settings())
    >>> build_journey_touches(engine, now=date(2024, 1, 1), settings=Settings()).notes[0]
    'The feed touches is missing.'
    """

    def made(customers: ir.Table | None) -> ir.Table:
        return journey_touches(
            _theirs(engine.read("purchases"), customers),
            *(engine.feed(name) for name in CONTACTS),
            now=now,
            lookback_days=settings.lookback_days,
            reuse_touches=settings.reuse_touches,
            customers=customers,
        )

    rows = _write(engine, "journey_touches", _told(now, settings), made)
    return StepReport("journey_touches", rows, notes=missing(engine, ("touches", "sends")))


def build_journeys(engine: Engine) -> StepReport:
    """Write ``journeys`` from ``purchases`` and ``journey_touches``.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> build_journeys(DuckDBEngine(":memory:", Settings())).rows
    0
    """
    events = [engine.read(table) for table in RESTS_ON["journeys"]]
    customers = engine.concerned("journeys", RESTS_ON["journeys"])
    with engine.transaction():
        if customers is None:
            rows = engine.write("journeys", journeys_from_touches(*events))
        else:
            made = journeys_from_touches(*(_theirs(table, customers) for table in events))
            rows = engine.rewrite("journeys", made, customers)
        engine.followed("journeys", {})
    engine.drop_staged()
    return StepReport("journeys", rows)


def build_coupon_lifecycle(engine: Engine, *, now: date) -> StepReport:
    """Write ``coupon_lifecycle``.

    Parameters
    ----------
    engine
        The store.
    now
        The default as_of of the input.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.duckdb import DuckDBEngine
    >>> build_coupon_lifecycle(DuckDBEngine(":memory:", Settings()), now=date(2024, 1, 1)).rows
    0
    """

    def made(customers: ir.Table | None) -> ir.Table:
        return coupon_states(*(_theirs(engine.feed(name), customers) for name in COUPONS), now=now)

    notes = missing(engine, ("coupon_receipts", "coupons"))
    return StepReport("coupon_lifecycle", _write(engine, "coupon_lifecycle", Told(now), made), notes=notes)


def _told(now: date, settings: Settings) -> Told:
    return Told(now, settings.lookback_days, settings.reuse_touches)


def _theirs(rows: ir.Table, customers: ir.Table | None) -> ir.Table:
    """Return the rows of some customers, and all of a feed that concerns none."""
    if customers is None or "customer_id" not in rows.columns:
        return rows
    return rows.semi_join(customers, "customer_id")


def _write(engine: Engine, table: str, told: Told, made: Callable[[ir.Table | None], ir.Table]) -> int:
    """Write a table of events, or of it what may have changed since it was written last."""
    customers = affected_customers(engine, table, MADE_OF[table], told)
    with engine.transaction():
        if customers is None:
            rows = engine.write(table, made(None))
        else:
            rows = engine.rewrite(table, made(customers), customers)
        engine.followed(table, told.as_dict())
    engine.drop_staged()
    return rows
