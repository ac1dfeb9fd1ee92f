"""Learning who uses coupons, on data whose truth is known."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.marts.steps import build_known
from o2o_mining.response import RedemptionModel, evidence, reason_text, redemption_quality
from o2o_mining.response.candidates import (
    MOST,
    Reach,
    candidates,
    homes,
    liked_before,
    met_before,
    nearest,
    profiled,
    valid_coupons,
    within_reach,
)
from o2o_mining.response.learning import NAMES, learned, out_of_time, quality
from o2o_mining.response.quality import with_intervals
from o2o_mining.response.reasons import reason_codes
from o2o_mining.response.steps import build_response_scores
from tests.unit.response.logs import at, logs, receipt, table

DAY = date(2024, 1, 11)
NO_UNITS = pd.DataFrame({"told_at": pd.Series(dtype="datetime64[us]"), "asked": pd.Series(dtype=bool)})


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(rows, 3))
    p = 1 / (1 + np.exp(-(X[:, 0] - 1 + (X[:, 1] > 0) * X[:, 2])))
    return X, p, draw.random(rows) < p


def test_probabilities_are_near_the_true_ones() -> None:
    X, _, y = drawn(4000)
    new, p, used = drawn(4000, seed=1)
    told = RedemptionModel().fit(X, y).predict_proba(new)[:, 1]
    assert abs(told.mean() - p.mean()) < 0.02
    assert np.abs(told - p).mean() < 0.06
    assert roc_auc_score(used, told) > roc_auc_score(used, p) - 0.015


def test_the_same_receipts_give_the_same_probabilities() -> None:
    X, _, y = drawn(500)
    one, other = (RedemptionModel().fit(X, y).predict_proba(X) for _ in range(2))
    assert (one == other).all()


def test_one_outcome_teaches_nothing() -> None:
    with pytest.raises(UsageError, match="redemption cannot be learned from the outcomes"):
        RedemptionModel().fit(np.zeros((20, 1)), np.zeros(20, dtype=bool))


def test_measures_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(400).round(1)
    y, offer = draw.random(400) < p, draw.integers(0, 5, 400).astype(str).astype(object)
    found = redemption_quality(p, y, offer)
    each = [roc_auc_score(y[offer == name], p[offer == name]) for name in np.unique(offer)]
    assert found["auc"] == pytest.approx(roc_auc_score(y, p))
    assert found["mean_auc"] == pytest.approx(np.mean(each))
    assert found["brier"] == pytest.approx(((p - y) ** 2).mean())


def test_an_interval_holds_its_value_and_widens_with_fewer_customers() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(400)
    y = draw.random(400) < p
    offer = np.full(400, "k", dtype=object)
    alone, together = (
        with_intervals(p, y, offer, who.astype(object), n_bootstrap=60).set_index("metric").loc["auc"]
        for who in (np.arange(400), np.arange(400) // 40)
    )
    assert alone["value_low"] < alone["value"] < alone["value_high"]
    assert together["value_high"] - together["value_low"] > 0


def receipts(rows: int = 900) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({name: np.zeros(rows) for name in NAMES})
    frame["used_share"] = draw.random(rows)
    frame["known_at"] = [at(day) for day in np.sort(draw.uniform(0, 300, rows))]
    frame["told_at"] = frame["known_at"] + pd.Timedelta(days=10)
    about = {"customer_id": [f"c{i % 300}" for i in range(rows)], "coupon_id": "k", "category": "cafe", "channel": None}
    return frame.assign(**about, redeemed=draw.random(rows) < frame["used_share"])


def test_each_window_is_tried_with_what_was_known_before_it() -> None:
    given = receipts()
    tried = out_of_time(given, NO_UNITS, as_of=DAY)
    assert tried["known_at"].min() >= given["known_at"].max() - pd.Timedelta(days=112)
    hopeless = given.assign(told_at=given["known_at"].max())
    assert out_of_time(hopeless, NO_UNITS, as_of=DAY).empty
    found = quality(tried).set_index("metric")["value"]
    assert found["auc"] > 0.75
    assert found["receipts"] == len(tried)


def test_too_few_receipts_teach_nothing() -> None:
    assert learned(receipts(30)) is None
    assert quality(receipts(30).head(0).assign(probability=[])).empty


@pytest.mark.parametrize("language", LANGUAGES)
def test_reasons_are_written_in_every_language(language: str) -> None:
    frame = pd.DataFrame([dict.fromkeys(NAMES, 3.0), dict.fromkeys(NAMES, 0.0)])
    moved = np.zeros((2, len(NAMES)))
    moved[:, NAMES.index("n_used")], moved[0, NAMES.index("distance_m")] = 2.0, 1.0
    codes = reason_codes(moved, NAMES, frame)
    assert codes.to_pylist() == [["uses_coupons:3:3", "near:3"], []]
    assert all(reason_text(code, language) for code in codes.to_pylist()[0])
    with pytest.raises(UsageError, match="there is no reason 'luck'"):
        reason_text("luck", language)


def test_only_coupons_valid_on_the_day_come_into_question() -> None:
    coupons: list[dict[str, Any]] = [
        {"coupon_id": "running", "merchant_id": "m", "starts_at": at(0), "ends_at": at(20)},
        {"coupon_id": "over", "merchant_id": "m", "starts_at": at(0), "ends_at": at(10)},
        {"coupon_id": "today", "merchant_id": "m", "starts_at": at(10)},
        {"coupon_id": "later", "merchant_id": "m", "starts_at": at(11)},
        {"coupon_id": "never dated or handed out", "merchant_id": "m"},
    ]
    valid = valid_coupons(evidence(logs(coupons=coupons)), as_of=DAY).execute()
    assert sorted(valid["coupon_id"]) == ["running", "today"]


def test_who_refuses_to_be_profiled_by_the_last_word_is_left_out() -> None:
    people = table("customers", [{"customer_id": name} for name in "abc"])
    words = [("a", 1, False), ("b", 1, False), ("b", 2, True), ("c", 12, False)]
    said = table(
        "consents",
        [
            {"customer_id": who, "purpose": "profiling", "changed_at": at(day), "granted": yes}
            for who, day, yes in words
        ],
    )
    assert sorted(profiled(people, said, as_of=DAY)["customer_id"].execute()) == ["b", "c"]


def candidates_of(**rows: list[dict[str, Any]]) -> pd.DataFrame:
    known = evidence(logs(**rows))
    coupons = valid_coupons(known, as_of=DAY)
    people = homes(known.logs.customers.select("customer_id"), known.logs.customers)
    reach = Reach(
        people, coupons, met_before(known, coupons, as_of=DAY), liked_before(known, coupons, as_of=DAY),
        nearest(people, coupons, known.logs),
    )  # fmt: skip
    found: pd.DataFrame = candidates(within_reach(reach, known.logs), known.logs, as_of=DAY).execute()
    return found


def test_candidates_are_of_the_own_city_and_campaigns_come_first() -> None:
    merchants = [{"merchant_id": f"m{i}", "city": "here" if i < 30 else "there"} for i in range(32)]
    coupons: list[dict[str, Any]] = [
        {"coupon_id": f"k{i}", "merchant_id": f"m{i}", "starts_at": at(0), "campaign_id": "c" if i == 29 else None}
        for i in range(32)
    ]
    people = [{"customer_id": "a", "city": "here"}, {"customer_id": "b"}]
    found = candidates_of(merchants=merchants, coupons=coupons, customers=people)
    # Nothing is known of a's home: of equals the first go in, and nobody says where b lives.
    first = sorted(f"k{i}" for i in range(29))[: MOST - 1]
    assert sorted(found["coupon_id"]) == sorted(["k29", *first])
    assert set(found["customer_id"]) == {"a"}


def test_without_cities_and_homes_those_come_into_question_whom_the_customer_knows() -> None:
    coupons = [{"coupon_id": f"k{i}", "merchant_id": f"m{i}", "starts_at": at(0)} for i in range(3)]
    merchants = [{"merchant_id": f"m{i}"} for i in range(3)]
    met = [receipt(0, "a", 1, merchant_id="m1", coupon_id="k1")]
    people = [{"customer_id": "a"}, {"customer_id": "b"}]
    found = candidates_of(coupons=coupons, merchants=merchants, customers=people, coupon_lifecycle=met)
    assert found[["customer_id", "coupon_id"]].to_numpy().tolist() == [["a", "k1"]]
    assert found["distance_m"].isna().all()


def test_candidates_are_those_that_rank_first_among_all_within_reach() -> None:
    draw = np.random.default_rng(0)
    shops, customers = range(90), range(25)
    merchants = [{"merchant_id": f"m{i}", "city": "here"} for i in shops]
    # Some stores and homes nobody can place.
    stores: list[dict[str, Any]] = [
        {"store_id": f"s{i}", "merchant_id": f"m{i}", "lat": draw.normal(25, 0.01), "lon": draw.normal(121, 0.01)}
        for i in shops if i % 9
    ]  # fmt: skip
    homes_of = {i: (draw.normal(25, 0.01), draw.normal(121, 0.01)) for i in customers if i % 5}
    people: list[dict[str, Any]] = [
        {"customer_id": f"c{i}", "city": "here"}
        | (dict(zip(("home_lat", "home_lon"), homes_of[i], strict=True)) if i in homes_of else {})
        for i in customers
    ]
    coupons = [{"coupon_id": f"k{i}", "merchant_id": f"m{i}", "starts_at": at(0)} for i in shops]
    met = [receipt(i, "c1", 1, merchant_id=f"m{i}", coupon_id=f"k{i}") for i in (3, 9, 80)]
    found = candidates_of(merchants=merchants, stores=stores, customers=people, coupons=coupons, coupon_lifecycle=met)
    place = {s["merchant_id"]: (s["lat"], s["lon"]) for s in stores}
    for who in customers:

        def rank(shop: int, who: int = who) -> tuple[bool, float, str]:
            home, store = homes_of.get(who), place.get(f"m{shop}")
            far = 1e12 if home is None or store is None else kilometres(home, store)
            return (not (who == 1 and shop in (3, 9, 80)), far, f"k{shop}")

        nearest_20 = {f"k{shop}" for shop in sorted(shops, key=rank)[:MOST]}
        assert set(found.loc[found["customer_id"] == f"c{who}", "coupon_id"]) == nearest_20


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    (a, b), (c, d) = np.radians(one), np.radians(other)
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return float(2 * 6371.0088 * np.arcsin(np.sqrt(h)))


def test_without_coupons_both_tables_are_empty_and_the_feed_is_named() -> None:
    engine = DuckDBEngine(":memory:", Settings())
    build_known(engine, as_of=DAY, settings=Settings())
    scores, measures = build_response_scores(engine, as_of=DAY)
    assert (scores.rows, measures.rows) == (0, 0)
    assert "the feed coupon_receipts is missing" in scores.notes[0]
    assert list(engine.execute(engine.slice("response_scores", DAY)).columns) == [
        name for name in contract("response_scores").column_names if name != "as_of"
    ]


def test_reasons_of_nobody_are_an_empty_list() -> None:
    assert reason_codes(np.zeros((0, len(NAMES))), NAMES, pd.DataFrame(columns=NAMES)).type == pa.list_(pa.string())
