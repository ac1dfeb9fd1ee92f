"""What can be wrong with one record of a feed, from its contract: values that break exactly one rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from o2o_mining.contracts.schema import Column, Table

# Later column, earlier column: the page of the feeds names them, the contract only checks them.
TIME_ORDER = {
    "campaigns": (("ends_at", "starts_at"),),
    "coupons": (("ends_at", "starts_at"),),
    "online_orders": (("cancelled_at", "ordered_at"), ("refunded_at", "ordered_at")),
    "offline_redemptions": (("refunded_at", "redeemed_at"),),
}
NO_SUCH_TYPE = {
    "int": b"12.5", "double": b"n/a", "money": b"1.234", "timestamp": b"31/12/2024", "date": b"2024-02-30",
    "boolean": b"maybe",
}  # fmt: skip
BEFORE_ALL = b"2000-01-01 00:00:00"


@dataclass(frozen=True)
class Fault:
    """A value that breaks one rule: what kind of fault it is, in which column, and the reason it is rejected with."""

    kind: str
    column: int
    value: bytes
    reason: str


def cell_faults(feed: Table) -> list[Fault]:
    """Return every fault that one value can bring into a sound record of a feed.

    Parameters
    ----------
    feed
        The feed's contract; its columns are taken to stand in their order.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> [fault.reason for fault in cell_faults(contract("coupon_products"))]
    ['missing_key', 'out_of_range:coupon_id', 'missing_key', 'out_of_range:product_id']
    """
    faults = [fault for place, column in enumerate(feed.columns) for fault in _of_column(place, column)]
    names = feed.column_names
    late = [names.index(later) for later, _ in TIME_ORDER.get(feed.name, ())]
    return faults + [Fault("time_order", place, BEFORE_ALL, "time_order") for place in late]


def _of_column(place: int, column: Column) -> Iterator[Fault]:
    if column.key:
        yield Fault("missing_key", place, b"", "missing_key")
    elif not column.nullable:
        yield Fault("missing_value", place, b"", f"missing_value:{column.name}")
    if column.type in NO_SUCH_TYPE:
        yield Fault("bad_type", place, NO_SUCH_TYPE[column.type], f"bad_type:{column.name}")
    if column.allowed or column.forbidden:
        yield Fault("not_allowed", place, b"this>that", f"not_allowed:{column.name}")
    if column.type == "id":
        yield Fault("out_of_range", place, b"x" * 65, f"out_of_range:{column.name}")
    if column.low is not None:
        yield Fault("out_of_range", place, str(int(column.low) - 1).encode(), f"out_of_range:{column.name}")


def other_value(column: Column, value: bytes) -> bytes:
    """Return a sound value of a column that is not the given one, or the given one where none is easily had.

    Examples
    --------
    >>> other_value(Column("cost", "money", "What was spent."), b"3.20")
    b'0.00'
    """
    if column.nullable:
        return b""
    if column.type == "money":
        return b"0.00" if value != b"0.00" else b"1.00"
    if column.type == "boolean":
        return b"true" if value == b"false" else b"false"
    if column.allowed:
        return next(word.encode() for word in column.allowed if word.encode() != value)
    return value
