"""Which files are feeds, and what becomes of files that are empty, broken or not to be read."""

from __future__ import annotations

import errno
import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.steps import ignored_files
from tests.unit.ingest.conftest import World
from tests.unit.ingest.feeds_page import FEEDS, good_row

STORES = "store_id,merchant_id,lat\n"


# -- which files are feeds -----------------------------------------------------------------------------------------


def test_a_feed_is_a_file_or_a_folder_of_files_in_four_forms(world: World) -> None:
    world.put("stores.csv", STORES + "a,m,1\n")
    world.put("stores.csv.gz", gzip.compress((STORES + "b,m,2\n").encode()))
    world.put("stores.parquet", pa.table({"store_id": ["c"], "merchant_id": ["m"], "lat": [3]}))
    world.put("stores/2017.csv", STORES + "d,m,4\n")
    world.put("stores/2018.csv.gz", gzip.compress((STORES + "e,m,5\n").encode()))
    world.put("stores/2019.parquet", pa.table({"store_id": [6], "merchant_id": ["m"], "lat": ["6"]}))
    world.load()
    found = dict(world.values("stores", "store_id", "lat"))
    assert found == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "6": 6}
    assert set(world.quality().values()) == {(1, 1, 0, 0)}


def test_files_of_other_names_are_reported_and_ignored(world: World) -> None:
    names = ["Stores.csv", "stores.CSV", "stores.csv.bak", "stores.txt", "store.csv", "README.md", "truth/stores.csv"]
    names += ["stores/deep/er.csv", "stores/notes.txt", "stores.tsv", ".csv", "quarantine.csv"]
    for name in names:
        world.put(name, STORES + "x,m,1\n")
    world.put("stores.csv", STORES + "a,m,1\n")
    if (world.folder / "stores.CSV").samefile(world.folder / "stores.csv"):
        pytest.skip("the file system does not tell names by case")
    world.load()
    assert world.values("stores", "store_id") == [("a",)]
    assert sorted(ignored_files([FolderSource(world.folder)])) == sorted(names)


def test_a_folder_with_one_feed_says_which_others_are_missing(world: World) -> None:
    world.put("offline_redemptions.csv", [good_row("offline_redemptions", 1)])
    reports = world.load()
    assert list(reports) == list(FEEDS)
    assert [feed for feed, report in reports.items() if report.notes == (f"no feed {feed}",)] == [
        feed for feed in FEEDS if feed != "offline_redemptions"
    ]
    assert {feed for feed in FEEDS if world.engine.absence(feed) != "missing"} == {"offline_redemptions"}
    assert world.engine.absence("offline_redemptions") == ""


def test_a_folder_that_is_missing_is_an_error_and_an_empty_one_is_none(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        FolderSource(tmp_path / "nowhere").find()
    world.load()
    assert world.quality() == {}


def test_folders_with_signs_of_patterns_in_their_names_are_read(world: World) -> None:
    folder = world.folder / "year=2017" / "[1] *?"
    world.folder = folder
    world.put("stores.csv", STORES + "a,m,1\n")
    world.put("stores.parquet", [good_row("stores", 1)])
    world.load()
    assert world.quality() == {"stores.csv": (1, 1, 0, 0), "stores.parquet": (1, 1, 0, 0)}


def test_a_file_that_may_not_be_read_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    world.put("stores.csv", STORES)
    monkeypatch.setattr(Path, "open", refused)  # taking the right away does not stop the super-user
    with pytest.raises(O2OError, match=r"cannot read .*stores\.csv"):
        world.load()


# -- files of nothing and files that are broken --------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n", STORES.encode(), STORES.strip().encode()])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_without_records_counts_nothing(world: World, content: bytes, *, packed: bool) -> None:
    name = "stores.csv.gz" if packed else "stores.csv"
    world.put(name, gzip.compress(content) if packed else content)
    world.load()
    assert world.quality() == {name: (0, 0, 0, 0)}
    assert world.engine.absence("stores") == "empty"


def test_a_parquet_file_without_rows_or_columns_counts_nothing(world: World) -> None:
    world.put("stores.parquet", pa.table({"store_id": pa.array([], pa.string())}))
    world.put("stores/none.parquet", pa.table({}))
    world.load()
    assert world.quality() == {"stores.parquet": (0, 0, 0, 0), "stores/none.parquet": (0, 0, 0, 0)}


def _not_utf8() -> pa.Table:
    offsets, letters = pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xff\xfe")
    ids = pa.Array.from_buffers(pa.string(), 2, [None, offsets, letters])
    return pa.table({"store_id": ids, "merchant_id": ["m", "m"]})


def test_a_file_that_cannot_be_read_to_its_end_is_one_malformed_line(world: World) -> None:
    packed = gzip.compress((STORES + "a,m,1\n" * 1000).encode())
    world.put("stores/cut.csv.gz", packed[:-10])
    world.put("stores/plain.csv.gz", STORES + "a,m,1\n")
    world.put("stores/text.parquet", "store_id\n")
    whole = world.put(
        "stores/whole.parquet", pa.table({"store_id": [str(i) for i in range(9999)], "merchant_id": ["m"] * 9999})
    )
    broken = bytearray(whole.read_bytes())
    broken[100:2000] = bytes(1900)
    world.put("stores/broken.parquet", bytes(broken))
    whole.unlink()
    world.put("stores/latin.parquet", _not_utf8())
    world.put("stores/bytes.parquet", pa.table({"store_id": [b"a", b"\xff"], "merchant_id": ["m", "m"]}))
    world.put("stores/zz.csv", STORES + "a,m,1\n")
    world.load()
    counts = world.quality()
    assert counts.pop("stores/zz.csv") == (1, 1, 0, 0)
    assert len(counts) == 6
    assert set(counts.values()) == {(1, 0, 1, 0)}
    assert all(row["raw"].startswith("(the file cannot be read: ") for row in world.rows("quarantine"))


def test_bytes_that_are_no_text_in_an_unknown_column_do_no_harm(world: World) -> None:
    shape = pa.array([b"\x01\xff", b"\x02"], pa.binary())
    world.put("stores.parquet", pa.table({"store_id": ["a", None], "merchant_id": ["m", "m"], "shape": shape}))
    world.load()
    assert world.quality() == {"stores.parquet": (2, 1, 1, 0)}


def test_parquet_columns_whose_names_differ_in_case_alone_are_told_apart(world: World) -> None:
    world.put("stores.parquet", pa.table({"Store_ID": ["x"], "store_id": ["a"], "merchant_id": ["m"], "LAT": [99]}))
    world.load()
    assert world.values("stores", "store_id", "lat") == [("a", None)]


def test_a_parquet_column_with_the_name_of_the_databases_own_row_number_does_no_harm(world: World) -> None:
    names = ["file_row_number", "File_Row_Number", "filename", "file_index", "_ordinal", "_reason", "_raw"]
    unknown = {name: ["x", "x"] for name in names}
    world.put("stores.parquet", pa.table({"store_id": ["a", None], "merchant_id": ["m", "m"], **unknown}))
    world.load()
    assert world.quality() == {"stores.parquet": (2, 1, 1, 0)}
    assert world.quarantine() == [(2, "missing_key", None)]


def test_a_rejected_record_of_hundreds_of_columns_is_shown_whole(world: World) -> None:
    more = 400
    header = STORES.strip() + "".join(f",x{i}" for i in range(more))
    world.put("stores.csv", f"{header}\na,m,91{',1' * more}\n")
    world.load()
    assert world.rows("quarantine")[0]["raw"] == f"a,m,91{',1' * more}"


def test_a_file_without_line_feeds_is_one_header_and_is_not_told_whole(world: World) -> None:
    world.put("stores.csv", STORES.replace("\n", "\r") + "a,m,1\r" * 30_000 + "b,ann@example.com,1")
    (note,) = world.load()["stores"].notes
    assert world.quality() == {"stores.csv": (0, 0, 0, 0)}
    assert "\ra" in note
    assert "@" not in note
    assert len(note) < 2000


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_a_disk_that_fails_says_nothing_of_the_file(world: World, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    world.put(f"stores{ending}", STORES)
    for step in ("scan", "pq.read_schema"):
        monkeypatch.setattr(f"o2o_mining.ingest.sources.folder.{step}", failing)
    with pytest.raises(O2OError, match=rf"cannot read .*stores{ending}: Input/output error"):
        world.load()
    assert world.quality() == {}


def test_a_parquet_file_that_the_database_alone_refuses_is_one_malformed_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("stores.parquet", "no Parquet at all")
    monkeypatch.setattr("pyarrow.parquet.read_schema", lambda _: pa.schema({"store_id": pa.string()}))
    monkeypatch.setattr("o2o_mining.ingest.sources.folder._read_through", lambda *_: None)
    world.load()
    assert world.quality() == {"stores.parquet": (1, 0, 1, 0)}


def test_a_gzip_with_a_comment_or_padding_is_read(world: World) -> None:
    text = (STORES + "a,m,1\n").encode()
    plain = gzip.compress(text, mtime=0)
    commented = plain[:3] + b"\x10" + plain[4:10] + b"a comment\0" + plain[10:]
    world.put("stores/commented.csv.gz", commented)
    world.put("stores/padded.csv.gz", gzip.compress(text.replace(b"a,", b"b,")) + bytes(300))
    world.load()
    assert set(world.quality().values()) == {(1, 1, 0, 0)}
