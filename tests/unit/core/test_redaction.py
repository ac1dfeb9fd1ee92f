"""The log never carries a phone number or an e-mail address, and leaves days, money and ids of rows alone."""

from __future__ import annotations

import pytest

from o2o_mining.core.redaction import redact

PHONES = [
    "13800138000", "+8613800138000", "+86 138 0013 8000", "138-0013-8000", "02-2345-6789", "(02) 2345-6789",
    "+1 (212) 555-0123", "010 12345678", "+886 2 1234 5678",
]  # fmt: skip


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("around", ["{}", "call {}.", "phone: {}: bad", '"phone":{},', "tel:{}", "a,{},b", "c-{}"])
def test_phone_numbers_are_taken_out(phone: str, around: str) -> None:
    said = redact(around.format(phone))
    assert "<phone>" in said
    assert not any(part in said for part in ("138", "345", "555", "234", "6789", "8000"))


@pytest.mark.parametrize(
    "email", ["ann@example.com", "a.b+c@mail.example.co.uk", "ANN_1@EXAMPLE.TW", "x@a-b.io", "mailto:ann@example.com"]
)
def test_addresses_are_taken_out(email: str) -> None:
    assert "@" not in redact(f"row of {email}, rejected")


NO_PHONES = [
    "2017-07-01 12:30:45.123456 read 155848 rows", "2017-07-01 2017-07-02", "2017-07-01T12:30:45+08:00", "12345678.90",
    "sha256 0123456789abcdef0123456789abcdef", "3 of 99999999 rows", "10:53600000082:2240", "stores/2017-07.csv:12",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_PHONES)
def test_days_money_and_counts_stay(text: str) -> None:
    assert redact(text) == text
