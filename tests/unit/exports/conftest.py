"""A small published home, made anew for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest

from o2o_mining.engine.home import Home
from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import Publish, Rows


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Publish]:
    """Publish tables given by name, each as rows or as rows by day."""
    opened: list[Home] = []

    def published(folder: str = "home", /, **tables: Rows | Mapping[date, Rows]) -> Home:
        path = tmp_path / folder
        path.mkdir()
        publish_tables(path, tables)
        opened.append(Home(path))
        return opened[-1]

    yield published
    for home in opened:
        home.close()
