"""What pages and calls ask of segments."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from o2o_mining.engine.home import Home
from o2o_mining.exports import ExportReport, Order, export_segment
from o2o_mining.portal.downloads import Making
from o2o_mining.portal.snapshot import Snapshot

if TYPE_CHECKING:
    from o2o_mining.portal.portal import Portal

# Who is in a segment of each scheme; the question mark takes its code.
IS_MEMBER = {
    "rfm": "segment_code = ?",
    "lifecycle": "lifecycle_stage = ?",
    "cluster": "cluster = ?",
    "rule": "list_contains(rule_segments, ?)",
}
SCHEMES = tuple(IS_MEMBER)

_EVERYBODY = """
    SELECT s.*, c.churn_probability, c.clv_365d
    FROM segments s LEFT JOIN (
        SELECT * FROM churn_scores
        WHERE as_of = DATE '{day}'
          AND horizon_days = (SELECT min(horizon_days) FROM churn_scores WHERE as_of = DATE '{day}')
    ) c USING (customer_id)
    WHERE s.as_of = DATE '{day}' ORDER BY s.customer_id
"""


def everybody(snapshot: Snapshot, day: date) -> str:
    """Return SQL of all customers as of a day, with their segments and who leaves within the shortest horizon.

    Those of the latest day are kept in memory: most questions are about them.
    """
    query = _EVERYBODY.format(day=day.isoformat())
    if day not in snapshot.days("segments")[-1:]:
        return f"({query})"
    snapshot.keep("portal_everybody", query)
    return "portal_everybody"


def members_query(snapshot: Snapshot, day: date, scheme: str) -> str:
    """Return SQL of the members of a segment as of a day; its value is the code."""
    return f"""
        SELECT customer_id, recency_days, frequency, monetary, churn_probability, clv_365d
        FROM {everybody(snapshot, day)} WHERE {IS_MEMBER[scheme]}
    """


def segment_profile(snapshot: Snapshot, scheme: str, code: str, day: date | None) -> dict[str, Any] | None:
    """Return the profile of a segment as of a day, if there is one."""
    return snapshot.row(
        "SELECT * FROM segment_profiles WHERE as_of = CAST(? AS DATE) AND scheme = ? AND segment_code = ?",
        day, scheme, code,
    )  # fmt: skip


def segment_list(portal: Portal, scheme: str, code: str) -> Making:
    """Return what makes the list of the members of a segment who may be on it."""

    def make(home: Home, order: Order) -> ExportReport:
        return export_segment(home, f"{scheme}:{code}", segment_name=portal.segment_name, **vars(order))

    return make
