"""What a contract says: a table, its columns, and the checks that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Kind(StrEnum):
    """How a table lives: as a log that comes in, as events, as slices of what is mined, or within one run."""

    FEED = "feed"
    EVENTS = "events"
    MINED = "mined"
    WORKING = "working"


# The type of a contract -> the type in the engines. Money is only added up; ids are text of 1 to 64 characters.
ENGINE_TYPES = {
    "id": "string",
    "text": "string",
    "int": "int64",
    "double": "float64",
    "money": "decimal(18, 2)",
    "timestamp": "timestamp(6)",
    "date": "date",
    "boolean": "boolean",
    "codes": "array<string>",
    "numbers": "array<float64>",
}


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Attributes
    ----------
    name, type, doc
        The name; one of ``ENGINE_TYPES``; one sentence.
    key, nullable, personal
        Whether it is part of the key; may be null; identifies or locates a person.
    allowed, forbidden
        The values it may take, empty for any; a text that no value may hold.
    low, high, open_ends
        The range it may take, ends included unless ``open_ends``.
    references
        The feed whose key it repeats; unknown values are counted as orphans.
    available_at
        For features: from which moment on the value could have been known.
    feeds
        For features: the feeds without which the value is null; of feeds parted by ``|`` any one will do.
    withheld
        Whether the published feed leaves it out; contact data stand apart.
    """

    name: str
    type: str
    doc: str
    key: bool = False
    nullable: bool = False
    personal: bool = False
    allowed: tuple[str, ...] = ()
    forbidden: str = ""
    low: float | None = None
    high: float | None = None
    open_ends: bool = False
    references: str = ""
    available_at: str = ""
    feeds: tuple[str, ...] = ()
    withheld: bool = False

    @property
    def engine_type(self) -> str:
        """The column's type in the engines."""
        return ENGINE_TYPES[self.type]

    @property
    def unit(self) -> str:
        """The unit that the name or type carries, or nothing."""
        if self.type == "money":
            return "home currency"
        for ending, unit in _UNITS.items():
            if self.name.endswith(ending):
                return unit
        return ""


_UNITS = {
    "_days": "days", "_m": "metres", "_min": "minutes", "_km": "kilometres", "_years": "years", "_entropy": "nats",
    "_at": "UTC", "_on": "UTC day", "_share": "share, 0..1",
    "_probability": "probability, 0..1",
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A rule over a whole row that columns cannot say alone.

    Attributes
    ----------
    name, doc
        A code and one sentence.
    violates
        From the table to a boolean column that is true for rows that break the rule.
    """

    name: str
    doc: str
    violates: Callable[[ir.Table], ir.BooleanValue]


@dataclass(frozen=True)
class Table:
    """The contract of a table.

    Attributes
    ----------
    name, room, kind, row
        Its name; the room that owns it; how it lives; what one row means.
    columns
        In their published order.
    checks
        Rules over rows, beside those that follow from the columns.
    blocking
        Whether a broken check stops the run before anything is published.
    at
        The column that says when a row happened, where one does.
    """

    name: str
    room: str
    kind: Kind
    row: str
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = field(default=())
    blocking: bool = True
    at: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def published_names(self) -> tuple[str, ...]:
        """Names of the columns that a snapshot shows, in order."""
        return tuple(column.name for column in self.columns if not column.withheld)

    @property
    def schema(self) -> dict[str, str]:
        """Column name to engine type, as Ibis takes it."""
        return {column.name: column.engine_type for column in self.columns}

    @property
    def published(self) -> bool:
        """Whether the table is part of a snapshot."""
        return self.kind is not Kind.WORKING

    def __getitem__(self, name: str) -> Column:
        """Return a column by name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")
