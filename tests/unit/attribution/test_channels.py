"""The models of channels in the windows of the main job."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.attribution import attribute
from o2o_mining.attribution.credit.channels import split
from o2o_mining.attribution.credit.coded import CountedPaths, digits, group_paths, read_groups
from o2o_mining.attribution.credit.models import PATH_MODELS
from o2o_mining.attribution.credit.steps import build_campaign_attribution
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, REFUNDED, Buy, Touch, World

HOME = Settings(lookback_days=30)


def _at(days_before_as_of: float) -> datetime:
    return datetime(2017, 7, 1) - timedelta(days=days_before_as_of)


def _grouped(engine: DuckDBEngine, paths: dict[str, list[str]], channels: list[str]) -> CountedPaths:
    touches = pd.DataFrame(
        [
            {"journey_id": name, "position": place, "channel": channel}
            for name, names in paths.items()
            for place, channel in enumerate(names, start=1)
        ],
        columns=["journey_id", "position", "channel"],
    ).astype({"position": "int64", "journey_id": "str", "channel": "str"})
    journeys = pd.DataFrame({"journey_id": list(paths), "label": 0, "converted": 1, "lost": 0})
    journeys = journeys.assign(paid_cents=range(1, len(paths) + 1), refunded_cents=0)
    groups = group_paths(ibis.memtable(journeys), ibis.memtable(touches), channels=channels)
    return read_groups(*(engine.execute(rows) for rows in groups), channels=channels)


def _as_written(found: CountedPaths) -> dict[tuple[str, ...], tuple[int, int]]:
    sequences = found.sequences
    written: dict[tuple[str, ...], tuple[int, int]] = {}
    for number, start in enumerate(sequences.starts):
        codes = sequences.codes[start : start + sequences.lengths[number]]
        path = tuple(sequences.channels[code] for code in codes)
        row = found.counts.iloc[number]
        before = written.get(path, (0, 0))
        written[path] = (before[0] + int(row["converted"]), before[1] + int(row["paid_cents"]))
    return written


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(0, 200), min_size=1, max_size=8), n_channels=st.integers(1, 40), draw=st.randoms())
def test_grouped_paths_are_the_paths_whatever_their_length(
    engine: DuckDBEngine, lengths: list[int], n_channels: int, draw: Any
) -> None:
    channels = sorted(["direct", *(f"c{number}" for number in range(n_channels))])
    paths = {f"j{number}": [draw.choice(channels) for _ in range(length)] for number, length in enumerate(lengths)}
    expected: dict[tuple[str, ...], tuple[int, int]] = {}
    for cents, names in enumerate(paths.values(), start=1):
        path = tuple(names) or ("direct",)
        before = expected.get(path, (0, 0))
        expected[path] = (before[0] + 1, before[1] + cents)
    assert _as_written(_grouped(engine, paths, channels)) == expected


def test_journeys_of_one_path_are_one_row(engine: DuckDBEngine) -> None:
    found = _grouped(engine, {"x": ["a", "b"], "y": ["a", "b"], "z": []}, ["a", "b", "direct"])
    assert sorted(found.counts["converted"]) == [1, 2]


def test_a_word_holds_as_many_touches_as_fit() -> None:
    assert [digits(number) for number in (1, 12, 500)] == [62, 17, 7]


@pytest.mark.parametrize(("total", "parts"), [(0, [0, 0, 0]), (2, [1, 1, 0]), (-1, [0, 0, -1]), (7, [3, 2, 2])])
def test_whole_numbers_are_shared_out_to_the_last(total: int, parts: list[int]) -> None:
    assert split(total, np.full(3, 1 / 3)).tolist() == parts


def _journey(name: str, days_before: float, *channels: str, **facts: Any) -> Buy:
    at = _at(days_before)
    touches = [
        Touch(f"{name}-{place}", at - timedelta(hours=len(channels) - place), channel)
        for place, channel in enumerate(channels)
    ]
    return Buy(name, touches, at=at, **facts)


WORLD = World(
    buys=[
        _journey("o:1", 5, "search", "map", paid="10.01"),
        _journey("o:2", 60, "map", "search", "search", paid="20.00"),
        _journey("o:3", 200, "video", paid="30.00", refunded="12.00", refunded_at=REFUNDED),
        _journey("o:4", 1, paid=None),
    ],
    unconverted=[Touch("u1", _at(50), "radio"), Touch("u2", _at(49), "map")],
    campaign_costs=[{"campaign_id": "c1", "channel": "search", "spent_on": _at(3).date(), "cost": 4}],
    campaigns=[{"campaign_id": "c1", "starts_at": _at(9), "ends_at": _at(1)}],
)
# By window: paths with conversions, journeys lost, paid, refunded. A lost journey counts 30 days after its last touch.
LOST = ("radio > map", 0, 1, 0.0, 0.0)
D30 = [("search > map", 1, 0, 10.01, 0.0), ("direct", 1, 0, 0.0, 0.0), LOST]
D90 = [*D30, ("map > search > search", 1, 0, 20.0, 0.0)]
ALL = [*D90, ("video", 1, 0, 30.0, 12.0)]


@pytest.fixture(scope="module")
def mined() -> Any:
    engine = DuckDBEngine(":memory:", HOME)
    WORLD.store(engine)
    build_campaign_attribution(engine, as_of=AS_OF, settings=HOME)
    rows: pd.DataFrame = engine.execute(engine.slice("campaign_attribution", AS_OF))
    engine.close()
    rows["days"] = (pd.to_datetime(rows["window_end"]) - pd.to_datetime(rows["window_start"])).dt.days
    return rows


@pytest.mark.parametrize("model", PATH_MODELS)
@pytest.mark.parametrize(("days", "rows"), [(30, D30), (90, D90), (17348, ALL)])
def test_every_window_is_credited_as_its_own_paths_are(mined: Any, model: str, days: int, rows: list[Any]) -> None:
    paths = pd.DataFrame(rows, columns=["path", "conversions", "nulls", "value", "refunds"])
    expected = attribute(paths, model=model).set_index("channel")
    refunds = attribute(paths.assign(value=paths["refunds"]), model=model).set_index("channel")["value"]
    found = mined[(mined["model"] == model) & (mined["days"] == days)].set_index("id")
    assert set(found["level"]) == {"channel"}
    assert set(found.index) == {"direct", "map", "radio", "search", "video"}
    for name, row in found.iterrows():
        if name not in expected.index:
            assert (row["conversions"], float(row["revenue"])) == (0.0, 0.0)
            continue
        assert row["conversions"] == pytest.approx(expected.loc[name, "conversions"], abs=2e-6)
        assert float(row["revenue"]) == pytest.approx(expected.loc[name, "value"], abs=0.011)
        assert float(row["refunds"]) == pytest.approx(refunds[name], abs=0.011)
    assert sum(found["revenue"]) == sum(
        mined[(mined["model"] == "last") & (mined["days"] == days) & (mined["level"] == "channel")]["revenue"]
    )


def test_cost_and_assists_stand_beside_every_model(mined: Any) -> None:
    rows = mined[(mined["level"] == "channel") & (mined["days"] == 30)].set_index(["model", "id"])
    for model in PATH_MODELS:
        for name in ("direct", "map", "search"):
            for column in ("cost", "assisted_conversions", "lookback_days"):
                assert rows.loc[(model, name), column] == rows.loc[("last", name), column]
    search = rows.loc[("markov", "search")]
    assert search["roas"] == pytest.approx(float(search["net_revenue"]) / 4)
    assert search["cpa"] == pytest.approx(4 / search["conversions"])
