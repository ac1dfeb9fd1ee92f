"""How far off are catchments, and are rings of accounts found without blaming honest customers?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import ibis
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.worlds import feed
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.local.steps import build_coupon_forensics, build_referrals, build_store_catchments
from o2o_mining.marts import coupon_states, purchases_from_logs
from o2o_mining.simulator import World, write
from o2o_mining.simulator.findings import share_interval

CATCHMENT_WORLDS = (*((2_000, seed) for seed in range(1, 11)), *((20_000, seed) for seed in range(1, 4)))
SCENARIOS = ("balanced", "heavy-targeting-bias")
RING_CUSTOMERS, RING_SEEDS = 2_000, range(1, 51)
ENOUGH = 200
READ = (
    "customers", "merchants", "stores", "coupons", "coupon_receipts", "coupon_redemptions", "online_orders",
    "offline_redemptions",
)  # fmt: skip
USES = ("coupon_receipts", "coupons", "coupon_redemptions", "offline_redemptions", "online_orders")


def measure_catchments() -> Iterator[str]:
    """Radii of stores beside the simulator's, in worlds of 2,000 and 20,000 customers."""
    for scenario in SCENARIOS:
        every = []
        for customers, seed in CATCHMENT_WORLDS:
            world = World(customers=customers, scenario=scenario, seed=seed)
            tables = mined(world, ("store_catchments",), ("truth/store_catchments_true",))
            both = tables["store_catchments"].merge(tables["truth/store_catchments_true"], on="store_id")
            every.append(both.assign(world=f"{customers:,} customers"))
        rows = pd.concat(every)
        off = (rows["radius_m"] / rows["catchment_80_m"] - 1).abs()
        for size, some in rows.groupby("world"):
            for what, which in ((f"{ENOUGH} redemptions or more", some["redemptions"] >= ENOUGH),
                                ("fewer", some["redemptions"] < ENOUGH)):  # fmt: skip
                errors = off[rows["world"] == size][which.to_numpy()]
                yield (
                    f"{scenario}, {size}: median error of the radius of {len(errors):,} stores with {what} "
                    f"{errors.median():.1%}, nine in ten within {errors.quantile(0.9):.1%}"
                )


def measure_rings() -> Iterator[str]:
    """Accounts of rings found in 50 worlds, pooled; what else is found; what referred customers are worth."""
    planted = flagged = right = doubles = velocities = circles = 0
    inside, others = [], 0
    for seed in RING_SEEDS:
        world = World(customers=RING_CUSTOMERS, seed=seed)
        tables = mined(world, ("coupon_forensics", "referral_rates"), ("truth/customer_states",))
        people, found = tables["truth/customer_states"], tables["coupon_forensics"]
        rings = set(people.loc[people["fraud_ring"].notna(), "customer_id"])
        told = set(found.loc[found["kind"] == "ring", "customer_ids"].explode().dropna())
        planted, flagged, right = planted + len(rings), flagged + len(told), right + len(rings & told)
        kinds = found["kind"].value_counts()
        doubles += int(kinds.get("double_redemption", 0))
        circles += int(kinds.get("self_redemption", 0))
        fast = set(found.loc[found["kind"] == "velocity", "customer_ids"].explode().dropna())
        velocities, others = velocities + len(fast), others + len(fast - rings)
        worth = tables["referral_rates"].set_index("cohort").loc["(all)"]
        if worth["label"] == "observational":
            inside.append(bool(worth["difference_low"] <= 0 <= worth["difference_high"]))
    yield _share("precision of accounts of rings", right, flagged)
    yield _share("recall of accounts of rings", right, planted)
    yield f"accounts too fast: {velocities:,}, of them honest {others}; circles {circles}; doubles {doubles:,}"
    yield _share("worlds whose interval of what referred customers are worth more holds 0", sum(inside), len(inside))


def _share(what: str, part: int, of: int) -> str:
    low, high = share_interval(part, of)
    return f"{what}: {part:,} of {of:,}, {part / max(of, 1):.3f} ({low:.3f} to {high:.3f})"


def mined(world: World, names: Sequence[str], truths: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return tables that the room makes of a world, and tables of its truth."""
    with tempfile.TemporaryDirectory() as name:
        folder, engine = Path(name) / "world", DuckDBEngine(":memory:", Settings())
        write(world, folder, "parquet")
        found = {truth: feed(folder, truth) for truth in truths}
        _load(engine, folder)
    day = world.end
    logs = [engine.feed(feed) for feed in ("online_orders", "offline_redemptions", "coupon_redemptions", "coupons")]
    engine.write("known_purchases", purchases_from_logs(*logs), as_of=day)
    engine.write("known_coupon_lifecycle", coupon_states(*map(engine.feed, USES), now=day), as_of=day)
    if "store_catchments" in names:
        build_store_catchments(engine, as_of=day)
    if "coupon_forensics" in names:
        build_coupon_forensics(engine, as_of=day)
        build_referrals(engine, as_of=day)
    found |= {table: engine.execute(engine.slice(table, day)) for table in names}
    engine.close()
    return found


def _load(engine: DuckDBEngine, folder: Path) -> None:
    for name in READ:
        columns = contract(name).column_names
        rows = pq.read_table(folder / f"{name}.parquet").select(list(columns))
        engine.upsert(name, engine.stage(ibis.memtable(rows).cast(contract(name).schema)), file_id=1)
    engine.drop_staged()
