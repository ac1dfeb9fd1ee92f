"""Runs the daily job in process, so that ``o2o run`` and Dagster's UI do and show the same."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.plan.objects import ErrorSource

from o2o_mining.core.errors import O2OError
from o2o_mining.core.settings import SETTINGS_FILE
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.failures import explaining
from o2o_mining.engine.home import home_path
from o2o_mining.engine.snapshot import read_manifest
from pipelines.assets.ingest import FEEDS
from pipelines.definitions import JOB, build_definitions
from pipelines.house import House, Say, open_house, ui_command
from pipelines.instance import PROCESS_TAG, end_orphans, open_instance
from pipelines.reporting import CHECK

_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes
    ----------
    home, as_of, snapshot
        Where, as of which day (none if there was nothing to mine), and what it published.
    reports
        What the steps reported, by table.
    ignored
        Files of the source that are no feed.
    """

    home: Path
    as_of: date | None
    snapshot: str
    reports: dict[str, StepReport]
    ignored: tuple[str, ...]


def run(kind: str, folder: Path | None, home: Path | str | None, as_of: date | None, say: Say) -> Outcome:
    """Load, mine and publish.

    Parameters
    ----------
    kind, folder, home
        The source, what it reads, and the home.
    as_of
        The day to mine as of; by default the day after the last order or redemption.
    say
        Told what is going on.

    Raises
    ------
    O2OError
        If anything fails; what was published before stays.
    """
    with (
        explaining(home_path(home, source=kind)),
        open_house(kind, folder, home, say) as house,
        open_instance() as instance,
    ):
        end_orphans(instance)
        definitions = build_definitions(
            first_day=house.settings.first_partition, house=dg.ResourceDefinition.hardcoded_resource(house)
        )
        job = definitions.resolve_job_def(JOB)
        everything = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        if as_of is None:
            # The default day is known only once the feeds are in.
            _execute(house, job, instance, set(FEEDS), None)
            as_of = house.now
            everything -= set(FEEDS)
        if as_of is None:
            say("no order and no redemption: nothing is mined")
            mined = {key.to_user_string() for key in job.asset_layer.executable_asset_keys if _is_mined(job, key)}
            _execute(house, job, instance, everything - mined, None)
        else:
            _check_day(house, as_of)
            _execute(house, job, instance, everything, as_of)
        ignored = tuple(path for source in house.sources for path in source.find().ignored)
        snapshot = read_manifest(house.home / "snapshots")["snapshot"]
        return Outcome(house.home, as_of, snapshot, house.reports, ignored)


def _is_mined(job: dg.JobDefinition, key: dg.AssetKey) -> bool:
    return job.asset_layer.get(key).partitions_def is not None


def _check_day(house: House, as_of: date) -> None:
    last = datetime.now(UTC).date() + timedelta(days=1)
    if not house.settings.first_partition <= as_of <= last:
        raise O2OError(
            f"{as_of} lies outside the days that can be run, {house.settings.first_partition} to {last} (tomorrow)",
            next_step=f"set first_partition in {house.home / SETTINGS_FILE}, or pass another --as-of",
        )


def _execute(
    house: House, job: dg.JobDefinition, instance: dg.DagsterInstance, selection: set[str], as_of: date | None
) -> None:
    outcome = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(name) for name in sorted(selection)],
        partition_key=as_of.isoformat() if as_of else None,
        run_config=_SILENT,
        tags={PROCESS_TAG: str(os.getpid())},
        raise_on_error=False,
    )
    if not outcome.success:
        raise _failure(house, outcome)


def _failure(house: House, outcome: Any) -> O2OError:
    """Return what stopped a run, in the words of the step or the check that did."""
    for event in outcome.get_asset_check_evaluations():
        if not event.passed and event.severity is dg.AssetCheckSeverity.ERROR and event.check_name == CHECK:
            return O2OError(
                f"the check of {event.description}; nothing was published",
                next_step=f"look at {event.asset_key.to_user_string()} in Dagster: {ui_command(house.home)}",
            )
    for event in outcome.filter_events(lambda event: event.is_step_failure):
        if event.step_failure_data.error_source is ErrorSource.INTERRUPT:
            raise KeyboardInterrupt
        if house.failure:
            return O2OError(f"{event.step_key} failed: {house.failure.message}", next_step=house.failure.next_step)
        error = event.step_failure_data.error
        while error and error.cause:
            error = error.cause
        if error:
            return O2OError(f"{event.step_key} failed: {error.message.strip()}")
    return O2OError("the run failed", next_step=f"look at it in Dagster: {ui_command(house.home)}")
