"""Are those whom an offer moves found, and does the interval hold what it truly brings?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.worlds import BUDGET_SHARE, feed, written
from o2o_mining.engine.home import open_home
from o2o_mining.simulator import World
from pipelines.execution import run

SCENARIOS = ("balanced", "heavy-targeting-bias", "no-effect", "all-sure-things", "one-time-buyers")
SEEDS = range(11, 21)
CUSTOMERS, DAYS = 100_000, 540
DECILES = 10


def measure() -> Iterator[str]:
    """Yield, per scenario, deciles inside their intervals and what a plan from the uplift truly earns."""
    held = 0
    for scenario in SCENARIOS:
        rows = []
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder, written(World(CUSTOMERS, DAYS, scenario, seed)) as feeds:
                home = open_home(run("folder", feeds, Path(folder) / "home", None, lambda _: None).home)
                scores = home.table("response_scores").to_pandas()
                home.close()
                rows.append(examined(scores, feeds))
        table = pd.DataFrame(rows)
        held += int(table["inside"].sum())
        yield (
            f"{scenario}: {int(table['inside'].sum())} of {DECILES * len(table)} decile means inside; of the oracle's "
            f"{table['oracle'].sum():,.0f} the plan earns {table['plan'].sum():,.0f}, the likeliest "
            f"{table['likeliest'].sum():,.0f}; spent {table['spent'].max():.1%} at most; explained "
            f"{table['explained'].mean():.3f} (oracle {table['explained_by_oracle'].mean():.3f})"
        )
    yield f"all: {held} of {DECILES * len(SCENARIOS) * len(SEEDS)} decile means inside their 90 % intervals"


def examined(scores: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Return how the scores of the campaigns that start after the log stand beside the truth.

    Plans are made as in `benchmarks.worlds.plans`, with the oracle's expected cost for all of them.
    """
    effects = feed(folder, "truth/campaign_effects").dropna(subset=["p1_observable"]).drop(columns="uplift")
    values = feed(folder, "truth/offer_values").merge(feed(folder, "coupons")[["coupon_id", "campaign_id"]])
    starts = feed(folder, "campaigns").astype({"starts_at": "datetime64[us]"})
    planned = starts.loc[starts["starts_at"] == starts["starts_at"].max(), "campaign_id"]
    t = scores[scores["campaign_id"].isin(planned)].merge(effects, on=["campaign_id", "customer_id"])
    t = t.merge(values, on=["campaign_id", "coupon_id"])
    t = t.sort_values(["customer_id", "campaign_id"], ignore_index=True)
    truth, oracle = t["p1"] - t["p0"], t["p1_observable"] - t["p0_observable"]
    parts = np.array_split(np.argsort(t["uplift"].to_numpy(), kind="stable"), DECILES)
    inside = sum(
        t["uplift_low"].iloc[p].mean() <= truth.iloc[p].mean() <= t["uplift_high"].iloc[p].mean() for p in parts
    )
    contact = t["contact_cost"].astype(float)
    cost = t["p1_observable"] * t["discount"] + contact
    budget = BUDGET_SHARE * cost.sum()

    def profit(p0: pd.Series[float], p1: pd.Series[float]) -> pd.Series[float]:
        earned: pd.Series[float] = p1 * (t["margin_with"] - t["discount"]) - p0 * t["margin_without"] - contact
        return earned

    def chosen(score: pd.Series[float]) -> pd.Index[int]:
        order = score[score > 0].sort_values(ascending=False, kind="stable").index
        order = order[~t.loc[order, "customer_id"].duplicated()]
        kept: pd.Index[int] = order[cost[order].cumsum() <= budget]
        return kept

    likely = t[["redemption_probability", "uplift"]].max(axis=1)
    mine = chosen(profit(likely - t["uplift"], likely) / (likely * t["discount"] + contact))
    true = profit(t["p0"], t["p1"])
    spread = truth.var()

    def explained(by: pd.Series[float]) -> float:
        return float(1 - ((truth - by) ** 2).mean() / spread) if spread > 0 else float("nan")

    return {
        "inside": float(inside), "spent": float(cost[mine].sum() / budget), "plan": float(true[mine].sum()),
        "oracle": float(true[chosen(profit(t["p0_observable"], t["p1_observable"]) / cost)].sum()),
        "likeliest": float(true[chosen(t["p1_observable"])].sum()),
        "explained": explained(t["uplift"]), "explained_by_oracle": explained(oracle),
    }  # fmt: skip
