"""Whatever is done to a file of any feed, every record of it is booked once, and whole rows come through.

Every run tries the same few examples. To hunt for more, say how many of each feed: ``O2O_EXAMPLES=300``.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest.records import UNREADABLE
from tests.unit.ingest.conftest import World
from tests.unit.ingest.damage import (
    OF_COLUMNS,
    OF_FILES,
    OF_LINES,
    PACKED,
    ROWS,
    csv_bytes,
    packed,
    parquet_bytes,
    whole_row,
)
from tests.unit.ingest.feeds_page import FEEDS
from tests.unit.ingest.slow_reading import by_the_rule

EXAMPLES = int(os.environ.get("O2O_EXAMPLES", "3"))

Values = tuple[Any, ...]


def tried(feed: str) -> Callable[[Any], Any]:
    """Return what makes Hypothesis try the same examples of a feed in every run, and others of the next feed."""

    def decorate(test: Any) -> Any:
        fixed = settings(max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate])
        return seed(list(FEEDS).index(feed))(fixed(test))

    return decorate


@dataclass
class Found:
    """What loading left: rows in force and the number of their file by key, what is in quarantine, and the counts."""

    rows: dict[Values, Values]
    files: Counter[int]
    quarantine: list[tuple[int, str, str]]
    counts: tuple[int, int, int, int]


@contextmanager
def _world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name) / "given", Path(name) / "landing", DuckDBEngine(":memory:", Settings(threads=1)))
        world.folder.mkdir()
        world.landing.mkdir()
        try:
            yield world
        finally:
            world.engine.close()


def _load(feed: str, ending: str, content: bytes, *, after_whole: bool = False) -> Found:
    """Load a file, after one with the first half of the rows unharmed if asked for, and check that nothing is lost."""
    with _world() as world:
        if after_whole:
            world.put(f"{feed}/1.csv", [whole_row(feed, number) for number in range(ROWS // 2)])
        world.put(f"{feed}/2{ending}", content)
        world.load()
        counts = world.quality()[f"{feed}/2{ending}"]  # read = accepted + quarantined + duplicates, for every file
        rejected = [(int(r["line"]), r["reason"], r["raw"]) for r in world.rows("quarantine")]
        loaded = world.rows(feed)
    key = contract(feed).key
    rows = {tuple(row[k] for k in key): tuple(row[c] for c in contract(feed).column_names) for row in loaded}
    assert len(rows) == len(loaded), "no key is there twice"
    assert len({line for line, _, _ in rejected}) == len(rejected), "no line is rejected twice"
    files = Counter(int(row["_file"]) for row in loaded)
    assert files[1 + after_whole] == counts[1], "what was accepted is in force"
    return Found(rows, files, rejected, counts)


@cache
def _whole(feed: str) -> dict[Values, Values]:
    """Return the rows of a feed as they are loaded when nothing is wrong with them, by the values in their file."""
    rows = [whole_row(feed, number) for number in range(ROWS)]
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    found = _load(feed, ".csv", "\n".join([*lines, ""]).encode())
    assert found.counts == (ROWS, ROWS, 0, 0)
    keys = [column.name for column in FEEDS[feed] if column.key]
    by_text = {tuple(map(str, _as_text(key))): row for key, row in found.rows.items()}
    return {tuple(row.values()): by_text[tuple(row[k] for k in keys)] for row in rows}


def _as_text(key: Values) -> Iterator[str]:
    """Give a key as the rows of the page write it."""
    for value in key:
        yield str(value).removesuffix(" 00:00:00") if hasattr(value, "year") and not value.hour else str(value)


@pytest.mark.parametrize("feed", FEEDS)
def test_a_damaged_csv_loses_no_record_and_its_whole_rows_come_through(feed: str) -> None:
    @tried(feed)
    @given(
        of_lines=st.lists(st.sampled_from(sorted(OF_LINES)), min_size=1, max_size=12),
        of_files=st.lists(st.sampled_from(sorted(OF_FILES)), max_size=2),
        form=st.sampled_from(["", "", *PACKED]),
        after_whole=st.booleans(),
        chance=st.integers(0, 2**32),
    )
    def holds(of_lines: list[str], of_files: list[str], form: str, after_whole: bool, chance: int) -> None:
        data, reasons = csv_bytes(feed, of_lines, of_files, chance)
        if not form:
            _check(feed, data, _load(feed, ".csv", data, after_whole=after_whole), reasons)
            return
        content = packed(data, form, random.Random(chance))  # noqa: S311 - damage, no secret
        found = _load(feed, ".csv.gz", content, after_whole=after_whole)
        try:
            _check(feed, gzip.decompress(content), found, reasons)
        except UNREADABLE:
            assert found.counts == (1, 0, 1, 0)

    holds()


def _check(feed: str, data: bytes, found: Found, reasons: Mapping[Values, str]) -> None:
    """Set what loading found beside the rule of the page, read slowly."""
    expected = by_the_rule(data)
    assert found.counts[0] == len(expected.good) + len(expected.malformed)
    malformed = [(line, raw) for line, reason, raw in found.quarantine if reason == "malformed_line"]
    assert malformed == expected.malformed
    said = {line: reason for line, reason, _ in found.quarantine}
    assert set(said) <= {line for line, _ in expected.good + expected.malformed}
    whole = _whole(feed)
    names = [column.name for column in FEEDS[feed]]
    keys = [column.name for column in FEEDS[feed] if column.key]
    if not set(names) <= set(expected.names):
        return
    of_key: dict[Values, set[Values]] = {}
    for line, fields in expected.good:
        record = dict(reversed(list(zip(expected.names, fields, strict=True))))
        values = tuple(record[name] for name in names)
        assert values not in whole or line not in said, (line, said.get(line))
        assert values not in reasons or said[line] == reasons[values]
        of_key.setdefault(tuple(record[k] for k in keys), set()).add(values)
    for rows in of_key.values():
        if len(rows) == 1 and (values := rows.pop()) in whole:
            row = whole[values]
            assert found.rows[tuple(row[names.index(k)] for k in keys)] == row


@pytest.mark.parametrize("feed", FEEDS)
def test_a_damaged_parquet_loses_no_row_and_its_whole_rows_come_through(feed: str) -> None:
    @tried(feed)
    @given(
        of_columns=st.lists(st.sampled_from(sorted(OF_COLUMNS)), max_size=4),
        of_file=st.sampled_from(["as it is", "as it is", "as it is", "cut", "flipped", "garbage inside"]),
        after_whole=st.booleans(),
        chance=st.integers(0, 2**32),
    )
    def holds(of_columns: list[str], of_file: str, after_whole: bool, chance: int) -> None:
        content = parquet_bytes(feed, of_columns, of_file, chance)
        found = _load(feed, ".parquet", content, after_whole=after_whole)
        if [raw for _, _, raw in found.quarantine if raw.startswith("(the file cannot be read: ")]:
            assert found.counts == (1, 0, 1, 0)
            assert of_file != "as it is" or "strange" in of_columns  # bytes that are no text are strange
            return
        names = [column.name for column in FEEDS[feed]]
        table = pq.ParquetFile(io.BytesIO(content)).read()
        assert found.counts[0] == table.num_rows
        said = {line: reason for line, reason, _ in found.quarantine}
        assert set(said) <= set(range(1, table.num_rows + 1))
        texts = {pa.string(), pa.dictionary(pa.int32(), pa.string())}
        if any(name not in table.column_names or table[name].type not in texts for name in names):
            return
        whole, rows = _whole(feed), list(zip(*(table[name].to_pylist() for name in names), strict=True))
        keys = [i for i, column in enumerate(FEEDS[feed]) if column.key]
        of_key: dict[Values, set[Values]] = {}
        for line, values in enumerate(rows, 1):
            assert values not in whole or line not in said
            of_key.setdefault(tuple(values[i] for i in keys), set()).add(values)
        for given_rows in of_key.values():
            if len(given_rows) == 1 and (values := given_rows.pop()) in whole:
                row = whole[values]
                assert found.rows[tuple(row[i] for i in keys)] == row

    holds()
