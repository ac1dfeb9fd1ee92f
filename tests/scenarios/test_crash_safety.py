"""A run that is killed at any moment, publishing included, leaves nothing half done and can be run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crashes import Undisturbed, kill_and_run_again, prepare

# What they share is made once.
pytestmark = pytest.mark.xdist_group("crashes")

MOMENTS = 4
KILLS = 4
# All others write as these do.
ROOMS = ("marts", "segmentation", "publication")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return prepare(tmp_path_factory.mktemp("undisturbed"), ROOMS)


@pytest.mark.parametrize("first", range(MOMENTS // KILLS))
def test_a_run_killed_again_and_again_ends_as_if_undisturbed_when_it_is_run_once_more(
    undisturbed: Undisturbed, tmp_path: Path, first: int
) -> None:
    assert undisturbed.moments > 300
    # The late ones first: a run after a late kill has less to do.
    numbers = tuple(range(first, MOMENTS, MOMENTS // KILLS))[::-1]
    kill_and_run_again(undisturbed, tmp_path, numbers=numbers, of=MOMENTS)
