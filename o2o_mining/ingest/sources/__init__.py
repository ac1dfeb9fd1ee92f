"""Where logs come from: one module per source, each turning its files into records of feeds."""

from __future__ import annotations

from pathlib import Path

from o2o_mining.core.errors import UsageError
from o2o_mining.ingest.inputs import Source
from o2o_mining.ingest.sources.complete_journey import CompleteJourneySource
from o2o_mining.ingest.sources.folder import FolderSource

KINDS = ("folder", "complete-journey")


def source_of(kind: str, folder: Path | None = None) -> Source:
    """Return a source by its name on the command line.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    folder
        What it reads; Complete Journey reads the installed package without.

    Returns
    -------
    Source
        What ``load_feeds`` takes.

    Raises
    ------
    UsageError
        If there is no such source, or it needs a folder.

    Examples
    --------
    >>> source_of("complete-journey").kind
    'complete-journey'
    """
    if kind == "complete-journey":
        return CompleteJourneySource(folder)
    if kind != "folder":
        raise UsageError(f"there is no source '{kind}'", next_step=f"use one of {', '.join(KINDS)}")
    if folder is None:
        raise UsageError("the source folder needs a folder", next_step="pass --input DIR")
    return FolderSource(folder)
