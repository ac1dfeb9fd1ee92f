"""Renders the data dictionary from the contracts: ``python -m o2o_mining.contracts.dictionary [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from o2o_mining.contracts.catalogue import TABLES
from o2o_mining.contracts.schema import Column, Kind, Table

DICTIONARY = Path("docs/data-dictionary.md")

_CHAPTERS = {
    Kind.FEED: ("Feeds", "What comes in: the canonical feeds, to which every source is turned."),
    Kind.EVENTS: ("Events", "What the two logs say once they are put together. These tables carry their own time."),
    Kind.MINED: ("As of a day", "What is mined as of a day D: it uses only what was known before D 00:00 UTC."),
}

_OPENING = """\
# Data dictionary

Made from the contracts in `o2o_mining/contracts`; do not edit it by hand. To write it anew:

    python -m o2o_mining.contracts.dictionary

Every table of a snapshot is here, with all its columns. A null is an empty field of a CSV. Ids are text of 1 to 64
characters, moments are UTC, money has two decimals in the currency of the home and is only added up, shares and
probabilities lie in 0..1.
"""


def dictionary() -> str:
    """Return the whole data dictionary as Markdown.

    Returns
    -------
    str
        The same text for the same contracts.

    Examples
    --------
    >>> dictionary().splitlines()[0]
    '# Data dictionary'
    """
    parts = [_OPENING]
    for kind, (title, opening) in _CHAPTERS.items():
        parts.append(f"## {title}\n\n{opening}\n")
        parts += [described(table) for table in TABLES.values() if table.kind is kind]
    working = [[f"`{t.name}`", t.room, t.row] for t in TABLES.values() if t.kind is Kind.WORKING]
    parts.append(
        "## Working tables\n\nThey live in the warehouse and are never published. `known_<name>` has the columns"
        " of `<name>` and `as_of`; of customers the id alone.\n\n" + _grid(["Table", "Room", "One row"], working)
    )
    return "\n".join(parts)


def described(table: Table) -> str:
    """Return what the dictionary says of one table.

    Parameters
    ----------
    table
        Its contract.

    Examples
    --------
    >>> print(described(TABLES["coupon_products"]))
    ### coupon_products
    <BLANKLINE>
    One product that a coupon is good for. Room `ingest`; key `coupon_id`, `product_id`.
    <BLANKLINE>
    | Column | Type | Key | Null | Meaning |
    |---|---|---|---|---|
    | `coupon_id` | id | key | | The coupon. Refers to `coupons`. |
    | `product_id` | id | key | | The product. |
    <BLANKLINE>
    """
    key = ", ".join(f"`{name}`" for name in table.key)
    shown = [(title, say) for title, say, always in _SAID if always or any(say(column) for column in table.columns)]
    rows = [[say(column) for _, say in shown] for column in table.columns]
    text = f"### {table.name}\n\n{table.row} Room `{table.room}`; key {key}.\n\n"
    text += _grid([title for title, _ in shown], rows)
    if table.checks:
        rules = "\n".join(f"- `{check.name}`: {check.doc}" for check in table.checks)
        text += f"\nRules over rows:\n\n{rules}\n"
    return text


def _values(column: Column) -> str:
    """Return what values the column may take."""
    if column.allowed:
        return ", ".join(f"`{value}`" for value in column.allowed)
    if column.forbidden:
        return f"without `{column.forbidden}`"
    low, high = (f"{end:g}" if end is not None else "" for end in (column.low, column.high))
    if low and high:
        return f"{low} < value < {high}" if column.open_ends else f"{low}..{high}"
    less = "<" if column.open_ends else "≤"
    return f"{low} {less} value" if low else f"value {less} {high}" if high else ""


def _meaning(column: Column) -> str:
    said = [column.doc]
    if column.references:
        said.append(f"Refers to `{column.references}`.")
    if column.withheld:
        said.append("Published only in `customer_contacts`.")
    return " ".join(said)


# Title, text, and whether the column of the dictionary is there for every table.
_SAID: tuple[tuple[str, Callable[[Column], str], bool], ...] = (
    ("Column", lambda c: f"`{c.name}`", True),
    ("Type", lambda c: c.type, True),
    ("Key", lambda c: "key" if c.key else "", True),
    ("Null", lambda c: "may be null" if c.nullable else "", True),
    ("Unit", lambda c: c.unit, False),
    ("Values", _values, False),
    ("Personal", lambda c: "personal" if c.personal else "", False),
    ("Known from", lambda c: c.available_at, False),
    ("Null without", lambda c: ", ".join(feeds.replace("|", " or ") for feeds in c.feeds), False),
    ("Meaning", _meaning, True),
)


def _grid(titles: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["|" + "".join(f" {cell} |" if cell else " |" for cell in map(_escaped, row)) for row in rows]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else DICTIONARY
    file.write_text(dictionary(), encoding="utf-8")
