"""What holds for all tests, and the one home that several folders of tests share."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from click.testing import CliRunner

# A run makes many small objects and few circles: looking for circles took a fifth of the tests' time.
gc.freeze()
gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as `make run` leaves it: the sample is mined into ``var/sample``. To be read only.

    The run takes a minute: tests that ask for it belong to the group ``sample``, so that one worker makes it once.
    """
    from o2o_mining.cli import main  # most tests need no command

    place = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in ("O2O_HOME", "O2O_SOURCE", "O2O_INPUT", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        done = CliRunner().invoke(main, ["run", "--source", "sample"])
    assert done.exit_code == 0, done.output
    return place
