"""The features of all customers: our step beside pandas and, where it is installed, polars, on the same tables.

``python -m benchmarks.features CUSTOMERS`` measures a smaller world.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from o2o_mining.contracts.catalogue import tables
from o2o_mining.contracts.features import FEATURES
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.sql import sql_type
from o2o_mining.marts import customer_features, steps
from o2o_mining.simulator import World, write

CUSTOMERS = 680_000  # 13.4 million events
ROUNDS = 3
DAY, ZONE = date(2025, 6, 24), "Asia/Taipei"
SETTINGS = Settings(threads=2, timezone=ZONE)
EVENTS = ("touches", "coupon_receipts", "online_orders", "offline_redemptions", "coupon_redemptions", "reviews")
# What pandas and polars read: the tables the step reads, as files in no order of ours.
READ = {
    "purchases": "customer_id, merchant_id, store_id, purchased_at, consumed_at, cancelled_at, source, fulfilment,"
    " list_amount::DOUBLE list_amount, discount_amount::DOUBLE discount_amount, paid_amount::DOUBLE paid_amount,"
    " refunded_amount::DOUBLE refunded_amount, net_amount::DOUBLE net_amount, distance_m, reserved_for,"
    " promised_wait_min, waited_min FROM known_purchases",
    "journey_touches": "journey_id, customer_id, campaign_id FROM known_journey_touches",
    "coupon_lifecycle": "receipt_id, customer_id, received_at, redeemed_at FROM known_coupon_lifecycle",
    "touches": "customer_id, touched_at, channel, campaign_id, action, device FROM touches WHERE touched_at < $day",
    "customers": "customer_id, joined_at, birth_year, city, home_lat, home_lon, referrer_id FROM customers"
    " WHERE joined_at < $day",
    "reviews": "customer_id, reviewed_at, rating, is_complaint FROM reviews WHERE reviewed_at < $day",
    "merchants": "merchant_id, category FROM merchants",
    "stores": "store_id, lat, lon FROM stores",
    "everybody": "customer_id FROM known_customers",
}


def measure(customers: int = CUSTOMERS) -> Iterator[str]:
    """Yield what the features of all customers cost us, pandas and polars, in turn, in processes of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events, seconds = _prepare(folder, customers)
        others = ["pandas", *(["polars"] if importlib.util.find_spec("polars") else [])]
        names = ["ours", *others, "whole step"]
        rounds = [{name: _apart(folder, name) for name in names} for _ in range(ROUNDS)]
        differing = sum(_differing(folder, name) for name in others)
    found = {"customers": customers, "events": events, "values that differ": differing, **seconds}
    for name in names:
        for what in rounds[0][name]:
            found[f"{name}, {what}"] = statistics.median(measured[name][what] for measured in rounds)
    for name in others:
        ratio = [measured[name]["features (s)"] / measured["ours"]["features (s)"] for measured in rounds]
        found[f"{name} over ours, median of ratios"] = statistics.median(ratio)
    for name, value in found.items():
        yield f"{name:<52} {value:12,.2f}"


def _prepare(folder: Path, customers: int) -> tuple[int, dict[str, float]]:
    """Load a world, reckon what was known before the day, and write what the others read."""
    rows = write(World(customers=customers, seed=3), folder / "feeds", "parquet")
    engine = DuckDBEngine(folder / "warehouse", SETTINGS)
    for table in tables(Kind.FEED):
        columns = ", ".join(f"CAST({c.name} AS {sql_type(c)})" for c in table.columns)
        file = folder / "feeds" / f"{table.name}.parquet"
        engine.connection.execute(f"INSERT INTO {table.name} SELECT {columns}, 0 FROM '{file}'")  # noqa: S608 - ours
    begun = time.perf_counter()
    steps.build_known(engine, as_of=DAY, settings=SETTINGS)
    known = time.perf_counter() - begun
    for name, query in READ.items():
        sql = f"COPY (SELECT {query}) TO '{folder / name}.parquet'".replace("$day", f"DATE '{DAY}'")
        engine.connection.execute(sql)
    engine.close()
    return sum(rows[feed] for feed in EVENTS), {"tables as known before the day (s)": known}


def _apart(folder: Path, name: str) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.features", name, str(folder)], capture_output=True, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _ours(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], pd.DataFrame]]:
    engine = DuckDBEngine(folder / "warehouse", SETTINGS)
    made = customer_features(steps.known_logs(engine, DAY), as_of=DAY, timezone=ZONE)
    return lambda: engine.stage(made), engine.execute


def _pandas(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], pd.DataFrame]]:
    from benchmarks.features_pandas import features

    read = {name: pd.read_parquet(folder / f"{name}.parquet") for name in READ}
    return lambda: features(read, as_of=DAY, zone=ZONE), lambda made: made.reset_index()


def _polars(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], pd.DataFrame]]:
    import polars as pl

    from benchmarks.features_polars import features

    read = {name: pl.read_parquet(folder / f"{name}.parquet").lazy() for name in READ}
    return lambda: features(read, as_of=DAY, zone=ZONE), lambda made: made.to_pandas()


def _run(name: str, folder: Path) -> dict[str, float]:
    if name == "whole step":
        return _step(folder)
    compute, shown = {"ours": _ours, "pandas": _pandas, "polars": _polars}[name](folder)
    begun = time.perf_counter()
    made = compute()
    told = {"features (s)": time.perf_counter() - begun}
    told["peak memory (MB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    frame = shown(made)[["customer_id", *(feature.name for feature in FEATURES)]]
    numbers = [frame[feature.name].astype("float64") for feature in FEATURES]
    pd.concat([frame.customer_id, *numbers], axis=1).sort_values("customer_id").to_parquet(folder / f"made_{name}")
    return told


def _step(folder: Path) -> dict[str, float]:
    engine = DuckDBEngine(folder / "warehouse", SETTINGS)
    begun = time.perf_counter()
    steps.build_customer_features(engine, as_of=DAY, settings=SETTINGS)
    return {"guard, features, write and checks (s)": time.perf_counter() - begun}


def _differing(folder: Path, name: str) -> int:
    ours, theirs = (pd.read_parquet(folder / f"made_{one}") for one in ("ours", name))
    same = (ours.customer_id.to_numpy() == theirs.customer_id.to_numpy()).all()
    values = [frame.drop(columns="customer_id").to_numpy() for frame in (ours, theirs)]
    return int((~np.isclose(*values, rtol=1e-7, atol=1e-6, equal_nan=True)).sum()) if same else len(ours)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(_run(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201 - read by the parent process
    else:
        print(*measure(int(sys.argv[1])), sep="\n")  # noqa: T201 - for whoever called it
