"""Every column and code that can leave has a name in all three languages."""

from __future__ import annotations

import re

import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.exports import exportable_tables
from o2o_mining.exports.headings import code_names, heading, title
from o2o_mining.exports.members import _LISTED

# Lists of customers are made of these; what says of one customer something else is for the eyes of the portal.
OF_CUSTOMERS = ["response_scores", "targeted_offers", "offer_holdouts", "offer_exclusions"]
NAMED = [*exportable_tables(), *OF_CUSTOMERS]
EVERY = [(table, language) for table in [*NAMED, "segments"] for language in LANGUAGES]


def _columns(table: str) -> list[str]:
    published = list(_LISTED) if table == "segments" else list(contract(table).published_names)
    worded = {"segment_code", "traits", "reason_codes"}
    named = [name for name in published if code_names(name, "en") or name in worded]
    return published + [re.sub("_codes?$", "", name) + "_name" for name in named]


@pytest.mark.parametrize(("table", "language"), EVERY)
def test_every_column_has_a_heading_and_no_two_of_a_file_are_alike(table: str, language: str) -> None:
    headings = [heading(table, column, language, currency="TWD") for column in _columns(table)]
    assert all(headings)
    assert len(set(headings)) == len(headings)
    assert [text for text in headings if "{" in text] == []


@pytest.mark.parametrize(("table", "language"), EVERY)
def test_headings_of_money_name_the_currency(table: str, language: str) -> None:
    money = [c.name for c in contract(table).columns if c.type == "money" and c.name in _columns(table)]
    assert [name for name in money if "TWD" not in heading(table, name, language, currency="TWD")] == []


@pytest.mark.parametrize("table", NAMED)
def test_every_code_of_an_exportable_table_has_a_name(table: str) -> None:
    for column in contract(table).columns:
        for language in LANGUAGES:
            assert set(column.allowed) <= set(code_names(column.name, language)), column.name


@pytest.mark.parametrize(("table", "language"), [pair for pair in EVERY if pair[0] != "segments"])
def test_every_table_has_a_title(table: str, language: str) -> None:
    assert title(table, language)


def test_chinese_headings_are_in_the_script_that_was_asked_for() -> None:
    assert heading("campaign_attribution", "net_revenue", "zh-Hant", currency="TWD") == "淨營收（TWD）"
    assert heading("campaign_attribution", "net_revenue", "zh-Hans", currency="CNY") == "净营收（CNY）"


def test_an_unknown_language_names_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"no language 'zh'.*en, zh-Hant, zh-Hans"):
        title("merchants", "zh")
