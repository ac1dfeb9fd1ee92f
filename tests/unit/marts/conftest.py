"""A store for the tests of this room: opened once, empty at the start of each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from o2o_mining.contracts.catalogue import TABLES
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _store() -> Iterator[DuckDBEngine]:
    store = DuckDBEngine(":memory:", Settings(threads=2))
    yield store
    store.close()


@pytest.fixture
def engine(_store: DuckDBEngine) -> DuckDBEngine:
    for table in TABLES:
        _store._end_view(table)
        _store.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of the catalogue
    _store._changes.clear()  # as if it were opened anew
    _store.connection.execute("DELETE FROM _made")  # the tests write feeds past the engine, which knows of no change
    return _store
