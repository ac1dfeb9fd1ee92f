"""``o2o quarantine``: what was rejected, and why."""

from __future__ import annotations

import click
import ibis

from o2o_mining.cli.output import home_option, json_option, print_json, print_table, reporting_errors
from o2o_mining.core.redaction import redact
from o2o_mining.engine.home import home_path, open_home


@click.group()
def quarantine() -> None:
    """Look at the records that were rejected."""


@quarantine.command("list")
@click.option("--feed", help="Only of this feed.")
@click.option("--reason", help="Only with this reason, such as bad_type or bad_type:paid_amount.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many to show.")
@home_option
@json_option
@reporting_errors
def list_(feed: str | None, reason: str | None, limit: int, home: str | None, as_json: bool) -> None:
    """List rejected records with file, line and reason; e-mail addresses and phone numbers are masked."""
    path = home_path(home)
    opened = open_home(path)
    rows = opened.table("quarantine")
    if feed:
        rows = rows.filter(rows.feed == feed)
    if reason:
        rows = rows.filter((rows.reason == reason) | rows.reason.startswith(f"{reason}:"))
    by_reason = rows.group_by("feed", "reason").aggregate(records=rows.count())
    counts = by_reason.order_by(ibis.desc("records"), "feed", "reason").execute()
    shown = rows.order_by("feed", "file", "line").limit(limit).execute()
    shown["raw"] = shown["raw"].map(redact)
    opened.close()
    if as_json:
        records = shown.drop(columns="rejection_id").astype(object).where(shown.notna(), None).to_dict("records")
        print_json({"home": str(path), "counts": counts.to_dict("records"), "records": records})
        return
    total = int(counts["records"].sum())
    click.echo(f"{total:,} records in quarantine in {path}.")
    if not total:
        return
    print_table(["feed", "reason", "records"], counts.itertuples(index=False))
    click.echo(f"\nThe first {len(shown)}:")
    for row in shown.itertuples(index=False):
        click.echo(f"  {row.file}:{row.line}  {row.reason}\n      {row.raw[:200]}")
    click.echo("\nNext: mend the rows, write them to a new file of the same feed in landing/, and run again.")
