"""Association rules: what customers buy together, or one after the other, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from o2o_mining.association import Names, rule_sentence
from o2o_mining.contracts.association import LEVELS, SCOPES
from o2o_mining.portal.listing import Column, Listing, listed
from o2o_mining.portal.portal import portal_of
from o2o_mining.portal.snapshot import Snapshot

router = APIRouter(include_in_schema=False)

TABLE = "association_rules"

_RULES = Listing(
    query="""
        SELECT row_number() OVER (
                   ORDER BY holdout_lift_low DESC, scope, level, antecedents, consequents
               ) AS place, *
        FROM association_rules WHERE as_of = CAST(? AS DATE) AND (? = '' OR scope = ?) AND (? = '' OR level = ?)
    """,
    columns=(
        Column("antecedents", "words", "rules.rule", sortable=False, shown="sentence"),
        Column("holdout_lift", "decimal", "rules.times"),
        Column("customers", "number", "rules.customers"),
        Column("confidence", "share", "rules.confidence"),
        Column("net_amount", "money", "rules.net_amount"),
    ),
    key=("place",),
)


@router.get("/rules")
def rules(request: Request, as_of: str = "", scope: str = "", level: str = "") -> Response:
    """Show the rules as of a day, the surest first."""
    portal = portal_of(request)
    snapshot, speech = portal.snapshot, portal.speech(request)
    day, _ = snapshot.chosen(TABLE, as_of)
    shown = listed(snapshot, _RULES, (day, scope, scope, level, level), dict(request.query_params))
    names = _names(snapshot, shown.rows)
    settings = portal.settings
    rows = [
        {
            **row,
            "sentence": rule_sentence(
                row,
                language=speech.language,
                names=names,
                within_days=settings.rules_within_days,
            ),
        }
        for row in shown.rows
    ]
    return portal.page(
        request,
        "rules/list.html",
        day=day,
        days=snapshot.days(TABLE),
        scopes=[(one, speech.code("scope", one)) for one in SCOPES],
        scope=scope,
        levels=LEVELS,
        level=level,
        shown=replace(shown, rows=rows),
    )


def _names(snapshot: Snapshot, rows: Iterable[dict[str, Any]]) -> Names:
    """Return what the products and merchants of some rules are called."""
    items = sorted({item for row in rows for item in (*row["antecedents"], *row["consequents"])})
    return Names({level: _named(snapshot, level, items) for level in ("product", "merchant")})


def _named(snapshot: Snapshot, level: str, items: list[str]) -> dict[str, str]:
    if not items or not snapshot.has(f"{level}s"):
        return {}
    marks = ", ".join("?" * len(items))
    query = f"SELECT {level}_id AS id, name FROM {level}s WHERE name IS NOT NULL AND {level}_id IN ({marks})"
    return {row["id"]: row["name"] for row in snapshot.rows(query, *items)}
