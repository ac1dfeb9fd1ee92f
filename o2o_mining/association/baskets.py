"""Visits and what was bought at them, as integers that mining takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from o2o_mining.engine.portable import counted, moment

if TYPE_CHECKING:
    import ibis.expr.types as ir

Array = NDArray[Any]

_SALT = "association"
_DAY_US = 86_400_000_000


def visits(purchases: ir.Table, merchants: ir.Table, *, as_of: date, days: int) -> ir.Table:
    """One purchase of the last days that was not cancelled, numbered from 0 by customer and time.

    Parameters
    ----------
    purchases, merchants
        As known before as_of.
    as_of, days
        The window: so many days before this UTC day.
    """
    until = moment(as_of)
    since = until - ibis.interval(days=days)
    some = purchases.filter(
        purchases.purchased_at >= since, purchases.purchased_at < until, purchases.cancelled_at.isnull()
    )
    sells = merchants.select("merchant_id", merchant_category="category")
    some = some.left_join(sells, "merchant_id")
    order = [some.customer_id, some.purchased_at, some.purchase_id]
    return some.select(
        "customer_id", "merchant_id", "merchant_category", "purchased_at", "order_id", "redemption_id",
        cents=counted(some.net_amount, 100),
        offered=some.coupon_id.notnull() | some.campaign_id.notnull(),
        visit=ibis.row_number().over(order_by=order),
    )  # fmt: skip


def visit_products(visits: ir.Table, basket_lines: ir.Table) -> ir.Table:
    """One product that was bought at a visit, its id numbered from 0.

    Parameters
    ----------
    visits
        As ``visits`` gives them.
    basket_lines
        The feed. A basket of an order and of its redemption are the same visit; a basket that two purchases name
        belongs to the earlier one.
    """
    names = [
        visits.filter(visits[name].notnull()).select("visit", basket_id=visits[name])
        for name in ("order_id", "redemption_id")
    ]
    either = names[0].union(names[1])
    baskets = either.group_by("basket_id").aggregate(visit=either.visit.min())
    bought = basket_lines.inner_join(baskets, "basket_id").select("visit", "product_id").distinct()
    ids = bought.select("product_id").distinct()
    numbered = ids.mutate(product=ibis.row_number().over(order_by=ids.product_id))
    return bought.inner_join(numbered, "product_id").select("visit", "product", "product_id")


@dataclass(frozen=True)
class Items:
    """What was bought at visits, at one level.

    Attributes
    ----------
    visit, item
        Shape (n,), by visit and item; each pair once.
    names
        The ids of the items by code.
    """

    visit: Array
    item: Array
    names: tuple[str, ...]

    def among(self, place: Array) -> Items:
        """Return what was bought at some visits, given the new number of each old one, or -1; they keep their order."""
        visit = place[self.visit]
        return Items(visit[visit >= 0], self.item[visit >= 0], self.names)


@dataclass(frozen=True)
class Visits:
    """Visits by customer and time, as arrays of one length.

    Attributes
    ----------
    customer, merchant, category
        Codes; the category of a merchant without one is -1.
    at_us
        Moments in microseconds.
    cents
        Net amounts in hundredths; 0 where unknown.
    half
        Whether the customer belongs to the second of two halves.
    offered
        Whether a coupon or a campaign led to the visit.
    customers, merchants, categories
        The ids by code.
    has_amount
        Whether any net amount is known.
    """

    customer: Array
    merchant: Array
    category: Array
    at_us: Array
    cents: Array
    half: Array
    offered: Array
    customers: tuple[str, ...]
    merchants: tuple[str, ...]
    categories: tuple[str, ...]
    has_amount: bool

    def __len__(self) -> int:
        return len(self.customer)

    def without_offers(self) -> tuple[Visits, Array]:
        """Return the visits that no offer led to, and the new number of each old one, or -1."""
        kept = ~self.offered
        some = {
            name: getattr(self, name)[kept]
            for name in ("customer", "merchant", "category", "at_us", "cents", "half", "offered")
        }
        return replace(self, **some), np.where(kept, np.cumsum(kept) - 1, -1)


def coded_visits(frame: pd.DataFrame) -> Visits:
    """Return visits as arrays.

    Parameters
    ----------
    frame
        The rows of ``visits`` in the order of ``visit``.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "customer_id": ["ann", "bob"], "merchant_id": ["m2", "m1"], "merchant_category": [None, "cafe"],
    ...     "purchased_at": pd.to_datetime(["2024-01-01", "2024-01-02"]), "cents": [125, None],
    ...     "offered": [False, True],
    ... })
    >>> made = coded_visits(frame)
    >>> made.merchant.tolist(), made.category.tolist(), made.cents.tolist()
    ([1, 0], [-1, 0], [125, 0])
    """
    customer, customers = _codes(frame["customer_id"])
    merchant, merchants = _codes(frame["merchant_id"])
    category, categories = _codes(frame["merchant_category"])
    half = np.array([in_second_half(name) for name in customers], bool)
    return Visits(
        customer, merchant, category,
        frame["purchased_at"].to_numpy("datetime64[us]").astype(np.int64),
        frame["cents"].fillna(0).to_numpy(np.int64),
        half[customer], frame["offered"].to_numpy(bool), customers, merchants, categories,
        bool(frame["cents"].notna().any()),
    )  # fmt: skip


def in_second_half(customer_id: str) -> bool:
    """Return in which half a customer is: by a salted digest, the same in every run.

    Examples
    --------
    >>> [in_second_half(name) for name in ("ann", "bob", "eva")]
    [False, False, True]
    """
    digest = hashlib.md5(f"{_SALT}:{customer_id}".encode(), usedforsecurity=False).hexdigest()
    return digest[:8] < "80000000"


def at_level(visit: Array, product: Array, names: pd.Series[str]) -> Items:
    """Return what was bought at a level of the hierarchy of products.

    Parameters
    ----------
    visit, product
        Shape (n,): the product bought at the visit, as a number.
    names
        Shape (products,): what each product is at the level; what has no name there is left out.

    Examples
    --------
    >>> items = at_level(np.array([0, 0]), np.array([0, 1]), pd.Series(["tea", "tea"]))
    >>> items.names, len(items.visit)
    (('tea',), 1)
    """
    code, texts = _codes(names)
    item = code[product]
    n = max(len(texts), 1)
    keys = visit[item >= 0] * n + item[item >= 0]
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) != 0]
    return Items(keys // n, keys % n, texts)


def of_merchants(visits: Visits, level: str) -> Items:
    """Return where each visit went: ``merchant`` or its ``category``.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "customer_id": ["ann", "bob"], "merchant_id": ["m2", "m1"], "merchant_category": [None, "cafe"],
    ...     "purchased_at": pd.to_datetime(["2024-01-01", "2024-01-02"]), "cents": [125, None],
    ...     "offered": [False, True],
    ... })
    >>> of_merchants(coded_visits(frame), "category").visit.tolist()
    [1]
    """
    code, names = (visits.merchant, visits.merchants) if level == "merchant" else (visits.category, visits.categories)
    visit = np.flatnonzero(code >= 0)
    return Items(visit, code[visit], names)


def days_covered(visits: Visits, *, as_of: date, days: int) -> int:
    """Return the days from the first visit, or the beginning of the window, to as_of.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "customer_id": ["ann"], "merchant_id": ["m"], "merchant_category": [None],
    ...     "purchased_at": pd.to_datetime(["2024-01-01 18:00"]), "cents": [None], "offered": [False],
    ... })
    >>> days_covered(coded_visits(frame), as_of=date(2024, 1, 31), days=730)
    30
    """
    if not len(visits):
        return days
    until = (as_of - date(1970, 1, 1)).days
    return min(days, until - int(visits.at_us.min() // _DAY_US))


def _codes(values: pd.Series[Any]) -> tuple[Array, tuple[str, ...]]:
    """Return codes by the order of the texts, -1 where unknown, and the texts."""
    codes, names = pd.factorize(values, sort=True)
    return codes.astype(np.int64), tuple(str(name) for name in names)
