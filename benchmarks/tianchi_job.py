"""The job on the files of the Tianchi layout: ours, and what an analyst would write with pandas, on the same files.

Ours does more than is compared: it keeps the ledger row by row and every event table twice, mines 90 features and three
windows, checks every contract and publishes a snapshot.

``python -m benchmarks.tianchi_job CUSTOMERS`` measures a smaller world.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from o2o_mining.engine.home import open_home

CUSTOMERS = 539_438  # 1.75 million offline rows, 11.4 million online rows
ROUNDS = 3
TOLERANCE, CENT = 1e-6, 0.01
# What the script writes, as a query over the tables of a home that was run once, and its key.
COMPARED = {
    "data_quality": (
        (
            "SELECT feed, file, rows_read, rows_accepted, rows_quarantined, rows_duplicate FROM data_quality"
            " WHERE feed <> '(all)'"
        ),
        ["feed", "file"],
    ),
    "purchases": ("SELECT source, count(*) AS purchases FROM purchases GROUP BY source", ["source"]),
    "coupon_lifecycle": (
        (
            "SELECT state, count(*) AS coupons, coalesce(sum(days_to_redeem), 0) AS days FROM coupon_lifecycle"
            " GROUP BY state"
        ),
        ["state"],
    ),
    "journeys": (
        "SELECT converted, count(*) AS journeys, sum(n_touches)::BIGINT AS n_touches FROM journeys GROUP BY converted",
        ["converted"],
    ),
    "campaign_attribution": (
        (
            "SELECT level, id, model, conversions, revenue::DOUBLE AS revenue FROM campaign_attribution"
            " WHERE window_start = DATE '1970-01-01' AND model NOT IN ('markov', 'shapley')"
        ),
        ["level", "id", "model"],
    ),
    "segments": (
        "SELECT customer_id, recency_days, frequency, r_score, f_score, segment_code FROM segments",
        ["customer_id"],
    ),
}


def measure(customers: int = CUSTOMERS) -> Iterator[str]:
    """Yield what the job on the Tianchi layout costs us and pandas, in turn, in processes of their own."""
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = folder / "world"
        apart(folder, "o2o_mining.cli", "simulate", "--format", "tianchi", "--customers", customers, "--out", world)
        for number in range(ROUNDS):
            home, out = folder / f"home{number}", folder / f"out{number}"
            ours, _ = apart(folder, "o2o_mining.cli", "run", "--source", "tianchi", "--input", world, "--home", home)
            pandas, told = apart(folder, "benchmarks.tianchi_pandas", world, out)
            rounds.append({"ours": ours, "pandas": pandas, **json.loads(told.splitlines()[-1])})
            same = list(compare(home, out))
            shutil.rmtree(home)
    yield f"{customers:,} customers, {ROUNDS} rounds; the same in both: {', '.join(same)}"
    median = {
        name: {what: statistics.median(one[name][what] for one in rounds) for what in rounds[0][name]}
        for name in rounds[0]
    }
    for what in median["ours"]:
        ratio = statistics.median(one["pandas"][what] / one["ours"][what] for one in rounds)
        both = f"ours {median['ours'][what]:10,.1f}   pandas {median['pandas'][what]:10,.1f}"
        yield f"{what:<20} {both}   pandas over ours, median of ratios {ratio:6.2f}"
    for stage in list(median)[2:]:
        yield f"of pandas, {stage:<18} " + "   ".join(f"{what} {value:8,.1f}" for what, value in median[stage].items())


def apart(folder: Path, module: str, *arguments: object) -> tuple[dict[str, float], str]:
    """Run a module in a process of its own and return what it cost and printed."""
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    environment.pop("DAGSTER_HOME", None)
    begun = time.perf_counter()
    with (folder / "said").open("w+") as said, (folder / "errors").open("w+") as errors:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=errors)  # noqa: S603 - ours
        # Of several children one after the other, the usage of all together would hide the peak of each.
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        if child.returncode:
            errors.seek(0)
            raise RuntimeError(f"{module} failed: {errors.read()}")
        said.seek(0)
        cost = {
            "wall (s)": seconds,
            "CPU (s)": used.ru_utime + used.ru_stime,
            "peak memory (MB)": used.ru_maxrss / 1024,
        }
        return cost, said.read()


# -- the same results ----------------------------------------------------------------------------------------------


def compare(home: Path, out: Path) -> Iterator[str]:
    """Yield what is the same in a home that was run and in what the script wrote.

    Parameters
    ----------
    home
        The home of a run on the files.
    out
        The folder that the script wrote to, from the same files.

    Raises
    ------
    AssertionError
        If anything differs; it says what.
    """
    opened = open_home(home)
    try:
        for name, (query, keys) in COMPARED.items():
            ours, theirs = opened.sql(query).to_pandas(), pd.read_parquet(out / f"{name}.parquet")
            rows = _same(name, ours, theirs, keys)
            yield f"{name} ({rows:,} rows)"
    finally:
        opened.close()


def _same(name: str, ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> int:
    """Return the number of rows, which are the same in both: money to the cent, other numbers to a millionth."""
    one, two = (
        frame[ours.columns].astype(dict.fromkeys(keys, "str")).set_index(keys).sort_index() for frame in (ours, theirs)
    )
    if not len(one) or not one.index.equals(two.index):
        apart = one.index.symmetric_difference(two.index)
        raise AssertionError(f"{name}: {len(one)} and {len(two)} rows, keys in one only: {apart[:3].tolist()}")
    for column in one:
        equal = one[column].isna() & two[column].isna()
        if pd.api.types.is_numeric_dtype(one[column]):
            equal |= (one[column] - two[column]).abs() < (CENT / 2 if column == "revenue" else TOLERANCE)
        else:
            equal |= one[column] == two[column]
        if not equal.all():
            found = pd.DataFrame({"ours": one[column], "pandas": two[column]})[~equal]
            raise AssertionError(f"{name}: {column} differs in {len(found)} rows, the first\n{found.head(3)}")
    return len(one)


if __name__ == "__main__":
    print(*measure(int(sys.argv[1])), sep="\n")  # noqa: T201 - for whoever called it
