"""Uplift from how customers took earlier offers, calibrated on trials."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from o2o_mining.response.kinds import Kinds
from o2o_mining.response.trials import calibrated, effect_scores
from o2o_mining.response.uplift_scoring import UpliftScorer, learned_uplift

CUSTOMERS, CAMPAIGNS = 900, 8
# Chances of coming without and with an offer: moved by it, coming anyway, never coming.
CHANCES = np.array([[0.05, 0.6], [0.6, 0.6], [0.03, 0.03]])


def history(*, effect: float = 1.0, held_share: float = 0.5, reached_share: float = 0.6) -> pd.DataFrame:
    """Return units of eight campaigns and customers of three kinds; those who come anyway are reached more often."""
    draw = np.random.default_rng(0)
    kind = np.arange(CUSTOMERS) % 3
    parts = []
    for number in range(CAMPAIGNS):
        start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=20 * number)
        reached = draw.random(CUSTOMERS) < np.where(kind == 1, 0.8, reached_share)
        held = reached & (draw.random(CUSTOMERS) < held_share)
        asked = reached & ~held
        without, with_offer = CHANCES[kind].T
        came = draw.random(CUSTOMERS) < without + asked * effect * (with_offer - without)
        parts.append(
            pd.DataFrame({
                "customer_id": [f"c{n}" for n in range(CUSTOMERS)], "offer_id": f"g{number}",
                "campaign_id": f"g{number}", "merchant_id": "m", "category": "cafe", "channel": "sms",
                "known_at": start, "told_at": start + pd.Timedelta(days=14), "asked": asked, "held": held,
                "came": came, "off_share": 0.3, "distance_m": 1000.0, "n_visits": 3.0, "recency_days": 20.0,
                "age_years": 40.0, "centre_km": np.nan,
            })
        )  # fmt: skip
    return in_order(pd.concat(parts))


def in_order(units: pd.DataFrame) -> pd.DataFrame:
    return units.sort_values(["known_at", "customer_id", "offer_id"], ignore_index=True)


@cache
def learned(effect: float = 1.0, held_share: float = 0.5) -> tuple[UpliftScorer | None, str]:
    units = history(effect=effect, held_share=held_share)
    return learned_uplift(units, Kinds.learned(units))


def scores_of(scorer: UpliftScorer, pairs: pd.DataFrame, units: pd.DataFrame | None = None) -> pd.DataFrame:
    """Score pairs after all that the units showed."""
    units = history() if units is None else units
    later = pairs.assign(known_at=pd.Timestamp("2025-01-01"))
    return scorer.scores(pairs, scorer.kinds.evidence(units, later))


def pairs() -> pd.DataFrame:
    return history().query("offer_id == 'g7'").sort_values("customer_id", key=_number, ignore_index=True)


def _number(ids: pd.Series) -> pd.Series:
    return ids.str[1:].astype(int)


def thirds(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores and the true uplift, by thirds of the score."""
    truth = np.array([0.55, 0.0, 0.0])[np.arange(len(scores)) % 3]
    third = pd.qcut(scores["uplift"].rank(method="first"), 3, labels=False)
    return scores.drop(columns="basis").assign(truth=truth).groupby(third).mean()


def test_who_is_moved_and_by_how_much_is_found_from_experiments() -> None:
    scorer, said = learned()
    assert scorer is not None
    assert said == "uplift is calibrated on 8 campaigns with a control drawn by chance"
    scores = scores_of(scorer, pairs())
    assert set(scores["basis"]) == {"experiment"}
    found = thirds(scores)
    assert found["truth"].iloc[0] < 0.08 < 0.4 < found["truth"].iloc[2]
    assert (found["uplift_low"] <= found["truth"]).all()
    assert (found["truth"] <= found["uplift_high"]).all()
    assert (scores["uplift_low"] <= scores["uplift"]).all()
    assert (scores["uplift"] <= scores["uplift_high"]).all()


def test_the_ranking_is_measured_where_arms_were_drawn_by_chance() -> None:
    scorer, _ = learned()
    assert scorer is not None
    found = scorer.measures.set_index("metric").astype(float)
    assert found["value_low"].to_dict()["qini"] > 0.02
    assert found["value"].to_dict()["qini_p_value"] < 0.05
    assert found["value_low"].to_dict()["uplift_at_10"] > 0.3


def test_an_offer_that_moves_nobody_has_no_uplift() -> None:
    scorer, said = learned(effect=0.0)
    assert scorer is not None
    assert "they show no effect on anybody" in said
    scores = scores_of(scorer, pairs())
    assert (scores["uplift"] == 0).all()
    assert (scores["uplift_low"] < 0).all()
    assert (scores["uplift_high"] > 0).all()


def test_without_experiments_comparable_customers_must_do() -> None:
    scorer, said = learned(held_share=0.0)
    assert scorer is not None
    assert said.endswith("with a control of customers comparable by propensity")
    scores = scores_of(scorer, pairs())
    assert set(scores["basis"]) == {"observational"}
    found = thirds(scores)
    assert found["uplift"].to_numpy() == pytest.approx(found["truth"].to_numpy(), abs=0.12)
    assert scorer.measures.empty


@pytest.mark.parametrize("rows", ["asked", "none"])
def test_without_anybody_to_compare_with_there_is_no_uplift(rows: str) -> None:
    units = history()
    some = {"asked": units["asked"], "none": units["asked"] & ~units["asked"]}
    scorer, said = learned_uplift(units[some[rows]], Kinds.learned(units[some[rows]]))
    assert scorer is None
    assert said.startswith("uplift is not known")


def test_a_single_campaign_tells_the_mean_and_hardly_more() -> None:
    units = history().query("offer_id == 'g0'")
    scorer, said = learned_uplift(units, Kinds.learned(units))
    assert scorer is not None
    assert said == "uplift is calibrated on 1 campaigns with a control drawn by chance"
    scores = scores_of(scorer, pairs(), units)
    assert scores["uplift"].mean() == pytest.approx(0.55 / 3, abs=0.08)
    assert (scores["uplift_high"] - scores["uplift_low"]).mean() > 0.5


def test_a_customer_nobody_knows_gets_the_uplift_of_all() -> None:
    scorer, _ = learned()
    assert scorer is not None
    stranger = (
        pairs().head(1).assign(customer_id="nobody", distance_m=np.nan, age_years=np.nan, channel="carrier pigeon")
    )
    found = scores_of(scorer, stranger)["uplift"].iloc[0]
    assert 0.08 < found < 0.35
    assert len(scores_of(scorer, stranger.head(0))) == 0


def test_scores_do_not_depend_on_the_order_of_rows() -> None:
    units = history()
    scorer, _ = learned()
    mixed = in_order(units.sample(frac=1, random_state=1))
    again, _ = learned_uplift(mixed, Kinds.learned(mixed))
    assert scorer is not None
    assert again is not None
    pd.testing.assert_frame_equal(scores_of(scorer, pairs()), scores_of(again, pairs()))


def trials(campaigns: int, *, slope: float, between: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return campaigns, predictions and scores whose mean is the prediction times a slope that campaigns vary."""
    draw = np.random.default_rng(seed)
    campaign = np.repeat(np.arange(campaigns), 450)
    slopes = slope * (1 + between * draw.normal(size=campaigns))
    predicted = draw.choice(np.linspace(0, 0.4, 9), len(campaign))
    return campaign, predicted, slopes[campaign] * predicted + 0.6 * draw.normal(size=len(campaign))


def test_what_came_true_of_predictions_is_what_new_ones_get() -> None:
    found = calibrated(*trials(60, slope=0.6, between=0.0, seed=0))
    assert found.uplift(np.array([0.1, 0.4]))[0] == pytest.approx([0.06, 0.24], abs=0.03)
    assert found.p_value < 1e-10


def test_the_interval_holds_the_effect_of_a_new_campaign_as_often_as_it_says() -> None:
    held = []
    for seed in range(120):
        found = calibrated(*trials(8, slope=0.8, between=0.2, seed=seed))
        new = 0.8 * (1 + 0.2 * np.random.default_rng(1000 + seed).normal()) * 0.4
        _, low, high = found.uplift(np.array([0.4]))
        held.append(low[0] <= new <= high[0])
    assert 0.83 <= np.mean(held) <= 0.98


def test_chance_alone_is_hardly_ever_taken_for_an_effect() -> None:
    found = [calibrated(*trials(4, slope=0.0, between=0.0, seed=seed)).holds for seed in range(100)]
    assert np.mean(found) <= 0.03


def test_effect_scores_have_the_effect_as_their_mean_even_when_predictions_are_wrong() -> None:
    draw = np.random.default_rng(0)
    chance = draw.uniform(0.2, 0.8, 100_000)
    asked = draw.random(100_000) < chance
    came = draw.random(100_000) < 0.2 + 0.3 * asked + 0.4 * (chance - 0.5)
    wrong = np.full(100_000, 0.9)
    scores = effect_scores(wrong, wrong, asked.astype(float), came.astype(float), chance)
    assert scores.mean() == pytest.approx(0.3, abs=0.01)
