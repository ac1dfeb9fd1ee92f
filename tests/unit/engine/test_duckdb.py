"""Writing keeps to the contract or changes nothing; slices, appended rows and corrections go where they should."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import TABLES, contract
from o2o_mining.core.errors import ContractError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Upsert
from o2o_mining.engine.checks import conform
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.engine.sql import literal, quoted, sql_type
from tests.unit.engine.conftest import D1, D2, D3, all_rows, customer, journey, load_customers, memtable, profile, rows

# -- write ---------------------------------------------------------------------------------------------------------


def test_a_table_that_is_written_again_is_replaced(engine: DuckDBEngine) -> None:
    assert engine.write("journeys", rows("journeys", journey(1), journey(2))) == 2
    assert engine.write("journeys", rows("journeys", journey(3))) == 1
    assert [row[0] for row in all_rows(engine, "journeys")] == ["j3"]
    assert engine.slices("journeys") == [None]


def test_a_slice_that_is_written_again_is_replaced_and_others_stay(engine: DuckDBEngine) -> None:
    for day in (D2, D1):
        engine.write("segment_profiles", rows("segment_profiles", profile("a"), profile("b")), as_of=day)
    engine.write("segment_profiles", rows("segment_profiles", profile("c")), as_of=D1)
    frame = engine.execute(engine.read("segment_profiles").select("as_of", "segment_code"))
    found = sorted((str(row.as_of)[:10], row.segment_code) for row in frame.itertuples())
    assert found == [("2017-07-01", "c"), ("2017-07-08", "a"), ("2017-07-08", "b")]
    assert engine.slices("segment_profiles") == [D1, D2]


def test_the_day_of_a_slice_is_the_one_it_is_written_for(engine: DuckDBEngine) -> None:
    engine.write("segment_profiles", rows("segment_profiles", profile("a", as_of=D3)), as_of=D1)
    assert engine.execute(engine.read("segment_profiles").as_of.max()).date() == D1


def test_a_table_of_slices_needs_a_day(engine: DuckDBEngine) -> None:
    with pytest.raises(ContractError, match="table segment_profiles is written slice by slice"):
        engine.write("segment_profiles", rows("segment_profiles", profile("a")))


def test_a_working_table_holds_one_day_and_says_which(engine: DuckDBEngine) -> None:
    known = rows("known_journeys", journey(1) | {"as_of": D1})
    engine.write("known_journeys", known, as_of=D1)
    engine.write("known_journeys", known, as_of=D2)
    assert engine.slices("known_journeys") == [D2]
    assert "as_of" not in engine.known("journeys", D2).columns
    with pytest.raises(ContractError, match="known_journeys does not hold 2017-07-01"):
        engine.known("journeys", D1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop("path"), "columns path are missing"),
        (lambda t: t.mutate(n_touches=t.n_touches.cast("float64")), "column n_touches is float64"),
        (lambda t: t.mutate(converted=t.converted.cast("int64")), "column converted is int64"),
        (lambda t: t.mutate(value=ibis.literal(1.5)), "column value is float64"),
        (lambda t: t.mutate(value=ibis.literal(Decimal("1.555")).cast("decimal(18, 3)")), "column value is decimal"),
        (lambda t: t.mutate(started_at=t.started_at.cast("string")), "column started_at is string"),
        (lambda t: t.mutate(path=ibis.literal(1)), "column path is int8"),
        (lambda t: t.mutate(path=ibis.null("string")), "missing_value:path in 2 rows"),
        (lambda t: t.mutate(journey_id=ibis.null("string")), "missing_value:journey_id in 2 rows"),
        (lambda t: t.mutate(journey_id=ibis.literal("same")), "repeated_key in 1 rows"),
    ],
)
def test_what_breaks_the_contract_is_refused_and_changes_nothing(engine: DuckDBEngine, change: Any, said: str) -> None:
    good = rows("journeys", journey(1), journey(2))
    engine.write("journeys", good)
    before = all_rows(engine, "journeys")
    with pytest.raises(ContractError, match=said):
        engine.write("journeys", change(rows("journeys", journey(3), journey(4))))
    assert all_rows(engine, "journeys") == before
    assert engine.violations(contract("journeys")) == []


def test_a_slice_that_breaks_the_contract_leaves_the_slice_before(engine: DuckDBEngine) -> None:
    engine.write("segment_profiles", rows("segment_profiles", profile("a")), as_of=D1)
    with pytest.raises(ContractError, match="repeated_key"):
        engine.write("segment_profiles", rows("segment_profiles", profile("b"), profile("b")), as_of=D1)
    with pytest.raises(ContractError, match="repeated_key"):
        engine.write("segment_profiles", rows("segment_profiles", profile("b"), profile("b")), as_of=D2)
    assert [row[2] for row in all_rows(engine, "segment_profiles")] == ["a"]
    assert engine.slices("segment_profiles") == [D1]


def test_an_earlier_day_may_follow_a_later_one_where_rows_lie_in_the_order_of_the_key(engine: DuckDBEngine) -> None:
    for day in (D2, D1, D2):
        engine.write("segment_profiles", rows("segment_profiles", profile("a"), profile("b")), as_of=day, in_order=True)
    assert engine.violations(contract("segment_profiles"), as_of=D1) == []
    again = rows("segment_profiles", profile("a"), profile("a"))
    with pytest.raises(ContractError, match="repeated_key"):
        engine.write("segment_profiles", again, as_of=D3, in_order=True)


def test_an_expression_that_fails_changes_nothing(engine: DuckDBEngine) -> None:
    engine.write("journeys", rows("journeys", journey(1)))
    broken = rows("journeys", journey(2))
    broken = broken.mutate(n_touches=broken.path.cast("int64"))
    with pytest.raises(Exception, match="map"):
        engine.write("journeys", broken)
    assert [row[0] for row in all_rows(engine, "journeys")] == ["j1"]


def test_columns_may_come_in_any_order_with_others_between_and_narrower_types(engine: DuckDBEngine) -> None:
    given = rows("journeys", journey(1)).mutate(other=ibis.literal(1), n_touches=ibis.literal(2, "int8"))
    given = given.mutate(value=ibis.literal(3, "int32"), days_to_convert=ibis.literal(1, "int16"))
    engine.write("journeys", given.select(*reversed(given.columns)))
    written = engine.read("journeys")
    assert written.columns == contract("journeys").column_names
    assert engine.execute(written.value.max()) == Decimal("3.00")


def test_a_table_may_be_made_of_itself(engine: DuckDBEngine) -> None:
    engine.write("journeys", rows("journeys", journey(1), journey(2)))
    table = engine.read("journeys")
    assert engine.write("journeys", table.filter(table.journey_id == "j2")) == 1


def test_conforming_takes_nulls_and_dates_for_moments() -> None:
    given = ibis.table(dict.fromkeys(contract("journeys").column_names, "null"))
    assert str(conform(contract("journeys"), given).schema()["started_at"]) == "timestamp(6)"
    given = ibis.table(contract("journeys").schema | {"started_at": "date"})
    assert str(conform(contract("journeys"), given).schema()["started_at"]) == "timestamp(6)"


def test_lists_keep_their_order(engine: DuckDBEngine) -> None:
    given = profile("a", recency_cuts=[3.0, 1.0, 2.0])
    engine.write("segment_profiles", rows("segment_profiles", given), as_of=D1)
    assert list(engine.execute(engine.read("segment_profiles"))["recency_cuts"][0]) == [3.0, 1.0, 2.0]


# -- append, delete, transactions ----------------------------------------------------------------------------------


def test_rows_are_appended_and_deleted_by_text(engine: DuckDBEngine) -> None:
    assert engine.append("journeys", rows("journeys", journey(1), journey(2, path="it's"))) == 2
    assert engine.append("journeys", rows("journeys", journey(3, path="it's"))) == 1
    engine.delete("journeys", path="it's", journey_id="j2")
    assert [row[0] for row in all_rows(engine, "journeys")] == ["j1", "j3"]


def test_a_transaction_does_all_or_nothing_also_around_writes(engine: DuckDBEngine) -> None:
    def fail() -> None:
        with engine.transaction():
            engine.append("journeys", rows("journeys", journey(1)))
            engine.write("segment_profiles", rows("segment_profiles", profile("a")), as_of=D1)
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    assert all_rows(engine, "journeys") == all_rows(engine, "segment_profiles") == []
    assert engine.slices("segment_profiles") == []
    with engine.transaction():
        engine.append("journeys", rows("journeys", journey(1)))
    assert len(all_rows(engine, "journeys")) == 1


def test_what_was_staged_in_a_failed_transaction_is_forgotten_without_harm(engine: DuckDBEngine) -> None:
    def fail() -> None:
        with engine.transaction():
            engine.stage(rows("journeys", journey(1)))
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    engine.drop_staged()
    assert engine.execute(engine.stage(rows("journeys", journey(2))).count()) == 1


# -- upsert --------------------------------------------------------------------------------------------------------


def test_of_one_key_the_last_ordinal_wins_and_a_loaded_row_is_replaced(engine: DuckDBEngine) -> None:
    last = customer(1, city="Tainan", _ordinal=9)
    assert load_customers(engine, last, customer(1, _ordinal=3), customer(2)) == Upsert(2, 1)
    assert load_customers(engine, customer(1, city="Hualien"), customer(3), file_id=2) == Upsert(2, 0)
    found = engine.execute(engine.read("customers").order_by("customer_id"))
    assert found[["customer_id", "city", "_file"]].to_numpy().tolist() == [
        ["c1", "Hualien", 2],
        ["c2", "Taipei", 1],
        ["c3", "Taipei", 2],
    ]


def test_a_row_that_is_loaded_already_is_a_duplicate_and_keeps_its_file(engine: DuckDBEngine) -> None:
    load_customers(engine, customer(1, phone=None))
    assert load_customers(engine, customer(1, phone=None), file_id=2) == Upsert(0, 1)
    assert engine.execute(engine.read("customers"))["_file"].tolist() == [1]


def test_a_staged_table_becomes_a_feed_with_the_types_of_its_contract(engine: DuckDBEngine) -> None:
    def columns() -> list[tuple[str, str, str | None]]:
        found = engine.connection.execute("DESCRIBE customers").fetchall()
        return [(name, kind, default) for name, kind, _, _, default, _ in found]

    empty = columns()
    load_customers(engine, customer(1), customer(2))
    assert columns() == empty


def test_a_row_with_a_reason_is_none_of_the_feed(engine: DuckDBEngine) -> None:
    schema = contract("stores").schema | {"_reason": "string"}
    given = [{"store_id": "a", "merchant_id": "m"}, {"store_id": "b", "merchant_id": "m", "_reason": "x"}]
    staged = engine.stage(memtable(schema, *given, {"store_id": "a", "merchant_id": "later"}))
    assert engine.execute(engine.numbered(staged))["_ordinal"].tolist() == [0, 1, 2]
    assert engine.upsert("stores", staged, file_id=1) == Upsert(1, 1)
    assert engine.execute(engine.read("stores"))["merchant_id"].tolist() == ["later"]


def test_what_a_killed_process_had_staged_is_gone_when_the_warehouse_is_opened(tmp_path: Path) -> None:
    first = DuckDBEngine(tmp_path / "w.duckdb", Settings())
    first.stage(rows("journeys", journey(1)))
    first.close()
    again = DuckDBEngine(tmp_path / "w.duckdb", Settings())
    found = again.connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%staged%'").fetchall()
    again.close()
    assert found == [(0,)]


# -- violations ----------------------------------------------------------------------------------------------------


def test_violations_count_the_rows_that_break_each_rule(engine: DuckDBEngine) -> None:
    broken = [journey(1, n_touches=-1), journey(2, days_to_convert=-0.5), journey(3, n_touches=-2), journey(4)]
    engine.append("journeys", rows("journeys", *broken, journey(4, path=None)))
    found = {v.rule: v.rows for v in engine.violations(contract("journeys"))}
    assert found == {
        "repeated_key": 1, "missing_value:path": 1, "out_of_range:n_touches": 2, "out_of_range:days_to_convert": 1,
    }  # fmt: skip
    engine.delete("journeys", journey_id="j4")
    assert {v.rule for v in engine.violations(contract("journeys"))} == {
        "out_of_range:n_touches", "out_of_range:days_to_convert",
    }  # fmt: skip


def test_two_rules_of_one_name_both_count(engine: DuckDBEngine) -> None:
    at, before = datetime(2017, 7, 1), datetime(2017, 6, 30)
    order = {"order_id": "o", "customer_id": "c", "merchant_id": "m", "ordered_at": at, "status": "paid"}
    given = [order | {"order_id": "1", "cancelled_at": before}, order | {"order_id": "2", "refunded_at": before}]
    schema = contract("online_orders").schema | {"_ordinal": "int64"}
    engine.upsert("online_orders", engine.stage(memtable(schema, *given)), file_id=1)
    assert [(v.rule, v.rows) for v in engine.violations(contract("online_orders"))] == [("time_order", 2)]


def test_violations_are_of_one_slice(engine: DuckDBEngine) -> None:
    engine.write("segment_profiles", rows("segment_profiles", profile("a", share=1.5)), as_of=D1)
    engine.write("segment_profiles", rows("segment_profiles", profile("a")), as_of=D2)
    table = contract("segment_profiles")
    assert [v.rule for v in engine.violations(table, as_of=D1)] == ["out_of_range:share"]
    assert engine.violations(table, as_of=D2) == []


@pytest.mark.parametrize("table", TABLES)
def test_every_table_exists_empty_and_keeps_its_contract(table: str) -> None:
    engine = DuckDBEngine(":memory:", Settings(threads=1))
    expr = engine.read(table)
    assert [n for n in expr.columns if n != "_file"] == list(contract(table).column_names)
    assert engine.violations(contract(table), as_of=D1 if "as_of" in expr.columns else None) == []
    engine.close()


def test_a_table_without_a_contract_is_no_table(engine: DuckDBEngine) -> None:
    with pytest.raises(UsageError, match="there is no table '_slices'"):
        engine.read("_slices")


# -- small things --------------------------------------------------------------------------------------------------


def test_names_and_texts_are_quoted() -> None:
    assert (quoted('a"b'), literal("it's")) == ('"a""b"', "'it''s'")
    assert {sql_type(c) for t in TABLES.values() for c in t.columns} == {
        "VARCHAR", "BIGINT", "DOUBLE", "DECIMAL(18, 2)", "TIMESTAMP", "DATE", "BOOLEAN", "VARCHAR[]", "DOUBLE[]",
    }  # fmt: skip


def test_limits_and_spill_folder_reach_the_database(tmp_path: Path) -> None:
    settings = Settings(memory_limit="300MB", threads=1, spill_folder=str(tmp_path / "spill here"))
    engine = DuckDBEngine(tmp_path / "w.duckdb", settings)
    names = "current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
    ((memory, threads, spill),) = engine.connection.execute(f"SELECT {names}").fetchall()
    engine.close()
    assert (memory, threads, Path(spill)) == ("286.1 MiB", 1, tmp_path / "spill here")


def test_a_warehouse_keeps_its_tables_when_it_is_closed(tmp_path: Path) -> None:
    for expected in (0, 1):
        engine = DuckDBEngine(tmp_path / "w.duckdb", Settings(threads=1))
        assert len(all_rows(engine, "journeys")) == expected
        engine.write("journeys", rows("journeys", journey(1)))
        engine.close()


def test_moments_and_days_come_back_as_they_were_written(engine: DuckDBEngine) -> None:
    at = datetime(2017, 3, 12, 2, 30, 0, 123_456)  # an hour that New York does not have
    engine.write("journeys", rows("journeys", journey(1, started_at=at)))
    found = engine.execute(engine.read("journeys"))["started_at"][0]
    assert found == pd.Timestamp(at)
    assert date(2017, 3, 12) == engine.execute(engine.read("journeys").started_at.date().max()).date()
