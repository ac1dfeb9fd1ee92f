"""``o2o export``: files for people and for ad platforms, made from the published snapshot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from o2o_mining.cli.output import home_option, json_option, print_json, reporting_errors
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.core.settings import Settings
from o2o_mining.engine.home import Home, home_path, open_home
from o2o_mining.exports import (
    FORMATS,
    ExportReport,
    Order,
    export_offers,
    export_segment,
    export_table,
    platforms,
    read_spec,
)
from o2o_mining.ingest.sources import home_settings
from o2o_mining.offers import reason_text
from o2o_mining.segmentation import namer, read_rules
from o2o_mining.segmentation.rules import RULES_FOLDER

_OPERATIONS = sorted({operation for platform in platforms() for operation in read_spec(platform).operations})


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        json_option,
        home_option,
        click.option("--out", type=click.Path(path_type=Path), help="Folder or file; by default exports/ of the home."),
        click.option("--language", type=click.Choice(LANGUAGES), help="Of the headings; by default the home's."),
        click.option("--format", "file_format", type=click.Choice(FORMATS), help="For people; by default csv."),
        click.option("--as-of", help="Slice of this day (YYYY-MM-DD); by default the latest."),
    ):
        command = option(command)
    return command


def _list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what lists of customers can be asked for beside."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what would be in it, and what left out and why."),
        click.option("--operation", type=click.Choice(_OPERATIONS), help="What the platform does with it."),
        click.option("--for", "platform", type=click.Choice(platforms()), help="In the platform's format."),
    ):
        command = option(command)
    return _options(command)


@click.group()
def export() -> None:
    """Write files for people, with headings in three languages, or for ad platforms, hashed as they want it."""


@export.command()
@click.argument("name")
@_list_options
@reporting_errors
def segment(name: str, home: str | None, as_of: str | None, as_json: bool, **asked: Any) -> None:
    """Write the members of a segment, cluster, stage or rule who consent, such as: champions."""
    opened, settings = open_with_settings(home)
    report = export_segment(
        opened,
        name,
        segment_name=namer(read_rules(opened.path / RULES_FOLDER)),
        settings=settings,
        as_of=as_of,
        **_wanted(**asked),
    )
    _tell(report, as_json)


@export.command()
@click.option("--campaign", metavar="ID", help="The offers of one campaign; by default of all.")
@_list_options
@reporting_errors
def offers(campaign: str | None, home: str | None, as_of: str | None, as_json: bool, **asked: Any) -> None:
    """Write the offers of the plan, with reasons; for an ad platform the customers who get one."""
    opened, settings = open_with_settings(home)
    order = Order(settings, **_wanted(**asked))
    report = export_offers(opened, order, reason_text=reason_text, campaign=campaign, as_of=as_of)
    _tell(report, as_json)


def _wanted(
    *, file_format: str | None, language: str | None, platform: str | None, operation: str | None, **asked: Any
) -> dict[str, Any]:
    """Return how a list is asked for; a platform has its own format and no language."""
    if platform and (file_format or language):
        raise UsageError(
            f"the file for {platform} has a format of its own", next_step="leave --format and --language out"
        )
    listed = {"platform": platform or "", "operation": operation or "", "language": language}
    return {"format": file_format or FORMATS[0], **listed, **asked}


@export.command()
@click.argument("name")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; may be repeated.")
@_options
@reporting_errors
def table(
    name: str,
    where: tuple[str, ...],
    as_of: str | None,
    file_format: str | None,
    language: str | None,
    out: Path | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Write a table without customers, such as: campaign_attribution."""
    opened, settings = open_with_settings(home)
    report = export_table(
        opened,
        name,
        settings=settings,
        as_of=as_of,
        where=_conditions(where),
        format=file_format or FORMATS[0],
        language=language,
        out=out,
        segment_name=namer(read_rules(opened.path / RULES_FOLDER)),
    )
    _tell(report, as_json)


def open_with_settings(home: str | Path | None) -> tuple[Home, Settings]:
    """Return a home as published, and its settings."""
    path = home_path(home)
    return open_home(path), home_settings(path)


def _conditions(where: tuple[str, ...]) -> dict[str, str] | None:
    for condition in where:
        if "=" not in condition:
            raise UsageError(f"'{condition}' is no condition", next_step="write --where COLUMN=VALUE")
    return dict(condition.split("=", 1) for condition in where) or None


def _tell(report: ExportReport, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "file": str(report.path),
                "files": [str(file) for file in report.files],
                "manifest": str(report.manifest_path),
                "rejects": str(report.rejects_path) if report.rejects_path else None,
                "rows": report.rows,
                "left_out": dict(report.left_out),
                "notes": report.notes,
                "dry_run": report.dry_run,
            }
        )
        return
    verb = "would be in" if report.dry_run else "in"
    click.echo(f"{report.rows:,} rows {verb} {', '.join(map(str, report.files))}")
    for reason, count in report.left_out.items():
        click.echo(f"  left out: {count:,} ({reason})")
    for note in report.notes:
        click.echo(f"  {note}")
    if report.dry_run:
        click.echo("Nothing was written: leave --dry-run out to write it.")
        return
    if report.rejects_path:
        click.echo(f"What could not be normalised: {report.rejects_path}")
    click.echo(f"Who asked, consent and checksum: {report.manifest_path}")
