"""Money as whole cents, and whole cents shared out so that nothing is lost.

Decimals are only added up (engines differ in the rest), and float64 cannot hold every cent above 90 trillion. So money
becomes int64 cents, is shared out there, and becomes money again, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

_MONEY = "decimal(18, 2)"

# Remainders that differ by less than this part are a tie, so that the noise of float64 decides nothing. A power of two:
# remainders that lie right between two steps are then exact in float64 and have no noise.
_STEPS = 2.0**30


def to_cents(money: ir.DecimalValue) -> ir.IntegerValue:
    """Return money as whole cents.

    Examples
    --------
    >>> t = ibis.memtable({"a": ["12.34", "-0.05", "9999999999999999.99"]})
    >>> to_cents(t.a.cast("decimal(18, 2)")).execute().tolist()
    [1234, -5, 999999999999999999]
    """
    units = money.floor().cast("int64")
    rest = (money - units.cast(_MONEY)).cast("float64") * 100.0
    return units * 100 + rest.round().cast("int64")


def to_money(cents: ir.IntegerValue) -> ir.DecimalValue:
    """Return whole cents as money.

    Examples
    --------
    >>> t = ibis.memtable({"c": [1234, -5, 999999999999999999]})
    >>> [str(amount) for amount in to_money(t.c).execute()]
    ['12.34', '-0.05', '9999999999999999.99']
    """
    units = floor_divide(cents, ibis.literal(100, "int64"))
    rest = ((cents - units * 100).cast("float64") / 100.0).cast(_MONEY)
    vast = (units.cast(_MONEY) + rest).cast(_MONEY)
    # Up to here float64 is near enough for the cast to find the cent.
    return (cents.abs() < 2**43).ifelse((cents.cast("float64") / 100.0).cast(_MONEY), vast)


def floor_divide(whole: ir.IntegerValue, by: ir.IntegerValue) -> ir.IntegerValue:
    """Return the quotient of integers, rounded down, exact for all of int64.

    Engines divide integers as float64, which is off above 2**53; what is left over is small enough to be divided
    without error.

    Examples
    --------
    >>> t = ibis.memtable({"a": [999999999999999999, -7], "b": [7, 2]})
    >>> floor_divide(t.a, t.b).execute().tolist()
    [142857142857142857, -4]
    """
    near = (whole / by).floor().cast("int64")
    return near + ((whole - near * by) / by).floor().cast("int64")


def share_out(rows: ir.Table, *, cents: str, weight: str, weights: str, group: tuple[str, ...], later: str) -> ir.Table:
    """One of the given rows, with its part of the cents of its group in place of all of them.

    Parts are in proportion to the weights, by largest remainder; of equal remainders the later row has the cent.

    Parameters
    ----------
    rows
        The rows among which is shared out.
    cents
        Column with the whole amount of the group, the same in all its rows.
    weight, weights
        Columns with the weight of the row and of the group, integers above 0.
    group
        Columns that make a group.
    later
        Column that orders the rows of a group.
    """
    # The part of a row is weight * (cents // weights), plus its part of the rest, which is below weights: so no
    # product leaves int64, and with the small weights of all models but time_decay every figure is exact.
    turns = floor_divide(rows[cents], rows[weights])
    rest = rows[cents] - turns * rows[weights]
    exact = rest.cast("float64") * rows[weight].cast("float64") / rows[weights].cast("float64")
    split = rows.mutate(_turns=turns, _rest=rest, _exact=exact, _whole=exact.floor().cast("int64"))
    remainder = ((split._exact - split._whole.cast("float64")) * _STEPS).round().cast("int64")
    order = [ibis.desc(remainder), ibis.desc(split[later])]
    # The sums do not need the order, but with it all three are made in one sort.
    by_group = ibis.window(group_by=list(group), order_by=order, preceding=None, following=None)
    ranked = split.mutate(
        _left=split._rest - split._whole.sum().over(by_group).cast("int64"),
        _rows=split._whole.count().over(by_group),
        _rank=ibis.row_number().over(group_by=list(group), order_by=order),
    )
    # Without noise fewer cents are left than there are rows; with it, on vast amounts, there may be more or less than
    # none: everybody takes the same, and the first in rank one more.
    each = floor_divide(ranked._left, ranked._rows)
    extra = (ranked._rank < ranked._left - each * ranked._rows).cast("int64")
    part = ranked._turns * ranked[weight] + ranked._whole + each + extra
    return ranked.mutate(**{cents: part}).drop("_turns", "_rest", "_exact", "_whole", "_left", "_rows", "_rank")
