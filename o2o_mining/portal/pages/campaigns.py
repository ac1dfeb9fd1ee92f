"""Campaigns: what each cost and brought, by every model, by experiment, and down to the path of one conversion."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.contracts.attribution import MODELS
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.portal.charts import bars, intervals
from o2o_mining.portal.listing import Column, Listing, listed
from o2o_mining.portal.portal import portal_of, viewer_of_request
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech

router = APIRouter(include_in_schema=False)

TABLE = "campaign_attribution"
USUAL_MODEL = "last_non_direct"
# The outcome whose effect is drawn: it is known without amounts.
DRAWN = "purchases"
_KINDS = {"credit": "campaigns.kind_credit", "refund": "campaigns.kind_refund"}

# The sharper estimate of each campaign and outcome: cuped has a row beside itt only where it is sharper.
_EFFECTS = """
    SELECT *, row_number() OVER (
        PARTITION BY campaign_id, outcome ORDER BY (method = 'cuped') DESC, method
    ) AS place
    FROM incrementality WHERE as_of = CAST(? AS DATE)
"""
_CAMPAIGNS = Listing(
    query=f"""
        SELECT c.campaign_id, coalesce(c.name, c.campaign_id) AS name, c.channel,
               CAST(c.starts_at AS DATE) AS starts_on, a.conversions, a.net_revenue, a.cost, a.roas,
               e.total_effect, e.effect_low, e.effect_high, e.label
        FROM campaigns c
        LEFT JOIN campaign_attribution a
          ON a.id = c.campaign_id AND a.level = 'campaign' AND a.as_of = CAST(? AS DATE)
          AND a.window_start = CAST(? AS DATE) AND a.model = ?
        LEFT JOIN ({_EFFECTS}) e ON e.campaign_id = c.campaign_id AND e.outcome = '{DRAWN}' AND e.place = 1
        WHERE (? = '' OR c.channel = ?) AND (? = '' OR e.label = ?)
    """,
    columns=(
        Column("name", "text", "campaigns.campaign", link="/campaigns/{campaign_id}?as_of={day}"),
        Column("channel", "text", "campaigns.channel"),
        Column("starts_on", "day", "campaigns.starts"),
        Column("cost", "money", "campaigns.cost"),
        Column("conversions", "decimal", "campaigns.conversions"),
        Column("net_revenue", "money", "campaigns.net_revenue"),
        Column("roas", "decimal", "campaigns.roas"),
        Column("total_effect", "decimal", "campaigns.more_purchases"),
        Column("label", "text", "campaigns.rests_on", shown="label_name"),
    ),
    key=("starts_on", "campaign_id"),
)
_LEDGER = Listing(
    query="""
        SELECT l.purchase_id, l.customer_id, l.credited_at, l.channel, l.kind, l.share, l.amount, l.entry_id
        FROM attribution_ledger l WHERE l.model = ? AND l.campaign_id = ?
    """,
    columns=(
        Column("purchase_id", "text", "campaigns.conversion", link="/conversions/{purchase_id}"),
        Column("customer_id", "text", "campaigns.customer", link="/customers/{customer_id}"),
        Column("credited_at", "moment", "campaigns.credited_at"),
        Column("channel", "text", "campaigns.channel"),
        Column("kind", "text", "campaigns.kind", shown="kind_name"),
        Column("share", "share", "campaigns.share"),
        Column("amount", "money", "campaigns.amount"),
    ),
    key=("credited_at", "entry_id"),
    search="purchase_id",
)
# The funnel of whom the campaign is for: of its merchant, else of its channel, else of everybody.
_FUNNEL = """
    SELECT * FROM funnel
    WHERE as_of = CAST(? AS DATE) AND window_start = CAST(? AS DATE)
      AND ((dimension = 'merchant' AND id = ?) OR (dimension = 'channel' AND id = ?) OR dimension = 'total')
    ORDER BY CASE dimension WHEN 'merchant' THEN 0 WHEN 'channel' THEN 1 ELSE 2 END, position
"""


@router.get("/campaigns")
def campaigns(
    request: Request, as_of: str = "", window: str = "", model: str = USUAL_MODEL, channel: str = "", label: str = ""
) -> Response:
    """Show what every campaign cost and brought, as a model has it and as far as an experiment tells."""
    portal = portal_of(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, _ = snapshot.chosen(TABLE, as_of)
    model = model if model in TOUCH_MODELS else USUAL_MODEL
    starts = _windows(snapshot, day)
    start = _window(starts, window)
    values = (day, start, model, day, channel, channel, label, label)
    shown = listed(snapshot, _CAMPAIGNS, values, dict(request.query_params))
    rows = [{**row, "day": day, "label_name": speech.code("label", row["label"])} for row in shown.rows]
    drawn = [row for row in rows if row["net_revenue"]]
    best = sorted(drawn, key=lambda row: (-row["net_revenue"], row["campaign_id"]))[:20]
    return portal.page(
        request,
        "campaigns/list.html",
        day=day,
        days=snapshot.days(TABLE),
        windows=_said_windows(starts, day, speech),
        window=start,
        models=[(one, speech.code("model", one)) for one in TOUCH_MODELS],
        model=model,
        channels=_channels(snapshot),
        channel=channel,
        labels=[(one, speech.code("label", one)) for one in ("experiment", "observational", "refused")],
        label=label,
        shown=replace(shown, rows=rows),
        best=best,
        chart=bars([row["name"] for row in best], [row["net_revenue"] for row in best], form=",.0f"),
    )


@router.get("/campaigns/{campaign_id:path}")
def campaign(
    request: Request, campaign_id: str, as_of: str = "", window: str = "", model: str = USUAL_MODEL
) -> Response:
    """Show one campaign: the models side by side, what it caused, its return, its funnel, and its ledger."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    found = snapshot.row("SELECT * FROM campaigns WHERE campaign_id = ?", campaign_id)
    if found is None:
        raise HTTPException(404)
    day, _ = snapshot.chosen(TABLE, as_of)
    model = model if model in TOUCH_MODELS else USUAL_MODEL
    starts = _windows(snapshot, day)
    start = _window(starts, window)
    shown = listed(snapshot, _LEDGER, (model, campaign_id), dict(request.query_params))
    if viewer.user:
        seen = f"page {shown.page}" + (f", search {shown.searched}" if shown.searched else "")
        portal.access.audit.note(
            "people_seen", user=viewer.name, address=viewer.address, subject=f"ledger {campaign_id}", detail=seen
        )
    rows = [{**row, "kind_name": speech.t(_KINDS[row["kind"]])} for row in shown.rows]
    return portal.page(
        request,
        "campaigns/campaign.html",
        campaign=found,
        name=found["name"] or campaign_id,
        day=day,
        days=snapshot.days(TABLE),
        windows=_said_windows(starts, day, speech),
        window=start,
        models=[(one, speech.code("model", one)) for one in TOUCH_MODELS],
        model=model,
        credited=_credited(snapshot, speech, campaign_id, day, start),
        effects=_effects(snapshot, speech, campaign_id, day),
        wins=_wins(snapshot, campaign_id, day),
        funnel=_funnel(snapshot, speech, found, day, start),
        shown=replace(shown, rows=rows),
        may_see_merchant=found["merchant_id"] and viewer.may_open(f"/merchants/{found['merchant_id']}"),
        is_planned=_is_planned(snapshot, campaign_id),
    )


@router.get("/conversions/{purchase_id:path}")
def conversion(request: Request, purchase_id: str) -> Response:
    """Show the path of one conversion, and what each model credits to each touch."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot = portal.snapshot
    purchase = snapshot.row("SELECT * FROM purchases WHERE purchase_id = ?", purchase_id)
    if purchase is None:
        raise HTTPException(404)
    if viewer.user:
        portal.access.audit.note(
            "people_seen", user=viewer.name, address=viewer.address, subject=f"conversion {purchase_id}"
        )
    entries = snapshot.rows(
        "SELECT model, touch_id, kind, share, amount FROM attribution_ledger WHERE purchase_id = ?", purchase_id
    )
    credit = {(row["touch_id"], row["model"]): row["amount"] for row in entries if row["kind"] == "credit"}
    touches = snapshot.rows(
        """
        SELECT t.*, coalesce(c.name, t.campaign_id) AS campaign_name
        FROM journey_touches t LEFT JOIN campaigns c USING (campaign_id)
        WHERE t.journey_id = ? ORDER BY t.position
        """,
        purchase_id,
    )
    return portal.page(
        request,
        "campaigns/conversion.html",
        purchase=purchase,
        journey=snapshot.row("SELECT * FROM journeys WHERE purchase_id = ?", purchase_id),
        touches=touches,
        credit=credit,
        models=TOUCH_MODELS,
        refunds=sum((row["amount"] for row in entries if (row["kind"], row["model"]) == ("refund", USUAL_MODEL)), 0),
    )


def _windows(snapshot: Snapshot, day: date) -> list[date]:
    """Return the first days of the windows, the longest first."""
    rows = snapshot.rows(
        "SELECT DISTINCT window_start FROM campaign_attribution WHERE as_of = CAST(? AS DATE) ORDER BY 1", day
    )
    return [row["window_start"] for row in rows]


def _window(starts: list[date], asked: str) -> date | None:
    return {str(one): one for one in starts}.get(asked, starts[0] if starts else None)


def _said_windows(starts: list[date], day: date, speech: Speech) -> list[tuple[date, str]]:
    """Return what the windows are called: all history, or their days."""
    return [
        (one, speech.t("campaigns.window_all") if number == 0 else speech.t("campaigns.window_days", days=said))
        for number, one in enumerate(starts)
        for said in [speech.number((day - one).days)]
    ]


def _channels(snapshot: Snapshot) -> list[str]:
    rows = snapshot.rows("SELECT DISTINCT channel FROM campaigns WHERE channel IS NOT NULL ORDER BY 1")
    return [row["channel"] for row in rows]


def _credited(snapshot: Snapshot, speech: Speech, campaign_id: str, day: date, start: date | None) -> dict[str, Any]:
    """Return what each model credits to the campaign, in the order of the models."""
    found = {
        row["model"]: row
        for row in snapshot.rows(
            """
            SELECT * FROM campaign_attribution
            WHERE as_of = CAST(? AS DATE) AND window_start = CAST(? AS DATE) AND level = 'campaign' AND id = ?
            """,
            day, start, campaign_id,
        )
    }  # fmt: skip
    rows = [{**found[model], "name": speech.code("model", model)} for model in MODELS if model in found]
    return {
        "rows": rows,
        "chart": bars([row["name"] for row in rows], [row["net_revenue"] for row in rows], form=",.0f"),
    }


def _effects(snapshot: Snapshot, speech: Speech, campaign_id: str, day: date) -> dict[str, Any]:
    """Return what the campaign changed of each outcome by each method, or why that cannot be said."""
    rows = snapshot.rows(
        """
        SELECT * FROM incrementality WHERE as_of = CAST(? AS DATE) AND campaign_id = ?
        ORDER BY list_position(['converted', 'purchases', 'net_revenue', 'margin'], outcome), method
        """,
        day, campaign_id,
    )  # fmt: skip
    drawn = [
        (speech.code("method", row["method"]), row["effect"], row["effect_low"], row["effect_high"])
        for row in rows
        if row["outcome"] == DRAWN and row["effect_low"] is not None and row["effect_high"] is not None
    ]
    return {"rows": rows, "drawn": drawn, "chart": intervals(drawn)}


def _wins(snapshot: Snapshot, campaign_id: str, day: date) -> dict[str, Any] | None:
    if day not in snapshot.days("three_wins"):
        return None
    return snapshot.row(
        "SELECT * FROM three_wins WHERE as_of = CAST(? AS DATE) AND level = 'campaign' AND id = ?", day, campaign_id
    )


def _funnel(
    snapshot: Snapshot, speech: Speech, campaign: dict[str, Any], day: date, start: date | None
) -> dict[str, Any]:
    if day not in snapshot.days("funnel"):
        return {"rows": []}
    rows = snapshot.rows(_FUNNEL, day, start, campaign["merchant_id"], campaign["channel"])
    rows = [row for row in rows if row["dimension"] == rows[0]["dimension"]]
    names = [speech.code("stage", row["stage"]) for row in rows]
    return {
        "rows": [{**row, "name": name} for row, name in zip(rows, names, strict=True)],
        "of": speech.code("dimension", rows[0]["dimension"]) if rows else "",
        "id": rows[0]["id"] if rows and rows[0]["dimension"] != "total" else "",
        "chart": bars(names, [row["people"] for row in rows]),
    }


def _is_planned(snapshot: Snapshot, campaign_id: str) -> bool:
    days = snapshot.days("targeted_offers")
    found = days and snapshot.row(
        "SELECT 1 FROM targeted_offers WHERE as_of = CAST(? AS DATE) AND campaign_id = ? LIMIT 1", days[-1], campaign_id
    )
    return bool(found)
