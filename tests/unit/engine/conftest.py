"""A store, a home to publish to, and small tables to write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine

D1, D2, D3 = date(2017, 7, 1), date(2017, 7, 8), date(2017, 7, 15)


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    opened = DuckDBEngine(":memory:", Settings(threads=1))
    yield opened
    opened.close()


def rows(table: str, *given: dict[str, Any]) -> ibis.Table:
    """Return rows of a contract table; columns that are not given are null."""
    return memtable(contract(table).schema, *given)


def memtable(schema: dict[str, str], *given: dict[str, Any]) -> ibis.Table:
    """Return rows as a table; Ibis alone does not take nulls among decimals."""
    complete = [{name: row.get(name) for name in schema} for row in given]
    return ibis.memtable(pa.Table.from_pylist(complete, ibis.schema(schema).to_pyarrow()))


def profile(code: str, **given: Any) -> dict[str, Any]:
    """Return a row of segment_profiles."""
    row = {
        "scheme": "rfm",
        "segment_code": code,
        "customers": 1,
        "share": 0.5,
        "mean_frequency": 1.0,
        "median_recency_days": 1.0,
    }
    return row | {"as_of": D1} | given


def customer(number: int, **given: Any) -> dict[str, Any]:
    """Return a row of customers."""
    row = {"customer_id": f"c{number}", "city": "Taipei", "home_lat": 25.0, "home_lon": 121.5, "birth_year": 1980}
    return row | {"phone": "+886 2 1234 5678", "email": f"c{number}@example.com", "_ordinal": number} | given


def journey(number: int, **given: Any) -> dict[str, Any]:
    """Return a row of journeys."""
    at = datetime(2017, 7, 1, 12)
    row = {"journey_id": f"j{number}", "customer_id": "c", "converted": False, "started_at": at, "ended_at": at}
    return row | {"n_touches": 1, "path": "map"} | given


def load_customers(engine: DuckDBEngine, *given: dict[str, Any], file_id: int = 1) -> Any:
    """Load rows of customers as ingest does."""
    staged = engine.stage(memtable(contract("customers").schema | {"_ordinal": "int64"}, *given))
    return engine.upsert("customers", staged, file_id=file_id)


def publish(engine: DuckDBEngine, home: Path, *, keep: int = 5, run_id: str = "run") -> str:
    """Publish with nothing but what a snapshot needs."""
    return engine.publish(home / "snapshots", inputs=[], now=D1, keep=keep, run_id=run_id)


def all_rows(engine: DuckDBEngine, table: str) -> list[tuple[Any, ...]]:
    """Return a table's rows, sorted by text."""
    frame = engine.execute(engine.read(table))
    return sorted((tuple(row) for row in frame.astype(str).itertuples(index=False)), key=str)
