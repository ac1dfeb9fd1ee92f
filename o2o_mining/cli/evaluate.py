"""``o2o evaluate``: how far the estimates of a simulated world are from its truth."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from o2o_mining.cli.output import home_option, json_option, print_json, print_table, reporting_errors
from o2o_mining.engine.home import home_path
from o2o_mining.simulator import evaluate as compare
from o2o_mining.simulator.charts import estimates_beside_truth


@click.command()
@click.option("--truth", type=click.Path(path_type=Path), help="Folder of the truth; by default beside the feeds.")
@home_option
@json_option
@reporting_errors
def evaluate(truth: Path | None, home: str | None, as_json: bool) -> None:
    """Compare every estimate with the truth of the world that it was made from."""
    path = home_path(home)
    found = compare(path, truth=truth)
    file = path / "evaluation.csv"
    found.to_csv(file, index=False, float_format="%.6g")
    chart = path / "charts" / "evaluation.html"
    estimates_beside_truth(found).write_html(chart, include_plotlyjs="directory")
    rows = found.assign(inside=found["inside"].map({True: "yes", False: "no"})).astype(object)
    rows = rows.where(found.notna(), None)
    if as_json:
        print_json({"home": str(path), "saved": str(file), "chart": str(chart), "estimates": rows.to_dict("records")})
        return
    _print(rows, found)
    click.echo(f"Saved in {file}, drawn in {chart}.")


def _print(rows: pd.DataFrame, found: pd.DataFrame) -> None:
    values, rankings = rows[found["oracle"].isna()], rows[found["oracle"].notna()]
    if len(values):
        columns = ["room", "quantity", "truth", "estimate", "error", "inside"]
        print_table(columns, values[columns].itertuples(index=False))
    if len(rankings):
        click.echo("\nRankings (area under the curve) and clusters (adjusted Rand index), beside the best there is.")
        columns = ["room", "quantity", "estimate", "oracle", "error"]
        print_table(["room", "quantity", "score", "oracle", "error"], rankings[columns].itertuples(index=False))
    known = found["inside"].dropna()
    click.echo(f"\n{len(found)} estimates; of {len(known)} intervals {int(known.sum())} hold the truth.")
