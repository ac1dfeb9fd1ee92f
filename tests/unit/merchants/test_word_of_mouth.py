"""What a bad visit costs, where that is known; and where it is not, no figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from o2o_mining.merchants import bad_visit_costs

DAY = 86_400
UNTIL = 400 * DAY


def world(
    customers: int, *, lost: float, bad_share: float = 0.3, seed: int = 0, lost_among_bad: float = 0.0
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return customers with a visit at day 200, some bad, who buy every ten days or so, and a share less afterwards.

    Those of a neighbourhood where most visits are bad lose more by what is still to come, whether or not the first
    one was bad.
    """
    chance = np.random.default_rng(seed)
    among_bad = (np.arange(customers) % 2 == 0) & (lost_among_bad > 0)
    bad = chance.random(customers) < np.where(among_bad, 2.5 * bad_share, bad_share)
    rate = chance.gamma(2, 0.05, customers)
    names = np.array([f"c{n:05}" for n in range(customers)])
    bought = []
    for start, length, factor in (
        (-100, 300, np.ones(customers)),
        (200, 200, np.where(bad, 1 - lost, 1.0) * np.where(among_bad, 1 - lost_among_bad, 1.0)),
    ):
        count = chance.poisson(rate * factor * length)
        at = start + length * chance.random(count.sum())
        bought.append(pd.DataFrame({"customer_id": np.repeat(names, count), "at": (at * DAY).astype(np.int64)}))
    visits = pd.DataFrame(
        {
            "customer_id": names,
            "area": np.where(among_bad, "there", "here"),
            "category": "cafe",
            "at": 200 * DAY,
            "beyond_min": np.where(bad, 15.0, 0.0),
        }
    )
    friends = pd.DataFrame({"customer_id": names[:-1], "friend_id": names[1:], "joined_at": 0})
    return visits, pd.concat(bought, ignore_index=True).assign(cents=1000), friends


def costs(*logs: pd.DataFrame) -> pd.DataFrame:
    return bad_visit_costs(*logs, until=UNTIL, bad_min=10).set_index(["reach", "outcome"])


def row(found: pd.DataFrame, reach: str, outcome: str) -> dict[str, Any]:
    return {str(name): value for name, value in found.xs((reach, outcome)).items()}


def test_the_share_of_purchases_lost_is_found_again() -> None:
    found = costs(*world(4000, lost=0.3))
    own = row(found, "customer", "purchases")
    assert own["label"] == "observational"
    assert own["effect_low"] < -0.3 * own["expected"] < own["effect_high"]
    assert own["effect_high"] < 0
    money = row(found, "customer", "net_revenue")
    assert money["effect"] == pytest.approx(10 * own["effect"], abs=1e-3)


def test_later_bad_visits_that_await_a_whole_neighbourhood_are_no_cost_of_the_first() -> None:
    visits, bought, friends = world(8000, lost=0.3, lost_among_bad=0.4)
    own = row(costs(visits, bought, friends), "customer", "purchases")
    assert own["effect"] == pytest.approx(-0.3 * own["expected"], abs=0.03 * own["expected"])
    blind = row(costs(visits.assign(area=None), bought, friends), "customer", "purchases")
    assert blind["effect"] < -0.4 * blind["expected"]


def test_bad_visits_that_nothing_is_like_do_not_make_the_cost_smaller() -> None:
    visits, bought, friends = world(8000, lost=0.3)
    odd = (visits["beyond_min"] > 10) & (np.arange(len(visits)) % 3 == 0)
    own = row(costs(visits.assign(category=np.where(odd, "spa", "cafe")), bought, friends), "customer", "purchases")
    assert own["bad_visits"] < (visits["beyond_min"] > 10).sum()
    assert own["effect"] == pytest.approx(-0.3 * 90 * 0.1, abs=0.3)


def test_friends_to_whom_nothing_happened_lose_nothing() -> None:
    found = row(costs(*world(4000, lost=0.3)), "friends", "purchases")
    assert found["effect_low"] < 0 < found["effect_high"]


def test_intervals_hold_the_truth_in_most_worlds() -> None:
    inside = 0
    for seed in range(40):
        own = row(costs(*world(600, lost=0.3, seed=seed)), "customer", "purchases")
        inside += own["label"] == "refused" or own["effect_low"] <= -0.3 * 90 * 0.1 <= own["effect_high"]
    assert inside >= 35


def test_customers_who_differed_before_give_no_figure() -> None:
    visits, bought, friends = world(4000, lost=0.0)
    loyal = visits.loc[visits["beyond_min"] > 10, "customer_id"]
    more = pd.DataFrame({"customer_id": loyal, "at": -20 * DAY, "cents": 1000})
    found = row(costs(visits, pd.concat([bought, more], ignore_index=True), friends), "customer", "purchases")
    assert (found["label"], found["reason_code"]) == ("refused", "unlike_before")
    assert pd.isna(found["effect"])


def test_few_bad_visits_and_windows_that_are_not_over_give_no_figure() -> None:
    visits, bought, friends = world(60, lost=0.3, bad_share=0.2)
    assert (costs(visits, bought, friends)["reason_code"] == "too_few").all()
    late = world(4000, lost=0.3)[0].assign(at=UNTIL - 80 * DAY)
    assert (costs(late, bought, friends)["bad_visits"] == 0).all()


def test_only_the_first_bad_visit_of_a_customer_counts() -> None:
    visits, bought, friends = world(1000, lost=0.3)
    again = visits[visits["beyond_min"] > 10].assign(at=210 * DAY)
    once, twice = costs(visits, bought, friends), costs(pd.concat([visits, again]), bought, friends)
    pd.testing.assert_frame_equal(once, twice)


def test_the_order_of_rows_does_not_matter() -> None:
    logs = world(800, lost=0.3)
    turned = [frame.iloc[::-1].reset_index(drop=True) for frame in logs]
    pd.testing.assert_frame_equal(costs(*logs), costs(*turned), check_exact=True)
