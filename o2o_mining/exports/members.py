"""The members of a segment as a list: who may be on it, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.core.settings import Settings
from o2o_mining.engine.consent import MARKETING
from o2o_mining.engine.home import Home
from o2o_mining.exports.audiences import Audience, release_audience
from o2o_mining.exports.release import Content, ExportReport, Order, Words, named_stream, release, slice_day
from o2o_mining.exports.standing import (
    LISTED,
    consent_said,
    left_out,
    notes,
    refuse_nobody,
    standings,
    with_standing,
)

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
    segment_name: Words,
    settings: Settings,
    as_of: date | str | None = None,
    format: str = "csv",  # noqa: A002 - what the user calls it
    language: str | None = None,
    out: Path | str | None = None,
    requested_by: str | None = None,
    platform: str = "",
    operation: str = "",
    dry_run: bool = False,
) -> ExportReport:
    """Write the members of a segment who consent, for people or for an ad platform, with a manifest beside the file.

    Nobody is listed who is held out of all offers: an ad would spoil the comparison that the holdout is for.

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
    format, language, out, requested_by, platform, operation, dry_run
        As ``Order`` has them.

    Returns
    -------
    ExportReport
        Where the file is, its rows, and who was left out and why.

    Raises
    ------
    UsageError
        If there is no such segment, slice, format, language, platform or operation.
    O2OError
        If nobody in the segment may be listed, or too few for the platform.

    Examples
    --------
    >>> from o2o_mining.engine.home import open_home
    >>> export_segment(open_home("no-such-home"), "lost", segment_name=str.join, settings=Settings())
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    order = Order(settings, format, language, out, requested_by, platform, operation, dry_run)
    return _release(home, segment, order, slice_day(home, "segments", as_of), segment_name)


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
    members = everybody.filter((everybody.as_of == ibis.literal(day)) & everybody.segment_code.notnull())
    asked = _with_standing(home, members, MARKETING, settings)
    may = asked.filter(asked.consent.isin(LISTED))
    counted = may.group_by("segment_code").aggregate(members=may.count())
    codes = counted.order_by(ibis.desc("members"), "segment_code").to_pyarrow()["segment_code"].to_pylist()
    return [str(code) for code in codes]


def _release(home: Home, segment: str, order: Order, day: date, segment_name: Words) -> ExportReport:
    everybody = home.table("segments")
    everybody = everybody.filter(everybody.as_of == ibis.literal(day))
    scheme, code, found = find_segment([everybody], segment, segment_name, said=f"as of {day}")
    members = everybody.filter(is_member(everybody, scheme, code))
    asked = _with_standing(home, members, order.purpose, order.settings)
    counts = standings(asked)
    refuse_nobody(counts, purpose=order.purpose, said=f"segment {code} as of {day}")
    about: dict[str, Any] = {
        "stem": f"segment-{'' if scheme == 'rfm' else f'{scheme}-'}{code}-{day}",
        "said": {
            "table": "segments",
            "scheme": scheme,
            "segment": code,
            "as_of": str(day),
            "purpose": order.purpose,
            "consent": consent_said(counts, order.settings),
        },
        "left_out": left_out(counts),
        "notes": (*found, *notes(counts, purpose=order.purpose)),
    }
    if order.platform:
        people = asked.filter(asked.consent.isin(LISTED)).select("customer_id")
        return release_audience(Audience(people=people, **about), order, home)
    rows = asked.filter(asked.consent.isin(LISTED)).select(*_LISTED).order_by("customer_id")
    n_rows = sum(counts.get(basis, 0) for basis in LISTED)
    words = {"segment_code": segment_name}
    shown, fields = named_stream(home, rows, n_rows, "segments", order, words=words)
    return release(Content(title=segment_name(code, order.spoken), rows=shown, fields=fields, **about), order, home)


def _with_standing(home: Home, members: ir.Table, purpose: str, settings: Settings) -> ir.Table:
    return with_standing(home, members, purpose=purpose, settings=settings)


def is_member(segments: ir.Table, scheme: str, code: str) -> ir.BooleanValue:
    """Return whether a customer is in a segment of a scheme."""
    column = segments[SCHEMES[scheme]]
    return column.contains(code) if scheme == "rule" else (column == code).fill_null(False)


def find_segment(
    days: Sequence[ir.Table], asked: str, segment_name: Words, *, said: str
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
