"""Codes: what is minted is read back, and whatever else is shown is told apart."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_mining.core.errors import UsageError
from o2o_mining.tracking import (
    CodeError,
    ExpiredCodeError,
    ForeignCodeError,
    ForgedCodeError,
    Keys,
    MistypedCodeError,
    mint,
    mint_many,
    read,
)
from o2o_mining.tracking.alphabet import ALPHABET, LENGTH, weighted_sum, written
from o2o_mining.tracking.codes import FIRST_DAY, LAST_DAY, distinct_numbers, looks_like_code

OURS = Keys((bytes(range(32)),))
THEIRS = Keys((bytes(range(1, 33)),))
TURNED = Keys((*OURS.secrets, *THEIRS.secrets))
DAY = date(2026, 5, 31)
CODE = mint("spring:ann", valid_until=DAY, keys=OURS)


def refused(text: str, *, keys: Keys = OURS, on: date = DAY) -> type[CodeError]:
    with pytest.raises(CodeError) as caught:
        read(text, keys=keys, on=on)
    assert caught.value.next_step
    return caught.type


def checked(first: str) -> str:
    """Return a code of 19 symbols with the check symbol that anybody can work out."""
    symbols = np.array([[ALPHABET.index(char) for char in first]], np.uint8)
    return first + ALPHABET[int(weighted_sum(symbols)[0])]


@given(st.text(max_size=64), st.dates(FIRST_DAY, LAST_DAY))
def test_what_is_minted_is_read_back(send_id: str, day: date) -> None:
    code = mint(send_id, valid_until=day, keys=OURS)
    assert (len(code), set(code) <= set(ALPHABET)) == (LENGTH, True)
    found = read(code, keys=OURS, on=day)
    assert (found.code, found.valid_until) == (code, day)
    assert read(str(found), keys=OURS, on=day) == found


@given(st.randoms(use_true_random=False))
def test_how_people_type_it_does_not_matter(chance: random.Random) -> None:
    typed = {"0": "0Oo", "1": "1IiLl"}
    chars = [chance.choice(typed.get(char, char + char.lower())) for char in CODE]
    # hyphens, dashes, spaces, a zero-width space, full-width letters
    gaps = ["", "", "-", " ", "\u2013", "\u3000", "\u200b", "\n"]
    text = "".join(char + chance.choice(gaps) for char in chars)
    assert read(text, keys=OURS, on=DAY).code == CODE
    wide = "".join(chr(ord(char) + 0xFEE0) for char in chars)
    assert read(wide, keys=OURS, on=DAY).code == CODE


def test_every_single_wrong_symbol_is_a_slip() -> None:
    for at, char in itertools.product(range(LENGTH), ALPHABET):
        if char != CODE[at]:
            assert refused(CODE[:at] + char + CODE[at + 1 :]) is MistypedCodeError


def test_the_check_symbol_finds_every_wrong_symbol_and_every_swap_of_every_code() -> None:
    # The sum is linear: a slip goes unseen if and only if the sum of the differences is 0, whatever the code.
    alone = np.zeros((LENGTH * 31, LENGTH), np.uint8)
    alone[np.arange(len(alone)), np.repeat(np.arange(LENGTH), 31)] = np.tile(np.arange(1, 32), LENGTH)
    assert weighted_sum(alone).all()
    swaps = [(one, other) for one in range(LENGTH) for other in range(one)]
    moved = np.zeros((len(swaps) * 31, LENGTH), np.uint8)
    for side in (0, 1):  # symbols a and b swapped: both places change by a ^ b
        moved[np.arange(len(moved)), np.repeat([swap[side] for swap in swaps], 31)] = np.tile(
            np.arange(1, 32), len(swaps)
        )
    assert weighted_sum(moved).all()


@given(st.lists(st.integers(0, 31), min_size=LENGTH - 1, max_size=LENGTH - 1), st.integers(0, LENGTH - 2))
def test_neighbours_swapped_are_a_slip(symbols: list[int], at: int) -> None:
    code = checked("".join(ALPHABET[one] for one in symbols))
    swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
    assert looks_like_code(code)
    assert looks_like_code(swapped) == (swapped == code)


def test_a_symbol_too_few_or_too_many_or_one_that_no_code_holds_is_a_slip() -> None:
    for text in (CODE[:-1], CODE + "7", "U" + CODE[1:]):
        assert refused(text) is MistypedCodeError


@pytest.mark.parametrize(
    "text", ["", "T1360", "CODE1", "麵館", CODE[:-2], CODE + "AB", "=cmd()", "x" * 100_000, "\x00", "ß" * 20, "٣" * 20]
)
def test_what_has_not_the_shape_of_a_code_is_foreign(text: str) -> None:
    assert refused(text) is ForeignCodeError


def test_a_code_of_another_home_is_foreign() -> None:
    assert refused(mint("spring:ann", valid_until=DAY, keys=THEIRS)) is ForeignCodeError
    assert refused(CODE, keys=Keys(())) is ForeignCodeError


def test_a_code_changed_on_purpose_is_forged_wherever_it_was_changed() -> None:
    for at in range(2, LENGTH - 1):
        for char in ALPHABET:
            if char != CODE[at]:
                assert refused(checked(CODE[:at] + char + CODE[at + 1 : -1])) is ForgedCodeError


def test_of_random_codes_with_our_mark_and_a_right_check_symbol_none_passes() -> None:
    chance = random.Random(0)  # noqa: S311 - a test wants the same codes each time
    for _ in range(2_000):  # 1 in 33.5 million would
        made = CODE[:2] + "".join(chance.choices(ALPHABET, k=LENGTH - 3))
        assert refused(checked(made), on=FIRST_DAY) is ForgedCodeError


def test_a_genuine_code_is_good_on_its_last_day_and_expired_on_the_next() -> None:
    assert read(CODE, keys=OURS, on=DAY).valid_until == DAY
    assert refused(CODE, on=DAY + timedelta(days=1)) is ExpiredCodeError


def test_a_forged_code_is_forged_also_when_its_day_is_over() -> None:
    made = CODE[:8] + CODE[9] + CODE[8] + CODE[10:-1]
    assert refused(checked(made), on=LAST_DAY) is ForgedCodeError


def test_codes_of_an_older_key_stay_readable_and_new_ones_are_signed_with_the_new() -> None:
    assert read(CODE, keys=TURNED, on=DAY).code == CODE
    new = mint("spring:ann", valid_until=DAY, keys=TURNED)
    assert new != CODE
    assert new == mint("spring:ann", valid_until=DAY, keys=THEIRS)
    assert refused(new, keys=OURS) is ForeignCodeError


def test_a_code_depends_on_nothing_but_its_send_its_day_and_the_key() -> None:
    ids = [f"spring:c{one}" for one in range(1_000)]
    codes = dict(zip(ids, mint_many(ids, valid_until=DAY, keys=OURS), strict=True))
    assert len(set(codes.values())) == 1_000
    backwards = mint_many(ids[::-1], valid_until=DAY, keys=OURS)
    assert backwards == [codes[one] for one in ids[::-1]]
    assert mint("spring:c7", valid_until=DAY, keys=OURS) == codes["spring:c7"]


def test_every_send_may_have_a_day_of_its_own() -> None:
    days = [DAY, FIRST_DAY, LAST_DAY]
    codes = mint_many(["a", "b", "c"], valid_until=days, keys=OURS)
    assert [read(code, keys=OURS, on=FIRST_DAY).valid_until for code in codes] == days


def test_no_sends_need_no_codes() -> None:
    assert mint_many([], valid_until=DAY, keys=OURS) == []
    assert mint_many([], valid_until=[], keys=OURS) == []


def test_sends_whose_numbers_clash_get_different_ones_in_any_order() -> None:
    def four(ids: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        return np.array([sum(one.encode()) % 64 for one in ids], np.uint64)

    ids = [f"c{one}" for one in range(40)]
    numbers = dict(zip(ids, distinct_numbers(ids, four).tolist(), strict=True))
    assert len(set(numbers.values())) == 40
    shuffled = sorted(ids, key=lambda one: one[::-1])
    assert distinct_numbers(shuffled, four).tolist() == [numbers[one] for one in shuffled]


def test_the_same_send_twice_a_day_out_of_range_and_no_key_are_refused() -> None:
    with pytest.raises(UsageError, match="some are the same"):
        mint_many(["a", "a"], valid_until=DAY, keys=OURS)
    for day in (FIRST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1)):
        with pytest.raises(UsageError, match="2000-01-01 to 2089-09-17"):
            mint("a", valid_until=day, keys=OURS)
    for days in ([DAY], [DAY] * 3, []):
        with pytest.raises(UsageError, match="last days for 2 sends"):
            mint_many(["a", "b"], valid_until=days, keys=OURS)
    for missing in (None, [DAY, None]):
        with pytest.raises(UsageError, match="a code has no last day"):
            mint_many(["a", "b"], valid_until=missing, keys=OURS)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no key"):
        mint("a", valid_until=DAY, keys=Keys(()))


def test_codes_of_yesterday_are_read_tomorrow() -> None:
    # What was printed on paper must not change its meaning with a version.
    assert mint("spring:ann", valid_until=DAY, keys=OURS) == "MC9DFZZFEKQWZDKB0PZ0"
    assert written(np.arange(32, dtype=np.uint8)[None, :])[0].decode() == ALPHABET
