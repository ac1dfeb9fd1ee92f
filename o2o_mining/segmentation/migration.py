"""Who moved from which segment to which between two days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Scheme -> column of `segments`; a customer is in several segments by rule.
SCHEME_COLUMNS = {"rfm": "segment_code", "cluster": "cluster", "lifecycle": "lifecycle_stage"}
RULE = "rule"
NOWHERE = "(none)"


def memberships(segments: ir.Table, scheme: str) -> ir.Table:
    """One customer in one segment of a scheme: ``customer_id`` and ``code``.

    Parameters
    ----------
    segments
        The rows of one day.
    scheme
        ``rfm``, ``cluster``, ``lifecycle`` or ``rule``.
    """
    if scheme == RULE:
        return segments.select("customer_id", code=segments.rule_segments.unnest())
    column = segments[SCHEME_COLUMNS[scheme]]
    return segments.filter(column.notnull()).select("customer_id", code=column)


def segment_migration(now: ir.Table, before: ir.Table) -> ir.Table:
    """One move from a segment to another, or a stay: ``scheme``, ``from_code``, ``to_code`` and ``customers``.

    Who is in no segment of the scheme, or not known at all, is in ``(none)``; from there to there is no move.

    Parameters
    ----------
    now, before
        ``segments`` of two days.
    """
    return ibis.union(*(_moves(now, before, scheme) for scheme in (*SCHEME_COLUMNS, RULE)))


def _moves(now: ir.Table, before: ir.Table, scheme: str) -> ir.Table:
    to = memberships(now, scheme).rename(to_code="code")
    of = memberships(before, scheme).rename(from_code="code", of_customer="customer_id")
    # A customer is in several segments by rule: each is left, kept or entered for itself.
    same = to.customer_id == of.of_customer
    on = (same & (to.to_code == of.from_code)) if scheme == RULE else same
    both = to.outer_join(of, on)
    moved = both.select(
        scheme=ibis.literal(scheme),
        from_code=both.from_code.fill_null(NOWHERE),
        to_code=both.to_code.fill_null(NOWHERE),
    )
    return moved.group_by(["scheme", "from_code", "to_code"]).aggregate(customers=moved.count())
