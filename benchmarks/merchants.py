"""How soon are merchants found that turn bad, how often are good ones stopped, and do the intervals hold?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.worlds import feed
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts import coupon_states, purchases_from_logs
from o2o_mining.merchants.changes import WATCHED_DAYS, watch
from o2o_mining.merchants.rules import read_judging
from o2o_mining.merchants.steps import build_bad_visit_costs, build_merchant_scorecards, read_observed
from o2o_mining.merchants.word_of_mouth import AFTER_DAYS
from o2o_mining.simulator import World, write
from o2o_mining.simulator.chance import DAY
from o2o_mining.simulator.findings import share_interval
from o2o_mining.simulator.offers import build_offers
from o2o_mining.simulator.people import build_people
from o2o_mining.simulator.places import build_places
from o2o_mining.simulator.responses import respond
from o2o_mining.simulator.visits import draw_visits, undeterred

AS_OF = date(2024, 12, 31)
MERCHANTS, GOOD_MERCHANTS = 1_000, 5_000
TURNED_DAYS_AGO, SOON_DAYS, VISITS_DAILY = 100, 21, 5
GAPS = (0.5, 0.75, 1.0, 1.5)
CUSTOMERS, SEEDS, SCENARIOS = 40_000, range(1, 6), ("balanced", "bad-service")
READ = (
    "customers", "merchants", "campaigns", "campaign_costs", "coupons", "coupon_receipts", "coupon_redemptions",
    "online_orders", "offline_redemptions", "reviews",
)  # fmt: skip
USES = ("coupon_receipts", "coupons", "coupon_redemptions", "offline_redemptions", "online_orders")


def measure_changes() -> Iterator[str]:
    """Watch a year of merchants with five visits a day: those that turn bad on a day, and those that stay good."""
    for gap in GAPS:
        for daily in (VISITS_DAILY, VISITS_DAILY / 2):
            changes = _found(MERCHANTS, gap=gap, daily=daily)
            delay = (pd.to_datetime(changes["found_on"]) - pd.Timestamp(AS_OF)).dt.days + TURNED_DAYS_AGO
            first = delay.groupby(changes["merchant_id"]).min()
            yield (
                f"gap {gap:g} SD, {daily:g} waits told a day: {(first <= SOON_DAYS).sum() / MERCHANTS:.1%} "
                f"found within {SOON_DAYS} days, median {first.median():.0f}, {len(first) / MERCHANTS:.1%} within 100"
            )
    for gap in (0.0, read_judging().limits.good_within):
        stopped = _found(GOOD_MERCHANTS, gap=gap, daily=VISITS_DAILY, always=True)["merchant_id"].nunique()
        low, high = share_interval(stopped, GOOD_MERCHANTS)
        yield (
            f"good merchants, {gap:g} SD off: {stopped} of {GOOD_MERCHANTS:,} stopped in a year "
            f"({low:.2%} to {high:.2%})"
        )


def _found(merchants: int, *, gap: float, daily: float, always: bool = False) -> pd.DataFrame:
    """Return the changes found where waits are as in the simulated world, and complaints are rare."""
    chance = np.random.default_rng(int(100 * gap + 10 * daily))
    per_day = chance.poisson(daily, (merchants, WATCHED_DAYS))
    merchant, day = (np.repeat(at, per_day.ravel()) for at in np.indices(per_day.shape).reshape(2, -1))
    age = WATCHED_DAYS - day
    # A wait is promise times a lognormal, and promises are unlike: some merchants vary more than their category does.
    promise = chance.integers(5, 26, merchants).astype(float)
    wait = promise[merchant] * (np.exp(0.2 * chance.standard_normal(len(age)) - 0.02) - 1)
    z = wait / (0.2 * np.sqrt((promise**2).mean())) + gap * (always | (age <= TURNED_DAYS_AGO))
    names = np.char.add("m", np.char.zfill(merchant.astype(str), 5))
    rows = pd.DataFrame({"merchant_id": names, "measure": "wait", "age": age, "z": z, "n": 1})
    rare = rows.assign(measure="complaint", z=9.0 * (chance.random(len(age)) < 0.002) - 0.02)
    judging = read_judging()
    return watch(pd.concat([rows, rare]), judging.weights, judging.limits, as_of=AS_OF).changes


def measure_worlds() -> Iterator[str]:
    """Judge ten worlds of 40,000 customers: found, stopped without cause, intervals, word of mouth."""
    for scenario in SCENARIOS:
        judged = [_judged(World(customers=CUSTOMERS, scenario=scenario, seed=seed)) for seed in SEEDS]
        cards = pd.concat([cards for cards, _ in judged])
        bad = cards["gap_min"] > 0
        good = ~bad
        stopped = int((good & cards["found"]).sum())
        busy = cards["turned"] & (cards["daily"] >= VISITS_DAILY)
        all_turned = cards["turned"]
        known = cards.dropna(subset=["wait_gap_min"])
        known = known[~known["in_window"]]
        inside = (known["wait_gap_min_low"] <= known["gap_min"]) & (known["gap_min"] <= known["wait_gap_min_high"])
        yield (
            f"{scenario}: of {int(busy.sum())} that turned bad with {VISITS_DAILY} visits a day or more "
            f"{(cards.loc[busy, 'delay'] <= SOON_DAYS).mean():.1%} found within {SOON_DAYS} days, median "
            f"{cards.loc[busy, 'delay'].median():.0f}; of all {int(all_turned.sum())} that turned "
            f"{(cards.loc[all_turned, 'delay'] <= SOON_DAYS).mean():.1%}, median "
            f"{cards.loc[all_turned, 'delay'].median():.0f}"
        )
        yield f"{scenario}: {stopped} of {int(good.sum())} good merchants stopped in a year"
        yield f"{scenario}: added minutes inside the 95 % interval for {inside.mean():.1%} of {len(known)} merchants"
        true = [_true_costs(World(customers=CUSTOMERS, scenario=scenario, seed=seed)) for seed in SEEDS]
        for reach in ("customer", "friends"):
            told = _told([costs for _, costs in judged], reach)
            truth = "; ".join(f"{one[reach]:+.3f}" for one in true)
            yield f"{scenario}, purchases of {reach} a bad visit: {told}. Truth: {truth}"


def _told(costs: list[pd.DataFrame], reach: str) -> str:
    rows = pd.concat([frame[(frame["reach"] == reach) & (frame["outcome"] == "purchases")] for frame in costs])
    return "; ".join(
        f"{row.effect:+.3f} ({row.effect_low:+.3f} to {row.effect_high:+.3f}) of {row.expected:.2f}"
        if row.label == "observational"
        else str(row.reason_code)
        for row in rows.itertuples()
    )


def _true_costs(world: World) -> dict[str, float]:
    """Return the purchases within 90 days that a first bad visit prevented: its world lived again without it.

    First visits of half of the customers are made good, then those of the others, so that a change has one cause: the
    customer's own, or that of who brought them.
    """
    places = build_places(world)
    people = build_people(world, places)
    every, uniform = draw_visits(world, places, people, respond(world, places, people, build_offers(world, places)))
    lived = undeterred(world, people, every, uniform)
    begins = (world.days - WATCHED_DAYS - AFTER_DAYS) * DAY
    bad = np.flatnonzero(every.bad & lived & (every.at >= begins) & (every.at < world.days * DAY))
    customers, place = np.unique(every.customer[bad], return_index=True)
    first, never = bad[place], np.iinfo(np.int64).max // 2
    since = np.full(world.customers, never)
    since[customers] = every.at[first]
    since[since > (world.days - AFTER_DAYS) * DAY] = never
    brought_by = people.referrer[every.customer]
    heard = np.where(brought_by >= 0, since[brought_by], never)
    heard = np.where(people.joined[every.customer] <= heard, heard, never)
    sums = {"customer": 0.0, "friends": 0.0}
    for half in (0, 1):
        mended = every.bad.copy()
        mended[first[customers % 2 == half]] = False
        prevented = lived.astype(np.int64) - undeterred(world, people, replace(every, bad=mended), uniform)
        mine, theirs = every.customer % 2 == half, (brought_by >= 0) & (brought_by % 2 == half)
        for reach, begun, counts in (
            ("customer", since[every.customer], mine & ~theirs),
            ("friends", heard, theirs & ~mine),
        ):
            after = counts & (every.at > begun) & (every.at <= begun + AFTER_DAYS * DAY)
            sums[reach] += float(prevented[after].sum())
    ended = customers[since[customers] < never]
    alone = (people.referrer[ended] < 0) | (people.referrer[ended] % 2 != ended % 2)
    # Of friends, half have another parity than who brought them.
    return {"customer": sums["customer"] / int(alone.sum()), "friends": 2 * sums["friends"] / len(ended)}


def _judged(world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scorecards of a world beside the truth, and what bad visits cost."""
    with tempfile.TemporaryDirectory() as name:
        folder, engine = Path(name) / "world", DuckDBEngine(":memory:", Settings())
        write(world, folder, "parquet")
        truth = feed(folder, "truth/merchant_gaps").assign(from_on=lambda t: pd.to_datetime(t["from_on"]))
        _load(engine, folder)
    day = world.end
    orders = [engine.feed(feed) for feed in ("online_orders", "offline_redemptions", "coupon_redemptions", "coupons")]
    engine.write("known_purchases", purchases_from_logs(*orders), as_of=day)
    engine.write("known_coupon_lifecycle", coupon_states(*map(engine.feed, USES), now=day), as_of=day)
    build_merchant_scorecards(engine, as_of=day)
    build_bad_visit_costs(engine, as_of=day)
    observed = read_observed(engine, as_of=day)
    cards, changes, costs = (
        engine.execute(engine.slice(table, day))
        for table in ("merchant_scorecards", "merchant_changes", "bad_visit_costs")
    )
    engine.close()
    truth = truth.sort_values(["merchant_id", "from_on"])
    last, turned = truth.groupby("merchant_id").last(), truth[truth["merchant_id"].duplicated()]
    turned_on = turned.set_index("merchant_id")["from_on"]
    cards = cards.set_index("merchant_id").join(last)
    found = pd.to_datetime(changes.groupby("merchant_id")["found_on"].min()).reindex(cards.index)
    begins = pd.Timestamp(day - timedelta(days=WATCHED_DAYS))
    since = turned_on.reindex(cards.index)
    cards["found"], cards["delay"] = found.notna(), (found - since).dt.days
    cards["turned"] = since > begins
    cards["in_window"] = since > pd.Timestamp(day - timedelta(days=90))
    cards["daily"] = _visits_daily(observed, turned_on, day).reindex(cards.index)
    return cards, costs


def _visits_daily(observed: pd.DataFrame, turned_on: pd.Series[pd.Timestamp], day: date) -> pd.Series[float]:
    """Return the visits a day in the three weeks after a merchant turned; a refund is told or not of every visit."""
    visits = observed[observed["measure"] == "refund"]
    since = (pd.Timestamp(day) - visits["merchant_id"].map(turned_on)).dt.days - visits["age"]
    soon = visits[(since >= 0) & (since < SOON_DAYS)]
    return soon.groupby("merchant_id")["n"].sum() / SOON_DAYS


def _load(engine: DuckDBEngine, folder: Path) -> None:
    """Fill those feeds of the store that the room reads from the files of a world."""
    for name in READ:
        rows = ibis.memtable(pq.read_table(folder / f"{name}.parquet")).select(*contract(name).column_names)
        engine.upsert(name, engine.stage(rows.cast(contract(name).schema)), file_id=1)
