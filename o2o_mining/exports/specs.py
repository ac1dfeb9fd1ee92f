"""What each ad platform takes, read from ``specs/*.yaml``: a format is data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from o2o_mining.core.errors import UsageError

_FOLDER = files("o2o_mining.exports").joinpath("specs")
_GOLDEN = ".golden.yaml"


@dataclass(frozen=True)
class Column:
    """A column of a platform's file.

    Attributes
    ----------
    heading, holds
        What stands above it; which of a customer's fields it holds.
    steps
        Names of the steps that normalise a value, in order.
    hashed
        Whether the value is then hashed: SHA-256 in lower-case hexadecimal.
    identifies
        Whether it can be matched alone; a row without any such value is no use.
    variant
        Which of the platform's contradicting descriptions the steps follow; empty where there is one alone.
    variants
        The steps of each.
    """

    heading: str
    holds: str
    steps: tuple[str, ...]
    hashed: bool = False
    identifies: bool = False
    variant: str = ""
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def following(self, variant: str) -> Column:
        """Return the column as another of the platform's descriptions has it.

        Raises
        ------
        UsageError
            If the platform has no such description.
        """
        if variant not in self.variants:
            known = ", ".join(self.variants) or "none"
            raise UsageError(f"column {self.heading} has no variant '{variant}'", next_step=f"use one of {known}")
        return replace(self, variant=variant, steps=self.variants[variant])


@dataclass(frozen=True)
class Spec:
    """The format of a platform's file.

    Attributes
    ----------
    id, version, checked_on, sources
        Its name; raised when the same rows would give another file; when it was compared with which pages.
    purpose
        What a customer must have consented to.
    columns
        The columns that the platform knows, in order.
    layout
        ``csv``: a line of headings, then a row a line; ``lines``: one value a line and nothing else.
    ending, archived
        How the file's name ends; how that of the file inside a zip ends, empty for a file that is no archive.
    encoding
        Of the text.
    least_rows
        The smallest list that is of use to the platform.
    most_rows, most_bytes
        What one file may hold; 0 for no cap.
    id_type
        What the platform calls the one identifier of its file; empty where headings say it.
    operations
        What can be done with the list there; the first is the default; empty where nothing is asked.
    """

    id: str
    version: int
    checked_on: date
    sources: tuple[str, ...]
    purpose: str
    columns: tuple[Column, ...]
    layout: str
    ending: str
    encoding: str
    archived: str = ""
    least_rows: int = 0
    most_rows: int = 0
    most_bytes: int = 0
    id_type: str = ""
    operations: tuple[str, ...] = ()

    def column(self, heading: str) -> Column:
        """Return a column by its heading."""
        return next(column for column in self.columns if column.heading == heading)

    @property
    def variants(self) -> dict[str, str]:
        """The description followed in each column whose platform has several, by heading."""
        return {column.heading: column.variant for column in self.columns if column.variant}


def platforms() -> tuple[str, ...]:
    """Return the platforms that a list can be made for.

    Returns
    -------
    tuple of str
        Ids, sorted.

    Examples
    --------
    >>> platforms()
    ('google-customer-match', 'line', 'meta-customer-list', 'tencent', 'tiktok')
    """
    names = (file.name for file in _FOLDER.iterdir())
    return tuple(sorted(n.removesuffix(".yaml") for n in names if n.endswith(".yaml") and not n.endswith(_GOLDEN)))


@cache
def read_spec(platform: str) -> Spec:
    """Return the format of a platform's file.

    Parameters
    ----------
    platform
        One of ``platforms()``.

    Returns
    -------
    Spec
        As the project ships it.

    Raises
    ------
    UsageError
        If there is no such platform.

    Examples
    --------
    >>> read_spec("line").most_rows
    1500000
    >>> read_spec("tiktok").variants["Phone_SHA256"]
    'with_plus'
    """
    if platform not in platforms():
        raise UsageError(f"there is no platform '{platform}'", next_step=f"use one of {', '.join(platforms())}")
    said: dict[str, Any] = yaml.safe_load(_FOLDER.joinpath(f"{platform}.yaml").read_text(encoding="utf-8"))
    columns = tuple(_column(**column) for column in said.pop("columns"))
    for name in ("sources", "operations"):
        said[name] = tuple(said.get(name, ()))
    return Spec(columns=columns, **said.pop("file"), **said.pop("limits"), **said)


def _column(*, variants: Mapping[str, list[str]] | None = None, default: str = "", **said: Any) -> Column:
    every = {name: tuple(steps) for name, steps in (variants or {}).items()}
    steps = every[default] if default else tuple(said.pop("steps"))
    return Column(**said, steps=steps, variant=default, variants=every)
