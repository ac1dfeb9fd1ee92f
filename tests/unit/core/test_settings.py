"""Settings are read as they are written, and what is wrong is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from o2o_mining.core.errors import HomeError
from o2o_mining.core.settings import Settings, read_settings, write_settings


def test_a_home_without_settings_has_those_of_its_source(tmp_path: Path) -> None:
    defaults = Settings(timezone="America/New_York", assumed_consent=True)
    assert read_settings(tmp_path, defaults) == defaults


def test_what_the_file_does_not_say_is_as_the_source_has_it(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('currency = "TWD"\nfirst_partition = 2015-06-01\nreuse_touches = true\n')
    found = read_settings(tmp_path, Settings(timezone="Asia/Taipei"))
    assert found == Settings(
        timezone="Asia/Taipei", currency="TWD", first_partition=date(2015, 6, 1), reuse_touches=True
    )


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(timezone="Asia/Kolkata", language="zh-Hant", assumed_consent=True, threads=3, memory_limit="4GB"),
        Settings(spill_folder='C:\\spill "here"\té'),
    ],
)
def test_what_is_written_is_read_again(tmp_path: Path, settings: Settings) -> None:
    write_settings(tmp_path, settings)
    assert read_settings(tmp_path, Settings(lookback_days=99)) == settings
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lookback = 30", "unknown setting 'lookback'.*use one of assumed_consent, assumed_incremental_share"),
        ('lookback_days = "30"', "lookback_days = '30' is not a int"),
        ("lookback_days = 30.0", "lookback_days = 30.0 is not a int"),
        ("lookback_days = true", "lookback_days = True is not a int"),
        ("assumed_consent = 1", "assumed_consent = 1 is not a bool"),
        ('first_partition = "2015-01-01"', "first_partition = '2015-01-01' is not a date"),
        ("first_partition = 2015-01-01T00:00:00", "first_partition = .* is not a date"),
        ("[home]\nthreads = 1", "unknown setting 'home'"),
        ("threads 4", "is not TOML"),
        ("threads = -1", "threads = -1 is below 0"),
        ("lookback_days = 0", "lookback_days = 0 is below 1"),
        ("rfm_bins = 1", "rfm_bins = 1 is below 2"),
        ("snapshots_kept = 0", "snapshots_kept = 0 is below 1"),
        ('timezone = "Taipei"', "timezone 'Taipei' is unknown"),
        ('timezone = "../etc/passwd"', "timezone '../etc/passwd' is unknown"),
        ('timezone = ""', "timezone '' is unknown"),
        ('language = "fr"', "language 'fr' is not one of"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(HomeError, match=said):
        read_settings(tmp_path, Settings())


@pytest.mark.parametrize("value", [{"timezone": "Mars/Olympus"}, {"language": "zh"}, {"rfm_bins": 0}])
def test_settings_made_in_code_are_checked_too(value: dict[str, Any]) -> None:
    with pytest.raises(HomeError):
        Settings(**value)
