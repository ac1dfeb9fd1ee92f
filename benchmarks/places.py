"""Do effects by places hold the truth of worlds, and are those refused that cannot?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.worlds import feed, written
from o2o_mining.attribution.effects.bought import spans
from o2o_mining.attribution.effects.places import place_customers, place_weeks, store_purchases
from o2o_mining.attribution.effects.synthetic import compared_places
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts import purchases_from_logs
from o2o_mining.simulator import World

CUSTOMERS, DAYS, SEEDS, SCENARIOS = 3_000, 540, range(100, 108), ("balanced", "no-effect")
PLANTED_LIFT = 0.5
READ = ("campaigns", "coupons", "coupon_redemptions", "offline_redemptions", "online_orders", "touches")
SOLD = ("online_orders", "offline_redemptions", "coupon_redemptions", "coupons")


@dataclass(frozen=True)
class _Logs:
    """What one world's log tells of campaigns, and what they caused."""

    engine: DuckDBEngine
    purchases: Any
    begun: Any
    campaigns: pd.DataFrame
    true: pd.Series[int]


def measure() -> Iterator[str]:
    """Set campaigns of worlds by places beside the truth, and campaigns made up at merchants that had none."""
    for scenario in SCENARIOS:
        rows: list[dict[str, object]] = []
        for seed in SEEDS:
            with written(World(CUSTOMERS, DAYS, scenario, seed)) as folder:
                rows += _compared(folder, seed)
        for kind, found in pd.DataFrame(rows).groupby("kind", sort=False):
            told = found[found["reason"].isna()]
            held = (told["low"] <= told["true"]) & (told["true"] <= told["high"])
            refused = ", ".join(f"{reason} {count}" for reason, count in found["reason"].value_counts().items())
            yield (
                f"{scenario}, {kind}: {len(found)} compared, {int(held.sum())} of {len(told)} intervals hold the "
                f"truth; refused: {refused or 'none'}"
            )


def _compared(folder: Path, seed: int) -> list[dict[str, object]]:
    """Return what is found of every campaign as if none were drawn, and of one made up in its time for its people."""
    logs = _read(folder)
    rows: list[dict[str, object]] = []
    chance = np.random.default_rng(seed)
    for campaign in logs.campaigns.itertuples():
        at_once = (logs.campaigns["starts_at"] < campaign.until) & (logs.campaigns["until"] > campaign.starts_at)
        busy = logs.campaigns["merchant_id"][at_once]
        alone = int((busy == campaign.merchant_id).sum()) == 1
        span = logs.begun.filter(logs.begun.campaign_id == campaign.campaign_id)
        touches = logs.engine.feed("touches").inner_join(
            span.select("campaign_id", "starts_at", "until"), "campaign_id"
        )
        reached = touches.filter((touches.touched_at >= touches.starts_at) & (touches.touched_at < touches.until))
        true = int(logs.true.get(campaign.campaign_id, 0))
        rows += _row("the world's campaigns", *_panel(logs, span, reached), true=true, alone=alone)
        # Those whom the campaign reached, at a merchant without one: whatever they bought there they would have anyway.
        quiet = sorted(
            set(logs.engine.execute(logs.purchases.merchant_id.as_table().distinct())["merchant_id"]) - set(busy)
        )
        made_up = logs.engine.stage(span.mutate(merchant_id=ibis.literal(str(chance.choice(quiet)))))
        weeks, customers = _panel(logs, made_up, reached)
        rows += _row("made up, no effect", weeks, customers, true=0, alone=True)
        bought = (weeks["purchases"] - weeks["unreached"]).where(weeks["treated"] & (weeks["week"] >= 0), 0)
        added = chance.binomial(bought, PLANTED_LIFT)
        weeks = weeks.assign(purchases=weeks["purchases"] + added)
        rows += _row("made up, half as much again of those reached", weeks, customers, true=added.sum(), alone=True)
    logs.engine.close()
    return rows


def _row(
    kind: str, weeks: pd.DataFrame, customers: tuple[int, int], *, true: int, alone: bool
) -> Iterator[dict[str, object]]:
    for row in compared_places("c", weeks, customers, alone=alone, reach_known=True):
        if row.outcome == "purchases":
            ends = [None if end is None else end * row.n_treatment for end in (row.effect_low, row.effect_high)]
            yield {"kind": kind, "true": true, "reason": row.reason_code, "low": ends[0], "high": ends[1]}


def _panel(logs: _Logs, span: Any, reached: Any) -> tuple[pd.DataFrame, tuple[int, int]]:
    bought = store_purchases(logs.purchases, span, logs.begun, reached)
    counts = logs.engine.execute(place_customers(bought, span)).set_index("treated")["customers"]
    weeks = logs.engine.execute(place_weeks(bought, span).order_by(["place", "week"]))
    return weeks, (int(counts.get(True, 0)), int(counts.get(False, 0)))


def _read(folder: Path) -> _Logs:
    """Load what the comparison reads, and add up what each campaign caused of those whom it reached."""
    engine = DuckDBEngine(":memory:", Settings())
    for name in READ:
        rows = ibis.memtable(pq.read_table(folder / f"{name}.parquet")).select(*contract(name).column_names)
        engine.upsert(name, engine.stage(rows.cast(contract(name).schema)), file_id=1)
    effects = feed(folder, "truth/campaign_effects")
    effects = effects[effects["exposed"].astype(bool)]
    caused = effects["occasion1"].astype(int) - effects["occasion0"].astype(int)
    parameters = feed(folder, "truth/parameters").set_index("parameter")["value"]
    day = World(int(parameters["customers"]), int(parameters["days"])).end
    engine.write("known_purchases", purchases_from_logs(*map(engine.feed, SOLD)), as_of=day)
    begun = engine.stage(spans(engine.feed("campaigns"), as_of=day))
    campaigns = engine.execute(begun.order_by("campaign_id"))
    return _Logs(engine, engine.known("purchases", day), begun, campaigns, caused.groupby(effects["campaign_id"]).sum())
