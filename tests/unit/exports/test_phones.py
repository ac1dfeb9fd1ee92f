"""Phone numbers recognised by patterns are what the library makes of each of them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.exports import phones
from o2o_mining.exports.phones import e164, is_region

_WRITTEN = (
    "+{code}{number}", "+{code}{trunk}{number}", "{number}", "{trunk}{number}", "{code}{number}", "00{code}{number}",
)  # fmt: skip


def _by_library(number: str, region: str) -> str | None:
    try:
        found = phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(found)
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164) if valid else None


def _numbers(region: str, random: Random) -> Iterator[str]:
    """Yield the region's numbers of every kind, some digits changed, in every way that they are written."""
    about = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    trunk = (about.national_prefix if about else None) or ""
    for kind in range(11):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        digits = list(phonenumbers.national_significant_number(example))
        for _ in range(random.choice([0, 1, 2, 4])):
            digits[random.randrange(len(digits))] = random.choice("0123456789")
        number = "".join(digits)[: random.choice([20, 20, 20, len(digits) - 1])]
        for way in _WRITTEN:
            written = way.format(code=example.country_code, trunk=trunk, number=number)
            cut = random.randrange(1, len(written))
            yield written[:cut] + random.choice(["", "", "-", " ", ") ("]) + written[cut:]


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 2**32))
def test_patterns_find_what_the_library_finds_in_every_country(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - any numbers will do
    drawn = {region: list(_numbers(region, random)) for region in sorted(phonenumbers.SUPPORTED_REGIONS)}
    for region, numbers in drawn.items():
        assert e164(pa.array(numbers), region).to_pylist() == [_by_library(number, region) for number in numbers]
    some = random.sample([number for numbers in drawn.values() for number in numbers], 1000)
    assert e164(pa.array(some), "").to_pylist() == [_by_library(number, "") for number in some]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.text(max_size=20) | st.from_regex(r"\A[+0-9 ()x-]{0,16}\Z"), max_size=8))
def test_any_text_gives_what_the_library_gives(texts: list[str | None]) -> None:
    expected = [None if text is None else _by_library(text, "TW") for text in texts]
    assert e164(pa.array(texts, pa.string()), "TW").to_pylist() == expected


@pytest.mark.parametrize("region", ["TW", "CN", "JP", "US", "GB", "HK", "DE"])
def test_plain_mobile_numbers_never_reach_the_library(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    full = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    dialled = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL).replace(" ", "-")
    monkeypatch.setattr(phones, "_parsed", lambda number, region: pytest.fail(f"{number} was parsed"))
    assert e164(pa.array([full]), "").to_pylist() == [full]
    if "(" not in dialled:
        assert e164(pa.array([dialled]), region).to_pylist() == [full]


def test_no_numbers_give_none() -> None:
    assert e164(pa.array([], pa.string()), "TW").to_pylist() == []
    assert e164(pa.array([None, None], pa.string()), "TW").to_pylist() == [None, None]


def test_regions_are_countries_of_the_library() -> None:
    assert [is_region(code) for code in ("TW", "tw", "", "EU")] == [True, False, False, False]
