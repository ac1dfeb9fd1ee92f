"""What the tests of the room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    yield engine
    engine.close()
