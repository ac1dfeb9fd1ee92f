"""Opens the warehouse of a home: one source a home, one process at a time, built with today's contracts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from o2o_mining.contracts.catalogue import contracts_version
from o2o_mining.core.errors import HomeError, WarehouseBusyError
from o2o_mining.core.settings import SETTINGS_FILE, Settings, read_settings, write_settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.origin import HOME_FILE, read_origin
from o2o_mining.engine.snapshot import replace_text

WAREHOUSE_FILE = "warehouse.duckdb"
LOCK_FILE = "warehouse.lock"
HOLDER_FILE = "warehouse.holder.json"


@dataclass(frozen=True)
class Origin:
    """The one source of a home.

    Attributes
    ----------
    kind, place
        Which source, and the folder it reads.
    defaults
        Settings of a new home of this source.
    """

    kind: str
    place: str
    defaults: Settings


@contextmanager
def open_warehouse(home: Path, origin: Origin) -> Iterator[DuckDBEngine]:
    """Open a home's warehouse for writing, and make the home when it is new.

    Raises
    ------
    HomeError
        If the home is of another source or cannot be written.
    WarehouseBusyError
        If another process holds the warehouse; it is named.
    """
    try:
        for folder in ("landing", "snapshots", "exports", "charts"):
            (home / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"cannot write to {home}: {error.strerror}", next_step="pass another --home") from None
    with _held(home):
        _bind(home, origin)
        engine = _open(home, read_settings(home, origin.defaults))
        try:
            yield engine
        finally:
            engine.close()


def _open(home: Path, settings: Settings) -> DuckDBEngine:
    """Open the warehouse; a new one gets its name when it is whole, since half a file can never be opened again."""
    path, new = home / WAREHOUSE_FILE, home / f"{WAREHOUSE_FILE}.new"
    if not path.exists():
        for file in home.glob(new.name + "*"):
            file.unlink()
        DuckDBEngine(new, settings).close()
        new.replace(path)
    return DuckDBEngine(path, settings)


@contextmanager
def _held(home: Path) -> Iterator[None]:
    lock = FileLock(home / LOCK_FILE)
    note = home / HOLDER_FILE
    try:
        lock.acquire(timeout=1)  # a look at who holds it takes the lock for a moment, too
    except Timeout:
        raise WarehouseBusyError(
            f"the warehouse of {home} is held by {_read_holder(home)}", next_step="wait until it ends, then run again"
        ) from None
    try:
        said = {
            "process": os.getpid(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        note.write_text(json.dumps(said), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def holder(home: Path) -> str:
    """Return which process holds a home's warehouse; nothing if it is free."""
    if not (home / LOCK_FILE).exists():
        return ""
    lock = FileLock(home / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _read_holder(home)
    lock.release()
    return ""


def _read_holder(home: Path) -> str:
    try:
        said = json.loads((home / HOLDER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "another process"
    return f"process {said['process']} ({said['command']}) since {said['since']}"


def _bind(home: Path, origin: Origin) -> None:
    """Refuse another source, and start anew where the contracts changed."""
    bound = read_origin(home)
    if bound and (bound["source"], bound["input"]) != (origin.kind, origin.place):
        raise HomeError(
            f"{home} holds the source {bound['source']} {bound['input']}, not {origin.kind} {origin.place}".rstrip(),
            next_step="pass another --home",
        )
    if bound.get("contracts") != contracts_version():
        for file in home.glob(WAREHOUSE_FILE + "*"):
            file.unlink()
    if not (home / SETTINGS_FILE).exists():
        write_settings(home, origin.defaults)
    content = {"source": origin.kind, "input": origin.place, "contracts": contracts_version()}
    replace_text(home / HOME_FILE, json.dumps(content, indent=1) + "\n")
