"""Writes rows as CSV, XLSX or Parquet for people; the same rows give the same bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from o2o_mining.core.errors import ContractError, O2OError

# A sheet has 2**20 rows, the first is the heading. More rows go to further sheets of the same workbook.
ROWS_PER_SHEET = 2**20 - 1
CELL_LENGTH = 32_767

# What a spreadsheet takes for a formula: the ASCII signs, tab and line ends, and the full-width signs, which Excel
# reads as their ASCII ones under Chinese and Japanese input.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_TORN = re.compile(r'[,;\t"\r\n]')
_BATCH = 10_000
_GROUP = 100_000  # rows of a row group of Parquet
_DIGITS = 12
_CREATED = datetime(2000, 1, 1)  # a workbook holds the moment it was made; the same rows must give the same bytes
_NUMBER_FORMATS = {"money": "#,##0.00", "double": "#,##0.00##", "int": "0"}
_MOMENT_FORMATS = {"date": "yyyy-mm-dd", "timestamp": "yyyy-mm-dd hh:mm:ss"}


@dataclass(frozen=True)
class Field:
    """A column of a file.

    Attributes
    ----------
    name, type
        As in the contract.
    heading
        What stands above it.
    """

    name: str
    type: str
    heading: str

    @property
    def is_share(self) -> bool:
        """Whether it is shown as a percentage."""
        return self.type == "double" and bool(re.search("(^|_)(share|probability)$|^uplift", self.name))


def neutral(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> neutral("=1+1"), neutral("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


@dataclass(frozen=True)
class Stream:
    """Rows of a file that need not lie in memory together.

    Attributes
    ----------
    schema, num_rows
        Their columns, and how many come.
    batches
        The rows; they can be gone through once.
    """

    schema: pa.Schema
    num_rows: int
    batches: Iterable[pa.RecordBatch]

    @classmethod
    def of(cls, rows: pa.Table) -> Stream:
        """Return the rows of a table."""
        return cls(rows.schema, rows.num_rows, rows.to_batches())


def write_csv(path: Path, rows: Stream, fields: Sequence[Field], _title: str) -> int:
    """Write UTF-8 with a byte order mark and RFC 4180 lines; return how many cells were neutralised."""
    changed = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        file.write(_line([field.heading for field in fields]))
        for batch in _batches(rows):
            columns = []
            for field, values in zip(fields, batch, strict=True):
                plain = [_text(field, value) for value in values]
                if field.type in _TEXTS:
                    safe = [neutral(text) for text in plain]
                    changed += sum(a != b for a, b in zip(plain, safe, strict=True))
                    plain = safe
                columns.append(plain)
            file.writelines(map(_line, zip(*columns, strict=True)))
    return changed


def write_xlsx(path: Path, rows: Stream, fields: Sequence[Field], title: str) -> int:
    """Write a workbook with numbers as numbers and days as days; return how many cells were neutralised.

    Raises
    ------
    O2OError
        If a text is longer than a cell holds.
    """
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": _CREATED})
        heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        formats = [book.add_format({"num_format": _cell_format(field)}) for field in fields]
        widths: list[int] = []
        changed, sheet, line = 0, None, ROWS_PER_SHEET
        sheets = _sheet_names(title)
        for batch in _batches(rows):
            widths = widths or _widths(batch, fields)
            for values in zip(*batch, strict=True):
                if sheet is None or line == ROWS_PER_SHEET:
                    sheet, line = _new_sheet(book, next(sheets), fields, widths, heading), 0
                line += 1
                for i, value in enumerate(values):
                    if value is not None:
                        changed += _write_cell(sheet, line, i, fields[i], value, formats[i])
        if sheet is None:
            _new_sheet(book, next(sheets), fields, _widths([[] for _ in fields], fields), heading)
    return changed


def write_parquet(path: Path, rows: Stream, fields: Sequence[Field], title: str) -> int:
    """Write Parquet with the headings as names; the contract's names are in the metadata of the columns."""
    schema = pa.schema(
        [
            pa.field(field.heading, kind, metadata={"column": field.name})
            for field, kind in zip(fields, rows.schema.types, strict=True)
        ],
        metadata={"title": title},
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _cut(rows.batches, _GROUP):
            writer.write_table(pa.table(group.columns, schema=schema))
    return 0


WRITERS: dict[str, Callable[[Path, Stream, Sequence[Field], str], int]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "parquet": write_parquet,
}

_TEXTS = ("id", "text", "codes")


def _line(cells: Sequence[str]) -> str:
    """Return a line of CSV.

    Python's own writer quotes what commas would tear apart; LibreOffice takes semicolons and tabs for separators too.
    """
    quoted = ('"' + cell.replace('"', '""') + '"' if _TORN.search(cell) else cell for cell in cells)
    return ",".join(quoted) + "\r\n"


def _batches(rows: Stream) -> Iterator[list[list[Any]]]:
    for part in _cut(rows.batches, _BATCH):
        yield [column.to_pylist() for column in part.columns]


def _cut(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Yield the rows in parts of one size, but for the last: however they come, the file has the same bytes."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        rest = batch
        while rest.num_rows:
            held.append(rest.slice(0, size - rows))
            rows += held[-1].num_rows
            rest = rest.slice(held[-1].num_rows)
            if rows == size:
                yield pa.Table.from_batches(held).combine_chunks()
                held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def _text(field: Field, value: Any) -> str:
    """Return a cell as text; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return repr(_shown(field, value))
    if isinstance(value, list):
        return "; ".join(f"{part:.15g}" if isinstance(part, float) else str(part) for part in value)
    return str(value)  # money as 12.50, days and moments as ISO 8601 with a blank


def _shown(field: Field, value: float) -> float:
    """Return a number without the noise of its reckoning: two conversions in thirds are 2.0, not 1.9999999999999998."""
    if not math.isfinite(value):
        raise ContractError(f"column {field.name} holds {value}, which no spreadsheet can show")
    return float(f"{value:.{_DIGITS}g}")


def _cell_format(field: Field) -> str:
    if field.is_share:
        return "0.00%"
    return {**_NUMBER_FORMATS, **_MOMENT_FORMATS}.get(field.type, "@")


def _new_sheet(book: Any, name: str, fields: Sequence[Field], widths: Sequence[int], heading: Any) -> Any:
    sheet = book.add_worksheet(name)
    sheet.set_row(0, 32)  # two lines: nothing measures the height of a heading that wraps
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    for i, (field, width) in enumerate(zip(fields, widths, strict=True)):
        sheet.set_column(i, i, width)
        sheet.write_string(0, i, field.heading, heading)
    return sheet


def _write_cell(sheet: Any, line: int, place: int, field: Field, value: Any, cell_format: Any) -> int:
    """Write one cell; return 1 if its text was neutralised."""
    if isinstance(value, bool):
        sheet.write_boolean(line, place, value)
    elif isinstance(value, float):
        sheet.write_number(line, place, _shown(field, value), cell_format)
    elif isinstance(value, int | Decimal):
        sheet.write_number(line, place, float(value), cell_format)
    elif isinstance(value, date) and value.year >= 1900:  # Excel knows no day before
        sheet.write_datetime(line, place, value, cell_format)
    else:
        plain = _text(field, value)
        text = neutral(plain) if field.type in _TEXTS else plain
        if len(text) > CELL_LENGTH:
            raise O2OError(
                f"row {line}, column {field.name}: {len(text)} characters, but a cell of XLSX holds {CELL_LENGTH}",
                next_step="export as csv or parquet",
            )
        sheet.write_string(line, place, text, cell_format)
        return int(text != plain)
    return 0


def _widths(columns: Sequence[Sequence[Any]], fields: Sequence[Field]) -> list[int]:
    """Return widths in characters that fit the first rows and half of the heading, which wraps."""
    widths = []
    for field, column in zip(fields, columns, strict=True):
        longest = max((_width(_text(field, value)) for value in column[:200] if value is not None), default=0)
        if field.type in ("double", "money"):
            longest = min(longest, 14)  # shown with two to four decimals
        widths.append(min(max(longest, _width(field.heading) // 2 + 3, 8) + 2, 48))
    return widths


def _width(text: str) -> int:
    return sum(2 if ord(sign) > 0x2E7F else 1 for sign in text)


def _sheet_names(title: str) -> Iterator[str]:
    """Yield names for the sheets: at most 31 characters, without the signs that Excel forbids."""
    plain = re.sub(r"[\[\]:*?/\\']", " ", title).strip()[:24] or "Sheet"
    yield plain
    number = 2
    while True:
        yield f"{plain} {number}"
        number += 1
