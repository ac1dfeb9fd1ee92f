"""Credits from a million journeys beside ChannelAttribution's, and effects of campaigns beside the truth of worlds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import ibis
import numpy as np
import pandas as pd

from benchmarks.worlds import feed, written
from o2o_mining.attribution.budget.steps import build_budget_advice
from o2o_mining.attribution.credit.coded import group_paths, read_groups
from o2o_mining.attribution.credit.markov import effects, markov_chain
from o2o_mining.attribution.credit.shapley import shapley_values
from o2o_mining.attribution.credit.steps import build_attribution_ledger, build_campaign_attribution
from o2o_mining.attribution.effects.steps import build_incrementality
from o2o_mining.ingest.steps import load_feeds
from o2o_mining.marts import event_steps
from o2o_mining.marts.steps import build_known
from o2o_mining.simulator import World
from pipelines.house import House, open_house

CHANNELS = [
    "affiliate",
    "direct",
    "display",
    "email",
    "mail",
    "map",
    "push",
    "radio",
    "search",
    "sms",
    "social",
    "video",
]
JOURNEYS = 1_000_000
# What either side runs first also reads the file and loads libraries: it is run once more, and that counts.
_WARM = ("1",)
ORDERS = (1, 2, 3)
ROUNDS = 3
SEEDS = range(100, 110)
BUDGET_CUSTOMERS = (20_000, 50_000)
SCENARIOS = ("balanced", "heavy-targeting-bias")


def measure_journeys() -> Iterator[str]:
    """Yield the time from a million journeys, as touches in the warehouse, to credits, beside ChannelAttribution."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "touches.duckdb"
        _write_journeys(file)
        rounds = [{who: _timed(who, file) for who in ("ours", "theirs")} for _ in range(ROUNDS)]
    for order in map(str, ORDERS):
        pairs = [(found["ours"][order], found["theirs"][order]) for found in rounds]
        ours, theirs = (float(np.median([pair[side]["seconds"] for pair in pairs])) for side in (0, 1))
        ratio = np.median([one["seconds"] / other["seconds"] for one, other in pairs])
        exact, drawn = (np.array(pairs[0][side]["conversions"]) for side in (0, 1))
        off = np.abs(drawn / exact - 1).max()
        yield (
            f"Markov order {order}: ours {ours:.2f} s, ChannelAttribution {theirs:.2f} s, {ratio:.2f} of its time; "
            f"its credits are off the exact ones by up to {off:.1%}"
        )
    shapley = [found["ours"]["shapley"] for found in rounds]
    more = np.median([one["of_model"] for one in shapley])
    grouping = np.median([one["seconds"] - one["of_model"] for one in shapley])
    yield f"exact Shapley: {more:.2f} s more than the {grouping:.2f} s of the grouping"


def _write_journeys(file: Path) -> None:
    """Write touches and journeys: lengths geometric with mean 5, channels by a chain of order 1, a fifth converting."""
    draw = np.random.default_rng(0)
    size = len(CHANNELS)
    lengths = np.minimum(draw.geometric(0.2, JOURNEYS), 60)
    number = np.repeat(np.arange(JOURNEYS), lengths)
    position = np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    first = draw.dirichlet(np.full(size, 0.8))
    onward = 0.5 * draw.dirichlet(np.full(size, 0.7), size) + 0.3 * np.eye(size) + 0.2 * first
    channel = np.searchsorted(first.cumsum(), draw.random(len(number))).clip(0, size - 1)
    chance = draw.random(len(number))
    for place in range(2, 61):
        now = np.flatnonzero(position == place)
        channel[now] = (chance[now, None] > onward.cumsum(axis=1)[channel[now - 1]]).sum(axis=1).clip(0, size - 1)
    ids = np.array([f"o:{journey:07d}" for journey in range(JOURNEYS)])
    converted = (draw.random(JOURNEYS) < 0.2).astype(np.int64)
    con = ibis.duckdb.connect(file)
    touches = {"journey_id": ids[number], "position": position, "channel": np.array(CHANNELS)[channel]}
    con.create_table("touches", pd.DataFrame(touches))
    journeys = {"journey_id": ids, "label": 0, "converted": converted, "lost": 1 - converted}
    con.create_table("journeys", pd.DataFrame(journeys).assign(paid_cents=converted * 2500, refunded_cents=0))
    con.disconnect()


def _timed(who: str, file: Path) -> dict[str, dict[str, float]]:
    """Run one side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.attribution", who, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    result: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return result


def _ours(file: Path) -> dict[str, dict[str, object]]:
    """Time our way, from the touches on, for each order and for Shapley."""
    con = ibis.duckdb.connect(file, read_only=True, threads=2)
    found: dict[str, dict[str, object]] = {}
    for name in (*_WARM, *map(str, ORDERS), "shapley"):
        began = time.perf_counter()
        groups = group_paths(con.table("journeys"), con.table("touches"), channels=CHANNELS)
        paths = read_groups(*(con.execute(rows) for rows in groups), channels=CHANNELS)
        converted, lost = (paths.counts[column].to_numpy(dtype=np.float64) for column in ("converted", "lost"))
        grouped = time.perf_counter()
        if name == "shapley":
            worth = shapley_values(paths.sequences, converted, lost).value
        else:
            worth = effects(markov_chain(paths.sequences, converted, lost, order=int(name)))
        credit = worth / worth.sum() * converted.sum()
        ended = time.perf_counter()
        found[name] = {"seconds": ended - began, "of_model": ended - grouped, "conversions": credit.tolist()}
    return found


def _theirs(file: Path) -> dict[str, dict[str, object]]:
    """Time ChannelAttribution, fed by DuckDB with paths put together and grouped."""
    from ChannelAttribution import markov_model

    con = ibis.duckdb.connect(file, read_only=True, threads=2)
    grouped = """
        SELECT path, sum(converted)::BIGINT AS converted, sum(lost)::BIGINT AS lost FROM journeys JOIN
        (SELECT journey_id, string_agg(channel, ' > ' ORDER BY position) AS path FROM touches GROUP BY journey_id)
        USING (journey_id) GROUP BY path
    """
    found: dict[str, dict[str, object]] = {}
    for order in (*map(int, _WARM), *ORDERS):
        began = time.perf_counter()
        paths = con.raw_sql(grouped).df()
        credit = markov_model(
            paths, "path", "converted", var_null="lost", order=order, ncore=2, verbose=False, flg_pro=False
        )
        seconds = time.perf_counter() - began
        conversions = credit.set_index("channel_name")["total_conversions"].reindex(CHANNELS)
        found[str(order)] = {"seconds": seconds, "conversions": conversions.tolist()}
    return found


def measure_effects() -> Iterator[str]:
    """Yield how often intervals of randomised campaigns hold the truth, and how far the credit of channels is off."""
    for scenario in SCENARIOS:
        found, errors = [], []
        for seed in SEEDS:
            with written(World(3_000, 540, scenario, seed)) as folder:
                tables = mined(folder)
                found.append(_beside_truth(tables["incrementality"], folder))
                errors.append(_errors(tables["campaign_attribution"], feed(folder, "truth/channel_increments")))
        every = pd.concat(found)
        for (outcome, method), rows in every.groupby(["outcome", "method"]):
            held = (rows["effect_low"] <= rows["truth"]) & (rows["truth"] <= rows["effect_high"])
            yield (
                f"{scenario}, {outcome}, {method}: {held.mean():.3f} of {len(rows)} intervals hold the truth, "
                f"mean width {(rows['effect_high'] - rows['effect_low']).mean():.4f}"
            )
        table = pd.DataFrame(errors)
        told = ", ".join(f"{model} {error:.1f}" for model, error in table.mean().sort_values().items())
        yield f"{scenario}: conversions by which channel credit is off, mean over seeds: {told}"


def measure_budgets() -> Iterator[str]:
    """Yield the time of the step about budgets, everything that it reads being there."""
    for customers in BUDGET_CUSTOMERS:
        with written(World(customers)) as folder, _mined(folder) as house:
            began = time.perf_counter()
            report = build_budget_advice(house.engine, as_of=_day(house), settings=house.settings)
            yield f"{customers:,} customers: {time.perf_counter() - began:.1f} s, {report.rows} channels"


def mined(folder: Path) -> dict[str, pd.DataFrame]:
    """Return what this room makes of the feeds of a folder."""
    with _mined(folder) as house:
        names = ("incrementality", "campaign_attribution")
        return {name: house.engine.execute(house.engine.read(name)) for name in names}


@contextmanager
def _mined(folder: Path) -> Iterator[House]:
    """Open a house with the feeds of a folder and what this room makes of them."""
    with tempfile.TemporaryDirectory() as home, open_house("folder", folder, Path(home) / "home", _silent) as house:
        for _ in load_feeds(house.engine, house.sources, progress=_silent).values():
            pass
        _build(house)
        yield house


def _day(house: House) -> date:
    if house.now is None:
        raise RuntimeError("nothing was bought")
    return house.now


def _build(house: House) -> None:
    """Run the steps that attribution rests on, and its own."""
    engine, settings, day = house.engine, house.settings, _day(house)
    event_steps.build_purchases(engine)
    event_steps.build_journey_touches(engine, now=day, settings=settings)
    event_steps.build_journeys(engine)
    event_steps.build_coupon_lifecycle(engine, now=day)
    build_known(engine, as_of=day, settings=settings)
    build_attribution_ledger(engine, settings=settings)
    build_incrementality(engine, as_of=day, settings=settings)
    build_campaign_attribution(engine, as_of=day, settings=settings)


def _beside_truth(found: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return what experiments found beside what was true of those drawn, of campaigns with at least 40 of them."""
    effects_of_all, drawn = feed(folder, "truth/campaign_effects"), feed(folder, "assignments")
    of_drawn = effects_of_all.drop(columns="arm").merge(drawn, on=["campaign_id", "customer_id"])
    true = pd.DataFrame(
        {
            "campaign_id": of_drawn["campaign_id"],
            "converted": of_drawn["y1"].astype(int) - of_drawn["y0"].astype(int),
            "purchases": of_drawn["occasion1"].astype(int) - of_drawn["occasion0"].astype(int),
        }
    )
    means = true.groupby("campaign_id", as_index=False).mean()
    rows = found[(found["label"] == "experiment") & (found["n_treatment"] + found["n_control"] >= 40)]
    long = means.melt("campaign_id", var_name="outcome", value_name="truth")
    return rows.merge(long, on=["campaign_id", "outcome"])


def _errors(credit: pd.DataFrame, increments: pd.DataFrame) -> dict[str, float]:
    """Return by model how many conversions the credit of the channels is off, added up over channels that cause any."""
    whole = credit[(credit["level"] == "channel") & (credit["window_start"] == credit["window_start"].min())]
    true = increments.groupby("channel")["incremental_conversions"].sum()
    return {
        str(model): float((rows.set_index("id")["conversions"].reindex(true.index).fillna(0.0) - true).abs().sum())
        for model, rows in whole.groupby("model")
    }


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"ours": _ours, "theirs": _theirs}[sys.argv[1]](Path(sys.argv[2]))) + "\n")
