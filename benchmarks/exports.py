"""How long does a list of half a million take to leave, hashed for an ad platform?"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.home import Home
from o2o_mining.exports import export_segment, platforms

CUSTOMERS = 500_000
ROUNDS = 3
DAY = date(2026, 1, 1)
SETTINGS = Settings(assumed_consent=True, phone_region="TW")


def measure() -> Iterator[str]:
    """Half a million members of one segment, for every platform: phones written in three ways, one in 100 no number."""
    with TemporaryDirectory() as folder:
        home = _published(Path(folder))
        for platform in platforms():
            rounds = []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                report = export_segment(
                    home, "champions", segment_name=lambda code, _: code, settings=SETTINGS, platform=platform
                )
                rounds.append(time.perf_counter() - begin)
            size = sum(file.stat().st_size for file in report.files) / 1e6
            yield f"{platform}: {report.rows:,} rows, {size:.0f} MB: {statistics.median(rounds):.1f} s"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        yield f"peak memory, making the snapshot included: {peak:.1f} GB"


def _published(folder: Path) -> Home:
    """Publish half a million customers with contact data, all in one segment."""
    numbers = np.arange(CUSTOMERS)
    ids = [f"U{number:032x}" for number in numbers]
    phones = [_phone(number) for number in numbers.tolist()]
    emails = [f" Ann.Lee+{number}@Example.com" for number in numbers.tolist()]
    engine = DuckDBEngine(":memory:", Settings())
    usual: dict[str, Any] = {"money": Decimal(0), "int": 1, "double": 0.5, "codes": [], "date": DAY}
    one = {c.name: None if c.nullable else usual.get(c.type, "x") for c in contract("segments").columns}
    rows: dict[str, list[Any]] = {name: [value] * CUSTOMERS for name, value in one.items()}
    rows |= {"customer_id": ids, "segment_code": ["champions"] * CUSTOMERS}
    _write(engine, "segments", rows)
    nowhere: list[Any] = [None] * CUSTOMERS
    contacts = {"customer_id": ids, "home_lat": nowhere, "home_lon": nowhere, "phone": phones, "email": emails}
    _write(engine, "customer_contacts", contacts)
    engine.publish(folder / "snapshots", inputs=[], now=DAY, keep=1, run_id="benchmark")
    engine.close()
    return Home(folder)


def _phone(number: int) -> str:
    written = ("+8869{:08d}", "0912-{:06d}", "+86 138 {:08d}")
    return "none" if number % 100 == 0 else written[number % 3].format(number % 1_000_000)


def _write(engine: DuckDBEngine, table: str, rows: dict[str, list[Any]]) -> None:
    schema = ibis.schema(contract(table).schema).to_pyarrow()
    as_of = DAY if "as_of" in rows else None
    engine.write(table, ibis.memtable(pa.table(rows, schema=schema)), as_of=as_of)
