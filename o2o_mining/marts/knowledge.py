"""What was known before a day: the feeds, masked to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.catalogue import tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.core.errors import UsageError
from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

# The moment from which on a row of a feed was known.
OWN_TIME = {feed.name: feed.at for feed in tables(Kind.FEED) if feed.at}
# Lists to look things up in. Who lists campaigns row by row leaves out those that start later.
LASTING = frozenset({"merchants", "stores", "products", "coupons", "coupon_products", "campaigns"})


def known_rows(feed: str, rows: ir.Table, *, as_of: date) -> ir.Table:
    """One row of the feed as it was known before a day.

    Rows of that day or later are left out; a row without a time (a customer who joined nobody knows when) stays. A
    cancellation or refund of that day or later is taken back together with its effect: its amount is null and the
    order counts as paid.

    Parameters
    ----------
    feed
        Name of the feed.
    rows
        The feed.
    as_of
        The day, D: only what happened before D 00:00 UTC is known.

    Returns
    -------
    ir.Table
        The same columns.

    Raises
    ------
    UsageError
        If rows of that feed carry no time and last no longer than what they belong to (basket lines).

    Examples
    --------
    >>> from datetime import date, datetime
    >>> touches = ibis.memtable({"touch_id": ["a", "b"], "touched_at": [datetime(2024, 1, 1), datetime(2024, 1, 2)]})
    >>> known_rows("touches", touches, as_of=date(2024, 1, 2)).touch_id.execute().tolist()
    ['a']
    """
    if feed in LASTING:
        return rows
    if feed not in OWN_TIME:
        raise UsageError(f"rows of the feed {feed} carry no time of their own", next_step="mask what they belong to")
    before = moment(as_of)
    at = rows[OWN_TIME[feed]]
    known = rows.filter(at.isnull() | (at < before))
    if "refunded_at" in known.columns:
        known = _without_later_refunds(known, before)
    if "cancelled_at" in known.columns:
        undone = known.cancelled_at >= before
        known = known.mutate(
            cancelled_at=undone.ifelse(ibis.null(known.cancelled_at.type()), known.cancelled_at),
            status=(undone & (known.status == "cancelled")).ifelse("paid", known.status),
        )
    return known


def later_rows(feed: str, rows: ir.Table, *, as_of: date) -> ir.Table:
    """One row of the feed that `known_rows` leaves out or changes.

    Parameters
    ----------
    feed, rows, as_of
        As in `known_rows`.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> touches = ibis.memtable({"touch_id": ["a", "b"], "touched_at": [datetime(2024, 1, 1), datetime(2024, 1, 2)]})
    >>> later_rows("touches", touches, as_of=date(2024, 1, 2)).touch_id.execute().tolist()
    ['b']
    """
    moments = [OWN_TIME[feed]] if feed in OWN_TIME else []
    moments += [name for name in ("refunded_at", "cancelled_at") if moments and name in rows.columns]
    return rows.filter(ibis.or_(*(rows[name] >= moment(as_of) for name in moments)))


def _without_later_refunds(rows: ir.Table, before: ir.TimestampScalar) -> ir.Table:
    later = rows.refunded_at >= before
    masked = {
        name: later.ifelse(ibis.null(rows[name].type()), rows[name]) for name in ("refunded_at", "refunded_amount")
    }
    if "status" in rows.columns:
        masked["status"] = (later & (rows.status == "refunded")).ifelse("paid", rows.status)
    return rows.mutate(**masked)
