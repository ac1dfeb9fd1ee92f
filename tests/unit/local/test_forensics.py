"""Coupons that went astray, among honest ones, row by row."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.local.evidence import evidence_text
from o2o_mining.local.steps import build_coupon_forensics, build_referrals
from tests.unit.local.rows import AS_OF, Logs, person, table, visit

Row = dict[str, Any]
BEGIN = datetime(2024, 3, 1, 12)
FEEDS = ("coupon_redemptions", "offline_redemptions", "online_orders", "customers", "coupon_receipts")


def used(name: str, who: str, merchant: str, *, day: float, minutes: float = 4_000.0, cents: int = 500) -> Row:
    """Return a coupon received on a day and used so many minutes later."""
    received = BEGIN + timedelta(days=day)
    return {
        "receipt_id": name, "customer_id": who, "coupon_id": f"k-{merchant}", "merchant_id": merchant,
        "received_at": received, "redeemed_at": received + timedelta(minutes=minutes), "state": "redeemed",
        "days_to_redeem": minutes / 1440, "discount_amount": Decimal(cents) / 100,
    }  # fmt: skip


def again(receipt: Row, name: str, hours: float) -> tuple[Row, Row]:
    """Return the second use of a receipt: as the lifecycle tells it, and as the till's log does."""
    at = receipt["redeemed_at"] + timedelta(hours=hours)
    loose = receipt | {"receipt_id": f"u:{name}", "received_at": at, "redeemed_at": at, "days_to_redeem": None}
    till = {
        "coupon_redemption_id": name, "customer_id": receipt["customer_id"], "coupon_id": receipt["coupon_id"],
        "redeemed_at": at, "receipt_id": receipt["receipt_id"],
    }  # fmt: skip
    return loose, till


def honest() -> list[Row]:
    """Return sixty customers who use four coupons at four of six merchants, days after they received them."""
    return [
        used(f"h{who}-{n}", f"h{who:02}", f"m{(who + n) % 6}", day=who / 2 + 10 * n, minutes=3_000 + 97 * who)
        for who, n in product(range(60), range(4))
    ]  # fmt: skip


def ring(size: int = 5, *, minutes: float = 6.0) -> tuple[list[Row], list[Row]]:
    """Return accounts of one home, each brought by the one before, who take one coupon after the other."""
    people = [
        person(f"x{n}", 7.0, joined_at=BEGIN + timedelta(days=n / 2), referrer_id=f"x{n - 1}" if n else None)
        for n in range(size)
    ]
    uses = [
        used(f"x{n}-{k}", f"x{n}", "m0", day=5 + 10 * k + n, minutes=minutes) for n, k in product(range(size), range(6))
    ]
    return people, uses


def mined(engine: DuckDBEngine, logs: Logs) -> tuple[Any, pd.DataFrame]:
    engine.write("known_coupon_lifecycle", table("coupon_lifecycle", logs.get("coupon_lifecycle", [])), as_of=AS_OF)
    engine.write("known_purchases", table("purchases", logs.get("purchases", [])), as_of=AS_OF)
    for feed in FEEDS:
        engine.connection.execute(f"DELETE FROM {feed}")  # noqa: S608 - names of the catalogue
        engine.upsert(feed, engine.stage(table(feed, logs.get(feed, []))), file_id=1)
    report = build_coupon_forensics(engine, as_of=AS_OF)
    assert engine.violations(contract("coupon_forensics"), as_of=AS_OF) == []
    found = engine.execute(engine.slice("coupon_forensics", AS_OF).order_by("finding_id"))
    assert len(found) == report.rows
    return report, found


def test_honest_customers_are_left_alone(engine: DuckDBEngine) -> None:
    people = [person(f"h{n:02}", n % 5) for n in range(60)]
    report, found = mined(engine, {"coupon_lifecycle": honest(), "customers": people})
    assert found.empty
    assert report.figures["money at risk, each use once"] == 0


def test_a_receipt_used_twice_is_found_with_what_its_second_use_took_off(engine: DuckDBEngine) -> None:
    uses = honest()
    loose, till = again(uses[0], "t1", 30)
    _, found = mined(engine, {"coupon_lifecycle": [*uses, loose], "coupon_redemptions": [till]})
    row = found.iloc[0]
    assert (len(found), row["finding_id"], row["merchant_id"]) == (1, "double_redemption:h0-0", "m0")
    assert (row["uses"], row["amount_at_risk"], list(row["receipt_ids"])) == (2, Decimal("5.00"), ["h0-0", "u:t1"])
    assert list(row["evidence_codes"]) == ["used_again:2:30"]
    assert row["score"] < 1  # once may be the till's mistake


def test_a_use_that_names_no_known_receipt_is_no_second_one(engine: DuckDBEngine) -> None:
    uses = honest()
    loose, till = again(uses[0], "t1", 30)
    logs = {"coupon_lifecycle": [*uses, loose], "coupon_redemptions": [till | {"receipt_id": "never given"}]}
    assert mined(engine, logs)[1].empty


def test_a_ring_is_found_whole_and_its_merchant_and_accounts_are_too(engine: DuckDBEngine) -> None:
    people, uses = ring()
    logs = {"coupon_lifecycle": [*honest(), *uses], "customers": people}
    report, found = mined(engine, logs)
    rings = found[found["kind"] == "ring"]
    assert rings["customer_ids"].map(list).tolist() == [[f"x{n}" for n in range(5)]]
    row = rings.iloc[0]
    assert (row["accounts"], row["uses"], row["amount_at_risk"]) == (5, 30, Decimal("150.00"))
    assert list(row["evidence_codes"]) == ["referred:4", "same_home:4", "quick:30:30", "only_here:30:30"]
    assert found["kind"].value_counts().to_dict() == {"velocity": 5, "ring": 1, "self_redemption": 1}
    assert found.loc[found["kind"] == "self_redemption", "merchant_id"].tolist() == ["m0"]
    # Findings share uses; the money is counted once.
    assert report.figures["money at risk, each use once"] == 150.0


def test_accounts_that_nothing_ties_together_are_no_ring(engine: DuckDBEngine) -> None:
    people, uses = ring()
    strangers = [person(str(row["customer_id"]), 5.0 * n, joined_at=row["joined_at"]) for n, row in enumerate(people)]
    _, found = mined(engine, {"coupon_lifecycle": [*honest(), *uses], "customers": strangers})
    assert "ring" not in set(found["kind"])
    assert (found["kind"] == "velocity").sum() == 5


def test_a_family_that_likes_one_place_and_takes_its_time_is_no_ring(engine: DuckDBEngine) -> None:
    people, uses = ring(minutes=3_000)
    _, found = mined(engine, {"coupon_lifecycle": [*honest(), *uses[:12]], "customers": people})
    assert found.empty


def test_where_coupons_are_always_used_at_once_speed_is_no_evidence(engine: DuckDBEngine) -> None:
    uses = [row | {"redeemed_at": row["received_at"], "days_to_redeem": 0.0} for row in honest()]
    assert mined(engine, {"coupon_lifecycle": uses})[1].empty


def test_the_order_of_rows_changes_nothing(engine: DuckDBEngine) -> None:
    people, uses = ring()
    logs = {"coupon_lifecycle": [*honest(), *uses], "customers": people}
    _, one = mined(engine, logs)
    _, other = mined(engine, {name: rows[::-1] for name, rows in logs.items()})
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_home_without_coupons_has_an_empty_table(engine: DuckDBEngine) -> None:
    report, found = mined(engine, {})
    assert found.empty
    assert report.notes[0].startswith("feed coupon_receipts is ")


def test_all_evidence_can_be_read(engine: DuckDBEngine) -> None:
    people, uses = ring()
    loose, till = again(uses[0], "t1", 2)
    logs = {"coupon_lifecycle": [*honest(), *uses, loose], "customers": people, "coupon_redemptions": [till]}
    _, found = mined(engine, logs)
    every = [code for codes in found["evidence_codes"] for code in codes]
    said = [evidence_text(code, language) for code in every for language in LANGUAGES]
    assert said
    assert [text for text in said if "{" in text] == []


def brought(engine: DuckDBEngine, people: list[Row], purchases: list[Row]) -> tuple[Any, pd.DataFrame, pd.DataFrame]:
    mined(engine, {"customers": people, "purchases": purchases})
    reports = build_referrals(engine, as_of=AS_OF)
    for name in ("referrals", "referral_rates"):
        assert engine.violations(contract(name), as_of=AS_OF) == []
    frames = [engine.execute(engine.slice(name, AS_OF)) for name in ("referrals", "referral_rates")]
    return reports, frames[0].sort_values("referrer_id"), frames[1].set_index("cohort").sort_index()


def test_what_is_counted_of_those_who_bring_others(engine: DuckDBEngine) -> None:
    joined = {"ann": date(2024, 1, 1), "bob": date(2024, 1, 11), "cy": date(2024, 2, 10), "dee": date(2024, 6, 1)}
    by = {"bob": "ann", "cy": "ann", "dee": "dee"}  # nobody brings themselves
    people = [
        person(who, joined_at=datetime.combine(day, datetime.min.time()), referrer_id=by.get(who))
        for who, day in joined.items()
    ]
    bought = [visit("1", customer_id="bob", purchased_at=datetime(2024, 6, 20)), visit("2", customer_id="ann")]
    reports, referrals, rates = brought(engine, people, bought)
    row = referrals.iloc[0]
    assert referrals["referrer_id"].tolist() == ["ann"]
    assert row[["referred", "referred_active_90d", "cycle_days"]].tolist() == [2, 1, 25.0]
    assert (row["referred_net_amount"], bool(row["is_ring"])) == (Decimal("10.00"), False)
    assert rates.index.tolist() == ["(all)", "2024-01", "2024-02", "2024-06"]
    counted = rates[["customers", "referred", "brought", "k_factor"]].to_numpy().tolist()
    assert counted[:2] == [[4, 2, 2, 0.5], [2, 1, 2, 1.0]]
    assert set(rates["label"]) == {"refused"}
    assert reports[1].figures["k_factor"] == 0.5
    friends, flagged = reports[0].charts["brought_by_month"]().data
    assert (list(friends.x), list(friends.y), list(flagged.y)) == (["2024-01", "2024-02"], [1, 1], [])


def test_those_brought_are_compared_with_others_alike(engine: DuckDBEngine) -> None:
    # The young spend 10 and are brought often, the old 100 and rarely; whoever is brought spends 5 more.
    people, bought = [visit("0")][:0], [visit("0", customer_id="first", purchased_at=datetime(2023, 12, 31))]
    for n in range(400):
        young, friend = n % 2 == 0, (n % 2 == 0 and n % 4 == 0) or n % 10 == 1
        amount = Decimal((10 if young else 100) + (5 if friend else 0) + n % 3)
        people.append(person(f"p{n:03}", birth_year=2000 if young else 1960, referrer_id="p000" if friend else None))
        bought.append(visit(str(n + 1), customer_id=f"p{n:03}", purchased_at=datetime(2024, 1, 9), net_amount=amount))
    _, _, rates = brought(engine, people, bought)
    row = rates.loc["(all)"]
    assert row["label"] == "observational"
    assert row["difference"] == pytest.approx(5, abs=0.5)
    assert row["difference_low"] < 5 < row["difference_high"]
    assert row["matched_share"] == 1.0


def test_rings_are_flagged_and_left_out_of_the_rates(engine: DuckDBEngine) -> None:
    people, uses = ring()
    others = [person(f"h{n:02}") for n in range(60)]
    mined(engine, {"coupon_lifecycle": [*honest(), *uses], "customers": [*people, *others]})
    report, _ = build_referrals(engine, as_of=AS_OF)
    referrals = engine.execute(engine.slice("referrals", AS_OF))
    assert referrals["is_ring"].all()
    drawn: Any = report.charts["brought_by_month"]()
    assert [sum(bar.y) for bar in drawn.data] == [0, referrals["referred"].sum()]
    assert set(referrals["ring_id"]) == {"ring:x0:m0"}
    assert engine.execute(engine.slice("referral_rates", AS_OF)).empty  # nobody honest brought anybody


def test_without_customers_there_are_no_referrals(engine: DuckDBEngine) -> None:
    _, referrals, rates = brought(engine, [], [])
    assert referrals.empty
    assert rates.empty
