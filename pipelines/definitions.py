"""Everything together. Importing it touches no network and no file."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

from o2o_mining.core.settings import Settings
from o2o_mining.engine.home import home_path
from pipelines.assets import (
    Days,
    association,
    attribution,
    demand,
    ingest,
    lifecycle,
    local,
    marts,
    merchants,
    offers,
    publication,
    response,
    segmentation,
)
from pipelines.house import DEFAULT_SOURCE, House, open_house

JOB = "daily"
# As they are listed; Dagster finds the order in which their assets run.
ROOMS: tuple[ModuleType, ...] = (
    marts,
    segmentation,
    lifecycle,
    response,
    merchants,
    local,
    offers,
    association,
    attribution,
    demand,
    publication,
)


def days_from(first: date) -> Days:
    """Return the daily partitions, up to tomorrow: a log that ends today has tomorrow as its default day."""
    return dg.DailyPartitionsDefinition(start_date=first.isoformat(), end_offset=2)


@dg.resource(
    config_schema={
        "source": dg.Field(
            str, default_value="", description=f"Where logs come from; by default O2O_SOURCE or {DEFAULT_SOURCE}."
        ),
        "input": dg.Field(str, default_value="", description="The folder that the source reads."),
        "home": dg.Field(str, default_value="", description="Folder of the home; by default O2O_HOME or var/<source>."),
    },
    description="A home with its warehouse, open for the time of one run.",
)
def house_resource(context: dg.InitResourceContext) -> Iterator[House]:
    """Open the home that the run's configuration, else the environment, names."""
    given = {
        name: value or os.environ.get(f"O2O_{name.upper()}", "") for name, value in context.resource_config.items()
    }
    folder = Path(given["input"]) if given["input"] else None
    with open_house(given["source"] or DEFAULT_SOURCE, folder, given["home"] or None, context.log.info) as house:  # type: ignore[union-attr]
        yield house


def build_definitions(
    *, first_day: date = Settings().first_partition, cron: str = "30 3 * * *", house: Any = house_resource
) -> dg.Definitions:
    """Return the definitions that Dagster loads.

    Parameters
    ----------
    first_day
        First partition.
    cron
        When the schedule fires, in UTC.
    house
        The resource of all assets: a definition, or a house that is open already.
    """
    days = days_from(first_day)
    assets = [*ingest.assets(), *(asset for room in ROOMS for asset in room.assets(days))]
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        description="From the logs to the published snapshot, as of one day.",
    )
    return dg.Definitions(
        assets=assets,
        jobs=[job],
        schedules=[_schedule(job, cron)],
        sensors=[_landing_sensor(job)],
        resources={"house": house},
        executor=dg.in_process_executor,
    )


def _schedule(job: Any, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(job=job, cron_schedule=cron, description="Every night, as of the day it fires.")
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(run_key=day, partition_key=day)

    return nightly


def _landing_sensor(job: Any) -> dg.SensorDefinition:
    @dg.sensor(job=job, minimum_interval_seconds=60, description="Files that are new in the landing folder.")
    def landing(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        folder = home_path(source=os.environ.get("O2O_SOURCE") or DEFAULT_SOURCE) / "landing"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        seen = "\n".join(
            f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files
        )
        if not files or seen == context.cursor:
            return dg.SkipReason(f"nothing new in {folder}")
        day = datetime.now(UTC).date().isoformat()
        return dg.SensorResult(run_requests=[dg.RunRequest(partition_key=day)], cursor=seen)

    return landing


defs = build_definitions()
