"""Counts what each file brought and which of its references lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.schema import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir


def orphans(feed: Table, rows: ir.Table, known: Mapping[str, ir.Table]) -> ir.Table | None:
    """One row per file that has rows in force: how many of their references are unknown.

    Parameters
    ----------
    feed
        The contract of the feed.
    rows
        The feed's rows with ``_file``.
    known
        Feed to its rows, of the feeds that were given at all; a missing feed makes no orphans.

    Returns
    -------
    ir.Table or None
        ``_file`` and ``orphans``; nothing for a feed without references to a given feed.
    """
    counts = []
    for column in feed.columns:
        if column.references in known:
            keys = known[column.references]
            ids = keys.select(_known_id=keys[contract(column.references).key[0]]).distinct()
            given = rows.filter(rows[column.name].notnull())
            lost = given.anti_join(ids, given[column.name] == ids._known_id)
            counts.append(lost.group_by("_file").aggregate(orphans=lambda t: t.count()))
    if not counts:
        return None
    every = ibis.union(*counts) if len(counts) > 1 else counts[0]
    return every.group_by("_file").aggregate(orphans=every.orphans.sum())
