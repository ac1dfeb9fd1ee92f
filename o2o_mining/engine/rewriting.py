"""Changes a table of events in place, for some customers: only the rows that differ, in the months they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.engine.sql import month_of, quoted

if TYPE_CHECKING:
    import duckdb

    from o2o_mining.contracts.schema import Table
    from o2o_mining.engine.changes import Changes


def rewrite(
    connection: duckdb.DuckDBPyConnection, changes: Changes, table: Table, *, fresh: str, customers: str, came: str
) -> set[str]:
    """Replace the rows of some customers and return the months in which rows differ.

    Parameters
    ----------
    connection
        To the warehouse, in a transaction.
    changes
        Told of what changes.
    table
        The table, with ``customer_id`` and a moment.
    fresh
        Name of a table with all rows that these customers have now.
    customers
        Name of the table of the customers.
    came
        Name of the table that is made of the rows that were not there before.
    """
    target, gone, key = quoted(table.name), quoted(f"{came}_gone"), " AND ".join(f"t.{k} = g.{k}" for k in table.key)
    before = f"SELECT * FROM {target} WHERE customer_id IN (SELECT customer_id FROM {quoted(customers)})"
    connection.execute(f"CREATE TEMP TABLE {gone} AS {before} EXCEPT ALL SELECT * FROM {quoted(fresh)}")
    connection.execute(f"CREATE TEMP TABLE {quoted(came)} AS SELECT * FROM {quoted(fresh)} EXCEPT ALL {before}")
    rows = (f"SELECT * FROM {gone}", f"SELECT * FROM {quoted(came)}")
    counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in (gone, quoted(came), target))
    ((went, new, held),) = connection.execute(f"SELECT {counts}").fetchall()
    if went or new:
        changes.note(table, *rows, changed=went + new, held=held)
    connection.execute(f"DELETE FROM {target} AS t USING {gone} AS g WHERE {key}")
    connection.execute(f"INSERT INTO {target} SELECT * FROM {quoted(came)}")
    moments = " UNION ALL ".join(f"SELECT {quoted(table.at)} AS moment FROM ({query})" for query in rows)
    found = connection.execute(f"SELECT DISTINCT {month_of('moment')} FROM ({moments})").fetchall()
    connection.execute(f"DROP TABLE {gone}")
    return {month for (month,) in found}
