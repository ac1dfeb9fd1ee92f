"""What campaigns changed: by draw, by comparison, or why that cannot be said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from o2o_mining.attribution.credit.calibration import calibrated_credit, ratios
from o2o_mining.attribution.credit.steps import build_campaign_attribution
from o2o_mining.attribution.effects.incrementality import compared, daily, randomised, table
from o2o_mining.attribution.effects.steps import build_incrementality
from o2o_mining.contracts.attribution import OUTCOMES
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, World
from tests.unit.attribution.worlds import table as rows_of

STARTS = datetime(2017, 6, 1)
CAMPAIGN = {"campaign_id": "c1", "merchant_id": "m", "starts_at": STARTS, "ends_at": STARTS + timedelta(days=7)}


def _purchase(name: str, customer: str, days: float, merchant: str = "m", **facts: Any) -> dict[str, Any]:
    return {
        "purchase_id": name, "customer_id": customer, "merchant_id": merchant, "source": "online",
        "purchased_at": STARTS + timedelta(days=days), "paid_amount": 10, "net_amount": 10, "refunded_amount": 0,
        **facts,
    }  # fmt: skip


def _assigned(arms: Mapping[str, str], *, campaign: str = "c1", days: float = 0) -> list[dict[str, Any]]:
    at = STARTS + timedelta(days=days)
    return [{"campaign_id": campaign, "customer_id": name, "arm": arm, "assigned_at": at} for name, arm in arms.items()]


def _mined(purchases: list[dict[str, Any]], as_of: date = AS_OF, **feeds: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Return the table by campaign, outcome and method and the report; Any, since the stubs know no such index."""
    engine = DuckDBEngine(":memory:", Settings())
    World().store(engine, as_of=as_of)
    engine.write("known_purchases", rows_of("purchases", purchases), as_of=as_of)
    for feed, rows in feeds.items():
        engine.upsert(feed, engine.stage(rows_of(feed, rows).mutate(_ordinal=ibis.row_number())), file_id=1)
    report = build_incrementality(engine, as_of=as_of, settings=Settings())
    assert engine.violations(contract("incrementality"), as_of=as_of) == []
    found = engine.execute(engine.slice("incrementality", as_of))
    engine.close()
    return found.set_index(["campaign_id", "outcome", "method"]).sort_index(), report


ARMS = {"t1": "treatment", "t2": "treatment", "t3": "treatment", "k1": "control", "k2": "control"}


def test_a_draw_is_reckoned_by_hand() -> None:
    purchases = [
        _purchase("1", "t1", 0.0),
        _purchase("2", "t1", 20.9, net_amount=-4),
        _purchase("3", "t2", 3.0, net_amount=None),
        _purchase("4", "k1", 2.0),
        # Too early, too late, elsewhere, cancelled, not drawn.
        _purchase("5", "k1", -0.1),
        _purchase("6", "t3", 21.0),
        _purchase("7", "t3", 4.0, merchant="other"),
        _purchase("8", "k2", 4.0, cancelled_at=STARTS + timedelta(days=5)),
        _purchase("9", "stranger", 4.0),
    ]
    found, report = _mined(purchases, campaigns=[CAMPAIGN], assignments=_assigned(ARMS))
    itt = found.xs("itt", level="method").loc["c1"]
    # A merchant who names no margin keeps .3 of the 10 that were sold; what was given back is off, goods are paid for.
    assert itt["mean_treatment"].to_dict() == pytest.approx(
        {"converted": 2 / 3, "purchases": 1.0, "net_revenue": 2.0, "margin": (3 - 11) / 3}
    )
    assert itt["mean_control"].to_dict() == pytest.approx(
        {"converted": 0.5, "purchases": 0.5, "net_revenue": 5.0, "margin": 1.5}
    )
    assert itt["total_effect"].to_dict() == pytest.approx(
        {"converted": 0.5, "purchases": 1.5, "net_revenue": -9.0, "margin": -12.5}
    )
    assert (set(itt["n_treatment"]), set(itt["n_control"])) == ({3}, {2})
    assert set(itt["label"]) == {"experiment"}
    assert report.figures == {"experiment": 1, "observational": 0, "refused": 0}


def test_a_campaign_without_a_merchant_counts_what_is_bought_anywhere() -> None:
    purchases = [_purchase("1", "t1", 1.0, merchant="elsewhere"), _purchase("2", "t2", 1.0)]
    campaign = {**CAMPAIGN, "merchant_id": None}
    found, _ = _mined(purchases, campaigns=[campaign], assignments=_assigned(ARMS))
    assert found.loc[("c1", "purchases", "itt"), "mean_treatment"] == pytest.approx(2 / 3, abs=1e-6)


def test_nothing_after_the_day_counts() -> None:
    purchases = [_purchase("1", "t1", 1.0), _purchase("2", "t2", 6.0)]
    assigned = [*_assigned(ARMS), *_assigned({"late": "treatment"}, days=5)]
    later = {
        "campaign_id": "c2",
        "merchant_id": "m",
        "starts_at": STARTS + timedelta(days=5),
        "ends_at": datetime(2017, 7, 1),
    }
    found, _ = _mined(purchases, as_of=date(2017, 6, 4), campaigns=[CAMPAIGN, later], assignments=assigned)
    assert set(found.index.get_level_values("campaign_id")) == {"c1"}
    row = found.loc[("c1", "purchases", "itt")]
    assert (row["n_treatment"], row["mean_treatment"]) == (3, pytest.approx(1 / 3, abs=1e-6))


def test_without_a_draw_or_anybody_reached_the_figure_is_refused() -> None:
    touch = {
        "touch_id": "x",
        "customer_id": "t1",
        "touched_at": STARTS,
        "channel": "sms",
        "campaign_id": "c1",
        "action": "click",
    }
    early = {**CAMPAIGN, "campaign_id": "c2"}
    purchases = [_purchase("1", "t1", -200.0), _purchase("2", "t2", -100.0)]
    found, report = _mined(purchases, campaigns=[CAMPAIGN, early], touches=[touch])
    assert set(found["label"]) == {"refused"}
    assert found["effect"].isna().all()
    assert found["reason_code"].xs("purchases", level="outcome").tolist() == ["too_few", "nobody_reached"]
    assert [note.split(" is missing")[0] for note in report.notes] == ["feed assignments"]


def test_without_campaigns_the_table_is_empty_and_says_why() -> None:
    found, report = _mined([_purchase("1", "t1", 1.0)])
    assert found.empty
    assert "feed campaigns is missing" in report.notes[0]
    for draw in report.charts.values():
        draw()


def test_an_unfair_draw_raises_an_alarm() -> None:
    arms = {f"t{n:04d}": "treatment" for n in range(560)} | {f"k{n:04d}": "control" for n in range(440)}
    counted = ("purchases", "cents", "margin_cents")
    nothing = {f"{name}{ending}": 0 for name in counted for ending in ("", "_before")}
    drawn = pd.DataFrame({"arm": list(arms.values()), **nothing})
    rows = table(list(randomised("c1", drawn)))
    assert set(rows["reason_code"]) == {"sample_ratio"}
    assert set(rows["method"]) == {"itt"}


def _shoppers(seed: int, *, effect: float, trend: float = 0.0) -> pd.DataFrame:
    """Return customers of whom the keener are reached more often, and buy more at all times."""
    draw = np.random.default_rng(seed)
    keen = draw.gamma(4, 0.5, 1500)
    reached = draw.random(1500) < 1 / (1 + np.exp(1.5 - 0.5 * keen))
    rates = [keen + 0.2 + (effect + trend) * reached, keen + trend * reached, keen, 2 * keen]
    columns: dict[str, Any] = {"customer_id": [f"{n:04d}" for n in range(1500)], "reached": reached}
    for back, rate in enumerate(rates):
        columns[f"purchases_{back}"] = draw.poisson(rate)
        columns[f"cents_{back}"] = columns[f"purchases_{back}"] * 1000
        columns[f"margin_cents_{back}"] = columns[f"purchases_{back}"] * 300
    return pd.DataFrame(columns)


def test_comparable_customers_show_the_effect_where_nothing_else_differs() -> None:
    held = 0
    for seed in range(30):
        rows = {row.outcome: row for row in compared("c1", _shoppers(seed, effect=0.5), has_past=True)}
        row = rows["purchases"]
        if row.label == "refused":
            assert row.reason_code == "pre_trend"
            continue
        held += row.effect_low <= 0.5 <= row.effect_high  # type: ignore[operator]
    # One in twenty is refused by chance, one in twenty misses.
    assert held >= 24


@pytest.mark.parametrize(
    ("options", "has_past", "reason"),
    [
        ({"trend": 0.6}, True, "pre_trend"),
        ({}, False, "no_past"),
    ],
)
def test_where_the_assumptions_fail_there_is_a_reason_instead_of_a_figure(
    options: dict[str, float], has_past: bool, reason: str
) -> None:
    rows = {row.outcome: row for row in compared("c1", _shoppers(1, effect=0.5, **options), has_past=has_past)}
    assert (rows["purchases"].label, rows["purchases"].reason_code) == ("refused", reason)
    assert rows["purchases"].effect is None


def test_a_campaign_older_than_the_log_lacks_a_past_not_customers() -> None:
    # Whom it touched had not bought before: before the log begins nobody had.
    rows = list(compared("c1", _shoppers(1, effect=0.5).assign(reached=False), has_past=False))
    assert {row.reason_code for row in rows} == {"no_past"}


def test_all_effects_of_a_campaign_come_from_one_comparison() -> None:
    rows = {row.outcome: row for row in compared("c1", _shoppers(3, effect=0.5), has_past=True)}
    assert {row.label for row in rows.values()} == {"observational"}
    purchases, revenue, margin = (rows[name].effect for name in ("purchases", "net_revenue", "margin"))
    assert None not in (purchases, revenue, margin)
    # Each purchase is of 10, of which 3 are kept.
    assert revenue == pytest.approx(10 * purchases)  # type: ignore[operator]
    assert margin == pytest.approx(3 * purchases)  # type: ignore[operator]


def test_what_moved_apart_in_one_outcome_refuses_all() -> None:
    customers = _shoppers(3, effect=0.5)
    dearer = customers.assign(margin_cents_1=customers["margin_cents_1"] + 400 * customers["reached"])
    rows = list(compared("c1", dearer, has_past=True))
    assert [(row.outcome, row.label, row.reason_code) for row in rows] == [
        (outcome, "refused", "pre_trend") for outcome in OUTCOMES
    ]


def test_who_bought_like_nobody_else_is_compared_with_nobody() -> None:
    customers = _shoppers(1, effect=0.5)
    keenest = customers.assign(reached=customers["purchases_3"] > 6)
    assert {row.reason_code for row in compared("c1", keenest, has_past=True)} == {"no_overlap"}


def test_the_effect_up_to_each_day_is_counted_by_hand() -> None:
    drawn = pd.DataFrame(
        {"arm": ["treatment"] * 4 + ["control"] * 4, "first_day": [0, 2, None, None, 1, None, None, None]}
    )
    days = daily(drawn)
    assert days["effect"].tolist() == [0.25, 0.0, 0.25]
    assert (days["low"] < days["effect"]).all()
    assert daily(drawn.assign(first_day=np.nan))["effect"].tolist() == [0.0]


def _found(totals: Mapping[str, tuple[float, float]], n: int = 100) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "campaign_id": name, "outcome": "purchases", "method": "itt", "label": "experiment",
                "reason_code": None, "n_treatment": n, "total_effect": total,
                "effect_low": (total - 1.959964 * error) / n, "effect_high": (total + 1.959964 * error) / n,
            }
            for name, (total, error) in totals.items()
        ]
    )  # fmt: skip


def test_ratios_are_drawn_towards_the_mean_by_their_error() -> None:
    credited = pd.Series({"a": 10.0, "b": 10.0, "c": 10.0})
    exact = ratios(credited, _found({"a": (1.0, 1e-3), "b": (5.0, 1e-3), "c": (9.0, 1e-3)}))
    assert exact is not None
    assert exact.each.to_dict() == pytest.approx({"a": 0.1, "b": 0.5, "c": 0.9}, abs=1e-4)
    noisy = ratios(credited, _found({"a": (1.0, 20.0), "b": (5.0, 20.0), "c": (9.0, 20.0)}))
    assert noisy is not None
    assert noisy.each.to_dict() == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.5})
    assert ratios(credited, _found({"unseen": (1.0, 1.0)})) is None


def test_calibrated_credit_is_what_experiments_found_and_the_rest_is_direct() -> None:
    def cell(channel: str, campaign: str | None, window: int, conversions: int) -> dict[str, Any]:
        return {
            "channel": channel, "campaign_id": campaign, "last_window": window, "parts": conversions * 10**15,
            "revenue_cents": conversions * 1000, "refund_cents": conversions * 10,
        }  # fmt: skip

    credit = pd.DataFrame(
        [cell("sms", "a", 2, 6), cell("push", "a", 0, 4), cell("search", None, 2, 5), cell("sms", "b", 2, 2)]
    )
    found = calibrated_credit(credit, _found({"a": (2.0, 1e-3)}), as_of=AS_OF)
    assert found is not None
    rows = found.to_pandas().set_index(["window", "level", "id"])
    conversions = (rows["parts"].astype(float) / 1e15).round(6)
    # Two of ten were caused: a fifth of each channel's, and of b's, which had no draw; what is not in a campaign stays.
    assert conversions[0]["channel"].to_dict() == {"direct": 9.6, "push": 0.8, "search": 5.0, "sms": 1.6}
    assert conversions[0]["campaign"].to_dict() == {"(none)": 14.6, "a": 2.0, "b": 0.4}
    assert conversions[2]["campaign"].to_dict() == {"(none)": 11.4, "a": 1.2, "b": 0.4}
    sums = rows.groupby(["window", "level"])[["revenue_cents", "refund_cents"]].sum()
    assert sums.loc[0].to_numpy().tolist() == [[17000, 170]] * 2
    assert sums.loc[2].to_numpy().tolist() == [[13000, 130]] * 2


def test_without_an_experiment_nothing_is_calibrated() -> None:
    engine = DuckDBEngine(":memory:", Settings())
    World().store(engine)
    build_incrementality(engine, as_of=AS_OF, settings=Settings())
    build_campaign_attribution(engine, as_of=AS_OF, settings=Settings())
    models = set(engine.execute(engine.slice("campaign_attribution", AS_OF))["model"])
    engine.close()
    assert "calibrated" not in models
