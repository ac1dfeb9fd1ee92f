"""A published home for all tests of the portal, and a portal of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from o2o_mining.portal import Access, make_app
from o2o_mining.portal.access.passwords import Passwords
from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import DAY, Rows, credit, customer, member, offer, profile, says
from tests.unit.portal.rows import BEFORE, page_tables

PASSWORD = "four words in a row"
# As cheap as a hash may be: what is tested is not how long it takes.
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def published_tables() -> dict[str, Rows | Mapping[date, Rows]]:
    """Return the tables of the home: two days of segments, and who of them said what on consent."""
    ids = [f"c{number:03}" for number in range(120)]
    codes = {id_: "champions" if number < 75 else "lost" for number, id_ in enumerate(ids)}
    spent = {id_: Decimal(number) for number, id_ in enumerate(ids)}
    now = [
        member(id_, codes[id_], monetary=spent[id_], lifecycle_stage="active", rule_segments=["discount_only"])
        for id_ in ids
    ]
    shares = {"median_recency_days": 3.0, "mean_frequency": 4.5, "mean_monetary": 1234.5, "revenue_share": 0.6}
    champions = {**profile("champions", 75), **shares, "share": 0.625}
    cluster = {**profile("category/cafe=high", 20, "cluster"), "traits": ["category/cafe|high|0.438|0.158"]}
    churn = [
        {"customer_id": id_, "horizon_days": 90, "churn_probability": 0.25, "clv_365d": Decimal("10.00")}
        for id_ in ids[:50]
    ]
    moves = [
        {"previous_as_of": BEFORE, "scheme": "rfm", "from_code": "lost", "to_code": "champions", "customers": 5},
        {"previous_as_of": BEFORE, "scheme": "rfm", "from_code": "(none)", "to_code": "lost", "customers": 7},
    ]
    spent_on = [
        ("c000", "2017-12-31 20:00", 100, 110), ("c000", "2017-12-01 10:00", 50, 50), ("c001", "2017-11-15", 30, 30),
        ("c001", "2017-10-20", 5, 5), ("c002", "2017-10-15", 20, 20), ("c003", "2017-10-15", 20, 20),
    ]  # fmt: skip
    near: dict[str, Any] = {"reason_codes": ["distance:850"]}
    wins = {"level": "campaign", "customers": 10, "visits": 40, "label": "experiment", "margin_basis": "merchant"}
    return {
        "purchases": [purchase(number, *one) for number, one in enumerate(spent_on)],
        "three_wins": {
            BEFORE: [{**wins, "id": "spring", "offers": 20, "merchant_margin": Decimal("70.00")}],
            DAY: [
                {**wins, "id": "spring", "offers": 30, "merchant_margin": Decimal("90.00")},
                {**wins, "id": "summer", "offers": 70, "label": "refused", "reason_code": "too_few"},
            ],
        },
        "data_quality": [
            {"feed": "customers", "file": "a.csv", "rows_read": 100, "rows_accepted": 97, "rows_quarantined": 3},
            {"feed": "(all)", "file": "(all)", "traced_share": 0.75},
        ],
        "targeted_offers": [
            offer("c000", **near, expected_value=12.5),
            offer("c002", "summer", **near, expected_value=7.5),
        ],
        "segments": {BEFORE: now[:100], DAY: now},
        "segment_profiles": {BEFORE: [{**champions, "customers": 70}], DAY: [champions, profile("lost", 45), cluster]},
        "segment_migration": moves,
        "churn_scores": churn,
        "customers": [customer(id_) for id_ in ids],
        "consents": [says(id_, granted=id_ != "c001") for id_ in ids[:60]],
        "customer_contacts": [],
        "offer_holdouts": [],
        "campaigns": [campaign("spring")],
        "campaign_attribution": [credit("spring", level="campaign")],
        "incrementality": [],
    }


def campaign(campaign_id: str) -> dict[str, Any]:
    """Return a row of campaigns."""
    return {"campaign_id": campaign_id, "starts_at": pd.Timestamp(BEFORE), "ends_at": pd.Timestamp(DAY)}


def purchase(number: int, customer_id: str, at: str, net: int, listed: int) -> dict[str, Any]:
    """Return a row of purchases."""
    return {
        "purchase_id": f"o:{number}", "customer_id": customer_id, "merchant_id": "m1", "purchased_at": pd.Timestamp(at),
        "source": "online", "net_amount": Decimal(net), "discount_amount": Decimal(listed - net),
    }  # fmt: skip


def _published(path: Path, tables: Mapping[str, Rows | Mapping[date, Rows]]) -> Path:
    path.mkdir()
    publish_tables(path, tables)
    (path / "settings.toml").write_text('currency = "TWD"\ntimezone = "Asia/Taipei"\nglobal_holdout_share = 0.0\n')
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish the home that all tests of the portal read."""
    return _published(tmp_path_factory.mktemp("portal") / "home", published_tables())


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish a home with what every page shows."""
    return _published(tmp_path_factory.mktemp("portal") / "stocked", {**published_tables(), **page_tables()})


@dataclass
class Time:
    """A clock that stands still until it is moved on."""

    seconds: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Visitor:
    """A browser at a portal.

    Attributes
    ----------
    client, access, time
        The browser, what is known of users, and the clock.
    """

    client: TestClient
    access: Access
    time: Time
    last: str = field(default="", init=False)

    def get(self, path: str, **options: Any) -> Any:
        """Open a page; a redirect is not followed."""
        answer = self.client.get(path, **options)
        found = answer.text.partition('name="form_token" value="')[2].partition('"')[0]
        self.last = found or self.last
        return answer

    def post(self, path: str, **fields: str) -> Any:
        """Send a form with the token of the last page that had one."""
        return self.client.post(path, data={"form_token": self.last, **fields})

    def add(self, name: str, role: str, *merchants: str) -> int:
        """Add a user with the usual password."""
        user = self.access.users.add(name, role, merchants)
        self.access.users.set_password(user.id, PASSWORD)
        return user.id

    def log_in(self, name: str) -> None:
        """Log in with the usual password."""
        self.get("/login")
        answer = self.post("/login", name=name, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        self.get("/segments")

    def as_role(self, role: str) -> Visitor:
        """Add a user with a role, and log in."""
        self.add(role, role, *(["m1"] if role == "merchant" else []))
        self.log_in(role)
        return self

    def logged(self) -> list[tuple[str, str, str]]:
        """Return user, action and subject of the lines of the audit log, the latest first."""
        return [(line.user, line.action, line.subject) for line in self.access.audit.lines(limit=100)]


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(home: Path, tmp_path: Path) -> Iterator[Visit]:
    """Open a portal of the published home, or of another, and give a browser at it."""
    opened: list[Access] = []

    def visiting(at: Path | None = None, *, secure: bool = False, client: str = "10.0.0.1") -> Visitor:
        time = Time()
        access = Access(tmp_path / f"access-{len(opened)}", secure=secure, clock=time, passwords=CHEAP)
        opened.append(access)
        base = f"{'https' if secure else 'http'}://portal.example"
        browser = TestClient(
            make_app(at or home, access), base_url=base, follow_redirects=False, client=(client, 50000)
        )
        return Visitor(browser, access, time)

    yield visiting
    for access in opened:
        access.store.close()
