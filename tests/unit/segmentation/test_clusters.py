"""Clusters over habits: what forms them, what they are called, and that their published rows assign new customers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.segmentation.clusters import Clusters, assign_clusters, fit_clusters
from o2o_mining.segmentation.habits import WEIGHTS, drawn_in, habits, population, reliability
from o2o_mining.segmentation.steps import (
    build_cluster_centres,
    build_segment_migration,
    build_segment_profiles,
    build_segments,
)
from o2o_mining.segmentation.traits import Trait, cluster_codes, cluster_name, profile_text, trait_text
from o2o_mining.segmentation.words import namer

AS_OF = date(2024, 7, 1)
TASTES = {"cafe": (0.8, 0.1, 0.1), "spa": (0.1, 0.8, 0.1), "bar": (0.1, 0.1, 0.8)}


def _world(customers: int = 150, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Return behaviour, counts by category, and the taste of each customer."""
    rng = np.random.default_rng(seed)
    names = [f"c{n:04d}" for n in range(customers)]
    taste = {name: list(TASTES)[n % 3] for n, name in enumerate(names)}
    visits = rng.integers(10, 40, customers)
    rows = {name: rng.binomial(visits, 0.4) / visits for name in WEIGHTS if name.endswith("_share")}
    behaviour = pd.DataFrame({"customer_id": names, "n_purchases": visits, **rows, "mean_net_amount": 20.0})
    counts = [
        {"customer_id": name, "category": category, "purchases": int(count)}
        for name, n in zip(names, visits, strict=True)
        for category, count in zip(TASTES, rng.multinomial(n, TASTES[taste[name]]), strict=True)
        if count
    ]
    return behaviour, pd.DataFrame(counts), taste


@pytest.fixture(scope="module")
def fitted() -> Clusters:
    behaviour, counts, _ = _world()
    found = fit_clusters(habits(behaviour, counts))
    assert found is not None
    return found


def test_tastes_come_back_and_are_called_by_what_sets_them_apart(fitted: Clusters) -> None:
    taste = _world()[2]
    found = fitted.customers.set_index("customer_id")["cluster"]
    assert set(found) == {f"category/{name}=high" for name in TASTES}
    right = [found[name] == f"category/{own}=high" for name, own in taste.items()]
    assert np.mean(right) > 0.97
    assert fitted.centres["stability"].iloc[0] > 0.9


def test_codes_are_the_same_from_other_customers_of_the_same_world(fitted: Clusters) -> None:
    behaviour, counts, _ = _world(seed=9)
    other = fit_clusters(habits(behaviour, counts))
    assert other is not None
    assert set(other.customers["cluster"]) == set(fitted.customers["cluster"])


def test_the_rows_alone_give_every_customer_the_cluster_of_the_fit(fitted: Clusters) -> None:
    behaviour, counts, _ = _world()
    mixed = behaviour.sample(frac=1.0, random_state=1)
    again = assign_clusters(mixed, counts.sample(frac=1.0, random_state=2), fitted.centres)
    expected = fitted.customers.set_index("customer_id")["cluster"]
    assert again.index.tolist() == mixed["customer_id"].tolist()
    assert again.to_dict() == expected.to_dict()


def test_new_customers_are_assigned_without_fitting_and_too_few_purchases_are_no_behaviour(fitted: Clusters) -> None:
    new = pd.DataFrame({"customer_id": ["x", "y", "z"], "n_purchases": [20, 4, 9]})
    counts = pd.DataFrame({"customer_id": ["x", "y"], "category": ["spa", "spa"], "purchases": [20, 4]})
    found = assign_clusters(new, counts, fitted.centres)
    assert found["x"] == "category/spa=high"
    assert found.isna().tolist() == [False, True, False]  # z: no category known, so the nearest by all else
    with pytest.raises(UsageError, match="hold no clusters"):
        assign_clusters(new, counts, fitted.centres.iloc[:0])


def test_few_customers_and_customers_who_are_all_alike_have_no_clusters() -> None:
    behaviour, counts, _ = _world()
    few = behaviour.head(49)
    assert fit_clusters(habits(few, counts)) is None
    alike = behaviour.assign(n_purchases=10, **dict.fromkeys(WEIGHTS, 0.5))
    assert fit_clusters(habits(alike, counts.iloc[:0])) is None
    assert fit_clusters(habits(behaviour.iloc[:0], counts.iloc[:0])) is None


def test_chance_alone_has_no_reliability_and_a_share_of_few_purchases_is_drawn_in() -> None:
    behaviour, counts, _ = _world(600)
    seen = habits(behaviour, counts)
    shares = population(seen)
    trust = reliability(seen, shares)
    assert trust["evening_share"] < 0.1
    assert trust["category/cafe"] > 0.6
    drawn = drawn_in(seen, shares)
    n, p = seen.purchases[0], seen.values["category/cafe"][0]
    assert drawn["category/cafe"][0] == pytest.approx((n * p + 5 * shares["category/cafe"]) / (n + 5))


def test_a_single_category_says_nothing() -> None:
    behaviour, counts, _ = _world()
    assert not [name for name in habits(behaviour, counts.assign(category="all")).values if "/" in str(name)]


def test_equal_codes_grow_until_they_differ_and_are_counted_at_last() -> None:
    a, b = (Trait(name, "high", 0.9, 0.4, 2.0) for name in ("evening_share", "noon_share"))
    assert cluster_codes([[a, b], [a]]) == ["evening_share=high+noon_share=high", "evening_share=high"]
    assert cluster_codes([[a], [a], []]) == ["evening_share=high", "evening_share=high#2", "average"]


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
@pytest.mark.parametrize("level", ["high", "low"])
def test_every_habit_has_words_in_every_language(language: str, level: str) -> None:
    for habit in [*WEIGHTS, "category/cafe"]:
        assert cluster_name(f"{habit}={level}", language)
        said = trait_text(f"{habit}|{level}|0.5|0.25", language)
        assert "50 %" in said or "0.50" in said
        assert namer()(f"{habit}|{level}|0.5|0.25", language) == said
    assert profile_text([], language)
    assert namer()("average#2", language).endswith(" 2")


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    yield engine
    engine.close()


def _write(engine: DuckDBEngine, table: str, rows: Sequence[Mapping[Any, Any]], as_of: date | None) -> None:
    schema = ibis.schema({n: t for n, t in contract(table).schema.items() if n != "as_of"}).to_pyarrow()
    loose = pa.schema([pa.field(field.name, field.type) for field in schema])
    engine.write(table, ibis.memtable(pa.Table.from_pylist([dict(row) for row in rows], schema=loose)), as_of=as_of)


def _know(engine: DuckDBEngine, as_of: date, late: int = 0) -> None:
    """Let 150 customers be known, of whom `late` have not bought for long."""
    behaviour, counts, _ = _world()
    _write(engine, "customer_features", behaviour.to_dict("records"), as_of)
    bought = [
        {
            "purchase_id": f"o:{row.customer_id}:{row.category}:{n}", "customer_id": row.customer_id,
            "merchant_id": row.category, "source": "online", "refunded_amount": Decimal(0),
            "purchased_at": datetime.combine(as_of, datetime.min.time())
            - timedelta(days=2 + 3 * n + (400 if place < late else 0)),
            "net_amount": Decimal("10.00"), "paid_amount": Decimal("10.00"),
        }
        for place, row in enumerate(counts.itertuples())
        for n in range(int(str(row.purchases)))
    ]  # fmt: skip
    _write(engine, "known_purchases", bought, as_of)
    known = [{"customer_id": name} for name in [*behaviour["customer_id"], "prospect"]]
    _write(engine, "known_customers", known, as_of)


def test_the_steps_fill_every_scheme_and_say_who_moved(engine: DuckDBEngine) -> None:
    earlier = AS_OF - timedelta(days=30)
    for day, late in ((earlier, 0), (AS_OF, 60)):
        _know(engine, day, late)
        fit = build_cluster_centres(engine, as_of=day)
        build_segments(engine, as_of=day, settings=Settings())
        moved = build_segment_migration(engine, as_of=day)
        profiled = build_segment_profiles(engine, as_of=day, settings=Settings())
    for report in (fit, moved, profiled):
        assert engine.violations(contract(report.table), as_of=AS_OF) == []
        for chart in report.charts.values():
            assert chart() is not None
    profiles = engine.execute(engine.slice("segment_profiles", AS_OF))
    assert set(profiles["scheme"]) >= {"rfm", "lifecycle"}
    segments = engine.execute(engine.slice("segments", AS_OF))
    assert segments.set_index("customer_id").loc["prospect", "lifecycle_stage"] == "prospect"
    for scheme, column in (("rfm", "segment_code"), ("cluster", "cluster"), ("lifecycle", "lifecycle_stage")):
        sizes = segments[column].value_counts().to_dict()
        sizes.pop("prospect", None)
        assert profiles[profiles["scheme"] == scheme].set_index("segment_code")["customers"].to_dict() == sizes
    moves = engine.execute(engine.slice("segment_migration", AS_OF))
    assert {str(day)[:10] for day in moves["previous_as_of"]} == {str(earlier)}
    assert moves.groupby("scheme")["customers"].sum()["lifecycle"] == 151


def test_the_first_day_has_no_moves_and_a_small_home_no_clusters_and_both_say_why(engine: DuckDBEngine) -> None:
    _write(engine, "known_purchases", [], AS_OF)
    _write(engine, "known_customers", [], AS_OF)
    fit = build_cluster_centres(engine, as_of=AS_OF)
    assert fit.rows == 0
    assert "it takes 50" in fit.notes[0]
    build_segments(engine, as_of=AS_OF, settings=Settings())
    moved = build_segment_migration(engine, as_of=AS_OF)
    assert (moved.rows, moved.notes) == (
        0,
        ("the home holds no segments of a day before 2024-07-01: nobody can have moved yet",),
    )
