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
from tests.scenarios.feeds import write

NOBODY = 65534


@dataclass
class Place:
    """A folder with feeds, in which commands are given; everything they leave lies in it."""

    folder: Path

    def run(self, home: str = "home") -> Result:
        words = ["run", "--source", "folder", "--input", str(self.folder / "in"), "--home", home]
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
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    # Not in pytest's own folder: nobody but its owner may enter that.
    folder = Path(tempfile.mkdtemp(prefix="o2o-test-"))
    folder.chmod(0o777)
    monkeypatch.chdir(folder)
    for name in ("O2O_HOME", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    write(folder / "in")
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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what an undisturbed run publishes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write(folder / "in")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DAGSTER_HOME", raising=False)
        done = Place(folder).run()
    assert done.exit_code == 0, done.output
    assert Path(folder / "home" / "charts" / "plotly.min.js").stat().st_size > 3_000_000
    return Place(folder).published()


@pytest.mark.parametrize("size", [6_000, 350_000, 1_000_000])
def test_a_disk_full_at_any_moment_is_said_and_publishes_nothing_and_the_next_run_is_as_any_other(
    place: Place, undisturbed: str, size: int
) -> None:
    with _no_file_larger_than(size):
        done = place.run()
    assert "make room on the disks of home" in _said(done)
    assert place.published() == ""
    again = place.run()
    assert again.exit_code == 0, again.output
    assert place.published() == undisturbed


def test_a_disk_full_at_a_later_run_leaves_what_was_published(place: Place) -> None:
    (place.folder / "in" / "offline_redemptions.csv").rename("late.csv")
    assert place.run().exit_code == 0
    before = place.published()
    Path("late.csv").rename(place.folder / "in" / "offline_redemptions.csv")
    with _no_file_larger_than(200_000):
        _said(place.run())
    assert place.published() == before
    assert place.run().exit_code == 0
    assert place.published() not in ("", before)


def test_a_home_that_may_not_be_written_is_said_and_stays_as_it_is(place: Place, undisturbed: str) -> None:
    assert place.run().exit_code == 0
    home = place.folder / "home"
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    (place.folder / "in" / "stores.csv").write_text("store_id,merchant_id\ns1,noodle\n")
    with _not_to_be_written(home):
        done = place.run()
    assert "Permission denied" in (said := _said(done))
    assert "pass another --home" in said
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    (place.folder / "in" / "stores.csv").unlink()
    assert place.run().exit_code == 0
    assert place.published() == undisturbed
