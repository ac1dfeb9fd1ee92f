"""Tests by places: a planted effect is found, chance is not, and what cannot be told is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from o2o_mining.attribution.effects.bought import spans
from o2o_mining.attribution.effects.incrementality import Row
from o2o_mining.attribution.effects.places import city_purchases, place_customers, place_weeks, store_purchases
from o2o_mining.attribution.effects.steps import build_incrementality
from o2o_mining.attribution.effects.synthetic import compared_places, place_weights
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, BOUGHT, World, table

SIZES = (400, 4000)


def _panel(seed: int, lift: float = 0.0, *, others: int = 22, moved: float = 0.0) -> pd.DataFrame:
    """Two stores where a campaign ran and others, all moved by two seasons in a mix of their own.

    Half of the purchases are of customers whom the campaign did not reach; ``lift`` is its effect as a share of all,
    ``moved`` what else happened at its stores.
    """
    draw, caused = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    week = np.arange(-26, 4)
    frames = []
    for number in range(others + 2):
        mix = draw.random()
        rate = 7.5 * draw.uniform(0.5, 2) * np.exp(0.2 * (mix * np.sin(week / 5) + (1 - mix) * np.cos(week / 3)))
        ran = (number < 2) & (week >= 0)
        unreached = draw.poisson(rate * (1 + moved * ran))
        bought = unreached + draw.poisson(rate * (1 + moved * ran)) + caused.poisson(2 * rate * lift * ran)
        store = {"place": f"s{number:02}", "treated": number < 2, "week": week, "purchases": bought}
        frames.append(pd.DataFrame({**store, "cents": bought * 1000, "unreached": unreached}))
    return pd.concat(frames)


def _compared(weeks: pd.DataFrame, *, alone: bool = True, reach_known: bool = True) -> list[Row]:
    return list(compared_places("c", weeks, SIZES, alone=alone, reach_known=reach_known))


def test_a_planted_effect_is_found_and_chance_is_not() -> None:
    effects, found, chance, held = [], [], [], []
    for seed in range(24):
        row, money = _compared(_panel(seed, 0.5))
        nothing, _ = _compared(_panel(seed))
        # Those not reached are the same in both: by chance they moved in about one of ten.
        assert (row.reason_code, nothing.reason_code) in [(None, None), ("unreached_moved", "unreached_moved")]
        if row.effect is None or row.mean_control is None or row.p_value is None or nothing.p_value is None:
            continue
        effects.append(row.effect / row.mean_control)
        found.append(row.p_value < 0.05)
        chance.append(nothing.p_value < 0.05)
        held.append((nothing.effect_low or 0) <= 0 <= (nothing.effect_high or 0))
        assert (row.label, row.method) == ("observational", "synthetic_control")
        assert money.effect == pytest.approx(10 * row.effect)
    assert len(effects) >= 18
    assert np.mean(effects) == pytest.approx(0.5, abs=0.1)
    assert np.mean(found) >= 0.8
    assert np.mean(chance) <= 0.15
    # 94 % of 258.
    assert np.mean(held) >= 0.85


def test_what_happened_to_those_not_reached_too_is_no_effect_of_the_campaign() -> None:
    reasons = [row.reason_code for seed in range(6) for row in _compared(_panel(seed, 0.2, moved=1.5))]
    assert reasons == ["unreached_moved"] * 12
    panel = _panel(1, 0.5)
    few = panel.assign(unreached=panel["unreached"].where(~panel["treated"] | (panel["week"] % 6 == 0), 0) // 8)
    assert {row.reason_code for row in _compared(few)} == {"too_few_unreached"}


def test_a_second_campaign_at_the_same_stores_is_not_told_apart() -> None:
    assert [(row.label, row.reason_code) for row in _compared(_panel(1, 0.5), alone=False)] == [
        ("refused", "another_campaign"), ("refused", "another_campaign"),
    ]  # fmt: skip


def test_a_campaign_of_which_no_touch_is_logged_has_its_figure_in_doubt() -> None:
    panel = _panel(1, 0.5)
    known, unknown = (_compared(rows, reach_known=reach)[0] for rows, reach in (
        (panel, True), (panel.assign(unreached=panel["purchases"]), False),
    ))  # fmt: skip
    assert (unknown.label, unknown.reason_code) == ("observational", "reach_unknown")
    assert (known.reason_code, unknown.effect) == (None, known.effect)


def test_effects_are_per_customer_and_add_up() -> None:
    row, _ = _compared(_panel(1, 0.5))
    panel = _panel(1, 0.5)
    bought = panel.loc[panel["treated"] & (panel["week"] >= 0), "purchases"].sum()
    assert row.mean_treatment == bought / 400
    assert row.effect is not None
    assert row.mean_control == pytest.approx(bought / 400 - row.effect)
    assert row.total_effect == pytest.approx(400 * row.effect)


def test_weights_are_shares_that_follow_a_place() -> None:
    draw = np.random.default_rng(1)
    others = draw.random((26, 5))
    weights = place_weights(others, others @ [0.1, 0.2, 0.0, 0.7, 0.0])
    assert weights == pytest.approx([0.1, 0.2, 0.0, 0.7, 0.0], abs=1e-6)
    outside = place_weights(others, others.max(axis=1) + 1)
    assert outside.sum() == pytest.approx(1.0)
    assert outside.min() >= 0


def test_what_cannot_be_told_by_places_is_refused_with_its_reason() -> None:
    def reasons(weeks: pd.DataFrame) -> set[str | None]:
        return {row.reason_code for row in _compared(weeks)}

    assert reasons(_panel(1, others=18)) == {"too_few_places"}
    panel = _panel(1)
    assert reasons(panel[~panel["treated"]]) == {"too_few_places"}
    assert reasons(panel[panel["week"] < 0]) == {"too_few_places"}
    times = 1 + 9 * (panel["treated"] & (panel["week"] % 2 == 0))
    jumping = panel.assign(purchases=panel["purchases"] * times, cents=panel["cents"] * times)
    assert reasons(jumping) == {"poor_fit"}
    assert list(compared_places("c", panel, (400, 0), alone=True, reach_known=True)) == []


CAMPAIGNS = [
    {"campaign_id": "c1", "merchant_id": "m", "starts_at": BOUGHT, "ends_at": BOUGHT + timedelta(days=1)},
    {"campaign_id": "c2", "merchant_id": "busy", "starts_at": BOUGHT, "ends_at": BOUGHT},
]


def _sold(name: str, merchant: str, days: float, **facts: Any) -> dict[str, Any]:
    return {
        "purchase_id": name, "customer_id": name[0], "merchant_id": merchant, "store_id": f"{merchant}1",
        "source": "offline", "purchased_at": BOUGHT + timedelta(days=days), "net_amount": 10, "refunded_amount": 0,
        **facts,
    }  # fmt: skip


PURCHASES = [
    _sold("a1", "m", -0.5), _sold("a2", "m", 0), _sold("a3", "m", 6.9, net_amount=None), _sold("b1", "m", 7),
    _sold("b2", "m", 1, cancelled_at=BOUGHT), _sold("b3", "m", 1, store_id=None), _sold("b4", "m", 99),
    _sold("c1", "n", -8), _sold("d1", "busy", -1),
]  # fmt: skip


def test_stores_are_those_of_the_merchant_and_of_others_without_a_campaign() -> None:
    engine = DuckDBEngine(":memory:", Settings())
    begun = spans(table("campaigns", CAMPAIGNS), as_of=AS_OF)
    span = begun.filter(begun.campaign_id == "c1")
    bought = store_purchases(table("purchases", PURCHASES), span, begun, table("touches", [{"customer_id": "a"}] * 2))
    weeks = engine.execute(place_weeks(bought, span).order_by(["place", "week"]))
    counts = engine.execute(place_customers(bought, span).order_by("treated"))
    engine.close()
    assert list(weeks.itertuples(index=False, name=None)) == [
        ("m1", True, -1, 1, 1000, 0), ("m1", True, 0, 2, 1000, 0), ("m1", True, 1, 1, 1000, 1),
        ("n1", False, -2, 1, 1000, 1),
    ]  # fmt: skip
    assert counts.to_numpy().tolist() == [[False, 1], [True, 1]]


def test_cities_are_those_where_many_were_reached_or_nobody() -> None:
    engine = DuckDBEngine(":memory:", Settings())
    homes = [{"customer_id": name, "city": city} for name, city in (("a", "east"), ("c", "west"), ("d", "far"))]
    crowd = [{"customer_id": f"x{n}", "city": "far"} for n in range(40)]
    reached = table("touches", [{"customer_id": name} for name in ("a", "a", "d")])
    bought = city_purchases(table("purchases", PURCHASES), table("customers", homes + crowd), reached)
    found = engine.execute(bought.group_by(["place", "treated"]).aggregate(n=bought.count()).order_by("place"))
    engine.close()
    # One of 41 reached in the far city: it neither ran there nor did not.
    assert found.to_numpy().tolist() == [["east", True, 3], ["west", False, 1]]


def test_campaigns_without_a_draw_have_rows_by_places() -> None:
    engine = DuckDBEngine(":memory:", Settings())
    World().store(engine)
    engine.write("known_purchases", table("purchases", PURCHASES), as_of=AS_OF)
    rows = table("campaigns", CAMPAIGNS)
    engine.upsert("campaigns", engine.stage(rows.mutate(_ordinal=ibis.row_number())), file_id=1)
    report = build_incrementality(engine, as_of=AS_OF, settings=Settings())
    assert engine.violations(contract("incrementality"), as_of=AS_OF) == []
    found = engine.execute(engine.slice("incrementality", AS_OF))
    engine.close()
    rows_of = found[found["method"] == "synthetic_control"].sort_values(["campaign_id", "outcome"])
    assert rows_of[["campaign_id", "outcome", "reason_code"]].to_numpy().tolist() == [
        ["c1", "net_revenue", "too_few_places"], ["c1", "purchases", "too_few_places"],
        ["c2", "net_revenue", "too_few_places"], ["c2", "purchases", "too_few_places"],
    ]  # fmt: skip
    report.charts["campaign_effects"]()
