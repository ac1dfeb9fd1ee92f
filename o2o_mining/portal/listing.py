"""Tables that are sorted, searched and cut into pages where the data lie; the address bar says what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from o2o_mining.portal.snapshot import Snapshot

PAGE_SIZE = 50
# Nobody turns so many pages; farther rows are found by sorting and searching.
_LAST_PAGE = 20_000


@dataclass(frozen=True)
class Column:
    """A column of a table on a page.

    Attributes
    ----------
    name
        Of the query's column.
    kind
        How a value is shown: ``text``, ``number``, ``decimal``, ``money``, ``share``, ``change``, ``day``, ``moment``,
        or ``words`` of some length.
    text
        Key of its heading, or ``table:column`` for the heading that files have.
    link
        Where a value leads, with other columns in braces: ``/customers/{customer_id}``.
    sortable
        Whether readers may sort by it.
    shown
        The value of a row that is shown instead, such as the name of a code.
    """

    name: str
    kind: str
    text: str
    link: str = ""
    sortable: bool = True
    shown: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it stands to the right."""
        return self.kind in {"number", "decimal", "money", "share", "change"}

    @property
    def style(self) -> str:
        """How its cells are set: numbers to the right, days in one line, words with room."""
        if self.is_number:
            return "number"
        return {"day": "when", "moment": "when", "words": "words"}.get(self.kind, "")

    def address(self, row: Mapping[str, Any]) -> str:
        """Return where the value of a row leads, or nothing."""
        values = {name: quote(str(value), safe="") for name, value in row.items()}
        return self.link.format(**values) if self.link and row[self.name] is not None else ""


@dataclass(frozen=True)
class Listing:
    """A table that a page can show.

    Attributes
    ----------
    query
        SQL whose rows it shows, with a question mark for each parameter.
    columns
        In their order.
    key
        Columns that make every order total.
    search
        The column whose values a search must begin with; none if there is nothing to search.
    """

    query: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    search: str = ""


@dataclass(frozen=True)
class Shown:
    """One page of a table.

    Attributes
    ----------
    listing, rows, total
        The table, the rows of this page, and the number of rows of all pages.
    page, sort, descending, searched
        What was asked for: the page from 1 on, the column sorted by (none as the key goes), the direction, the search.
    asked
        What stands in the address bar beside.
    """

    listing: Listing
    rows: list[dict[str, Any]]
    total: int
    page: int
    sort: str
    descending: bool
    searched: str
    asked: Mapping[str, str]

    @property
    def pages(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))

    @property
    def first(self) -> int:
        """Number of the first row shown, from 1 on."""
        return (self.page - 1) * PAGE_SIZE + 1 if self.rows else 0

    def turned(self, page: int) -> str:
        """Return the address of another page."""
        return self._address(page=str(page))

    def sorted_by(self, column: Column) -> str:
        """Return the address of this table sorted by a column, the other way if it already is."""
        descending = not self.descending if self.sort == column.name else column.is_number
        return self._address(sort=f"{'-' if descending else ''}{column.name}", page="")

    def direction(self, column: Column) -> str:
        """Return how the table is sorted by a column, in the words of ``aria-sort``."""
        if self.sort != column.name:
            return "none"
        return "descending" if self.descending else "ascending"

    def _address(self, **changed: str) -> str:
        asked = {**self.asked, **changed}
        return "?" + urlencode({name: value for name, value in asked.items() if value})


def listed(snapshot: Snapshot, listing: Listing, parameters: tuple[Any, ...], asked: Mapping[str, str]) -> Shown:
    """Return the page of a table that an address asks for; what it asks for in vain is left out.

    Parameters
    ----------
    snapshot
        What is published.
    listing, parameters
        The table, and the values of its query.
    asked
        ``sort`` (a column, behind ``-`` the other way round), ``page``, ``q`` (the search), and what is none of ours.
    """
    wanted = asked.get("sort", "")
    sort, descending = wanted.removeprefix("-"), wanted.startswith("-")
    if sort not in {column.name for column in listing.columns if column.sortable}:
        sort, descending = "", False
    searched = asked.get("q", "").strip()[:100] if listing.search else ""
    where = f"WHERE starts_with({listing.search}, ?)" if searched else ""
    values = (*parameters, searched) if searched else parameters
    first = [f"{sort} {'DESC' if descending else 'ASC'} NULLS LAST"] if sort else []
    order = ", ".join([*first, *(name for name in listing.key if name != sort)])
    ordered = f"SELECT * FROM ({listing.query}) {where} ORDER BY {order} LIMIT {PAGE_SIZE}"
    page = _page(asked.get("page", ""))
    rows = snapshot.rows(ordered, *values) if page == 1 else []
    total = len(rows)
    if page > 1 or total == PAGE_SIZE:  # what fits on one page need not be counted where it lies
        total = int(snapshot.rows(f"SELECT count(*) AS n FROM ({listing.query}) {where}", *values)[0]["n"])
    if page > 1:
        page = min(page, max(1, -(-total // PAGE_SIZE)))
        rows = snapshot.rows(f"{ordered} OFFSET {(page - 1) * PAGE_SIZE}", *values)
    return Shown(listing, rows, total, page, sort, descending, searched, asked)


def _page(text: str) -> int:
    return min(max(int(text), 1), _LAST_PAGE) if text.isascii() and text.isdigit() and len(text) < 8 else 1
