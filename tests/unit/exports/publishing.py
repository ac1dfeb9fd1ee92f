"""Publishes made-up tables as a run would."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import ibis
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.exports.rows import DAY, Rows


def publish_tables(home: Path, tables: Mapping[str, Rows | Mapping[date, Rows]]) -> None:
    """Publish tables by name in a new home; those that are mined by day, or as of the usual one."""
    engine = DuckDBEngine(":memory:", Settings(threads=1))
    for table, rows in tables.items():
        for day, part in (rows if isinstance(rows, Mapping) else {DAY: rows}).items():
            engine.write(table, _filled(table, part), as_of=day if "as_of" in contract(table).key else None)
    engine.publish(home / "snapshots", inputs=[], now=DAY, keep=5, run_id="test")
    engine.close()


def _filled(table: str, rows: Rows) -> ibis.Table:
    declared = contract(table)
    usual = {"money": Decimal("0.00"), "int": 1, "double": 0.5, "codes": [], "date": DAY, "boolean": False}
    filled = [
        {c.name: row.get(c.name, None if c.nullable else usual.get(c.type, "x")) for c in declared.columns}
        for row in rows
    ]
    return ibis.memtable(pa.Table.from_pylist(filled, schema=ibis.schema(declared.schema).to_pyarrow()))
