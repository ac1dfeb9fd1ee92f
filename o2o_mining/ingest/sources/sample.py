"""The sample: the canonical feeds of a small made-up world, which lie in the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from o2o_mining.core.errors import UsageError
from o2o_mining.core.sample import SAMPLE
from o2o_mining.ingest.inputs import Found
from o2o_mining.ingest.sources.folder import FolderSource


@dataclass(frozen=True)
class SampleSource(FolderSource):
    """The folder of the sample.

    Examples
    --------
    >>> SampleSource().kind
    'sample'
    """

    folder: Path = SAMPLE
    kind: str = "sample"

    @property
    def place(self) -> str:
        """Nothing: a home of the sample stays one when the repository moves."""
        return ""

    def find(self) -> Found:
        """Return the sample's files.

        Raises
        ------
        UsageError
            If the package was installed without the repository.
        """
        if not self.folder.is_dir():
            raise UsageError(
                "the sample lies in the repository, and this package was installed without it",
                next_step="o2o simulate --out my-world, then o2o run --source folder --input my-world",
            )
        return super().find()
