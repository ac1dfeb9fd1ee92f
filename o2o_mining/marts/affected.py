"""The customers whose rows in a table of events may be others now than when the table was made.

A row of the feeds concerns its customer; and whoever shares an order, a visit, a receipt, a use, a tracking code, a
coupon or a campaign with a changed row. Time concerns those whose touches have led to nothing by now, and whose coupons
have expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import ibis

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine

# What rows of several feeds, and so of several customers, name in common.
_NAMED = {
    "online_orders": {"order": "order_id", "receipt": "receipt_id", "use": "order_id"},
    "offline_redemptions": {
        "order": "order_id", "receipt": "receipt_id", "visit": "redemption_id", "use": "redemption_id",
    },
    "coupon_receipts": {"receipt": "receipt_id"},
    "coupon_redemptions": {
        "order": "order_id", "receipt": "receipt_id", "visit": "redemption_id", "use": "coupon_redemption_id",
    },
}  # fmt: skip
_CARRY_CODES = ("sends", "online_orders", "offline_redemptions")
_NAME_COUPONS = ("online_orders", "offline_redemptions", "coupon_receipts", "coupon_redemptions")
_NAME_CAMPAIGNS = ("touches", "sends", "online_orders")
# Past this share of the purchases it is faster to make everything anew, and chains this long are no coincidence.
_MOST = 0.1
_LONGEST_CHAIN = 5


@dataclass(frozen=True)
class Told:
    """What a table of events is made with beside the feeds.

    Attributes
    ----------
    now
        The default day of the input, for tables that look at it.
    lookback_days, reuse_touches
        The settings.
    """

    now: date = date.min
    lookback_days: int = 0
    reuse_touches: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is noted."""
        return {"now": str(self.now), "lookback_days": self.lookback_days, "reuse_touches": self.reuse_touches}


def affected_customers(engine: Engine, table: str, feeds: tuple[str, ...], told: Told) -> ir.Table | None:
    """Return the customers whose rows in a table of events must be made anew; none if all must.

    Parameters
    ----------
    engine
        The store.
    table
        The table of events, as it was made last.
    feeds
        The feeds it is made of.
    told
        What it is made with now.

    Returns
    -------
    ir.Table or None
        ``customer_id``, staged. Whoever shares an order, visit, receipt or use with one of them is among them.
    """
    since = engine.changes_since(table, feeds)
    if since is None:
        return None
    before, changed = since
    now = date.fromisoformat(before["now"])
    if now > told.now or before != {**told.as_dict(), "now": before["now"]}:
        return None
    changed = engine.stage(changed)
    concerned = [*_concerned(engine, changed), *_overtaken(engine, table, since=now, told=told)]
    found = engine.stage(ibis.union(*concerned, distinct=True))
    most = _MOST * int(engine.execute(engine.read("purchases").count()))
    for _ in range(_LONGEST_CHAIN):
        customers = int(engine.execute(found.count()))
        if customers > most:
            return None
        found = engine.stage(_with_partners(engine, found))
        if int(engine.execute(found.count())) == customers:
            return found
    return None


def _concerned(engine: Engine, changed: ir.Table) -> Iterator[ir.Table]:
    """Yield the customers of changed rows, and of rows that name what changed."""
    customers = changed.filter(changed.name == "customer_id")
    yield customers.select(customer_id="value")
    codes = changed.filter(changed.name == "tracking_code").select(tracking_code="value")
    coupons = changed.filter(changed.table == "coupons").select(coupon_id="value")
    campaigns = changed.filter(changed.table == "campaigns").select(campaign_id="value")
    of_campaigns = [
        feed.semi_join(campaigns, "campaign_id").filter(lambda t: t.tracking_code.notnull()).select("tracking_code")
        for feed in map(engine.read, _NAME_CAMPAIGNS)
    ]
    codes = ibis.union(codes, *of_campaigns, distinct=True)
    for names, what, value in (
        (_CARRY_CODES, codes, "tracking_code"),
        (_NAME_COUPONS, coupons, "coupon_id"),
        (("purchases", "online_orders"), campaigns, "campaign_id"),
    ):
        for name in names:
            yield engine.read(name).semi_join(what, value).select("customer_id")


def _overtaken(engine: Engine, table: str, *, since: date, told: Told) -> Iterator[ir.Table]:
    """Yield the customers of whom the mere passing of time tells something new."""
    if table == "journey_touches":
        back = timedelta(days=told.lookback_days)
        for feed in ("touches", "sends"):
            contacts = engine.read(feed)
            at = contacts[contract(feed).at]
            yield contacts.filter((at >= moment(since - back)) & (at < moment(told.now - back))).select("customer_id")
    if table == "coupon_lifecycle":
        held = engine.read(table)
        ended = (held.expires_at >= moment(since)) & (held.expires_at < moment(told.now))
        yield held.filter(ended).select("customer_id")


def _with_partners(engine: Engine, customers: ir.Table) -> ir.Table:
    """Return the customers with all who name something that they name."""
    every = ibis.union(*_names(engine), distinct=False)
    theirs = every.semi_join(customers, "customer_id").select("kind", "value").distinct()
    partners = every.semi_join(theirs, ["kind", "value"]).select("customer_id")
    return ibis.union(customers, partners, distinct=True)


def _names(engine: Engine) -> Iterator[ir.Table]:
    for feed, names in _NAMED.items():
        rows = engine.read(feed)
        for kind, column in names.items():
            named = rows.filter(rows[column].notnull())
            yield named.select("customer_id", kind=ibis.literal(kind), value=named[column])
