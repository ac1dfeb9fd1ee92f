"""Offers: who gets what and why, what it is expected to bring, and the approval of a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from o2o_mining.core.errors import HomeError
from o2o_mining.core.moments import parse_day
from o2o_mining.engine.home import Home
from o2o_mining.exports import FORMATS, Order, platforms
from o2o_mining.offers import approve as approve_plan
from o2o_mining.offers import read_approvals, reason_text
from o2o_mining.portal.charts import curve
from o2o_mining.portal.downloads import LARGE, Preview, downloaded, offers_list, ordered, previewed
from o2o_mining.portal.listing import Column, Listing, Shown, listed
from o2o_mining.portal.portal import Portal, portal_of, viewer_of_request
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech
from o2o_mining.tracking import make_keys, mint_many

router = APIRouter(include_in_schema=False)

TABLE = "targeted_offers"
# How the plan differs from the one before.
CHANGES = ("new", "kept", "gone")
# Points of a campaign's curve.
_POINTS = 20

_PLANS = Listing(
    query="""
        WITH o AS (
            SELECT campaign_id, count(*) AS offers, sum(expected_value) AS expected_value,
                   sum(expected_cost) AS expected_cost
            FROM targeted_offers WHERE as_of = CAST(? AS DATE) GROUP BY campaign_id
        ), h AS (
            SELECT campaign_id, count(*) AS held_out FROM offer_holdouts
            WHERE as_of = CAST(? AS DATE) GROUP BY campaign_id
        ), x AS (
            SELECT campaign_id, count(*) AS without FROM offer_exclusions
            WHERE as_of = CAST(? AS DATE) GROUP BY campaign_id
        )
        SELECT campaign_id, coalesce(c.name, campaign_id) AS name, CAST(c.ends_at AS DATE) AS ends_on, c.budget,
               coalesce(offers, 0) AS offers, expected_value, expected_cost,
               coalesce(held_out, 0) AS held_out, coalesce(without, 0) AS without
        FROM o FULL JOIN h USING (campaign_id) FULL JOIN x USING (campaign_id) LEFT JOIN campaigns c USING (campaign_id)
    """,
    columns=(
        Column("name", "text", "offers.campaign", link="/offers/{campaign_id}?as_of={day}"),
        Column("offers", "number", "offers.offers"),
        Column("expected_value", "money", "offers.expected_value"),
        Column("expected_cost", "money", "offers.expected_cost"),
        Column("budget", "money", "offers.budget"),
        Column("held_out", "number", "offers.held_out"),
        Column("without", "number", "offers.without"),
        Column("ends_on", "day", "offers.ends"),
        Column("state", "text", "offers.state", sortable=False),
    ),
    key=("campaign_id",),
)

_PLAN = "SELECT * FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ? AND (? = '' OR channel = ?)"
# The offers of who is new, kept or gone since the plan before; of who is gone those of then.
_CHANGED = f"""
    WITH now AS ({_PLAN}), before AS ({_PLAN})
    SELECT now.*, CASE WHEN b.customer_id IS NULL THEN 'new' ELSE 'kept' END AS change
    FROM now LEFT JOIN (
        SELECT DISTINCT customer_id FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ?
    ) b USING (customer_id)
    UNION ALL
    SELECT before.*, 'gone' AS change FROM before ANTI JOIN (
        SELECT customer_id FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ?
    ) USING (customer_id)
"""
_OFFERS = Listing(
    query=_PLAN,
    columns=(
        Column("customer_id", "text", "offers.customer", link="/customers/{customer_id}"),
        Column("coupon_id", "text", "offers.coupon"),
        Column("channel", "text", "offers.channel"),
        Column("send_on", "day", "offers.send_on"),
        Column("reasons", "words", "offers.reasons", sortable=False),
        Column("redemption_probability", "share", "offers.redemption_probability"),
        Column("uplift", "share", "offers.uplift"),
        Column("expected_value", "money", "offers.expected_value"),
        Column("expected_cost", "money", "offers.expected_cost"),
        Column("basis", "text", "offers.basis", shown="basis_name"),
    ),
    key=("rank", "customer_id", "coupon_id"),
    search="customer_id",
)
_TOTALS = """
    SELECT count(*) AS offers, count(DISTINCT customer_id) AS customers, sum(expected_value) AS expected_value,
           sum(expected_cost) AS expected_cost, sum(value_merchant) AS value_merchant,
           sum(value_customer) AS value_customer, sum(value_platform) AS value_platform,
           count(*) FILTER (margin_basis = 'setting') AS on_a_setting,
           sum(redemption_probability) AS redemptions
    FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ?
"""
_NOT_SENT = """
    SELECT reason_code AS code, false AS is_held, count(*) AS customers FROM offer_exclusions
    WHERE as_of = CAST(? AS DATE) AND campaign_id = ? GROUP BY reason_code
    UNION ALL
    SELECT kind, true, count(*) FROM offer_holdouts
    WHERE as_of = CAST(? AS DATE) AND campaign_id = ? GROUP BY kind
    ORDER BY customers DESC, code
"""
_CURVE = f"""
    WITH ranked AS (
        SELECT sum(expected_cost) OVER w AS cost, sum(expected_value) OVER w AS value, row_number() OVER w AS place,
               count(*) OVER () AS n
        FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ?
        WINDOW w AS (ORDER BY rank, customer_id, coupon_id ROWS UNBOUNDED PRECEDING)
    )
    SELECT place, cost, value FROM ranked WHERE place = n OR place % greatest(n // {_POINTS}, 1) = 0 ORDER BY place
"""
_COMPARED = """
    WITH now AS (
        SELECT customer_id, sum(expected_value) AS value, sum(expected_cost) AS cost FROM targeted_offers
        WHERE as_of = CAST(? AS DATE) AND campaign_id = ? GROUP BY customer_id
    ), before AS (
        SELECT customer_id, sum(expected_value) AS value, sum(expected_cost) AS cost FROM targeted_offers
        WHERE as_of = CAST(? AS DATE) AND campaign_id = ? GROUP BY customer_id
    )
    SELECT CASE WHEN before.customer_id IS NULL THEN 'new' WHEN now.customer_id IS NULL THEN 'gone' ELSE 'kept' END
               AS change,
           count(*) AS customers, sum(coalesce(now.value, 0) - coalesce(before.value, 0)) AS value,
           sum(coalesce(now.cost, 0) - coalesce(before.cost, 0)) AS cost
    FROM now FULL JOIN before USING (customer_id) GROUP BY change
"""


@router.get("/offers")
def offers(request: Request, as_of: str = "") -> Response:
    """Show the plan of a day: its campaigns, and what more or less money would bring."""
    portal = portal_of(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, _ = snapshot.chosen(TABLE, as_of)
    shown = listed(snapshot, _PLANS, (day, day, day), dict(request.query_params))
    approvals = _approvals(portal, day)
    rows = [{**row, "day": day, "state": _state(approvals.get(row["campaign_id"]), speech)} for row in shown.rows]
    budgets = snapshot.rows(
        "SELECT * FROM offer_budget_curve WHERE as_of = CAST(? AS DATE) ORDER BY budget_percent", day
    )
    return portal.page(
        request,
        "offers/list.html",
        day=day,
        days=snapshot.days(TABLE),
        shown=replace(shown, rows=rows),
        budgets=budgets,
        chart=curve(
            [(row["budget"], row["expected_value"]) for row in budgets],
            across=speech.t("offers.budget"),
            up=speech.t("offers.expected_value"),
        ),
    )


@router.get("/offers/{campaign_id:path}")
def campaign_offers(
    request: Request, campaign_id: str, as_of: str = "", change: str = "", channel: str = ""
) -> Response:
    """Show who gets which offer of a campaign and why, what it brings, and how the plan differs from the last."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, before = snapshot.chosen(TABLE, as_of)
    not_sent = _not_sent(snapshot, speech, campaign_id, day)
    totals = snapshot.row(_TOTALS, day, campaign_id)
    if totals is None or not (totals["offers"] or not_sent):
        raise HTTPException(404)
    wanted = change if change in CHANGES else ""
    listing, values = _asked_for(campaign_id, day, before, wanted, channel)
    shown = _in_words(listed(snapshot, listing, values, dict(request.query_params)), speech)
    if viewer.user:
        seen = f"page {shown.page}" + (f", search {shown.searched}" if shown.searched else "")
        portal.access.audit.note(
            "people_seen", user=viewer.name, address=viewer.address, subject=f"offers {campaign_id}", detail=seen
        )
    found = snapshot.row("SELECT * FROM campaigns WHERE campaign_id = ?", campaign_id)
    return portal.page(
        request,
        "offers/campaign.html",
        campaign_id=campaign_id,
        name=(found or {}).get("name") or campaign_id,
        campaign=found,
        day=day,
        before=before,
        days=snapshot.days(TABLE),
        totals=totals,
        not_sent=not_sent,
        curve=_curve(snapshot, speech, campaign_id, day),
        compared=_compared(snapshot, campaign_id, day, before),
        channels=_channels(snapshot, campaign_id, day),
        change=wanted,
        channel=channel,
        changes=CHANGES,
        shown=shown,
        approval=_approvals(portal, day).get(campaign_id),
        is_stale=_is_past(snapshot, day),
        snapshot_name=snapshot.name,
        may_download=totals["offers"] and viewer.may_open(f"/download/offers/{campaign_id}"),
        may_approve=viewer.may_open(f"/approve/offers/{campaign_id}", "POST"),
    )


@router.post("/approve/offers/{campaign_id:path}")
def approve(
    request: Request,
    campaign_id: str,
    as_of: Annotated[str, Form()] = "",
    snapshot: Annotated[str, Form()] = "",
) -> Response:
    """Approve the plan of a campaign as it was seen: what it sends stands in the landing folder then."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    if snapshot != portal.snapshot.name:
        return portal.page(request, "error.html", status=409, text="offers.changed_since", detail="")
    if _is_past(portal.snapshot, parse_day(as_of)):
        return portal.page(request, "error.html", status=409, text="offers.past", detail="")
    home = Home(portal.home)
    try:
        done = approve_plan(
            home,
            mint=lambda ids, days: mint_many(ids, valid_until=days, keys=make_keys(portal.home)),
            settings=portal.settings,
            approved_by=viewer.name,
            campaigns=[campaign_id],
            as_of=parse_day(as_of),
        )[0]
    except HomeError as error:
        return portal.page(request, "error.html", status=409, text="offers.stale", detail=str(error))
    finally:
        home.close()
    if done.files:
        portal.access.audit.note(
            "approved", user=viewer.name, address=viewer.address, subject=f"offers {campaign_id}",
            detail=(
                f"plan of {done.as_of}, {done.sent} sent, {done.control} control, {done.withdrawn} consent withdrawn, "
                f"{done.profiling_refused} profiling refused, {done.held_out} held out"
            ),
        )  # fmt: skip
    return RedirectResponse(f"/offers/{quote(campaign_id, safe='')}?{urlencode({'as_of': as_of})}", 303)


@router.get("/download/offers/{campaign_id:path}")
def preview(request: Request, campaign_id: str) -> Response:
    """Show how many offers would be on the list, and which would be left out and why, before it is made."""
    portal, speech = portal_of(request), portal_of(request).speech(request)
    day = _planned(portal.snapshot, campaign_id)
    order = ordered(portal, viewer_of_request(request), dict(request.query_params), speech.language)
    found = portal.snapshot.row("SELECT name FROM campaigns WHERE campaign_id = ?", campaign_id)
    return portal.page(
        request,
        "download.html",
        title=(found or {}).get("name") or campaign_id,
        origin=f"/offers/{quote(campaign_id, safe='')}",
        day=day,
        choices=(*FORMATS, *platforms()),
        chosen=order.platform or order.format,
        counted="download.rows" if order.platform else "offers.offers_listed",
        preview=_previewed(portal, campaign_id, order),
    )


@router.post("/download/offers/{campaign_id:path}")
def download(request: Request, campaign_id: str, wanted: Annotated[str, Form(alias="as")] = "") -> Response:
    """Give the list of the offers whose customers may be on it."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    _planned(portal.snapshot, campaign_id)
    order = ordered(portal, viewer, {"as": wanted}, portal.speech(request).language)
    return downloaded(portal, viewer, f"offers {campaign_id}", order, offers_list(campaign_id))


def prepare(snapshot: Snapshot) -> None:
    """Ask beforehand what takes longest: what the latest plan of each campaign adds up to, and its best offers."""
    if not snapshot.days(TABLE):
        return
    day, before = snapshot.chosen(TABLE, "")
    for row in listed(snapshot, _PLANS, (day, day, day), {}).rows:
        campaign_id = row["campaign_id"]
        snapshot.row(_TOTALS, day, campaign_id)
        snapshot.rows(_NOT_SENT, day, campaign_id, day, campaign_id)
        snapshot.rows(_CURVE, day, campaign_id)
        _compared(snapshot, campaign_id, day, before)
        _channels(snapshot, campaign_id, day)
        listing, values = _asked_for(campaign_id, day, before, "", "")
        listed(snapshot, listing, values, {})


def look_ahead(portal: Portal) -> None:
    """Make out beforehand who would be on large lists for people."""
    snapshot, order = portal.snapshot, Order(portal.settings)
    days = snapshot.days(TABLE)
    for row in listed(snapshot, _PLANS, (days[-1],) * 3, {}).rows if days else []:
        if row["offers"] >= LARGE:
            _previewed(portal, row["campaign_id"], order)


def _previewed(portal: Portal, campaign_id: str, order: Order) -> Preview:
    return previewed(portal, f"offers {campaign_id}", order, offers_list(campaign_id))


def _planned(snapshot: Snapshot, campaign_id: str) -> date:
    """Return the day of the latest plan; lists are of it alone."""
    day, _ = snapshot.chosen(TABLE, "")
    totals = snapshot.row(_TOTALS, day, campaign_id)
    if totals is None or not totals["offers"]:
        raise HTTPException(404)
    return day


def _is_past(snapshot: Snapshot, day: date) -> bool:
    """Return whether the data go on beyond the day of a plan, or another plan came after it."""
    return day < max([*snapshot.days(TABLE)[-1:], *([snapshot.now] if snapshot.now else [])], default=day)


def _approvals(portal: Portal, day: date) -> dict[str, dict[str, Any]]:
    """Return what of the plan of a day was approved, by campaign; older entries name fewer reasons."""
    nothing = {"profiling_refused": 0, "held_out": 0}
    return {one["campaign_id"]: nothing | one for one in read_approvals(portal.home) if one["as_of"] == str(day)}


def _state(approval: dict[str, Any] | None, speech: Speech) -> str:
    return speech.t("offers.approved_by", name=approval["approved_by"]) if approval else speech.t("offers.open")


def _asked_for(
    campaign_id: str, day: date, before: date | None, change: str, channel: str
) -> tuple[Listing, tuple[Any, ...]]:
    """Return the offers asked for as a table, and the values of its query."""
    now, then = (day, campaign_id, channel, channel), (before, campaign_id, channel, channel)
    if not change:
        return _OFFERS, now
    changed = replace(_OFFERS, query=f"SELECT * FROM ({_CHANGED}) WHERE change = ?")
    return changed, (*now, *then, *then[:2], *now[:2], change)


def _in_words(shown: Shown, speech: Speech) -> Shown:
    rows = [
        {
            **row,
            "reasons": speech.listed([reason_text(code, speech.language) for code in row["reason_codes"]]),
            "basis_name": speech.code("basis", row["basis"]),
        }
        for row in shown.rows
    ]
    return replace(shown, rows=rows)


def _not_sent(snapshot: Snapshot, speech: Speech, campaign_id: str, day: date) -> list[tuple[str, int]]:
    rows = snapshot.rows(_NOT_SENT, day, campaign_id, day, campaign_id)
    return [(speech.code("kind" if row["is_held"] else "reason_code", row["code"]), row["customers"]) for row in rows]


def _curve(snapshot: Snapshot, speech: Speech, campaign_id: str, day: date) -> dict[str, Any]:
    """Return what the best offers bring for what they cost, the more the farther to the right."""
    rows = snapshot.rows(_CURVE, day, campaign_id)
    points = [(row["cost"], row["value"]) for row in rows]
    drawn = curve(points, across=speech.t("offers.expected_cost"), up=speech.t("offers.expected_value"))
    return {"rows": rows, "chart": drawn}


def _compared(snapshot: Snapshot, campaign_id: str, day: date, before: date | None) -> list[dict[str, Any]]:
    """Return how many customers are new, kept and gone since the last plan, and by how much money differs."""
    if before is None:
        return []
    found = {row["change"]: row for row in snapshot.rows(_COMPARED, day, campaign_id, before, campaign_id)}
    nothing = {"customers": 0, "value": 0, "cost": 0}
    return [{**nothing, **found.get(change, {}), "change": change} for change in CHANGES]


def _channels(snapshot: Snapshot, campaign_id: str, day: date) -> list[str]:
    rows = snapshot.rows(
        "SELECT DISTINCT channel FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ? ORDER BY 1",
        day, campaign_id,
    )  # fmt: skip
    return [row["channel"] for row in rows]
