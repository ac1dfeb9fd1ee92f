"""``o2o run``: load, mine, publish."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from o2o_mining.cli.export import open_with_settings
from o2o_mining.cli.output import as_typed, home_option, json_option, print_json, print_table, reporting_errors
from o2o_mining.core.moments import parse_day
from o2o_mining.exports import reachable_segments
from o2o_mining.ingest.sources import KINDS
from o2o_mining.simulator.writing import belongs_to_world

if TYPE_CHECKING:
    from pipelines.execution import Outcome


_SHOWN_IGNORED = 5
_LIKED = "champions"


@click.command()
@click.option("--source", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="Which logs.")
@click.option("--input", "folder", type=click.Path(path_type=Path), help="The folder that the source reads.")
@click.option("--as-of", help="Mine as of this day (YYYY-MM-DD); by default after the last order or redemption.")
@home_option
@json_option
@reporting_errors
def run(source: str, folder: Path | None, as_of: str | None, home: str | None, as_json: bool) -> None:
    """Load the logs, mine them as of a day, and publish a snapshot."""
    from pipelines.execution import run as execute  # Dagster takes seconds to import

    started = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - started:6.1f} s  {text}", err=True)

    say(f"source {source}")
    outcome = execute(source, folder, home, parse_day(as_of) if as_of else None, say)
    if as_json:
        print_json(_document(outcome))
    else:
        _print(outcome, time.monotonic() - started)


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "home": str(outcome.home),
        "as_of": outcome.as_of,
        "snapshot": outcome.snapshot,
        "ignored_files": outcome.ignored,
        "tables": {
            name: {"rows": report.rows, "notes": report.notes, "figures": dict(report.figures)}
            for name, report in outcome.reports.items()
        },
    }


def _print(outcome: Outcome, seconds: float) -> None:
    reports, o2o = outcome.reports, as_typed("o2o")
    missing = [name for name, report in reports.items() if f"no feed {name}" in report.notes]
    click.echo(f"\nDone in {seconds:.1f} s, as of {outcome.as_of or '(nothing to mine)'}.")
    shown = [(name, report.rows) for name, report in reports.items() if report.rows and not name.startswith("known_")]
    print_table(["table", "rows"], shown)
    if missing:
        click.echo(f"\nNot given, so what needs it is empty: {', '.join(missing)}.")
    ignored = [name for name in outcome.ignored if not belongs_to_world(name)]
    if ignored:
        more = len(ignored) - _SHOWN_IGNORED
        shown_ignored = ", ".join(ignored[:_SHOWN_IGNORED]) + (f" and {more} more" if more > 0 else "")
        click.echo(f"Ignored, no feed has this name: {shown_ignored}.")
    rejected = reports["quarantine"].rows if "quarantine" in reports else 0
    if rejected:
        click.echo(f"In quarantine: {rejected:,} records. See why: {o2o} quarantine list --home {outcome.home}")
    profiles = reports.get("segment_profiles")
    if profiles and profiles.rows:
        click.echo("\nSegments:")
        frame = next(iter(profiles.samples.values()))
        columns = ["segment", "customers", "share", "revenue_share"]
        print_table(columns, frame[columns].itertuples(index=False))
    click.echo(f"\nIt lies in {outcome.home}: snapshots/ (Parquet), charts/ (open in a browser), exports/.\nTry next:")
    for hint in _hints(outcome):
        click.echo(f"  {hint}")


def _hints(outcome: Outcome) -> Iterator[str]:
    """Yield commands that bring something on what this run published."""
    from pipelines.house import ui_command

    o2o, home = as_typed("o2o"), shlex.quote(str(outcome.home))
    if outcome.as_of:
        opened, settings = open_with_settings(outcome.home)
        reachable = reachable_segments(opened, settings=settings)
        opened.close()
        if reachable:
            segment = _LIKED if _LIKED in reachable else reachable[0]
            yield f"{o2o} export segment {segment} --format xlsx --home {home}"
        if (plan := outcome.reports.get("targeted_offers")) and plan.rows:
            yield f"{o2o} export offers --home {home}"
        yield f"{o2o} portal --home {home}    (all of it in a browser; it prints a link with which to get in)"
        yield f"{o2o} export table campaign_attribution --language zh-Hant --home {home}"
        path = json.dumps(str(outcome.home), ensure_ascii=False)
        loaded = f'import o2o_mining; print(o2o_mining.load("segments", home={path}))'
        if opened.manifest["now"] == str(outcome.as_of) and any(map(belongs_to_world, outcome.ignored)):
            yield f"{o2o} evaluate --home {home}    (the truth of this made-up world beside every estimate)"
        yield f"{as_typed('python')} -c {shlex.quote(loaded)}"
    yield f"{ui_command(outcome.home)}    (Dagster: the graph, checks, charts, backfills)"
