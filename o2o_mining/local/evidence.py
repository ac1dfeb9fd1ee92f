"""What the codes of evidence say in each language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from o2o_mining.core.languages import said


def evidence_text(code: str, language: str = "en") -> str:
    """Return what a piece of evidence says in a language.

    Parameters
    ----------
    code
        One of ``evidence_codes``: a word and its values, parted by colons.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        A few words.

    Raises
    ------
    UsageError
        If there is no such code or language.

    Examples
    --------
    >>> evidence_text("quick:8:8")
    '8 of 8 coupons used within half an hour of receipt'
    >>> evidence_text("again:2", "zh-Hant")
    '重複核銷 2 次'
    """
    return said(_texts(), code, language)


@cache
def _texts() -> dict[str, dict[str, str]]:
    text = files("o2o_mining.local").joinpath("texts.yaml").read_text(encoding="utf-8")
    texts: dict[str, dict[str, str]] = yaml.safe_load(text)
    return texts
