"""Features of a customer at a point in time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.features import FEATURES
from o2o_mining.engine.portable import km_between, share
from o2o_mining.marts.bought import of_gaps, of_orders, of_purchases
from o2o_mining.marts.choices import (
    of_campaigns,
    of_channels,
    of_devices,
    of_exposure,
    of_merchants,
    of_stores,
    of_touches,
)
from o2o_mining.marts.people import of_coupons, of_friends, of_people, of_reviews

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.contracts.schema import Column


@dataclass(frozen=True)
class KnownLogs:
    """What features are computed from, all of it as known before one day.

    Attributes
    ----------
    purchases, journey_touches, coupon_lifecycle
        The tables of these names.
    touches
        What `all_touches` returns.
    customers, reviews, merchants, stores
        The feeds.
    everybody
        ``customer_id`` of everybody known.
    """

    purchases: ir.Table
    journey_touches: ir.Table
    coupon_lifecycle: ir.Table
    touches: ir.Table
    customers: ir.Table
    reviews: ir.Table
    merchants: ir.Table
    stores: ir.Table
    everybody: ir.Table

    def tables(self) -> dict[str, ir.Table]:
        """Return the tables by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def customers_seen(tables: Sequence[ir.Table]) -> ir.Table:
    """One customer that any of the tables names.

    Parameters
    ----------
    tables
        Feeds with a ``customer_id``, at least one.

    Returns
    -------
    ir.Table
        ``customer_id``.

    Examples
    --------
    >>> sends, touches = ibis.memtable({"customer_id": ["a", "b"]}), ibis.memtable({"customer_id": ["b"]})
    >>> customers_seen([sends, touches]).order_by("customer_id").execute().customer_id.tolist()
    ['a', 'b']
    """
    return ibis.union(*(table.select("customer_id") for table in tables), distinct=True)


def lacking(feature: Column, missing: Iterable[str]) -> tuple[str, ...]:
    """Return the feeds that a feature needs and that are missing.

    Parameters
    ----------
    feature
        Its column in the contract.
    missing
        Names of feeds that nobody gave.

    Returns
    -------
    tuple of str
        Empty if the feature can be computed.

    Examples
    --------
    >>> (first, *_) = FEATURES
    >>> lacking(first, ["online_orders"]), lacking(first, ["online_orders", "offline_redemptions"])
    ((), ('online_orders', 'offline_redemptions'))
    """
    gone = set(missing)
    wanted = [feeds.split("|") for feeds in feature.feeds]
    return tuple(feed for any_of in wanted if gone.issuperset(any_of) for feed in any_of)


def customer_features(known: KnownLogs, *, as_of: date, timezone: str = "UTC", missing: Iterable[str] = ()) -> ir.Table:
    """One customer with a purchase before a day, or known before it, and what was known of them.

    Parameters
    ----------
    known
        The tables as known before the day.
    as_of
        The day, D. "The last 30 days" are those from D - 30 to the day before D.
    timezone
        IANA name of the time that weekdays and hours are reckoned in.
    missing
        Feeds that nobody gave: features that need them are null.

    Returns
    -------
    ir.Table
        ``customer_id`` and the features of ``contracts/features.py``. Counts are 0 where nothing happened, shares and
        means null. Sums of money are null if no amount is known.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.contracts.catalogue import contract
    >>> tables = {field.name: field.name for field in fields(KnownLogs)} | {"everybody": "customers"}
    >>> known = {name: ibis.table(contract(table).schema, name=table) for name, table in tables.items()}
    >>> customer_features(KnownLogs(**known), as_of=date(2024, 1, 1)).columns == contract(
    ...     "customer_features").column_names[1:]
    True
    """
    bought = known.purchases.filter(known.purchases.cancelled_at.isnull())
    t = customers_seen([bought, known.everybody])
    for part in _parts(known, bought, as_of=as_of, timezone=timezone):
        part = part.rename(owner_id="customer_id")
        t = t.left_join(part, t.customer_id == part.owner_id).drop("owner_id")
    t = t.mutate(
        home_to_visits_km=km_between(t.home_lat, t.home_lon, t.visited_lat, t.visited_lon),
        recency_over_gap=t.recency_days / t.mean_gap_days.nullif(0.0),
        exposed_purchase_share=share(t.n_exposed_purchases.fill_null(0), t.n_purchases),
    )
    return t.select("customer_id", **{f.name: _value(t, f, missing) for f in FEATURES})


def _parts(known: KnownLogs, bought: ir.Table, *, as_of: date, timezone: str) -> Sequence[ir.Table]:
    return (
        of_purchases(bought, as_of=as_of, timezone=timezone),
        of_gaps(bought),
        of_orders(known.purchases, as_of=as_of),
        of_merchants(bought, known.merchants, as_of=as_of),
        of_stores(bought, known.stores),
        of_touches(known.touches, as_of=as_of),
        of_campaigns(known.touches, as_of=as_of),
        of_channels(known.touches),
        of_devices(known.touches),
        of_exposure(known.journey_touches),
        of_coupons(known.coupon_lifecycle, as_of=as_of),
        of_people(known.customers, as_of=as_of),
        of_friends(known.customers, bought, as_of=as_of),
        of_reviews(known.reviews, as_of=as_of),
    )


def _value(t: ir.Table, feature: Column, missing: Iterable[str]) -> ir.Value:
    """Return a feature: null without its feeds, a count of nothing 0."""
    if lacking(feature, missing):
        return ibis.null(feature.engine_type)
    value = t[feature.name].cast(feature.engine_type)
    return value.fill_null(0) if feature.name.startswith("n_") or feature.name == "refunded_amount" else value
