"""What does it cost to score 20 coupons for each of half a million customers, and to allocate under three budgets?"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.short_job import loaded
from benchmarks.worlds import written
from o2o_mining.engine.base import Engine
from o2o_mining.offers import allocate
from o2o_mining.response.steps import build_response_scores
from o2o_mining.simulator import World
from pipelines.house import House

CUSTOMERS, TIMES, BUDGETS = 100_000, 5, 3
# What copies of a world share: everything that is not of one customer.
SHARED = ("merchant_id", "store_id", "product_id", "coupon_id", "campaign_id")


def measure() -> Iterator[str]:
    """Half a million customers x 20 coupons: scored and allocated under 3 budgets, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, written(World(CUSTOMERS, 540, "balanced", 1)) as feeds:
        many, home = Path(folder) / "feeds", Path(folder) / "home"
        multiply(feeds, many, TIMES)
        with loaded(many, home):
            pass
        command = [sys.executable, "-m", "benchmarks.large_plan", str(many), str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    yield from told(json.loads(done.stdout))


def multiply(feeds: Path, target: Path, times: int) -> None:
    """Write a world several times over, each copy with customers of its own, into one folder."""
    target.mkdir(parents=True)
    for file in sorted(feeds.glob("*.parquet")):
        table = pq.read_table(file)
        own = [name for name in table.column_names if name.endswith(("_id", "_code")) and name not in SHARED]
        copies = [table]
        if own:
            for number in range(1, times):
                copy = table
                for name in own:
                    column = copy[name].cast(pa.string())
                    renamed = pc.binary_join_element_wise(column, f"x{number}", "")
                    copy = copy.set_column(copy.column_names.index(name), name, renamed)
                copies.append(copy)
        pq.write_table(pa.concat_tables(copies), target / file.name)


def planned(house: House) -> dict[str, float]:
    """Score and allocate, and return seconds of each part, the gap, and the peak of memory."""
    engine, day = house.engine, house.now
    assert day is not None  # noqa: S101 - loaded before
    started, processor = time.perf_counter(), time.process_time()
    build_response_scores(engine, as_of=day)
    scored, used = time.perf_counter() - started, time.process_time() - processor
    started, processor = time.perf_counter(), time.process_time()
    offers, budgets = _offers(engine, day)
    found = allocate(offers, budget=budgets)
    return {
        "pairs": len(offers), "customers": int(offers["customer_id"].nunique()), "scored": scored, "scored_cpu": used,
        "allocated": time.perf_counter() - started, "allocated_cpu": time.process_time() - processor,
        "gap": found.gap, "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }  # fmt: skip


def _offers(engine: Engine, day: date) -> tuple[pd.DataFrame, dict[int, float]]:
    """Return every scored pair as an offer of one of three budgets, each a tenth of what one offer to all would cost.

    A visit brings 30 and a coupon takes 8 off; a contact costs .06.
    """
    scores = engine.slice("response_scores", day)
    made = scores.select("customer_id", "coupon_id", "redemption_probability", "uplift")
    frame = engine.execute(made)
    likely, uplift = (frame[name].fillna(0.0).to_numpy(np.float64) for name in ("redemption_probability", "uplift"))
    customer, coupon = (pd.factorize(frame[name])[0].astype(np.int32) for name in ("customer_id", "coupon_id"))
    cost = (likely * 8 + 0.06).round(6)
    offers = pd.DataFrame({
        "customer_id": customer, "offer_id": coupon, "campaign_id": (coupon % BUDGETS).astype(np.int64),
        "value": (uplift * 30 - cost).round(6), "cost": cost,
    })  # fmt: skip
    whole = float(cost.mean()) * (int(customer.max()) + 1)
    return offers, {number: round(whole / 10 / BUDGETS, 2) for number in range(BUDGETS)}


def told(found: dict[str, float]) -> Iterator[str]:
    """Yield the figures in words."""
    yield (
        f"{found['customers']:,.0f} customers, {found['pairs']:,.0f} pairs: learned, scored and written in "
        f"{found['scored']:.0f} s ({found['scored_cpu']:.0f} s of CPU), allocated under {BUDGETS} budgets in "
        f"{found['allocated']:.0f} s ({found['allocated_cpu']:.0f} s), gap {found['gap']:.5f}, peak "
        f"{found['gigabytes']:.2f} GB"
    )


if __name__ == "__main__":
    with loaded(Path(sys.argv[1]), Path(sys.argv[2])) as opened:
        print(json.dumps(planned(opened)))  # noqa: T201 - read by the parent process
