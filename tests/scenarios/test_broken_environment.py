"""A full disk or a home that may not be written is said in one message; then a run gives what it always gives."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from o2o_mining.cli import main
from o2o_mining.engine.snapshot import damaged_files, read_manifest
from pipelines import definitions
from tests.scenarios.conftest import FEW_ROOMS
from tests.scenarios.feeds import write

# What they share is made once.
pytestmark = pytest.mark.xdist_group("environment")

NOBODY = 65534


@dataclass
class Place:
    """A folder with feeds, in which commands are given; everything they leave lies in it."""

    folder: Path

    def run(self, home: str = "home") -> Result:
        words = ["run", "--source", "folder", "--input", str(self.folder / "in"), "--home", home]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in ("O2O_HOME", "DAGSTER_HOME"):
                patch.delenv(name, raising=False)
            patch.setattr(definitions, "ROOMS", FEW_ROOMS)
            return CliRunner().invoke(main, words)

    def published(self, home: str = "home") -> str:
        """Return the name of the snapshot, which is the digest of all it holds; nothing if there is none."""
        snapshots = self.folder / home / "snapshots"
        if not (snapshots / "current.json").exists():
            return ""
        manifest = read_manifest(snapshots)
        assert damaged_files(snapshots, manifest) == []
        return str(manifest["snapshot"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write(tmp_path / "in")
    return Place(tmp_path)


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[Place]:
    """Return a place where one undisturbed run was made, to be left as it is."""
    # Not in pytest's own folder: nobody but its owner may enter that.
    folder = Path(tempfile.mkdtemp(prefix="o2o-test-"))
    folder.chmod(0o777)
    write(folder / "in")
    done = Place(folder).run()
    assert done.exit_code == 0, done.output
    assert Path(folder / "home" / "charts" / "plotly.min.js").stat().st_size > 3_000_000
    yield Place(folder)
    shutil.rmtree(folder)


@contextmanager
def _no_file_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to write beyond a size, which to a program is a disk that is full at that moment."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@contextmanager
def _not_to_be_written(folder: Path) -> Iterator[None]:
    """Take the right to write a folder away, also from a super-user, who is somebody else meanwhile."""
    entries = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in entries}
    for path in entries:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(NOBODY)
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


def _said(done: Result) -> str:
    """Return the message of a failed command, after checking that it is one: no traceback, and the next step."""
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    assert len([line for line in done.output.splitlines() if line.startswith("Error: ")]) == 1, done.output
    assert "\nNext:  " in done.output
    return done.output.split("\nError: ")[1]


def test_a_disk_full_at_any_moment_is_said_and_publishes_nothing_and_the_next_run_is_as_any_other(
    place: Place, undisturbed: Place
) -> None:
    for size in (6_000, 350_000, 1_000_000):
        with _no_file_larger_than(size):
            done = place.run()
        assert "make room on the disks of home" in _said(done)
        assert place.published() == ""
    again = place.run()
    assert again.exit_code == 0, again.output
    assert place.published() == undisturbed.published() != ""


def test_a_disk_full_at_a_later_run_leaves_what_was_published(place: Place) -> None:
    late = (place.folder / "in" / "offline_redemptions.csv").rename(place.folder / "late.csv")
    assert place.run().exit_code == 0
    before = place.published()
    late.rename(place.folder / "in" / "offline_redemptions.csv")
    with _no_file_larger_than(200_000):
        _said(place.run())
    assert place.published() == before
    assert place.run().exit_code == 0
    assert place.published() not in ("", before)


def test_a_home_that_may_not_be_written_is_said_and_stays_as_it_is(undisturbed: Place) -> None:
    home, published = undisturbed.folder / "home", undisturbed.published()
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    (undisturbed.folder / "in" / "stores.csv").write_text("store_id,merchant_id\ns1,noodle\n")
    with _not_to_be_written(home):
        done = undisturbed.run()
    assert "Permission denied" in (said := _said(done))
    assert "pass another --home" in said
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    (undisturbed.folder / "in" / "stores.csv").unlink()
    assert undisturbed.run().exit_code == 0
    assert undisturbed.published() == published
