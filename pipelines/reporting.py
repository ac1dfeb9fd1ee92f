"""Turns what a step reports into what Dagster shows: metadata, one check a table, charts as pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pandas as pd

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.schema import Table
from o2o_mining.engine.base import StepReport
from pipelines.house import House

CHECK = "contract"
OWNER = "team:analysts"


def spec(name: str, *, deps: list[str], partitions: dg.PartitionsDefinition[str] | None = None) -> dg.AssetSpec:
    """Return how Dagster shows a table, made from its contract."""
    table = contract(name)
    columns = [
        dg.TableColumn(
            column.name,
            column.engine_type,
            description=column.doc,
            constraints=dg.TableColumnConstraints(nullable=column.nullable and not column.key, unique=False),
        )
        for column in table.columns
    ]
    return dg.AssetSpec(
        name,
        deps=deps,
        group_name=table.room,
        description=_description(table),
        owners=[OWNER],
        kinds={"duckdb", table.kind.value},
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns)},
        partitions_def=partitions,
    )


def _description(table: Table) -> str:
    return f"One row: {table.row}\n\nKey: {', '.join(f'`{key}`' for key in table.key)}."


def check_spec(name: str) -> dg.AssetCheckSpec:
    """Return the check of a table: every rule of its contract at once."""
    return dg.AssetCheckSpec(
        CHECK, asset=name, blocking=contract(name).blocking, description=f"{name} keeps every rule of its contract"
    )


def result(house: House, report: StepReport, *, as_of: date | None) -> dg.MaterializeResult[None]:
    """Return what a step reported, checked against the table's contract."""
    house.reports[report.table] = report
    house.say(f"{report.table}: {report.rows:,} rows")
    for note in report.notes:
        house.say(f"  {note}")
    return dg.MaterializeResult(
        asset_key=report.table, metadata=_metadata(house, report, as_of), check_results=[_checked(house, report, as_of)]
    )


def _checked(house: House, report: StepReport, as_of: date | None) -> dg.AssetCheckResult:
    table = contract(report.table)
    broken = house.engine.violations(table, as_of=as_of)
    severity = dg.AssetCheckSeverity.ERROR if table.blocking else dg.AssetCheckSeverity.WARN
    said = "; ".join(f"{violation.rule} in {violation.rows} rows" for violation in broken)
    return dg.AssetCheckResult(
        asset_key=report.table,
        check_name=CHECK,
        passed=not broken,
        severity=severity,
        description=f"{report.table}: {said}" if broken else "every rule holds",
        metadata={violation.rule: violation.rows for violation in broken},
    )


def _metadata(house: House, report: StepReport, as_of: date | None) -> dict[str, dg.MetadataValue]:
    shown: dict[str, dg.MetadataValue] = {"dagster/row_count": dg.MetadataValue.int(report.rows)}
    if report.notes:
        shown["notes"] = dg.MetadataValue.md("\n".join(f"- {note}" for note in report.notes))
    for name, figure in report.figures.items():
        if isinstance(figure, float):
            shown[name] = dg.MetadataValue.float(figure)
        elif figure is not None:
            shown[name] = dg.MetadataValue.text(str(figure))
    for name, sample in report.samples.items():
        shown[name] = dg.MetadataValue.md(as_markdown(sample))
    for name in report.charts:
        shown[f"chart {name}"] = dg.MetadataValue.url(_chart_page(house, report, name, as_of))
    return shown


def _chart_page(house: House, report: StepReport, name: str, as_of: date | None) -> str:
    """Write a chart as a page that works without the internet and return its address."""
    stem = "-".join(part for part in (report.table, str(as_of or ""), name.replace(" ", "_")) if part)
    path = (house.home / "charts" / f"{stem}.html").resolve()
    # Both files by a rename: what a full disk leaves of Plotly's own would be taken for whole ever after.
    with TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        report.charts[name]().write_html(Path(folder) / path.name, include_plotlyjs="directory")
        for file in Path(folder).iterdir():
            file.replace(path.with_name(file.name))
    return path.as_uri()


def as_markdown(table: pd.DataFrame) -> str:
    """Return a small table as Markdown."""
    rows: list[Iterable[object]] = [table.columns, ["---"] * len(table.columns), *table.to_numpy(dtype=object)]
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in rows)


def _cell(value: object) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = f"{value:.4g}" if isinstance(value, float) and not value.is_integer() else str(value).removesuffix(".0")
    return text.replace("|", "\\|").replace("\n", " ")
