"""A run that is killed at any moment, publishing included, leaves nothing half done and can be run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crashes import Undisturbed, kill_and_run_again, prepare

MOMENTS = 20


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return prepare(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("late", range(MOMENTS // 2, MOMENTS))
def test_a_run_killed_late_and_once_more_early_ends_as_if_undisturbed_when_it_is_run_again(
    undisturbed: Undisturbed, tmp_path: Path, late: int
) -> None:
    assert undisturbed.moments > 300
    kill_and_run_again(undisturbed, tmp_path, numbers=(late, MOMENTS - 1 - late), of=MOMENTS)
