"""The members of a segment as a list for marketers: who may be written to, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.home import Home
from o2o_mining.exports.consent import ASSUMED, MARKETING, REFUSED, SILENT, STATED, with_consent
from o2o_mining.exports.headings import LANGUAGES
from o2o_mining.exports.release import Content, ExportReport, Order, named, release, slice_day

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Scheme -> column of `segments`, in the order in which a code is looked for.
SCHEMES = {"rfm": "segment_code", "cluster": "cluster", "lifecycle": "lifecycle_stage", "rule": "rule_segments"}

_LISTED = (
    "customer_id", "segment_code", "recency_days", "frequency", "monetary", "r_score", "f_score", "m_score",
    "consent", "as_of",
)  # fmt: skip


def export_segment(
    home: Home,
    segment: str,
    *,
    segment_name: Callable[[str, str], str],
    settings: Settings,
    as_of: date | str | None = None,
    format: str = "csv",  # noqa: A002 - what the user calls it
    language: str | None = None,
    out: Path | str | None = None,
    requested_by: str | None = None,
) -> ExportReport:
    """Write the members of a segment who consent to marketing, with a manifest beside the file.

    Parameters
    ----------
    home
        The published snapshot.
    segment
        Code of an RFM segment, cluster, stage or segment by rule, or its name in any of the languages. A code that
        several schemes have is that of the first of them; ``lifecycle:lost`` names the other.
    segment_name
        From a code and a language to what the segment is called.
    settings
        Of the home. With ``assumed_consent`` those who never said a word are listed, and the file says so.
    as_of
        Day of the slice; the latest by default.
    format, language, out, requested_by
        As ``Order`` has them.

    Returns
    -------
    ExportReport
        Where the file is, its rows, and who was left out and why.

    Raises
    ------
    UsageError
        If there is no such segment, slice, format or language.
    O2OError
        If nobody in the segment may be written to.

    Examples
    --------
    >>> from o2o_mining.engine.home import open_home
    >>> export_segment(open_home("no-such-home"), "lost", segment_name=str.join, settings=Settings())
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    order = Order(settings, format, language, out, requested_by)
    day = slice_day(home, "segments", as_of)
    return release(_content(home, segment, day, order, segment_name), order, home)


def reachable_segments(home: Home, *, settings: Settings) -> list[str]:
    """Return the segments of the latest day in which somebody may be written to, the longest list first.

    Parameters
    ----------
    home
        The published snapshot.
    settings
        Of the home: whether silence is consent.

    Returns
    -------
    list of str
        Codes.

    Examples
    --------
    >>> from o2o_mining.engine.home import open_home
    >>> reachable_segments(open_home("no-such-home"), settings=Settings())
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    day = slice_day(home, "segments", None)
    everybody = home.table("segments")
    named = everybody.filter((everybody.as_of == ibis.literal(day)) & everybody.segment_code.notnull())
    asked = with_consent(
        named, home.table("customers"), home.table("consents"), purpose=MARKETING, assumed=settings.assumed_consent
    )
    may = asked.filter(asked.consent.isin([STATED, ASSUMED]))
    counted = may.group_by("segment_code").aggregate(members=may.count())
    codes = counted.order_by(ibis.desc("members"), "segment_code").to_pyarrow()["segment_code"].to_pylist()
    return [str(code) for code in codes]


def _content(home: Home, segment: str, day: date, order: Order, segment_name: Callable[[str, str], str]) -> Content:
    everybody = home.table("segments")
    everybody = everybody.filter(everybody.as_of == ibis.literal(day))
    scheme, code, notes = find_segment([everybody], segment, segment_name, said=f"as of {day}")
    assumed = order.settings.assumed_consent
    members = _members(home, everybody.filter(is_member(everybody, scheme, code)), assumed=assumed)
    bases = _counts(members)
    may = members.filter(pc.is_in(members["consent"], pa.array([STATED, ASSUMED])))
    if not may.num_rows:
        raise O2OError(
            f"nobody of the {members.num_rows} in segment {code} as of {day} may be written to: "
            f"{bases.get(REFUSED, 0)} refused, {bases.get(SILENT, 0)} never said a word on marketing",
            next_step="set assumed_consent = true in settings.toml if those who never said a word agreed elsewhere",
        )
    rows, fields = named(may, "segments", order, types={"consent": "text"}, segment_name=segment_name)
    consent = {
        "basis": "the last word in the snapshot",
        "assumed_consent": assumed,
        "rows_stated": bases.get(STATED, 0),
        "rows_assumed": bases.get(ASSUMED, 0),
    }
    return Content(
        stem=f"segment-{'' if scheme == 'rfm' else f'{scheme}-'}{code}-{day}",
        title=segment_name(code, order.spoken),
        rows=rows,
        fields=fields,
        said={
            "table": "segments",
            "scheme": scheme,
            "segment": code,
            "as_of": str(day),
            "purpose": MARKETING,
            "consent": consent,
        },
        left_out={reason: bases[reason] for reason in (REFUSED, SILENT) if reason in bases},
        notes=(*notes, *_notes(bases, members.num_rows)),
    )


def _members(home: Home, members: ir.Table, *, assumed: bool) -> Any:
    """Return the members with the basis of consent, sorted by key."""
    known = with_consent(
        members,
        home.table("customers"),
        home.table("consents"),
        purpose=MARKETING,
        assumed=assumed,
    )
    return known.select(*_LISTED).order_by("customer_id").to_pyarrow()


def is_member(segments: ir.Table, scheme: str, code: str) -> ir.BooleanValue:
    """Return whether a customer is in a segment of a scheme."""
    column = segments[SCHEMES[scheme]]
    return column.contains(code) if scheme == "rule" else (column == code).fill_null(False)


def find_segment(
    days: Sequence[ir.Table], asked: str, segment_name: Callable[[str, str], str], *, said: str
) -> tuple[str, str, tuple[str, ...]]:
    """Return the scheme and the code of a segment that is asked for, and a note where another scheme has it, too.

    Parameters
    ----------
    days
        ``segments`` of each day in which the segment may be.
    asked
        A code, a name in any of the languages, or either behind a scheme and a colon.
    segment_name
        From a code and a language to a name.
    said
        The days in words, for the message.

    Raises
    ------
    UsageError
        If nobody is in such a segment.
    """
    scheme, _, rest = asked.partition(":")
    schemes, wanted = ([scheme], rest) if scheme in SCHEMES and rest else (list(SCHEMES), asked)
    known = [(one, code) for one in schemes for code in sorted({code for day in days for code in _codes(day, one)})]
    found = []
    for one, code in known:
        names = {code, *(segment_name(code, language) for language in LANGUAGES)}
        if wanted.casefold() in {name.casefold() for name in names}:
            found.append((one, code))
    if not found:
        codes = ", ".join(code for _, code in known)
        raise UsageError(
            f"no customer is in a segment '{asked}' {said}",
            next_step=f"use one of {codes}" if codes else "look at `o2o status`: nobody has a segment as of that day",
        )
    notes = tuple(f"scheme {one} has a segment {code}, too: {one}:{code}" for one, code in found[1:])
    return *found[0], notes


def _codes(segments: ir.Table, scheme: str) -> list[str]:
    column = segments[SCHEMES[scheme]]
    codes = segments.select(code=column.unnest() if scheme == "rule" else column).distinct().to_pyarrow()["code"]
    return [str(code) for code in codes.to_pylist() if code]


def _counts(members: Any) -> dict[str, int]:
    counted = members["consent"].value_counts().to_pylist()
    return {str(entry["values"]): int(entry["counts"]) for entry in counted}


def _notes(bases: dict[str, int], members: int) -> tuple[str, ...]:
    notes = []
    if bases.get(ASSUMED):
        notes.append(
            f"consent of {bases[ASSUMED]} customers is assumed (setting assumed_consent): they never said a word"
        )
    for reason, said in ((REFUSED, "refused marketing"), (SILENT, "never said a word on marketing")):
        if bases.get(reason):
            notes.append(f"{bases[reason]} of {members} customers left out: they {said}")
    return tuple(notes)
