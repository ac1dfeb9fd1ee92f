"""Who may be written to: consent by the last word in the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Lists of members for people are for marketing; the feed `customers` speaks for this purpose alone.
MARKETING = "marketing"

STATED = "stated"
ASSUMED = "assumed"
REFUSED = "consent_refused"
SILENT = "no_word_on_consent"


def with_consent(
    members: ir.Table, customers: ir.Table, consents: ir.Table, *, purpose: str, assumed: bool
) -> ir.Table:
    """One member with ``consent``: the basis on which it may be used, or why it may not.

    The last row of ``consents`` for the purpose decides, whenever it was said: a withdrawal after the last order
    counts. Without one, ``consent_marketing`` of ``customers`` speaks for marketing, and for nothing else.

    Parameters
    ----------
    members
        A table with ``customer_id``.
    customers, consents
        The accepted feeds.
    purpose
        What the list is for: ``marketing``, ``ads`` or ``profiling``.
    assumed
        Whether no word at all means yes.

    Returns
    -------
    ibis.Table
        The members with ``consent``: ``stated`` or ``assumed`` for those who may be used, ``consent_refused`` or
        ``no_word_on_consent`` for those who may not.
    """
    said = consents.filter(consents.purpose == purpose)
    # Of two words at one moment, the refusal comes first.
    order = [ibis.desc(said.changed_at), said.granted.cast("int64")]
    ranked = said.mutate(_place=ibis.row_number().over(group_by=said.customer_id, order_by=order))
    last = ranked.filter(ranked._place == 0).select(_speaker="customer_id", _last="granted")
    general = customers.select(_customer="customer_id", _general="consent_marketing")
    known = members.left_join(last, members.customer_id == last._speaker)
    known = known.left_join(general, known.customer_id == general._customer)
    word = known._last.fill_null(known._general) if purpose == MARKETING else known._last
    unsaid = ibis.literal(ASSUMED if assumed else SILENT)
    basis = ibis.cases((word, ibis.literal(STATED)), (~word, ibis.literal(REFUSED)), else_=unsaid)
    return known.mutate(consent=basis).select(*members.columns, "consent")
