"""Logs of a few rows: what is not given is empty."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.response import OfferLogs

START = datetime(2024, 1, 1)


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def table(name: str, rows: list[dict[str, Any]]) -> ibis.Table:
    schema = contract(name).schema
    types = ibis.schema(schema).to_pyarrow()
    columns = {name: [_exact(row.get(name), schema[name]) for row in rows] for name in schema}
    return ibis.memtable(pa.table(columns, schema=types))


def _exact(value: Any, kind: str) -> Any:
    return Decimal(value) if value is not None and kind.startswith("decimal") else value


def logs(**rows: list[dict[str, Any]]) -> OfferLogs:
    return OfferLogs(**{field.name: table(field.name, rows.get(field.name, [])) for field in fields(OfferLogs)})


def visit(number: int, customer: str, day: float, **about: Any) -> dict[str, Any]:
    said = {"merchant_id": "m", "source": "offline", "paid_amount": "10.00", "list_amount": "10.00"}
    return {
        "purchase_id": f"r:{number}", "redemption_id": f"{number}", "customer_id": customer, "purchased_at": at(day),
        "consumed_at": at(day), "refunded_amount": "0.00", **said, **about,
    }  # fmt: skip


def receipt(number: int, customer: str, day: float, **about: Any) -> dict[str, Any]:
    said = {"coupon_id": "k", "merchant_id": "m", "expires_at": at(day + 10), "state": "open"}
    return {"receipt_id": f"{number}", "customer_id": customer, "received_at": at(day), **said, **about}


def pair(customer: str, day: float, coupon: str = "k") -> dict[str, Any]:
    return {"customer_id": customer, "coupon_id": coupon, "known_at": at(day)}


def pairs(*rows: dict[str, Any]) -> ibis.Table:
    schema = {"customer_id": "string", "coupon_id": "string", "known_at": "timestamp(6)"}
    return ibis.memtable(pd.DataFrame(list(rows)), schema=schema)
