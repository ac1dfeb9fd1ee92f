"""``o2o export``: files for people, made from the published snapshot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from o2o_mining.cli.output import home_option, json_option, print_json, reporting_errors
from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings, read_settings
from o2o_mining.engine.home import Home, home_path, open_home
from o2o_mining.engine.origin import read_origin
from o2o_mining.exports import FORMATS, LANGUAGES, ExportReport, export_segment, export_table
from o2o_mining.ingest.sources import source_of
from o2o_mining.segmentation import namer, read_rules
from o2o_mining.segmentation.rules import RULES_FOLDER


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        json_option,
        home_option,
        click.option("--out", type=click.Path(path_type=Path), help="Folder or file; by default exports/ of the home."),
        click.option("--language", type=click.Choice(LANGUAGES), help="Of the headings; by default the home's."),
        click.option("--format", "file_format", type=click.Choice(FORMATS), default="csv", show_default=True),
        click.option("--as-of", help="Slice of this day (YYYY-MM-DD); by default the latest."),
    ):
        command = option(command)
    return command


@click.group()
def export() -> None:
    """Write files for people: CSV and Excel with headings in three languages, or Parquet."""


@export.command()
@click.argument("name")
@_options
@reporting_errors
def segment(
    name: str,
    as_of: str | None,
    file_format: str,
    language: str | None,
    out: Path | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Write the members of a segment, cluster, stage or rule who consent to marketing, such as: champions."""
    opened, settings = open_with_settings(home)
    report = export_segment(
        opened,
        name,
        segment_name=namer(read_rules(opened.path / RULES_FOLDER)),
        settings=settings,
        as_of=as_of,
        format=file_format,
        language=language,
        out=out,
    )
    _tell(report, as_json)


@export.command()
@click.argument("name")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; may be repeated.")
@_options
@reporting_errors
def table(
    name: str,
    where: tuple[str, ...],
    as_of: str | None,
    file_format: str,
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
        format=file_format,
        language=language,
        out=out,
        segment_name=namer(read_rules(opened.path / RULES_FOLDER)),
    )
    _tell(report, as_json)


def open_with_settings(home: str | Path | None) -> tuple[Home, Settings]:
    """Return a home as published, and its settings."""
    path = home_path(home)
    bound = read_origin(path)
    opened = open_home(path)
    defaults = source_of(bound["source"], Path(bound["input"]) if bound["input"] else None).defaults
    return opened, read_settings(path, defaults)


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
                "manifest": str(report.manifest_path),
                "rows": report.rows,
                "left_out": dict(report.left_out),
                "notes": report.notes,
            }
        )
        return
    click.echo(f"{report.rows:,} rows in {report.path}")
    for reason, count in report.left_out.items():
        click.echo(f"  left out: {count:,} ({reason})")
    for note in report.notes:
        click.echo(f"  {note}")
    click.echo(f"Who asked, consent and checksum: {report.manifest_path}")
