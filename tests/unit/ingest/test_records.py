"""The splitter of CSV records agrees with the feeds' rule read slowly, and the database with the splitter."""

from __future__ import annotations

import csv
import gzip
import io
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.ingest import lines, readable, records
from o2o_mining.ingest.readable import write_readable
from o2o_mining.ingest.records import UNREADABLE, Records, scan
from tests.unit.ingest.slow_reading import by_the_rule

ENGINE = DuckDBEngine(":memory:", Settings(threads=1))


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    ENGINE.close()


# -- comparing -----------------------------------------------------------------------------------------------------


def read_by_python(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.reader(file, strict=True) if row][1:]


def read_by_engine(path: Path, n_fields: int) -> list[list[str]]:
    table = ENGINE.scan_text(path, n_fields)
    frame = ENGINE.execute(table.order_by("_ordinal"))
    ENGINE.drop_staged()
    assert frame["_ordinal"].tolist() == list(range(len(frame)))
    values = frame.drop(columns="_ordinal").astype(object)
    return [["" if value is None or value != value else value for value in row] for row in values.values.tolist()]


def lines_of(found: Records, *ordinals: int) -> list[int]:
    since, offsets = found.line_changes
    assert (np.diff(since) > 0).all()
    return [int(n + offsets[np.searchsorted(since, n, side="right") - 1]) for n in ordinals]


def agree(folder: Path, data: bytes, limit: int = 100) -> Records:
    expected = by_the_rule(data, limit)
    path = folder / "given.csv"
    path.write_bytes(data)
    found = scan(path)
    assert list(found.fields) == expected.names
    assert [(m.line, m.raw) for m in found.malformed] == expected.malformed
    assert lines_of(found, *range(len(expected.good))) == [line for line, _ in expected.good]
    copy = folder / "copy.csv"
    write_readable(path, found, copy)
    values = [fields for _, fields in expected.good]
    if expected.names:
        # Python takes a record of one empty field for none at all.
        assert read_by_python(copy) == values
        assert read_by_engine(copy, len(expected.names)) == values
        if found.readable:
            assert read_by_engine(path, len(expected.names)) == values
    return found


PIECES = st.sampled_from(
    [b"a", b",", b'"', b"\n", b"\r\n", b"\r", "é".encode(), b"\xff", b"\x00", b'""', b'"a"', b"a,a\n"]
)


@settings(max_examples=200, deadline=None)
@given(
    header=st.sampled_from([b"x\n", b"x,y\r\n", b'x,"y"\n', b'"x\ny",z\n', b"\xef\xbb\xbfx,y\n", b""]),
    pieces=st.lists(PIECES, max_size=40),
    window=st.sampled_from([1, 2, 3, 5, 8, 64, 4096]),
    stretch=st.sampled_from([1, 4, 64]),
    limit=st.sampled_from([2, 3, 100]),
)
@example(header=b"x,y\n", pieces=[b'a,"a\n', b'a"\n', b"a,a\n"], window=8, stretch=4, limit=100)
@example(header=b"x,y\n", pieces=[b'a,"a"\r\n'], window=4, stretch=4, limit=100)
@example(header=b"x,y\r\n", pieces=[b'a,"\r\n"\n', b'"a\n",a\r\n'], window=4, stretch=4, limit=100)
def test_any_bytes_are_split_as_the_page_says(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, pieces: list[bytes], window: int, stretch: int, limit: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    with (
        patch.multiple(records, _WINDOW=window, _SLOW_STRETCH=stretch, LINES_OF_A_RECORD=limit),
        patch.object(lines, "LINES_OF_A_RECORD", limit),
        patch.object(readable, "_BLOCK", window),
    ):
        agree(folder, header + b"".join(pieces), limit)


# -- cases with names ----------------------------------------------------------------------------------------------


def test_a_record_of_a_hundred_lines_is_one_and_of_a_hundred_and_one_is_none(tmp_path: Path) -> None:
    hundred = b'id,text\n1,"' + b"\n".join([b"x"] * 100) + b'"\n2,y\n'
    found = agree(tmp_path, hundred)
    assert found.malformed == ()
    assert lines_of(found, 0, 1) == [2, 102]
    more = b'id,text\n1,"' + b"\n".join([b"x"] * 101) + b'"\n2,y\n'
    found = agree(tmp_path, more)
    # The first line, the 99 lines of one field, and the last with its quote: x" is text, but one field.
    assert [m.line for m in found.malformed] == list(range(2, 103))
    assert lines_of(found, 0) == [103]


def test_a_quote_that_is_never_closed_costs_its_line_alone(tmp_path: Path) -> None:
    found = agree(tmp_path, b'id,text\n1,"open\n2,b\n3,c\n')
    assert [(m.line, m.raw) for m in found.malformed] == [(2, '1,"open')]
    assert lines_of(found, 0, 1) == [3, 4]


def test_a_quote_open_at_the_end_of_the_file_costs_its_line_alone(tmp_path: Path) -> None:
    found = agree(tmp_path, b'id,text\n1,a\n2,"open')
    assert [(m.line, m.raw) for m in found.malformed] == [(3, '2,"open')]


def test_text_after_a_closing_quote_is_malformed(tmp_path: Path) -> None:
    found = agree(tmp_path, b'id,text\n1,"a"b\n2,"a" \n3,"c"\n')
    assert [m.line for m in found.malformed] == [2, 3]


def test_a_stray_quote_inside_an_unquoted_field_is_text(tmp_path: Path) -> None:
    found = agree(tmp_path, b'id,text\n1,a 5" nail\n2,"b ""q"""\n')
    assert found.malformed == ()
    assert not found.readable


def test_a_record_over_several_lines_with_bytes_that_are_not_utf8_is_rejected_as_one(tmp_path: Path) -> None:
    found = agree(tmp_path, b'id,text\n1,"a\n\xff\nb"\n2,c\n')
    assert [(m.line, m.raw) for m in found.malformed] == [(2, '1,"a\n\ufffd\nb"')]


def test_blank_lines_are_no_records_but_count_as_lines(tmp_path: Path) -> None:
    found = agree(tmp_path, b"\n\r\nid,text\n\n1,a\n\r\n\n2,b\n\n")
    assert found.malformed == ()
    assert lines_of(found, 0, 1) == [5, 8]


@pytest.mark.parametrize(
    "header",
    [b"id,text\n", b"\xef\xbb\xbfid,text\r\n", b'"id","text"\n', b'\xef\xbb\xbf"id",text\n', b"id,text"],
)
def test_a_header_is_read_with_or_without_bom_and_quotes(tmp_path: Path, header: bytes) -> None:
    assert agree(tmp_path, header).fields == ("id", "text")


def test_a_name_in_the_header_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    found = agree(tmp_path, b'"a,b","c ""d""","e\nf"\n1,2,3\n')
    assert found.fields == ("a,b", 'c "d"', "e\nf")
    assert lines_of(found, 0) == [3]


@pytest.mark.parametrize("inside", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_break_inside_the_header_is_not_taken_for_the_one_of_the_lines(
    tmp_path: Path, inside: bytes, end: bytes
) -> None:
    agree(tmp_path, b'id,"a' + inside + b'b"' + end + b"1,2" + end + b'3,"4' + inside + b'5"' + end)


def test_a_header_whose_quote_never_closes_still_says_how_many_fields_there_are(tmp_path: Path) -> None:
    found = agree(tmp_path, b'"id,text\n1,a\n2,b\n')
    assert found.fields == ('"id', "text")
    assert found.malformed == ()


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\n", b"\r\n"])
def test_a_file_of_nothing_has_no_fields(tmp_path: Path, data: bytes) -> None:
    assert agree(tmp_path, data).fields == ()


def test_carriage_returns_alone_end_no_line(tmp_path: Path) -> None:
    found = agree(tmp_path, b"id,text\n1,a\rb\n2,c\r\r\n")
    assert found.malformed == ()
    assert agree(tmp_path, b"id,text\r1,a\r2,b\r").fields == ("id", "text\r1", "a\r2", "b")


def test_line_breaks_inside_quotes_stay_what_they_are_when_lines_end_in_both_ways(tmp_path: Path) -> None:
    found = agree(tmp_path, b'id,text\r\n1,"a\r\nb\nc"\r\n2,d\n3,"e\r\nf"\n')
    assert (found.returns, found.line_feeds) == (2, 2)


def test_line_feeds_inside_quotes_do_not_make_a_file_unreadable(tmp_path: Path) -> None:
    assert agree(tmp_path, b'id,text\r\n1,"a\nb"\r\n2,c\r\n').readable


def test_nul_bytes_are_text(tmp_path: Path) -> None:
    assert agree(tmp_path, b"id,text\n1,a\x00b\n\x00,c\n").malformed == ()


def test_utf16_is_malformed_line_by_line_and_no_crash(tmp_path: Path) -> None:
    agree(tmp_path, "id,text\n1,a\n2,ä\n".encode("utf-16"))


@pytest.mark.parametrize("quote", [b"", b'"'])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_record_of_sixteen_mebibytes_is_read_and_a_longer_one_is_malformed(
    tmp_path: Path, quote: bytes, end: bytes
) -> None:
    longest = lines.RECORD_BYTES - 2 - 2 * len(quote) - len(end)
    path = tmp_path / "given.csv"
    for length, malformed in ((longest, 0), (longest + 1, 1), (20 * 2**20, 1)):
        path.write_bytes(b"id,text" + end + b"1," + quote + b"x" * length + quote + end + b"2,y" + end)
        found = scan(path)
        assert len(found.malformed) == malformed
        copy = tmp_path / "copy.csv"
        write_readable(path, found, copy)
        for file in [copy] if malformed else [copy, path]:
            assert [len(text) for _, text in read_by_engine(file, 2)] == [length, 1][malformed:]


def test_a_quote_never_closed_in_a_big_file_takes_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    row = b"12345,some text that is neither short nor long\n"
    path.write_bytes(b"id,text\n" + row * 1000 + b'7,"open\n' + row * 200_000)
    started = time.perf_counter()
    found = scan(path)
    assert time.perf_counter() - started < 5
    assert [m.line for m in found.malformed] == [1002]


def test_a_quote_never_closed_in_every_line_of_a_big_file_takes_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(b"id,text\n" + b'12345,"open and long enough to matter\n' * 20_001)
    started = time.perf_counter()
    found = scan(path)
    assert time.perf_counter() - started < 20
    assert len(found.malformed) > 0


def test_a_big_file_is_scanned_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(b"id,text\n" + b"12345,some text that is neither short nor long\n" * 1_000_000)
    tracemalloc.start()
    found = scan(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.readable
    assert lines_of(found, 999_999) == [1_000_001]
    assert peak < 40 * 2**20


def test_stray_quotes_in_a_big_file_take_neither_much_time_nor_memory(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(b"id,text\n" + b'12345,a 5" nail\n' * 100_000)
    started = time.perf_counter()
    found = scan(path)
    assert len(found.edits) < 5
    write_readable(path, found, tmp_path / "copy.csv")
    assert time.perf_counter() - started < 30
    assert read_by_engine(tmp_path / "copy.csv", 2)[-1] == ["12345", 'a 5" nail']


def _gzip(data: bytes, name: str = "") -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=packed, mtime=0) as file:
        file.write(data)
    return packed.getvalue()


def test_a_gzip_of_nothing_has_no_fields(tmp_path: Path) -> None:
    path = tmp_path / "given.csv.gz"
    for data in (_gzip(b""), b""):
        path.write_bytes(data)
        assert scan(path).fields == ()


def test_a_gzip_cut_short_or_broken_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "given.csv.gz"
    whole = _gzip(b"id,text\n" + bytes(np.random.default_rng(0).integers(97, 123, 9999, np.uint8)))
    for data in (whole[:-20], whole[:100] + b"zz" + whole[102:], b"id,text\n1,a\n"):
        path.write_bytes(data)
        with pytest.raises(UNREADABLE):
            scan(path)


def test_a_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "given.csv.gz"
    path.write_bytes(_gzip(b"id,text\n1,a", "one.csv") + _gzip(b"b\n2,c\n"))
    found = scan(path)
    write_readable(path, found, tmp_path / "copy.csv")
    assert read_by_python(tmp_path / "copy.csv") == [["1", "ab"], ["2", "c"]]
