"""A simulated world in the store of the tests, whole or cut on a day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from o2o_mining.contracts.catalogue import contract, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.engine.sql import sql_type
from o2o_mining.simulator import World, write

if TYPE_CHECKING:
    from pathlib import Path

    from o2o_mining.engine.duckdb import DuckDBEngine

OWN_TIME = {
    "customers": "joined_at", "consents": "changed_at", "assignments": "assigned_at", "sends": "sent_at",
    "touches": "touched_at", "coupon_receipts": "received_at", "online_orders": "ordered_at",
    "offline_redemptions": "redeemed_at", "coupon_redemptions": "redeemed_at", "reviews": "reviewed_at",
}  # fmt: skip
UNDONE = (
    """UPDATE online_orders SET status = CASE status WHEN 'cancelled' THEN 'paid' ELSE status END, cancelled_at = NULL
    WHERE cancelled_at >= $day""",
    """UPDATE online_orders SET status = CASE status WHEN 'refunded' THEN 'paid' ELSE status END, refunded_at = NULL,
    refunded_amount = NULL WHERE refunded_at >= $day""",
    """UPDATE offline_redemptions SET refunded_at = NULL, refunded_amount = NULL WHERE refunded_at >= $day""",
)


def made(world: World, folder: Path) -> Path:
    """Write a world as Parquet."""
    write(world, folder, "parquet")
    return folder


def load(engine: DuckDBEngine, folder: Path) -> None:
    """Fill the feeds of the store from the files of a world."""
    engine.connection.execute("DELETE FROM _made")
    for table in tables(Kind.FEED):
        columns = ", ".join(f"CAST({c.name} AS {sql_type(c)})" for c in contract(table.name).columns)
        file = folder / f"{table.name}.parquet"
        engine.connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of the catalogue
        engine.connection.execute(f"INSERT INTO {table.name} SELECT {columns}, 0 FROM '{file}'")  # noqa: S608


def cut(engine: DuckDBEngine, day: date) -> None:
    """Take away what nobody knew before a day, row by row."""
    engine.connection.execute("DELETE FROM _made")
    for feed, at in OWN_TIME.items():
        engine.connection.execute(f"DELETE FROM {feed} WHERE {at} >= ?", [day])  # noqa: S608 - names of the catalogue
    for statement in UNDONE:
        engine.connection.execute(statement, {"day": day})
