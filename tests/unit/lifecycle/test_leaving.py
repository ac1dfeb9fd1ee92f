"""Who has left, where a trickle of purchases goes on after leaving."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from o2o_mining.core.errors import UsageError
from o2o_mining.lifecycle import LeavingProcess, ModifiedBetaGeoNBD, Visits
from o2o_mining.lifecycle.visits import histories, mean_amounts, rhythm

DAY = date(2025, 1, 1)


def bought(rows: list[tuple[str, float]]) -> Visits:
    """Return purchases of customers so many days before the day."""
    when = pd.to_datetime([pd.Timestamp(DAY) - pd.Timedelta(days=days) for _, days in rows])
    table = {"customer_id": [who for who, _ in rows], "purchased_at": when, "net_amount": 10.0, "offered": False}
    return Visits.of(pd.DataFrame(table))


def world(n: int, *, once: float, trickle: float) -> tuple[Visits, np.ndarray]:
    """Draw customers who come, leave after a year on average or at once, and then come now and then by an offer."""
    draw = np.random.default_rng(3)
    rows: list[tuple[str, float]] = []
    there = np.zeros(n, dtype=bool)
    for i in range(n):
        begun, rate = draw.uniform(200, 700), draw.gamma(1.5, 1 / 40)
        life = 0.0 if draw.random() < once else draw.exponential(365)
        there[i] = life >= begun
        stays = min(life, begun)
        times = [0.0, *draw.uniform(0, stays, draw.poisson(rate * stays))]
        times += list(draw.uniform(stays, begun, draw.poisson(trickle * (begun - stays))))
        rows += [(f"c{i:05}", begun - at) for at in times]
    return bought(rows), there


@pytest.fixture(scope="module")
def many() -> tuple[Visits, np.ndarray]:
    return world(2500, once=0.4, trickle=1 / 400)


def test_the_parameters_of_a_world_are_recovered(many: tuple[Visits, np.ndarray]) -> None:
    params = LeavingProcess().fit(many[0], DAY).params_
    assert params["r"] / params["alpha"] == pytest.approx(1.5 / 40, rel=0.15)
    assert params["leaving_per_day"] == pytest.approx(1 / 365, rel=0.25)
    assert params["trickle_per_day"] == pytest.approx(1 / 400, rel=0.15)
    assert params["once_share"] == pytest.approx(0.4, abs=0.06)


def test_it_ranks_who_left_better_than_recency_and_than_models_of_the_last_purchase(
    many: tuple[Visits, np.ndarray],
) -> None:
    visits, there = many
    seen = histories(visits, DAY)
    alive = LeavingProcess().fit(visits, DAY).probability_alive(visits, DAY)
    modified = ModifiedBetaGeoNBD().fit(seen["frequency"], seen["recency"], seen["T"])
    by_last = modified.probability_alive(seen["frequency"], seen["recency"], seen["T"])
    of_recency = roc_auc_score(there, seen["recency"] - seen["T"])
    ours = roc_auc_score(there, alive)
    assert ours > of_recency + 0.02
    assert ours > roc_auc_score(there, by_last) + 0.02
    assert alive.mean() == pytest.approx(there.mean(), abs=0.05)


def test_among_many_one_time_buyers_it_ranks_no_worse_than_recency() -> None:
    visits, there = world(1500, once=0.7, trickle=0.0)
    seen = histories(visits, DAY)
    alive = LeavingProcess().fit(visits, DAY).probability_alive(visits, DAY)
    assert roc_auc_score(there, alive) >= roc_auc_score(there, seen["recency"] - seen["T"])


def test_a_slow_customer_is_not_gone_for_being_slow(many: tuple[Visits, np.ndarray]) -> None:
    model = LeavingProcess().fit(many[0], DAY)
    monthly = [("slow", float(days)) for days in range(45, 500, 60)]
    weekly = [("quick", float(days)) for days in range(45, 500, 6)]
    quick, slow = model.probability_alive(bought(monthly + weekly), DAY)
    assert slow > 0.7 > 0.1 > quick


@pytest.mark.parametrize("rows", [[("a", 3.0)], [("a", 3.0), ("a", 3.0)], [("a", 0.001), ("b", 900.0)]])
def test_a_handful_of_purchases_gives_probabilities(rows: list[tuple[str, float]]) -> None:
    visits = bought(rows)
    alive = LeavingProcess().fit(visits, DAY).probability_alive(visits, DAY)
    assert ((alive >= 0) & (alive <= 1)).all()


def test_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="no customer to learn from"):
        LeavingProcess().fit(bought([]), DAY)


def test_histories_count_days_and_rhythm_sees_the_silence() -> None:
    visits = bought([("a", 100.2), ("a", 100.1), ("a", 90.5), ("a", 40.0), ("b", 5.0)])
    assert histories(visits, DAY).loc["a"].to_dict() == {"frequency": 2.0, "recency": 61.0, "T": 101.0}
    pace = rhythm(visits, DAY)
    assert pace.loc["a", "recency_over_longest_gap"] == pytest.approx(40 / 50.5)
    assert pace.loc["a", "longer_gap_share"] == pytest.approx((1 + 0.5) / (3 + 1))
    assert pace.loc["b", "weeks_4_share"] == 1
    assert pace["recency_over_longest_gap"].isna().tolist() == [False, True]


def test_the_order_of_rows_does_not_matter_and_later_purchases_are_not_seen() -> None:
    rows = [("a", 100.0), ("b", 50.0), ("a", 30.0), ("b", 20.0)]
    one, other = bought(rows), bought(rows[::-1])
    pd.testing.assert_frame_equal(rhythm(one, DAY), rhythm(other, DAY))
    earlier = DAY - timedelta(days=40)
    cut = one.before(earlier)
    assert cut.customers.tolist() == ["a", "b"]
    assert cut.day.max() < (earlier - date(1970, 1, 1)).days
    assert one.within(earlier, 15)["purchases"].to_dict() == {"a": 1, "b": 0}


def test_amounts_that_are_not_known_are_left_out_of_means() -> None:
    when = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"])
    table = {
        "customer_id": ["a", "a", "b"],
        "purchased_at": when,
        "net_amount": [5.0, np.nan, np.nan],
        "offered": False,
    }
    means = mean_amounts(Visits.of(pd.DataFrame(table)))
    assert means.to_dict("index") == {
        "a": {"frequency": 1.0, "monetary_value": 5.0},
        "b": {"frequency": 0.0, "monetary_value": 0.0},
    }
