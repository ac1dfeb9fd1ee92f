"""What a home is bound to, and the command that runs it again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

HOME_FILE = "home.json"


def read_origin(home: Path) -> dict[str, Any]:
    """Return what a home is bound to; nothing for a new one."""
    try:
        content: dict[str, Any] = json.loads((home / HOME_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content


def rerun(home: Path, *options: str) -> str:
    """Return the command that runs a home, with the source it is bound to.

    Parameters
    ----------
    home
        Folder of the home.
    options
        Further words of the command.

    Examples
    --------
    >>> rerun(Path("no such home"), "--as-of", "2017-07-01")
    "o2o run --home 'no such home' --as-of 2017-07-01"
    """
    bound = read_origin(home)
    source = ["--source", bound["source"]] if bound else []
    folder = ["--input", bound["input"]] if bound.get("input") else []
    return shlex.join(["o2o", "run", *source, *folder, "--home", str(home), *options])
