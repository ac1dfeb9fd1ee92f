"""Compares every estimate of a home with the truth of the world it came from."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from o2o_mining.core.errors import HomeError, UsageError
from o2o_mining.core.sample import SAMPLE
from o2o_mining.engine.home import Home, home_path, open_home
from o2o_mining.engine.origin import read_origin, rerun
from o2o_mining.simulator.comparisons import COMPARISONS
from o2o_mining.simulator.findings import Evaluated
from o2o_mining.simulator.world import START
from o2o_mining.simulator.writing import MANIFEST

COLUMNS = ("room", "quantity", "truth", "estimate", "error", "low", "high", "inside", "oracle")


def evaluate(home: Path | str | None = None, *, truth: Path | str | None = None) -> pd.DataFrame:
    """Compare the estimates of a home with the truth.

    Parameters
    ----------
    home
        Folder of a home whose last run mined the first day after its world's log.
    truth
        Folder of the truth tables; by default ``truth`` beside the feeds that the home was made from.

    Returns
    -------
    DataFrame
        One row per estimate: ``room, quantity, truth, estimate, error`` (estimate - truth; for a ranking its AUC less
        the oracle's), ``low, high`` and ``inside`` where the estimate has an interval, ``oracle`` (AUC) for rankings.

    Raises
    ------
    UsageError
        If the home's inputs came without truth.
    HomeError
        If nothing is published, or nothing for that day.

    Examples
    --------
    >>> evaluate("no-such-home")
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    path = home_path(home)
    opened = open_home(path)
    try:
        folder = Path(truth) if truth else _truth_of(path)
        world = _world(opened, folder)
        findings = [asdict(finding) for compare in COMPARISONS for finding in compare(world)]
    finally:
        opened.close()
    table = pd.DataFrame(findings, columns=[name for name in COLUMNS if name not in ("error", "inside")])
    numbers = ["truth", "estimate", "low", "high", "oracle"]
    table[numbers] = table[numbers].astype("float64")
    table["error"] = table["estimate"] - table["truth"].fillna(table["oracle"])
    inside = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    table["inside"] = inside.astype("boolean").mask(table["low"].isna())
    return table[list(COLUMNS)]


def _truth_of(home: Path) -> Path:
    bound = read_origin(home)
    place = SAMPLE if bound.get("source") == "sample" else Path(bound.get("input") or "no folder")
    folder = place / "truth"
    if not folder.is_dir():
        raise UsageError(
            f"the inputs of {home} came without truth: there is no folder truth beside them",
            next_step="make a world with o2o simulate and run it, or pass --truth DIR",
        )
    return folder


def _world(home: Home, folder: Path) -> Evaluated:
    parameters = read_truth(folder, "parameters")
    if parameters.empty:
        raise UsageError(f"{folder} holds no parameters of a world", next_step="pass --truth DIR")
    days = int(parameters.set_index("parameter")["value"]["days"])
    as_of = START + timedelta(days=days)
    _check_world(home, folder)
    if as_of not in home.days("segments"):
        raise HomeError(f"{home.path} has no slice of {as_of}, the day after the log", next_step=rerun(home.path))

    def estimates(name: str) -> pd.DataFrame:
        return _slice(home, name, as_of)

    return Evaluated(as_of, lambda name: read_truth(folder, name), estimates)


def _check_world(home: Home, folder: Path) -> None:
    """Refuse the truth of another world: its manifest lists feeds by their bytes, and so does the snapshot."""
    manifest = folder.parent / MANIFEST
    if not manifest.exists():
        return
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    feeds = {about["sha256"] for name, about in files.items() if not name.startswith("truth/")}
    if not feeds <= {given["sha256"] for given in home.manifest["inputs"]}:
        raise UsageError(
            f"{folder} is not the truth of the feeds in {home.path}", next_step="pass the --truth that lies beside them"
        )


def read_truth(folder: Path, name: str) -> pd.DataFrame:
    """Return a truth table of a folder, in whichever format the world was written; empty where there is none."""
    for file in (folder / f"{name}.csv", folder / f"{name}.parquet"):
        if file.exists():
            return pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    return pd.DataFrame()


def _slice(home: Home, name: str, as_of: date) -> pd.DataFrame:
    table = home.table(name)
    frame: pd.DataFrame = (table.filter(table.as_of == as_of) if "as_of" in table.columns else table).to_pandas()
    return frame
