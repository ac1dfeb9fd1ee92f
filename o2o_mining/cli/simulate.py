"""``o2o simulate``: make a world whose truth is known."""

from __future__ import annotations

import time
from pathlib import Path

import click

from o2o_mining.cli.output import json_option, print_json, print_table, reporting_errors
from o2o_mining.simulator import World, scenario_names, write
from o2o_mining.simulator.tianchi import DAYS, END
from o2o_mining.simulator.writing import FORMATS


@click.command()
@click.option("--customers", type=int, default=World.customers, show_default=True, help="How many people ever join.")
@click.option("--days", type=int, default=World.days, show_default=True, help="How many days the log covers.")
@click.option("--scenario", default=World.scenario, show_default=True, help=f"One of {', '.join(scenario_names())}.")
@click.option("--seed", type=int, default=World.seed, show_default=True, help="The same seed makes the same bytes.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="An empty or a new folder.")
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--dirt", type=float, default=0.0, show_default=True, help="Share of damaged records, 0 to 0.5.")
@json_option
@reporting_errors
def simulate(
    customers: int, days: int, scenario: str, seed: int, out: Path, file_format: str, dirt: float, as_json: bool
) -> None:
    """Write the canonical feeds of a made-up world, and its truth beside them.

    The format tianchi is the layout of that competition, at its full size with --customers 539438; its dates are
    fixed, so it takes no other --days, and its scenario is balanced.
    """
    started = time.monotonic()
    world = World(customers, days, scenario, seed)

    def say(name: str, done: int, every: int) -> None:
        filled = 30 * done // every
        bar = "#" * filled + "." * (30 - filled)
        click.echo(f"\r[{bar}] {done}/{every} {name:<32}", err=True, nl=done == every)

    tianchi = file_format == "tianchi"
    rows = write(world, out, file_format, dirt=dirt, progress=say)
    days, end = (DAYS, END) if tianchi else (days, world.end)
    if as_json:
        document = {"customers": customers, "days": days, "scenario": scenario, "seed": seed, "format": file_format}
        print_json({**document, "dirt": dirt, "out": str(out), "first_day_after": end, "rows": rows})
        return
    click.echo(f"World '{scenario}', seed {seed}, {days} days to {end}: {time.monotonic() - started:.1f} s.")
    print_table(["file", "rows"], rows.items())
    click.echo(f"It lies in {out}; what no {'file' if tianchi else 'feed'} shows is in {out / 'truth'}.")
    click.echo(f"Next: o2o run --source {'tianchi' if tianchi else 'folder'} --input {out}")
