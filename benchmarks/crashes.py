"""Does a run that is killed at any moment leave anything half done?"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.origin import read_origin
from o2o_mining.engine.snapshot import damaged_files, read_manifest
from o2o_mining.simulator import World, write
from pipelines import definitions
from pipelines.execution import run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def _name(room: ModuleType) -> str:
    return room.__name__.rpartition(".")[2]


ALL_ROOMS = tuple(map(_name, definitions.ROOMS))
MOMENTS = 200
LONGEST_DELAY = 0.03  # seconds from a moment to the kill, so that some fall into the midst of a statement
# Processes come from one that has imported everything and started nothing.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.crashes"])


@dataclass(frozen=True)
class Undisturbed:
    """A home with one snapshot and a day waiting in its landing folder, and what becomes of it.

    ``moments`` counts the statements and file operations of the run that loads the day; ``rooms`` are those that run.
    """

    rooms: tuple[str, ...]
    feeds: Path
    home: Path
    before: str
    after: str
    moments: int


@dataclass(frozen=True)
class Ended:
    """How a process ended, and how many moments passed in it; 0 when it was killed."""

    exitcode: int | None
    moments: int


def prepare(folder: Path, rooms: tuple[str, ...]) -> Undisturbed:
    """Make the home, run it once, put a day into its landing folder, and see what an undisturbed run makes of it."""
    write(World(120, 60), folder / "feeds")
    waiting = folder / "waiting"
    waiting.mkdir()
    for feed in ("touches", "offline_redemptions", "online_orders"):
        header, *lines = (folder / "feeds" / f"{feed}.csv").read_text().splitlines(keepends=True)
        (folder / "feeds" / f"{feed}.csv").write_text("".join([header, *lines[: -len(lines) // 10]]))
        (waiting / f"{feed}.csv").write_text("".join([header, *lines[-len(lines) // 10 :]]))
    home = folder / "home"
    _child(rooms, folder, home, 0, 0.0)
    before = read_manifest(home / "snapshots")["snapshot"]
    shutil.copytree(waiting, home / "landing", dirs_exist_ok=True)
    whole = folder / "undisturbed"
    shutil.copytree(home, whole)
    moments = _child(rooms, folder, whole, 0, 0.0).moments
    after = read_manifest(whole / "snapshots")["snapshot"]
    return Undisturbed(rooms, folder / "feeds", home, before, after, moments)


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
        killed = _child(known.rooms, folder, home, moment, chance.uniform(0, LONGEST_DELAY) * chance.randint(0, 1))
        # A delayed kill may come too late, after the last statement, and a run after a late kill has less to do.
        assert killed.exitcode in (-signal.SIGKILL, 0)  # noqa: S101 - the claim itself
        manifest = read_manifest(home / "snapshots")
        assert manifest["snapshot"] in (known.before, known.after)  # noqa: S101
        assert damaged_files(home / "snapshots", manifest) == []  # noqa: S101
    again = _child(known.rooms, folder, home, 0, 0.0)
    assert again.exitcode == 0  # noqa: S101
    manifest = read_manifest(home / "snapshots")
    assert manifest["snapshot"] == known.after  # noqa: S101
    assert damaged_files(home / "snapshots", manifest) == []  # noqa: S101


def measure() -> Iterator[str]:
    """Yield how many of the killed runs left nothing half done."""
    with tempfile.TemporaryDirectory() as name:
        known = prepare(Path(name), ALL_ROOMS)
        for number in range(MOMENTS):
            with tempfile.TemporaryDirectory() as folder:
                kill_and_run_again(known, Path(folder), numbers=(number,), of=MOMENTS)
    yield f"{MOMENTS} runs killed at {MOMENTS} of {known.moments} moments: all published the same bytes when run again"


def _child(rooms: tuple[str, ...], folder: Path, home: Path, moment: int, delay: float) -> Ended:
    """Run the job on a home in a process of its own, killed at a moment; 0 for never."""
    told, tells = _PROCESSES.Pipe(duplex=False)
    given = (tells, rooms, folder, read_feeds(home, folder), home, moment, delay)
    child = _PROCESSES.Process(target=_run, args=given)
    child.start()
    tells.close()
    child.join()
    try:
        return Ended(child.exitcode, told.recv())
    except EOFError:
        return Ended(child.exitcode, 0)


def read_feeds(home: Path, folder: Path) -> Path:
    """Return the folder of feeds that a home is bound to; that beside it when it is new."""
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


def _run(
    tells: Connection, rooms: tuple[str, ...], folder: Path, feeds: Path, home: Path, moment: int, delay: float
) -> None:
    os.chdir(folder)
    definitions.ROOMS = tuple(room for room in definitions.ROOMS if _name(room) in rooms)
    os.environ.pop("DAGSTER_HOME", None)
    clock = _Clock(moment, delay)
    made = DuckDBEngine.__init__

    def ticking(engine: DuckDBEngine, *args: Any, **options: Any) -> None:
        made(engine, *args, **options)
        watched: Any = _Connection(engine.connection, clock)
        engine.connection = engine._catalog._connection = engine._log._connection = watched

    DuckDBEngine.__init__ = ticking  # type: ignore[method-assign,assignment]
    for owner, names in ((Path, ("replace", "unlink", "write_text", "open")), (os, ("fsync",))):
        for name in names:
            setattr(owner, name, clock.ticking(getattr(owner, name)))
    run("folder", feeds, home, None, lambda _: None)
    tells.send(clock.passed)
