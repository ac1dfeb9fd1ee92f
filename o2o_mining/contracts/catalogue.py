"""The catalogue: every table by name, and the version of all contracts together."""

from __future__ import annotations

import hashlib
from functools import cache

from o2o_mining.contracts import (
    association,
    attribution,
    demand,
    events,
    lifecycle,
    local,
    marts,
    merchants,
    offers,
    response,
    segmentation,
)
from o2o_mining.contracts.feeds import FEEDS
from o2o_mining.contracts.schema import Kind, Table
from o2o_mining.core.errors import UsageError

_MINED = (
    *marts.TABLES,
    *segmentation.TABLES,
    *association.TABLES,
    *lifecycle.TABLES,
    *response.TABLES,
    *offers.TABLES,
    *attribution.TABLES,
    *demand.TABLES,
    *merchants.TABLES,
    *local.TABLES,
)
TABLES: dict[str, Table] = {table.name: table for table in (*FEEDS, *events.TABLES, *_MINED)}


def contract(name: str) -> Table:
    """Return the contract of a table.

    Parameters
    ----------
    name
        Name of a feed or a table.

    Raises
    ------
    UsageError
        If no table has that name.

    Examples
    --------
    >>> contract("segments").key
    ('as_of', 'customer_id')
    """
    try:
        return TABLES[name]
    except KeyError:
        raise UsageError(f"there is no table '{name}'", next_step=f"use one of {', '.join(sorted(TABLES))}") from None


def tables(*kinds: Kind) -> list[Table]:
    """Return all contracts of the given kinds, in the order of the catalogue.

    Examples
    --------
    >>> [table.name for table in tables(Kind.FEED)][:2]
    ['customers', 'consents']
    """
    return [table for table in TABLES.values() if table.kind in kinds]


@cache
def contracts_version() -> str:
    """Return a fingerprint of all tables: names, types, keys, nullability, and by which moment they are parted.

    A warehouse built with another version is built anew.
    """
    shape = [
        (table.name, table.kind.value, table.at, [(c.name, c.type, c.key, c.nullable) for c in table.columns])
        for table in TABLES.values()
    ]
    return hashlib.sha256(repr(shape).encode()).hexdigest()[:16]
