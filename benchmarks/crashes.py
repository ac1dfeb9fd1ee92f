"""Does a run that is killed at any moment leave anything half done?"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.snapshot import damaged_files, read_manifest
from o2o_mining.simulator import World, write

MOMENTS = 200
LONGEST_DELAY = 0.03  # seconds from a moment to the kill, so that some fall into the midst of a statement


@dataclass(frozen=True)
class Undisturbed:
    """A home with one snapshot and a day waiting in its landing folder, and what becomes of it.

    ``moments`` counts the statements and file operations of the run that loads the day.
    """

    feeds: Path
    home: Path
    before: str
    after: str
    moments: int


def prepare(folder: Path) -> Undisturbed:
    """Make the home, run it once, put a day into its landing folder, and see what an undisturbed run makes of it."""
    write(World(120, 60), folder / "feeds")
    waiting = folder / "waiting"
    waiting.mkdir()
    for feed in ("touches", "offline_redemptions", "online_orders"):
        header, *lines = (folder / "feeds" / f"{feed}.csv").read_text().splitlines(keepends=True)
        (folder / "feeds" / f"{feed}.csv").write_text("".join([header, *lines[: -len(lines) // 10]]))
        (waiting / f"{feed}.csv").write_text("".join([header, *lines[-len(lines) // 10 :]]))
    home = folder / "home"
    _child(folder, home, 0, 0.0)
    before = read_manifest(home / "snapshots")["snapshot"]
    shutil.copytree(waiting, home / "landing", dirs_exist_ok=True)
    whole = folder / "undisturbed"
    shutil.copytree(home, whole)
    moments = int(_child(folder, whole, 0, 0.0).stdout.split()[-1])
    return Undisturbed(folder / "feeds", home, before, read_manifest(whole / "snapshots")["snapshot"], moments)


def kill_and_run_again(known: Undisturbed, folder: Path, *, numbers: tuple[int, ...], of: int) -> None:
    """Kill a run, and runs after it, at some of evenly spread moments, and run again to the end.

    After each what is published must be whole.

    Raises
    ------
    AssertionError
        If the run was not killed, a snapshot is half there, or the second run publishes something else.
    """
    home = folder / "home"
    shutil.copytree(known.home, home)
    for number in numbers:
        chance = random.Random(number)  # noqa: S311 - which moment, no secret
        moment = 1 + int((number + chance.random()) / of * (known.moments - 1))
        killed = _child(folder, home, moment, chance.uniform(0, LONGEST_DELAY) * chance.randint(0, 1))
        # A delayed kill may come too late, after the last statement, and a run after a late kill has less to do.
        assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr  # noqa: S101 - the claim itself
        manifest = read_manifest(home / "snapshots")
        assert manifest["snapshot"] in (known.before, known.after)  # noqa: S101
        assert damaged_files(home / "snapshots", manifest) == []  # noqa: S101
    again = _child(folder, home, 0, 0.0)
    assert again.returncode == 0, again.stderr  # noqa: S101
    manifest = read_manifest(home / "snapshots")
    assert manifest["snapshot"] == known.after  # noqa: S101
    assert damaged_files(home / "snapshots", manifest) == []  # noqa: S101


def measure() -> Iterator[str]:
    """Yield how many of the killed runs left nothing half done."""
    with tempfile.TemporaryDirectory() as name:
        known = prepare(Path(name))
        for number in range(MOMENTS):
            with tempfile.TemporaryDirectory() as folder:
                kill_and_run_again(known, Path(folder), numbers=(number,), of=MOMENTS)
    yield f"{MOMENTS} runs killed at {MOMENTS} of {known.moments} moments: all published the same bytes when run again"


def _child(folder: Path, home: Path, moment: int, delay: float) -> subprocess.CompletedProcess[str]:
    """Run the job on a home in a process of its own, killed at a moment; 0 for never."""
    feeds = read_feeds(home, folder)
    command = [sys.executable, "-m", "benchmarks.crashes", str(feeds), str(home), str(moment), str(delay)]
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    environment.pop("DAGSTER_HOME", None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def read_feeds(home: Path, folder: Path) -> Path:
    """Return the folder of feeds that a home is bound to; that beside it when it is new."""
    from o2o_mining.engine.origin import read_origin

    return Path(read_origin(home).get("input") or folder / "feeds")


class _Clock:
    """Counts moments, and kills this process at one."""

    def __init__(self, moment: int, delay: float) -> None:
        self.moment, self.delay, self.passed = moment, delay, 0

    def tick(self) -> None:
        self.passed += 1
        if self.passed != self.moment:
            return
        if self.delay:
            threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    def ticking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            self.tick()
            return function(*args, **options)

        return called


class _Connection:
    """A connection whose every statement is a moment."""

    def __init__(self, connection: Any, clock: _Clock) -> None:
        self._connection, self._clock = connection, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        return self._clock.ticking(found) if name in ("execute", "sql", "from_arrow", "register") else found


def _run(feeds: str, home: str, moment: str, delay: str) -> None:
    from pipelines.execution import run

    clock = _Clock(int(moment), float(delay))
    made = DuckDBEngine.__init__

    def ticking(engine: DuckDBEngine, *args: Any, **options: Any) -> None:
        made(engine, *args, **options)
        watched: Any = _Connection(engine.connection, clock)
        engine.connection = engine._catalog._connection = engine._log._connection = watched

    DuckDBEngine.__init__ = ticking  # type: ignore[method-assign,assignment]
    for owner, names in ((Path, ("replace", "unlink", "write_text", "open")), (os, ("fsync",))):
        for name in names:
            setattr(owner, name, clock.ticking(getattr(owner, name)))
    run("folder", Path(feeds), Path(home), None, lambda _: None)
    print(clock.passed)  # noqa: T201 - read by the parent process


if __name__ == "__main__":
    _run(*sys.argv[1:])
