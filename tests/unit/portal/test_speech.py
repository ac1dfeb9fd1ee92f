"""Texts, numbers, money and days in three languages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files

import pytest

from o2o_mining.core.languages import LANGUAGES
from o2o_mining.portal.speech import Speech, texts, wanted_language

ENGLISH, TRADITIONAL, SIMPLIFIED = (Speech(one, "TWD", "Asia/Taipei") for one in LANGUAGES)
PLACE = re.compile(r"\{(\w+)\}")


def test_every_text_stands_in_every_language_with_the_same_places() -> None:
    wrong = [key for key, said in texts().items() if set(said) != set(LANGUAGES)]
    wrong += [
        key for key, said in texts().items() if len({frozenset(PLACE.findall(text)) for text in said.values()}) > 1
    ]
    assert wrong == []


def test_every_text_that_pages_ask_for_is_there_and_no_other() -> None:
    asked = set()
    parts = set()
    for folder, ending in (("templates", ".html"), ("pages", ".py"), (".", ".py"), ("access", ".py")):
        for file in _below(files("o2o_mining.portal").joinpath(folder), ending):
            asked |= set(re.findall(r"[\"'](\w+\.\w+)[\"']", file))
            parts |= set(re.findall(r"[\"'](\w+\.\w+_)[\"'] ~", file)) | set(re.findall(r"f[\"'](\w+\.)\{", file))
    missing = {key for key in asked if key.split(".")[0] in {one.split(".")[0] for one in texts()}} - set(texts())
    files_named = {key for key in missing if key.endswith((".html", ".css", ".js", ".svg", ".yaml"))}
    assert missing - files_named - parts == set()
    unused = {key for key in texts() if key not in asked and not key.startswith(tuple(parts))}
    assert unused == set()


def _below(folder: object, ending: str) -> list[str]:
    return [
        file.read_text(encoding="utf-8")
        for file in folder.rglob(f"*{ending}")  # type: ignore[attr-defined]
    ]


def test_chinese_texts_are_in_their_own_script() -> None:
    traditional = "".join(said["zh-Hant"] for said in texts().values())
    simplified = "".join(said["zh-Hans"] for said in texts().values())
    assert set("们为发数顾营销优页总览录设") & set(traditional) == set()
    assert set("們為發數顧營優頁總覽錄設") & set(simplified) == set()


def test_numbers_and_money_are_written_as_the_language_does() -> None:
    assert ENGLISH.number(1234567) == "1,234,567"
    assert ENGLISH.number(1234.5678, 2) == "1,234.57"
    assert ENGLISH.money(Decimal("1234.50")) == "NT$1,234.50"
    assert TRADITIONAL.money(Decimal("1234.50")) == "$1,234.50"
    assert SIMPLIFIED.money(1234.5, 0) == "NT$1,234"
    assert ENGLISH.share(0.125) == "12.5%"
    assert (ENGLISH.change(5), ENGLISH.change(-5), ENGLISH.change(0)) == ("+5", "-5", "0")


def test_days_and_moments_are_written_as_the_language_does_by_the_clock_of_the_home() -> None:
    assert ENGLISH.day(date(2025, 6, 24)) == "Jun 24, 2025"
    assert TRADITIONAL.day(date(2025, 6, 24)) == "2025年6月24日"
    at = datetime(2025, 6, 24, 20, 0, tzinfo=UTC)
    assert SIMPLIFIED.moment(at) == "2025年6月25日 04:00:00"
    assert SIMPLIFIED.moment(at.replace(tzinfo=None)) == SIMPLIFIED.moment(at.timestamp()) == SIMPLIFIED.moment(at)


def test_what_is_not_known_is_a_dash() -> None:
    said = [ENGLISH.number(None), ENGLISH.number(float("nan")), ENGLISH.money(None), ENGLISH.share(None)]
    assert {*said, ENGLISH.day(None), ENGLISH.moment(None), ENGLISH.change(None), ENGLISH.code("band", None)} == {"–"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9", "zh-Hans"), ("zh-HK", "zh-Hant"), ("zh-Hant-TW", "zh-Hant"), ("en-GB", "en"),
        ("fr", "zh-Hant"), ("", "zh-Hant"),
        ("en;q=0.1, zh-TW;q=0.5", "zh-Hant"), ("en;q=x, zh", "zh-Hans"), ("*", "zh-Hant"),
    ],
)  # fmt: skip
def test_the_language_is_the_first_of_ours_that_the_browser_asks_for(header: str, language: str) -> None:
    assert wanted_language(header, "zh-Hant") == language
