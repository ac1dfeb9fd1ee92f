"""A small town row by row: homes on a line, two stores of one merchant and a rival."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract

AS_OF = date(2024, 7, 1)
NOON = datetime(2024, 6, 20, 12)
DEGREE_M = 111_195.08
Row = dict[str, Any]
Logs = Mapping[str, Sequence[Row]]


def table(name: str, rows: Sequence[Row]) -> ibis.Table:
    schema = ibis.schema(contract(name).schema).to_pyarrow()
    loose = pa.schema([pa.field(column.name, column.type) for column in schema])
    return ibis.memtable(pa.Table.from_pylist(list(rows), schema=loose))


def visit(name: str, **more: Any) -> Row:
    """Return somebody who came in at noon and paid ten."""
    return {
        "purchase_id": f"r:{name}", "customer_id": "ann", "merchant_id": "m1", "store_id": "s1", "purchased_at": NOON,
        "consumed_at": NOON, "source": "offline", "redemption_id": name, "refunded_amount": Decimal(0),
        "paid_amount": Decimal(10), "net_amount": Decimal(10), **more,
    }  # fmt: skip


def person(name: str, km: float | None = 0.0, **more: Any) -> Row:
    """Return somebody who lives so far east on the equator and joined in January."""
    home = {} if km is None else {"home_lat": 0.0, "home_lon": km * 1000 / DEGREE_M}
    return {"customer_id": name, "joined_at": datetime(2024, 1, 1), **home, **more}


def shop(name: str, km: float | None, merchant: str = "m1") -> Row:
    place = {} if km is None else {"lat": 0.0, "lon": km * 1000 / DEGREE_M}
    return {"store_id": name, "merchant_id": merchant, **place}


TOWN_KM = (0.0, 1.0, 2.0, 3.0)
# From each home so many visits to s1 (at 0 km), s2 (at 3 km) and the rival r1 (at 1 km): odds fall by e a kilometre
# about, and the rival is as good.
TOWN_VISITS = {"s1": (70, 30, 12, 4), "s2": (4, 8, 30, 70), "r1": (26, 62, 58, 26)}


def town(*, extra: Sequence[Row] = ()) -> dict[str, Sequence[Row]]:
    """Return a town of forty customers, ten at each kilometre, who made 400 visits to three cafes."""
    people = [person(f"c{10 * n + k}", km) for n, km in enumerate(TOWN_KM) for k in range(10)]
    return {
        "customers": people,
        "stores": [shop("s1", 0.0), shop("s2", 3.0), shop("r1", 1.0, "m2"), shop("idle", 2.0, "m2")],
        "merchants": [{"merchant_id": "m1", "category": "cafe"}, {"merchant_id": "m2", "category": "cafe"}],
        "known_purchases": [*_visits(), *extra],
    }


def _visits() -> Iterator[Row]:
    for store, counts in TOWN_VISITS.items():
        for home, count in enumerate(counts):
            for n in range(count):
                yield visit(
                    f"{store}-{home}-{n}", customer_id=f"c{10 * home + n % 10}", store_id=store,
                    merchant_id="m2" if store == "r1" else "m1", consumed_at=NOON - timedelta(days=n % 100),
                )  # fmt: skip
