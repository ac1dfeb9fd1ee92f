"""What a platform matches people by: normalised by declared steps, then hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.exports.phones import e164

if TYPE_CHECKING:
    from o2o_mining.exports.specs import Column

# Why a value is not in the file.
NOTHING_LEFT = "nothing_left"
HASH_OF_NOTHING = "hash_of_nothing"

_HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()
_HASHED = "^[0-9a-fA-F]{64}$"


@dataclass(frozen=True)
class Step:
    """One step of a normalisation.

    Attributes
    ----------
    apply
        From texts and the home's phone region to texts; null where it cannot be done.
    reason
        Why not.
    """

    apply: Callable[[pa.Array, str], pa.Array]
    reason: str = NOTHING_LEFT


def encode(values: pa.Array, column: Column, *, region: str = "") -> tuple[pa.Array, pa.Array]:
    """Return a column of a platform's file, and why values are missing from it.

    Parameters
    ----------
    values
        Texts as customers gave them, or nulls, of length n.
    column
        What the platform wants.
    region
        The country of phone numbers without ``+``, as ISO 3166 alpha-2.

    Returns
    -------
    tuple of pyarrow.Array
        The cells, null where nothing was given or it cannot be normalised; and the reasons of the latter.

    Examples
    --------
    >>> from o2o_mining.exports.specs import read_spec
    >>> country = read_spec("google-customer-match").column("Country")
    >>> [part.to_pylist() for part in encode(pa.array([" tw ", "Formosa", "", None]), country)]
    [['TW', None, None, None], [None, 'not_a_country_code', None, None]]
    """
    given = _trimmed(values)
    hashed_before = pc.fill_null(pc.match_substring_regex(given, _HASHED), False) if column.hashed else pa.scalar(False)
    left = pc.if_else(hashed_before, None, given)
    reasons = pa.nulls(len(values), pa.string())
    for name in column.steps:
        step = STEPS[name]
        made = _trimmed(step.apply(left, region))
        reasons = pc.if_else(pc.and_(pc.is_valid(left), pc.is_null(made)), step.reason, reasons)
        left = made
    if not column.hashed:
        return left, reasons
    cells = pc.coalesce(_sha256(left), pc.utf8_lower(pc.if_else(hashed_before, given, None)))
    nothing = pc.fill_null(pc.equal(cells, _HASH_OF_NOTHING), False)
    return pc.if_else(nothing, None, cells), pc.if_else(nothing, HASH_OF_NOTHING, reasons)


def _trimmed(texts: pa.Array) -> pa.Array:
    """Return texts without blanks around them, null for what is then empty."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def _sha256(texts: pa.Array) -> pa.Array:
    hashes = [None if text is None else hashlib.sha256(text.encode()).hexdigest() for text in texts.to_pylist()]
    return pa.array(hashes, pa.string())


def _matching(pattern: str, reason: str) -> Step:
    """Return a step that keeps what matches a pattern."""
    return Step(lambda texts, _: pc.if_else(pc.match_substring_regex(texts, pattern), texts, None), reason)


def _replacing(pattern: str, replacement: str) -> Step:
    """Return a step that replaces what matches a pattern."""
    return Step(lambda texts, _: pc.replace_substring_regex(texts, pattern, replacement))


def _with_country(texts: pa.Array, region: str) -> pa.Array:
    """Keep numbers whose country is known."""
    return texts if region else pc.if_else(pc.match_substring_regex(texts, "^[+\uff0b]"), texts, None)


def _chinese_mobile(texts: pa.Array, _: str) -> pa.Array:
    """Keep mobile numbers of +86, without the country code."""
    mobile = pc.match_substring_regex(texts, r"^\+861[3-9][0-9]{9}$")
    return pc.utf8_slice_codeunits(pc.if_else(mobile, texts, None), len("+86"))


def _no_dots(texts: pa.Array, _: str) -> pa.Array:
    """Take the dots out of the name of an address, not out of its domain."""
    name = pc.replace_substring(pc.replace_substring_regex(texts, "@.*$", ""), ".", "")
    return pc.binary_join_element_wise(name, pc.replace_substring_regex(texts, "^[^@]*@", ""), "@")


def _gmail_account(texts: pa.Array, region: str) -> pa.Array:
    """Take dots and +tags off the name of a Gmail address: whatever they are, mail goes to one account."""
    account = _no_dots(_NO_TAG.apply(texts, region), region)
    return pc.if_else(pc.match_substring_regex(texts, "@(gmail|googlemail)[.]com$"), account, texts)


_NO_TAG = _replacing(r"^([^@+]+)\+[^@]*@", r"\1@")

STEPS: dict[str, Step] = {
    "lower": Step(lambda texts, _: pc.utf8_lower(texts)),
    "upper": Step(lambda texts, _: pc.utf8_upper(texts)),
    "no_spaces": _replacing(r"[\s\p{Z}]+", ""),
    "no_punctuation": _replacing(r"\p{P}+", ""),
    "digits": _replacing("[^0-9]+", ""),
    "email": _matching(r"^[^@\s\p{Z}]+@[^@\s\p{Z}.]+([.][^@\s\p{Z}.]+)+$", "not_an_email_address"),
    "no_tag": _NO_TAG,
    "no_dots": Step(_no_dots),
    "gmail_account": Step(_gmail_account),
    "country": _matching("^[A-Z]{2}$", "not_a_country_code"),
    "gender": _matching("^[fm]$", "not_f_or_m"),
    "zip5": _replacing("^([0-9]{5})-[0-9]{4}$", r"\1"),
    "country_code": Step(_with_country, "no_country_code"),
    "e164": Step(e164, "not_a_phone_number"),
    "chinese_mobile": Step(_chinese_mobile, "not_a_chinese_mobile"),
    "line_user_id": _matching("^U[0-9a-f]{32}$", "not_a_line_user_id"),
}
