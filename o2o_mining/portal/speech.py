"""What pages say: texts, numbers, money, days and names of codes in the reader's language.

A text stands in ``texts/<page>.yaml`` in all languages; ``segments.title`` is the text ``title`` of ``segments.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import yaml
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent

from o2o_mining.core.languages import LANGUAGES, said
from o2o_mining.exports.headings import code_names, heading

LANGUAGE_NAMES = {"en": "English", "zh-Hant": "繁體中文", "zh-Hans": "简体中文"}
NOTHING = "–"

# What browsers ask for beside the names of our languages.
_ALIASES = {"zh": "zh-Hans", "zh-cn": "zh-Hans", "zh-sg": "zh-Hans", "zh-tw": "zh-Hant", "zh-hk": "zh-Hant"}
_WANTED = {language.casefold(): language for language in LANGUAGES} | _ALIASES

Number = int | float | Decimal


@dataclass(frozen=True)
class Speech:
    """How one reader is spoken to.

    Attributes
    ----------
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.
    currency, timezone
        Of the home: the code of its money, and whose clock moments are shown by.
    """

    language: str
    currency: str
    timezone: str

    @property
    def locale(self) -> Locale:
        """The language as Babel knows it."""
        return _locale(self.language)

    def t(self, key: str, **values: object) -> str:
        """Return a text, with values in its places.

        Raises
        ------
        KeyError
            If there is no such text, or no value for a place.
        """
        text = texts()[key][self.language]
        return text.format(**values) if values else text

    def number(self, value: Number | None, digits: int = 0) -> str:
        """Return a number with this many decimals."""
        if value is None or value != value:  # NaN is not itself
            return NOTHING
        return str(format_decimal(value, format=f"#,##0.{'0' * digits}" if digits else "#,##0", locale=self.locale))

    def money(self, value: Number | None, digits: int = 2) -> str:
        """Return an amount in the home's currency."""
        if value is None or value != value:
            return NOTHING
        form = self.locale.currency_formats["standard"].pattern.replace("0.00", f"0.{'0' * digits}" if digits else "0")
        return str(format_currency(value, self.currency, form, locale=self.locale, currency_digits=False))

    def share(self, value: Number | None, digits: int = 1) -> str:
        """Return a share as a percentage."""
        if value is None or value != value:
            return NOTHING
        return str(format_percent(value, format=f"#,##0.{'0' * digits}%" if digits else "#,##0%", locale=self.locale))

    def change(self, value: Number | None) -> str:
        """Return a whole number with its sign."""
        return NOTHING if value is None else ("+" if value > 0 else "") + self.number(value)

    def day(self, value: date | None) -> str:
        """Return a day."""
        return NOTHING if value is None else str(format_date(value, "medium", locale=self.locale))

    def moment(self, value: datetime | float | None) -> str:
        """Return a moment by the home's clock; without a zone it is UTC, a number counts seconds since 1970."""
        if value is None:
            return NOTHING
        at = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return str(format_datetime(at, "medium", tzinfo=ZoneInfo(self.timezone), locale=self.locale))

    def moment_of(self, written: str) -> str:
        """Return a moment that is written in ISO 8601."""
        return self.moment(datetime.fromisoformat(written))

    def listed(self, parts: Sequence[str]) -> str:
        """Return short texts one after the other."""
        return ("; " if self.language == "en" else "；").join(parts)

    def heading(self, table: str, column: str) -> str:
        """Return the heading of a column of a published table."""
        return heading(table, column, self.language, currency=self.currency)

    def title(self, key: str) -> str:
        """Return the title of a column: a text by its key, or of ``table:column`` the heading that files have."""
        table, _, column = key.partition(":")
        return self.heading(table, column) if column else self.t(key)

    def code(self, column: str, code: str | None) -> str:
        """Return the name of a code of a column; the code itself where it has none."""
        return NOTHING if code is None else code_names(column, self.language).get(code, code)

    def reason(self, table: Mapping[str, Mapping[str, str]], code: str) -> str:
        """Return what the code of a reason says."""
        return said(table, code, self.language)


@cache
def texts() -> dict[str, dict[str, str]]:
    """Return all texts by key and language."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(files("o2o_mining.portal").joinpath("texts").iterdir(), key=lambda one: one.name):
        page = file.name.removesuffix(".yaml")
        for key, text in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            found[f"{page}.{key}"] = text
    return found


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")


def wanted_language(header: str, default: str) -> str:
    """Return the language that a browser asks for, by its ``Accept-Language``.

    Parameters
    ----------
    header
        What the browser sent.
    default
        For who asks for none of ours.

    Examples
    --------
    >>> wanted_language("fr, zh-TW;q=0.9, en;q=0.8", "en")
    'zh-Hant'
    """
    asked = []
    for part in header.split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            asked.append((-float(quality or 1), name.casefold()))
        except ValueError:
            continue
    for _, name in sorted(asked, key=lambda pair: pair[0]):
        parts = name.split("-")
        for length in range(len(parts), 0, -1):
            if found := _WANTED.get("-".join(parts[:length])):
                return found
    return default
