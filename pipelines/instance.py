"""Dagster's own state: the same for ``o2o run`` and for the UI, under ``var/dagster``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.instance.ref import InstanceRef

PROCESS_TAG = "o2o/process"
# The command line speaks for itself: no files with the output of steps.
_NO_COMPUTE_LOGS = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
    "config": {},
}


def configuration(state: Path) -> dict[str, Any]:
    """Return what dagster.yaml says, for a run that is started where that file does not lie.

    Parameters
    ----------
    state
        Folder of Dagster's state.
    """
    return {
        "storage": {"sqlite": {"base_dir": str(state)}},
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(state)},
        },
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(state / "compute_logs")},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "concurrency": {"runs": {"max_concurrent_runs": 1}},
    }


@contextmanager
def open_instance() -> Iterator[DagsterInstance]:
    """Open the instance below ``DAGSTER_HOME``, else below the folder where the command was given."""
    state = (Path(os.environ.get("DAGSTER_HOME") or ".") / "var" / "dagster").resolve()
    state.mkdir(parents=True, exist_ok=True)
    overrides = {**configuration(state), "compute_logs": _NO_COMPUTE_LOGS}
    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _without_waiting)
    try:
        with DagsterInstance.from_ref(InstanceRef.from_dir(str(state), overrides=overrides)) as instance:
            yield instance
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", _without_waiting)


def end_orphans(instance: DagsterInstance) -> None:
    """End the runs of ours whose process is gone: a run that seems to go on for ever blocks Dagster's queue."""
    going_on = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
    for run in instance.get_runs(filters=RunsFilter(statuses=going_on)):
        process = run.tags.get(PROCESS_TAG)
        if process and not _is_alive(int(process)):
            instance.report_run_failed(run, f"the process of this run ({process}) is gone")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _without_waiting(connection: Any, _record: Any) -> None:
    """Let a commit not wait for the disk: every event is one, and hundreds took longer than the work itself.

    What a power cut can cost is Dagster's record of the run, never a table.
    """
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
