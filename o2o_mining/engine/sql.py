"""How DuckDB writes names, texts and types."""

from __future__ import annotations

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


def understood(name: str, given: str) -> str:
    """Return a Parquet column in a type that Ibis knows, without a loss."""
    if given == "BLOB":  # text of old writers; what is none stays readable
        return f"coalesce(TRY(decode({name})), CAST({name} AS VARCHAR))"
    if given == "TIMESTAMPTZ_NS":
        return f"CAST({name} AS TIMESTAMP_NS)"
    return f"CAST({name} AS VARCHAR)" if given == '"NULL"' else name


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
