"""How coupons were used: by whom, how soon after receipt, and whether again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import counted

if TYPE_CHECKING:
    import ibis.expr.types as ir

QUICK_SECONDS = 1_800
_LOOSE = "u:"


def used_coupons(
    coupon_lifecycle: ir.Table, coupon_redemptions: ir.Table, offline_redemptions: ir.Table, online_orders: ir.Table
) -> ir.Table:
    """One use of one coupon, with the receipt that it names.

    Parameters
    ----------
    coupon_lifecycle
        As known before as_of.
    coupon_redemptions, offline_redemptions, online_orders
        The feeds: which receipt a use names that had been used before.

    Returns
    -------
    ir.Table
        ``use_id`` (the receipt_id of the lifecycle), ``customer_id, merchant_id, redeemed_at``, ``spent_id`` (the
        receipt, null where none is named or known), ``is_again`` (it had been used before), ``seconds`` from receipt
        to use (null where unknown) and ``cents`` of discount.

    Examples
    --------
    >>> from o2o_mining.contracts.catalogue import contract
    >>> names = ("coupon_lifecycle", "coupon_redemptions", "offline_redemptions", "online_orders")
    >>> used_coupons(*(ibis.table(contract(name).schema, name=name) for name in names)).columns[4:6]
    ('spent_id', 'is_again')
    """
    t = coupon_lifecycle.filter(coupon_lifecycle.redeemed_at.notnull())
    is_loose = t.receipt_id.startswith(_LOOSE)
    named = _named(coupon_redemptions, offline_redemptions, online_orders)
    held = t.filter(~is_loose).select(known_id="receipt_id")
    named = named.semi_join(held, [named.spent_id == held.known_id])
    t = t.left_join(named, t.receipt_id == named.use_key)
    seconds = t.redeemed_at.epoch_seconds() - t.received_at.epoch_seconds()
    timed = ~is_loose & t.days_to_redeem.notnull()
    return t.select(
        "customer_id",
        "merchant_id",
        "redeemed_at",
        use_id=t.receipt_id,
        spent_id=is_loose.ifelse(t.spent_id, t.receipt_id),
        is_again=is_loose & t.spent_id.notnull(),
        seconds=timed.ifelse(seconds, ibis.null("int64")),
        cents=counted(t.discount_amount, 100).fill_null(0),
    ).select("use_id", "customer_id", "merchant_id", "redeemed_at", "spent_id", "is_again", "seconds", "cents")


def _named(tills: ir.Table, visits: ir.Table, orders: ir.Table) -> ir.Table:
    """One use by the id it would have in the lifecycle without a receipt, and the receipt it names."""
    parts = []
    for place, (feed, key, t) in enumerate(
        (("", tills.coupon_redemption_id, tills), ("offline_redemptions", visits.redemption_id, visits),
         ("online_orders", orders.order_id, orders))
    ):  # fmt: skip
        rows = t.filter(t.receipt_id.notnull())
        for mark in (_LOOSE, f"{_LOOSE}{feed}:"):
            # Where ids of two feeds are alike, the plain one is the earlier feed's.
            named = ibis.literal(str(place)) + rows.receipt_id
            parts.append(rows.select(use_key=ibis.literal(mark) + key, named=named))
    t = ibis.union(*parts)
    return t.group_by("use_key").aggregate(named=t.named.min()).select(
        "use_key", spent_id=lambda r: r.named.substr(1)
    )  # fmt: skip


def accounts(uses: ir.Table) -> ir.Table:
    """One customer and merchant with coupons used: how many, how many within half an hour of receipt, and again.

    Parameters
    ----------
    uses
        As `used_coupons` returns them.

    Returns
    -------
    ir.Table
        ``customer_id, merchant_id, uses, timed`` (with a known receipt), ``quick, again``, and ``moments`` of use on
        ``days`` different UTC days.

    Examples
    --------
    >>> t = ibis.table({"customer_id": "string", "merchant_id": "string", "redeemed_at": "timestamp",
    ...                 "seconds": "int64", "is_again": "boolean"}, name="uses")
    >>> accounts(t).columns[2:5]
    ('uses', 'timed', 'quick')
    """
    return uses.group_by("customer_id", "merchant_id").aggregate(
        uses=uses.count(),
        timed=uses.seconds.count(),
        quick=uses.count(where=uses.seconds <= QUICK_SECONDS),
        again=uses.count(where=uses.is_again),
        moments=uses.redeemed_at.nunique(),
        days=uses.redeemed_at.date().nunique(),
    )


def uses_of(uses: ir.Table, suspects: ir.Table) -> ir.Table:
    """One use by accounts that are looked at, or of a receipt that was used again.

    Parameters
    ----------
    uses
        As `used_coupons` returns them.
    suspects
        ``customer_id, merchant_id``.

    Returns
    -------
    ir.Table
        The columns of uses.

    Examples
    --------
    >>> t = ibis.table({"customer_id": "string", "merchant_id": "string", "spent_id": "string",
    ...                 "is_again": "boolean"}, name="uses")
    >>> uses_of(t, t.select("customer_id", "merchant_id")).columns[0]
    'customer_id'
    """
    again = uses.filter(uses.is_again).select("spent_id")
    of_accounts = uses.semi_join(suspects, ["customer_id", "merchant_id"])
    return of_accounts.union(uses.semi_join(again, "spent_id"), distinct=True)
