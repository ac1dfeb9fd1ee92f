"""The Markov chain of journeys, against dense linear algebra written here anew."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.attribution import attribute, removal_effects
from o2o_mining.attribution.credit.markov import _DENSE_STATES, best_chain, markov_chain, transitions
from o2o_mining.attribution.credit.sequences import read_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "mta" / "paths.csv.gz"


@pytest.fixture(scope="module")
def paths() -> pd.DataFrame:
    read = pd.read_csv(FIXTURE)
    read.columns = pd.Index(["path", "conversions", "value", "nulls"])
    return read


def expected_effects(paths: pd.DataFrame, order: int) -> dict[str, float]:
    """Return removal effects by the inverse of I - Q, over k-grams that follow START at once."""
    counts: dict[Any, dict[Any, float]] = defaultdict(lambda: defaultdict(float))
    for path, converted, lost in zip(paths["path"], paths["conversions"], paths["nulls"], strict=True):
        names = tuple(path.split(" > "))
        grams = [names[at : at + order] for at in range(max(len(names) - order, 0) + 1)]
        for left, reached in zip(["START", *grams], grams, strict=False):
            counts[left][reached] += converted + lost
        counts[grams[-1]]["CONVERSION"] += converted
        counts[grams[-1]]["NULL"] += lost
    channels = sorted({name for path in paths["path"] for name in path.split(" > ")})
    whole = _converts(counts, None)
    return {channel: 1 - _converts(counts, channel) / whole for channel in channels}


def _converts(counts: Mapping[Any, Mapping[Any, float]], removed: str | None) -> float:
    """Return the first entry of (I - Q)^-1 R, with transitions into states that contain a channel led to NULL."""
    states = list(counts)
    place = {state: number for number, state in enumerate(states)}
    q, r = np.zeros((len(states), len(states))), np.zeros(len(states))
    for state, targets in counts.items():
        left = sum(targets.values())
        for target, count in targets.items():
            if target == "CONVERSION":
                r[place[state]] = count / left
            elif target != "NULL" and removed not in target:
                q[place[state], place[target]] = count / left
    return float(np.linalg.solve(np.eye(len(states)) - q, r)[place["START"]])


def _effects(paths: pd.DataFrame, **options: Any) -> dict[str, float]:
    found = removal_effects(paths, **options)
    return dict(zip(found["channel"], found["removal_effect"], strict=True))


def _counted(rows: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    converted, lost = zip(*rows.values(), strict=True)
    return pd.DataFrame({"path": list(rows), "conversions": converted, "nulls": lost, "value": converted})


@pytest.mark.parametrize("order", [1, 2])
def test_ten_thousand_paths_give_the_effects_of_dense_linear_algebra(paths: pd.DataFrame, order: int) -> None:
    expected = expected_effects(paths, order)
    assert _effects(paths, order=order) == pytest.approx(expected, rel=0, abs=1e-12)
    credited = attribute(paths, model="markov", order=order)
    effects = np.array(list(expected.values()))
    for name in ("conversions", "value"):
        assert credited[name].to_numpy() == pytest.approx(effects / effects.sum() * paths[name].sum(), rel=1e-9)


@pytest.mark.parametrize("order", [3, 4])
def test_chains_of_many_states_give_the_effects_of_dense_linear_algebra_too(paths: pd.DataFrame, order: int) -> None:
    some = paths[:700]
    counts = (some[name].to_numpy(float) for name in ("conversions", "nulls"))
    assert len(markov_chain(read_paths(some["path"]), *counts, order=order).states) > _DENSE_STATES
    assert _effects(some, order=order) == pytest.approx(expected_effects(some, order), rel=0, abs=1e-12)


def test_every_run_and_every_order_of_rows_gives_the_same_bytes(paths: pd.DataFrame) -> None:
    shuffled = paths.sample(frac=1, random_state=1)
    for order in (1, 3):
        pd.testing.assert_frame_equal(
            attribute(paths, model="markov", order=order),
            attribute(shuffled, model="markov", order=order),
            check_exact=True,
        )


def test_two_channels_are_reckoned_by_hand() -> None:
    # From START always to a; from a (9 left) to b 2, converted 2; from b (2 left) converted 1: P = 2/9 + 2/9 · 1/2.
    effects = _effects(_counted({"a > b": (1, 1), "a": (2, 5)}))
    assert effects == {"a": pytest.approx(1.0), "b": pytest.approx(1 / 3)}


def test_without_journeys_that_did_not_convert_the_figures_are_others() -> None:
    rows = _counted({"a > b": (1, 0), "b > a": (1, 9), "c": (1, 0)})
    # From START (12 left) to a 1, b 10, c 1; from a (11) to b 1, converted 1; from b (11) to a 10, converted 1.
    # P = 3/12; without a (10/11 + 1)/12, without b (1/11 + 1)/12, without c 2/12.
    assert _effects(rows) == pytest.approx({"a": 12 / 33, "b": 21 / 33, "c": 1 / 3})
    assert _effects(rows.assign(nulls=0)) == pytest.approx({"a": 1 / 2, "b": 1 / 2, "c": 1 / 3})


def test_openers_count_since_journeys_begin_at_a_start() -> None:
    # Everybody who converts comes through a, and b closes one journey of ten: without START both would count alike.
    effects = _effects(_counted({"a > b": (1, 0), "a": (9, 10)}))
    assert effects["a"] == pytest.approx(1.0)
    assert effects["b"] == pytest.approx(0.1)


def test_a_channel_is_removed_from_every_state_that_contains_it() -> None:
    # By order 2 from START to ab (4) and to cd (2); ab converts 3 of 4, cd 1 of 2. Without b nothing of ab is left.
    effects = _effects(_counted({"a > b": (3, 1), "c > d": (1, 1)}), order=2)
    assert effects == pytest.approx({"a": 3 / 4, "b": 3 / 4, "c": 1 / 4, "d": 1 / 4})


def test_loops_are_kept_unless_asked_otherwise() -> None:
    looping = _counted({"d > a > a > b": (2, 0), "e > a > a > c": (0, 2)})
    straight = _counted({"d > a > b": (2, 0), "e > a > c": (0, 2)})
    # By order 2, who was twice at a has forgotten whence: without d the half that comes from e converts as well.
    assert _effects(looping, order=2)["d"] == pytest.approx(1 / 2)
    assert _effects(straight, order=2)["d"] == pytest.approx(1.0)
    assert _effects(looping, order=2, keep_loops=False) == _effects(straight, order=2)


def test_conversions_add_up_to_their_number_whatever_they_are_worth() -> None:
    rows = _counted({"a > b": (1, 1), "b": (1, 3)}).assign(value=[1000.0, 0.0])
    credited = attribute(rows, model="markov")
    assert credited["conversions"].sum() == pytest.approx(2)
    assert credited["conversions"].tolist() == pytest.approx((credited["value"] / 500).tolist())


def test_where_nothing_converts_nothing_is_credited() -> None:
    rows = _counted({"a > b": (0, 3)})
    assert attribute(rows, model="markov")["conversions"].tolist() == [0, 0]
    assert _effects(rows) == {"a": 0.0, "b": 0.0}


def test_a_path_that_nobody_took_changes_nothing() -> None:
    taken, untaken = {"a > b": (1, 1), "b": (1, 3)}, {"c > a > a": (0, 0)}
    assert _effects(_counted({**taken, **untaken}), order=2) == {**_effects(_counted(taken), order=2), "c": 0.0}


def test_the_order_chosen_is_that_of_the_journeys() -> None:
    draw = np.random.default_rng(5)
    # The first two moves are a coin's; then by order 2 a channel repeats the one before the last, mostly.
    repeating = []
    for _ in range(400):
        names = list(draw.choice(["a", "b", "c"], 2))
        while draw.random() > 0.2:
            names.append(names[-2] if draw.random() < 0.8 else str(draw.choice(["a", "b", "c"])))
        repeating.append(names)
    forgetful = [list(draw.choice(["a", "b", "c"], draw.geometric(0.2))) for _ in range(400)]
    for journeys, order in ((repeating, 2), (forgetful, 1)):
        sequences = read_paths([" > ".join(names) for names in journeys])
        converted = (draw.random(400) < 0.3).astype(float)
        assert best_chain(sequences, converted, 1 - converted).order == order
        rows = pd.DataFrame(
            {"path": [" > ".join(names) for names in journeys], "conversions": converted, "nulls": 1 - converted}
        )
        assert _effects(rows, order="auto") == _effects(rows, order=order)


def test_the_table_of_transitions_is_counted_by_hand() -> None:
    sequences = read_paths(["a > a > b", "b"])
    table = transitions(markov_chain(sequences, np.array([2.0, 1.0]), np.array([0.0, 3.0]), order=1))
    assert [tuple(row) for row in table.itertuples(index=False)] == [
        ("(start)", "a", 2, pytest.approx(1 / 3)),
        ("(start)", "b", 4, pytest.approx(2 / 3)),
        ("a", "a", 2, 0.5),
        ("a", "b", 2, 0.5),
        ("b", "(conversion)", 3, 0.5),
        ("b", "(null)", 3, 0.5),
    ]


_ROWS = st.lists(
    st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(rows=_ROWS, model=st.sampled_from(["markov", "shapley"]), order=st.integers(1, 4))
def test_models_of_channels_add_up_and_know_no_names_and_no_grouping(
    rows: list[tuple[list[str], int, int]], model: str, order: int
) -> None:
    paths = pd.DataFrame(
        {
            "path": [" > ".join(names) for names, _, _ in rows],
            "conversions": [converted for _, converted, _ in rows],
            "nulls": [lost for _, _, lost in rows],
            "value": [2.5 * converted for _, converted, _ in rows],
        }
    )
    credited = attribute(paths, model=model, order=order).set_index("channel")
    assert credited["conversions"].sum() == pytest.approx(paths["conversions"].sum(), abs=1e-9)
    assert credited["value"].sum() == pytest.approx(paths["value"].sum(), abs=1e-9)
    renamed = paths.assign(path=paths["path"].str.translate(str.maketrans("abcd", "dcab")))
    turned = attribute(renamed, model=model, order=order).set_index("channel")
    assert turned["value"].to_dict() == pytest.approx(
        {str(name).translate(str.maketrans("abcd", "dcab")): value for name, value in credited["value"].items()},
        abs=1e-9,
    )
    ones = paths.loc[paths.index.repeat(paths["conversions"] + paths["nulls"])]
    number = ones.groupby(level=0).cumcount()
    single = pd.DataFrame(
        {"path": ones["path"], "conversions": (number < ones["conversions"]).astype(int)},
    ).assign(nulls=lambda table: 1 - table["conversions"], value=lambda table: 2.5 * table["conversions"])
    ungrouped = attribute(single, model=model, order=order).set_index("channel")
    assert ungrouped["value"].to_dict() == pytest.approx(credited["value"].loc[ungrouped.index].to_dict(), abs=1e-9)
