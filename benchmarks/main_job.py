"""The main job from nothing: time, memory, and what of it is Dagster's."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ROUNDS = 3


def measure() -> Iterator[str]:
    """Yield what the main job on Complete Journey takes: medians of rounds in processes and homes of their own."""
    rounds = [_measured() for _ in range(ROUNDS)]
    for name in rounds[0]:
        yield f"{name:<42} {statistics.median(measured[name] for measured in rounds):10.1f}"


def _measured() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.main_job", folder], capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - started
    inside: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"whole process (s)": seconds, **inside}


def _run(folder: str) -> dict[str, float]:
    started = time.perf_counter()
    import pipelines.assets
    import pipelines.reporting
    from pipelines import execution

    imported = time.perf_counter() - started
    spent = {"steps": 0.0, "checks": 0.0}
    original = pipelines.assets.retrying

    @contextmanager
    def timed(house: Any) -> Iterator[None]:
        begun = time.perf_counter()
        with original(house):
            yield
        spent["steps"] += time.perf_counter() - begun

    def timing(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            given = function(*args, **options)
            spent["checks"] += time.perf_counter() - begun
            return given

        return called

    pipelines.assets.retrying = timed
    pipelines.assets.publication.retrying = timed
    pipelines.reporting._checked = timing(pipelines.reporting._checked)
    pipelines.reporting._metadata = timing(pipelines.reporting._metadata)
    os.chdir(folder)
    begun = time.perf_counter()
    execution.run("complete-journey", None, "home", None, lambda _: None)
    job = time.perf_counter() - begun
    return {
        "imports (s)": imported,
        "job (s)": job,
        "of it steps (s)": spent["steps"],
        "of it checks, metadata, charts (s)": spent["checks"],
        "of it Dagster (s)": job - spent["steps"] - spent["checks"],
        "peak memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1])))  # noqa: T201 - read by the parent process
