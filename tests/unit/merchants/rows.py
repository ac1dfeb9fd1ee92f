"""Small logs of visits, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract

AS_OF = date(2024, 7, 1)
NOON = datetime(2024, 6, 20, 12)
Row = dict[str, Any]
Logs = Mapping[str, Sequence[Row]]


def table(name: str, rows: Sequence[Row]) -> ibis.Table:
    schema = ibis.schema(contract(name).schema).to_pyarrow()
    loose = pa.schema([pa.field(column.name, column.type) for column in schema])
    return ibis.memtable(pa.Table.from_pylist(list(rows), schema=loose))


def order(name: str = "1", **more: Any) -> Row:
    """Return an order consumed at noon, ten minutes promised and ten waited."""
    return {
        "purchase_id": f"o:{name}", "customer_id": "ann", "merchant_id": "m1", "store_id": "s1", "purchased_at": NOON,
        "consumed_at": NOON, "source": "online", "fulfilment": "in_store", "order_id": name,
        "redemption_id": f"r{name}", "paid_amount": Decimal(10), "refunded_amount": Decimal(0),
        "net_amount": Decimal(10), "promised_wait_min": 10.0,
        "waited_min": 10.0, **more,
    }  # fmt: skip


def walk_in(name: str = "9", **more: Any) -> Row:
    """Return somebody who came in at noon and waited ten minutes."""
    return {
        "purchase_id": f"r:{name}", "customer_id": "bob", "merchant_id": "m1", "store_id": "s1", "purchased_at": NOON,
        "consumed_at": NOON, "source": "offline", "redemption_id": name, "refunded_amount": Decimal(0),
        "paid_amount": Decimal(10), "net_amount": Decimal(10), "waited_min": 10.0, **more,
    }  # fmt: skip


def promised(name: str = "1", rating: float | None = 4.5) -> Row:
    return {
        "order_id": name, "customer_id": "ann", "merchant_id": "m1", "ordered_at": NOON, "status": "paid",
        "promised_rating": rating,
    }  # fmt: skip


def review(name: str = "1", **more: Any) -> Row:
    return {
        "review_id": f"w{name}", "customer_id": "ann", "merchant_id": "m1", "store_id": "s1", "is_complaint": False,
        "reviewed_at": NOON + timedelta(days=2), "rating": 4, "order_id": name, **more,
    }  # fmt: skip


TURNED = date(2024, 5, 1)


@cache
def year_of_visits() -> dict[str, list[Row]]:
    """Return 200 days of eight cafes with five visits a day; `bad` is late from the start, `turns` from May on."""
    chance = np.random.default_rng(0)
    purchases, orders, reviews = [], [], []
    merchants = ["bad", "turns", *(f"good{n}" for n in range(6))]
    for merchant in merchants:
        for day in range(200):
            at = datetime(2024, 7, 1, 12) - timedelta(days=200 - day)
            late = 12.0 if merchant == "bad" or (merchant == "turns" and at.date() >= TURNED) else 0.0
            for n in range(int(chance.poisson(5))):
                name = f"{merchant}-{day}-{n}"
                waited = 10 + 4 * float(chance.standard_normal()) + late
                about: Row = {"merchant_id": merchant, "store_id": f"{merchant}-{n % 2}"}
                stars = int(chance.choice([3, 4, 5])) - (1 if late else 0)
                purchases.append(
                    order(name, customer_id=f"c{n}", purchased_at=at, consumed_at=at, waited_min=waited, **about)
                )
                orders.append(promised(name) | about)
                if n == 1:
                    reviews.append(review(name, reviewed_at=at, rating=stars, is_complaint=stars == 2, **about))
    listed = [{"merchant_id": merchant, "category": "cafe", "city": "A"} for merchant in merchants]
    return {"known_purchases": purchases, "online_orders": orders, "reviews": reviews, "merchants": listed}
