"""A small published home, made anew for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.home import Home
from tests.unit.exports.rows import DAY, Publish, Rows


def _filled(table: str, rows: Rows) -> ibis.Table:
    declared = contract(table)
    usual = {"money": Decimal("0.00"), "int": 1, "double": 0.5, "codes": [], "date": DAY, "boolean": False}
    filled = [
        {c.name: row.get(c.name, None if c.nullable else usual.get(c.type, "x")) for c in declared.columns}
        for row in rows
    ]
    return ibis.memtable(pa.Table.from_pylist(filled, schema=ibis.schema(declared.schema).to_pyarrow()))


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Publish]:
    """Publish tables given by name, or by ``name@day`` for slices of other days than the usual one."""
    opened: list[Home] = []

    def published(folder: str = "home", /, **tables: Rows | Mapping[date, Rows]) -> Home:
        path = tmp_path / folder
        path.mkdir()
        engine = DuckDBEngine(":memory:", Settings(threads=1))
        for table, rows in tables.items():
            for day, part in (rows if isinstance(rows, Mapping) else {DAY: rows}).items():
                engine.write(table, _filled(table, part), as_of=day if "as_of" in contract(table).key else None)
        engine.publish(path / "snapshots", inputs=[], now=DAY, keep=5, run_id="test")
        engine.close()
        opened.append(Home(path))
        return opened[-1]

    yield published
    for home in opened:
        home.close()
