"""The merchant that turns bad is found within days, and good ones are left alone."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from o2o_mining.merchants.changes import Limits, log_bets, watch
from o2o_mining.merchants.rules import read_judging

AS_OF = date(2024, 12, 31)
JUDGING = read_judging()


def visits(
    merchants: int, *, gap: float, turned_days_ago: int, mended_days_ago: int = 0, seed: int = 0
) -> pd.DataFrame:
    """Return a year of five visits a day, of which the wait is told; skewed as waits are."""
    chance = np.random.default_rng(seed)
    per_day = chance.poisson(5, (merchants, 365))
    merchant, day = (np.repeat(place, per_day.ravel()) for place in np.indices(per_day.shape).reshape(2, -1))
    age = 365 - day
    skewed = (np.exp(0.2 * chance.standard_normal(len(age)) - 0.02) - 1) / 0.2
    bad = (age <= turned_days_ago) & (age > mended_days_ago)
    names = np.char.add("m", np.char.zfill(merchant.astype(str), 4))
    rows = pd.DataFrame({"merchant_id": names, "measure": "wait", "age": age, "z": skewed + gap * bad, "n": 1})
    return pd.concat([rows, rows.assign(measure="complaint", z=0.0)], ignore_index=True)


def found(rows: pd.DataFrame, limits: Limits = JUDGING.limits) -> pd.DataFrame:
    return watch(rows, JUDGING.weights, limits, as_of=AS_OF).changes


def test_a_gap_of_one_standard_deviation_is_found_within_21_days() -> None:
    changes = found(visits(60, gap=1.0, turned_days_ago=100))
    delays = [(day - (AS_OF - timedelta(days=100))).days for day in changes["found_on"]]
    assert changes["merchant_id"].nunique() == len(changes) == 60
    assert max(delays) <= 21
    assert min(delays) > 1
    guessed = [(day - (AS_OF - timedelta(days=100))).days for day in changes["changed_on"]]
    assert abs(np.median(guessed)) <= 1


def test_good_merchants_are_not_stopped_in_a_year() -> None:
    assert found(visits(300, gap=0.0, turned_days_ago=0)).empty


def test_a_bet_on_a_good_merchant_never_wins_on_average() -> None:
    chance = np.random.default_rng(0)
    for drawn in (chance.normal(0.2, 3, 200_000), chance.exponential(1, 200_000) - 0.8, np.full(10, 0.2)):
        score = np.maximum(drawn, -1.5)
        won = np.exp(log_bets(score, null_mean=float(score.mean()), least=-1.5))
        assert won.mean(axis=1) == pytest.approx([1.0, 1.0, 1.0])
        assert won.min() > 0


def test_a_merchant_that_mends_is_let_go_and_may_be_found_again() -> None:
    changes = found(visits(20, gap=3.0, turned_days_ago=200, mended_days_ago=100))
    assert changes["lifted_on"].notna().all()
    days = [(day - (AS_OF - timedelta(days=100))).days for day in changes["lifted_on"]]
    assert min(days) > 0
    assert max(days) <= 40
    twice = visits(20, gap=3.0, turned_days_ago=200, mended_days_ago=100)
    twice.loc[(twice["age"] <= 30) & (twice["measure"] == "wait"), "z"] += 3.0
    again = found(twice).groupby("merchant_id")
    assert (again.size() == 2).all()
    assert again.tail(1)["lifted_on"].isna().all()


def test_a_merchant_that_stays_bad_is_not_let_go() -> None:
    changes = found(visits(20, gap=1.5, turned_days_ago=200))
    assert changes["lifted_on"].isna().sum() == 20


def test_complaints_alone_find_a_merchant_too() -> None:
    rows = visits(5, gap=0.0, turned_days_ago=0)
    worse = (rows["measure"] == "complaint") & (rows["age"] <= 60) & (rows.index % 4 == 0)
    rows.loc[worse, "z"] = 9.0
    changes = found(rows)
    assert changes["measure"].tolist() == ["complaint"] * 5


def test_what_comes_later_changes_no_day_on_which_a_merchant_was_found() -> None:
    rows = visits(10, gap=1.0, turned_days_ago=100)
    earlier = rows[rows["age"] > 50].assign(age=lambda t: t["age"] - 50)
    before = watch(earlier, JUDGING.weights, JUDGING.limits, as_of=AS_OF - timedelta(days=50)).changes
    # The year begins fifty days earlier there, so only its evidence may differ.
    pd.testing.assert_series_equal(before["found_on"], found(rows)["found_on"])


def test_one_wild_visit_stops_nobody() -> None:
    rows = visits(1, gap=0.0, turned_days_ago=0)
    rows.loc[rows.index[:3], "z"] = 1e9
    assert found(rows).empty


def test_many_merchants_are_watched_in_parts_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = visits(7, gap=2.0, turned_days_ago=50)
    whole = found(rows)
    monkeypatch.setattr("o2o_mining.merchants.changes._AT_ONCE", 3)
    pd.testing.assert_frame_equal(found(rows), whole)


def test_the_alarm_rises_with_the_share_of_false_alarms_that_is_allowed() -> None:
    assert JUDGING.limits.alarm == 36_500
    strict = Limits(0.2, 0.0001, 365, 10)
    rows = visits(10, gap=1.0, turned_days_ago=100)
    assert (found(rows, strict)["found_on"] > found(rows)["found_on"]).all()


def test_nothing_to_watch_gives_no_change() -> None:
    none = visits(1, gap=0.0, turned_days_ago=0).iloc[:0]
    watched = watch(none, JUDGING.weights, JUDGING.limits, as_of=AS_OF)
    assert watched.changes.empty
    assert watched.evidence.empty
