"""Runs of the whole job on small folders, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from o2o_mining.engine.snapshot import read_manifest
from pipelines.execution import Outcome, run

Run = Callable[..., Outcome]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the job on a folder; everything it leaves behind lies in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("O2O_HOME", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def go(folder: Path, *, home: str = "home", as_of: date | None = None) -> Outcome:
        return run("folder", folder, tmp_path / home, as_of, lambda _: None)

    return go


def published(outcome: Outcome) -> dict[tuple[str, str | None], str]:
    """Return the fingerprint of every published table and slice."""
    tables: dict[str, Any] = read_manifest(outcome.home / "snapshots")["tables"]
    return {(name, part["as_of"]): part["sha256"] for name, table in tables.items() for part in table["slices"]}
