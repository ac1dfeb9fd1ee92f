"""What a customer had bought before a moment of the products that a coupon is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import days_between, share

if TYPE_CHECKING:
    import ibis.expr.types as ir

_KEY = ("customer_id", "known_at")
_PAIR = ("customer_id", "coupon_id", "known_at")
_RECENT_DAYS = 90


def bought_lines(visits: ir.Table, basket_lines: ir.Table) -> ir.Table:
    """One line of a visit's basket.

    Parameters
    ----------
    visits
        What `logs.visits` returns.
    basket_lines
        The feed. A basket of an order and of its redemption are the same visit.

    Returns
    -------
    ir.Table
        ``customer_id, purchase_id, visited_at, product_id, amount, paid_amount`` (of the whole visit) and ``off``,
        whether something was taken off at the till, beyond the prices of the visit's lines.
    """
    names = [
        visits.filter(visits[name].notnull() & visits.cancelled_at.isnull()).select("purchase_id", basket_id=name)
        for name in ("order_id", "redemption_id")
    ]
    either = ibis.union(*names)
    baskets = either.group_by("basket_id").aggregate(purchase_id=either.purchase_id.min())
    t = basket_lines.select("basket_id", "product_id", "amount").join(baskets, "basket_id")
    t = t.join(visits.select("purchase_id", "customer_id", "visited_at", "paid_amount"), "purchase_id")
    whole = t.amount.sum().over(ibis.window(group_by="purchase_id"))
    return t.mutate(off=(t.paid_amount < whole).fill_null(False)).drop("basket_id")


def bought_before(moments: ir.Table, lines: ir.Table) -> ir.Table:
    """One customer, moment and product bought before it.

    Parameters
    ----------
    moments
        ``customer_id, known_at``, each pair of them once.
    lines
        What `bought_lines` returns.
    """
    t = moments.join(lines, "customer_id").filter(lambda r: r.visited_at < r.known_at)
    recent = days_between(t.known_at, t.visited_at) <= _RECENT_DAYS
    return t.group_by(*_KEY, "product_id").aggregate(
        n=t.count(), n_recent=recent.sum(), n_off=t.off.sum(), amount=t.amount.sum(), bought_until=t.visited_at.max()
    )


def of_products(pairs: ir.Table, bought: ir.Table, coupon_products: ir.Table) -> ir.Table:
    """One pair whose coupon is good for products that its customer had bought.

    Parameters
    ----------
    pairs
        ``customer_id, coupon_id, known_at``, each of them once.
    bought
        What `bought_before` returns.
    coupon_products
        The feed.
    """
    t = pairs.join(coupon_products.select("coupon_id", "product_id"), "coupon_id")
    t = t.join(bought, [*_KEY, "product_id"])
    made = t.group_by(_PAIR).aggregate(
        n_products_bought=t.count(),
        n_products_habitual=(t.n > 1).sum(),
        n_products_90d=(t.n_recent > 0).sum(),
        n_products_off=(t.n_off > 0).sum(),
        n_product_lines=t.n.sum(),
        n_product_lines_90d=t.n_recent.sum(),
        n_product_lines_off=t.n_off.sum(),
        product_amount=t.amount.sum().cast("float64"),
        bought_until=t.bought_until.max(),
    )
    return made.mutate(product_days=days_between(made.known_at, made.bought_until))


def of_kinds(
    pairs: ir.Table, bought: ir.Table, coupon_products: ir.Table, products: ir.Table, *, level: str
) -> ir.Table:
    """One pair whose coupon is good for products of a kind that its customer had bought.

    Parameters
    ----------
    pairs, bought, coupon_products
        As in `of_products`.
    products
        The feed.
    level
        ``subcategory`` or ``category``.

    Returns
    -------
    ir.Table
        The pair, ``n`` lines of these kinds, ``n_recent`` of the last 90 days, ``n_off`` of visits at which something
        was taken off at the till, ``n_kinds`` bought, ``n_kinds_off`` at such visits, the ``amount``, and
        ``kind_until``.
    """
    kinds = products.filter(products[level].notnull()).select("product_id", kind=level)
    wanted = coupon_products.join(kinds, "product_id").select("coupon_id", "kind").distinct()
    b = bought.join(kinds, "product_id")
    b = b.group_by(*_KEY, "kind").aggregate(
        n=b.n.sum(), n_recent=b.n_recent.sum(), n_off=b.n_off.sum(), amount=b.amount.sum(),
        bought_until=b.bought_until.max(),
    )  # fmt: skip
    t = pairs.join(wanted, "coupon_id").join(b, [*_KEY, "kind"])
    return t.group_by(_PAIR).aggregate(
        n=t.n.sum(), n_recent=t.n_recent.sum(), n_off=t.n_off.sum(), n_kinds=t.count(),
        n_kinds_off=(t.n_off > 0).sum(), amount=t.amount.sum().cast("float64"), kind_until=t.bought_until.max(),
    )  # fmt: skip


def of_tills(moments: ir.Table, lines: ir.Table) -> ir.Table:
    """One customer and moment with what was taken off at the till, beyond the prices of the lines.

    Parameters
    ----------
    moments, lines
        As in `bought_before`.
    """
    baskets = lines.group_by("purchase_id", "customer_id", "visited_at", "paid_amount", "off").aggregate(
        whole=lines.amount.sum()
    )
    t = moments.join(baskets, "customer_id").filter(lambda r: r.visited_at < r.known_at)
    whole, recent = t.whole.sum(), days_between(t.known_at, t.visited_at) <= _RECENT_DAYS
    return t.group_by(_KEY).aggregate(
        n_tills_off=t.off.sum(),
        n_tills_off_90d=(t.off & recent).sum(),
        tills_off_share=share(t.off.sum(), t.count()),
        till_off_share=1 - share(t.paid_amount.sum(), whole),
        tills_until=t.visited_at.max(),
    )
