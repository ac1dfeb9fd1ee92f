"""Are those whom an offer moves found, does the interval hold what it brings, and what is the plan truly worth?"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pandas as pd

from benchmarks.short_job import loaded
from benchmarks.worlds import feed, written
from o2o_mining.offers.steps import build_targeted_offers
from o2o_mining.response.steps import build_response_scores
from o2o_mining.simulator import World
from o2o_mining.simulator.comparisons import offers, response
from o2o_mining.simulator.findings import Evaluated, Finding
from pipelines.house import House

SCENARIOS = ("balanced", "heavy-targeting-bias", "no-effect", "all-sure-things", "one-time-buyers")
SEEDS = range(11, 13)
CUSTOMERS, DAYS = 20_000, 540


def measure() -> Iterator[str]:
    """Two seeds of five worlds; `python -m benchmarks.uplift` takes more, larger ones, and goes on where it stopped."""
    with tempfile.TemporaryDirectory() as folder:
        yield from told(examined(Path(folder) / "worlds.csv", SCENARIOS, SEEDS, CUSTOMERS))


def examined(file: Path, scenarios: Sequence[str], seeds: Sequence[int], customers: int) -> pd.DataFrame:
    """Return one row per world; a world is added to the file as soon as it is done, and none is made twice."""
    done = set()
    if file.exists():
        kept = pd.read_csv(file)
        done = set(zip(kept["scenario"], kept["seed"], kept["customers"], strict=True))
    for seed in seeds:
        for scenario in scenarios:
            if (scenario, seed, customers) in done:
                continue
            row = {"scenario": scenario, "seed": seed, "customers": customers}
            with (
                tempfile.TemporaryDirectory() as folder,
                written(World(customers, DAYS, scenario, seed)) as feeds,
                loaded(feeds, Path(folder) / "home") as house,
            ):
                row |= planned(house, feeds)
            with file.open("a", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, list(row))
                if out.tell() == 0:
                    writer.writeheader()
                writer.writerow(row)
    return pd.read_csv(file)


def planned(house: House, feeds: Path) -> dict[str, float]:
    """Score and plan as the main job does, and return how both stand beside the truth."""
    engine, day = house.engine, house.now
    if day is None:
        raise SystemExit(f"{feeds} has no order and no redemption")
    build_response_scores(engine, as_of=day)
    build_targeted_offers(engine, as_of=day, settings=house.settings)

    def estimates(name: str) -> pd.DataFrame:
        mined = name in ("response_scores", "targeted_offers", "offer_holdouts", "offer_exclusions")
        found: pd.DataFrame = engine.execute(engine.slice(name, day) if mined else engine.feed(name))
        return found

    world = Evaluated(day, lambda name: feed(feeds, f"truth/{name}"), estimates)
    found = {f.quantity: f for f in [*response.compare(world), *offers.compare(world)]}
    ranking = found["who uses a coupon, by redemption_probability"]
    tenths = [f for name, f in found.items() if name.startswith("mean uplift of tenth")]
    plan, likeliest = (_of(found, "profit of the plan, of the best"), _of(found, "profit of the likeliest"))
    top = _of(found, "mean uplift of tenth 10")
    return {
        "auc": ranking.estimate, "auc_oracle": ranking.oracle or float("nan"),
        "inside": sum(bool((f.low or 0) <= (f.truth or 0) <= (f.high or 0)) for f in tenths), "tenths": len(tenths),
        "top_uplift": top.estimate, "top_true": top.truth or 0.0,
        "oracle": plan.truth or 0.0, "plan": plan.estimate, "likeliest": likeliest.estimate,
        "spent": _of(found, "share of the budgets").estimate,
    }  # fmt: skip


def _of(found: dict[str, Finding], beginning: str) -> Finding:
    return next((f for name, f in found.items() if name.startswith(beginning)), Finding("", beginning, None, 0.0))


def told(worlds: pd.DataFrame) -> Iterator[str]:
    """Yield what the worlds of each scenario and size gave."""
    for (customers, scenario), rows in worlds.groupby(["customers", "scenario"], sort=True):
        short = (rows["auc_oracle"] - rows["auc"]).round(3)
        yield (
            f"{scenario}, {len(rows)} worlds of {customers:,}: AUC short of the oracle by {short.mean():.3f} (at most "
            f"{short.max():.3f}); {int(rows['inside'].sum())} of {int(rows['tenths'].sum())} tenths inside, the last "
            f"{rows['top_uplift'].mean():.3f} for {rows['top_true'].mean():.3f}; of the oracle's "
            f"{rows['oracle'].sum():,.0f} the plan earns {rows['plan'].sum():,.0f}, the likeliest "
            f"{rows['likeliest'].sum():,.0f}; spent {rows['spent'].max():.1%} at most"
        )
    inside, tenths = int(worlds["inside"].sum()), int(worlds["tenths"].sum())
    yield f"all: {inside} of {tenths} tenths inside their 90 % intervals ({inside / max(tenths, 1):.3f})"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File that results are added to.")
@click.option("--customers", default=CUSTOMERS)
@click.option("--seed", "seeds", multiple=True, type=int, default=tuple(SEEDS))
@click.option("--scenario", "scenarios", multiple=True, default=SCENARIOS)
def main(out: Path, customers: int, seeds: tuple[int, ...], scenarios: tuple[str, ...]) -> None:
    """Examine worlds and print what all in the file gave."""
    for line in told(examined(out, scenarios, seeds, customers)):
        click.echo(line)


if __name__ == "__main__":
    main()
