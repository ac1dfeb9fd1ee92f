"""What does allocating offers cost, and how far is it from the best?"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

from o2o_mining.offers import allocate
from o2o_mining.offers.allocation import stated
from o2o_mining.offers.exact import best_allocation

SEEDS = range(3)
LARGE = (500_000, 20)


def candidates(customers: int, offers: int, seed: int) -> tuple[pd.DataFrame, dict[int, float]]:
    """Return every offer for every customer in three campaigns, and a tenth of what all of some value would cost."""
    rng = np.random.default_rng(seed)
    offer = np.tile(np.arange(offers, dtype=np.int32), customers)
    probability = rng.beta(1, 12, len(offer))
    cost = np.round(probability * rng.uniform(2, 40, offers)[offer] + 0.06, 6)
    value = np.round(cost * rng.lognormal(-0.3, 1, len(offer)) - 0.3 * cost, 6)
    customer = np.repeat(np.arange(customers, dtype=np.int32), offers)
    table = pd.DataFrame(
        {"customer_id": customer, "offer_id": offer, "campaign_id": offer % 3, "value": value, "cost": cost}
    )
    worth = table[table["value"] > 0].groupby("campaign_id")["cost"].sum() / offers
    return table, {campaign: round(float(worth[campaign]), 2) for campaign in worth.index.tolist()}


def measure_exactness() -> Iterator[str]:
    """Yield how far the allocation is from what branch and bound proves, from a thousand customers on."""
    for customers, offers in ((1_000, 5), (1_000, 20), (5_000, 5)):
        missed, gaps, seconds = [], [], []
        for seed in SEEDS:
            table, budgets = candidates(customers, offers, seed)
            started = time.perf_counter()
            found = allocate(table, budget=budgets)
            seconds.append(time.perf_counter() - started)
            problem, _ = stated(table, budgets, 1, {})
            _, bound = best_allocation(problem, tolerance=1e-5)
            missed.append(1 - found.value / bound)
            gaps.append(found.gap)
        yield (
            f"{customers:,} customers x {offers} offers, 3 budgets: at most {max(missed):.5f} of the best is missed, "
            f"gap at most {max(gaps):.5f}, {max(seconds):.1f} s"
        )


def measure_large() -> Iterator[str]:
    """Yield what allocating ten million candidates costs, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.offers", *map(str, LARGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    seconds, gap, memory = json.loads(done.stdout)
    yield (
        f"{LARGE[0]:,} customers x {LARGE[1]} offers, 3 budgets: {seconds:.1f} s, gap {gap:.5f}, {memory / 1e9:.2f} GB"
    )


def _allocate_once(customers: int, offers: int) -> tuple[float, float, int]:
    table, budgets = candidates(customers, offers, 0)
    started = time.perf_counter()
    found = allocate(table, budget=budgets)
    seconds = time.perf_counter() - started
    return seconds, found.gap, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(json.dumps(_allocate_once(*map(int, sys.argv[1:]))))  # noqa: T201 - read by the parent process
