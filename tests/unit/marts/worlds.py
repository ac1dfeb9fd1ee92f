"""Small worlds, written by hand: rows of feeds with what does not matter filled in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts import event_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

Row = dict[str, Any]
World = dict[str, list[Row]]


def at(moment: str | datetime) -> datetime:
    """Read ``MM-DD``, with or without ``HH:MM``, of 2024; or a whole moment."""
    if isinstance(moment, datetime):
        return moment
    return datetime.fromisoformat(moment if moment[4:5] == "-" else f"2024-{moment}")


def order(order_id: str, ordered_at: str | datetime, **given: Any) -> Row:
    row = {"customer_id": "c", "merchant_id": "m", "status": "paid"}
    return {"order_id": order_id, "ordered_at": ordered_at, **row, **given}


def visit(redemption_id: str, redeemed_at: str | datetime, **given: Any) -> Row:
    row = {"customer_id": "c", "merchant_id": "m"}
    return {"redemption_id": redemption_id, "redeemed_at": redeemed_at, **row, **given}


def touch(touch_id: str, touched_at: str | datetime, channel: str = "search", **given: Any) -> Row:
    row = {"customer_id": "c", "channel": channel, "action": "click"}
    return {"touch_id": touch_id, "touched_at": touched_at, **row, **given}


def send(send_id: str, sent_at: str | datetime, **given: Any) -> Row:
    row = {"customer_id": "c", "campaign_id": "x", "channel": "sms"}
    return {"send_id": send_id, "sent_at": sent_at, **row, **given}


def receipt(receipt_id: str, received_at: str | datetime, **given: Any) -> Row:
    return {"receipt_id": receipt_id, "received_at": received_at, "customer_id": "c", "coupon_id": "k", **given}


def use(coupon_redemption_id: str, redeemed_at: str | datetime, **given: Any) -> Row:
    row = {"customer_id": "c", "coupon_id": "k"}
    return {"coupon_redemption_id": coupon_redemption_id, "redeemed_at": redeemed_at, **row, **given}


def review(review_id: str, reviewed_at: str | datetime, **given: Any) -> Row:
    row = {"customer_id": "c", "merchant_id": "m", "rating": 2, "is_complaint": True}
    return {"review_id": review_id, "reviewed_at": reviewed_at, **row, **given}


def coupon(coupon_id: str = "k", **given: Any) -> Row:
    return {"coupon_id": coupon_id, "merchant_id": "m", **given}


def campaign(campaign_id: str, channel: str | None = None) -> Row:
    return {"campaign_id": campaign_id, "channel": channel, "starts_at": "01-01", "ends_at": "12-31"}


def fill(engine: DuckDBEngine, feeds: Mapping[str, Iterable[Row]]) -> DuckDBEngine:
    """Replace feeds by rows; columns that a row does not give are null."""
    for feed, given in feeds.items():
        columns = contract(feed).columns
        engine.connection.execute(f"DELETE FROM {feed}")  # noqa: S608 - names of the catalogue
        rows = [[_value(c.type, row.get(c.name)) for c in columns] for row in given]
        if rows:
            marks = ", ".join("?" * len(columns))
            engine.connection.executemany(f"INSERT INTO {feed} VALUES ({marks}, 0)", rows)  # noqa: S608
    engine.connection.execute("DELETE FROM _made")  # what was made before knows nothing of these rows
    return engine


def _value(kind: str, value: Any) -> Any:
    return at(value) if kind == "timestamp" and value is not None else value


def build(engine: DuckDBEngine, *, now: date, settings: Settings | None = None) -> DuckDBEngine:
    """Write purchases and journeys."""
    settings = settings or Settings()
    event_steps.build_purchases(engine)
    event_steps.build_journey_touches(engine, now=now, settings=settings)
    event_steps.build_journeys(engine)
    return engine


def rows(engine: DuckDBEngine, table: str) -> list[Row]:
    """Return a table by key, with Python's own values."""
    found = engine.connection.execute(f"SELECT * FROM {table}")  # noqa: S608
    names = [column[0] for column in found.description or ()]
    made = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return sorted(made, key=lambda row: [str(row[key]) for key in contract(table).key])


def by_key(engine: DuckDBEngine, table: str) -> dict[str, Row]:
    """Return a table with one key column as a dictionary of its rows."""
    (key,) = (name for name in contract(table).key if name != "as_of")
    return {row[key]: row for row in rows(engine, table)}
