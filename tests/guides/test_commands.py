"""Commands shown in the guides work: those of the first two are run, of all others every word is known."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from o2o_mining.cli import main
from tests.conventions.source_tree import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECONDS = 600
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?: {4})?(?:\.venv/bin/)?o2o ([a-z][^#\n]*)", re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [block for kind, block in _BLOCK.findall(text) if kind == language]


def runs(script: str, place: Path) -> str:
    """Run what a reader would type in the project's folder, and return what it printed."""
    home = {name: value for name, value in os.environ.items() if not name.startswith("O2O_") and name != "DAGSTER_HOME"}
    done = subprocess.run(  # noqa: S603 - the words of our guides
        ["/bin/sh", "-e", "-c", script],
        cwd=place,
        env=home | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def settle(place: Path) -> Path:
    """Put the command into a folder where `make` would have put it."""
    command = place / ".venv" / "bin" / "o2o"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m o2o_mining.cli "$@"\n')
    command.chmod(0o755)
    return place


@pytest.mark.xdist_group("sample")
def test_the_quick_start_works_as_shown(house: Path) -> None:
    first, *others = blocks("quick-start.md", "sh")
    # The fixture is this very command: `make run` is `o2o run` with the sample.
    assert first == "make run\n"
    assert "o2o run --source $(SOURCE)" in (ROOT / "Makefile").read_text(encoding="utf-8")
    said = [runs(script, settle(house)) for script in others]
    assert "Traced back online" in said[0]
    assert list((house / "var" / "sample" / "exports").glob("*champions*.xlsx"))
    (question,) = blocks("quick-start.md", "python")
    (house / "question.py").write_text(question)
    assert "champions" in runs(f"{shlex.quote(sys.executable)} question.py", house)


@pytest.mark.xdist_group("own logs")
def test_bringing_your_own_logs_and_saving_the_home_work_as_shown(tmp_path: Path) -> None:
    said = [runs(script, settle(tmp_path)) for script in blocks("own-logs.md", "sh")]
    assert "In quarantine: 1 records" in said[0]
    assert "offline_redemptions.csv:5  bad_type:paid_amount" in said[1]
    assert re.search(r"purchases +4\b", said[2])
    (saved,) = blocks("running.md", "sh")
    runs(saved, tmp_path)
    inside = runs("tar --list --file mine-backup.tar.gz", tmp_path).splitlines()
    assert {"var/mine/settings.toml", "var/mine/landing/offline_redemptions.csv", "var/mine/home.json"} <= set(inside)
    assert [name for name in inside if "warehouse" in name] == []


def shown() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for words in _COMMAND.findall(page.read_text(encoding="utf-8")):
            yield page.name, words.strip()


@pytest.mark.parametrize(("page", "words"), sorted(set(shown())))
def test_commands_and_options_that_guides_show_exist(page: str, words: str) -> None:
    command: click.Command = main
    rest = shlex.split(words)
    while isinstance(command, click.Group):
        assert rest, f"{page}: o2o {words} names no command"
        found = command.get_command(click.Context(command), rest.pop(0))
        assert found is not None, f"{page}: o2o {words}"
        command = found
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known | {"--help"}
