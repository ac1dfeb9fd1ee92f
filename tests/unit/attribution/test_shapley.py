"""Shapley's value over sets of channels, against all orders written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from o2o_mining.attribution import attribute
from o2o_mining.attribution.credit.sequences import read_paths
from o2o_mining.attribution.credit.shapley import shapley_values


def _paths(rows: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    converted, lost = zip(*rows.values(), strict=True)
    return pd.DataFrame(
        {"path": list(rows), "conversions": converted, "nulls": lost, "value": 3.0 * np.array(converted)}
    )


def _rate(paths: pd.DataFrame, within: Sequence[str]) -> float:
    some = paths[[set(path.split(" > ")) <= set(within) for path in paths["path"]]]
    journeys = some["conversions"].sum() + some["nulls"].sum()
    return float(some["conversions"].sum() / journeys) if journeys else 0.0


def _expected(paths: pd.DataFrame) -> dict[str, float]:
    """Return what each channel adds to the rate, averaged over all orders of the channels."""
    channels = sorted({name for path in paths["path"] for name in path.split(" > ")})
    added = dict.fromkeys(channels, 0.0)
    orders = list(permutations(channels))
    for order in orders:
        for place, channel in enumerate(order):
            added[channel] += (_rate(paths, order[: place + 1]) - _rate(paths, order[:place])) / len(orders)
    return added


def _credit(paths: pd.DataFrame) -> dict[str, float]:
    credited = attribute(paths, model="shapley")
    return dict(zip(credited["channel"], credited["conversions"], strict=True))


MIXED = _paths({"a > b": (4, 6), "a": (1, 19), "b > c > b": (2, 2), "d": (0, 5), "c > e > a": (3, 1), "e": (1, 2)})


def test_values_are_those_of_all_orders_written_out() -> None:
    expected = _expected(MIXED)
    scale = MIXED["conversions"].sum() / sum(expected.values())
    assert _credit(MIXED) == pytest.approx({name: value * scale for name, value in expected.items()})


def test_rates_count_and_not_numbers() -> None:
    # v(a) = 1/2, v(b) = 1/10, v(ab) = 15/120: a adds 1/2 if it comes first and 1/40 if it comes last.
    rows = _paths({"a": (5, 5), "b": (10, 90), "a > b": (0, 10)})
    whole = 15 / 120
    a = (1 / 2 + (whole - 1 / 10)) / 2
    assert _credit(rows) == pytest.approx({"a": 15 * a / whole, "b": 15 * (whole - a) / whole})


def test_negative_values_are_shown() -> None:
    credit = _credit(_paths({"a": (9, 1), "a > b": (1, 9)}))
    # v(a) = .9, v(b) = 0, v(ab) = .5: b adds 0 first and -.4 last.
    assert credit == {"a": pytest.approx(10 * 0.7 / 0.5), "b": pytest.approx(-10 * 0.2 / 0.5)}


def test_the_same_channel_twice_and_another_order_are_the_same_set() -> None:
    assert _credit(_paths({"a > b": (1, 1), "b > a > b": (1, 1)})) == pytest.approx({"a": 1.0, "b": 1.0})


def test_fifteen_channels_are_exact_and_sixteen_are_drawn() -> None:
    names = [f"c{number:02d}" for number in range(16)]
    fifteen = _paths({name: (1, number) for number, name in enumerate(names[:15])})
    assert list(attribute(fifteen, model="shapley").columns) == ["channel", "conversions", "value"]
    drawn = attribute(_paths({name: (1, number) for number, name in enumerate(names)}), model="shapley")
    assert list(drawn.columns) == ["channel", "conversions", "value", "standard_error"]
    assert drawn["conversions"].sum() == pytest.approx(16)
    assert (drawn["standard_error"] > 0).all()


def test_drawn_values_are_off_by_what_they_say() -> None:
    draw = np.random.default_rng(3)
    names = [f"c{number:02d}" for number in range(16)]
    paths = [" > ".join(draw.choice(names[:15], draw.integers(1, 5), replace=False)) for _ in range(300)]
    converted = draw.integers(0, 3, 300).astype(float)
    lost = draw.integers(0, 6, 300).astype(float)
    exact = shapley_values(read_paths(paths), converted, lost)
    # A channel that neither adds nor takes away makes the sixteenth, and leaves the values of the others alone.
    drawn = shapley_values(read_paths([*paths, names[15]]), np.append(converted, 0.0), np.append(lost, 0.0))
    assert exact.standard_error.tolist() == [0.0] * 15
    off = (drawn.value[:15] - exact.value) / drawn.standard_error[:15]
    assert np.abs(off).max() < 4
    assert drawn.value[15] == pytest.approx(0.0, abs=1e-12)


def test_drawn_values_are_the_same_at_every_run() -> None:
    rows = _paths({f"c{number:02d} > c{(number * 7) % 17:02d}": (number % 3, 2) for number in range(17)})
    pd.testing.assert_frame_equal(
        attribute(rows, model="shapley"), attribute(rows[::-1], model="shapley"), check_exact=True
    )
