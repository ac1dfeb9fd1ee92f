"""The truth is true: what randomised arms show is near it, what exposure shows is not, odds are calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from o2o_mining.simulator import World
from o2o_mining.simulator.chance import DAY
from o2o_mining.simulator.history import History, live
from o2o_mining.simulator.observable import alive_at, signs_of_life


def _feeds(folder: Path, *names: str) -> list[pd.DataFrame]:
    return [pd.read_csv(folder / f"{name}.csv") for name in names]


def _converted(folder: Path) -> pd.DataFrame:
    """Return customer and campaign of everybody who bought at the campaign's merchant while it ran, from the feeds."""
    campaigns, orders, redemptions = _feeds(folder, "campaigns", "online_orders", "offline_redemptions")
    orders = orders[orders["fulfilment"] == "delivery"].rename(columns={"ordered_at": "at"})
    came = redemptions.rename(columns={"redeemed_at": "at"})
    bought = pd.concat([orders, came])[["customer_id", "merchant_id", "at"]]
    joined = campaigns[["campaign_id", "merchant_id", "starts_at", "ends_at"]].merge(bought, on="merchant_id")
    within = (joined["at"] >= joined["starts_at"]) & (joined["at"] < joined["ends_at"])
    return joined.loc[within, ["campaign_id", "customer_id"]].drop_duplicates()


def test_randomised_arms_show_the_truth_and_exposure_does_not(folder: Path) -> None:
    assignments, effects = _feeds(folder, "assignments", "truth/campaign_effects")
    bought = _converted(folder).assign(bought=1)
    ended = effects["campaign_id"].isin(_feeds(folder, "campaigns")[0].query("ends_at < '2025-06-24'")["campaign_id"])
    every = effects[ended].merge(bought, how="left").fillna({"bought": 0})
    arms = every[every["campaign_id"].isin(assignments["campaign_id"])]
    arms = arms.merge(assignments, on=["campaign_id", "customer_id"], how="left", suffixes=("_true", ""))
    by_arm = (
        arms.dropna(subset=["arm"]).groupby(["campaign_id", "arm"])["bought"].agg(["mean", "var", "size"]).unstack()
    )
    effect = by_arm["mean"]["treatment"] - by_arm["mean"]["control"]
    spread = by_arm["var"] / by_arm["size"]
    error = np.sqrt(spread["treatment"] + spread["control"])
    drawn = arms.dropna(subset=["arm"]).assign(true=lambda t: t["y1"].astype(int) - t["y0"].astype(int))
    truth = drawn.groupby("campaign_id")["true"].mean()
    assert ((effect - truth).abs() < 1.96 * error).mean() >= 0.8
    exposed = arms.groupby(["campaign_id", "exposed"])["bought"].mean().unstack()
    naive = exposed[True] - exposed[False]
    assert (naive - truth).mean() > 0.05
    assert (effect - truth).mean() == pytest.approx(0, abs=0.03)


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


@pytest.mark.parametrize("scenario", ["balanced", "one-time-buyers", "bad-service"])
@pytest.mark.parametrize("day", [250, 540])
def test_the_observable_probability_of_being_there_is_calibrated(scenario: str, day: int) -> None:
    history = live(World(20_000, 540, scenario, seed=11))
    who, chance = alive_at(history, day)
    there = history.people.left[who] >= day * DAY
    for low in np.arange(0, 1, 0.2):
        band = (chance >= low) & (chance < low + 0.2)
        error = np.sqrt((chance[band] * (1 - chance[band])).sum()) / band.sum()
        assert abs(there[band].mean() - chance[band].mean()) < 4 * error + 0.01


def test_the_observable_probability_ranks_better_than_recency(balanced: History) -> None:
    who, chance = alive_at(balanced, 400)
    there = balanced.people.left[who] >= 400 * DAY

    def auc(score: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        rank = pd.Series(score).rank().to_numpy()
        return float((rank[there].sum() - there.sum() * (there.sum() + 1) / 2) / (there.sum() * (~there).sum()))

    assert auc(chance) > auc(signs_of_life(balanced, 400).last_day[who].astype(float)) + 0.01


def test_channels_left_out_alone_lose_no_more_than_all_of_them_in_persuasion(folder: Path) -> None:
    (channels,) = _feeds(folder, "truth/channel_increments")
    assert channels["incremental_conversions"].sum() > 0
    assert (channels.groupby("campaign_id")["campaign_incremental_conversions"].nunique() == 1).all()
