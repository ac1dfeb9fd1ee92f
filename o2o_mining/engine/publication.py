"""Writes the parts of tables as Parquet: sorted by key, and with the same bytes wherever and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.catalog import WHOLE, Catalog, Part
from o2o_mining.engine.snapshot import Stored, put_file
from o2o_mining.engine.sql import in_month, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

ROW_GROUP = 122_880
_AT_ONCE = 2


def write_changed(connection: duckdb.DuckDBPyConnection, catalog: Catalog, folder: Path) -> None:
    """Write every part that has no file yet, or none any more: somebody may have removed the snapshots.

    Parameters
    ----------
    connection
        To the warehouse; what it has not committed is not seen.
    catalog
        The parts; it learns of the files.
    folder
        The snapshot folder.
    """
    changed = [
        part
        for part, file in catalog.filed()
        if contract(part.table).published and (file is None or not (folder / file).is_file())
    ]
    # One part is compressed while the next is sorted; the database keeps all cores busy with one alone.
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        for part, stored in zip(changed, workers.map(partial(_put, connection, folder), changed), strict=True):
            catalog.file(part, stored)


def _put(connection: duckdb.DuckDBPyConnection, folder: Path, part: Part) -> Stored:
    def write(path: Path) -> None:
        with connection.cursor() as cursor:
            reader = cursor.sql(_rows_of(part)).to_arrow_reader(ROW_GROUP)
            with pq.ParquetWriter(path, reader.schema, compression="zstd", store_decimal_as_integer=True) as file:
                for group in row_groups(reader, ROW_GROUP):
                    file.write_table(group, row_group_size=ROW_GROUP)

    return put_file(folder, part.table, part.name, write)


def _rows_of(part: Part) -> str:
    table = contract(part.table)
    columns = ", ".join(map(quoted, table.published_names))
    conditions = []
    if part.as_of:
        conditions.append(f"as_of = {literal(str(part.as_of))}")
    if part.part != WHOLE:
        conditions.append(in_month(quoted(table.at), part.part))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "" if part.in_order else f" ORDER BY {', '.join(map(quoted, table.key))}"
    return f"SELECT {columns} FROM {quoted(part.table)}{where}{order}"


def row_groups(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Yield the rows of batches of any size as tables of one size, the last one smaller.

    The database hands rows over in batches that depend on its threads; the bytes of a file must not.

    Parameters
    ----------
    batches
        The rows, in order.
    size
        Rows of a table.

    Examples
    --------
    >>> batches = [pa.record_batch({"i": [1, 2, 3]}), pa.record_batch({"i": [4]}), pa.record_batch({"i": [5, 6]})]
    >>> [table["i"].to_pylist() for table in row_groups(batches, 4)]
    [[1, 2, 3, 4], [5, 6]]
    """
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= size:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, size).combine_chunks()
            waiting = table.slice(size).to_batches()
            rows -= size
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()
