"""Writes a world into a folder: the canonical feeds, and what is true of it under ``truth/``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from o2o_mining.core.errors import UsageError
from o2o_mining.simulator.dirt import soil
from o2o_mining.simulator.history import live
from o2o_mining.simulator.journeys import build_touches
from o2o_mining.simulator.log_feeds import log_feeds
from o2o_mining.simulator.reference_feeds import reference_feeds
from o2o_mining.simulator.tianchi import refuse_what_it_cannot, write_tianchi
from o2o_mining.simulator.truth import truth_tables
from o2o_mining.simulator.world import World

FORMATS = ("csv", "parquet", "tianchi")
MANIFEST = "MANIFEST.json"
FILES = 30  # how many files a world has: every feed and every truth table
EVENTS = ("touches", "coupon_receipts", "online_orders", "offline_redemptions", "coupon_redemptions",
          "basket_lines", "reviews")  # fmt: skip


def write(
    world: World,
    folder: Path | str,
    format: str = "csv",  # noqa: A002 - the word users know from pandas
    *,
    dirt: float = 0.0,
    progress: Callable[[str, int, int], None] = lambda _name, _done, _all: None,
) -> dict[str, int]:
    """Write a world's feeds and truth.

    Parameters
    ----------
    world
        What to make.
    folder
        Where to; made if missing, and it must be empty.
    format
        ``csv`` or ``parquet`` for the canonical feeds, ``tianchi`` for the files of that competition.
    dirt
        Share of the records of each feed to damage, 0 to 0.5, in CSV only; what loading must make of it is then in
        ``truth/damage.csv`` and ``truth/expected_quality.csv``.
    progress
        Told the file just written, how many are done and how many there are.

    Returns
    -------
    dict of str to int
        Rows of each file, by its path without the ending.

    Raises
    ------
    UsageError
        If the format is unknown or has no such world, the folder holds anything, or such files cannot be damaged so.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = write(World(customers=50, days=60), folder)
    >>> rows["customers"], rows["truth/customer_states"]
    (50, 50)
    """
    path = Path(folder)
    _check(world, path, format, dirt)
    # Nobody sees half a world: it gets its name when it is whole.
    unfinished = path.resolve().with_name(path.resolve().name + ".unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / "truth").mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}", next_step="name another folder") from None
    rows = _write_all(world, unfinished, format, dirt, progress)
    unfinished.replace(path)
    return rows


def _write_all(
    world: World,
    path: Path,
    format: str,  # noqa: A002
    dirt: float,
    progress: Callable[[str, int, int], None],
) -> dict[str, int]:
    """Write feeds, truth and manifest; return the rows of each file."""
    if format == "tianchi":
        rows = write_tianchi(world, path, progress)
    else:
        feeds, truth = _write_world(world, path, format, progress)
        if dirt:
            feeds = soil(path, feeds, events=EVENTS, rate=dirt, seed=world.seed)
        rows = {**feeds, **truth}
    made_of = {**asdict(world), "format": format, "dirt": dirt, "version": version("o2o-mining")}
    _write_manifest(path, made_of, rows, "parquet" if format == "parquet" else "csv")
    return rows


def _check(world: World, path: Path, format: str, dirt: float) -> None:  # noqa: A002
    """Refuse what cannot be written."""
    if format not in FORMATS:
        raise UsageError(f"no worlds are written as '{format}'", next_step=f"use {' or '.join(FORMATS)}")
    if not 0 <= dirt <= 0.5 or (dirt and format != "csv"):
        raise UsageError(
            f"dirt of {dirt} in {format} files is not made", next_step="use --format csv and a rate of 0 to 0.5"
        )
    if format == "tianchi":
        refuse_what_it_cannot(world)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is not an empty folder", next_step="name a folder that is empty or does not exist")


def _write_world(
    world: World,
    path: Path,
    format: str,  # noqa: A002
    progress: Callable[[str, int, int], None],
) -> tuple[dict[str, int], dict[str, int]]:
    """Write the feeds and the truth; return the rows of each."""
    history = live(world)
    touches = build_touches(history)
    rows: tuple[dict[str, int], dict[str, int]] = ({}, {})

    def put(name: str, table: Any, *, kind: int) -> None:
        _write(table, path / f"{name}.{format}", format)
        rows[kind][name] = table.num_rows
        progress(name, len(rows[0]) + len(rows[1]), FILES)

    for name, table in reference_feeds(history, touches):
        put(name, table, kind=0)
    for name, table in log_feeds(history, touches):
        put(name, table, kind=0)
    for name, table in truth_tables(history):
        put(f"truth/{name}", table, kind=1)
    return rows


def belongs_to_world(name: str) -> bool:
    """Tell whether a file beside the feeds is a world's truth or its manifest.

    Examples
    --------
    >>> belongs_to_world("truth/parameters.csv"), belongs_to_world("notes.txt")
    (True, False)
    """
    return name.startswith("truth/") or name == MANIFEST


def _write_manifest(folder: Path, made_of: dict[str, Any], rows: dict[str, int], ending: str) -> None:
    """Say what the world is made of and what lies in each file, so that anybody can make it again and compare."""
    files = {}
    for name, count in rows.items():
        with (folder / f"{name}.{ending}").open("rb") as file:
            files[f"{name}.{ending}"] = {"rows": count, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    text = json.dumps({**made_of, "files": files}, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _write(table: Any, path: Path, format: str) -> None:  # noqa: A002
    if format == "parquet":
        pa.parquet.write_table(table, path, compression="zstd")
        return
    # No text of a world holds a comma, a quote or a line end, so none is quoted.
    with path.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
