"""What is said of a run never carries a phone number or an e-mail address."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# A phone: an optional +, then 9 to 15 digits with the usual separators; a date has 8, a moment goes on with a colon.
_PHONE = re.compile(r"(?<!\w)(?<!\d[.:-])\+?\(?\d(?:[ ()]{0,2}-?\d){8,14}(?!\w|[.:-]\d)")


def redact(text: str) -> str:
    """Replace e-mail addresses and phone numbers.

    Examples
    --------
    >>> redact("row of ann@example.com, +86 138 0013 8000")
    'row of <email>, <phone>'
    """
    return _PHONE.sub("<phone>", _EMAIL.sub("<email>", text))
