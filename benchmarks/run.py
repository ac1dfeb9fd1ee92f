"""Runs the benchmarks and prints what they measured: ``make bench``, or ``python -m benchmarks.run NAME ...``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from benchmarks import (
    association,
    attribution,
    clustering,
    crashes,
    csv_load,
    demand,
    exports,
    features,
    large_plan,
    lifecycle,
    local,
    main_job,
    merchants,
    new_day,
    offers,
    places,
    portal,
    purchases,
    response,
    tianchi_job,
    tracking,
    uplift,
    worlds,
)

BENCHMARKS: dict[str, Callable[[], Iterator[str]]] = {
    "main-job": main_job.measure,
    "csv-load": csv_load.measure,
    "features": features.measure,
    "demand": demand.measure,
    "lifecycle": lifecycle.measure,
    "purchases": purchases.measure,
    "response": response.measure,
    "clustering": clustering.measure,
    "tianchi-job": tianchi_job.measure,
    "new-day": new_day.measure,
    "crashes": crashes.measure,
    "merchants-changes": merchants.measure_changes,
    "merchants-worlds": merchants.measure_worlds,
    "local-catchments": local.measure_catchments,
    "local-rings": local.measure_rings,
    "itemsets": association.measure_itemsets,
    "rules-truth": association.measure_truth,
    "exports": exports.measure,
    "attribution-journeys": attribution.measure_journeys,
    "attribution-effects": attribution.measure_effects,
    "attribution-budgets": attribution.measure_budgets,
    "attribution-places": places.measure,
    "tracking-codes": tracking.measure_codes,
    "tracking-trace": tracking.measure_trace,
    "uplift": uplift.measure,
    "offers-exactness": offers.measure_exactness,
    "offers-large": offers.measure_large,
    "plan-large": large_plan.measure,
    "portal": portal.measure,
    "worlds-writing": worlds.measure_writing,
    "worlds-recovery": worlds.measure_recovery,
    "worlds-plans": worlds.measure_plans,
    "worlds-estimates": worlds.measure_estimates,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
def main(names: tuple[str, ...]) -> None:
    """Run the benchmarks named, or all of them."""
    for name in names or BENCHMARKS:
        click.echo(f"{name}: {BENCHMARKS[name].__doc__}")
        for line in BENCHMARKS[name]():
            click.echo(f"  {line}")


if __name__ == "__main__":
    main()
