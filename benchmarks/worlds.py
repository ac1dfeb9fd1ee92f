"""Is the truth of simulated worlds found again, and what does writing them cost?"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from o2o_mining.simulator import World, evaluate, scenario_names, write
from o2o_mining.simulator.findings import Z95
from o2o_mining.simulator.writing import EVENTS

SEEDS = range(100, 200)
EVALUATED = SEEDS[:10]
SIZES = (36_000, 120_000, 250_000, 500_000)
BUDGET_SHARE = 0.1


@contextmanager
def written(world: World) -> Iterator[Path]:
    """Write a world into a folder that goes away again."""
    with tempfile.TemporaryDirectory() as folder:
        write(world, Path(folder) / "world", "parquet")
        yield Path(folder) / "world"


def feed(folder: Path, name: str) -> pd.DataFrame:
    """Return a feed or a truth table of a world."""
    for file in (folder / f"{name}.parquet", folder / f"{name}.csv"):
        if file.exists():
            return pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    raise FileNotFoundError(folder / name)


def effects_by_hand(folder: Path) -> pd.DataFrame:
    """Return what anybody can reckon from the feeds of ended randomised campaigns, beside the truth.

    One row per campaign: ``size``; ``truth``, the mean effect on whether those drawn buy at the merchant while the
    campaign runs; ``effect`` and ``error`` of treatment against control; ``naive`` and ``naive_error`` of exposed
    against unexposed, everybody in the city counted.
    """
    effects, drawn = feed(folder, "truth/campaign_effects"), feed(folder, "assignments")
    bought = _bought(folder).assign(bought=1.0)
    every = effects.merge(bought, how="left", on=["campaign_id", "customer_id"]).fillna({"bought": 0.0})
    every = every.drop(columns="arm").merge(
        drawn[["campaign_id", "customer_id", "arm"]], how="left", on=["campaign_id", "customer_id"]
    )
    every["effect_true"] = every["y1"].astype(int) - every["y0"].astype(int)
    rows = []
    for campaign in _ended(folder) & set(drawn["campaign_id"]):
        some = every[every["campaign_id"] == campaign]
        arms = some.dropna(subset=["arm"])
        exposed = some["exposed"].astype(bool)
        effect, error = _difference(arms[arms["arm"] == "treatment"], arms[arms["arm"] == "control"])
        naive, naive_error = _difference(some[exposed], some[~exposed])
        rows.append((campaign, len(arms), arms["effect_true"].mean(), effect, error, naive, naive_error))
    columns = ["campaign_id", "size", "truth", "effect", "error", "naive", "naive_error"]
    return pd.DataFrame(rows, columns=columns).sort_values(["size", "campaign_id"], ignore_index=True)


def _bought(folder: Path) -> pd.DataFrame:
    """Return campaign and customer of everybody who bought at the campaign's merchant while it ran."""
    campaigns, orders = feed(folder, "campaigns"), feed(folder, "online_orders")
    orders = orders[orders["fulfilment"] == "delivery"].rename(columns={"ordered_at": "at"})
    came = feed(folder, "offline_redemptions").rename(columns={"redeemed_at": "at"})
    bought = pd.concat([orders, came])[["customer_id", "merchant_id", "at"]]
    joined = campaigns[["campaign_id", "merchant_id", "starts_at", "ends_at"]].merge(bought, on="merchant_id")
    within = (joined["at"] >= joined["starts_at"]) & (joined["at"] < joined["ends_at"])
    return joined.loc[within, ["campaign_id", "customer_id"]].drop_duplicates()


def _ended(folder: Path) -> set[str]:
    campaigns = feed(folder, "campaigns")
    planned = campaigns["starts_at"].max()
    return set(campaigns.loc[campaigns["ends_at"] <= planned, "campaign_id"])


def _difference(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, float]:
    spread = one["bought"].var() / len(one) + other["bought"].var() / len(other)
    return float(one["bought"].mean() - other["bought"].mean()), float(np.sqrt(spread))


def plans(folder: Path) -> dict[str, float]:
    """Return what plans for the campaigns that start after the log truly earn at the same budget.

    A plan gives each customer at most one offer, until its expected cost reaches a tenth of that of asking everybody:
    ``oracle`` by expected profit per cost, ``likeliest`` by the chance of redemption; both from what is observable.
    """
    campaigns, effects = feed(folder, "campaigns"), feed(folder, "truth/campaign_effects")
    values = feed(folder, "truth/offer_values").merge(feed(folder, "coupons")[["coupon_id", "campaign_id"]])
    planned = campaigns.loc[campaigns["starts_at"] == campaigns["starts_at"].max(), "campaign_id"]
    offers = effects[effects["campaign_id"].isin(planned)].dropna(subset=["p1_observable"])
    offers = offers.merge(values, on="campaign_id").sort_values(["customer_id", "campaign_id"], ignore_index=True)
    contact = offers["contact_cost"].astype(float)

    def profit(p0: str, p1: str) -> pd.Series[float]:
        paid = offers["margin_with"] - offers["discount"]
        return offers[p1] * paid - offers[p0] * offers["margin_without"] - contact

    cost = offers["p1_observable"] * offers["discount"] + contact
    true, expected = profit("p0", "p1"), profit("p0_observable", "p1_observable")

    def earned(score: pd.Series[float]) -> float:
        order = score[score > 0].sort_values(ascending=False, kind="stable").index
        order = order[~offers.loc[order, "customer_id"].duplicated()]
        return float(true[order][cost[order].cumsum() <= BUDGET_SHARE * cost.sum()].sum())

    uplift, best = offers["p1"] - offers["p0"], offers["p1_observable"] - offers["p0_observable"]
    explained = 1 - ((uplift - best) ** 2).mean() / uplift.var() if uplift.var() > 0 else float("nan")
    return {"oracle": earned(expected / cost), "likeliest": earned(offers["p1_observable"]), "explained": explained}


def measure_recovery() -> Iterator[str]:
    """Yield how often the intervals by hand hold the truth, over a hundred seeds."""
    for scenario in ("balanced", "heavy-targeting-bias"):
        held, naive = [], []
        every: list[pd.DataFrame] = []
        for seed in SEEDS:
            with written(World(2_000, 540, scenario, seed)) as folder:
                table = effects_by_hand(folder)
            largest = table.iloc[-1]
            held.append(abs(largest["effect"] - largest["truth"]) <= Z95 * largest["error"])
            naive.append(abs(largest["naive"] - largest["truth"]) <= Z95 * largest["naive_error"])
            every.append(table[table["size"] >= 40])
        all_of_them = pd.concat(every)
        share = ((all_of_them["effect"] - all_of_them["truth"]).abs() <= Z95 * all_of_them["error"]).mean()
        yield (
            f"{scenario}: the largest randomised campaign's interval holds the truth in {sum(held)} of {len(held)} "
            f"seeds, exposed against unexposed in {sum(naive)}; all {len(all_of_them)} campaigns {share:.3f}"
        )


def measure_plans() -> Iterator[str]:
    """Yield what the observable oracle's plan earns, beside that of the likeliest redeemers."""
    for scenario, customers, seeds in (
        ("balanced", 5_000, 40), ("balanced", 2_000, 40), ("heavy-targeting-bias", 5_000, 40),
        ("heavy-targeting-bias", 2_000, 40), ("no-effect", 5_000, 10), ("all-sure-things", 5_000, 10),
    ):  # fmt: skip
        rows = []
        for seed in SEEDS[:seeds]:
            with written(World(customers, 540, scenario, seed)) as folder:
                rows.append(plans(folder))
        table = pd.DataFrame(rows)
        ratio = (table["oracle"] / table["likeliest"]).where(table["likeliest"] > 0)
        yield (
            f"{scenario}, {seeds} seeds of {customers:,} customers: "
            f"oracle earns {table['oracle'].min():,.0f} to {table['oracle'].max():,.0f}, "
            f"likeliest {table['likeliest'].min():,.0f} to {table['likeliest'].max():,.0f} (a loss in "
            f"{int((table['likeliest'] <= 0).sum())}), least ratio {ratio.min():.2f}; "
            f"explained {table['explained'].mean():.3f}, least {table['explained'].min():.3f}"
        )


def measure_writing() -> Iterator[str]:
    """Yield what writing worlds as Parquet costs, each in a process of its own."""
    for customers in SIZES:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.worlds", str(customers)], capture_output=True, text=True, check=True
        )
        seconds, events, memory = json.loads(done.stdout)
        yield (
            f"{customers:,} customers: {events / 1e6:.2f} M events in {seconds:.1f} s "
            f"({seconds / events * 1e6:.2f} s a million), {memory / 1e9:.2f} GB"
        )


def measure_estimates() -> Iterator[str]:
    """Yield how far the estimates of today's rooms are from the truth, over scenarios and seeds."""
    from pipelines.execution import run

    for scenario in scenario_names():
        tables = []
        for seed in EVALUATED:
            with tempfile.TemporaryDirectory() as folder, written(World(2_000, 540, scenario, seed)) as feeds:
                tables.append(evaluate(run("folder", feeds, Path(folder) / "home", None, lambda _: None).home))
        every = pd.concat(tables)
        rankings = every.dropna(subset=["oracle"]).groupby("quantity")[["estimate", "oracle"]].mean()
        known = every["inside"].dropna()
        shown = "; ".join(f"{name} {row['estimate']:.3f} of {row['oracle']:.3f}" for name, row in rankings.iterrows())
        yield f"{scenario}: {int(known.sum())} of {len(known)} intervals hold the truth; {shown}"


def _write_once(customers: int) -> tuple[float, int, int]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        rows = write(World(customers, 540), Path(folder) / "world", "parquet")
        seconds = time.perf_counter() - started
    return seconds, sum(rows[name] for name in EVENTS), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(json.dumps(_write_once(int(sys.argv[1]))))  # noqa: T201 - read by the parent process
