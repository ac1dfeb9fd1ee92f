"""What may not stand in any file: addresses of one machine or registry, and work put off.

The names looked for are put together from pieces, so that this file does not hold them itself.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

import pytest

from tests.conventions.source_tree import ROOT, pyproject

REGISTRY_HOSTS = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("files", "python" + "hosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
]
# Folders that stand at the root of somebody's machine; not part of an address or of a longer path.
MACHINE_PATH = re.compile(rf"(?<![\w.~/)}}-])/(?:{'|'.join(['root', 'home', 'work', 'Users', 'tmp', 'opt'])})/\w")
PUT_OFF = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME"]) + r")\b")


@cache
def _texts() -> dict[str, str]:
    """Read every text file that is, or may be, committed."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is unknown")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S603 - fixed words
    texts = {}
    for name in sorted(set(listed.stdout.split("\0")) - {""}):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content:
            texts[name] = content.decode("utf-8", errors="replace")
    return texts


def _found(pattern: re.Pattern[str], *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in _texts().items()
        if not name.endswith(but)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert _found(re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))) == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert _found(MACHINE_PATH) == []


def test_no_file_puts_work_off() -> None:
    # Data may hold any word.
    assert _found(PUT_OFF, but=(".csv",)) == []


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []
    assert lines == sorted(lines, key=str.lower)


def test_every_requirement_has_a_constraint() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    project = pyproject()["project"]
    requirements = sum(project["optional-dependencies"].values(), project["dependencies"])
    names = {re.split(r"[\[<>=!~ ]", requirement)[0].lower() for requirement in requirements} - {project["name"]}
    assert sorted(names - pinned) == []
