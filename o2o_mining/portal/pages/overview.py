"""The first page: the three wins, what changed, what to do now, and how far the data can be trusted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.offers import read_approvals
from o2o_mining.portal.access.rights import MERCHANT
from o2o_mining.portal.charts import lines
from o2o_mining.portal.portal import Portal, portal_of, viewer_of_request
from o2o_mining.portal.sentences import Sentence, Situation, sentences
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech

router = APIRouter(include_in_schema=False)

PERIOD_DAYS = 30
WEEKS = 26

# The days before `now` in periods: 0 is the last, 1 the one before; a third only tells who could have come back.
_PERIODS = f"""
    WITH bought AS (
        SELECT customer_id, net_amount, discount_amount,
               (date_diff('day', purchased_at::DATE, CAST(? AS DATE)) - 1) // {PERIOD_DAYS} AS period
        FROM purchases
        WHERE cancelled_at IS NULL AND purchased_at < CAST(? AS DATE)
          AND purchased_at >= CAST(? AS DATE) - INTERVAL {3 * PERIOD_DAYS} DAY
    ), buyers AS (
        SELECT customer_id, bool_or(period = 0) AS last, bool_or(period = 1) AS before, bool_or(period = 2) AS earlier
        FROM bought GROUP BY customer_id
    ), came_back AS (
        SELECT count(*) FILTER (last AND before) / nullif(count(*) FILTER (before), 0) AS last,
               count(*) FILTER (before AND earlier) / nullif(count(*) FILTER (earlier), 0) AS before
        FROM buyers
    )
    SELECT period, count(*) AS purchases, count(DISTINCT customer_id) AS buyers, sum(net_amount) AS net_revenue,
           sum(discount_amount) FILTER (discount_amount > 0) AS savings,
           (SELECT CASE WHEN period = 0 THEN last ELSE before END FROM came_back) AS came_back
    FROM bought WHERE period < 2 GROUP BY period
"""
_WEEKLY = f"""
    SELECT CAST(? AS DATE) - 7 * (1 + (date_diff('day', purchased_at::DATE, CAST(? AS DATE)) - 1) // 7)::INT AS week,
           sum(net_amount) AS net_revenue, count(*) AS purchases
    FROM purchases
    WHERE cancelled_at IS NULL AND purchased_at < CAST(? AS DATE)
      AND purchased_at >= CAST(? AS DATE) - INTERVAL {7 * WEEKS} DAY
    GROUP BY week ORDER BY week
"""
_WINS = """
    SELECT sum(merchant_margin) AS margin, count(merchant_margin) AS campaigns,
           sum(offers) / nullif(sum(visits), 0) AS offers_per_visit
    FROM three_wins WHERE as_of = CAST(? AS DATE) AND level = 'campaign'
"""
_QUALITY = """
    SELECT sum(rows_read) AS rows_read, sum(rows_quarantined) AS rows_quarantined,
           max(traced_share) FILTER (feed = '(all)') AS traced_share
    FROM data_quality
"""


@router.get("/")
def overview(request: Request) -> Response:
    """Show the overview; to a merchant's user the way to the own merchants."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    if viewer.user and viewer.role == MERCHANT:
        return portal.page(request, "overview_merchant.html", merchants=viewer.user.merchants)
    snapshot, speech = portal.snapshot, portal.speech(request)
    now = snapshot.now
    last, before = _periods(snapshot, now)
    weeks = _weeks(snapshot, now)
    return portal.page(
        request,
        "overview.html",
        now=now,
        published_at=portal.snapshots.published_at,
        days=PERIOD_DAYS,
        since=now - timedelta(days=PERIOD_DAYS) if now else None,
        last=last,
        before=before,
        wins=_wins(snapshot),
        quality=snapshot.row(_QUALITY),
        sentences=_said(portal, speech, last, before),
        weeks=weeks,
        chart=lines(
            [row["week"] for row in weeks],
            {speech.t("overview.net_revenue"): [row["net_revenue"] for row in weeks]},
            form=",.0f",
        ),
    )


def prepare(snapshot: Snapshot) -> None:
    """Ask beforehand what takes longest."""
    if snapshot.now:
        _periods(snapshot, snapshot.now)
        _weeks(snapshot, snapshot.now)


def _weeks(snapshot: Snapshot, now: date | None) -> list[dict[str, Any]]:
    return snapshot.rows(_WEEKLY, now, now, now, now) if now else []


def _periods(snapshot: Snapshot, now: date | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was bought in the last period, and in the one before."""
    nothing = {"purchases": 0, "buyers": 0, "net_revenue": None, "savings": None, "came_back": None}
    found = {row["period"]: row for row in snapshot.rows(_PERIODS, now, now, now)} if now else {}
    return found.get(0, nothing), found.get(1, nothing)


def _wins(snapshot: Snapshot) -> dict[str, Any]:
    """Return what campaigns brought by the latest figures, and by those of the day mined before."""
    days = snapshot.days("three_wins")
    nothing = {"margin": None, "campaigns": 0, "offers_per_visit": None}
    return {
        "day": days[-1] if days else None,
        "last": (snapshot.row(_WINS, days[-1]) if days else None) or nothing,
        "before": (snapshot.row(_WINS, days[-2]) if len(days) > 1 else None) or nothing,
    }


def _said(portal: Portal, speech: Speech, last: dict[str, Any], before: dict[str, Any]) -> list[Sentence]:
    planned = portal.snapshot.days("targeted_offers")[-1:]
    approved = {one["campaign_id"] for one in read_approvals(portal.home) if one["as_of"] in map(str, planned)}
    known = Situation(portal.snapshot, speech, portal.segment_name, last, before, PERIOD_DAYS, approved)
    return sentences(known)
