"""Three wins: what the merchant, the customers and the platform got, with what each figure rests on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pandas as pd
import pytest

from o2o_mining.attribution.effects.steps import build_incrementality
from o2o_mining.attribution.outcomes.steps import build_three_wins
from o2o_mining.attribution.outcomes.wins import Counted, preferred, three_wins
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, World
from tests.unit.attribution.worlds import table as rows_of

STARTS = datetime(2017, 6, 1)
CAMPAIGN = {"campaign_id": "c1", "merchant_id": "m", "starts_at": STARTS, "ends_at": STARTS + timedelta(days=7)}
MERCHANTS: list[dict[str, Any]] = [{"merchant_id": "m", "margin_share": 0.5}, {"merchant_id": "n"}]
COSTS = [{"campaign_id": "c1", "channel": "sms", "spent_on": date(2017, 6, 1), "cost": 2}]
ARMS = {"t1": "treatment", "t2": "treatment", "t3": "treatment", "k1": "control", "k2": "control"}
ASSIGNED = [{"campaign_id": "c1", "customer_id": who, "arm": arm, "assigned_at": STARTS} for who, arm in ARMS.items()]
LONG_AGO = datetime(2017, 1, 1)


def _purchase(name: str, customer: str, at: datetime, listed: int | None, paid: int, **facts: Any) -> dict[str, Any]:
    refunded = facts.get("refunded_amount", 0)
    return {
        "purchase_id": name, "customer_id": customer, "merchant_id": "m", "source": "online", "purchased_at": at,
        "list_amount": listed, "discount_amount": None if listed is None else listed - paid, "paid_amount": paid,
        "net_amount": paid - refunded, "refunded_amount": 0, **facts,
    }  # fmt: skip


PURCHASES = [
    _purchase("1", "t1", STARTS, 20, 15, campaign_id="c1"),
    _purchase("2", "t2", STARTS + timedelta(days=2), 10, 10, refunded_amount=4, refunded_at=STARTS + timedelta(days=3)),
    _purchase("3", "k1", STARTS + timedelta(days=2), 10, 10),
    _purchase("4", "t1", LONG_AGO, None, 8, merchant_id="n"),
    _purchase("5", "t3", LONG_AGO, None, 8, merchant_id="n"),
    _purchase("6", "t3", STARTS, 90, 50, cancelled_at=STARTS + timedelta(days=1)),
]


def _touch(number: int, customer: str, action: str = "impression", day: float = 0.0) -> dict[str, Any]:
    return {
        "touch_id": f"x{number}", "customer_id": customer, "touched_at": STARTS + timedelta(days=day), "channel": "sms",
        "campaign_id": "c1", "action": action, "tracking_code": f"T{customer}",
    }  # fmt: skip


TOUCHES = [_touch(1, "t1"), _touch(2, "t1", day=3), _touch(3, "t2"), _touch(4, "t2", "click"), _touch(5, "t3", day=40)]
SENDS: list[dict[str, Any]] = [
    # The first is a message that a touch tells of already.
    {"send_id": f"s{who}", "campaign_id": "c1", "customer_id": who, "channel": "sms", "sent_at": STARTS} | {
        "tracking_code": code
    }
    for who, code in (("t1", "Tt1"), ("t3", "Zt3"))
]  # fmt: skip
# What the step reads of the credit is the campaign's cost over all history.
CREDIT = {
    "window_start": date(1970, 1, 1), "window_end": AS_OF, "model": "last", "level": "campaign", "id": "c1",
    "lookback_days": 30, "conversions": 0.0, "revenue": 0, "refunds": 0, "net_revenue": 0, "assisted_conversions": 0,
    "share": 0.0,
}  # fmt: skip
FEEDS: dict[str, list[dict[str, Any]]] = {
    "campaigns": [CAMPAIGN], "merchants": MERCHANTS, "campaign_costs": COSTS, "assignments": ASSIGNED,
    "touches": TOUCHES, "sends": SENDS,
}  # fmt: skip


def _mined(
    purchases: list[dict[str, Any]], received: list[dict[str, Any]] | None = None, **feeds: list[dict[str, Any]]
) -> tuple[Any, Any]:
    """Return the table by level and id and the report; Any, since the stubs know no such index."""
    engine = DuckDBEngine(":memory:", Settings())
    World().store(engine)
    engine.write("known_purchases", rows_of("purchases", purchases), as_of=AS_OF)
    engine.write("known_coupon_lifecycle", rows_of("coupon_lifecycle", received or []), as_of=AS_OF)
    for feed, rows in feeds.items():
        engine.upsert(feed, engine.stage(rows_of(feed, rows).mutate(_ordinal=ibis.row_number())), file_id=1)
    build_incrementality(engine, as_of=AS_OF, settings=Settings())
    spent = feeds["campaign_costs"][0]["cost"] if feeds.get("campaign_costs") else None
    engine.write("campaign_attribution", rows_of("campaign_attribution", [CREDIT | {"cost": spent}]), as_of=AS_OF)
    report = build_three_wins(engine, as_of=AS_OF, settings=Settings())
    assert engine.violations(contract("three_wins"), as_of=AS_OF) == []
    found = engine.execute(engine.slice("three_wins", AS_OF))
    engine.close()
    return found.set_index(["level", "id"]).sort_index().astype(object).where(lambda t: t.notna(), None), report


@pytest.fixture(scope="module")
def mined() -> tuple[Any, Any]:
    return _mined(PURCHASES, **FEEDS)


def test_the_margin_of_a_draw_is_reckoned_by_hand(mined: tuple[Any, Any]) -> None:
    row = mined[0].loc[("campaign", "c1")]
    # Kept of each purchase: 15 - 20/2, (10 - 4) - 10/2 and 10 - 10/2. So 6/3 of those drawn and 5/2 of the others,
    # times the 3 drawn, less 2 for media.
    assert row["merchant_margin"] == Decimal("-3.50")
    assert row["media_cost"] == Decimal("2.00")
    assert row["incremental_roi"] == pytest.approx(-1.75)
    assert row["incremental_net_revenue"] == Decimal("6.00")  # (21/3 - 10/2) * 3
    assert row["incremental_visits"] == pytest.approx(0.5, abs=1e-5)
    assert row["merchant_margin_low"] < row["merchant_margin"] < row["merchant_margin_high"]
    assert (row["label"], row["reason_code"]) == ("experiment", None)
    assert (row["margin_share"], row["margin_basis"]) == (0.5, "merchant")


def test_savings_offers_and_visits_are_counted(mined: tuple[Any, Any]) -> None:
    row = mined[0].loc[("campaign", "c1")]
    assert row["customer_savings"] == Decimal("5.00")
    # Three impressions before the day (clicks are none) and the message that no touch tells of; two visits in its time.
    assert (row["customers"], row["offers"], row["visits"]) == (3, 4, 2)
    assert row["offers_per_visit"] == pytest.approx(2.0)


def test_the_platform_counts_who_came_back_and_how_often(mined: tuple[Any, Any]) -> None:
    row = mined[0].loc[("campaign", "c1")]
    # t1 and t3 had bought before April; t1 came back. Of three reached two bought once since.
    assert row["platform_retention_share"] == pytest.approx(0.5)
    assert row["visits_per_customer"] == pytest.approx(2 / 3)


def test_a_merchant_gets_the_sum_of_its_campaigns_and_counts_of_its_own(mined: tuple[Any, Any]) -> None:
    row = mined[0].loc[("merchant", "m")]
    assert (row["merchant_margin"], row["label"]) == (Decimal("-3.50"), "experiment")
    assert (row["customers"], row["visits"], row["offers"]) == (3, 3, 4)
    assert row["customer_savings"] == Decimal("5.00")
    assert row["offers_per_visit"] == pytest.approx(4 / 3)
    assert (row["platform_retention_share"], row["visits_per_customer"]) == (1.0, 1.0)


def test_a_merchant_without_a_campaign_has_no_margin_and_the_report_says_why(mined: tuple[Any, Any]) -> None:
    row = mined[0].loc[("merchant", "n")]
    assert (row["merchant_margin"], row["label"], row["reason_code"]) == (None, "refused", "no_campaign")
    assert (row["margin_share"], row["margin_basis"]) == (0.3, "setting")
    assert row["customer_savings"] is None  # no list price is known
    assert "1 merchant(s) without a margin: no_campaign" in mined[1].notes
    assert any("default_margin_share = 0.3" in note for note in mined[1].notes)


def test_it_is_drawn(mined: tuple[Any, Any]) -> None:
    figure: Any = mined[1].charts["three_sides"]()
    assert [list(part.x) for part in figure.data] == [[-3.5], [5.0], [0.5]]
    assert figure.data[0].text == ("margin 50% by merchant",)


def test_without_any_known_cost_margins_are_before_media_and_marked() -> None:
    found, report = _mined(PURCHASES, **{**FEEDS, "campaign_costs": []})
    row = found.loc[("campaign", "c1")]
    assert (row["merchant_margin"], row["media_cost"], row["incremental_roi"]) == (Decimal("-1.50"), None, None)
    assert row["reason_code"] == "media_unknown"
    assert "no cost of any campaign is known: margins are before media" in report.notes


def test_where_nothing_was_spent_there_is_a_margin_and_a_reason_instead_of_a_return() -> None:
    found, _ = _mined(PURCHASES, **{**FEEDS, "campaign_costs": [COSTS[0] | {"cost": Decimal(0)}]})
    for key in (("campaign", "c1"), ("merchant", "m")):
        row = found.loc[key]
        assert (row["merchant_margin"], row["media_cost"], row["incremental_roi"]) == (Decimal("-1.50"), 0, None)
        assert (row["label"], row["reason_code"]) == ("experiment", "no_cost")


def test_an_effect_that_was_refused_gives_no_margin() -> None:
    found, _ = _mined(PURCHASES, **{**FEEDS, "assignments": []})
    for level, reason in (("campaign", "too_few"), ("merchant", "no_effect_known")):
        row = found.loc[(level, "c1" if level == "campaign" else "m")]
        assert (row["merchant_margin"], row["label"], row["reason_code"]) == (None, "refused", reason)


def test_a_log_without_amounts_gives_counts_but_no_margin() -> None:
    unpriced = [
        {**row, **dict.fromkeys(("list_amount", "discount_amount", "paid_amount", "net_amount"))} for row in PURCHASES
    ]
    found, _ = _mined(unpriced, **FEEDS)
    row = found.loc[("campaign", "c1")]
    assert (row["merchant_margin"], row["reason_code"], row["customer_savings"]) == (None, "no_amounts", None)
    assert row["visits"] == 2


def test_coupons_count_as_offers_where_no_contact_brought_them() -> None:
    def coupon(name: str, campaign: str | None) -> dict[str, Any]:
        return {"receipt_id": name, "customer_id": "k2", "coupon_id": "k", "merchant_id": "m", "campaign_id": campaign}

    received = [coupon("e1", None), coupon("e2", "c1"), coupon("u:x", None)]
    found, _ = _mined(PURCHASES, [{**row, "state": "open", "received_at": STARTS} for row in received], **FEEDS)
    assert found.loc[("campaign", "c1"), "offers"] == 4
    assert found.loc[("merchant", "m"), "offers"] == 5


def test_nobody_and_nothing_is_an_empty_table() -> None:
    found, report = _mined([])
    assert found.empty
    assert [note.split(" is missing")[0] for note in report.notes] == ["feed campaigns", "feed merchants"]
    assert report.charts == {}


def test_what_was_given_back_in_full_saved_nothing() -> None:
    back = {**PURCHASES[0], "refunded_amount": 15, "net_amount": 0, "refunded_at": STARTS + timedelta(days=1)}
    found, _ = _mined([back, *PURCHASES[1:]], **FEEDS)
    assert found.loc[("campaign", "c1"), "customer_savings"] is None
    # What was consumed is gone: 0 - 20/2 is kept of it. So -9/3 of those drawn against 5/2.
    assert found.loc[("campaign", "c1"), "merchant_margin"] == Decimal("-18.50")


def _effect(campaign: str, total: float, half: float, label: str = "experiment", method: str = "itt") -> dict[str, Any]:
    return {
        "campaign_id": campaign, "outcome": "net_revenue", "method": method, "n_treatment": 10, "effect": total / 10,
        "effect_low": (total - half) / 10, "effect_high": (total + half) / 10, "label": label, "reason_code": None,
    }  # fmt: skip


def _summed(*labels: str) -> dict[Any, Any]:
    """Return the row of a merchant whose campaigns brought 100, 50 and so on, each after 10 for media."""
    amounts = ((100.0, 30.0), (50.0, 40.0), (7.0, 1.0))
    rows = pd.DataFrame(
        [_effect(f"c{i}", *amounts[i], label) for i, label in enumerate(labels)]
        + [{**_effect("none", 0, 0, "refused"), "effect": None, "reason_code": "no_past"}]
    )
    names = rows["campaign_id"].tolist()
    every = pd.concat([rows.assign(outcome=outcome) for outcome in ("purchases", "net_revenue", "margin")])
    counts = ["customers", "returned", "established", "platform_visits", "visits", "savings", "priced", "offers"]
    counted = Counted(
        campaigns=pd.DataFrame({"campaign_id": names, "merchant_id": "m"}),
        merchants=pd.DataFrame({"merchant_id": ["m"], "margin_share": [0.4]}),
        sides=pd.DataFrame(columns=["level", "id", *counts]),
        costs=pd.DataFrame({"campaign_id": names, "cost": 10.0}),
        effects=every,
    )
    (row,) = three_wins(counted, default_share=0.3).query("level == 'merchant'").to_dict("records")
    return row


@pytest.mark.parametrize("label", ["experiment", "observational"])
def test_independent_campaigns_of_a_merchant_add_up_their_variances(label: str) -> None:
    row = _summed(label, label)
    assert row["merchant_margin"] == Decimal("130.00")
    assert (row["merchant_margin_low"], row["merchant_margin_high"]) == (Decimal("80.00"), Decimal("180.00"))
    assert row["media_cost"] == Decimal("20.00")
    assert (row["label"], row["reason_code"]) == (label, "some_campaigns_left_out")


def test_what_was_only_compared_does_not_spoil_what_was_drawn() -> None:
    row = _summed("experiment", "observational")
    assert (row["merchant_margin"], row["media_cost"]) == (Decimal("90.00"), Decimal("10.00"))
    assert (row["merchant_margin_low"], row["merchant_margin_high"]) == (Decimal("60.00"), Decimal("120.00"))
    assert (row["label"], row["reason_code"]) == ("experiment", "some_campaigns_left_out")


def test_the_sharper_of_two_estimates_is_taken() -> None:
    rows = pd.DataFrame([_effect("c1", 90, 20, method="cuped"), _effect("c1", 100, 30)])
    assert preferred(rows, "net_revenue")["total"].to_dict() == {"c1": pytest.approx(90.0)}
