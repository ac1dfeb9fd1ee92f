"""Tracking codes: minted for what is sent, read at a till; mistyped, foreign, forged and expired ones told apart.

A code says whose key signed it, until which day it is good and which send it belongs to, signed by a truncated HMAC.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.tracking.alphabet import (
    ALPHABET,
    DAY,
    LENGTH,
    MARK,
    SERIAL,
    SIGNATURE,
    grouped,
    number_symbols,
    spelled,
    symbols_number,
    weighted_sum,
    written,
)
from o2o_mining.tracking.keys import Keys, key_mark, signer

if TYPE_CHECKING:
    import numpy.typing as npt

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = FIRST_DAY + timedelta(days=32**DAY - 1)
_SIGNED = MARK + DAY + SERIAL
_Numbers = Callable[[Sequence[str]], "npt.NDArray[np.uint64]"]


class CodeError(O2OError):
    """A text that is no valid tracking code of this home; the subclasses say why."""


class MistypedCodeError(CodeError):
    """Symbols are wrong, swapped, missing or too many."""


class ForeignCodeError(CodeError):
    """It does not look like a code of ours, or is signed with a key that this home does not have."""


class ForgedCodeError(CodeError):
    """It names a key of this home, but that key did not sign it."""


class ExpiredCodeError(CodeError):
    """It is genuine, but its last day is over."""


@dataclass(frozen=True)
class TrackingCode:
    """A genuine code.

    Attributes
    ----------
    code
        As ``sends`` and the logs carry it: 20 symbols.
    valid_until
        The last day on which it is good.
    """

    code: str
    valid_until: date

    def __str__(self) -> str:
        return grouped(self.code)


def mint(send_id: str, *, valid_until: date, keys: Keys) -> str:
    """Return the tracking code of one send.

    Parameters
    ----------
    send_id
        Of ``sends``: it is unique in the home.
    valid_until
        The last day on which the code is good.
    keys
        Of the home; the last one signs.

    Returns
    -------
    str
        20 symbols; `str(read(...))` shows them in groups. The same send, day and key give the same code.

    Raises
    ------
    UsageError
        If there is no day, it lies before 2000 or after 2089, or there is no key.

    Examples
    --------
    >>> mint("spring:ann", valid_until=date(2026, 5, 31), keys=Keys((bytes(range(32)),)))
    'MC9DFZZFEKQWZDKB0PZ0'
    """
    return mint_many([send_id], valid_until=valid_until, keys=keys)[0]


def mint_many(send_ids: Sequence[str], *, valid_until: date | Sequence[date], keys: Keys) -> list[str]:
    """Return the tracking codes of many sends; no two of them are equal.

    Parameters
    ----------
    send_ids
        Length n; of ``sends``, each once.
    valid_until
        The last day on which each code is good: one for all, or n.
    keys
        Of the home; the last one signs.

    Returns
    -------
    list of str
        Length n, in the order of the sends; a code does not depend on that order.

    Raises
    ------
    UsageError
        If a send occurs twice, a day is missing or lies before 2000 or after 2089, there is no key, or there are not n
        days.

    Examples
    --------
    >>> keys = Keys((bytes(range(32)),))
    >>> mint_many(["spring:ann", "spring:bob"], valid_until=date(2026, 5, 31), keys=keys)
    ['MC9DFZZFEKQWZDKB0PZ0', 'MC9DF76NDCN5VDXH9WQK']
    """
    if not keys.secrets:
        raise UsageError("there is no key to sign tracking codes with", next_step="make one with make_keys(home)")
    if len(set(send_ids)) < len(send_ids):
        raise UsageError(f"of {len(send_ids):,} sends some are the same", next_step="give each send an id of its own")
    key, n = keys.secrets[-1], len(send_ids)
    sign = signer(key)

    def serials(ids: Sequence[str]) -> npt.NDArray[np.uint64]:
        return _numbers([sign(b"send\0" + one.encode()) for one in ids], SERIAL)

    named = np.empty((n, _SIGNED), np.uint8)
    named[:, :MARK] = number_symbols(np.array([key_mark(key)], np.uint64), MARK)
    named[:, MARK : MARK + DAY] = number_symbols(_days(valid_until, n), DAY)
    named[:, MARK + DAY :] = number_symbols(distinct_numbers(send_ids, serials), SERIAL)
    signatures = _numbers([sign(b"code\0" + one) for one in written(named)], SIGNATURE)
    signed = np.hstack([named, number_symbols(signatures, SIGNATURE)])
    whole = np.hstack([signed, weighted_sum(signed)[:, None]])
    return [code.decode() for code in written(whole)]


def read(text: str, *, keys: Keys, on: date) -> TrackingCode:
    """Return the genuine code that somebody typed, or say why it is none.

    Parameters
    ----------
    text
        In capitals or not, with spaces or hyphens anywhere; O for 0 and I or L for 1 do no harm.
    keys
        Of the home.
    on
        The day on which it is shown.

    Returns
    -------
    TrackingCode
        The code as the logs carry it, and its last day.

    Raises
    ------
    MistypedCodeError
        Symbols are wrong, swapped, missing or too many: every single wrong symbol and every swap is found, of other
        slips 31 in 32; the signature refuses the rest.
    ForeignCodeError
        It does not look like a code, or is signed with a key that this home does not have.
    ForgedCodeError
        It names a key of this home that did not sign it: one guess in 33.5 million passes.
    ExpiredCodeError
        Its last day is over.

    Examples
    --------
    >>> keys = Keys((bytes(range(32)),))
    >>> read("mc9df-zzfek-qwzdk-bopzo", keys=keys, on=date(2026, 5, 31))
    TrackingCode(code='MC9DFZZFEKQWZDKB0PZ0', valid_until=datetime.date(2026, 5, 31))
    >>> read("mc9df-zzfek-qzwdk-b0pz0", keys=keys, on=date(2026, 5, 31))
    Traceback (most recent call last):
        ...
    o2o_mining.tracking.codes.MistypedCodeError: the code has a slip: a symbol is wrong, or two are swapped. Next: ...
    """
    code = spelled(text)
    symbols = _symbols(code)
    key = keys.by_mark.get(symbols_number(symbols[:MARK]))
    if key is None:
        raise ForeignCodeError(
            "the code is signed with a key that this home does not have",
            next_step="ask which home sent it; a key of this home that is gone has to come back from a backup",
        )
    expected = _numbers([signer(key)(b"code\0" + code[:_SIGNED].encode())], SIGNATURE)
    signature = written(number_symbols(expected, SIGNATURE))[0]
    if not hmac.compare_digest(signature, code[_SIGNED : _SIGNED + SIGNATURE].encode()):
        raise ForgedCodeError(
            "the code is forged: no key of this home signed it",
            next_step="accept nothing for it, and note who showed it",
        )
    valid_until = FIRST_DAY + timedelta(days=symbols_number(symbols[MARK : MARK + DAY]))
    if on > valid_until:
        raise ExpiredCodeError(
            f"the code has expired: it was good until {valid_until}", next_step="offer a coupon still good, or none"
        )
    return TrackingCode(code, valid_until)


def looks_like_code(text: str) -> bool:
    """Say whether a text has the shape of a code of ours, its check symbol included.

    Examples
    --------
    >>> looks_like_code("mc9df zzfek qwzdk b0pz0"), looks_like_code("CODE1")
    (True, False)
    """
    try:
        _symbols(spelled(text))
    except CodeError:
        return False
    return True


def _symbols(code: str) -> list[int]:
    """Return the symbols of a code without slips."""
    again = "type it again from the message, or scan its picture"
    if abs(len(code) - LENGTH) > 1 or not (code.isascii() and code.isalnum()):
        raise ForeignCodeError(
            f"this is no code of ours: those have {LENGTH} letters and digits", next_step="look for the sender's code"
        )
    if len(code) != LENGTH:
        raise MistypedCodeError(f"the code has {len(code)} symbols instead of {LENGTH}", next_step=again)
    symbols = [ALPHABET.find(char) for char in code]
    if -1 in symbols:
        raise MistypedCodeError(f"the code has a slip: no code holds '{code[symbols.index(-1)]}'", next_step=again)
    if weighted_sum(np.array([symbols], np.uint8))[0]:
        raise MistypedCodeError("the code has a slip: a symbol is wrong, or two are swapped", next_step=again)
    return symbols


def _numbers(digests: Sequence[bytes], symbols: int) -> npt.NDArray[np.uint64]:
    """Return the first bits of each digest as a number, five for each symbol."""
    first = np.frombuffer(b"".join(digest[:8] for digest in digests), ">u8").astype(np.uint64)
    return first >> np.uint64(64 - 5 * symbols)


def distinct_numbers(ids: Sequence[str], numbers: _Numbers) -> npt.NDArray[np.uint64]:
    """Return a number for each id, each another: of two ids with one number, the later in order is numbered again.

    Parameters
    ----------
    ids
        Each once, in any order.
    numbers
        Numbers ids; the same id has always the same number.

    Examples
    --------
    >>> def of_length(ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    ...     return np.array([len(one) for one in ids], np.uint64)
    >>> distinct_numbers(["b", "a"], of_length).tolist()
    [3, 1]
    """
    found = numbers(ids)
    for attempt in count(1):
        # As a rule nothing clashes, and sorting numbers is quicker than sorting texts.
        if len(np.unique(found)) == len(found):
            break
        in_order = np.array(sorted(range(len(ids)), key=ids.__getitem__))
        first = in_order[np.unique(found[in_order], return_index=True)[1]]
        again = np.setdiff1d(in_order, first)
        found[again] = numbers([f"{attempt}\0{ids[one]}" for one in again])
    return found


def _days(valid_until: date | Sequence[date], n: int) -> npt.NDArray[np.uint64]:
    """Return the days as numbers from 2000 on, one for each code."""
    given = np.array(valid_until, "datetime64[D]")
    if given.shape not in ((), (n,)):
        raise UsageError(f"{given.size:,} last days for {n:,} sends", next_step="give one day for all, or one for each")
    if np.isnat(given).any():
        raise UsageError("a code has no last day", next_step=f"name a day from {FIRST_DAY} to {LAST_DAY}")
    if given.size and (given.min() < np.datetime64(FIRST_DAY) or given.max() > np.datetime64(LAST_DAY)):
        raise UsageError(f"codes are good until a day from {FIRST_DAY} to {LAST_DAY}", next_step="name such a day")
    return np.broadcast_to((given - np.datetime64(FIRST_DAY)).astype(np.uint64), n)
