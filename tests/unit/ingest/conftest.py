"""An engine, and a folder of feeds that is loaded into it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import build_data_quality, load_feeds

Row = Mapping[str, Any]


@dataclass
class World:
    """A folder of feeds, a landing folder, and the engine they are loaded into."""

    folder: Path
    landing: Path
    engine: DuckDBEngine

    def put(self, name: str, content: str | bytes | pa.Table | Sequence[Row]) -> Path:
        """Write a file: text or bytes as they are, rows as CSV, or as Parquet if the name ends so."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        elif isinstance(content, str | bytes):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        elif name.endswith(".parquet"):
            rows = [{k: v or None for k, v in row.items()} for row in content]
            pq.write_table(pa.Table.from_pylist(rows, pa.schema([(k, pa.string()) for k in content[0]])), path)
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(content[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(content)
        return path

    def load(self) -> dict[str, StepReport]:
        """Load the folder and the landing folder as a run does."""
        return load_feeds(self.engine, [FolderSource(self.folder), FolderSource(self.landing, prefix="landing/")])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table sorted by its key, nulls as None."""
        frame: pd.DataFrame = self.engine.execute(self.engine.read(table))
        keys = [c for c in frame.columns if c in ("file", "line", "feed")] or list(frame.columns[:2])
        frame = frame.sort_values(keys).astype(object)
        return frame.where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]

    def values(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return some columns of a table, sorted."""
        return sorted(tuple(row[c] for c in columns) for row in self.rows(table))

    def quality(self) -> dict[str, tuple[int, int, int, int]]:
        """Return read, accepted, quarantined and duplicate rows by file, after checking that nothing was lost."""
        build_data_quality(self.engine, traced_share=None)
        counts = ("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate")
        found = {r["file"]: tuple(int(r[c]) for c in counts) for r in self.rows("data_quality") if r["feed"] != "(all)"}
        for file, (read, *parts) in found.items():
            assert read == sum(parts), file
            assert parts[1] == sum(q["file"] == file for q in self.rows("quarantine")), file
        return found  # type: ignore[return-value]

    def orphans(self) -> dict[str, int]:
        """Return orphans by file."""
        build_data_quality(self.engine, traced_share=None)
        return {r["file"]: int(r["orphans"]) for r in self.rows("data_quality") if r["feed"] != "(all)"}

    def quarantine(self) -> list[tuple[int, str, str | None]]:
        """Return line, reason and column of what lies in quarantine."""
        return [(int(r["line"]), r["reason"], r["column"]) for r in self.rows("quarantine")]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[[], World]]:
    worlds: list[World] = []

    def make() -> World:
        root = tmp_path / f"world{len(worlds)}"
        world = World(root / "given", root / "landing", DuckDBEngine(":memory:", Settings(threads=1)))
        world.folder.mkdir(parents=True)
        world.landing.mkdir()
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.engine.close()


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    return make_world()
