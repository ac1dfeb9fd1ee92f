"""People in a world behave like people: heavy tails, weekends, distance, discounts, bad visits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from o2o_mining.simulator.chance import DAY
from o2o_mining.simulator.history import History, live
from o2o_mining.simulator.offers import build_offers
from o2o_mining.simulator.places import DECAY_PER_KM, build_places
from o2o_mining.simulator.responses import OCCASION_LOGIT
from o2o_mining.simulator.world import START, World
from o2o_mining.simulator.worth import expected_worth


def test_a_tenth_of_the_customers_makes_a_third_or_more_of_the_visits(balanced: History) -> None:
    visits = np.sort(np.bincount(balanced.visits.customer, minlength=balanced.world.customers))
    assert 0.33 < visits[-len(visits) // 10 :].sum() / visits.sum() < 0.6


def test_many_customers_come_once_and_more_where_the_scenario_says_so(balanced: History) -> None:
    def once(history: History) -> float:
        visits = np.bincount(history.visits.customer, minlength=history.world.customers)
        return float((visits == 1).sum() / (visits > 0).sum())

    assert 0.15 < once(balanced) < 0.4
    assert once(live(World(5_000, 540, "one-time-buyers"))) > once(balanced) + 0.15


def test_saturdays_are_busier_than_mondays(balanced: History) -> None:
    weekday = (balanced.visits.at[balanced.visits.unit < 0] // DAY + START.weekday()) % 7
    visits = np.bincount(weekday, minlength=7)
    assert visits[5] / visits[0] == pytest.approx(1.35 / 0.8, rel=0.08)


def test_redemption_rises_with_the_discount_and_falls_with_distance(balanced: History) -> None:
    units, given = balanced.units, balanced.given_out
    persuadable = given & (balanced.people.response_type[units.customer] == 0)
    share = balanced.offers.share[units.coupon]
    deep, shallow = persuadable & (share > 0.4), persuadable & (share < 0.2)
    assert units.y1[deep].mean() > units.y1[shallow].mean() + 0.03
    sure = given & (balanced.people.response_type[units.customer] == 1)
    category = balanced.places.merchant_category[balanced.places.store_merchant[units.store]]
    far = DECAY_PER_KM[category] * units.distance_m / 1000
    assert units.y1[sure & (far < 1)].mean() > units.y1[sure & (far > 4)].mean() + 0.05


def test_near_stores_are_visited_more_than_their_share_of_the_city(balanced: History) -> None:
    visits, places = balanced.visits, balanced.places
    block = balanced.people.block[visits.customer]
    gone = places.distance_km[block, visits.store]
    same_city = places.merchant_city[places.store_merchant][None, :] == places.block_city[:, None]
    mean = np.where(same_city, places.distance_km, 0).sum(axis=1) / same_city.sum(axis=1)
    assert gone.mean() < 0.75 * mean[block].mean()


def test_nobody_visits_a_store_before_it_opens(balanced: History) -> None:
    visits = balanced.visits
    assert (balanced.places.merchant_opened[visits.merchant] <= visits.at).all()


def test_own_visits_end_with_leaving(balanced: History) -> None:
    visits, own = balanced.visits, balanced.visits.unit < 0
    assert (visits.at[own] < balanced.people.left[visits.customer[own]]).all()
    assert (visits.at >= balanced.people.joined[visits.customer]).all()


def test_bad_visits_lower_the_later_visits_of_the_customer() -> None:
    def later(scenario: str) -> int:
        return int((live(World(5_000, 540, scenario, seed=2)).visits.unit < 0).sum())

    assert later("bad-service") < 0.97 * later("balanced")


def test_merchants_that_turn_bad_make_people_wait_from_that_day_on(balanced: History) -> None:
    visits, places = balanced.visits, balanced.places
    turns = (places.merchant_bad_from > 0) & (places.merchant_bad_from < balanced.world.days * DAY)
    theirs = turns[visits.merchant]
    excess = visits.waited_min - places.merchant_promise_min[visits.merchant]
    after = visits.at >= places.merchant_bad_from[visits.merchant]
    assert excess[theirs & ~after].mean() == pytest.approx(0, abs=0.5)
    assert excess[theirs & after].mean() == pytest.approx(balanced.world.parameters.gap_min, abs=0.5)


def test_planted_pairs_are_bought_together_and_not_in_random_baskets(balanced: History) -> None:
    def lift(history: History) -> float:
        visit, place = history.baskets.visit, history.baskets.product % 40
        first, second = np.unique(visit[place == 8]), np.unique(visit[place == 23])
        both = len(np.intersect1d(first, second))
        return both * len(history.visits) / (len(first) * len(second))

    assert lift(balanced) > 4
    assert lift(live(World(5_000, 540, "random-baskets"))) < 1.3


def test_a_sure_thing_is_the_likeliest_to_come_unasked() -> None:
    assert int(np.argmax(OCCASION_LOGIT)) == 1


def test_campaigns_still_run_when_the_log_ends(balanced: History) -> None:
    end = START + timedelta(days=540)
    assert end == balanced.world.end
    assert (balanced.offers.start + 14 * DAY > 540 * DAY).any()


def test_a_planted_sequence_shows_in_the_next_basket_of_the_category(balanced: History) -> None:
    visits, baskets = balanced.visits, balanced.baskets
    category = balanced.places.merchant_category[visits.merchant]
    has = [set(baskets.visit[baskets.product % 40 == place]) for place in (1, 14)]
    order = np.lexsort((visits.at, category, visits.customer))
    now, then = order[:-1], order[1:]
    next_one = (visits.customer[now] == visits.customer[then]) & (category[now] == category[then])
    soon = next_one & (visits.at[then] - visits.at[now] <= 30 * DAY)
    after = np.array([b in has[1] for a, b in zip(now[soon], then[soon], strict=True) if a in has[0]])
    others = np.array([b in has[1] for a, b in zip(now[soon], then[soon], strict=True) if a not in has[0]])
    assert len(after) > 500
    assert after.mean() == pytest.approx(balanced.world.parameters.affinity, abs=0.06)
    assert others.mean() < 0.1


def test_a_ring_lives_on_one_block_and_uses_its_coupons_within_minutes(balanced: History) -> None:
    people, units = balanced.people, balanced.units
    assert (np.bincount(people.ring[people.ring >= 0]) == 10).all()
    first = np.flatnonzero(people.ring == 0)
    assert len(set(people.block[first])) == 1
    assert np.ptp(people.joined[first]) < 3 * DAY
    theirs = np.isin(units.customer, first)
    assert len(set(units.coupon[theirs])) == 1
    assert (units.at[theirs] - units.received_at[theirs] < 20 * 60).all()


def test_announced_campaigns_start_with_the_first_day_after_the_log_and_ask_nobody_before(balanced: History) -> None:
    starts = balanced.offers.start[: balanced.offers.announced]
    assert (starts == 540 * DAY).sum() == 3
    assert starts.max() == 540 * DAY
    assert not balanced.given_out[balanced.units.start >= 540 * DAY].any()


def test_sure_things_never_pay_for_their_coupon() -> None:
    for seed in range(5):
        world = World(2_000, 540, seed=seed)
        places = build_places(world)
        offers = build_offers(world, places)
        worth = expected_worth(world, places, offers)
        margin = places.merchant_margin[offers.merchant]
        assert (worth.bought * margin - worth.taken_off < worth.without * margin).all()


def test_redemption_of_all_receipts_rises_with_the_discount_and_falls_with_distance(balanced: History) -> None:
    units = balanced.units
    given = balanced.given_out & (balanced.people.ring[units.customer] < 0) & (units.start < 510 * DAY)
    share, km = balanced.offers.share[units.coupon[given]], units.distance_m[given] / 1000
    decay = DECAY_PER_KM[balanced.places.merchant_category[balanced.offers.merchant[units.coupon[given]]]]
    columns = np.stack([np.ones(given.sum()), share, decay * km], axis=1)
    slope = np.linalg.lstsq(columns, units.y1[given].astype(float), rcond=None)[0]
    assert slope[1] > 0.05
    assert slope[2] < -0.01


def test_what_a_campaign_costs_is_spread_over_days(folder: Path) -> None:
    days = pd.read_csv(folder / "campaign_costs.csv").groupby("campaign_id")["spent_on"].nunique()
    assert days.median() >= 8


def test_nobody_is_touched_before_joining(folder: Path) -> None:
    touches = pd.read_csv(folder / "touches.csv").merge(pd.read_csv(folder / "customers.csv"), on="customer_id")
    assert (touches["touched_at"] >= touches["joined_at"]).all()
