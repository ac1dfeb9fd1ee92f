"""What columns, tables and codes are called in each language; the words are in ``headings.yaml``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from o2o_mining.core.languages import known_language


def heading(table: str, column: str, language: str, *, currency: str) -> str:
    """Return the heading of a column.

    Parameters
    ----------
    table
        Name of the table; its own word for the column comes before the usual one.
    column
        Name of the column.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.
    currency
        Code of the currency that headings of money name.

    Raises
    ------
    UsageError
        If there is no such language.
    KeyError
        If the column has no heading.

    Examples
    --------
    >>> heading("campaign_attribution", "net_revenue", "zh-Hant", currency="TWD")
    '淨營收（TWD）'
    """
    words = _said()["columns"]
    found = words.get(f"{table}.{column}") or words[column]
    return str(found[known_language(language)]).format(currency=currency)


def title(table: str, language: str) -> str:
    """Return what a table is called.

    Examples
    --------
    >>> title("campaign_attribution", "en")
    'Campaign attribution'
    """
    return str(_said()["tables"][table][known_language(language)])


def code_names(column: str, language: str) -> dict[str, str]:
    """Return what the codes of a column are called; nothing for a column without codes.

    Examples
    --------
    >>> code_names("scheme", "zh-Hant")["rule"]
    '規則'
    >>> code_names("kind", "en")["fixed"]
    'Money off'
    """
    codes = _said()["codes"].get(column, {})
    return {code: str(names[known_language(language)]) for code, names in codes.items()}


@cache
def _said() -> dict[str, Any]:
    text = files("o2o_mining.exports").joinpath("headings.yaml").read_text(encoding="utf-8")
    said: dict[str, Any] = yaml.safe_load(text)
    return said
