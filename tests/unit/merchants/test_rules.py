"""States become actions by rules that anybody can read, and every decision says why in three languages."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.merchants import decide, read_judging, reason_text
from o2o_mining.merchants.reasons import _texts, gap_reasons, mend_first

CARD = {
    "merchant_id": "m", "band": "good", "visits": 200, "promise_gap": 0.0, "promise_gap_high": 0.05,
    "service_score": 90.0,
}  # fmt: skip


def decided(**more: object) -> list[str]:
    found = decide(pd.DataFrame([CARD | more]), read_judging().rules)
    return [f"{row.action_code} {row.decided_by}" for row in found.itertuples()]


def test_the_first_rule_that_applies_decides() -> None:
    assert decided(band="act", promise_gap=2.0) == ["pause_offers broken_promise:act"]
    assert decided(band="watch", promise_gap=0.5) == ["lower_cap wide_gap:watch:0.50"]
    assert decided(band="watch", promise_gap=0.3) == ["notify slipping:watch:0.30"]
    assert decided() == ["raise_cap trusted:good:200:0.05:90"]
    assert decided(visits=99) == []


def test_whole_numbers_are_told_without_decimals(tmp_path: Path) -> None:
    file = own(tmp_path, "rules: {few: {when: {visits: {at_most: 9}}, action: notify, why: '{0} visits'}}")
    rules = read_judging(file).rules
    (code,) = decide(pd.DataFrame([CARD | {"visits": 6.0}]), rules)["decided_by"]
    assert reason_text(code, rules=rules) == "6 visits"


def test_a_value_that_is_not_known_meets_no_condition() -> None:
    assert decided(service_score=float("nan")) == []


def test_no_merchants_and_no_rules_decide_nothing() -> None:
    assert decide(pd.DataFrame([CARD]).iloc[:0], read_judging().rules).empty
    assert decide(pd.DataFrame([CARD]), ()).empty


def own(folder: Path, text: str) -> Path:
    file = folder / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_home_replaces_what_its_file_names(tmp_path: Path) -> None:
    file = own(
        tmp_path,
        "weights: {wait: 1}\nlimits: {false_alarm_share: 0.05}\nrules:\n"
        "  late: {when: {wait_gap_min: {at_least: 5}}, action: notify, why: 'late by {0}'}\n",
    )
    judging = read_judging(file)
    assert (judging.weights["wait"], judging.weights["rating"], judging.limits.alarm) == (1.0, 0.2, 7_300)
    assert [rule.code for rule in judging.rules] == ["late"]
    assert reason_text("late:7.20", "zh-Hans", rules=judging.rules) == "late by 7.20"
    assert read_judging(tmp_path / "no-such-file.yaml") == read_judging()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights: [", "is not YAML"),
        ("- a", "is not made of parts"),
        ("wieghts: {}", "there is no part 'wieghts'"),
        ("weights: {speed: 1}", "there is no 'speed'"),
        ("weights: {wait: 0}", "no number above 0"),
        ("weights: {wait: true}", "no number above 0"),
        ("limits: {good_within: .nan}", "no number above 0"),
        ("limits: {false_alarm_share: 5}", "false_alarm_share: 5 is no share between 0 and 1"),
        ("limits: {false_alarm_share: 1}", "false_alarm_share: 1 is no share between 0 and 1"),
        (
            "rules: {a: {when: {band: {is: act}}, action: notify, why: 'by {7}'}}",
            "rule 'a': why (en): 'by {7}' cannot be told",
        ),
        ("rules: {a: {when: {band: {is: act}}, action: notify, why: 'by {visits}'}}", "use {0}, in the order"),
        ("rules: {a: {when: {visits: {is: 3}}, action: notify, why: 'by {0:.2f}'}}", "cannot be told with the values"),
        ("rules: {a: {when: {visits: {is: 3}}, action: notify, why: 'by {'}}", "cannot be told with the values"),
        (
            "rules: {a: {when: {visits: {is: 3}}, action: notify, why: {en: x, zh-Hant: '{1}', zh-Hans: x}}}",
            "why (zh-Hant): '{1}' cannot be told",
        ),
        ("rules: {a: {when: {visits: {is: 3}}, action: notify, why: {en: 5, zh-Hant: x, zh-Hans: x}}}", "is no text"),
        ("rules: {a: {when: {band: {is: act}}, action: fire, why: x}}", "no action 'fire'"),
        ("rules: {a: {when: {}, action: notify, why: x}}", "has no condition"),
        ("rules: {a: {when: {band: {is: act}}, action: notify}}", "is not understood"),
        ("rules: {a: {when: {mood: {is: bad}}, action: notify, why: x}}", "has no 'mood'"),
        ("rules: {a: {when: {visits: 3}, action: notify, why: x}}", "is not compared"),
        ("rules: {a: {when: {visits: {is: many}}, action: notify, why: x}}", "does not fit"),
        ("rules: {a: {when: {band: {at_least: act}}, action: notify, why: x}}", "does not fit"),
        ("rules: {a: {when: {band: {is: act}}, action: notify, why: {en: x}}}", "in every language"),
    ],
)
def test_what_cannot_be_understood_says_where_and_what_to_write(tmp_path: Path, text: str, message: str) -> None:
    file = own(tmp_path, text)
    with pytest.raises(UsageError, match=r"rules\.yaml.*Next: ") as error:
        read_judging(file)
    assert message in str(error.value)


def test_every_reason_and_rule_speaks_three_languages() -> None:
    said = _texts()["reasons"] | _texts()["mend"] | {rule.code: dict(rule.why) for rule in read_judging().rules}
    for code, texts in said.items():
        assert set(texts) == set(LANGUAGES), code
        for language in LANGUAGES:
            assert "{" not in reason_text(":".join([code, *"1234"]), language)


def test_an_unknown_reason_or_language_names_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"no reason 'gut'.*mend_wait"):
        reason_text("gut")
    with pytest.raises(UsageError, match=r"no language 'zh'.*zh-Hant"):
        reason_text("keep", "zh")


def test_only_what_is_worse_beyond_chance_is_a_reason_and_at_most_three_are_given() -> None:
    gaps = pd.DataFrame(
        {"id": "a", "measure": ["wait", "rating", "complaint", "refund", "price"], "mean": [9.0, 1.0, 0.2, 0.1, 0.3],
         "gap": [2.0, 1.0, 1.0, 3.0, 9.0], "gap_low": [1.0, 0.5, -0.1, 1.0, 8.0], "weight": 0.2, "spread": 0.5}
    )  # fmt: skip
    assert gap_reasons(gaps).to_dict() == {"a": ["price:30", "refund:10", "wait:1"]}


def test_service_is_mended_before_cost_and_cost_before_efficiency() -> None:
    poor = {"cost_score": 10.0, "cost_share": 0.4, "efficiency_score": 20.0}
    assert mend_first(["complaint:12"], **poor) == "mend_complaint:12"
    assert mend_first([], **poor) == "mend_cost:40"
    assert mend_first([], **(poor | {"cost_score": 50.0})) == "mend_efficiency:20"
    assert mend_first([], cost_score=50.0, cost_share=float("nan"), efficiency_score=50.0) == "keep"
