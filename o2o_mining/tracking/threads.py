"""Follows the ids that rows of the published tables share, from one code to all that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis

from o2o_mining.contracts.catalogue import contract

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from o2o_mining.engine.home import Home

Row = dict[str, Any]
Found = dict[str, list[Row]]

# Of one table no more rows are read at once: a code that a whole campaign shares leads to no single order.
MOST_ROWS = 200

# Table -> the ids that tie its rows to others, then what else is told of them. Contact data are in none of these.
_TIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "touches": (("tracking_code",), ("customer_id", "touched_at", "channel", "campaign_id", "action")),
    "sends": (("tracking_code",), ("customer_id", "sent_at", "channel", "campaign_id", "coupon_id")),
    "coupon_receipts": (("receipt_id", "tracking_code"), ("customer_id", "received_at", "channel", "coupon_id")),
    "online_orders": (
        ("order_id", "receipt_id", "tracking_code"),
        (
            "customer_id", "ordered_at", "channel", "campaign_id", "coupon_id", "merchant_id", "store_id",
            "paid_amount", "fulfilment",
        ),
    ),
    "offline_redemptions": (
        ("redemption_id", "order_id", "receipt_id", "tracking_code"),
        ("customer_id", "redeemed_at", "coupon_id", "merchant_id", "store_id", "paid_amount"),
    ),
    "coupon_redemptions": (
        ("order_id", "redemption_id", "receipt_id"),
        ("customer_id", "redeemed_at", "coupon_id", "discount_amount"),
    ),
    "coupon_lifecycle": (("receipt_id", "redemption_id"), ("customer_id", "coupon_id", "campaign_id", "merchant_id",
                          "expires_at", "state")),
    "purchases": (
        ("purchase_id", "order_id", "redemption_id", "receipt_id", "tracking_code"),
        (
            "customer_id", "merchant_id", "store_id", "purchased_at", "consumed_at", "cancelled_at", "paid_amount",
            "refunded_at", "refunded_amount", "net_amount", "campaign_id", "coupon_id", "channel", "fulfilment",
        ),
    ),
    "reviews": (("order_id", "redemption_id"), ("customer_id", "merchant_id", "store_id", "reviewed_at", "rating",
                 "is_complaint")),
}  # fmt: skip


def follow(home: Home, texts: Set[str]) -> tuple[Found, bool]:
    """Return the rows of each table that a text leads to, and whether there were too many to follow.

    Parameters
    ----------
    home
        The published snapshot.
    texts
        What is looked for as a tracking code and as the id of an order, redemption, receipt and purchase.

    Returns
    -------
    found
        For each table the rows in the order of their keys, each once.
    cut
        Whether the search stopped at a table with more than 200 rows.
    """
    kinds = {kind for ties, _ in _TIES.values() for kind in ties}
    known: dict[str, set[str]] = {kind: set() for kind in kinds}
    new = {kind: set(texts) for kind in kinds}
    found: dict[str, dict[str, Row]] = {table: {} for table in _TIES}
    cut = False
    while any(new.values()) and not cut:
        for kind in kinds:
            known[kind] |= new[kind]
        came: dict[str, set[str]] = {kind: set() for kind in kinds}
        for table, (ties, told) in _TIES.items():
            (key,) = contract(table).key
            rows = rows_with(home, table, {kind: new[kind] for kind in ties}, told)
            cut = cut or len(rows) > MOST_ROWS
            for row in rows[:MOST_ROWS]:
                found[table][row[key]] = row
                for kind in ties:
                    came[kind] |= {row[kind]} - {None}
        new = {kind: came[kind] - known[kind] for kind in kinds}
    return {table: [rows[key] for key in sorted(rows)] for table, rows in found.items()}, cut


def rows_with(
    home: Home, table: str, wanted: Mapping[str, Set[str]], told: tuple[str, ...], *, most: int | None = MOST_ROWS + 1
) -> list[Row]:
    """Return the rows of a table in which one of the columns holds a wanted value, the smallest keys first.

    Parameters
    ----------
    home
        The published snapshot.
    table
        The table.
    wanted
        Values by column.
    told
        Columns to read beside those and the key.
    most
        How many rows at most; None for all.
    """
    asked = {column: sorted(values) for column, values in wanted.items() if values}
    # Most homes lack some feed, and putting a query together takes longer than it would run.
    if not asked or not any(part["rows"] for part in home.manifest["tables"][table]["slices"]):
        return []
    rows = home.table(table)
    holds = [rows[column].isin(values) for column, values in asked.items()]
    key = contract(table).key
    columns = dict.fromkeys([*key, *wanted, *told])
    kept = rows.filter(ibis.or_(*holds)).select(*columns).order_by(list(key))
    given: list[Row] = (kept if most is None else kept.limit(most)).to_pyarrow().to_pylist()
    return given
