"""What customers said last on the use of their data, by purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

# Messages and lists for people are for marketing; the feed `customers` speaks for this purpose alone.
MARKETING = "marketing"


def last_words(customers: ir.Table, consents: ir.Table, *, purpose: str, as_of: date | None = None) -> ir.Table:
    """One customer with ``word``: the last one on a purpose, null where there is none.

    The last row of ``consents`` for the purpose decides. Without one, ``consent_marketing`` of ``customers`` speaks
    for marketing, and for nothing else.

    Parameters
    ----------
    customers, consents
        The accepted feeds.
    purpose
        ``marketing``, ``ads`` or ``profiling``.
    as_of
        Only what was said before this day counts; without it all that was ever said: a withdrawal counts at once
        where a file leaves the house.
    """
    said = consents.filter(consents.purpose == purpose)
    if as_of is not None:
        said = said.filter(said.changed_at < moment(as_of))
    # Of two words at one moment, the refusal counts.
    order = [ibis.desc(said.changed_at), said.granted.cast("int64")]
    ranked = said.mutate(_place=ibis.row_number().over(group_by=said.customer_id, order_by=order))
    last = ranked.filter(ranked._place == 0).select("customer_id", word="granted")
    if purpose != MARKETING:
        return last
    general = customers.select("customer_id", general="consent_marketing")
    every = general.outer_join(last, "customer_id")
    return every.select(
        customer_id=ibis.coalesce(every.customer_id, every.customer_id_right),
        word=every.word.fill_null(every.general),
    )
