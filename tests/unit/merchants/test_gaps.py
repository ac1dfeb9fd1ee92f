"""One scale for all, and gaps that are shrunk as far as they are noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from o2o_mining.merchants.gaps import between_variance, gap_trends, promise_gaps
from o2o_mining.merchants.standards import standardised

WEIGHTS = {"wait": 0.35, "rating": 0.2, "complaint": 0.2, "refund": 0.1, "reservation": 0.1, "price": 0.05}


def waits(effects: dict[str, float], *, visits: int = 200, spread: float = 4.0, seed: int = 0) -> pd.DataFrame:
    """Return waits of merchants over 80 days, two stores each, in one category and city."""
    chance = np.random.default_rng(seed)
    rows = pd.DataFrame({"merchant_id": np.repeat(list(effects), visits), "measure": "wait", "n": 1})
    rows["age"] = 1 + np.tile(np.arange(visits) % 80, len(effects))
    rows["store_id"] = rows["merchant_id"] + "-" + (rows.index % 2).astype(str)
    rows["value"] = rows["merchant_id"].map(effects) + spread * chance.standard_normal(len(rows))
    return rows.assign(category="cafe", city="A")


def of(gaps: pd.DataFrame, level: str, measure: str = "all") -> pd.DataFrame:
    return gaps[(gaps["level"] == level) & (gaps["measure"] == measure)].set_index("id")


def ages(rows: pd.DataFrame) -> pd.Series[int]:
    return pd.Series(90, index=sorted(rows["merchant_id"].unique()))


def test_the_spread_is_that_within_merchants_however_far_they_are_apart() -> None:
    rows = standardised(waits({"a": 0, "b": 0, "c": 40}))
    assert rows["spread"].unique() == pytest.approx([4.0], rel=0.05)
    assert rows.groupby("merchant_id")["z"].mean().to_dict() == pytest.approx({"a": 0, "b": 0, "c": 10}, abs=0.5)


def test_all_merchants_late_are_all_worse_than_promised() -> None:
    rows = standardised(waits({"a": 8, "b": 8, "c": 8}))
    assert rows["z"].mean() == pytest.approx(2.0, rel=0.1)


def test_stars_and_complaints_are_compared_with_the_merchant_in_the_middle() -> None:
    rows = waits({"a": 0, "b": 0, "c": 9}).assign(measure="rating")
    means = standardised(rows).groupby("merchant_id")["z"].mean()
    assert means[["a", "b"]].abs().max() < 0.2
    assert means["c"] > 2


def test_a_measure_that_never_varies_is_left_out() -> None:
    assert standardised(waits({"a": 0, "b": 0}).assign(value=0.0)).empty


def test_a_small_category_borrows_the_spread_of_all() -> None:
    rows = waits({"a": 0, "b": 0})
    lonely = waits({"z": 0}, visits=5).assign(category="spa")
    found = standardised(pd.concat([rows, lonely], ignore_index=True))
    assert found.loc[found["category"] == "spa", "spread"].iloc[0] == pytest.approx(4.0, rel=0.1)


def test_a_storm_that_all_of_a_city_wait_through_is_nobody_s_fault() -> None:
    rows = waits(dict.fromkeys("abcdefgh", 0.0), visits=800)
    storm = rows["age"].isin([10, 11])
    late = rows.assign(value=rows["value"] + 20 * storm)
    beyond = standardised(late)["z"][storm]
    assert beyond.mean() < 0.6  # five standard deviations without it
    alone = rows.assign(value=rows["value"] + 20 * (storm & (rows["merchant_id"] == "a")))
    of_a = standardised(alone)[storm & (rows["merchant_id"] == "a")]
    assert of_a["z"].mean() > 4


def test_variance_between_merchants_is_found_again() -> None:
    chance = np.random.default_rng(1)
    noise = chance.uniform(0.1, 1.0, 4000)
    seen = chance.normal(0, 0.7, 4000) + np.sqrt(noise) * chance.standard_normal(4000)
    assert between_variance(seen, noise) == pytest.approx(0.49, rel=0.1)
    assert between_variance(np.array([]), np.array([])) == pytest.approx(0.0025)


def test_intervals_hold_95_of_100_true_gaps() -> None:
    chance = np.random.default_rng(2)
    true = {f"m{n:03}": float(4 * chance.normal(0, 0.4)) for n in range(400)}
    rows = standardised(waits(true, visits=20, seed=3))
    gaps = of(promise_gaps(rows, WEIGHTS, since_age=ages(rows)), "merchant")
    gap = pd.Series(true) / 4
    inside = (gaps["gap_low"] <= gap) & (gap <= gaps["gap_high"])
    assert 0.92 <= inside.mean() <= 0.98
    raw = rows.groupby("merchant_id")["z"].mean()
    assert ((gaps["gap"] - gap) ** 2).mean() < 0.9 * ((raw - gap) ** 2).mean()


def test_few_visits_are_shrunk_towards_a_promise_kept() -> None:
    many = waits({"a": 0, "b": 0, "c": 4, "d": -4})
    few = waits({"x": 40}, visits=2)
    rows = standardised(pd.concat([many, few], ignore_index=True))
    gaps = of(promise_gaps(rows, WEIGHTS, since_age=ages(rows)), "merchant")
    assert 0 < gaps["gap"]["x"] < rows.loc[rows["merchant_id"] == "x", "z"].mean()
    assert gaps["gap_high"]["x"] - gaps["gap_low"]["x"] > 3 * (gaps["gap_high"]["a"] - gaps["gap_low"]["a"])


def test_stores_lean_on_their_merchant_and_an_only_store_is_its_merchant() -> None:
    rows = waits({"a": 0, "b": 0, "c": 0})
    rows.loc[rows["store_id"] == "a-1", "value"] += 12
    rows.loc[rows["merchant_id"] == "c", "store_id"] = "only"
    rows = standardised(rows)
    gaps = promise_gaps(rows, WEIGHTS, since_age=ages(rows))
    stores, merchants = of(gaps, "store"), of(gaps, "merchant")
    assert stores["gap"]["a-1"] > 2
    assert stores["gap"]["a-0"] < 0.5
    for name in ("gap", "gap_low", "gap_high"):
        assert stores[name]["only"] == pytest.approx(merchants[name]["c"])


def test_weights_of_what_the_source_tells_add_up_to_one() -> None:
    rows = waits({"a": 0, "b": 8})
    rows = standardised(pd.concat([rows, rows.assign(measure="rating", value=rows["value"] * 0)], ignore_index=True))
    gaps = promise_gaps(rows, WEIGHTS, since_age=ages(rows))
    assert set(gaps["measure"]) == {"wait", "all"}
    both = pd.concat([waits({"a": 0, "b": 8}), waits({"a": 0, "b": 0}, seed=5).assign(measure="rating")])
    rows = standardised(both.reset_index(drop=True))
    gaps = promise_gaps(rows, WEIGHTS, since_age=ages(rows))
    single = gaps[(gaps["id"] == "b") & (gaps["measure"] != "all")]
    assert single["weight"].tolist() == pytest.approx([0.2 / 0.55, 0.35 / 0.55], abs=1e-6)
    assert of(gaps, "merchant")["gap"]["b"] == pytest.approx((single["gap"] * single["weight"]).sum(), abs=1e-5)


def test_the_order_of_merchants_does_not_matter() -> None:
    rows = waits({"a": 0, "b": 4, "c": 8})
    one = promise_gaps(standardised(rows), WEIGHTS, since_age=ages(rows))
    other = promise_gaps(standardised(rows), WEIGHTS, since_age=ages(rows)[::-1])
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_trend_is_the_last_month_less_what_was_before() -> None:
    rows = waits({"a": 0, "b": 0}, visits=800)
    rows["value"] += 4.0 * ((rows["merchant_id"] == "a") & (rows["age"] <= 30))
    trends = gap_trends(standardised(rows), WEIGHTS)
    assert trends["gap_trend_low"]["a"] > 0.7
    assert trends["gap_trend_low"]["b"] < 0 < trends["gap_trend_high"]["b"]
    assert gap_trends(standardised(rows[rows["age"] > 30]), WEIGHTS).empty
