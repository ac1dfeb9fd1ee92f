"""Attribution over a table of paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.attribution import attribute, removal_effects
from o2o_mining.attribution.credit.models import ALL_MODELS
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.core.errors import UsageError
from tests.unit.attribution.worlds import expected_shares


def _paths(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def _credit(paths: pd.DataFrame, model: str, **options: float) -> dict[str, tuple[float, float]]:
    credited = attribute(paths, model=model, **options)  # type: ignore[arg-type]
    return {row.channel: (row.conversions, row.value) for row in credited.itertuples()}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ("first", {"a": 100, "b": 0, "c": 0, "d": 0}),
        ("last", {"a": 0, "b": 0, "c": 0, "d": 100}),
        ("last_non_direct", {"a": 0, "b": 0, "c": 0, "d": 100}),
        ("linear", {"a": 25, "b": 25, "c": 25, "d": 25}),
        ("position", {"a": 40, "b": 10, "c": 10, "d": 40}),
        ("j_shaped", {"a": 20, "b": 10, "c": 10, "d": 60}),
    ],
)
def test_four_touches_are_credited_as_reckoned_by_hand(model: str, value: dict[str, float]) -> None:
    found = _credit(_paths(path=["a > b > c > d"], conversions=[2], value=[100.0]), model)
    assert {name: credit[1] for name, credit in found.items()} == pytest.approx(value)
    assert {name: credit[0] * 50 for name, credit in found.items()} == pytest.approx(value)


@pytest.mark.parametrize(
    ("model", "first", "second"), [("position", 0.5, 0.5), ("j_shaped", 0.25, 0.75), ("first", 1, 0), ("last", 0, 1)]
)
def test_two_touches_have_a_rule_of_their_own(model: str, first: float, second: float) -> None:
    found = _credit(_paths(path=["a>b"], conversions=[1], value=[8.0]), model)
    assert found == {"a": (first, 8 * first), "b": (second, 8 * second)}


def test_time_decay_gives_the_golden_case() -> None:
    paths = _paths(path=["a > b > c > d"], conversions=[1], value=[50.0], gaps_days=[[9, 6, 0, 0]])
    assert attribute(paths, model="time_decay")["value"].round(2).tolist() == [6.92, 9.32, 16.88, 16.88]


def test_time_decay_halves_with_the_half_life_asked_for_and_old_paths_do_not_vanish() -> None:
    paths = _paths(path=["a > b"], conversions=[1], value=[3.0], gaps_days=[np.array([20001.0, 20000.0])])
    assert _credit(paths, "time_decay", half_life_days=1.0) == {
        "a": pytest.approx((1 / 3, 1.0)),
        "b": pytest.approx((2 / 3, 2.0)),
    }


def test_last_non_direct_falls_back_to_direct_only_if_all_are() -> None:
    paths = _paths(path=["a > b > direct > direct", "direct > direct"], conversions=[1, 3], value=[7.0, 5.0])
    assert _credit(paths, "last_non_direct") == {"a": (0, 0), "b": (1, 7), "direct": (3, 5)}


def test_conversions_are_not_weighed_by_revenue() -> None:
    found = attribute(_paths(path=["a > b", "a"], conversions=[1, 1], value=[1000.0, 1.0]), model="linear")
    assert found["conversions"].tolist() == [1.5, 0.5]


def test_conversions_of_value_0_or_null_are_kept_and_fractions_stay_fractions() -> None:
    found = attribute(_paths(path=["a > b > c", "a"], conversions=[1, 1], value=[0.0, None]), model="linear")
    assert found["conversions"].tolist() == pytest.approx([4 / 3, 1 / 3, 1 / 3], rel=1e-15)
    assert found["value"].tolist() == [0, 0, 0]


def test_a_channel_without_a_conversion_has_a_row() -> None:
    paths = _paths(path=["a", "b"], conversions=[1, 0], value=[5.0, 0.0], nulls=[0, 9])
    assert _credit(paths, "last")["b"] == (0.0, 0.0)


def test_a_channel_that_comes_twice_is_credited_twice() -> None:
    assert _credit(_paths(path=["a > b > a"], conversions=[1], value=[10.0]), "position") == {
        "a": pytest.approx((0.8, 8.0)),
        "b": pytest.approx((0.2, 2.0)),
    }


def test_no_paths_give_no_channels() -> None:
    empty = _paths(path=pd.Series(dtype=str), conversions=[], value=[], nulls=[], gaps_days=[])
    for model in ALL_MODELS:
        credited = attribute(empty, model=model)
        assert list(credited.columns) == ["channel", "conversions", "value"]
        assert credited.empty


@pytest.mark.parametrize(
    ("paths", "options", "said"),
    [
        ({"path": ["a"], "conversions": [1], "value": [1.0]}, {"model": "time_decay"}, "lacks gaps_days"),
        ({"path": ["a"], "conversions": [1]}, {"model": "last"}, "lacks value"),
        ({"path": ["a"], "conversions": [1], "value": [1.0]}, {"model": "u_shape"}, "no model 'u_shape'"),
        ({"path": ["a"], "conversions": [1], "value": [1.0]}, {"model": "last", "order": 0}, "order = 0"),
        (
            {"path": ["a"], "conversions": [1], "value": [1.0], "nulls": [1]},
            {"model": "markov", "order": 5},
            "order = 5",
        ),
        ({"path": ["a"], "conversions": [1], "value": [1.0]}, {"model": "markov"}, "lacks nulls"),
        ({"path": ["a"], "conversions": [1], "value": [1.0]}, {"model": "shapley"}, "lacks nulls"),
        (
            {"path": ["a"], "conversions": [1], "value": [1.0], "nulls": [-1]},
            {"model": "markov"},
            "nulls in row 0",
        ),
        (
            {"path": ["a"], "conversions": [np.inf], "value": [1.0], "nulls": [1]},
            {"model": "shapley"},
            "conversions in row 0 is inf",
        ),
        ({"path": ["a"], "conversions": [0], "value": [1.0], "nulls": [1]}, {"model": "shapley"}, "no conversion"),
        ({"path": ["a"], "conversions": [1], "value": [1.0]}, {"model": "last", "half_life_days": 0}, "half_life_days"),
        ({"path": ["a", "b > > c"], "conversions": [1, 1], "value": [1.0, 1.0]}, {"model": "last"}, "row 1"),
        ({"path": ["a", None], "conversions": [1, 1], "value": [1.0, 1.0]}, {"model": "last"}, "row 1"),
        (
            {"path": ["a > b"], "conversions": [1], "value": [1.0], "gaps_days": [[1.0]]},
            {"model": "time_decay"},
            "another number",
        ),
        (
            {"path": ["a > b"], "conversions": [1], "value": [1.0], "gaps_days": [[1.0, -2.0]]},
            {"model": "time_decay"},
            "gaps_days in row 0 has -2.0",
        ),
    ],
)
def test_what_cannot_be_credited_is_refused_by_name(
    paths: dict[str, object], options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        attribute(pd.DataFrame(paths), **options)  # type: ignore[arg-type]


_GOOD: dict[str, list[Any]] = {
    "path": ["b > a", "a"],
    "conversions": [1, 1],
    "value": [1.0, 1.0],
    "nulls": [1, 1],
    "gaps_days": [[2, 1], [1]],
}
_UGLY: list[tuple[dict[str, list[Any]], str]] = [
    ({"conversions": [1, "x"]}, "conversions in row 1 is 'x'"),
    ({"conversions": [1, -2]}, "conversions in row 1 is -2"),
    ({"conversions": [np.inf, 1]}, "conversions in row 0 is inf"),
    ({"conversions": [1, [1]]}, r"conversions in row 1 is \[1\]"),
    ({"value": [1.0, np.inf]}, "value in row 1 is inf"),
    ({"path": ["a", ["a", "b"]]}, r"path in row 1 is \['a', 'b'\], not text"),
    ({"path": ["a", None]}, "path in row 1 is null"),
    ({"path": pd.Categorical(["a", None])}, "path in row 1 is null"),  # type: ignore[dict-item]
    ({"path": ["b", "a > "]}, "without a channel in 1 paths, the first in row 1"),
]


@pytest.mark.parametrize("model", ALL_MODELS)
@pytest.mark.parametrize(("ugly", "said"), _UGLY)
def test_every_model_names_column_row_and_next_step_of_what_it_cannot_read(
    model: str, ugly: dict[str, list[Any]], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        attribute(pd.DataFrame(_GOOD | ugly), model=model)
    assert refused.value.next_step


@pytest.mark.parametrize("gaps", [[None, 1], ["x", 1], [np.nan, 1]])
def test_gaps_that_are_no_days_are_refused_with_their_row(gaps: list[Any]) -> None:
    with pytest.raises(UsageError, match="gaps_days in row 0 has"):
        attribute(pd.DataFrame(_GOOD | {"gaps_days": [gaps, [1]]}), model="time_decay")


@pytest.mark.parametrize("paths", [None, [("a", 1, 1.0)], {"path": ["a"]}])
def test_what_is_no_table_is_refused(paths: Any) -> None:
    with pytest.raises(UsageError, match="not a table") as refused:
        attribute(paths, model="last")
    assert "pandas.DataFrame" in refused.value.next_step
    with pytest.raises(UsageError, match="not a table"):
        removal_effects(paths)


def test_a_column_that_is_there_twice_is_refused() -> None:
    good = pd.DataFrame(_GOOD)
    with pytest.raises(UsageError, match="conversions more than once"):
        removal_effects(pd.concat([good, good[["conversions"]]], axis=1))


@pytest.mark.parametrize("options", [{"half_life_days": "7"}, {"half_life_days": None}, {"order": 2.0}, {"order": "2"}])
def test_options_that_are_no_such_numbers_are_refused(options: dict[str, Any]) -> None:
    for model in ("time_decay", "markov"):
        with pytest.raises(UsageError, match=next(iter(options))):
            attribute(pd.DataFrame(_GOOD), model=model, **options)


@pytest.mark.parametrize("model", ALL_MODELS)
def test_columns_of_other_kinds_say_the_same(model: str) -> None:
    good = pd.DataFrame(_GOOD)
    other = good.astype({"path": "category", "conversions": "Int64", "nulls": "object"})
    pd.testing.assert_frame_equal(attribute(other, model=model), attribute(good, model=model))


_NAMES = st.sampled_from(["search", "map", "video", "direct"])
_ROWS = st.lists(
    st.tuples(
        st.lists(st.tuples(_NAMES, st.floats(0, 60)), min_size=1, max_size=8),
        st.integers(0, 50),
        st.floats(0, 1e6),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(rows=_ROWS, model=st.sampled_from(TOUCH_MODELS), seed=st.randoms())
def test_every_model_adds_up_as_defined_in_any_order_of_rows(
    rows: list[tuple[list[tuple[str, float]], int, float]], model: str, seed: object
) -> None:
    paths = pd.DataFrame(
        {
            "path": [" > ".join(name for name, _ in touches) for touches, _, _ in rows],
            "conversions": [conversions for _, conversions, _ in rows],
            "value": [value for _, _, value in rows],
            "gaps_days": [[gap for _, gap in touches] for touches, _, _ in rows],
        }
    )
    credited = attribute(paths, model=model)
    expected: dict[str, float] = {}
    for touches, _, value in rows:
        names, gaps = [name for name, _ in touches], [gap for _, gap in touches]
        for name, share in zip(names, expected_shares(model, names, gaps), strict=True):
            expected[name] = expected.get(name, 0.0) + float(share) * value
    assert dict(zip(credited["channel"], credited["value"], strict=True)) == pytest.approx(expected)
    assert credited["conversions"].sum() == pytest.approx(paths["conversions"].sum())
    assert credited["value"].sum() == pytest.approx(paths["value"].sum())
    shuffled = paths.sample(frac=1, random_state=seed.randrange(2**32))  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(attribute(shuffled, model=model), credited, check_exact=True)
