"""How journeys run: paths, lengths, moves and the parts of channels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from o2o_mining.attribution import removal_effects
from o2o_mining.attribution.credit.steps import build_campaign_attribution, build_channel_roles
from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.test_channels import ALL, HOME, WORLD
from tests.unit.attribution.worlds import AS_OF, BOUGHT, Buy, Touch, World

TABLES = ("path_summary", "path_histograms", "channel_transitions", "channel_roles")


def _mined(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    engine = DuckDBEngine(":memory:", HOME)
    world.store(engine)
    build_campaign_attribution(engine, as_of=AS_OF, settings=HOME)
    reports = {report.table: report for report in build_channel_roles(engine, as_of=AS_OF, settings=HOME)}
    assert [engine.violations(contract(name), as_of=AS_OF) for name in TABLES] == [[], [], [], []]
    found = {name: engine.execute(engine.slice(name, AS_OF)) for name in TABLES}
    engine.close()
    return found, reports


@pytest.fixture(scope="module")
def mined() -> tuple[dict[str, Any], dict[str, Any]]:
    return _mined(WORLD)


def _of_all_history(mined: tuple[dict[str, Any], dict[str, Any]], name: str) -> Any:
    rows = mined[0][name]
    return rows[rows["window_start"] == rows["window_start"].min()]


def test_paths_are_counted_by_hand(mined: Any) -> None:
    rows = _of_all_history(mined, "path_summary").set_index(["outcome", "path"])
    converted = {"direct": "0.00", "map > search > search": "20.00", "search > map": "10.01", "video": "30.00"}
    assert rows.loc["converted"]["revenue"].map(str).to_dict() == converted
    assert rows.loc["lost"]["journeys"].to_dict() == {"radio > map": 1}
    assert set(rows.loc["converted"]["share"]) == {0.25}
    assert sorted(rows.loc["converted"]["rank"]) == [1, 2, 3, 4]


def test_lengths_are_counted_by_hand(mined: Any) -> None:
    rows = _of_all_history(mined, "path_histograms").set_index(["measure", "amount"])["conversions"]
    assert rows["touches"].to_dict() == {0: 1, 1: 1, 2: 1, 3: 1}
    assert rows["days"].to_dict() == {0: 4}


def test_moves_out_of_each_state_add_up_to_1(mined: Any) -> None:
    rows = mined[0]["channel_transitions"]
    sums = rows.groupby(["window_start", "from_state"])["probability"].sum()
    assert sums.tolist() == pytest.approx([1.0] * len(sums), abs=1e-5)
    first = _of_all_history(mined, "channel_transitions").set_index(["from_state", "to_state"])["journeys"]
    assert first["search"].to_dict() == {"(conversion)": 1, "map": 1, "search": 1}


def test_the_parts_of_channels_are_those_of_the_paths(mined: Any) -> None:
    import pandas as pd

    rows = _of_all_history(mined, "channel_roles").set_index("channel")
    paths = pd.DataFrame(ALL, columns=["path", "conversions", "nulls", "value", "refunds"])
    effects = removal_effects(paths).set_index("channel")["removal_effect"].to_dict()
    assert rows["removal_effect"].to_dict() == pytest.approx(effects, abs=1e-6)
    assert rows.loc["map", ["first_conversions", "last_conversions", "assisted_conversions"]].tolist() == [1, 1, 1]
    assert rows.loc["map", "assisted_per_last"] == 1.0
    # All purchases are Ann's: her first came by video.
    assert rows["new_customer_conversions"].to_dict() == {"direct": 0, "map": 0, "radio": 0, "search": 0, "video": 1}
    assert rows["returning_customer_conversions"].sum() == 3


def test_what_was_counted_is_drawn(mined: Any) -> None:
    for report in mined[1].values():
        for draw in report.charts.values():
            assert len(draw().data)


def test_channels_called_as_states_are_stay_channels() -> None:
    names = ("(start)", "(conversion)", "(null)", "((null))")
    touches = [Touch(f"t{n}", BOUGHT - timedelta(days=9 - n), name) for n, name in enumerate(names)]
    found, _ = _mined(World(buys=[Buy("p", touches)]))
    moved = _of_all_history((found, {}), "channel_transitions")
    assert set(zip(moved["from_state"], moved["to_state"], moved["probability"], strict=True)) == {
        ("(start)", "((start))", 1.0),
        ("((start))", "((conversion))", 1.0),
        ("((conversion))", "((null))", 1.0),
        ("((null))", "(((null)))", 1.0),
        ("(((null)))", "(conversion)", 1.0),
    }
    roles = _of_all_history((found, {}), "channel_roles").set_index("channel")["removal_effect"]
    assert {name: roles[name] for name in names} == dict.fromkeys(names, 1.0)
    assert " > ".join(names) in set(found["path_summary"]["path"])


def test_without_journeys_there_are_no_paths() -> None:
    found, reports = _mined(World())
    assert [len(found[name]) for name in TABLES[:3]] == [0, 0, 0]
    assert found["channel_roles"]["removal_effect"].tolist() == [0.0] * 3
    for report in reports.values():
        for draw in report.charts.values():
            draw()
