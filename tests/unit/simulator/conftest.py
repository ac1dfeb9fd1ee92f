"""Worlds that several tests look at; none is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from o2o_mining.simulator import World, write
from o2o_mining.simulator.history import History, live


@pytest.fixture(scope="session")
def balanced() -> History:
    return live(World(customers=20_000, days=540, seed=3))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "balanced"
    write(World(customers=2_000, days=540), path)
    return path
