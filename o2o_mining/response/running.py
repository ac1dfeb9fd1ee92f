"""Sums of all that came before a day, for many days at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir


def sums_until(days: ir.Table, told: ir.Table, place: str, sums: tuple[str, ...], *, until: str) -> ir.Table:
    """One wanted day and place with sums over all days before it, by one running sum.

    Parameters
    ----------
    days
        ``day`` and the place; those where the place is null are left out.
    told
        The place, ``at`` (when it happened) and whole numbers.
    place
        Name of the place.
    sums
        Names of the numbers.
    until
        What the latest moment that went in is called.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> told = ibis.memtable({"shop": ["a", "a"], "at": [datetime(2024, 1, 1, 9), datetime(2024, 1, 2)], "n": [2, 3]})
    >>> days = ibis.memtable({"shop": ["a"], "day": [date(2024, 1, 2)]})
    >>> sums_until(days, told, "shop", ("n",), until="until").n.execute().tolist()
    [2]
    """
    daily = told.group_by(place, day=told["at"].date()).aggregate(
        at=told["at"].max(), **{n: told[n].sum() for n in sums}
    )
    daily = daily.mutate(wanted=ibis.literal(0, "int64"))
    asked = days.filter(days[place].notnull()).select(place, "day").distinct()
    asked = asked.mutate(
        wanted=ibis.literal(1, "int64"), at=ibis.null("timestamp(6)"), **{n: ibis.literal(0, "int64") for n in sums}
    )
    names = (place, "day", "wanted", "at", *sums)
    types = dict.fromkeys(("wanted", *sums), "int64") | {"at": "timestamp(6)"}
    both = daily.select(*names).cast(types).union(asked.select(*names))
    each = both.group_by(place, "day").aggregate(
        at=both["at"].max(), **{name: both[name].sum() for name in ("wanted", *sums)}
    )
    # The day itself is left out: what comes on it may come after the moment.
    before = ibis.window(group_by=place, order_by="day", preceding=(None, 1))
    made = each.mutate(
        **{name: each[name].sum().over(before) for name in sums}, **{until: each["at"].max().over(before)}
    )
    return made.filter(made.wanted > 0).select(place, "day", until, **{name: made[name].fill_null(0) for name in sums})
