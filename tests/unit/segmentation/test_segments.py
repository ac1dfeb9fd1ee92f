"""Customers with their segment, segments as a whole, and the steps that write both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.segmentation.named import segment_profiles, segments
from o2o_mining.segmentation.steps import build_segment_profiles, build_segments

AS_OF = date(2017, 7, 1)
MIDNIGHT = datetime(2017, 7, 1)
NOBODY = ibis.memtable(pa.table({"customer_id": pa.array([], pa.string())}))


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    yield engine
    engine.close()


def _table(name: str, *rows: Mapping[str, Any]) -> Any:
    schema = ibis.schema(contract(name).schema).to_pyarrow()
    loose = pa.schema([pa.field(column.name, column.type) for column in schema])
    return ibis.memtable(pa.Table.from_pylist([dict(row) for row in rows], schema=loose))


def _buy(number: int, customer: str, days_before: int, net: str | None = "1.00") -> dict[str, Any]:
    amount = None if net is None else Decimal(net)
    return {
        "purchase_id": f"o:{number}", "customer_id": customer, "merchant_id": "m", "source": "online",
        "purchased_at": MIDNIGHT - timedelta(days=days_before), "paid_amount": amount, "net_amount": amount,
        "refunded_amount": Decimal(0),
    }  # fmt: skip


def _purchases() -> list[dict[str, Any]]:
    """Twenty customers: c00 bought once and last, c19 twenty times and first."""
    return [
        _buy(100 * who + time, f"c{who:02d}", 1 + 3 * who + time, f"{who + 1}.50")
        for who in range(20)
        for time in range(who + 1)
    ]


def _known(engine: DuckDBEngine, purchases: list[dict[str, Any]], *customers: str) -> None:
    engine.write("known_purchases", _table("purchases", *purchases), as_of=AS_OF)
    known = _table("customers", *({"customer_id": name} for name in customers))
    engine.write("known_customers", known.select("customer_id"), as_of=AS_OF)


def _drawn(report: StepReport, chart: str) -> Any:
    return cast("Any", report.charts[chart]()).data


def _rows(engine: DuckDBEngine, table: str) -> pd.DataFrame:
    return engine.execute(engine.read(table))  # type: ignore[no-any-return]


def test_customers_who_have_not_bought_are_prospects_outside_the_ranking(engine: DuckDBEngine) -> None:
    customers = ibis.memtable(pa.table({"customer_id": ["buyer", "new", "old"]}))
    purchases = _table("purchases", _buy(1, "buyer", 3), _buy(2, "guest", 3), _buy(3, "tomorrow", -1))
    found = engine.execute(segments(purchases, customers, as_of=AS_OF)).set_index("customer_id")
    assert found["frequency"].to_dict() == {"buyer": 1, "guest": 1, "new": 0, "old": 0}
    prospects = found.loc[["new", "old"]]
    assert prospects.drop(columns=["frequency", "lifecycle_stage", "rule_segments"]).isna().all().all()
    assert set(prospects["lifecycle_stage"]) == {"prospect"}
    assert found.loc["buyer", "r_score"] == 3
    assert [list(codes) for codes in found["rule_segments"]] == [[]] * 4


def test_the_best_are_champions_and_the_worst_are_lost(engine: DuckDBEngine) -> None:
    rows = [_buy(number, "best", 1) for number in range(9)]
    rows += [_buy(100 + number, f"mid{number}", 50) for number in range(8) for _ in range(2)]
    rows += [_buy(200, "worst", 300)]
    found = engine.execute(segments(_table("purchases", *rows), NOBODY, as_of=AS_OF))
    codes = found.set_index("customer_id")["segment_code"].to_dict()
    assert (codes["best"], codes["worst"], codes["mid0"]) == ("champions", "lost", "need_attention")


def _profiles(engine: DuckDBEngine, *rows: Mapping[str, Any], bins: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    mined = segments(_table("purchases", *rows), NOBODY, as_of=AS_OF, bins=bins)
    profiles = segment_profiles(mined, bins=bins)
    return engine.execute(mined), engine.execute(profiles.filter(profiles.scheme == "rfm")).set_index("segment_code")


@pytest.mark.parametrize("bins", [2, 5, 10])
def test_profiles_are_those_of_pandas(engine: DuckDBEngine, bins: int) -> None:
    customers, profiles = _profiles(engine, *_purchases(), bins=bins)
    customers["monetary"] = customers["monetary"].astype(float)
    groups = customers.groupby("segment_code")
    assert profiles["customers"].to_dict() == groups.size().to_dict()
    assert profiles["median_recency_days"].to_dict() == groups["recency_days"].median().to_dict()
    assert profiles["mean_frequency"].to_dict() == pytest.approx(groups["frequency"].mean().to_dict())
    assert profiles["mean_monetary"].to_dict() == pytest.approx(groups["monetary"].mean().to_dict())
    revenue = groups["monetary"].sum() / customers["monetary"].sum()
    assert profiles["revenue_share"].to_dict() == pytest.approx(revenue.to_dict())
    assert profiles["share"].sum() == pytest.approx(1.0)
    assert set(profiles["scheme"]) == {"rfm"}


def test_shares_leave_prospects_out(engine: DuckDBEngine) -> None:
    customers = ibis.memtable(pa.table({"customer_id": ["x"]}))
    mined = segments(_table("purchases", _buy(1, "a", 3)), customers, as_of=AS_OF)
    found = engine.execute(segment_profiles(mined))
    found = found[found["scheme"] == "rfm"]
    assert (found["customers"].tolist(), found["share"].tolist()) == ([1], [1.0])


@pytest.mark.parametrize("bins", [2, 3, 5, 10])
@pytest.mark.parametrize("ties", [1, 4, 20])
def test_the_cut_points_give_back_every_score(engine: DuckDBEngine, bins: int, ties: int) -> None:
    rows = [
        _buy(100 * who + time, f"c{who:02d}", 1 + who // ties, f"{who // ties}.10")
        for who in range(20)
        for time in range(1 + who // ties)
    ]
    customers, profiles = _profiles(engine, *rows, bins=bins)
    cuts = profiles.iloc[0]
    for name, score, sign in (("recency_days", "r_score", -1), ("frequency", "f_score", 1), ("monetary", "m_score", 1)):
        points = [sign * cut for cut in cuts[f"{name.removesuffix('_days')}_cuts"]]
        assert len(points) == bins - 1
        assert points == sorted(points)
        again = [1 + sum(sign * float(value) >= point for point in points) for value in customers[name]]
        assert again == customers[score].tolist()


def test_without_amounts_money_is_unknown_and_segments_are_the_same(engine: DuckDBEngine) -> None:
    with_money, _ = _profiles(engine, *_purchases())
    without, profiles = _profiles(engine, *({**row, "net_amount": None} for row in _purchases()))
    codes = [frame.set_index("customer_id")["segment_code"].to_dict() for frame in (with_money, without)]
    assert codes[0] == codes[1]
    assert profiles[["mean_monetary", "revenue_share", "monetary_cuts"]].isna().all().all()


def test_steps_write_tables_that_fit_their_contracts(engine: DuckDBEngine) -> None:
    _known(engine, _purchases(), "c00", "prospect")
    mined = build_segments(engine, as_of=AS_OF, settings=Settings())
    profiled = build_segment_profiles(engine, as_of=AS_OF, settings=Settings())
    for report in (mined, profiled):
        assert report.rows == len(_rows(engine, report.table))
        assert engine.violations(contract(report.table), as_of=AS_OF) == []
    assert mined.figures == {"customers": 20, "prospects": 1, "bins": 5}
    assert mined.notes == ("feed customers is missing: prospects are the ids that any other feed names",)
    grid = next(iter(mined.samples.values()))
    assert grid.drop(columns="recency").to_numpy().sum() == 20
    sample = profiled.samples["Segments"]
    assert profiled.figures["customers"] == 20
    (heat,) = _drawn(mined, "rfm_map")
    assert sum(map(sum, heat.z)) == 20
    customers, revenue = _drawn(profiled, "segments")
    assert list(customers.y) == sample["segment"].tolist()
    assert sum(revenue.x) == pytest.approx(1.0)


def test_where_nobody_bought_there_are_only_prospects_and_it_is_said(engine: DuckDBEngine) -> None:
    _known(engine, [], "touched", "sent")
    report = build_segments(engine, as_of=AS_OF, settings=Settings())
    assert sorted(_rows(engine, "segments")["customer_id"]) == ["sent", "touched"]
    assert report.notes[-1] == "no purchase is known before 2017-07-01: nobody has a segment"
    report.charts["rfm_map"]()
    empty = build_segment_profiles(engine, as_of=AS_OF, settings=Settings())
    assert (empty.rows, empty.figures) == (0, {"segments": 0, "customers": 0})
    empty.charts["segments"]()
