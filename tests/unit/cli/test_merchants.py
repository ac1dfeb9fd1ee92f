"""The command that shows what the rules decide, and tries others without writing anything."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from o2o_mining.cli import main

CARD = {
    "as_of": date(2024, 7, 1), "band": "good", "visits": 300, "promise_gap": 0.0, "promise_gap_high": 0.3,
    "service_score": 50.0, "wait_gap_min": 1.0, "action_code": None, "reason_codes": [],
}  # fmt: skip
STOPPED = {"band": "act", "action_code": "pause_offers", "wait_gap_min": 14.0, "reason_codes": ["wait:14"]}
RULES = "rules: {late: {when: {wait_gap_min: {at_least: 20}}, action: notify, why: 'late by {0}'}}"


class Snapshot:
    """Stands for an opened home."""

    def __init__(self, cards: pd.DataFrame) -> None:
        self.cards = cards

    def table(self, name: str) -> Snapshot:
        assert name == "merchant_scorecards"
        return self

    def execute(self) -> pd.DataFrame:
        return self.cards

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    old = CARD | {"merchant_id": "a", "as_of": date(2024, 6, 30), "band": "act"}
    cards = pd.DataFrame([old, CARD | {"merchant_id": "a"}, CARD | {"merchant_id": "b"} | STOPPED])
    # The command stands under the module's name in its package.
    monkeypatch.setattr(sys.modules["o2o_mining.cli.merchants"], "open_home", lambda _: Snapshot(cards))
    return tmp_path


def actions(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["merchants", "actions", "--home", str(home), *words])


def test_what_was_published_on_the_last_day_is_shown_with_its_reasons(home: Path) -> None:
    shown = actions(home)
    assert shown.exit_code == 0
    assert shown.output.startswith(f"2 merchants in {home}: 1 with an action, 0 other than published.")
    assert (
        "offers wait: that it is worse than promised is beyond doubt; customers wait 14 minutes longer" in shown.output
    )


def test_other_rules_are_tried_and_nothing_is_written(home: Path) -> None:
    rules = home / "mine.yaml"
    rules.write_text(RULES, encoding="utf-8")
    shown = actions(home, "--rules", str(rules), "--json", "--language", "zh-Hant")
    assert json.loads(shown.stdout)["merchants"] == [
        {"merchant_id": "b", "published": "pause_offers", "under_rules": "", "why": "等候比承諾多 14 分鐘"}
    ]
    assert list(home.iterdir()) == [rules]


def test_a_dry_run_says_that_it_tries_rules_and_neither_weights_nor_limits(home: Path) -> None:
    file = home / "mine.yaml"
    file.write_text("weights: {wait: 1}\nlimits: {good_within: 0.4}\n" + RULES, encoding="utf-8")
    told = actions(home, "--rules", str(file)).stderr
    assert f"Only the rules of {file} are tried." in told
    assert f"take effect with the next run, once they are in {home / 'merchants' / 'rules.yaml'}" in told
    assert actions(home).stderr == ""


def test_a_file_that_is_not_there_is_wrong_usage(home: Path) -> None:
    shown = actions(home, "--rules", str(home / "none.yaml"))
    assert shown.exit_code == 2
    assert "there is no file" in shown.output
