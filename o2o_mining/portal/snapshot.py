"""What is published now: read by many requests at once, and opened anew as soon as a run has published."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from o2o_mining.core.errors import HomeError, O2OError
from o2o_mining.engine.home import Home
from o2o_mining.engine.snapshot import POINTER, published_at

_Made = TypeVar("_Made")

# Answers that are kept; a page has a handful of them, and none has more rows than a page shows.
_KEPT = 2000


class Snapshot:
    """One published snapshot. It never changes, so what was asked once need not be asked again.

    Parameters
    ----------
    home
        The home as published.

    Attributes
    ----------
    name
        The snapshot's name.
    """

    def __init__(self, home: Home) -> None:
        self.name: str = home.manifest["snapshot"]
        self._home = home
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._keeping = threading.Lock()
        self._tables: set[str] = set()

    @property
    def now(self) -> date | None:
        """The day up to which data go; none before anything came in."""
        said = self._home.manifest["now"]
        return date.fromisoformat(said) if said else None

    def has(self, table: str) -> bool:
        """Return whether a table is published."""
        return table in self._home.manifest["tables"]

    def days(self, table: str) -> list[date]:
        """Return the days that a mined table holds, in order; none if it is not published."""
        return self._home.days(table) if self.has(table) else []

    def chosen(self, table: str, asked: str) -> tuple[date, date | None]:
        """Return the day of a mined table that is asked for, by default the latest, and the day mined before it.

        Raises
        ------
        O2OError
            If the table holds no day.
        """
        days = self.days(table)
        if not days:
            raise O2OError(f"table {table} has no slice", next_step="o2o run")
        day = {str(one): one for one in days}.get(asked, days[-1])
        earlier = [one for one in days if one < day]
        return day, earlier[-1] if earlier else None

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of an SQL query over the published tables, with a question mark for each parameter."""
        rows: list[dict[str, Any]] = self.once((query, parameters), lambda: self._home.rows(query, parameters))
        return rows

    def row(self, query: str, *parameters: Any) -> dict[str, Any] | None:
        """Return the first row of a query, if there is one."""
        found = self.rows(query, *parameters)
        return found[0] if found else None

    def keep(self, name: str, query: str) -> None:
        """Keep the rows of a query in memory as a table of this name, unless there is one already."""
        with self._keeping:
            if name not in self._tables:
                self._home.keep(name, query)
                self._tables.add(name)

    def once(self, key: Any, make: Callable[[], _Made]) -> _Made:
        """Return what was made under a key, or make it. Two threads may make it at once; both get the same."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: _Made = self._kept[key]
                return kept
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made


class Snapshots:
    """Gives the snapshot that is published now.

    Parameters
    ----------
    path
        Folder of the home.
    prepare
        What is done with a snapshot before anybody sees it.
    """

    def __init__(self, path: Path, prepare: Callable[[Snapshot], None] = lambda _: None) -> None:
        self.path = path
        self._prepare = prepare
        self._pointer = path / "snapshots" / POINTER
        self._opening = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._current: Snapshot | None = None

    @property
    def published_at(self) -> datetime | None:
        """When something was published last."""
        return published_at(self.path / "snapshots")

    @property
    def is_published(self) -> bool:
        """Whether anything is published."""
        return self._pointer.exists()

    def current(self) -> Snapshot:
        """Return the published snapshot. Whoever holds an older one may go on reading it.

        A newer one is opened and prepared beside, while the older one is given; only the very first is waited for.

        Raises
        ------
        HomeError
            If nothing was published yet.
        """
        try:
            said = self._pointer.stat()
        except FileNotFoundError:
            raise HomeError(f"nothing is published in {self.path}", next_step="o2o run") from None
        mark = (said.st_mtime_ns, said.st_ino)
        if self._current is None:
            with self._opening:
                self._open(mark)
        elif mark != self._seen and self._opening.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(mark,), daemon=True).start()
        assert self._current is not None  # noqa: S101 - opened
        return self._current

    def _renew(self, mark: tuple[int, int]) -> None:
        try:
            self._open(mark)
        finally:
            self._opening.release()

    def _open(self, mark: tuple[int, int]) -> None:
        if mark == self._seen:
            return
        home = Home(self.path)
        if self._current is None or home.manifest["snapshot"] != self._current.name:
            opened = Snapshot(home)
            self._prepare(opened)
            self._current = opened
        self._seen = mark
