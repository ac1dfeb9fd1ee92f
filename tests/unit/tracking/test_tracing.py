"""Lives of orders: whatever names one leads to the whole of it, and to nothing of anybody else."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.engine.home import Home
from o2o_mining.tracking import (
    ExpiredCodeError,
    ForeignCodeError,
    ForgedCodeError,
    Keys,
    MistypedCodeError,
    mint,
    trace,
)
from o2o_mining.tracking.alphabet import ALPHABET, grouped
from o2o_mining.tracking.codes import looks_like_code
from o2o_mining.tracking.keys import KEYS_FILE
from tests.unit.exports.rows import Publish
from tests.unit.tracking.rows import CODE, KEYS, at, life

WHOLE = [
    ("send", "spring:ann"), ("touch", "t1"), ("receipt", "rc1"), ("touch", "t2"), ("order", "o1"),
    ("redemption", "r1"), ("coupon used", "u1"), ("refund", "o:o1"), ("review", "w1"),
]  # fmt: skip


def with_keys(home: Home, keys: Keys = KEYS) -> Home:
    (home.path / KEYS_FILE).write_text("".join(f"{key.hex()}\n" for key in keys.secrets))
    return home


@pytest.fixture
def home(publish: Publish) -> Home:
    return with_keys(publish(**life()))


def test_whatever_names_an_order_leads_to_its_whole_life_in_order_of_time(home: Home) -> None:
    found = trace(home, CODE)
    assert [(event.what, event.id) for event in found.events] == WHOLE
    assert {event.customer_id for event in found.events} == {"ann"}
    assert [event.at for event in found.events] == sorted(event.at for event in found.events)
    assert found.campaigns == ("spring",)
    assert [row["purchase_id"] for row in found.purchases] == ["o:o1"]
    for text in (f" {grouped(CODE).lower()}\n", "o1", "r1", "rc1", "o:o1"):
        assert replace(trace(home, text), text=CODE) == found


def test_money_paid_and_given_back_stands_beside_what_happened(home: Home) -> None:
    amounts = {event.what: event.amount for event in trace(home, "o1").events if event.amount is not None}
    assert amounts == {"order": Decimal("50.00"), "redemption": Decimal("0.00"), "refund": Decimal("-20.00")}


def test_every_model_credits_what_is_left(home: Home) -> None:
    credits_ = trace(home, "o1").credits
    assert [(c.model, c.touch_id, c.channel, c.amount, c.refund) for c in credits_] == [
        ("first", "t1", "line", Decimal("50.00"), Decimal("-20.00")),
        ("last", "t2", "search", Decimal("50.00"), Decimal("-20.00")),
    ]


def test_no_phone_no_address_and_no_text_of_a_review_is_told(home: Home) -> None:
    said = str(asdict(trace(home, CODE)))
    assert "13800138000" not in said
    assert "example.com" not in said
    assert KEYS.secrets[0].hex() not in said


def test_a_code_that_rows_carry_is_tested(publish: Publish) -> None:
    (finding,) = trace(with_keys(publish("genuine", **life())), "o1").codes
    assert (finding.code, finding.state, finding.next_step) == (CODE, "genuine, good until 2024-03-31", "")
    home = with_keys(publish("over", **life(code := mint("a", valid_until=date(2024, 3, 3), keys=KEYS))))
    (finding,) = trace(home, code).codes
    assert finding.state == "the code has expired: it was good until 2024-03-03"
    (finding,) = trace(publish("foreign", **life()), "o1").codes
    assert "a key that this home does not have" in finding.state
    assert trace(publish("theirs", **life("CODE1")), "CODE1").codes == ()


def test_a_code_that_was_over_when_the_logs_ended_has_expired_unless_something_was_bought_in_time(
    publish: Publish,
) -> None:
    sent = {"send_id": "a", "customer_id": "ann", "channel": "line", "sent_at": at(1)}
    home = with_keys(publish("sent", sends=[sent | {"tracking_code": CODE}]))
    assert [finding.state for finding in trace(home, CODE).codes] == ["genuine, good until 2024-03-31"]
    home.manifest["now"] = "2024-04-01"
    (finding,) = trace(home, CODE).codes
    assert finding.state == "the code has expired: it was good until 2024-03-31"
    assert finding.next_step == "offer a coupon still good, or none"
    with pytest.raises(ExpiredCodeError, match=r"nothing published .* has expired: it was good until 2024-03-30"):
        trace(home, mint("b", valid_until=date(2024, 3, 30), keys=KEYS))
    bought = with_keys(publish("bought", **life()))
    bought.manifest["now"] = "2024-04-01"
    assert [finding.state for finding in trace(bought, CODE).codes] == ["genuine, good until 2024-03-31"]


def test_what_nothing_carries_is_told_apart(publish: Publish) -> None:
    home = with_keys(publish(**life("CODE1")))
    with pytest.raises(O2OError, match="a genuine code, good until 2024-03-31") as caught:
        trace(home, CODE)
    assert "o2o run" in caught.value.next_step
    with pytest.raises(MistypedCodeError, match=r"nothing published .* has a slip"):
        trace(home, CODE[::-1])
    with pytest.raises(ForeignCodeError, match="key that this home does not have"):
        trace(home, mint("a", valid_until=date(2024, 3, 3), keys=Keys((bytes(32),))))
    for text in ("code1", "o2", "", "x" * 1_000, "'; DROP TABLE purchases", "\x00", "13800138000"):
        with pytest.raises(UsageError, match="nothing published") as caught:
            trace(home, text)
        assert "13800138000" not in str(caught.value)


def test_a_code_with_our_mark_that_we_never_signed_is_forged(publish: Publish) -> None:
    home = with_keys(publish(**life("CODE1")))
    # Two symbols swapped by somebody who then finds the check symbol by trying all 32.
    made = CODE[:8] + CODE[9] + CODE[8] + CODE[10:-1]
    (whole,) = (made + last for last in ALPHABET if looks_like_code(made + last))
    with pytest.raises(ForgedCodeError, match="no key of this home signed it"):
        trace(home, whole)


def test_a_coupon_that_ran_out_unused_ends_with_its_expiry(publish: Publish) -> None:
    ann = {"customer_id": "cleo", "coupon_id": "ten", "receipt_id": "rc9"}
    receipt = ann | {"received_at": at(2), "tracking_code": "T9"}
    state = ann | {"merchant_id": "noodle", "received_at": at(2), "expires_at": at(9), "state": "expired"}
    found = trace(publish(**life(coupon_receipts=[receipt], coupon_lifecycle=[state])), "T9")
    assert [(event.what, event.at) for event in found.events] == [("receipt", at(2)), ("expiry", at(9))]
    assert (found.purchases, found.credits) == ((), ())


def test_a_till_that_keeps_the_hyphens_is_found_by_the_code(publish: Publish) -> None:
    visit = {"redemption_id": "r9", "customer_id": "ann", "merchant_id": "noodle", "redeemed_at": at(7)}
    found = trace(publish(**life(offline_redemptions=[visit | {"tracking_code": grouped(CODE)}])), CODE)
    assert ("redemption", "r9") in [(event.what, event.id) for event in found.events]


def test_a_cancelled_order_says_when(publish: Publish) -> None:
    cleo = {"order_id": "o9", "customer_id": "cleo", "merchant_id": "spa"}
    order = cleo | {"ordered_at": at(2), "status": "cancelled"}
    bought = cleo | {"purchase_id": "o:o9", "purchased_at": at(2), "cancelled_at": at(3), "source": "online"}
    found = trace(publish(**life(online_orders=[order], purchases=[bought])), "o9")
    assert [event.what for event in found.events] == ["order", "cancellation"]
    assert found.notes == ("the logs say no amounts",)


def test_a_code_that_a_whole_campaign_shares_is_cut_and_says_so(publish: Publish) -> None:
    many = [
        {"touch_id": f"x{one:03}", "customer_id": f"c{one}", "touched_at": datetime(2024, 3, 1), "channel": "map",
         "action": "click", "tracking_code": "ALL"}
        for one in range(300)
    ]  # fmt: skip
    found = trace(publish(**life(touches=many)), "ALL")
    assert [event.id for event in found.events] == [f"x{one:03}" for one in range(200)]
    assert "more than 200 rows" in found.notes[0]


def test_files_about_its_campaign_or_coupon_are_listed_and_others_are_not(home: Home) -> None:
    folder = home.path / "exports"
    folder.mkdir()
    manifests = {
        "offers.csv": {"table": "targeted_offers", "campaign": "spring", "as_of": "2024-03-01", "rows": 7},
        "plan.csv": {"campaigns": ["autumn", "spring"], "rows": 3},
        "coupons.csv": {"where": {"coupon_id": "ten"}, "rows": 1},
        "brought.csv": {"table": "campaign_attribution", "where": {"id": "spring"}, "rows": 21},
        "all.csv": {"table": "targeted_offers", "campaign": None, "rows": 8},
        "theirs.csv": {"table": "targeted_offers", "campaign": "autumn", "rows": 9},
        "other.csv": {"campaign": "autumn", "rows": 9},
        "spring.csv": {"segment": "spring", "rows": 9},
    }
    for name, manifest in manifests.items():
        (folder / f"{name}.manifest.json").write_text(json.dumps(manifest))
    (folder / "notes.manifest.json").write_text("no JSON")
    (folder / "list.manifest.json").write_text("[1]")
    files = trace(home, CODE).exports
    assert [(file["file"].rpartition("/")[2], file["rows"]) for file in files] == [
        ("all.csv", 8), ("brought.csv", 21), ("coupons.csv", 1), ("offers.csv", 7), ("plan.csv", 3),
    ]  # fmt: skip


def test_a_home_with_nothing_in_it_says_so(publish: Publish) -> None:
    with pytest.raises(UsageError, match="nothing published"):
        trace(publish(), "o1")


def test_the_order_of_rows_does_not_matter(publish: Publish) -> None:
    tables = life()
    first = trace(publish("first", **tables), CODE)
    second = trace(publish("second", **{name: rows[::-1] for name, rows in tables.items()}), CODE)
    assert first == second
