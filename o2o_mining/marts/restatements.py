"""What was published before and is told otherwise now: late rows and corrections, with old and new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.catalogue import contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import ibis.expr.types as ir

# The column that stands for a whole row that came or went, and what is said of it.
ROW, PRESENT = "(row)", "present"


@dataclass(frozen=True)
class Part:
    """Columns that are settled at one moment: a value whose moment had not come when it was published is no news."""

    cause: str
    columns: tuple[str, ...]
    settled_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """How a table of events is compared with what was published of it.

    Of ``derived`` columns another table tells already.
    """

    key: str
    parts: tuple[Part, ...] = ()
    derived: tuple[str, ...] = ()


TOLD = {
    "purchases": Told(
        "purchase_id",
        (
            Part("refund", ("refunded_at", "refunded_amount", "net_amount"), ("refunded_at",)),
            Part("cancellation", ("cancelled_at",), ("cancelled_at",)),
            Part("consumption", ("consumed_at", "redemption_id", "store_id", "distance_m"), ("consumed_at",)),
        ),
    ),
    "journeys": Told(
        "journey_id",
        (Part("touch", ("started_at", "ended_at", "n_touches", "path", "days_to_convert")),),
        derived=("net_value",),
    ),
    "coupon_lifecycle": Told(
        "receipt_id",
        (
            Part("use", ("redeemed_at", "redemption_id", "days_to_redeem", "discount_amount"), ("redeemed_at",)),
            Part("state", ("state",), ("redeemed_at", "expires_at")),
        ),
    ),
    "attribution_ledger": Told("entry_id"),
}


def changed_rows(old: ir.Table, new: ir.Table, told: Told) -> ir.Table:
    """One row per key that one side lacks or tells otherwise: the columns of both, as ``old_…`` and ``new_…``.

    Parameters
    ----------
    old, new
        The table as published, and as it is.
    told
        How it is compared.
    """
    before = old.rename("old_{name}")
    after = new.rename("new_{name}")
    both = before.outer_join(after, before[f"old_{told.key}"] == after[f"new_{told.key}"])
    same = ibis.literal(True)
    for column in new.columns:
        if column not in told.derived:
            same &= both[f"old_{column}"].identical_to(both[f"new_{column}"])
    return both.filter(~same)


def restatements(changed: ir.Table, *, table: str, since: date, lookback_days: int) -> ir.Table:
    """One row per value that was published and is told otherwise, though nothing has happened since that explains it.

    Parameters
    ----------
    changed
        What ``changed_rows`` gives.
    table
        Its name; ``TOLD`` says how it is compared.
    since
        The day before which everything had happened that was published.
    lookback_days
        For so long touches without a purchase stay open, and are told of only then.
    """
    told = TOLD[table]
    rows = [_came_or_went(changed, table, since, lookback_days)]
    rows += list(_values(changed, told, since))
    return ibis.union(*rows, distinct=False).mutate(table=ibis.literal(table))


def _came_or_went(changed: ir.Table, table: str, since: date, lookback_days: int) -> ir.Table:
    told = TOLD[table]
    came, went = changed[f"old_{told.key}"].isnull(), changed[f"new_{told.key}"].isnull()
    at = changed[f"new_{contract(table).at}"]
    open_until = ibis.literal(since - timedelta(days=lookback_days)).cast("timestamp(6)")
    late = at < ibis.literal(since).cast("timestamp(6)")
    if table == "journeys":  # one without a purchase is told of only once it is over
        late = changed.new_converted.ifelse(late, at < open_until)
    return changed.filter(went | (came & late)).select(
        key=ibis.coalesce(changed[f"old_{told.key}"], changed[f"new_{told.key}"]),
        column=ibis.literal(ROW),
        old=went.ifelse(PRESENT, ibis.null("string")),
        new=went.ifelse(ibis.null("string"), PRESENT),
        cause=went.ifelse("withdrawn", "late_row"),
    )


def _values(changed: ir.Table, told: Told, since: date) -> Iterator[ir.Table]:
    """Yield for every column the rows that both sides have and tell otherwise."""
    in_both = changed[f"old_{told.key}"].notnull() & changed[f"new_{told.key}"].notnull()
    columns = [name.removeprefix("new_") for name in changed.columns if name.startswith("new_")]
    for column in columns:
        if column in (told.key, *told.derived):
            continue
        part = next((part for part in told.parts if column in part.columns), Part("correction", ()))
        old, new = changed[f"old_{column}"], changed[f"new_{column}"]
        told_now = in_both & ~old.identical_to(new)
        if part.settled_at:
            # What has lost its moment was settled when it had one.
            moments = (changed[f"{side}_{name}"] for name in part.settled_at for side in ("new", "old"))
            settled = ibis.coalesce(*moments)
            told_now &= (settled < ibis.literal(since).cast("timestamp(6)")).fill_null(True)
        yield changed.filter(told_now).select(
            key=changed[f"old_{told.key}"],
            column=ibis.literal(column),
            old=old.cast("string"),
            new=new.cast("string"),
            cause=ibis.literal(part.cause),
        )


def amounts_by_day(changed: ir.Table, found: ir.Table) -> ir.Table:
    """One day on which purchases were made whose net amount is told otherwise: ``day``, and the sums ``old``, ``new``.

    Parameters
    ----------
    changed
        What ``changed_rows`` gives of purchases.
    found
        What ``restatements`` gives of that.
    """
    restated = found.filter(found["column"].isin((ROW, "net_amount"))).select("key").distinct()
    rows = changed.mutate(key=ibis.coalesce(changed.old_purchase_id, changed.new_purchase_id))
    rows = rows.semi_join(restated, "key")
    return rows.group_by(day=ibis.coalesce(rows.new_purchased_at, rows.old_purchased_at).date()).aggregate(
        **{side: rows[f"{side}_net_amount"].sum().fill_null(0).cast("float64") for side in ("old", "new")}
    )


def chained(before: ir.Table, found: ir.Table) -> ir.Table:
    """One row per value restated in one slice, run after run: the first old value and the last new one.

    Parameters
    ----------
    before, found
        What the slice holds, and what a run found on top of it.
    """
    identity = ["table", "key", "column"]
    first = before.rename(first="old").select(*identity, "first")
    known = found.left_join(first, identity).select(
        *identity, old=ibis.coalesce(first["first"], found["old"]), new=found["new"], cause=found["cause"]
    )
    kept = before.anti_join(found, identity).select(*identity, "old", "new", "cause")
    every = ibis.union(known, kept, distinct=False)
    return every.filter(~every["old"].identical_to(every["new"]))
