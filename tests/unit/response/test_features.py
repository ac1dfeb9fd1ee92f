"""Features of a customer and a coupon, by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from o2o_mining.contracts.pairs import MOMENTS, PAIR_FEATURES
from o2o_mining.contracts.schema import Column
from o2o_mining.core.errors import ContractError
from o2o_mining.response import OfferLogs, evidence, pair_features
from o2o_mining.response.deals import distances
from o2o_mining.response.guard import leak_guard, leaked_pairs
from o2o_mining.response.habits import of_visits
from o2o_mining.response.logs import learning_pairs, receipts, visits
from o2o_mining.response.occasions import occasions, of_occasions, of_receipts
from tests.unit.response.logs import at, logs, pair, pairs, receipt, table, visit

MERCHANTS = [
    {"merchant_id": "m", "category": "cafe", "city": "here"},
    {"merchant_id": "n", "category": "cafe", "city": "here"},
]
COUPONS = [
    {"coupon_id": "k", "merchant_id": "m", "kind": "rate", "discount": 0.3, "valid_days": 10},
    {"coupon_id": "f", "merchant_id": "m", "kind": "fixed", "discount": 5.0, "valid_days": 10},
    {"coupon_id": "new", "merchant_id": "n", "kind": "rate", "discount": 0.2, "valid_days": 10},
]
PEOPLE = [
    {"customer_id": "a", "joined_at": at(-9), "birth_year": 1984, "city": "here", "home_lat": 25.0, "home_lon": 121.5},
    {"customer_id": "b", "joined_at": at(-9), "city": "here", "home_lat": 25.0, "home_lon": 121.5},
]


def known(**rows: list[dict[str, Any]]) -> OfferLogs:
    always: dict[str, list[dict[str, Any]]] = {"merchants": MERCHANTS, "coupons": COUPONS, "customers": PEOPLE}
    return logs(**(always | rows))


def features(given: OfferLogs, *wanted: dict[str, Any]) -> pd.DataFrame:
    made: pd.DataFrame = pair_features(pairs(*wanted), evidence(given)).execute()
    return made.sort_values(["known_at", "customer_id", "coupon_id"], ignore_index=True)


def of_moments(made: ibis.Table) -> pd.DataFrame:
    frame: pd.DataFrame = made.execute()
    return frame.sort_values(["known_at", "customer_id"], ignore_index=True)


def test_a_customer_of_whom_nothing_is_known_has_counts_of_nothing_and_no_means() -> None:
    row = features(logs(), pair("stranger", 5)).iloc[0]
    assert all(row[f.name] == 0 for f in PAIR_FEATURES if f.name.startswith("n_"))
    assert np.isnan(row["recency_days"])
    assert row["used_share"] == 0.5


def test_visits_count_from_the_moment_after_them_on() -> None:
    given = known(purchases=[visit(1, "a", 1), visit(2, "a", 4, merchant_id="n", coupon_id="new"), visit(3, "a", 8)])
    before, between, after = features(given, pair("a", 1), pair("a", 5), pair("a", 9)).itertuples()
    assert [row.n_visits for row in (before, between, after)] == [0, 2, 3]
    assert (between.n_coupon_visits, between.recency_days, between.tenure_days) == (1, 1, 4)
    assert (between.n_visits_merchant, between.n_visits_category, between.merchant_visit_share) == (1, 2, 0.5)


def test_a_visit_cancelled_later_counts_until_then() -> None:
    given = known(purchases=[visit(1, "a", 1, cancelled_at=at(5))])
    seen = of_moments(of_visits(pairs(pair("a", 4), pair("a", 6)), visits(given)))
    assert seen["known_at"].tolist() == [at(4)]


def test_a_reservation_that_was_not_kept_is_no_visit() -> None:
    given = known(purchases=[visit(1, "a", 1, consumed_at=None, fulfilment="reservation")])
    assert visits(given).count().execute() == 0


def test_an_open_receipt_is_neither_used_nor_lapsed() -> None:
    given = known(coupon_lifecycle=[receipt(1, "a", 0), receipt(2, "a", 1, redeemed_at=at(6))])
    seen = of_moments(of_receipts(pairs(*(pair("a", day) for day in (0, 5, 7, 11))), receipts(given)))
    assert seen[["n_receipts", "n_open", "n_used", "n_lapsed"]].to_numpy().tolist() == [
        [2, 2, 0, 0], [2, 1, 1, 0], [2, 0, 1, 1]
    ]  # fmt: skip


def test_campaigns_tell_who_came_without_being_asked_once_they_are_over() -> None:
    campaign = {"campaign_id": "c", "merchant_id": "m", "starts_at": at(2), "ends_at": at(10)}
    given = known(
        campaigns=[campaign],
        assignments=[{"campaign_id": "c", "customer_id": "b", "arm": "control", "assigned_at": at(2)}],
        purchases=[visit(1, "a", 4)],
    )
    wanted = pairs(pair("a", 5), pair("b", 5), pair("b", 11))
    seen = of_moments(of_occasions(wanted, occasions(given, visits(given))))
    assert seen["n_unasked_came"].tolist() == [1, 0, 0]
    assert seen["n_unasked_away"].tolist() == [0, 0, 1]
    assert seen["reached_share"].tolist() == [0, 1, 1]


def test_a_deal_is_a_share_of_the_usual_basket() -> None:
    given = known(purchases=[visit(1, "b", 1, list_amount="20.00"), visit(2, "b", 2, list_amount="30.00")])
    first, second, again = features(given, pair("a", 5), pair("a", 5), pair("a", 5, "f"))["off_share"]
    assert (first, second, again) == (0.2, 0.3, 0.3)  # two pairs alike stay two rows


def test_distance_is_to_the_nearest_store() -> None:
    stores = [
        {"store_id": "s1", "merchant_id": "m", "lat": 25.0, "lon": 121.5},
        {"store_id": "s2", "merchant_id": "m", "lat": 26.0, "lon": 121.5},
    ]
    asked = table("purchases", [visit(1, "a", 1)])
    assert distances(asked, known(stores=stores))["distance_m"].execute().tolist() == [0]


def test_a_new_coupon_is_worth_its_category_until_it_has_its_own_past() -> None:
    old = [receipt(i, f"x{i}", 0, redeemed_at=at(1) if i < 30 else None, state="expired") for i in range(60)]
    rows = features(known(coupon_lifecycle=old), pair("a", 20), pair("a", 20, "new"))
    names = ["coupon_use_share", "merchant_use_share"]
    (used, merchant), (new, _) = rows.sort_values("coupon_id")[names].to_numpy(float).tolist()
    overall = 31 / 70
    category = (30 + 20 * overall) / 80
    assert new == pytest.approx(category)
    assert category < merchant < used < 0.5


def test_couponed_products_bought_before_are_counted() -> None:
    lines = [
        {"basket_id": "1", "line_no": 1, "product_id": "p", "quantity": 1.0, "amount": "6.00"},
        {"basket_id": "1", "line_no": 2, "product_id": "q", "quantity": 1.0, "amount": "6.00"},
        {"basket_id": "2", "line_no": 1, "product_id": "p", "quantity": 1.0, "amount": "10.00"},
    ]
    given = known(
        purchases=[visit(1, "a", 1), visit(2, "a", 3)], basket_lines=lines,
        coupon_products=[{"coupon_id": "k", "product_id": "p"}],
        products=[{"product_id": name, "subcategory": "tea", "category": "drinks"} for name in "pq"],
    )  # fmt: skip
    row = features(given, pair("a", 5)).iloc[0]
    assert (row["n_products_bought"], row["n_products_habitual"], row["product_amount"]) == (1, 1, 16)
    assert (row["n_subcategory_lines"], row["subcategory_amount"], row["product_days"]) == (3, 22, 2)
    assert (row["n_tills_off"], row["tills_off_share"]) == (1, 0.5)
    assert (row["n_products_off"], row["n_product_lines_off"]) == (1, 1)
    assert (row["n_subcategories_off"], row["n_subcategory_lines_off"], row["n_category_lines_off"]) == (1, 2, 2)


def test_what_comes_after_the_moment_changes_nothing() -> None:
    rows = {
        "purchases": [visit(i, "ab"[i % 2], i, coupon_id="k" if i % 3 else None) for i in range(1, 20)],
        "coupon_lifecycle": [receipt(i, "ab"[i % 2], i, redeemed_at=at(i + 4)) for i in range(1, 20)],
        "touches": [
            {"touch_id": f"{i}", "customer_id": "a", "touched_at": at(i), "channel": "sms", "action": "click"}
            for i in range(1, 20)
        ],
    }
    times = {"purchases": "purchased_at", "coupon_lifecycle": "received_at", "touches": "touched_at"}
    early = {name: [row for row in given if row[times[name]] < at(9)] for name, given in rows.items()}
    early["coupon_lifecycle"] = [
        row | ({"redeemed_at": None} if row["redeemed_at"] >= at(9) else {}) for row in early["coupon_lifecycle"]
    ]
    wanted = pair("a", 9), pair("b", 9, "f")
    pd.testing.assert_frame_equal(features(known(**rows), *wanted), features(known(**early), *wanted))


def test_receipts_teach_once_their_time_is_up_and_used_ones_no_sooner() -> None:
    given = known(
        coupon_lifecycle=[
            receipt(1, "a", 0), receipt(2, "a", 5), receipt(3, "b", 5, redeemed_at=at(6)),
            receipt(4, "b", 0, redeemed_at=at(2)), receipt(5, "b", 1, expires_at=None),
            {**receipt(6, "b", 1), "receipt_id": "u:6"},
        ]
    )  # fmt: skip
    taught = learning_pairs(given, as_of=date(2024, 1, 13)).execute().set_index("receipt_id").sort_index()
    assert taught["redeemed"].to_dict() == {"1": False, "4": True}


def received_later(wanted: ibis.Table, given: OfferLogs) -> ibis.Table:
    """Plant the classic leak: how many coupons the customer receives after this one."""
    made = pair_features(wanted, evidence(given))
    later = given.coupon_lifecycle.select("received_at", other="customer_id")
    t = made.join(later, [made.customer_id == later.other, made.known_at < later.received_at])
    counts = t.group_by("customer_id", "known_at").aggregate(n_later=t.count(), later_until=t.received_at.max())
    counts = counts.rename(owner="customer_id", when="known_at")
    joined = made.left_join(counts, [made.customer_id == counts.owner, made.known_at == counts.when])
    return joined.mutate(n_later=joined.n_later.fill_null(0))


def test_the_leak_guard_catches_what_is_received_afterwards_and_shows_how_it_flatters() -> None:
    draw = np.random.default_rng(0)
    used = draw.random(300) < 0.3
    first = [receipt(i, f"x{i}", 0, redeemed_at=at(3) if used[i] else None) for i in range(300)]
    # Who used the coupon is thanked with another one.
    thanks = [receipt(1000 + i, f"x{i}", 12) for i in range(300) if used[i] and draw.random() < 0.8]
    past = [
        receipt(2000 + i, f"x{i}", -20, redeemed_at=at(-18)) for i in range(300) if draw.random() < 0.2 + 0.3 * used[i]
    ]
    given = known(coupon_lifecycle=first + thanks + past)
    wanted = learning_pairs(given, as_of=date(2024, 1, 12)).filter(lambda t: t.known_at >= at(0))
    made = received_later(wanted, given)
    leak = Column("n_later", "double", "Coupons received after this one.", available_at="later_until")
    with pytest.raises(ContractError, match=r"feature n_later leaks: \d+ pairs rest on a later_until"):
        leak_guard(made, execute=lambda t: t.execute(), features=[*PAIR_FEATURES, leak])
    leak_guard(made, execute=lambda t: t.execute())
    frame = made.execute().sort_values("receipt_id")

    def auc(*names: str) -> float:
        X, y = frame[list(names)].to_numpy(float), frame["redeemed"].to_numpy(bool)
        return float(roc_auc_score(y, LogisticRegression().fit(X, y).predict_proba(X)[:, 1]))

    honest, flattered = auc("used_share"), auc("used_share", "n_later")
    assert 0.6 < honest < 0.75
    assert flattered > 0.9


def test_no_feature_leaks() -> None:
    given = known(
        purchases=[visit(i, "a", i) for i in range(1, 9)],
        coupon_lifecycle=[receipt(i, "a", i, redeemed_at=at(i + 1)) for i in range(1, 9)],
    )
    found = leaked_pairs(pair_features(pairs(pair("a", 3), pair("a", 6)), evidence(given))).execute()
    assert set(found.columns) == set(MOMENTS)
    assert found.to_numpy().sum() == 0


def test_a_feature_that_names_no_moment_is_refused() -> None:
    nowhere = Column("x", "double", "Something.", available_at="never_told")
    with pytest.raises(ContractError, match="feature x rests on never_told, which no pair has"):
        leak_guard(
            pair_features(pairs(pair("a", 3)), evidence(known())), execute=lambda t: t.execute(), features=[nowhere]
        )
