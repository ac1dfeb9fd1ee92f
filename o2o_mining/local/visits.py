"""Who lives where, and who came to which store from how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.engine.portable import counted, km_between, moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

# Homes are put together on a grid of a thousandth of a degree, about 110 m; distances on steps of 10 m.
GRID, MICRO, STEP_M = 1_000, 1_000_000, 10


def homes(customers: ir.Table, *, as_of: date) -> ir.Table:
    """One place of about 110 m where customers live who had joined before a day.

    Parameters
    ----------
    customers
        The feed.
    as_of
        Uses what was known before this UTC day; who joined at an unknown moment counts.

    Returns
    -------
    ir.Table
        ``grid_lat, grid_lon`` (thousandths of a degree), ``people``, and ``lat, lon``, the sums of their millionths.

    Examples
    --------
    >>> from datetime import date
    >>> import ibis
    >>> from o2o_mining.contracts.catalogue import contract
    >>> homes(ibis.table(contract("customers").schema, name="customers"), as_of=date(2024, 7, 1)).columns[2]
    'people'
    """
    t = _at_home(customers)
    t = t.filter((t.joined_at < moment(as_of)).fill_null(True))
    return t.group_by("grid_lat", "grid_lon").aggregate(
        people=t.count(), lat=counted(t.home_lat, MICRO).sum(), lon=counted(t.home_lon, MICRO).sum()
    )


def store_visits(purchases: ir.Table, customers: ir.Table, stores: ir.Table, *, since: date) -> ir.Table:
    """One store, place and distance from which redemptions came since a day.

    Parameters
    ----------
    purchases
        As known before as_of.
    customers, stores
        The feeds.
    since
        The first day of consumption.

    Returns
    -------
    ir.Table
        ``store_id, merchant_id, grid_lat, grid_lon`` (null where the home is unknown), ``steps`` (of 10 m, as the log
        gives the distance, else from home to store; null where neither is known), ``redemptions``, and ``own`` of
        them, those without a coupon.

    Examples
    --------
    >>> from datetime import date
    >>> import ibis
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = [ibis.table(contract(n).schema, name=n) for n in ("purchases", "customers", "stores")]
    >>> store_visits(*logs, since=date(2024, 1, 1)).columns[-2:]
    ('redemptions', 'own')
    """
    t = redemptions(purchases, since=since)
    who = _at_home(customers).select("grid_lat", "grid_lon", "home_lat", "home_lon", person_id="customer_id")
    t = t.left_join(who, t.customer_id == who.person_id)
    there = stores.select("lat", "lon", place_id="store_id")
    t = t.left_join(there, t.store_id == there.place_id)
    way = t.distance_m.coalesce(km_between(t.home_lat, t.home_lon, t.lat, t.lon) * 1000)
    t = t.mutate(steps=counted(way / STEP_M))
    return t.group_by("store_id", "merchant_id", "grid_lat", "grid_lon", "steps").aggregate(
        redemptions=t.count(), own=t.count(where=t.coupon_id.isnull())
    )


def store_customers(purchases: ir.Table, *, since: date) -> ir.Table:
    """One store with redemptions since a day: customers, and how much their redemptions cluster.

    Parameters
    ----------
    purchases
        As known before as_of.
    since
        The first day of consumption.

    Returns
    -------
    ir.Table
        ``store_id, customers, visits``, and ``squares``, the sum over customers of their squared numbers of visits.

    Examples
    --------
    >>> from datetime import date
    >>> import ibis
    >>> from o2o_mining.contracts.catalogue import contract
    >>> store_customers(ibis.table(contract("purchases").schema, name="p"), since=date(2024, 1, 1)).columns[-1]
    'squares'
    """
    t = redemptions(purchases, since=since)
    each = t.group_by("store_id", "customer_id").aggregate(n=t.count())
    return each.group_by("store_id").aggregate(
        customers=each.count(), visits=each.n.sum(), squares=(each.n * each.n).sum()
    )


def redemptions(purchases: ir.Table, *, since: date) -> ir.Table:
    """One consumption in a known store since a day; what was paid on top of an order is none of its own.

    Parameters
    ----------
    purchases
        As known before as_of.
    since
        The first day.

    Returns
    -------
    ir.Table
        The columns of purchases.

    Examples
    --------
    >>> from datetime import date
    >>> import ibis
    >>> from o2o_mining.contracts.catalogue import contract
    >>> "store_id" in redemptions(ibis.table(contract("purchases").schema, name="p"), since=date(2024, 1, 1)).columns
    True
    """
    t = purchases.filter(
        purchases.consumed_at >= moment(since),
        purchases.store_id.notnull(),
        purchases.cancelled_at.isnull(),
        (purchases.fulfilment != "delivery").fill_null(True),
    )
    ordered = t.filter(t.source == "online", t.redemption_id.notnull()).select("redemption_id")
    return t.filter(t.source == "online").union(t.filter(t.source == "offline").anti_join(ordered, "redemption_id"))


def _at_home(customers: ir.Table) -> ir.Table:
    t = customers.filter(customers.home_lat.notnull(), customers.home_lon.notnull())
    return t.mutate(grid_lat=counted(t.home_lat, GRID), grid_lon=counted(t.home_lon, GRID))
