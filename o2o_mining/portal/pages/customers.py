"""One customer: what the product knows of who it is, what is offered and why, what was bought, and on which ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.lifecycle import reason_text as churn_reason
from o2o_mining.offers import reason_text as offer_reason
from o2o_mining.portal.listing import Column, Listing, listed
from o2o_mining.portal.portal import Portal, portal_of, viewer_of_request
from o2o_mining.portal.segments import everybody
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech

router = APIRouter(include_in_schema=False)

# Journeys that are shown, the latest; older ones are found by their conversions.
JOURNEYS = 20

_PURCHASES = Listing(
    # Found first, then sorted: searched for and sorted at once, it takes half as long again.
    query="""
        WITH found AS MATERIALIZED (
            SELECT purchase_id, purchased_at, merchant_id, store_id, channel, paid_amount, refunded_amount, net_amount,
                   cancelled_at
            FROM purchases WHERE customer_id = ?
        )
        SELECT * FROM found
    """,
    columns=(
        Column("purchase_id", "text", "customers.purchase", link="/conversions/{purchase_id}"),
        Column("purchased_at", "moment", "customers.purchased_at"),
        Column("merchant_id", "text", "customers.merchant", link="/merchants/{merchant_id}", shown="merchant"),
        Column("store_id", "text", "customers.store"),
        Column("channel", "text", "customers.channel"),
        Column("paid_amount", "money", "customers.paid"),
        Column("refunded_amount", "money", "customers.refunded"),
        Column("net_amount", "money", "customers.net"),
        Column("cancelled_at", "moment", "customers.cancelled"),
    ),
    key=("purchased_at", "purchase_id"),
)
_CHURN = """
    SELECT horizon_days, churn_probability, clv_365d, clv_365d_low, clv_365d_high, reason_codes
    FROM churn_scores WHERE as_of = CAST(? AS DATE) AND customer_id = ? ORDER BY horizon_days LIMIT 1
"""
# The last word on each purpose; of two words at one moment the refusal counts.
_CONSENTS = """
    SELECT purpose, granted, changed_at FROM consents WHERE customer_id = ?
    QUALIFY row_number() OVER (PARTITION BY purpose ORDER BY changed_at DESC, granted) = 1 ORDER BY purpose
"""
_OFFERS = """
    SELECT o.campaign_id, coalesce(c.name, o.campaign_id) AS campaign, o.coupon_id, o.channel, o.send_on,
           o.redemption_probability, o.expected_value, o.reason_codes
    FROM targeted_offers o LEFT JOIN campaigns c USING (campaign_id)
    WHERE o.as_of = CAST(? AS DATE) AND o.customer_id = ? ORDER BY o.expected_value DESC, o.campaign_id, o.coupon_id
"""
_WITHOUT = """
    SELECT x.campaign_id, coalesce(c.name, x.campaign_id) AS campaign, x.code
    FROM (SELECT campaign_id, {code} AS code FROM {table} WHERE as_of = CAST(? AS DATE) AND customer_id = ?) x
    LEFT JOIN campaigns c USING (campaign_id) ORDER BY x.campaign_id
"""
_JOURNEYS = f"""
    SELECT started_at, ended_at, path, n_touches, purchase_id, net_value FROM journeys WHERE customer_id = ?
    ORDER BY started_at DESC, journey_id LIMIT {JOURNEYS}
"""


@router.get("/customers/{customer_id:path}")
def customer(request: Request, customer_id: str) -> Response:
    """Show what is known of one customer; what identifies a person only to who may see it."""
    portal, viewer = portal_of(request), viewer_of_request(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    known = _one(snapshot, "customers", "SELECT * FROM customers WHERE customer_id = ?", customer_id)
    member = _member(snapshot, customer_id)
    shown = listed(snapshot, _PURCHASES, (customer_id,), {"sort": "-purchased_at", **request.query_params})
    if known is None and member is None and not shown.total:
        raise HTTPException(404)
    portal.access.audit.note("people_seen", user=viewer.name, address=viewer.address, subject=f"customer {customer_id}")
    contacts = "SELECT phone, email FROM customer_contacts WHERE customer_id = ?"
    plans = snapshot.days("targeted_offers")
    return portal.page(
        request,
        "customers/customer.html",
        customer_id=customer_id,
        customer=known,
        contacts=_one(snapshot, "customer_contacts", contacts, customer_id) if viewer.sees_personal else None,
        member=member,
        segments=_segments(portal, speech, member),
        day=snapshot.days("segments")[-1] if member else None,
        churn=_churn(snapshot, speech, customer_id),
        consents=_consents(snapshot, known, customer_id),
        plan=plans[-1] if plans else None,
        offers=_offers(snapshot, speech, customer_id),
        without=_without(snapshot, speech, customer_id),
        shown=replace(shown, rows=[{**row, "merchant": _merchant(snapshot, row["merchant_id"])} for row in shown.rows]),
        journeys=_rows(snapshot, "journeys", _JOURNEYS, customer_id),
        most=JOURNEYS,
    )


def _rows(snapshot: Snapshot, table: str, query: str, *values: Any) -> list[dict[str, Any]]:
    return snapshot.rows(query, *values) if snapshot.has(table) else []


def _one(snapshot: Snapshot, table: str, query: str, *values: Any) -> dict[str, Any] | None:
    return next(iter(_rows(snapshot, table, query, *values)), None)


def _member(snapshot: Snapshot, customer_id: str) -> dict[str, Any] | None:
    days = snapshot.days("segments")
    if not days:
        return None
    return snapshot.row(f"SELECT * FROM {everybody(snapshot, days[-1])} WHERE customer_id = ?", customer_id)


def _merchant(snapshot: Snapshot, merchant_id: str) -> str:
    """Return the name: joined to the purchases it would cost more than to find them."""
    found = _one(snapshot, "merchants", "SELECT name FROM merchants WHERE merchant_id = ?", merchant_id)
    return (found or {}).get("name") or merchant_id


def _segments(portal: Portal, speech: Speech, member: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Return the segments that a customer is in: scheme, code and name."""
    if member is None:
        return []
    codes = [("rfm", member["segment_code"]), ("lifecycle", member["lifecycle_stage"]), ("cluster", member["cluster"])]
    codes += [("rule", code) for code in member["rule_segments"]]
    name = portal.segment_name
    return [(scheme, code, name(code, speech.language)) for scheme, code in codes if code]


def _churn(snapshot: Snapshot, speech: Speech, customer_id: str) -> dict[str, Any] | None:
    days = snapshot.days("churn_scores")
    found = snapshot.row(_CHURN, days[-1], customer_id) if days else None
    return found and {**found, "reasons": [churn_reason(code, speech.language) for code in found["reason_codes"]]}


def _consents(snapshot: Snapshot, known: dict[str, Any] | None, customer_id: str) -> list[dict[str, Any]]:
    """Return the last word on each purpose; for marketing what the feed of customers says, where there is none."""
    said = _rows(snapshot, "consents", _CONSENTS, customer_id)
    if known and known["consent_marketing"] is not None and "marketing" not in {row["purpose"] for row in said}:
        said = [{"purpose": "marketing", "granted": known["consent_marketing"], "changed_at": None}, *said]
    return said


def _offers(snapshot: Snapshot, speech: Speech, customer_id: str) -> list[dict[str, Any]]:
    """Return what the latest plan offers and why, the most valuable first."""
    days = snapshot.days("targeted_offers")
    rows = snapshot.rows(_OFFERS, days[-1], customer_id) if days else []
    return [
        {**row, "why": speech.listed([offer_reason(code, speech.language) for code in row["reason_codes"]])}
        for row in rows
    ]


def _without(snapshot: Snapshot, speech: Speech, customer_id: str) -> list[dict[str, Any]]:
    """Return the campaigns of the latest plan that offer nothing to this customer, and why."""
    found = []
    for table, code in (("offer_exclusions", "reason_code"), ("offer_holdouts", "kind")):
        if days := snapshot.days(table):
            rows = snapshot.rows(_WITHOUT.format(table=table, code=code), days[-1], customer_id)
            found += [{**row, "why": speech.code(code, row["code"])} for row in rows]
    return found
