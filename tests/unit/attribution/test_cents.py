"""Money as whole cents and back."""

from __future__ import annotations

from decimal import Decimal

import ibis
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.attribution.cents import floor_divide, share_out, to_cents, to_money
from o2o_mining.engine.duckdb import DuckDBEngine

_MOST = 10**18 - 1  # what decimal(18, 2) holds
_LEAST = -(10**18 - 100)  # rounding down must find a whole number of the same type


def _column(values: list[int], name: str = "c") -> pa.Table:
    return pa.table({name: pa.array(values, pa.int64())})


@settings(max_examples=20, deadline=None)
@given(cents=st.lists(st.integers(_LEAST, _MOST), min_size=1, max_size=50))
def test_no_cent_is_lost_between_money_and_cents(engine: DuckDBEngine, cents: list[int]) -> None:
    money = pa.array([Decimal(value).scaleb(-2) for value in cents], pa.decimal128(18, 2))
    rows = ibis.memtable(pa.table({"i": range(len(cents)), "c": pa.array(cents, pa.int64()), "m": money}))
    found = engine.execute(rows.order_by("i").select(c=to_cents(rows.m), m=to_money(rows.c)))
    assert found["c"].tolist() == cents
    assert found["m"].tolist() == money.to_pylist()


@settings(max_examples=20, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(-_MOST, _MOST), st.integers(1, 2**43)), min_size=1, max_size=50))
def test_quotients_are_those_of_python(engine: DuckDBEngine, pairs: list[tuple[int, int]]) -> None:
    rows = ibis.memtable(pa.table({"i": range(len(pairs)), "a": [a for a, _ in pairs], "b": [b for _, b in pairs]}))
    found = engine.execute(rows.order_by("i").select(q=floor_divide(rows.a, rows.b)))
    assert found["q"].tolist() == [a // b for a, b in pairs]


def test_vast_amounts_by_weights_that_float64_cannot_hold_add_up_all_the_same(engine: DuckDBEngine) -> None:
    weights = [2**40, 3, 2**39 + 1, 7 * 2**33 + 5, 1]
    rows = ibis.memtable(
        pa.table({"g": ["x"] * 5, "i": range(5), "c": [_MOST] * 5, "w": weights, "all": [sum(weights)] * 5})
    )
    parts = engine.execute(
        share_out(rows, cents="c", weight="w", weights="all", group=("g",), later="i").order_by("i")
    )["c"].tolist()
    assert sum(parts) == _MOST
    assert max(abs(part - _MOST * weight // sum(weights)) for part, weight in zip(parts, weights, strict=True)) < 100


def test_columns_of_cents_survive_without_rows(engine: DuckDBEngine) -> None:
    assert engine.execute(to_money(ibis.memtable(_column([])).c)).tolist() == []
