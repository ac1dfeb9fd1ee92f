"""How commands speak: plain lines for people, one JSON document for machines, exit codes for both."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from o2o_mining.core.errors import UsageError
from o2o_mining.engine.failures import explained

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

_Command = TypeVar("_Command", bound=Callable[..., Any])

home_option = click.option(
    "--home", type=click.Path(file_okay=False), help="Folder of the home; by default O2O_HOME or var/<source>."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def reporting_errors(command: _Command) -> _Command:
    """Turn an error that a user can mend into a message and an exit code: 1 failed, 2 wrong usage."""

    @wraps(command)
    def guarded(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except Exception as raised:
            error = explained(raised, Path(options.get("home") or "var"))
            if error is None:
                raise
            if options.get("as_json"):
                print_json({"error": error.message, "next": error.next_step})
            else:
                click.echo(f"Error: {error.message}", err=True)
                if error.next_step:
                    click.echo(f"Next:  {typed(error.next_step)}", err=True)
            sys.exit(WRONG_USAGE if isinstance(error, UsageError) else FAILED)

        except KeyboardInterrupt:
            click.echo("Interrupted; what was published before stays.", err=True)
            sys.exit(INTERRUPTED)

    return guarded  # type: ignore[return-value]


def as_typed(program: str) -> str:
    """Return how to call a program beside this Python: by its name, or by its path if the name finds another."""
    beside = Path(sys.executable).parent / program
    found = shutil.which(program)
    return program if found and Path(found) == beside else os.path.relpath(beside)


def typed(command: str) -> str:
    """Return a command of ours as this user has to type it; any other text as it is."""
    return as_typed("o2o") + command.removeprefix("o2o") if command.startswith("o2o ") else command


def print_json(content: Any) -> None:
    """Print a JSON document; days and decimals as text."""
    click.echo(json.dumps(content, indent=1, default=str, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under their headings, numbers to the right."""
    given = list(rows)
    texts = [[_shown(value) for value in row] for row in given]
    widths = [max([len(heading), *(len(row[i]) for row in texts)]) for i, heading in enumerate(headings)]
    right = [
        all(isinstance(row[i], (int, float, Decimal)) or row[i] is None for row in given) for i in range(len(headings))
    ]
    for row in [list(headings), *texts]:
        cells = [cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)]
        click.echo("  " + "  ".join(cells).rstrip())


def _shown(value: Any) -> str:
    if value is None or value != value:  # NaN equals nothing, not even itself
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
