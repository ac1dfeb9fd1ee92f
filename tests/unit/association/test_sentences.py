"""Every rule has a sentence in every language."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_mining.association import Names, rule_sentence
from o2o_mining.contracts.association import LEVELS, SCOPES
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES

ROW: dict[str, Any] = {
    "scope": "basket", "level": "product", "antecedents": ["p1", "p2"], "consequents": ["p3"], "holdout_lift": 3.16,
    "holdout_lift_low": 2.71, "holdout_lift_high": 3.8, "customers": 1240, "net_amount": 18400, "period_days": 30,
}  # fmt: skip
NAMES = Names({"product": {"p1": "茶", "p3": "杯子"}})


def test_the_three_languages_say_the_same() -> None:
    assert rule_sentence(ROW, currency="TWD", names=NAMES) == (
        "Who buys 茶 and p2 also buys 杯子: 3.2 times as often (2.7 to 3.8), 1,240 customers, 18,400 TWD a month."
    )
    assert rule_sentence(ROW, currency="TWD", names=NAMES, language="zh-Hant") == (
        "買茶與p2的顧客同時也買杯子：機會是平常的 3.2 倍（2.7 至 3.8），1,240 位顧客，每月 18,400 TWD。"
    )
    assert rule_sentence(ROW, currency="CNY", names=NAMES, language="zh-Hans").endswith("每月 18,400 CNY。")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_and_level_that_can_come_has_words(scope: str, language: str) -> None:
    for level in LEVELS:
        if (scope, level) != ("basket", "merchant"):
            said = rule_sentence(ROW | {"scope": scope, "level": level}, language=language)
            assert "p3" in said
            assert "{" not in said


def test_without_an_amount_the_sentence_ends_with_the_customers() -> None:
    assert rule_sentence(ROW | {"net_amount": None}).endswith("1,240 customers.")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="no language 'fr'"):
        rule_sentence(ROW, language="fr")
