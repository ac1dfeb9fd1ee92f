"""Data quality: what became of each file, what was rejected and why, and how much can be traced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.portal.charts import bars
from o2o_mining.portal.listing import Column, Listing, listed
from o2o_mining.portal.masking import masked
from o2o_mining.portal.portal import portal_of, viewer_of_request
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech

router = APIRouter(include_in_schema=False)

ALL = "(all)"
# What is said of a reason; a rule over whole rows keeps its name.
_SAID = {
    "malformed_line": "quality.malformed_line",
    "missing_key": "quality.missing_key",
    "bad_type": "quality.bad_type",
    "missing_value": "quality.missing_value",
    "not_allowed": "quality.not_allowed",
    "out_of_range": "quality.out_of_range",
    "time_order": "quality.time_order",
}

_FILES = Listing(
    query="""
        SELECT *, rows_quarantined / nullif(rows_read, 0) AS quarantined_share FROM data_quality
        WHERE feed <> '(all)' AND (? = '' OR feed = ?)
          AND (? = '' OR rows_quarantined > 0 OR rows_duplicate > 0 OR orphans > 0 OR rows_read = 0)
    """,
    columns=(
        Column("feed", "text", "quality.feed"),
        Column("file", "text", "quality.file"),
        Column("rows_read", "number", "quality.rows_read"),
        Column("rows_accepted", "number", "quality.rows_accepted"),
        Column("rows_quarantined", "number", "quality.rows_quarantined"),
        Column("quarantined_share", "share", "quality.quarantined_share"),
        Column("rows_duplicate", "number", "quality.rows_duplicate"),
        Column("orphans", "number", "quality.orphans"),
    ),
    key=("feed", "file"),
)
_TOTALS = """
    SELECT sum(rows_read) AS rows_read, sum(rows_quarantined) AS rows_quarantined,
           sum(rows_duplicate) AS rows_duplicate, sum(orphans) AS orphans,
           max(traced_share) FILTER (feed = '(all)') AS traced_share
    FROM data_quality
"""
_REJECTED = Listing(
    query="""
        SELECT feed, file, line, reason, raw FROM quarantine WHERE (? = '' OR feed = ?) AND (? = '' OR reason = ?)
    """,
    columns=(
        Column("file", "text", "quality.file"),
        Column("line", "number", "quality.line"),
        Column("feed", "text", "quality.feed"),
        Column("reason", "text", "quality.reason", shown="why"),
        Column("raw", "words", "quality.record", sortable=False, shown="masked"),
    ),
    key=("feed", "file", "line"),
)


@router.get("/quality")
def quality(request: Request, feed: str = "", only: str = "") -> Response:
    """Show what became of every file, and why records were rejected."""
    portal = portal_of(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    reasons = _reasons(snapshot, speech)
    drawn = [f"{row['feed']}: {row['why']}" for row in reasons[:15]]
    return portal.page(
        request,
        "quality/files.html",
        totals=snapshot.row(_TOTALS),
        feeds=_feeds(snapshot),
        feed=feed,
        only=only,
        shown=listed(snapshot, _FILES, (feed, feed, only), dict(request.query_params)),
        reasons=reasons,
        chart=bars(drawn, [row["records"] for row in reasons[:15]]),
    )


@router.get("/quality/quarantine")
def quarantine(request: Request, feed: str = "", reason: str = "") -> Response:
    """Show rejected records with file, line and reason; what identifies a person is masked for everybody."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    shown = listed(snapshot, _REJECTED, (feed, feed, reason, reason), dict(request.query_params))
    rows = [
        {**row, "why": _why(row["reason"], speech), "masked": masked(row["feed"], row["raw"])} for row in shown.rows
    ]
    portal.access.audit.note(
        "people_seen", user=viewer.name, address=viewer.address, subject="quarantine",
        detail=f"page {shown.page}, feed {feed or 'any'}, reason {reason or 'any'}",
    )  # fmt: skip
    return portal.page(
        request,
        "quality/quarantine.html",
        feeds=_feeds(snapshot),
        feed=feed,
        reasons=sorted({(row["reason"], row["why"]) for row in _reasons(snapshot, speech)}),
        reason=reason,
        shown=replace(shown, rows=rows),
    )


def _feeds(snapshot: Snapshot) -> list[tuple[str, str]]:
    rows = snapshot.rows("SELECT DISTINCT feed FROM data_quality WHERE feed <> ? ORDER BY 1", ALL)
    return [(row["feed"], row["feed"]) for row in rows]


def _reasons(snapshot: Snapshot, speech: Speech) -> list[dict[str, Any]]:
    """Return how many records were rejected for which reason, the most frequent first."""
    rows = snapshot.rows(
        "SELECT feed, reason, count(*) AS records FROM quarantine GROUP BY feed, reason "
        "ORDER BY records DESC, feed, reason"
    )
    return [{**row, "why": _why(row["reason"], speech)} for row in rows]


def _why(reason: str, speech: Speech) -> str:
    """Return what a reason says, with the column at fault."""
    rule, _, column = reason.partition(":")
    said = speech.t(_SAID[rule]) if rule in _SAID else rule
    return f"{column}{': ' if speech.language == 'en' else '：'}{said}" if column else said
