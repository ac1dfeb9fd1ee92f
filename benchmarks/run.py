"""Runs the benchmarks and prints a table: ``make bench``."""

from __future__ import annotations

import statistics

import click

from benchmarks import main_job

ROUNDS = 3


def main() -> None:
    """Run every benchmark and print the medians."""
    rounds = [main_job.measure() for _ in range(ROUNDS)]
    click.echo(f"The main job on Complete Journey, median of {ROUNDS} rounds in processes of their own:")
    for name in rounds[0]:
        click.echo(f"  {name:<42} {statistics.median(measured[name] for measured in rounds):10.1f}")


if __name__ == "__main__":
    main()
