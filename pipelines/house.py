"""The resource of all assets: a home, opened for writing for the time of one run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from o2o_mining.core.errors import O2OError
from o2o_mining.core.redaction import redact
from o2o_mining.core.settings import Settings, read_settings
from o2o_mining.engine.base import Engine, StepReport
from o2o_mining.engine.home import home_path
from o2o_mining.engine.origin import read_origin
from o2o_mining.engine.warehouse import Origin, open_warehouse
from o2o_mining.ingest import FolderSource, Source, source_of
from o2o_mining.marts.steps import default_as_of

Say = Callable[[str], None]
DEFAULT_SOURCE = "sample"


@dataclass
class House:
    """What the assets of a run work with.

    Attributes
    ----------
    home, engine, settings, sources
        The folder, its warehouse, its settings, and where logs come from.
    say
        Told what is going on.
    reports
        What the steps reported so far, by table.
    failure
        What stopped the last step, where the user can mend it.
    """

    home: Path
    engine: Engine
    settings: Settings
    sources: tuple[Source, ...]
    say: Say
    reports: dict[str, StepReport] = field(default_factory=dict)
    failure: O2OError | None = None

    @property
    def now(self) -> date | None:
        """The default day: after the last order or redemption; none before the feeds are loaded."""
        return default_as_of(self.engine)


@contextmanager
def open_house(kind: str, folder: Path | None, home: Path | str | None, say: Say) -> Iterator[House]:
    """Open the home of a source: the source's own files first, then what lies in its landing folder.

    Parameters
    ----------
    kind, folder
        The source and what it reads.
    home
        Folder of the home; by default ``O2O_HOME`` or ``var/<source>``.
    say
        Told what is going on.
    """
    source = source_of(kind, folder)
    source.find()  # a folder that is not there is said before a home is made for it
    path = home_path(home, source=kind)
    with open_warehouse(path, Origin(source.kind, source.place, source.defaults)) as engine:
        settings = read_settings(path, source.defaults)
        landing = FolderSource(path / "landing", prefix="landing/")
        yield House(path, engine, settings, (source, landing), lambda text: say(redact(text)))


def ui_command(home: Path) -> str:
    """Return the command that opens Dagster on a home, with what the environment does not say yet.

    Parameters
    ----------
    home
        Folder of the home, bound to its source.
    """
    bound = read_origin(home)
    source = os.environ.get("O2O_SOURCE") or DEFAULT_SOURCE
    words = [] if bound["source"] == source else [f"O2O_SOURCE={bound['source']}"]
    if bound["input"] != os.environ.get("O2O_INPUT", ""):
        words.append(f"O2O_INPUT={shlex.quote(bound['input'])}")
    if home != home_path(source=bound["source"]):
        words.append(f"O2O_HOME={shlex.quote(str(home))}")
    return " ".join([*words, "make dev"])
