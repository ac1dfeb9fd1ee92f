"""``o2o status``: what a home holds."""

from __future__ import annotations

from typing import Any

import click

from o2o_mining.cli.output import home_option, json_option, print_json, print_table, reporting_errors, typed
from o2o_mining.engine.home import home_path, open_home
from o2o_mining.engine.origin import read_origin, rerun
from o2o_mining.engine.warehouse import holder


@click.command()
@home_option
@json_option
@reporting_errors
def status(home: str | None, as_json: bool) -> None:
    """Say what was published, as of which days, and whether a run is going on."""
    path = home_path(home)
    opened = open_home(path)
    manifest = opened.manifest
    bound = read_origin(path)
    quality = opened.table("data_quality").execute()
    overall = quality[quality["feed"] == "(all)"]
    found: dict[str, Any] = {
        "home": str(path),
        "source": bound.get("source"),
        "input": bound.get("input"),
        "running": holder(path),
        "snapshot": manifest["snapshot"],
        "now": manifest["now"],
        "files_loaded": len(manifest["inputs"]),
        "traced_share": None if overall.empty else _number(overall["traced_share"].iloc[0]),
        "tables": {
            name: {
                "rows": sum(part["rows"] for part in table["slices"]),
                "days": [part["as_of"] for part in table["slices"] if part["as_of"]],
            }
            for name, table in sorted(manifest["tables"].items())
        },
    }
    opened.close()
    if as_json:
        print_json(found)
        return
    click.echo(f"Home {path}: source {found['source']} {found['input']}".rstrip())
    click.echo(
        f"Snapshot {found['snapshot']}, made from {found['files_loaded']} input files, default day {found['now']}."
    )
    if found["running"]:
        click.echo(f"A run is going on: {found['running']}.")
    rows = [(name, table["rows"], _days(table["days"])) for name, table in found["tables"].items() if table["rows"]]
    print_table(["table", "rows", "as of"], rows)
    if found["traced_share"] is not None:
        click.echo(f"Traced back online: {found['traced_share']:.1%} of the net amount consumed in stores.")
    click.echo(f"Next: {typed(rerun(path))}")


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _days(days: list[str]) -> str:
    return ", ".join(days) if len(days) <= 3 else f"{len(days)} days, {days[0]} to {days[-1]}"
