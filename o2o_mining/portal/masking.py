"""Shows rejected records without what identifies a person.

A record is kept as the line that was read; which of its fields is which is not kept with it. So a line of a feed that
tells of persons, or with more fields than its feed has, shows its shape alone, and any other hides phone numbers and
e-mail addresses.
"""

from __future__ import annotations

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.redaction import redact

LONGEST = 300


def masked(feed: str, raw: str) -> str:
    """Return a rejected record as everybody may see it.

    Parameters
    ----------
    feed
        The feed it was meant for.
    raw
        The record as read.

    Returns
    -------
    str
        At most ``LONGEST`` characters. Of a shape, ``x`` stands for a letter and ``9`` for a digit.

    Examples
    --------
    >>> masked("customers", "c1,2025-13-01,Ann,+886 901 555")
    'x9,9999-99-99,xxx,+999 999 999'
    >>> masked("stores", "s1,m1,91.5,ann@example.com")
    's1,m1,91.5,<email>'
    """
    columns = contract(feed).columns
    tells_of_persons = any(column.personal for column in columns)
    shown = shape(raw) if tells_of_persons or raw.count(",") >= len(columns) else redact(raw)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "…"


def shape(text: str) -> str:
    """Return a text with ``x`` for each letter and ``9`` for each digit.

    Examples
    --------
    >>> shape("O'Neil, 王小明 07")
    "x'xxxx, xxx 99"
    """
    return "".join("9" if one.isnumeric() else "x" if one.isalpha() else one for one in text)
