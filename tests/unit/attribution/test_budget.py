"""What more money would bring: against planted curves, by hand, and refused where nothing can be told."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from o2o_mining.attribution.budget.advice import Scale, advised, channel_scales
from o2o_mining.attribution.budget.curves import bend
from o2o_mining.attribution.budget.spending import channel_margins, weekly_returns
from o2o_mining.attribution.budget.steps import build_budget_advice
from o2o_mining.attribution.credit.campaigns import Known
from o2o_mining.attribution.effects.pooling import Pooled
from o2o_mining.attribution.effects.steps import build_incrementality
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, Buy, Touch, World, table

# Everything before this day has had the whole lookback of 14 days.
UNTIL = datetime(2017, 6, 17)
HOME = Settings(lookback_days=14)


def _weeks(channel: str, spent: list[float] | np.ndarray, revenue: list[float] | np.ndarray) -> pd.DataFrame:
    weeks = np.arange(len(spent))[::-1]
    return pd.DataFrame({"channel": channel, "week": weeks, "spent": spent, "net_revenue": revenue})


def _planted(seed: int) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """Five channels, each with purchases of about 20 by a curve of its own."""
    draw = np.random.default_rng(seed)
    frames, curves = [], {}
    for number in range(5):
        weeks, power, scale = int(draw.integers(16, 60)), draw.uniform(0.3, 0.8), draw.uniform(3, 30)
        spent = draw.lognormal(3, 0.7, weeks)
        revenue = draw.poisson(scale * spent**power / 20) * draw.gamma(4, 5, weeks)
        frames.append(_weeks(f"c{number}", spent, revenue))
        curves[f"c{number}"] = (scale, power)
    return pd.concat(frames), curves


def test_planted_curves_are_found_again() -> None:
    held, misses = [], []
    for seed in range(12):
        weekly, curves = _planted(seed)
        rows = advised(weekly, {}, margin_share=0.3).rows.set_index("channel")
        for name, (scale, power) in curves.items():
            row: Any = rows.loc[name]
            true = scale * power * row["typical_spent"] ** (power - 1)
            held.append(row["marginal_return_low"] <= true <= row["marginal_return_high"])
            misses.append(row["bend"] - power)
    # 95.3 % of 1,000 over 200 seeds.
    assert np.mean(held) >= 0.9
    assert abs(np.mean(misses)) < 0.06
    assert np.std(misses) < 0.2


def test_an_exact_curve_gives_its_own_bend_and_margin() -> None:
    spent = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 4.0, 2.0, 8.0])
    row: Any = advised(_weeks("sms", spent, 10 * spent**0.5), {}, margin_share=0.25).rows.loc[0]
    at = spent.mean()
    assert (row["bend"], row["typical_spent"]) == pytest.approx((0.5, at))
    assert row["marginal_return"] == pytest.approx(10 * 0.5 * at**-0.5, abs=1e-4)
    assert (row["break_even_return"], row["label"], row["advice"]) == (4.0, "credited", "lower")


def test_weeks_without_revenue_count_and_order_of_rows_does_not() -> None:
    found = bend(np.array([[1.0, 2.0, 4.0]]), np.array([[0.0, 0.0, 5.0]]))
    assert found[0] > 2.9
    assert bend(np.array([[1.0, 2.0]]), np.zeros((1, 2))).tolist() == [0.0]
    weekly, _ = _planted(1)
    shuffled = weekly.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        advised(weekly, {}, margin_share=0.3).rows, advised(shuffled, {}, margin_share=0.3).rows
    )


@pytest.mark.parametrize(
    ("spent", "revenue", "reason"),
    [
        ([10.0, 20.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [5.0] * 8, "too_few_weeks"),
        ([10.0] * 20, list(range(20)), "spending_does_not_vary"),
        ([float(n + 1) for n in range(20)], [0.0] * 20, "nothing_credited"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_reason(spent: list[float], revenue: list[float], reason: str) -> None:
    row: Any = advised(_weeks("sms", spent, revenue), {}, margin_share=0.3).rows.loc[0]
    assert (row["label"], row["reason_code"], row["advice"]) == ("refused", reason, "test")
    assert np.isnan(row["marginal_return"])
    # All that is credited may have come anyway.
    assert row["at_stake"] == sum(revenue) / sum(spent) * sum(spent)


def test_channels_that_nothing_was_spent_on_have_no_row() -> None:
    assert advised(_weeks("map", [0.0] * 9, [5.0] * 9), {}, margin_share=0.3).rows.empty


def test_only_effects_raise_a_budget_and_what_is_caused_scales_the_return() -> None:
    draw = np.random.default_rng(3)
    spent = draw.lognormal(3, 0.7, 60)
    weekly = _weeks("sms", spent, draw.poisson(40 * spent**0.8))
    credited: Any = advised(weekly, {}, margin_share=0.3).rows.loc[0]
    caused: Any = advised(weekly, {"sms": Scale(0.5, 0.05, 4)}, margin_share=0.3).rows.loc[0]
    nothing: Any = advised(weekly, {"sms": Scale(0.0, 0.01, 4)}, margin_share=0.3).rows.loc[0]
    assert (credited["advice"], caused["advice"], nothing["advice"]) == ("test", "raise", "lower")
    assert caused["marginal_return"] == pytest.approx(credited["marginal_return"] / 2, abs=1e-5)
    assert (caused["label"], caused["experiments"], caused["caused_share"]) == ("calibrated", 4, 0.5)
    assert caused["average_return"] == pytest.approx(credited["average_return"] / 2, abs=1e-5)


def test_the_channel_to_test_next_is_the_one_where_most_money_is_in_doubt() -> None:
    draw = np.random.default_rng(4)
    spent = draw.lognormal(3, 0.7, 60)
    weekly = pd.concat([_weeks(name, spent, draw.poisson(10 * spent**0.8)) for name in ("known", "open")])
    scales = {"known": Scale(0.9, 0.01, 9), "open": Scale(0.9, 0.5, 1)}
    rows = advised(weekly, scales, margin_share=0.3).rows.set_index("channel")
    assert rows["test_rank"].to_dict() == {"known": 2, "open": 1}


def test_a_channel_is_scaled_by_its_campaigns_and_those_without_a_draw_leave_it_open() -> None:
    ratios = Pooled(each=pd.Series({"a": 0.2}), trust=pd.Series({"a": 1.0}), mean=0.5, mean_error=0.1, between=0.04)
    credit = pd.DataFrame(
        {
            "channel": ["sms", "sms", "mail"], "campaign_id": ["a", "b", "b"], "conversions": [30.0, 10.0, 5.0],
        }
    )  # fmt: skip
    scales = channel_scales(credit, ratios)
    assert scales["sms"].factor == pytest.approx(0.75 * 0.2 + 0.25 * 0.5)
    assert scales["sms"].error == pytest.approx((0.25**2 * 0.04 + 0.25**2 * 0.01) ** 0.5)
    assert (scales["mail"].factor, scales["mail"].experiments) == (0.5, 0)
    assert scales["mail"].error == pytest.approx(0.05**0.5)
    assert channel_scales(credit, None) == {}


def _world(*, costs: bool = True) -> World:
    sms = Touch("a", UNTIL - timedelta(days=7), "sms", "c1")
    late = Touch("b", UNTIL, "sms", "c1")
    own = Touch("d", UNTIL - timedelta(days=1), "sms")
    spent: list[tuple[int, int]] = [(7, 2), (8, 4), (0, 9)]
    rows = [
        {"campaign_id": "c1", "channel": "sms", "spent_on": (UNTIL - timedelta(days=back)).date(), "cost": cost}
        for back, cost in spent
    ]
    touch = {"customer_id": "ann", "channel": "sms", "action": "impression"}
    return World(
        buys=[
            Buy("o:1", [sms], refunded="4.00", refunded_at=UNTIL + timedelta(days=2), at=UNTIL + timedelta(days=1)),
            Buy("o:2", [late], at=UNTIL + timedelta(days=1)),
            Buy("o:3", [own], at=UNTIL),
        ],
        campaigns=[{"campaign_id": "c1", "starts_at": UNTIL - timedelta(days=9), "ends_at": UNTIL}],
        campaign_costs=rows if costs else (),
        touches=[
            {"touch_id": "a", "touched_at": sms.at, "campaign_id": "c1", "cost": 1, **touch},
            {"touch_id": "d", "touched_at": own.at, "campaign_id": None, "cost": 5, **touch},
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("costs", "expected"),
    # A week holds the seven days before its end; refunds come off the week of the touch; what is too late is left out.
    [(True, [("sms", 0, 200, 600), ("sms", 1, 400, 0)]), (False, [("sms", 0, 100, 600)])],
)
def test_weeks_hold_what_their_touches_brought(costs: bool, expected: list[tuple[str, int, int, int]]) -> None:
    engine = DuckDBEngine(":memory:", HOME)
    known: Known = _world(costs=costs).known()
    found = engine.execute(weekly_returns(known, as_of=AS_OF, lookback_days=14, model="linear").order_by("week"))
    engine.close()
    assert list(found.itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize(("own", "expected"), [(0.5, [("sms", 0.5)]), (None, [("sms", 0.3)]), (0.0, [])])
def test_a_channel_must_earn_what_its_merchants_keep(own: float | None, expected: list[tuple[str, float]]) -> None:
    engine = DuckDBEngine(":memory:", HOME)
    merchants = table("merchants", [{"merchant_id": "m", "margin_share": own}, {"merchant_id": "n", "margin_share": 1}])
    found = engine.execute(channel_margins(_world().known(), merchants, model="linear", default_share=0.3))
    engine.close()
    assert list(found.itertuples(index=False, name=None)) == expected


def test_the_return_that_pays_is_the_channels_own() -> None:
    weekly = pd.concat([_weeks(name, [1.0, 2.0] * 6, [5.0, 9.0] * 6) for name in ("sms", "mail")])
    rows = advised(weekly, {}, margin_share=0.25, margin_shares={"sms": 0.5}).rows.set_index("channel")
    assert rows["break_even_return"].to_dict() == {"mail": 4.0, "sms": 2.0}


def test_the_table_is_written_drawn_and_says_what_it_rests_on() -> None:
    engine = DuckDBEngine(":memory:", HOME)
    _world().store(engine)
    build_incrementality(engine, as_of=AS_OF, settings=Settings())
    report = build_budget_advice(engine, as_of=AS_OF, settings=HOME)
    assert engine.violations(contract("budget_advice"), as_of=AS_OF) == []
    rows = engine.execute(engine.slice("budget_advice", AS_OF))
    assert rows[["channel", "weeks", "reason_code"]].to_numpy().tolist() == [["sms", 2, "too_few_weeks"]]
    assert (str(rows.loc[0, "spent"]), str(rows.loc[0, "net_revenue"])) == ("6.00", "6.00")
    assert "1 channel(s) without a curve: too_few_weeks" in report.notes
    # o:1 and o:2 are credited to a campaign; their merchant names no margin.
    assert rows.loc[0, "break_even_return"] == pytest.approx(1 / 0.3, abs=1e-5)
    figure: Any = report.charts["marginal_returns"]()
    assert "test next: sms; no curve for 1: sms" in figure.layout.title.text
    report.charts["response_curves"]()
    engine.close()


def test_curves_are_drawn_with_their_intervals() -> None:
    from o2o_mining.attribution.charts import marginal_returns, response_curves

    weekly, curves = _planted(2)
    budget = advised(weekly, {}, margin_share=0.3)
    figure: Any = response_curves(budget.curves)
    assert len(figure.data) == 4 * len(curves)
    drawn: Any = marginal_returns(budget.rows)
    assert sum(len(trace.y) for trace in drawn.data[:-1]) == len(curves)
    assert list(drawn.data[-1].x) == pytest.approx([1 / 0.3] * len(curves), abs=1e-5)


def test_an_empty_home_has_an_empty_table_and_says_why() -> None:
    engine = DuckDBEngine(":memory:", HOME)
    World().store(engine, as_of=date(2017, 7, 1))
    build_incrementality(engine, as_of=AS_OF, settings=Settings())
    report = build_budget_advice(engine, as_of=AS_OF, settings=HOME)
    engine.close()
    assert (report.rows, report.charts) == (0, {})
    assert "nothing to advise on" in report.notes[-1]
