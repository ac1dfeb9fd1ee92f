"""What is published is immutable, named by content, the same everywhere, and readable while the next one is made."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import o2o_mining
from o2o_mining.contracts.catalogue import contract, contracts_version, tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.errors import HomeError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.home import Home, home_path, load, open_home
from o2o_mining.engine.snapshot import damaged_files, read_manifest
from tests.unit.engine.conftest import D1, D2, D3, customer, journey, load_customers, profile, publish, rows


def _fill(engine: DuckDBEngine, *, backwards: bool = False) -> None:
    numbers = list(range(3000))[:: -1 if backwards else 1]
    load_customers(engine, *(customer(n, _ordinal=i) for i, n in enumerate(numbers)))
    engine.write("journeys", rows("journeys", *(journey(n) for n in numbers)))
    for day in (D2, D1) if backwards else (D1, D2):
        engine.write(
            "segment_profiles", rows("segment_profiles", *(profile(f"s{n}") for n in numbers if n < 50)), as_of=day
        )


def _files(home: Path) -> dict[str, tuple[int, int]]:
    pool = home / "snapshots" / "files"
    return {p.relative_to(pool).as_posix(): (p.stat().st_ino, p.stat().st_mtime_ns) for p in pool.rglob("*.parquet")}


def _contents(home: Path) -> dict[str, bytes]:
    files = (path for path in home.rglob("*") if path.is_file() and path.name != "runs.jsonl")
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def home(engine: DuckDBEngine, tmp_path: Path) -> Path:
    _fill(engine)
    publish(engine, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def opened(home: Path) -> Iterator[Home]:
    found = open_home(home)
    yield found
    found.close()


# -- publish -------------------------------------------------------------------------------------------------------


def test_the_manifest_lists_every_table_but_working_ones(opened: Home) -> None:
    published = {table.name for table in tables(Kind.FEED, Kind.EVENTS, Kind.MINED)}
    assert set(opened.tables()) == published
    manifest = opened.manifest
    assert (manifest["contracts"], manifest["now"], manifest["inputs"]) == (contracts_version(), "2017-07-01", [])
    slices = manifest["tables"]["segment_profiles"]["slices"]
    assert [(s["as_of"], s["rows"]) for s in slices] == [("2017-07-01", 50), ("2017-07-08", 50)]
    assert manifest["tables"]["journeys"]["slices"][0]["as_of"] is None
    assert manifest["tables"]["stores"]["slices"] == []


def test_a_snapshot_knows_no_clock_no_run_and_no_path(home: Path, engine: DuckDBEngine) -> None:
    (manifest,) = (home / "snapshots" / "manifests").iterdir()
    text = manifest.read_text(encoding="utf-8")
    assert str(home) not in text
    assert "run" not in json.loads(text)
    first = read_manifest(home / "snapshots")["snapshot"]
    assert publish(engine, home, run_id="another") == first
    runs = [json.loads(line) for line in (home / "snapshots" / "runs.jsonl").read_text().splitlines()]
    assert [(run["snapshot"], run["run_id"]) for run in runs] == [(first, "run"), (first, "another")]


def test_files_are_named_by_day_and_content_and_sorted_by_key(home: Path) -> None:
    files = home / "snapshots" / "files"
    for slices in read_manifest(home / "snapshots")["tables"].values():
        for part in slices["slices"]:
            assert Path(part["file"]).name == f"{part['as_of'] or 'all'}-{part['sha256'][:16]}.parquet"
    (journeys,) = (files / "journeys").iterdir()
    ids = pq.read_table(journeys)["journey_id"].to_pylist()
    assert ids == sorted(ids)
    assert damaged_files(home / "snapshots", read_manifest(home / "snapshots")) == []


def test_two_homes_filled_in_other_orders_by_other_threads_publish_the_same_bytes(tmp_path: Path) -> None:
    names = set()
    for number, threads in enumerate((1, 2, 4)):
        engine = DuckDBEngine(tmp_path / f"{number}.duckdb", Settings(threads=threads))
        _fill(engine, backwards=number == 2)
        names.add(publish(engine, tmp_path / str(number)))
        engine.close()
    assert len(names) == 1
    contents = [_contents(tmp_path / str(number)) for number in range(3)]
    assert len(contents[0]) > 4
    assert contents[0] == contents[1] == contents[2]


def test_what_did_not_change_is_not_written_again(home: Path, engine: DuckDBEngine) -> None:
    before = _files(home)
    engine.write("segment_profiles", rows("segment_profiles", profile("new")), as_of=D1)
    engine.write("segment_profiles", rows("segment_profiles", profile("new")), as_of=D3)
    engine.write("journeys", rows("journeys", *(journey(n) for n in range(3000))))  # the same rows as before
    publish(engine, home)
    after = _files(home)
    assert {name: after[name] for name in before} == before
    new = sorted(name.split("-")[0:3] for name in set(after) - set(before))
    assert [parts[0] + "-" + parts[1] + "-" + parts[2] for parts in new] == [
        "segment_profiles/2017-07-01",
        "segment_profiles/2017-07-15",
    ]


def test_files_that_somebody_removed_or_damaged_are_written_again(home: Path, engine: DuckDBEngine) -> None:
    (journeys,) = (home / "snapshots" / "files" / "journeys").iterdir()
    journeys.unlink()
    publish(engine, home)
    assert damaged_files(home / "snapshots", read_manifest(home / "snapshots")) == []
    journeys.write_bytes(journeys.read_bytes()[:100])
    assert damaged_files(home / "snapshots", read_manifest(home / "snapshots")) == [f"files/journeys/{journeys.name}"]
    engine.write("journeys", rows("journeys", *(journey(n) for n in range(3000))))
    publish(engine, home)
    assert damaged_files(home / "snapshots", read_manifest(home / "snapshots")) == []


def test_old_snapshots_go_and_take_their_files_with_them(home: Path, engine: DuckDBEngine) -> None:
    names = [read_manifest(home / "snapshots")["snapshot"]]
    for number in range(4):
        engine.write("journeys", rows("journeys", journey(number)))
        names.append(publish(engine, home, keep=2))
    kept = {path.stem for path in (home / "snapshots" / "manifests").iterdir()}
    assert kept == set(names[-2:])
    assert len(list((home / "snapshots" / "files" / "journeys").iterdir())) == 2
    assert read_manifest(home / "snapshots")["snapshot"] == names[-1]
    assert len(load("segment_profiles", home=home)) == 100


def test_a_snapshot_published_again_is_the_last_one(home: Path, engine: DuckDBEngine) -> None:
    engine.write("stores", rows("stores", {"store_id": "s", "merchant_id": "m"}))
    second = publish(engine, home, keep=2)
    engine.write("stores", rows("stores"))
    third = publish(engine, home, keep=2)
    engine.write("stores", rows("stores", {"store_id": "s", "merchant_id": "m"}))
    assert publish(engine, home, keep=2) == second
    assert {path.stem for path in (home / "snapshots" / "manifests").iterdir()} == {second, third}
    assert len(load("stores", home=home)) == 1


def test_contact_data_are_not_in_the_published_customers(home: Path, opened: Home) -> None:
    withheld = {"home_lat", "home_lon", "phone", "email"}
    assert set(contract("customers").column_names) - set(opened.table("customers").columns) == withheld
    for file in (home / "snapshots" / "files" / "customers").iterdir():
        assert not withheld & set(pq.read_schema(file).names)
        assert b"example.com" not in file.read_bytes()
        assert "_file" not in pq.read_schema(file).names


# -- reading -------------------------------------------------------------------------------------------------------


def test_a_table_without_rows_has_its_columns_and_types(opened: Home, home: Path) -> None:
    for name in opened.tables():
        declared = contract(name)
        assert opened.table(name).columns == declared.published_names
        types = {n: str(t) for n, t in opened.table(name).schema().items()}
        wanted = {c.name: c.engine_type.replace("decimal(18, 2)", "decimal(18,2)") for c in declared.columns}
        assert {n: t.replace(", ", ",") for n, t in types.items()} == {n: wanted[n].replace(", ", ",") for n in types}
    assert load("stores", home=home).columns.tolist() == list(contract("stores").column_names)


def test_one_slice_or_all_are_loaded_sorted_by_key(home: Path) -> None:
    frame = load("segment_profiles", home=home)
    assert len(frame) == 100
    assert frame[["as_of", "segment_code"]].equals(
        frame[["as_of", "segment_code"]].sort_values(["as_of", "segment_code"])
    )
    for day in ("2017-07-08", D2):
        assert len(load("segment_profiles", as_of=day, home=str(home))) == 50


def test_what_cannot_be_loaded_says_why(home: Path) -> None:
    for table, as_of, said in [
        (
            "segment_profiles",
            "2017-07-02",
            f"table segment_profiles has no slice 2017-07-02. Next: o2o run --home {home} --as-of 2017-07-02",
        ),
        ("segment_profiles", "July", "'July' is not a day"),
        ("journeys", "2017-07-01", "table journeys is not mined as of a day"),
        ("nothing", None, "no table 'nothing' is published"),
        ("loaded_files", None, "no table 'loaded_files' is published"),
        ("known_purchases", D1, "no table 'known_purchases' is published"),
    ]:
        with pytest.raises(UsageError) as raised:
            load(table, as_of=as_of, home=home)
        assert said in str(raised.value)


def test_a_query_in_sql_is_a_table(opened: Home) -> None:
    found = opened.sql("SELECT as_of, count(*) AS n FROM segment_profiles GROUP BY as_of")
    assert found.n.sum().execute() == 100
    assert opened.sql("SELECT 1 AS one").one.max().execute() == 1


def test_the_days_of_a_table_are_in_order(opened: Home) -> None:
    assert opened.days("segment_profiles") == [D1, D2]
    assert opened.days("journeys") == []
    with pytest.raises(UsageError):
        opened.days("nothing")


def test_rows_come_in_batches_in_their_order(opened: Home) -> None:
    journeys = opened.table("journeys").select("journey_id").order_by("journey_id")
    batches = list(opened.batches(journeys, 1_000))
    assert sum(batch.num_rows for batch in batches) == 3_000
    assert max(batch.num_rows for batch in batches) <= 2_048  # DuckDB's own batches are whole vectors
    ids = [value for batch in batches for value in batch["journey_id"].to_pylist()]
    assert ids == sorted(ids)


def test_a_home_that_spills_keeps_to_its_share_of_the_memory_and_sorts_all_the_same(home: Path, tmp_path: Path) -> None:
    opened = Home(home, spill_to=tmp_path / "spilled")
    (said,) = opened.rows("SELECT current_setting('memory_limit') AS most, current_setting('temp_directory') AS place")
    assert said == {"most": "488.2 MiB", "place": str(tmp_path / "spilled")}
    sums = "SELECT count(*) AS n, max(i) AS last FROM (SELECT range AS i FROM range(1000) ORDER BY hash(range))"
    assert opened.rows(sums) == [{"n": 1000, "last": 999}]
    opened.close()


def test_an_open_home_does_not_change_when_something_is_published(
    opened: Home, home: Path, engine: DuckDBEngine
) -> None:
    before = opened.manifest["snapshot"]
    engine.write("journeys", rows("journeys", journey(1)))
    publish(engine, home)
    assert opened.table("journeys").count().execute() == 3000
    assert (opened.manifest["snapshot"], len(load("journeys", home=home))) == (before, 1)


def test_a_home_is_readable_while_another_process_holds_the_warehouse(tmp_path: Path) -> None:
    home = tmp_path / "as_of=now" / "[home] it's"
    home.mkdir(parents=True)
    engine = DuckDBEngine(home / "warehouse.duckdb", Settings(threads=1))
    _fill(engine)
    publish(engine, home)
    count = "import sys, o2o_mining; print(len(o2o_mining.load('journeys', home=sys.argv[1])))"
    command = [sys.executable, "-c", count, str(home)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
    engine.close()
    assert said.stdout == "3000\n"


def test_a_home_without_a_snapshot_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"no snapshot in .*\. Next: o2o run --home "):
        o2o_mining.open_home(tmp_path)


# -- which home ----------------------------------------------------------------------------------------------------


def test_the_home_is_the_one_given_then_the_environment_then_the_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("O2O_HOME", raising=False)
    with pytest.raises(HomeError, match="no home in var"):
        home_path()
    assert home_path(source="sample") == Path("var/sample")
    for name in ("one", "two"):
        pointer = Path("var") / name / "snapshots" / "current.json"
        pointer.parent.mkdir(parents=True)
        pointer.write_text("{}")
        if name == "one":
            assert home_path() == Path("var/one")
    with pytest.raises(HomeError, match=r"several homes in var: var/one, var/two\..*--home var/one"):
        home_path()
    monkeypatch.setenv("O2O_HOME", "elsewhere")
    assert home_path() == home_path(source="sample") == Path("elsewhere")
    assert home_path("given") == Path("given")


def test_a_day_is_a_day(home: Path) -> None:
    assert load("segment_profiles", as_of=date(2017, 7, 8), home=home)["segment_code"].nunique() == 50
