"""``o2o offers``: approve a plan, so that the next run knows what was sent."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import date

import click

from o2o_mining.cli.export import open_with_settings
from o2o_mining.cli.output import home_option, json_option, print_json, print_table, reporting_errors, typed
from o2o_mining.core.moments import parse_day
from o2o_mining.engine.origin import rerun
from o2o_mining.offers import approve as approve_plan
from o2o_mining.tracking import make_keys, mint_many


@click.group()
def offers() -> None:
    """Approve the plan of offers."""


@offers.command()
@click.option("--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; may be repeated.")
@click.option("--as-of", help="Plan of this day (YYYY-MM-DD); by default the latest.")
@home_option
@json_option
@reporting_errors
def approve(campaigns: tuple[str, ...], as_of: str | None, home: str | None, as_json: bool) -> None:
    """Write what the plan sends, and its control group, into the landing folder of the home."""
    opened, settings = open_with_settings(home)
    keys = make_keys(opened.path)

    def mint(ids: Sequence[str], days: Sequence[date]) -> list[str]:
        return mint_many(ids, valid_until=days, keys=keys)

    done = approve_plan(
        opened, mint=mint, settings=settings, approved_by=getpass.getuser(), campaigns=campaigns,
        as_of=parse_day(as_of) if as_of else None,
    )  # fmt: skip
    if as_json:
        print_json([vars(one) for one in done])
        return
    if not done:
        click.echo("The plan sends nothing: there is nothing to approve.")
        return
    rows = [
        (one.campaign_id, one.as_of, one.sent, one.control, one.withdrawn, one.profiling_refused, one.held_out,
         "written" if one.files else f"approved before, at {one.approved_at}; nothing written")
        for one in done
    ]  # fmt: skip
    counts = ["sent", "control", "consent withdrawn", "profiling refused", "held out"]
    print_table(["campaign", "plan of", *counts, ""], rows)
    click.echo(f"Send the lists: {typed('o2o export offers')} --home {opened.path}")
    click.echo(f"Then:           {typed(rerun(opened.path))}    (reads what was sent)")
