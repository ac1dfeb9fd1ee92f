"""Files that grow, vanish or change while they are read are refused by name, and read whole when they are whole."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from o2o_mining.core.errors import O2OError
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.inputs import Input
from o2o_mining.ingest.sources.folder import CsvFile, FolderSource, ParquetFile
from o2o_mining.ingest.sources.tianchi import TianchiSource
from o2o_mining.ingest.steps import load_feeds
from tests.unit.ingest.conftest import World

STORES = "store_id,merchant_id,lat\n"
ROWS = "".join(f"s{i},m,1\n" for i in range(100))

Change = Callable[[Path], None]


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"late,m,1\n")


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _rewrite(path: Path) -> None:
    """Put other bytes of the same number in place, and set the clock of the file back."""
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b"s1", b"z1"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _replace(path: Path) -> None:
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").replace(path)


CHANGES: dict[str, Change] = {
    "grown": _grow, "cut": _cut, "rewritten": _rewrite, "replaced": _replace, "vanished": Path.unlink
}  # fmt: skip


def _content(ending: str) -> bytes:
    if ending == ".parquet":
        written = pa.BufferOutputStream()
        ids = [f"s{i}" for i in range(100)]
        pq.write_table(pa.table({"store_id": ids, "merchant_id": ["m"] * 100}), written, compression="none")
        return bytes(written.getvalue())
    return gzip.compress((STORES + ROWS).encode()) if ending == ".csv.gz" else (STORES + ROWS).encode()


def _after(patch: pytest.MonkeyPatch, owner: type, step: str, change: Callable[[], None], *, of: str = "") -> None:
    """Let something happen, once, after a step; of one file alone if it is said of which."""
    whole = getattr(owner, step)
    happened: list[bool] = []

    def changing(self: Any, *args: Any, **options: Any) -> Any:
        result = whole(self, *args, **options)
        if not happened and (not of or self.path == of):
            happened.append(True)
            change()
        return result

    patch.setattr(owner, step, changing)


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("step", ["fingerprint", "stage"])
def test_a_file_that_changes_while_it_is_read_is_refused_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str, ending: str, step: str
) -> None:
    world.put("stores/1.csv", STORES + "first,m,1\n")
    world.load()
    path = world.put(f"stores/2{ending}", _content(ending))
    owner: type[Input] = ParquetFile if ending == ".parquet" else CsvFile
    with monkeypatch.context() as patch:
        _after(patch, owner, step, lambda: CHANGES[how](path), of=f"stores/2{ending}")
        with pytest.raises(O2OError, match=rf"2\{ending}") as refused:
            world.load()
    assert refused.value.next_step
    assert world.values("stores", "store_id") == [("first",)]
    assert world.quality() == {"stores/1.csv": (1, 1, 0, 0)}
    path.write_bytes(_content(ending))
    world.load()
    assert world.quality() == {"stores/1.csv": (1, 1, 0, 0), f"stores/2{ending}": (100, 100, 0, 0)}


def test_a_file_that_grows_once_it_is_loaded_is_loaded_again_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.put("stores.csv", STORES + ROWS)
    with monkeypatch.context() as patch:
        _after(patch, DuckDBEngine, "upsert", lambda: _grow(path))
        world.load()
    assert world.quality() == {"stores.csv": (100, 100, 0, 0)}
    world.load()
    assert world.quality() == {"stores.csv": (101, 1, 0, 100)}


def test_a_file_that_vanishes_before_it_is_read_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.put("stores.csv", STORES + ROWS)
    with monkeypatch.context() as patch:
        _after(patch, FolderSource, "find", lambda: path.unlink())
        with pytest.raises(O2OError, match=r"cannot read .*stores\.csv: No such file"):
            world.load()
    assert world.quality() == {}


def test_a_file_of_several_feeds_may_not_change_between_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ccf_offline_stage1_train.csv"
    path = world.put(name, "u1,m1,c1,0.9,1,20160101,20160102\n")
    _after(monkeypatch, DuckDBEngine, "upsert", lambda: _grow(path))
    with pytest.raises(O2OError, match=rf"{name} changed while it was read"):
        load_feeds(world.engine, [TianchiSource(world.folder)])
