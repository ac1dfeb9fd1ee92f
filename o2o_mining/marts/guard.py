"""The leak guard: no feature rests on a moment that its day could not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.features import FEATURES
from o2o_mining.core.errors import ContractError
from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    import ibis.expr.types as ir
    import pandas as pd

    from o2o_mining.contracts.schema import Column


def leaks(tables: Mapping[str, ir.Table], *, as_of: date, features: Sequence[Column] = FEATURES) -> ir.Table:
    """One time column of one table, with the rows in which it lies on or after a day.

    Parameters
    ----------
    tables
        The tables that features are computed from, by name.
    as_of
        The day.
    features
        The features, each with the moments it rests on.

    Returns
    -------
    ir.Table
        ``table``, ``moment`` and ``rows`` for every time column that a feature's ``available_at`` names.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> touches = ibis.memtable({"touched_at": [datetime(2024, 1, 1), datetime(2024, 1, 2)]})
    >>> leaks({"touches": touches}, as_of=date(2024, 1, 2)).execute().values.tolist()
    [['touches', 'touched_at', 1]]
    """
    declared = {at for feature in features for at in _moments(feature)}
    return ibis.union(
        *(
            table.aggregate(rows=table.count(where=table[column] >= moment(as_of))).select(
                table=ibis.literal(name), moment=ibis.literal(column), rows="rows"
            )
            for name, table in tables.items()
            for column in table.columns
            if column in declared
        )
    )


def leak_guard(
    tables: Mapping[str, ir.Table],
    *,
    as_of: date,
    execute: Callable[[ir.Table], pd.DataFrame],
    features: Sequence[Column] = FEATURES,
) -> None:
    """Refuse tables that know more than a day could.

    Parameters
    ----------
    tables
        The tables that features are computed from, by name.
    as_of
        The day.
    execute
        Runs an expression, such as ``engine.execute``.
    features
        The features, each with the moments it rests on.

    Raises
    ------
    ContractError
        If a table holds a moment on or after the day, or a feature rests on a moment that no table has.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> touches = ibis.memtable({"touched_at": [datetime(2024, 1, 2)]})
    >>> clicks = [feature for feature in FEATURES if feature.name == "n_touches_30d"]
    >>> leak_guard({"touches": touches}, as_of=date(2024, 1, 2), execute=lambda t: t.execute(), features=clicks)
    Traceback (most recent call last):
    ...
    o2o_mining.core.errors.ContractError: feature n_touches_30d leaks: 1 rows of touches have touched_at on or after
    2024-01-02. Next: ...
    """
    there = {column for table in tables.values() for column in table.columns}
    for feature in features:
        unknown = [at for at in _moments(feature) if at not in there]
        if unknown or not _moments(feature):
            raise ContractError(
                f"feature {feature.name} rests on {', '.join(unknown) or 'no moment'}, which no table has"
            )
    found = execute(leaks(tables, as_of=as_of, features=features))
    later = {(str(table), str(column)): int(rows) for table, column, rows in found.to_numpy().tolist() if rows}
    for feature in features:
        for (table, column), rows in later.items():
            if column in _moments(feature):
                raise ContractError(
                    f"feature {feature.name} leaks: {rows} rows of {table} have {column} on or after {as_of}",
                    next_step="compute features only from tables masked to that day",
                )


def _moments(feature: Column) -> list[str]:
    return [at.strip() for at in feature.available_at.split(",") if at.strip()]
