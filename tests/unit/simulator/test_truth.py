"""The truth is true: what randomised arms show is near it, what exposure shows is not, odds are calibrated."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.worlds import effects_by_hand, feed, plans
from o2o_mining.simulator import World, write
from o2o_mining.simulator.beliefs import Evidence, believe, collect
from o2o_mining.simulator.chance import DAY, Array
from o2o_mining.simulator.future import foretell
from o2o_mining.simulator.harm import bad_visits
from o2o_mining.simulator.history import History, live
from o2o_mining.simulator.leaving import signs_of_life
from o2o_mining.simulator.outlook import foresee, recent
from o2o_mining.simulator.visits import Visits
from o2o_mining.simulator.world import START
from o2o_mining.simulator.worth import expected_worth

# What they share is made once.
pytestmark = pytest.mark.xdist_group("truth")


def test_randomised_arms_show_the_truth_and_exposure_does_not(folder: Path) -> None:
    table = effects_by_hand(folder)
    table = table[table["size"] >= 40]
    assert len(table) >= 8
    assert ((table["effect"] - table["truth"]).abs() < 1.96 * table["error"]).mean() >= 0.8
    assert (table["effect"] - table["truth"]).mean() == pytest.approx(0, abs=0.03)
    assert (table["naive"] - table["truth"]).mean() > 0.05


def test_what_happened_is_the_potential_outcome_of_the_arm(balanced: History) -> None:
    units = balanced.units
    assert np.array_equal(units.y, np.where(units.exposed, units.y1, units.y0))
    assert not units.exposed[units.arm == 2].any()


def test_the_true_probabilities_are_calibrated(balanced: History) -> None:
    units = balanced.units
    for p, y in ((units.p0, units.y0), (units.p1, units.y1)):
        assert y.mean() == pytest.approx(p.mean(), abs=0.003)
        high = p > 0.4
        assert y[high].mean() == pytest.approx(p[high].mean(), abs=0.02)


def test_nothing_works_where_the_scenario_says_so() -> None:
    for scenario in ("no-effect", "all-sure-things"):
        units = live(World(500, 90, scenario)).units
        assert np.array_equal(units.y0, units.y1)


def _calibrated(forecast: Array, outcome: Array) -> None:
    """Assert that in every band of the forecast the outcome's mean lies where the forecast says."""
    for low in np.arange(0, 1, 0.2):
        band = (forecast >= low) & (forecast < low + 0.2)
        if band.sum() >= 30:
            error = np.sqrt((forecast[band] * (1 - forecast[band])).sum()) / band.sum()
            assert abs(outcome[band].mean() - forecast[band].mean()) < 4 * error + 0.01


def _auc(score: Array, outcome: Array) -> float:
    rank = pd.Series(score).rank().to_numpy()
    yes = outcome.sum()
    return float((rank[outcome].sum() - yes * (yes + 1) / 2) / (yes * (~outcome).sum()))


@pytest.fixture(scope="module", params=["balanced", "one-time-buyers", "bad-service", "heavy-targeting-bias"])
def known(request: pytest.FixtureRequest) -> tuple[History, Evidence]:
    history = live(World(10_000, 540, request.param, seed=11))
    return history, collect(history)


@pytest.mark.parametrize("day", [250, 540])
def test_the_observable_probability_of_being_there_is_calibrated(known: tuple[History, Evidence], day: int) -> None:
    history, evidence = known
    who = np.flatnonzero((history.people.joined < day * DAY) & (history.people.ring < 0))
    there = believe(history, evidence, who, np.full(len(who), day * DAY)).there.sum(axis=1)
    _calibrated(there, history.people.left[who] >= day * DAY)


def test_what_is_believed_adds_up_to_one(known: tuple[History, Evidence]) -> None:
    history, evidence = known
    who = np.arange(0, 3000, 7)[history.people.ring[:3000:7] < 0]
    beliefs = believe(history, evidence, who, np.maximum(history.people.joined[who], 0) + 100 * DAY)
    assert (beliefs.there + beliefs.gone).sum(axis=1) == pytest.approx(np.ones(len(who)))


def test_the_observable_outcomes_of_offers_are_calibrated(known: tuple[History, Evidence]) -> None:
    history, evidence = known
    units = history.units
    unit = np.flatnonzero(recent(history) & (units.coupon < history.offers.campaigns))
    forecast = foresee(history, evidence, unit, received=False)
    _calibrated(forecast.p0, units.y0[unit])
    _calibrated(forecast.p1, units.y1[unit])
    received = np.flatnonzero(recent(history) & history.given_out)
    _calibrated(foresee(history, evidence, received, received=True).p1, units.y1[received])


def test_four_fifths_of_the_variance_of_the_true_uplift_are_observable(known: tuple[History, Evidence]) -> None:
    history, evidence = known
    unit = np.flatnonzero(recent(history) & (history.units.coupon < history.offers.campaigns))
    forecast = foresee(history, evidence, unit, received=False)
    uplift = (history.units.p1 - history.units.p0)[unit]
    left = np.mean((uplift - (forecast.p1 - forecast.p0)) ** 2)
    assert 1 - left / uplift.var() > 0.8


def test_the_forecast_of_what_is_bought_later_is_calibrated(known: tuple[History, Evidence]) -> None:
    history, evidence = known
    world, visits = history.world, history.visits
    who = np.flatnonzero((history.people.joined < world.days * DAY) & (history.people.ring < 0))
    worth = expected_worth(world, history.places, history.offers)
    future = foretell(history, evidence, worth, who)
    later = (history.bought_at >= world.days * DAY) & (history.bought_at < world.lived_days * DAY) & ~visits.no_show
    bought = np.bincount(visits.customer[later], minlength=world.customers)[who]
    _calibrated(future.no_purchase, bought == 0)
    assert future.purchases.mean() == pytest.approx(bought.mean(), rel=0.05)
    net = np.where(history.refunded, 0, history.baskets.total - history.discount)[later].sum()
    assert future.value.sum() == pytest.approx(net, rel=0.08)


def test_the_observable_probability_ranks_better_than_recency(balanced: History) -> None:
    evidence = collect(balanced)
    who = np.flatnonzero((balanced.people.joined < 400 * DAY) & (balanced.people.ring < 0))
    there = balanced.people.left[who] >= 400 * DAY
    chance = believe(balanced, evidence, who, np.full(len(who), 400 * DAY)).there.sum(axis=1)
    signs = signs_of_life(balanced, who, np.full(len(who), 400), evidence.signs)
    assert _auc(chance, there) > _auc(signs.last_day.astype(float), there) + 0.02


def test_nothing_after_a_moment_changes_what_was_believed_then(balanced: History) -> None:
    who = np.flatnonzero((balanced.people.joined < 300 * DAY) & (balanced.people.ring < 0))[::20]
    moment = np.full(len(who), 300 * DAY)
    units, visits = balanced.units, balanced.visits
    kept = visits.at < 300 * DAY
    past = replace(
        balanced, coupon=balanced.coupon[kept],
        visits=Visits(**{f.name: getattr(visits, f.name)[kept] for f in fields(Visits)}),
        units=replace(units, y=units.y & (units.at < 300 * DAY)),
    )  # fmt: skip
    now, then = (believe(h, collect(h), who, moment) for h in (balanced, past))
    assert now.there == pytest.approx(then.there)


def test_a_plan_by_observable_uplift_earns_more_than_twice_that_of_the_likeliest_redeemers(folder: Path) -> None:
    earned = plans(folder)
    assert earned["oracle"] > 0
    assert earned["oracle"] > 2.2 * earned["likeliest"]


@pytest.mark.parametrize("scenario", ["no-effect", "all-sure-things"])
def test_no_spending_earns_anything_where_nothing_works(tmp_path: Path, scenario: str) -> None:
    write(World(2_000, 540, scenario), tmp_path / "w")
    earned = plans(tmp_path / "w")
    assert earned["oracle"] == 0
    assert earned["likeliest"] < 0


def test_channels_left_out_alone_lose_no_more_than_all_of_them_in_persuasion(folder: Path) -> None:
    channels = feed(folder, "truth/channel_increments")
    assert channels["incremental_conversions"].sum() > 0
    assert (channels.groupby("campaign_id")["campaign_incremental_conversions"].nunique() == 1).all()


def _own_within(history: History, customer: Array, at: Array) -> Array:
    """Count one by one, for each customer, the own visits in the 90 days after a moment that were kept."""
    visits = history.visits
    return np.array([
        ((visits.customer == who) & (visits.unit < 0) & ~visits.no_show & (visits.at > when)
         & (visits.at <= when + 90 * DAY)).sum()
        for who, when in zip(customer, at, strict=True)
    ])  # fmt: skip


def test_a_bad_visit_costs_what_follows_where_it_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(4_000, 540, "bad-service", seed=5)
    effect = world.parameters.bad_visit_effect
    history = live(world)
    lost = bad_visits(history).to_pandas()
    harmless = replace(world.parameters, bad_visit_effect=0.0)
    monkeypatch.setattr(World, "parameters", property(lambda _: harmless))
    unharmed = live(world)
    # Customers whom nobody brought and who had one bad visit: the worlds differ by that visit alone.
    bad = unharmed.visits.customer[unharmed.visits.bad]
    alone = (np.bincount(bad, minlength=world.customers) == 1) & (unharmed.people.referrer < 0)
    at = (pd.to_datetime(lost["at"]) - pd.Timestamp(START)).dt.total_seconds().to_numpy().astype(np.int64)
    customer = lost["customer_id"].str[1:].astype(int).to_numpy()
    some = alone[customer]
    made, without = (_own_within(h, customer[some], at[some]) for h in (history, unharmed))
    assert lost["lost_visits"][some].to_numpy() == pytest.approx(made * np.expm1(effect), abs=1e-4)
    assert some.sum() > 300
    assert lost["lost_visits"][some].sum() == pytest.approx((without - made).sum(), rel=0.15)
    # Money is lost where visits are, but of those whose money was given back.
    assert not ((lost["lost_amount"] > 0) & (lost["lost_visits"] == 0)).any()
    assert ((lost["lost_amount"] > 0) == (lost["lost_visits"] > 0)).mean() > 0.9
    # Friends lose less, and nobody's friends lose nothing.
    has_friends = np.isin(customer, history.people.referrer)
    assert lost["friends_lost_visits"][~has_friends].sum() == 0
    assert 0 < lost["friends_lost_visits"][has_friends].sum() < lost["lost_visits"].sum()
