"""The page of association rules: said in words, with the names of things, the surest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.portal.conftest import Visit, Visitor
from tests.unit.portal.looking import cells


@pytest.fixture
def analyst(visit: Visit, stocked: Path) -> Visitor:
    return visit(stocked).as_role("analyst")


def test_rules_are_said_in_words_with_the_names_of_things(analyst: Visitor) -> None:
    text = analyst.get("/rules").text
    said = "Who buys Green tea also buys Cup: 3.2 times as often (2.7 to 3.8), 1,240 customers, 18,400 a month."
    assert cells(text, said)[1:] == ["3.20", "1,240", "50.0%", "NT$220,800.00"]
    assert "m9" in text
    assert text.index("Green tea") < text.index("m9")


def test_the_address_chooses_kind_and_level_and_sorts(analyst: Visitor) -> None:
    assert "m9" not in analyst.get("/rules?scope=basket").text
    assert "Green tea" not in analyst.get("/rules?level=merchant").text
    turned = analyst.get("/rules?sort=customers").text
    assert turned.index("m9") < turned.index("Green tea")
    assert "Nothing to show" in analyst.get("/rules?scope=%27&level=x").text


def test_the_segments_lead_to_the_rules_where_there_are_any(analyst: Visitor, visit: Visit, home: Path) -> None:
    assert 'href="/rules"' in analyst.get("/segments").text
    without = visit(home).as_role("analyst")
    assert 'href="/rules"' not in without.get("/segments").text
    assert "has no slice" in without.get("/rules").text
