"""A large CSV feed: loaded as a run loads it, beside the database's plain typed read of the same file."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv

ROWS = 12_000_000
ROUNDS = 3
_BLOCK = 1_000_000
_CUSTOMERS = 2_000_000
_COLUMNS = {
    "touch_id": "VARCHAR", "customer_id": "VARCHAR", "touched_at": "TIMESTAMP", "channel": "VARCHAR",
    "action": "VARCHAR",
}  # fmt: skip
_BAD = 0.01  # half of them values, half of them lines
_WAYS = ("plain", "load")


def measure() -> Iterator[str]:
    """Yield what loading 12 million rows of CSV costs, beside the database's plain typed read: medians of rounds."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, bad in (("clean", 0.0), ("1 % bad", _BAD)):
            file = Path(folder) / "touches.csv"
            write(file, bad)
            rounds = [{way: _in_a_process(way, file) for way in _WAYS} for _ in range(ROUNDS)]
            for way in _WAYS:
                seconds, megabytes = (statistics.median(taken[way][i] for taken in rounds) for i in (0, 1))
                yield f"{kind}, {way}: {seconds:.1f} s, {megabytes:,.0f} MB"
            ratio = statistics.median(taken["load"][0] / taken["plain"][0] for taken in rounds)
            yield f"{kind}, load / plain: {ratio:.2f}"


def write(file: Path, bad: float, rows: int = ROWS) -> None:
    """Write touches, a share of them with a moment that is none, or too few or many fields.

    Of a file with a quote left open the plain read takes hardly a row, so there is nothing to compare with.
    """
    rng = np.random.default_rng(0)
    with file.open("wb") as out:
        out.write((",".join(_COLUMNS) + "\n").encode())
        for first in range(0, rows, _BLOCK):
            out.write(_soiled(_block(first, min(_BLOCK, rows - first), rng), bad, rng))


def _block(first: int, count: int, rng: np.random.Generator) -> bytes:
    moments = np.datetime64("2024-01-01", "s") + rng.integers(0, 180 * 86400, count)
    table = pa.table(
        {
            "touch_id": pa.array(np.arange(first, first + count)),
            "customer_id": pa.array(rng.integers(0, _CUSTOMERS, count)),
            "touched_at": pa.array(moments).cast(pa.string()),
            "channel": pa.array(["sms", "map", "push", "email"]).take(pa.array(rng.integers(0, 4, count))),
            "action": pa.array(["click", "visit"]).take(pa.array(rng.integers(0, 2, count))),
        }
    )
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(include_header=False, quoting_style="none"))
    return bytes(sink.getvalue())


def _soiled(block: bytes, bad: float, rng: np.random.Generator) -> bytes:
    lines = block.split(b"\n")[:-1]
    chosen = rng.choice(len(lines), round(bad * len(lines)), replace=False).tolist()
    for number, i in enumerate(chosen):
        if number % 2:
            lines[i] = lines[i].replace(b"2024-0", b"2024-9", 1)
        else:
            lines[i] = lines[i] + b",more" if number % 4 else lines[i].rsplit(b",", 1)[0]
    return b"\n".join([*lines, b""])


def _in_a_process(way: str, file: Path) -> tuple[float, float]:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.csv_load", way, str(file)], capture_output=True, text=True, check=True
    )
    seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, megabytes


def _plain(file: Path, folder: str) -> float:
    typed = ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())
    with duckdb.connect(f"{folder}/plain.duckdb") as connection:
        connection.execute("SET enable_progress_bar = false")
        begun = time.perf_counter()
        connection.execute(
            f"CREATE TABLE touches AS SELECT * FROM read_csv('{file}', header = true, auto_detect = false,"  # noqa: S608
            f" delim = ',', quote = '\"', escape = '\"', ignore_errors = true, columns = {{{typed}}})"
        )
        return time.perf_counter() - begun


def _load(file: Path, folder: str) -> float:
    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.duckdb import DuckDBEngine
    from o2o_mining.ingest.sources.folder import FolderSource
    from o2o_mining.ingest.steps import load_feeds

    engine = DuckDBEngine(Path(folder) / "warehouse.duckdb", Settings())
    begun = time.perf_counter()
    load_feeds(engine, [FolderSource(file.parent)])
    seconds = time.perf_counter() - begun
    engine.close()
    return seconds


def _run(way: str, file: Path) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        seconds = {"plain": _plain, "load": _load}[way](file, folder)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201 - read by the parent process
