"""Clusters of 500,000 customers with their stability: ours beside scikit-learn's plain pipeline, in turn.

``python -m benchmarks.clustering CUSTOMERS`` measures fewer customers.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from o2o_mining.segmentation import BehaviourSegmenter

CUSTOMERS = 500_000
FEATURES, GROUPS, ROUNDS = 12, 5, 3


def measure(customers: int = CUSTOMERS) -> Iterator[str]:
    """Yield the seconds, the peak and the recovery of both; the plain pipeline is told the number and tests nothing."""
    rounds = [{name: _apart(name, customers) for name in ("ours", "plain")} for _ in range(ROUNDS)]
    for name in ("ours", "plain"):
        for what in rounds[0][name]:
            value = statistics.median(measured[name][what] for measured in rounds)
            yield f"{f'{name}, {what}':<52} {value:12,.3f}"
    ratio = [measured["ours"]["seconds"] / measured["plain"]["seconds"] for measured in rounds]
    yield f"{'ours over plain, median of ratios':<52} {statistics.median(ratio):12,.3f}"


def world(customers: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return shares of visits and heavy-tailed amounts of customers in groups, a twentieth of them missing."""
    rng = np.random.default_rng(1)
    group = rng.integers(0, GROUPS, customers)
    taste = rng.dirichlet(np.full(FEATURES - 4, 0.5), GROUPS)
    visits = rng.integers(5, 60, customers)
    shares = rng.multinomial(visits, taste[group]) / visits[:, None]
    tails = np.exp(rng.normal(0.4 * group[:, None], 1.0, (customers, 4)))
    values = np.column_stack([shares, tails])
    values[rng.random(values.shape) < 0.05] = np.nan
    return values, group


def _apart(name: str, customers: int) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.clustering", name, str(customers)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _run(name: str, customers: int) -> dict[str, float]:
    values, group = world(customers)
    told: dict[str, float] = {}
    begun = time.perf_counter()
    if name == "ours":
        fitted = BehaviourSegmenter(random_state=0).fit(values)
        labels = fitted.labels_
        told = {"clusters": fitted.n_clusters_, "stability": fitted.stability_}
    else:
        plain = make_pipeline(
            SimpleImputer(strategy="median"), StandardScaler(), KMeans(GROUPS, n_init=10, random_state=0)
        )
        labels = plain.fit_predict(values)
    told["seconds"] = time.perf_counter() - begun
    told["adjusted Rand index with the truth"] = adjusted_rand_score(group, labels)
    told["peak memory (MB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(_run(sys.argv[1], int(sys.argv[2]))))  # noqa: T201 - read by the parent process
    else:
        print(*measure(int(sys.argv[1])), sep="\n")  # noqa: T201 - for whoever called it
