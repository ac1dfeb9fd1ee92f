"""The published snapshot: immutable Parquet files, a manifest that lists them, one pointer.

Files are named by their content and shared by the snapshots that hold them. A snapshot knows no clock,
no run and no absolute path: those go to ``runs.jsonl`` beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from o2o_mining.core.errors import HomeError
from o2o_mining.engine.origin import rerun

POINTER = "current.json"
RUNS = "runs.jsonl"


@dataclass(frozen=True)
class Stored:
    """A file of the pool, relative to the snapshot folder, and its digest."""

    file: str
    sha256: str


def put_file(folder: Path, table: str, part: str, write: Callable[[Path], None]) -> Stored:
    """Write one file into the pool of a snapshot folder and return it.

    Parameters
    ----------
    folder
        The snapshot folder.
    table, part
        What the file holds.
    write
        Writes the Parquet file to the path it is given.
    """
    pool = folder / "files" / table
    pool.mkdir(parents=True, exist_ok=True)
    temporary = pool / f"writing-{part}.parquet"
    write(temporary)
    sha256 = _sha256(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    name = f"{part}-{sha256[:16]}.parquet"
    if (pool / name).is_file() and _sha256(pool / name) == sha256:  # it lies there, whole
        temporary.unlink()
    else:
        temporary.replace(pool / name)
    return Stored(f"files/{table}/{name}", sha256)


def put_manifest(folder: Path, content: Mapping[str, Any], *, run_id: str) -> str:
    """Write a manifest, switch the pointer to it, and return the snapshot's name."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    replace_text(folder / "manifests" / f"{name}.json", text)
    entry = {"snapshot": name, "run_id": run_id, "published_at": datetime.now(UTC).isoformat(timespec="seconds")}
    runs = (folder / RUNS).read_text(encoding="utf-8") if (folder / RUNS).exists() else ""
    replace_text(folder / RUNS, runs + json.dumps(entry) + "\n")  # on a full disk half a line could be added
    replace_text(folder / POINTER, json.dumps({"snapshot": name, "manifest": f"manifests/{name}.json"}) + "\n")
    return name


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest that the pointer names.

    Raises
    ------
    HomeError
        If nothing was published yet.
    """
    try:
        pointer = json.loads((folder / POINTER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HomeError(f"no snapshot in {folder}", next_step=rerun(folder.parent)) from None
    manifest: dict[str, Any] = json.loads((folder / pointer["manifest"]).read_text(encoding="utf-8"))
    return {"snapshot": pointer["snapshot"], **manifest}


def published_at(folder: Path) -> datetime | None:
    """Return when something was published last; None before."""
    try:
        entries = (folder / RUNS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return datetime.fromisoformat(json.loads(entries[-1])["published_at"])


def last_published(folder: Path, table: str, *, contracts: str) -> tuple[dict[str, Path], date] | None:
    """Return the files of a table of events in the last snapshot, by part, and that snapshot's default day.

    None if nothing was published, before anything was mined, under other contracts, or if a file is gone.
    """
    if not (folder / POINTER).exists():
        return None
    manifest = read_manifest(folder)
    if not manifest["now"] or manifest["contracts"] != contracts:
        return None
    slices = manifest["tables"].get(table, {"slices": []})["slices"]
    files = {part["part"]: folder / part["file"] for part in slices}
    if not files or not all(file.is_file() for file in files.values()):
        return None
    return files, date.fromisoformat(manifest["now"])


def remove_old(folder: Path, *, keep: int) -> None:
    """Remove all but the last published snapshots, and the files that no kept one lists."""
    entries = (folder / RUNS).read_text(encoding="utf-8").splitlines()
    published = list(dict.fromkeys(json.loads(line)["snapshot"] for line in reversed(entries)))
    kept = {f"{name}.json" for name in published[:keep]}
    needed: set[str] = set()
    for manifest in (folder / "manifests").glob("*.json"):
        if manifest.name in kept:
            needed |= set(files_of(json.loads(manifest.read_text(encoding="utf-8"))))
        else:
            manifest.unlink()
    for file in (folder / "files").rglob("*.parquet"):
        if file.relative_to(folder).as_posix() not in needed:
            file.unlink()


def files_of(manifest: Mapping[str, Any]) -> Iterable[str]:
    """Return the files that a manifest lists."""
    return (part["file"] for table in manifest["tables"].values() for part in table["slices"])


def damaged_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return the files of a snapshot that are missing or hold something else than was published."""
    damaged = []
    for table in manifest["tables"].values():
        for part in table["slices"]:
            path = folder / part["file"]
            if not path.is_file() or _sha256(path) != part["sha256"]:
                damaged.append(part["file"])
    return damaged


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Write a text file so that whoever reads it finds the old text or the new one, and never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
