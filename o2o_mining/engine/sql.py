"""How DuckDB writes names, texts and types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from o2o_mining.contracts.schema import Column


def quoted(name: str) -> str:
    """Return a name as an SQL identifier.

    Examples
    --------
    >>> quoted("as_of")
    '"as_of"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def csv_reader(path: Path, n_fields: int, header: bool) -> str:
    """Return the call that reads a CSV file as text ``f0, f1, …``.

    Examples
    --------
    >>> csv_reader(Path("a.csv"), 1, True).startswith("read_csv('a.csv', auto_detect = false, header = True")
    True
    """
    columns = ", ".join(f"'f{i}': 'VARCHAR'" for i in range(n_fields))
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = {header}, delim = ',', quote = '\"',"
        f" escape = '\"', nullstr = '', columns = {{{columns}}}, max_line_size = {_MAX_RECORD_BYTES},"
        f" compression = 'none', hive_partitioning = false)"
    )


def parquet_reader(path: Path, given: Sequence[str]) -> str:
    """Return what reads a Parquet file as ``c0, c1, …`` and the rows' numbers from 0, ``_ordinal``.

    By position: DuckDB renames columns that differ in case alone, and takes folders named a=b for columns.

    Examples
    --------
    >>> parquet_reader(Path("a.parquet"), ["store_id"]).endswith(" AS t(c0, _ordinal)")
    True
    """
    columns = ", ".join(f"c{i}" for i in range(len(given)))
    # A column of the file that has the name of DuckDB's own number of a row stands in its way.
    taken = "file_row_number" in map(str.lower, given)
    number = "row_number() OVER () - 1" if taken else "file_row_number"
    read = f"read_parquet({literal(str(path))}, hive_partitioning = false)"
    return f"(SELECT *, {number} FROM {read}) AS t({columns}, _ordinal)"  # noqa: S608 - quoted


# A record over this size is refused by DuckDB; the record splitter rejects it before.
_MAX_RECORD_BYTES = 16 * 2**20


def understood(name: str, given: str) -> str:
    """Return a Parquet column in a type that Ibis knows, without a loss."""
    if given == "BLOB":  # text of old writers; what is none stays readable
        return f"coalesce(TRY(decode({name})), CAST({name} AS VARCHAR))"
    if given == "TIMESTAMPTZ_NS":
        return f"CAST({name} AS TIMESTAMP_NS)"
    return f"CAST({name} AS VARCHAR)" if given == '"NULL"' else name


UNDATED = "undated"


def month_of(moment: str) -> str:
    """Return the expression for the month of a moment as text.

    Examples
    --------
    >>> month_of("at")
    "coalesce(strftime(at, '%Y-%m'), 'undated')"
    """
    return f"coalesce(strftime({moment}, '%Y-%m'), {literal(UNDATED)})"


def in_month(moment: str, month: str) -> str:
    """Return the condition that a moment lies in a month.

    Examples
    --------
    >>> in_month("at", "undated")
    'at IS NULL'
    """
    if month == UNDATED:
        return f"{moment} IS NULL"
    first = f"CAST({literal(month + '-01')} AS TIMESTAMP)"
    return f"({moment} >= {first} AND {moment} < {first} + INTERVAL 1 MONTH)"


def sql_type(column: Column) -> str:
    """Return a column's type as DuckDB writes it.

    Examples
    --------
    >>> sql_type(Column("name", "text", "Name of the merchant."))
    'VARCHAR'
    """
    return _SQL_TYPES.get(column.engine_type, column.engine_type.upper())


_SQL_TYPES = {
    "string": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "timestamp(6)": "TIMESTAMP",
    "array<string>": "VARCHAR[]", "array<float64>": "DOUBLE[]",
}  # fmt: skip
