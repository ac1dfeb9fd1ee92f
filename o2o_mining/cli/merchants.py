"""``o2o merchants``: what the rules decide about merchants, and why."""

from __future__ import annotations

from pathlib import Path

import click

from o2o_mining.cli.output import home_option, json_option, print_json, print_table, reporting_errors
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.engine.home import home_path, open_home
from o2o_mining.merchants import decide, read_judging, reason_text
from o2o_mining.merchants.rules import RULES_FILE


@click.group()
def merchants() -> None:
    """Look at what is decided about merchants."""


@merchants.command("actions")
@click.option(
    "--rules", "rules_file", type=click.Path(dir_okay=False, path_type=Path),
    help="Try the rules of this file on the published scorecards, its weights and limits not; nothing is written.",
)  # fmt: skip
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of the reasons.")
@home_option
@json_option
@reporting_errors
def actions(rules_file: Path | None, language: str, home: str | None, as_json: bool) -> None:
    """List what is done about which merchant, beside what was published; a dry run with other rules."""
    path = home_path(home)
    if rules_file is not None and not rules_file.exists():
        raise UsageError(f"there is no file {rules_file}", next_step="name a YAML file with rules:")
    rules = read_judging(rules_file or path / RULES_FILE).rules
    if rules_file is not None:
        click.echo(
            f"Only the rules of {rules_file} are tried. Weights and limits make the scorecards: those of a file take "
            f"effect with the next run, once they are in {path / RULES_FILE}.",
            err=True,
        )
    opened = open_home(path)
    cards = opened.table("merchant_scorecards").execute()
    opened.close()
    cards = cards[cards["as_of"] == cards["as_of"].max()]
    decided = cards[["merchant_id", "action_code", "reason_codes"]].merge(
        decide(cards, rules).rename(columns={"action_code": "under_rules"}), how="left", on="merchant_id"
    )
    changed = decided[decided[["action_code", "under_rules"]].notna().any(axis=1)].sort_values("merchant_id")
    texts = {name: changed[name].fillna("").tolist() for name in ("merchant_id", "action_code", "under_rules")}
    why = [
        "; ".join(reason_text(code, language, rules=rules) for code in (*([by] if isinstance(by, str) else []), *codes))
        for by, codes in zip(changed["decided_by"], changed["reason_codes"], strict=True)
    ]
    rows = list(zip(*texts.values(), why, strict=True))
    if as_json:
        names = ("merchant_id", "published", "under_rules", "why")
        print_json({"home": str(path), "merchants": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    differ = sum(published != under for _, published, under, _ in rows)
    click.echo(f"{len(cards):,} merchants in {path}: {len(rows):,} with an action, {differ:,} other than published.")
    if rows:
        print_table(["merchant", "published", "under rules", "why"], rows)
    click.echo(f"\nNext: write rules to {path / RULES_FILE}, and run again.")
