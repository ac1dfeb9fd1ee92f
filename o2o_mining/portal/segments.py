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
    "rfm": "s.segment_code = ?",
    "lifecycle": "s.lifecycle_stage = ?",
    "cluster": "s.cluster = ?",
    "rule": "list_contains(s.rule_segments, ?)",
}
SCHEMES = tuple(IS_MEMBER)

# Who leaves within the shortest horizon; both question marks take the day.
CHURN = """
    SELECT customer_id, churn_probability, clv_365d FROM churn_scores
    WHERE as_of = CAST(? AS DATE) AND horizon_days = (
        SELECT min(horizon_days) FROM churn_scores WHERE as_of = CAST(? AS DATE))
"""


def members_query(scheme: str) -> str:
    """Return SQL of the members of a segment; its values are the day three times and the code."""
    return f"""
        SELECT s.customer_id, s.recency_days, s.frequency, s.monetary, c.churn_probability, c.clv_365d
        FROM segments s LEFT JOIN ({CHURN}) c USING (customer_id)
        WHERE s.as_of = CAST(? AS DATE) AND {IS_MEMBER[scheme]}
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
