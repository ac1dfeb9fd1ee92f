"""A shop with one campaign to plan, as the tests of this room fill it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.offers.steps import build_targeted_offers

DAY = date(2026, 5, 1)
BEFORE = datetime(2026, 4, 1)
NOBODY_HELD_OUT = Settings(global_holdout_share=0.0, campaign_holdout_share=0.0, threads=1)
PEOPLE = tuple(f"c{number:02d}" for number in range(20))


def fill(engine: DuckDBEngine, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows into a table; what they do not name is null."""
    declared = contract(table)
    filled = [{column.name: row.get(column.name) for column in declared.columns} for row in rows]
    arrow = pa.Table.from_pylist(filled, schema=ibis.schema(declared.schema).to_pyarrow())
    if "as_of" in declared.key:
        engine.write(table, ibis.memtable(arrow).drop("as_of"), as_of=DAY)
    else:
        engine.write(table, ibis.memtable(arrow))


def score(customer_id: str, coupon_id: str = "k", **more: Any) -> dict[str, Any]:
    """Return a row of response_scores: five points more likely to come."""
    usual = {
        "campaign_id": "spring", "merchant_id": "tea", "redemption_probability": 0.08, "uplift": 0.05,
        "uplift_low": 0.03, "uplift_high": 0.07, "basis": "experiment", "reason_codes": [], "distance_m": 850.0,
    }  # fmt: skip
    return {"customer_id": customer_id, "coupon_id": coupon_id, **usual, **more}


def visit(number: int, customer_id: str, paid: str = "40.00") -> dict[str, Any]:
    """Return a purchase without a coupon, a month before."""
    return {
        "purchase_id": f"r:r{number}", "customer_id": customer_id, "merchant_id": "tea", "source": "offline",
        "purchased_at": BEFORE + timedelta(hours=number), "redemption_id": f"r{number}",
        "list_amount": Decimal(paid), "discount_amount": Decimal("0.00"), "paid_amount": Decimal(paid),
        "refunded_amount": Decimal("0.00"), "net_amount": Decimal(paid),
    }  # fmt: skip


def shop(**tables: Sequence[Mapping[str, Any]]) -> DuckDBEngine:
    """Return an engine with the shop's feeds and scores; tables named replace the usual ones."""
    tomorrow = datetime(2026, 5, 15)
    usual: dict[str, Sequence[Mapping[str, Any]]] = {
        "customers": [{"customer_id": who, "consent_marketing": True, "birth_year": 1990} for who in PEOPLE],
        "merchants": [{"merchant_id": "tea", "category": "cafe", "margin_share": 0.6, "commission_share": 0.1}],
        "campaigns": [
            {"campaign_id": "spring", "channel": "sms", "merchant_id": "tea", "starts_at": datetime(2026, 5, 1),
             "ends_at": tomorrow, "budget": Decimal("3.00")},
        ],
        "coupons": [
            {"coupon_id": "k", "merchant_id": "tea", "campaign_id": "spring", "kind": "fixed", "discount": 5.0,
             "valid_days": 10, "starts_at": datetime(2026, 5, 1), "ends_at": tomorrow},
        ],
        "known_purchases": [visit(number, who) for number, who in enumerate(PEOPLE)],
        "known_coupon_lifecycle": [],
        "touches": [
            {"touch_id": "t0", "customer_id": "c00", "touched_at": BEFORE, "channel": "sms", "campaign_id": "winter",
             "action": "impression", "cost": Decimal("0.06")},
        ],
        "response_scores": [score(who) for who in PEOPLE],
    }  # fmt: skip
    engine = DuckDBEngine(":memory:", Settings(threads=1))
    for name, rows in (usual | tables).items():
        fill(engine, name, rows)
    return engine


def planned(engine: DuckDBEngine, settings: Settings = NOBODY_HELD_OUT, as_of: date = DAY) -> list[StepReport]:
    """Plan a day, and check every table that is written against its contract; a later day knows what the first did."""
    for table in ("response_scores", "known_purchases", "known_coupon_lifecycle"):
        if as_of != DAY:
            engine.write(table, engine.slice(table, DAY), as_of=as_of)
    reports = build_targeted_offers(engine, as_of=as_of, settings=settings)
    for report in reports:
        assert engine.violations(contract(report.table), as_of=as_of) == []
    return reports


def rows_of(engine: DuckDBEngine, table: str, as_of: date = DAY) -> pd.DataFrame:
    """Return the rows of a table of a day, in the order of its key."""
    key = [name for name in contract(table).key if name != "as_of"]
    frame: pd.DataFrame = engine.execute(engine.slice(table, as_of).order_by(key))
    return frame
