"""The languages that people read, and what the codes of reasons say in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "zh-Hant", "zh-Hans")


def known_language(language: str) -> str:
    """Return the language, if there is one of that name.

    Parameters
    ----------
    language
        A name.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    UsageError
        If there is no such language; it names those there are.

    Examples
    --------
    >>> known_language("fr")
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.UsageError: there is no language 'fr'. Next: use one of en, zh-Hant, zh-Hans
    """
    if language not in LANGUAGES:
        raise UsageError(f"there is no language '{language}'", next_step=f"use one of {', '.join(LANGUAGES)}")
    return language


def said(texts: Mapping[str, Mapping[str, str]], code: str, language: str) -> str:
    """Return what the code of a reason says in a language.

    Parameters
    ----------
    texts
        By word and language: a text with a place in braces for each value.
    code
        A word and its values, parted by colons.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        A few words.

    Raises
    ------
    UsageError
        If there is no such reason or language.

    Examples
    --------
    >>> said({"near": {"en": "{0} m from home"}}, "near:850", "en")
    '850 m from home'
    """
    word, *values = code.split(":")
    if word not in texts:
        raise UsageError(f"there is no reason '{word}'", next_step=f"use one of {', '.join(texts)}")
    return texts[word][known_language(language)].format(*values)
