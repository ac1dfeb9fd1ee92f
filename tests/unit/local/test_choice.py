"""Huff's model against closed forms and against choices drawn from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from o2o_mining.local.choice import Pairs, fit_choice, shrunk_decays, within_reach


def drawn(decay: float, *, seed: int = 0, visitors: int = 400, each: float = 0.0) -> tuple[Pairs, np.ndarray]:
    """Return 100 homes on a grid of 1 km, 12 stores, and how often each was chosen; stores' decays spread."""
    chance = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(10), np.arange(10))
    homes = np.column_stack([x.ravel(), y.ravel()])
    shops = chance.uniform(0, 9, (12, 2))
    km = np.hypot(*(homes[:, None] - shops[None]).transpose(2, 0, 1))
    own = decay + each * chance.standard_normal(12)
    odds = np.exp(chance.normal(0, 0.7, 12) - own * km)
    visits = np.vstack([chance.multinomial(visitors, row / row.sum()) for row in odds]).ravel()
    pairs = Pairs(np.repeat(np.arange(100), 12), np.tile(np.arange(12), 100), km.ravel())
    return pairs, visits.astype(float)


def test_the_decay_that_choices_were_drawn_with_lies_in_the_interval_as_often_as_it_says() -> None:
    inside = []
    for seed in range(40):
        choice = fit_choice(*drawn(0.8, seed=seed, visitors=50), stores=12)
        assert choice is not None
        inside.append(choice.decay_low <= 0.8 <= choice.decay_high)
    assert sum(inside) >= 34


def test_where_more_people_live_is_no_evidence_of_a_slow_decay() -> None:
    pairs, visits = drawn(0.8)
    many = visits * np.where(pairs.place >= 90, 20, 1)  # twenty times as many live at one edge of the town
    one, other = (fit_choice(pairs, seen, stores=12) for seen in (visits, many))
    assert one is not None
    assert other is not None
    assert one.decay == pytest.approx(other.decay, abs=0.05)


def test_customers_who_cluster_widen_the_interval() -> None:
    pairs, visits = drawn(0.8)
    one, four = (fit_choice(pairs, visits, stores=12, clustering=c) for c in (1.0, 4.0))
    assert one is not None
    assert four is not None
    assert four.decay_high - four.decay_low == pytest.approx(2 * (one.decay_high - one.decay_low))


def test_nothing_is_told_where_nobody_has_a_choice() -> None:
    alone = Pairs(np.array([0, 1]), np.array([0, 0]), np.array([1.0, 2.0]))
    assert fit_choice(alone, np.array([5.0, 5.0]), stores=1) is None
    assert fit_choice(alone, np.zeros(2), stores=1) is None
    nobody = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    assert fit_choice(nobody, np.zeros(0), stores=3) is None


def test_a_store_that_nobody_came_to_changes_nothing_for_the_others() -> None:
    pairs, visits = drawn(0.8)
    kept = pairs.store != 11
    rest = Pairs(pairs.place[kept], pairs.store[kept], pairs.km[kept])
    silent = np.where(kept, visits, 0.0)
    with_it, without = fit_choice(pairs, silent, stores=12), fit_choice(rest, visits[kept], stores=11)
    assert with_it is not None
    assert without is not None
    assert with_it.decay == pytest.approx(without.decay, abs=1e-3)


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_spread_of_the_stores_own_decays_is_found(spread: float) -> None:
    found = []
    for seed in range(5):
        pairs, visits = drawn(0.8, seed=seed, each=spread)
        choice = fit_choice(pairs, visits, stores=12)
        assert choice is not None
        found.append(shrunk_decays(choice, visits, np.ones(12))[1])
    assert np.mean(found) == pytest.approx(spread, abs=0.1)


def test_only_known_places_less_than_thirty_kilometres_apart_are_in_reach() -> None:
    homes = pd.DataFrame({"lat": [0.0, np.nan], "lon": [0.0, 0.0]})
    shops = pd.DataFrame({"lat": [0.26, 0.28, np.nan], "lon": 0.0})
    found = within_reach(homes, shops)
    assert (found.place.tolist(), found.store.tolist()) == ([0], [0])
    assert found.km[0] == pytest.approx(28.911, abs=1e-3)
    assert len(within_reach(homes, shops.iloc[:0]).km) == 0
