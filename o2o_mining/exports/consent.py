"""Who may be written to: consent by the last word in the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.consent import last_words

if TYPE_CHECKING:
    import ibis.expr.types as ir

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
    words = last_words(customers, consents, purpose=purpose).rename(_speaker="customer_id")
    known = members.left_join(words, members.customer_id == words._speaker)
    unsaid = ibis.literal(ASSUMED if assumed else SILENT)
    basis = ibis.cases((known.word, ibis.literal(STATED)), (~known.word, ibis.literal(REFUSED)), else_=unsaid)
    return known.mutate(consent=basis).select(*members.columns, "consent")
