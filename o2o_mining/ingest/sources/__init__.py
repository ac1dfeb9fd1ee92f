"""Where logs come from: one module per source, each turning its files into records of feeds."""

from __future__ import annotations

from pathlib import Path

from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings, read_settings
from o2o_mining.engine.origin import read_origin
from o2o_mining.ingest.inputs import Source
from o2o_mining.ingest.sources.complete_journey import CompleteJourneySource
from o2o_mining.ingest.sources.folder import FolderSource
from o2o_mining.ingest.sources.sample import SampleSource
from o2o_mining.ingest.sources.tianchi import TianchiSource

KINDS = ("sample", "folder", "complete-journey", "tianchi")


def source_of(kind: str, folder: Path | None = None) -> Source:
    """Return a source by its name on the command line.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    folder
        What it reads; Complete Journey reads the installed package without, the sample lies where it lies.

    Returns
    -------
    Source
        What ``load_feeds`` takes.

    Raises
    ------
    UsageError
        If there is no such source, it needs a folder, or takes none.

    Examples
    --------
    >>> source_of("complete-journey").kind
    'complete-journey'
    """
    if kind == "sample":
        if folder is not None:
            raise UsageError("the sample takes no folder", next_step="pass --source folder --input DIR")
        return SampleSource()
    if kind == "complete-journey":
        return CompleteJourneySource(folder)
    if kind not in KINDS:
        raise UsageError(f"there is no source '{kind}'", next_step=f"use one of {', '.join(KINDS)}")
    if folder is None:
        raise UsageError(f"the source {kind} needs a folder", next_step="pass --input DIR")
    return TianchiSource(folder) if kind == "tianchi" else FolderSource(folder)


def home_settings(home: Path) -> Settings:
    """Return the settings of a home: what its file says, else what its source declares.

    Parameters
    ----------
    home
        Folder of the home.

    Returns
    -------
    Settings
        As they are now.

    Raises
    ------
    HomeError
        If the file names an unknown setting or a value of the wrong type.

    Examples
    --------
    >>> home_settings(Path("no-such-home")).language
    'en'
    """
    bound = read_origin(home)
    if not bound:
        return read_settings(home, Settings())
    folder = Path(bound["input"]) if bound["input"] else None
    return read_settings(home, source_of(bound["source"], folder).defaults)
