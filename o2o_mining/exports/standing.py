"""Who may be on a list, and why the others may not: consent, profiling and holdouts, by the last word there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.core.errors import O2OError
from o2o_mining.engine.portable import drawn
from o2o_mining.exports.consent import ASSUMED, REFUSED, SILENT, STATED, with_consent

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.home import Home

HELD_OUT = "holdout"
NOT_PROFILED = "profiling_refused"

LISTED = (STATED, ASSUMED)
LEFT_OUT = (REFUSED, SILENT, NOT_PROFILED, HELD_OUT)
_SAID = {
    REFUSED: "refused {purpose}",
    SILENT: "never said a word on {purpose}",
    NOT_PROFILED: "refused profiling",
    HELD_OUT: "are held out to measure what offers bring",
}


ASSUME = "set assumed_consent = true in settings.toml if those who never said a word agreed elsewhere"


class NobodyError(O2OError):
    """A list would be empty, or too short to be of use.

    Attributes
    ----------
    left_out
        Those left out by reason code.
    """

    def __init__(self, message: str, *, next_step: str, left_out: Mapping[str, int] | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.left_out = dict(left_out or {})


def with_standing(
    home: Home,
    rows: ir.Table,
    *,
    purpose: str,
    settings: Settings,
    held: ir.Table | None = None,
    profiled: bool = False,
) -> ir.Table:
    """One row with ``consent``: the basis on which the customer may be listed, or the first reason why not.

    Parameters
    ----------
    home
        The published snapshot.
    rows
        A table with ``customer_id``.
    purpose
        What the list is for.
    settings
        Of the home: whether silence is consent, and who is held out of everything, drawn as plans of offers draw,
        whether a plan names the customer or not.
    held
        Who is held out besides: ``customer_id``, and what else must be the same.
    profiled
        Whether the rows rest on a profile, which a customer may have refused.

    Returns
    -------
    ibis.Table
        The rows with ``consent``, one of ``LISTED`` or ``LEFT_OUT``.
    """
    feeds = home.table("customers"), home.table("consents")
    known = rows
    if profiled:
        known = with_consent(known, *feeds, purpose="profiling", assumed=True).rename(_profiling="consent")
    known = with_consent(known, *feeds, purpose=purpose, assumed=settings.assumed_consent)
    kept_out = drawn(known.customer_id, salt=settings.holdout_salt, share=settings.global_holdout_share)
    if held is not None:
        named = held.distinct().rename({f"_{key}": key for key in held.columns}).mutate(_named=True)
        known = known.left_join(named, [known[key] == named[f"_{key}"] for key in held.columns])
        kept_out |= known._named.fill_null(False)
    barred = [(~known.consent.isin(LISTED), known.consent)]
    if profiled:
        barred.append((known._profiling == REFUSED, ibis.literal(NOT_PROFILED)))
    barred.append((kept_out, ibis.literal(HELD_OUT)))
    standing = ibis.cases(*barred, else_=known.consent)
    return known.mutate(consent=standing).select(*rows.columns, "consent")


def counted(rows: pa.Table) -> dict[str, int]:
    """Return how many rows there are of each standing."""
    counts = rows["consent"].value_counts().to_pylist()
    return {entry["values"]: entry["counts"] for entry in sorted(counts, key=lambda entry: str(entry["values"]))}


def standings(rows: ir.Table) -> dict[str, int]:
    """Return how many rows there are of each standing, counted where they lie."""
    counts = rows.group_by("consent").aggregate(n=rows.count()).order_by("consent").to_pyarrow().to_pylist()
    return {entry["consent"]: entry["n"] for entry in counts}


def listed(rows: pa.Table) -> pa.Table:
    """Return the rows of those who may be listed."""
    return rows.filter(pc.is_in(rows["consent"], pa.array(LISTED)))


def left_out(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the rows left out by reason."""
    return {reason: counts[reason] for reason in LEFT_OUT if reason in counts}


def refuse_nobody(counts: Mapping[str, int], *, purpose: str, said: str) -> None:
    """Refuse a list that nobody may be on.

    Parameters
    ----------
    counts
        Rows of each standing.
    purpose
        What the list is for.
    said
        What was asked for, in words.

    Raises
    ------
    NobodyError
        With the count of each reason, and the setting to change where silence is one.
    """
    if any(counts.get(basis) for basis in LISTED):
        return
    why = reasons({REFUSED: 0, SILENT: 0} | left_out(counts), purpose=purpose)
    raise NobodyError(
        f"nobody of the {sum(counts.values())} in {said} may be on a list for {purpose}: {why}",
        next_step=ASSUME if counts.get(SILENT) else "ask for others",
        left_out=left_out(counts),
    )


def reasons(counts: Mapping[str, int], *, purpose: str) -> str:
    """Return how many are left out for each reason, in words."""
    return ", ".join(
        f"{counts[reason]} {_SAID[reason].format(purpose=purpose)}" for reason in LEFT_OUT if reason in counts
    )


def notes(counts: Mapping[str, int], *, purpose: str, unit: str = "customers") -> tuple[str, ...]:
    """Return what a user should read on who is listed on which basis, and who is not."""
    found = []
    if counts.get(ASSUMED):
        found.append(
            f"consent of {counts[ASSUMED]} {unit} is assumed (setting assumed_consent): they never said a word"
        )
    total = sum(counts.values())
    for reason, rows in left_out(counts).items():
        found.append(f"{rows} of {total} {unit} left out: they {_SAID[reason].format(purpose=purpose)}")
    return tuple(found)


def consent_said(counts: Mapping[str, int], settings: Settings) -> dict[str, object]:
    """Return what a manifest says of consent."""
    return {
        "basis": "the last word in the snapshot",
        "assumed_consent": settings.assumed_consent,
        "rows_stated": counts.get(STATED, 0),
        "rows_assumed": counts.get(ASSUMED, 0),
    }
