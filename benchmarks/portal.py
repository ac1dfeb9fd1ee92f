"""How fast is the portal on half a million customers: the offers call, pages under load, a large download?"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.portal import Access
from o2o_mining.portal.access.rights import SCOPES

CUSTOMERS = 500_000
DAY, BEFORE = date(2026, 1, 1), date(2025, 12, 1)
CODES = ("champions", "loyal", "at_risk", "lost")

CALL_SECONDS = 10
CONNECTIONS = 16
USERS = 50
THINK_SECONDS = 5.0
PAGES_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A portal that runs: its port, its process, a session, and a token."""

    port: int
    pid: int
    session: str
    token: str

    @property
    def peak_mb(self) -> float:
        """The most memory that its process has had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def forget_peak(self) -> float:
        """Count the most memory from here on, and return what it is now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.peak_mb


def measure() -> Iterator[str]:
    """Run the portal over a snapshot of half a million customers, and be its users on the same machine."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        publish(home)
        with _running(home) as server:
            yield from _offers(server)
            yield from _previews(server)
            yield from _pages(server)
            yield from _download(server)


def _offers(server: Server) -> Iterator[str]:
    header = f"Authorization: Bearer {server.token}"
    chosen = random.Random(0)  # noqa: S311 - made-up load
    paths = [f"/api/v1/customers/{_customer(chosen.randrange(CUSTOMERS))}/offers" for _ in range(10_000)]
    first = asyncio.run(_load(server.port, header, lambda: paths[0], users=1, think=0.0, seconds=0.0))
    yield f"offers call, the first, which reads the plan: {first[0]:.1f} s, {server.peak_mb:.0f} MB"
    took = asyncio.run(
        _load(server.port, header, lambda: chosen.choice(paths), users=CONNECTIONS, think=0.0, seconds=CALL_SECONDS)
    )
    yield f"offers call, {CONNECTIONS} connections: {len(took) / CALL_SECONDS:,.0f} a second, {_said(took)}"


def _pages(server: Server) -> Iterator[str]:
    chosen = random.Random(0)  # noqa: S311 - made-up load

    def page() -> str:
        code = chosen.choice(CODES)
        return chosen.choice(
            [
                "/",
                f"/segments?sort={chosen.choice(['customers', '-share', 'revenue_share'])}",
                f"/segments/rfm/{code}",
                f"/segments/rfm/{code}?page={chosen.randrange(1, 2000)}",
                f"/segments/rfm/{code}?sort={chosen.choice(['-monetary', 'recency_days', '-churn_probability'])}",
                f"/segments/rfm/{code}?q=U{chosen.randrange(50):02}",
                "/offers",
                f"/offers/x?page={chosen.randrange(1, 2000)}",
                f"/search?q=U{chosen.randrange(500):03}",
                f"/customers/{_customer(chosen.randrange(CUSTOMERS))}",
            ]
        )

    header = f"Cookie: o2o={server.session}"
    took = asyncio.run(_load(server.port, header, page, users=USERS, think=THINK_SECONDS, seconds=PAGES_SECONDS))
    yield f"pages, {USERS} users, {THINK_SECONDS:.0f} s between clicks: {len(took)} pages, {_said(took)}"


def _previews(server: Server) -> Iterator[str]:
    header = f"Cookie: o2o={server.session}"
    for path in ("segments/lifecycle/active", "offers/x"):
        for wanted in ("csv", "google-customer-match"):
            asked = f"/download/{path}?as={wanted}"
            took = asyncio.run(_load(server.port, header, partial(str, asked), users=1, think=0.0, seconds=0.0))
            yield f"who would be on the list {path} as {wanted}, asked for the first time: {took[0]:.2f} s"


def _download(server: Server) -> Iterator[str]:
    header = f"Authorization: Bearer {server.token}"
    for path in ("segments/lifecycle/active", "offers"):
        for wanted in ("csv", "parquet", "google-customer-match"):
            asked = f"/api/v1/files/{path}?as={wanted}"
            before = server.forget_peak()
            took = asyncio.run(_load(server.port, header, partial(str, asked), users=1, think=0.0, seconds=0.0))
            memory = f"{before:.0f} to {server.peak_mb:.0f} MB"
            yield f"download of {CUSTOMERS:,} rows, {path} as {wanted}: {took[0]:.1f} s, memory {memory}"


def _said(took: list[float]) -> str:
    middle, tail, worst = (1000 * value for value in np.quantile(took, [0.5, 0.95, 0.99]))
    return f"ms at the median {middle:.1f}, p95 {tail:.1f}, p99 {worst:.1f}"


# -- the users ---------------------------------------------------------------------------------------------------------


async def _load(
    port: int, header: str, path: Callable[[], str], *, users: int, think: float, seconds: float
) -> list[float]:
    """Return how long each answer took; every user has one connection, and asks at least once."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def user(number: int) -> None:
        await asyncio.sleep(think * number / users)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            begin = time.perf_counter()
            writer.write(f"GET {path()} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
            await _answer(reader)
            took.append(time.perf_counter() - begin)
            if time.perf_counter() >= end:
                break
            await asyncio.sleep(think)
        writer.close()

    await asyncio.gather(*(user(number) for number in range(users)))
    return took


async def _answer(reader: asyncio.StreamReader) -> None:
    """Read one answer, and refuse any but a good one."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
    while length:
        length -= len(await reader.read(min(length, 2**20)))


# -- the portal --------------------------------------------------------------------------------------------------------


@contextmanager
def _running(home: Path) -> Iterator[Server]:
    """Start the portal as its command does, and stop it in the end."""
    access = Access(home)
    user = access.users.add("bench", "administrator")
    access.users.set_password(user.id, "four words in a row")
    session, token = access.sessions.begin(user.id), access.tokens.make(user.id, "bench", SCOPES, 1)
    access.store.close()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "o2o_mining.cli", "portal", "--home", str(home), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed words
    try:
        for _ in range(600):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Server(port, process.pid, session, token)
    finally:
        process.terminate()
        process.wait()


# -- the snapshot ------------------------------------------------------------------------------------------------------


def _customer(number: int) -> str:
    return f"U{number:06}"


def publish(home: Path, customers: int = CUSTOMERS) -> None:
    """Publish many customers on two days: segments, churn, two purchases and one approved offer each."""
    draw = np.random.default_rng(0)
    ids = np.array([_customer(number) for number in range(customers)])
    money = [Decimal(int(cents)) / 100 for cents in draw.integers(100, 100_000, customers)]
    codes = draw.choice(CODES, customers)
    engine = DuckDBEngine(":memory:", Settings())
    members = {
        "customer_id": ids, "segment_code": codes, "lifecycle_stage": ["active"] * customers, "monetary": money,
        "recency_days": draw.integers(0, 365, customers), "frequency": draw.integers(1, 40, customers),
        "rule_segments": [["discount_only"] if number % 3 else [] for number in range(customers)],
    }  # fmt: skip
    for day in (BEFORE, DAY):
        _write(engine, "segments", members, day)
        _write(engine, "segment_profiles", _profiles(codes), day)
    moved = {"previous_as_of": [BEFORE] * 4, "scheme": ["rfm"] * 4, "from_code": CODES, "to_code": CODES[::-1]}
    _write(engine, "segment_migration", {**moved, "customers": [9] * 4}, DAY)
    leaving = {"customer_id": ids, "churn_probability": draw.random(customers), "clv_365d": money}
    _write(engine, "churn_scores", leaving, DAY)
    _write(engine, "targeted_offers", {"customer_id": ids, "reason_codes": [["distance:850"]] * customers}, DAY)
    for nothing in ("campaigns", "merchants", "consents", "journeys"):
        _write(engine, nothing, {contract(nothing).columns[0].name: []})
    for nothing in ("offer_holdouts", "offer_exclusions", "offer_budget_curve"):
        _write(engine, nothing, {contract(nothing).columns[0].name: []}, DAY)
    _write(engine, "customers", {"customer_id": ids, "consent_marketing": [True] * customers})
    contacts = {"customer_id": ids, "email": [f"{id_}@example.com" for id_ in ids]}
    _write(engine, "customer_contacts", contacts)
    at = np.datetime64(DAY) - draw.integers(1, 180 * 86_400, 2 * customers).astype("timedelta64[s]")
    bought = {"purchase_id": [f"o:{number}" for number in range(2 * customers)], "customer_id": np.tile(ids, 2)}
    _write(engine, "purchases", {**bought, "purchased_at": at.astype("datetime64[us]"), "net_amount": money * 2})
    engine.publish(home / "snapshots", inputs=[], now=DAY, keep=5, run_id="bench")
    engine.close()
    approved = {
        "as_of": str(DAY), "campaign_id": "x", "approved_at": "2026-01-01T00:00:00+00:00", "approved_by": "bench",
        "sent": customers, "control": 0, "withdrawn": 0, "files": [],
    }  # fmt: skip
    (home / "settings.toml").write_text("assumed_consent = true\n")
    (home / "approvals.jsonl").write_text(json.dumps(approved) + "\n")


def _profiles(codes: np.ndarray[Any, Any]) -> dict[str, Any]:
    sizes = [int((codes == code).sum()) for code in CODES]
    schemes, names = [*["rfm"] * len(CODES), "lifecycle"], [*CODES, "active"]
    return {"scheme": schemes, "segment_code": names, "customers": [*sizes, len(codes)]}


def _write(engine: DuckDBEngine, table: str, given: dict[str, Any], day: date | None = None) -> None:
    """Write rows of which some columns are given, and the others as empty as the contract allows."""
    declared = contract(table)
    schema = ibis.schema(declared.schema).to_pyarrow()
    usual: dict[str, Any] = {"money": Decimal(0), "int": 1, "double": 0.5, "codes": [], "date": DAY, "boolean": False}
    rows = len(next(iter(given.values())))
    columns = [
        pa.array(given[c.name], schema.field(c.name).type)
        if c.name in given
        else pa.array([None if c.nullable else usual.get(c.type, "x")] * rows, schema.field(c.name).type)
        for c in declared.columns
    ]
    engine.write(table, ibis.memtable(pa.table(columns, schema=schema)), as_of=day)
