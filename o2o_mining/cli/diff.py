"""``o2o diff``: what is otherwise on one day than on another."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import ibis
import pandas as pd

from o2o_mining.cli.export import open_with_settings
from o2o_mining.cli.output import home_option, json_option, print_json, reporting_errors
from o2o_mining.core.errors import UsageError
from o2o_mining.exports import FORMATS, Order, export_moved
from o2o_mining.exports.members import find_segment
from o2o_mining.exports.release import slice_day
from o2o_mining.segmentation import namer, read_rules
from o2o_mining.segmentation.changes import feature_changes, ranked_reasons, segment_changes
from o2o_mining.segmentation.rules import RULES_FOLDER

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.home import Home

_GROUPS = ("entered", "left")


@click.group()
def diff() -> None:
    """Say what changed between two days of the published snapshot."""


@diff.command()
@click.argument("name")
@click.option("--from", "from_day", required=True, help="The earlier day (YYYY-MM-DD).")
@click.option("--to", "to_day", required=True, help="The later day (YYYY-MM-DD).")
@click.option("--out", type=click.Path(path_type=Path), help="Folder or file; by default exports/ of the home.")
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="csv", show_default=True)
@home_option
@json_option
@reporting_errors
def segment(
    name: str, from_day: str, to_day: str, out: Path | None, file_format: str, home: str | None, as_json: bool
) -> None:
    """Say who entered and who left a segment, and which features moved them, such as: champions."""
    opened, settings = open_with_settings(home)
    before, now = (slice_day(opened, "segments", day) for day in (from_day, to_day))
    if before >= now:
        raise UsageError(f"--from {before} is not before --to {now}", next_step="name the earlier day first")
    order = Order(settings, file_format, None, out)
    names = namer(read_rules(opened.path / RULES_FOLDER))
    days = [_slice(opened, "segments", day) for day in (before, now)]
    scheme, code, notes = find_segment(days, name, names, said=f"as of {before} or {now}")
    changes = segment_changes(*days, scheme=scheme, code=code)
    sizes = {row["change"]: row["customers"] for row in _rows(_sizes(changes))}
    features = [_slice(opened, "customer_features", day) for day in (before, now)]
    reasons: pd.DataFrame = feature_changes(changes, *features).execute()
    moved = changes.filter(changes.change.isin(list(_GROUPS)))
    report = export_moved(
        opened, moved, scheme=scheme, code=code, days=(before, now), order=order, segment_name=names
    )  # fmt: skip
    said: dict[str, Any] = {
        "segment": code,
        "scheme": scheme,
        "name": names(code, "en"),
        "from": str(before),
        "to": str(now),
        "customers_before": sizes.get("stayed", 0) + sizes.get("left", 0),
        "customers_now": sizes.get("stayed", 0) + sizes.get("entered", 0),
        "stayed": sizes.get("stayed", 0),
        **{
            group: {
                "customers": sizes.get(group, 0),
                "by_code": _rows(_flows(changes, group)),
                "reasons": ranked_reasons(reasons, group).to_dict("records"),
            }
            for group in _GROUPS
        },
        "file": str(report.path),
        "rows": report.rows,
        "left_out": dict(report.left_out),
        "notes": [*notes, *report.notes],
    }
    if as_json:
        print_json(said)
    else:
        _tell(said)


def _slice(home: Home, table: str, day: date) -> ir.Table:
    rows = home.table(table)
    return rows.filter(rows.as_of == ibis.literal(day)).drop("as_of")


def _sizes(changes: ir.Table) -> ir.Table:
    return changes.group_by("change").aggregate(customers=changes.count())


def _flows(changes: ir.Table, group: str) -> ir.Table:
    """Count where those who entered come from, and where those who left went."""
    other = "from_code" if group == "entered" else "to_code"
    some = changes.filter(changes.change == group)
    flows = some.group_by(code=some[other]).aggregate(customers=some.count())
    return flows.order_by([ibis.desc("customers"), "code"])


def _rows(table: ir.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def _tell(said: dict[str, Any]) -> None:
    click.echo(f"{said['name']} ({said['scheme']}: {said['segment']}), {said['from']} to {said['to']}")
    click.echo(
        f"  {said['customers_before']:,} customers before, {said['customers_now']:,} now, {said['stayed']:,} stayed"
    )
    for group, way in (("entered", "from"), ("left", "to")):
        about = said[group]
        flows = ", ".join(f"{flow['customers']:,} {way} {flow['code']}" for flow in about["by_code"][:5])
        click.echo(f"  {about['customers']:,} {group}{': ' + flows if flows else ''}")
        for reason in about["reasons"]:
            click.echo(f"    {reason['said']}")
    click.echo(f"{said['rows']:,} rows in {said['file']}")
    for reason, count in said["left_out"].items():
        click.echo(f"  left out: {count:,} ({reason})")
    for note in said["notes"]:
        click.echo(f"  {note}")
