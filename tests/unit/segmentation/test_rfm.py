"""Scores by rank, as of a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.segmentation import rfm_scores

AS_OF = date(2017, 7, 1)
_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("purchased_at", pa.timestamp("us")),
        ("net_amount", pa.decimal128(18, 2)),
        ("cancelled_at", pa.timestamp("us")),
        ("refunded_at", pa.timestamp("us")),
        ("refunded_amount", pa.decimal128(18, 2)),
    ]
)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    yield engine
    engine.close()


def _buy(customer: str, days_before: float, net: str | None = "1.00", **facts: Any) -> dict[str, Any]:
    at = datetime(2017, 7, 1) - timedelta(days=days_before)
    amount = None if net is None else Decimal(net)
    return {"customer_id": customer, "purchased_at": at, "net_amount": amount, **facts}


def _scores(engine: DuckDBEngine, rows: list[dict[str, Any]], *, bins: int = 5) -> pd.DataFrame:
    purchases = ibis.memtable(pa.Table.from_pylist(rows, schema=_SCHEMA))
    frame: pd.DataFrame = engine.execute(rfm_scores(purchases, as_of=AS_OF, bins=bins))
    return frame.set_index("customer_id").sort_index()


def _expected(values: Mapping[Any, Any], bins: int) -> dict[str, int]:
    """Return the score of each customer by the formula of the contract, the best value last."""
    counts = Counter(values.values())
    below = {value: sum(count for other, count in counts.items() if other < value) for value in counts}
    return {
        name: 1 + floor(bins * (below[value] + Fraction(counts[value] + 1, 2) - Fraction(1, 2)) / len(values))
        for name, value in values.items()
    }


def test_ten_customers_are_scored_as_reckoned_by_hand(engine: DuckDBEngine) -> None:
    rows = [_buy(f"c{number}", 10 * number + 1, f"{number}.00") for number in range(10)]
    found = _scores(engine, rows)
    assert found["recency_days"].tolist() == [1, 11, 21, 31, 41, 51, 61, 71, 81, 91]
    assert found["r_score"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert found["f_score"].tolist() == [3] * 10
    assert found["m_score"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_many_customers_with_one_purchase_share_their_mean_rank(engine: DuckDBEngine) -> None:
    rows = [_buy(f"c{number}", 5) for number in range(8)]
    rows += [_buy("c8", 5)] * 2 + [_buy("c9", 5)] * 3
    # Eight tie at mean rank 4.5: 1 + floor(5 * 4 / 10) = 3.
    assert _scores(engine, rows)["f_score"].tolist() == [3] * 8 + [5, 5]


def test_a_mean_rank_on_the_edge_of_a_score_is_in_the_upper_one(engine: DuckDBEngine) -> None:
    # Four of ten tie: mean rank 2.5, 5 * 2 / 10 is exactly 1. The other six: mean rank 7.5, 5 * 7 / 10 = 3.5.
    rows = [_buy(f"c{number}", 5, "1.00" if number < 4 else "2.00") for number in range(10)]
    assert _scores(engine, rows)["m_score"].tolist() == [2] * 4 + [4] * 6


def test_purchases_on_the_day_itself_and_cancelled_before_it_do_not_count(engine: DuckDBEngine) -> None:
    midnight = datetime(2017, 7, 1)
    rows = [
        _buy("today", 0),
        _buy("yesterday", 1e-6),
        _buy("cancelled", 9, cancelled_at=midnight - timedelta(microseconds=1)),
        _buy("cancelled_later", 9, cancelled_at=midnight),
    ]
    found = _scores(engine, rows)
    assert found["recency_days"].to_dict() == {"cancelled_later": 9, "yesterday": 1}


def test_a_refund_at_or_after_as_of_is_not_taken_off_yet(engine: DuckDBEngine) -> None:
    refund = Decimal("4.00")
    rows = [
        _buy("after", 9, "6.00", refunded_at=datetime(2017, 7, 1), refunded_amount=refund),
        _buy("before", 9, "6.00", refunded_at=datetime(2017, 6, 30, 23), refunded_amount=refund),
        _buy("never", 9, "6.00", refunded_amount=Decimal("0.00")),
    ]
    found = _scores(engine, rows)["monetary"].map(str).to_dict()
    assert found == {"after": "10.00", "before": "6.00", "never": "6.00"}


def test_recency_counts_days_not_hours(engine: DuckDBEngine) -> None:
    rows = [_buy("late", 1 / 24), _buy("early", 23 / 24), _buy("eve", 25 / 24)]
    assert _scores(engine, rows)["recency_days"].to_dict() == {"late": 1, "early": 1, "eve": 2}


def test_unknown_amounts_have_no_score_and_count_in_none(engine: DuckDBEngine) -> None:
    rows = [_buy("none", 3, None), _buy("a", 3, "5.00"), _buy("a", 3, None), _buy("b", 3, "-5.00")]
    found = _scores(engine, rows, bins=2)
    assert found["m_score"].dropna().to_dict() == {"a": 2, "b": 1}
    assert found["frequency"].to_dict() == {"a": 2, "b": 1, "none": 1}
    assert found["monetary"].isna().to_dict() == {"a": False, "b": False, "none": True}


def test_one_customer_stands_in_the_middle(engine: DuckDBEngine) -> None:
    assert _scores(engine, [_buy("a", 3)])[["r_score", "f_score", "m_score"]].to_numpy().tolist() == [[3, 3, 3]]


def test_no_purchase_gives_no_score(engine: DuckDBEngine) -> None:
    assert _scores(engine, []).empty


def test_three_columns_are_enough_and_less_is_named() -> None:
    purchases = ibis.table({"customer_id": "string", "purchased_at": "timestamp", "net_amount": "float64"})
    assert "m_score" in rfm_scores(purchases, as_of=AS_OF).columns
    with pytest.raises(UsageError, match="lacks net_amount"):
        rfm_scores(purchases.drop("net_amount"), as_of=AS_OF)
    with pytest.raises(UsageError, match="bins = 1"):
        rfm_scores(purchases, as_of=AS_OF, bins=1)


@settings(max_examples=20, deadline=None)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(-500, 500)), min_size=1, max_size=80),
    bins=st.integers(2, 12),
)
def test_scores_are_those_of_the_formula(engine: DuckDBEngine, drawn: list[tuple[int, int, int]], bins: int) -> None:
    rows = [_buy(f"c{who:02d}", days, str(Decimal(cents).scaleb(-2))) for who, days, cents in drawn]
    found = _scores(engine, rows, bins=bins)
    columns = {"r_score": -found["recency_days"], "f_score": found["frequency"], "m_score": found["monetary"]}
    for score, values in columns.items():
        assert found[score].to_dict() == _expected(values.to_dict(), bins)
