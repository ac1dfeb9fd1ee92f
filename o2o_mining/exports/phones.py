"""Phone numbers as E.164: by the library of phone numbers, and by its own patterns for those that are clean already."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

# What the patterns may judge: digits, parted by single spaces or hyphens. The rest is the library's.
_PLAIN = r"^\+?[0-9](?:[ -]?[0-9])+$"
_LONGEST_CODE = 3


@dataclass(frozen=True)
class _Mobile:
    """A region's numbers, the patterns that its mobile numbers match, and their lengths."""

    about: PhoneMetadata
    patterns: tuple[str, ...]
    lengths: tuple[int, ...]


def e164(numbers: pa.Array, region: str) -> pa.Array:
    """Return numbers as E.164, null for what is no valid number.

    Most numbers of a list are mobile numbers written plainly. Those are recognised by the library's own patterns for
    whole columns at once, and only the others are parsed one by one, which costs about 30 µs each.

    Parameters
    ----------
    numbers
        Texts or nulls, of length n.
    region
        The country of numbers without ``+``, as ISO 3166 alpha-2; empty: those are no valid numbers.

    Returns
    -------
    pyarrow.Array
        Texts such as ``+886912345678``, of length n.

    Examples
    --------
    >>> e164(pa.array(["0912-345-678", "+44 (0)20 7946 0018", "call me", None]), "TW").to_pylist()
    ['+886912345678', '+442079460018', None, None]
    """
    plain = pc.fill_null(pc.match_substring_regex(numbers, _PLAIN), False)
    bare = pc.replace_substring_regex(pc.if_else(plain, numbers, None), "[ -]", "")
    found = pa.nulls(len(numbers), pa.string())
    starts = pc.utf8_slice_codeunits(bare, 0, 1 + _LONGEST_CODE).unique().to_pylist()
    for code in sorted({code for start in starts if start and (code := _code(start))}):
        found = pc.coalesce(found, _recognised(bare, code))
    if region:
        found = pc.coalesce(found, _recognised_at_home(bare, region))
    rest = pc.if_else(pc.is_null(found), numbers, None)
    parsed = {number: _parsed(number, region) for number in rest.unique().to_pylist() if number is not None}
    return pc.coalesce(found, pa.array([parsed.get(number) for number in rest.to_pylist()], pa.string()))


def is_region(region: str) -> bool:
    """Return whether numbers of a country are known.

    Examples
    --------
    >>> is_region("TW"), is_region("XX")
    (True, False)
    """
    return region in phonenumbers.SUPPORTED_REGIONS


def _parsed(number: str, region: str) -> str | None:
    """Return what the library makes of a number."""
    try:
        found = phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(found):
        return None
    return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))


@cache
def _code(start: str) -> int:
    """Return the country code that a number with ``+`` begins with; 0 for none."""
    codes = (int(start[1:end]) for end in range(2, len(start) + 1))
    return next((code for code in codes if code in COUNTRY_CODE_TO_REGION_CODE), 0) if start[0] == "+" else 0


@cache
def _mobile(region: str) -> _Mobile | None:
    """Return what is known of a region's mobile numbers; none where the library tells regions apart by first digits."""
    about = PhoneMetadata.metadata_for_region(region, None)
    if about is None or about.leading_digits or about.mobile is None or about.general_desc is None:
        return None
    pattern, general = about.mobile.national_number_pattern, about.general_desc.national_number_pattern
    if not pattern or not general:
        return None
    return _Mobile(about, (f"^(?:{pattern})$", f"^(?:{general})$"), tuple(about.mobile.possible_length))


def _recognised(bare: pa.Array, code: int) -> pa.Array:
    """Return the numbers that are ``+``, the code and a mobile number of the code's main region, as they are."""
    known = _mobile(COUNTRY_CODE_TO_REGION_CODE[code][0])
    if known is None:
        return pa.nulls(len(bare), pa.string())
    national = pc.replace_substring_regex(_where(bare, rf"^\+{code}"), rf"^\+{code}", "")
    return pc.binary_join_element_wise(f"+{code}", _as_mobile(national, known), "")


def _recognised_at_home(bare: pa.Array, region: str) -> pa.Array:
    """Return the mobile numbers of a region that are written without ``+``, with or without its trunk prefix."""
    known = _mobile(region)
    if known is None:
        return pa.nulls(len(bare), pa.string())
    about = known.about
    national = _where(bare, "^[0-9]")
    if about.international_prefix:
        national = _where(national, f"^(?:{about.international_prefix})", wanted=False)
    found = _as_mobile(national, known)
    if about.national_prefix and about.national_prefix_for_parsing:
        dialled = pc.utf8_slice_codeunits(_where(national, f"^{about.national_prefix}"), len(about.national_prefix))
        # Where the library would strip more, or turn it into something else, it has to.
        stripped = pc.replace_substring_regex(national, f"^(?:{about.national_prefix_for_parsing})", "")
        found = pc.coalesce(found, _as_mobile(pc.if_else(pc.equal(stripped, dialled), dialled, None), known))
    return pc.binary_join_element_wise(f"+{about.country_code}", found, "")


def _as_mobile(national: pa.Array, known: _Mobile) -> pa.Array:
    """Return national numbers that are mobile numbers from which the library would strip no prefix."""
    found = national
    for pattern in known.patterns:
        found = _where(found, pattern)
    found = pc.if_else(pc.is_in(pc.utf8_length(found), pa.array(known.lengths, pa.int32())), found, None)
    prefix = known.about.national_prefix_for_parsing
    return _where(found, f"^(?:{prefix})", wanted=False) if prefix else found


def _where(texts: pa.Array, pattern: str, *, wanted: bool = True) -> pa.Array:
    """Return the texts that match, or those that do not, and null for the rest."""
    matches: Any = pc.match_substring_regex(texts, pattern)
    return pc.if_else(matches if wanted else pc.invert(matches), texts, None)
