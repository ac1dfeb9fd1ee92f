"""Says what is wrong when the disk, the memory or a right fails, whichever library meets it first."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from o2o_mining.core.errors import O2OError, UnreadableError
from o2o_mining.core.redaction import redact
from o2o_mining.core.settings import SETTINGS_FILE

_FULL = ("disk is full", "disk I/O error", *map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))
_DENIED = (
    "readonly database",
    "unable to open database file",
    *map(os.strerror, (errno.EROFS, errno.EACCES, errno.EPERM)),
)
_OF_THE_DISK = (OSError, sqlite3.OperationalError, duckdb.IOException)
# These have other causes too: they count where they quote what the system said.
_QUOTING = (duckdb.TransactionException, duckdb.FatalException, duckdb.OutOfMemoryException)


def explained(error: BaseException, home: Path) -> O2OError | None:
    """Return an error that a user can mend for one that the environment caused, and nothing for any other.

    Parameters
    ----------
    error
        What was raised; what it came from is looked at, too.
    home
        The home that was worked on.

    Examples
    --------
    >>> print(explained(OSError(28, "No space left on device", "a.csv"), Path("var/sample")).message)
    a.csv: No space left on device
    >>> explained(ValueError("a bug"), Path("var/sample"))
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, BrokenPipeError):
        if isinstance(cause, O2OError):
            return cause
        text = _text(cause)
        next_step = _next_step(text, home)
        if isinstance(cause, _OF_THE_DISK):
            return O2OError(text, next_step=next_step or "check the disk and what else runs on it, then run again")
        if isinstance(cause, _QUOTING) and next_step:
            return O2OError(text, next_step=next_step)
        if isinstance(cause, MemoryError | duckdb.OutOfMemoryException):
            return O2OError(
                f"out of memory: {text}", next_step=f"set memory_limit in {home / SETTINGS_FILE}, then run again"
            )
        cause = cause.__cause__
    return None


@contextmanager
def explaining(home: Path) -> Iterator[None]:
    """Turn what the environment caused into an error that a user can mend.

    Raises
    ------
    O2OError
        Instead of it; any other error passes.
    """
    try:
        yield
    except Exception as error:
        found = explained(error, home)
        if found is None or found is error:
            raise
        raise found from error


@contextmanager
def judging_bytes() -> Iterator[None]:
    """Turn what the database says of a file's bytes into an error about the file.

    Raises
    ------
    UnreadableError
        Whatever the database stumbles over.
    """
    try:
        yield
    except duckdb.Error as error:
        raise UnreadableError(_text(error)) from error


def _text(error: BaseException) -> str:
    """Return what an error says in one line, without anybody's contact data."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        text = str(error).strip().removeprefix("IO Error: ") or type(error).__name__
        # SQLite does not say which file it is, and nothing but Dagster's own state is kept there.
        text = f"the state of Dagster in var/dagster: {text}" if isinstance(error, sqlite3.Error) else text
    return redact(" ".join(text.split()))


def _next_step(text: str, home: Path) -> str:
    if any(said in text for said in _FULL):
        return f"make room on the disks of {home}, of var/dagster and of {tempfile.gettempdir()}, then run again"
    if any(said in text for said in _DENIED):
        return f"take care that {home} and var/dagster can be written and the input be read, or pass another --home"
    return ""
