"""Small worlds of purchases and touches, and what the models make of them, reckoned apart in fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from o2o_mining.attribution.credit.campaigns import Known
from o2o_mining.attribution.credit.ledger import ledger
from o2o_mining.contracts.catalogue import contract

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine

BOUGHT = datetime(2017, 6, 20, 12)
REFUNDED = datetime(2017, 6, 25)
AS_OF = date(2017, 7, 1)


@dataclass(frozen=True)
class Touch:
    """One touch of a journey."""

    touch_id: str
    at: datetime
    channel: str
    campaign_id: str | None = None


@dataclass(frozen=True)
class Buy:
    """One purchase and the touches before it."""

    purchase_id: str
    touches: Sequence[Touch] = ()
    paid: str | None = "10.00"
    refunded: str = "0.00"
    refunded_at: datetime | None = None
    at: datetime = BOUGHT
    customer_id: str = "ann"


@dataclass(frozen=True)
class World:
    """Purchases with their journeys, and the feeds beside them."""

    buys: Sequence[Buy] = ()
    unconverted: Sequence[Touch] = ()
    campaigns: Sequence[Mapping[str, Any]] = field(default=())
    campaign_costs: Sequence[Mapping[str, Any]] = field(default=())
    touches: Sequence[Mapping[str, Any]] = field(default=())

    def purchases(self) -> ir.Table:
        return table("purchases", map(_purchase, self.buys))

    def journeys(self) -> ir.Table:
        lost = [_lost(self.unconverted)] if self.unconverted else []
        return table("journeys", [*map(_journey, self.buys), *lost])

    def journey_touches(self) -> ir.Table:
        rows = [row for buy in self.buys for row in _touches(buy.purchase_id, buy.customer_id, buy.touches)]
        rows += _touches("n:lost", "bob", self.unconverted)
        return table("journey_touches", rows)

    def events(self) -> tuple[ir.Table, ir.Table, ir.Table]:
        return self.purchases(), self.journeys(), self.journey_touches()

    def known(self) -> Known:
        return Known(
            *self.events(),
            ledger=ledger(*self.events()),
            campaigns=table("campaigns", self.campaigns),
            campaign_costs=table("campaign_costs", self.campaign_costs),
            touches=table("touches", self.touches),
        )

    def store(self, engine: Engine, *, as_of: date = AS_OF) -> None:
        """Write the event tables, whole and as known, and the feeds."""
        for name, rows in zip(("purchases", "journeys", "journey_touches"), self.events(), strict=True):
            engine.write(name, rows)
            engine.write(f"known_{name}", rows, as_of=as_of)
        for feed in ("campaigns", "campaign_costs", "touches"):
            staged = engine.stage(table(feed, getattr(self, feed)).mutate(_ordinal=ibis.row_number()))
            engine.upsert(feed, staged, file_id=1)


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> ir.Table:
    """Return rows as a contract table holds them; what a row does not say is null."""
    schema = ibis.schema(contract(name).schema).to_pyarrow()
    # Not-null columns that a test does not care about stay null: only the engine's write looks at them.
    loose = pa.schema([pa.field(column.name, column.type) for column in schema])
    return ibis.memtable(pa.Table.from_pylist([dict(row) for row in rows], schema=loose))


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _purchase(buy: Buy) -> dict[str, Any]:
    paid, refunded = _money(buy.paid), Decimal(buy.refunded)
    return {
        "purchase_id": buy.purchase_id, "customer_id": buy.customer_id, "merchant_id": "m", "source": "online",
        "purchased_at": buy.at, "paid_amount": paid, "refunded_at": buy.refunded_at, "refunded_amount": refunded,
        "net_amount": None if paid is None else paid - refunded,
    }  # fmt: skip


def _journey(buy: Buy) -> dict[str, Any]:
    started = min((touch.at for touch in buy.touches), default=buy.at)
    return {
        "journey_id": buy.purchase_id, "customer_id": buy.customer_id, "purchase_id": buy.purchase_id,
        "converted": True, "started_at": started, "ended_at": buy.at, "n_touches": len(buy.touches),
        "path": " > ".join(touch.channel for touch in buy.touches) or "direct", "value": _money(buy.paid),
    }  # fmt: skip


def _lost(touches: Sequence[Touch]) -> dict[str, Any]:
    return {
        "journey_id": "n:lost", "customer_id": "bob", "converted": False, "started_at": touches[0].at,
        "ended_at": touches[-1].at, "n_touches": len(touches), "path": "lost",
    }  # fmt: skip


def _touches(journey_id: str, customer_id: str, touches: Sequence[Touch]) -> list[dict[str, Any]]:
    in_order = sorted(touches, key=lambda touch: (touch.at, touch.touch_id))
    return [
        {
            "journey_id": journey_id, "touch_id": touch.touch_id, "customer_id": customer_id, "position": position,
            "touched_at": touch.at, "channel": touch.channel, "campaign_id": touch.campaign_id,
        }
        for position, touch in enumerate(in_order, start=1)
    ]  # fmt: skip


def expected_shares(model: str, channels: Sequence[str], gaps_days: Sequence[float]) -> list[Fraction]:
    """Return the share of each touch as the page of definitions says it, in fractions (time_decay as float)."""
    n = len(channels)
    shares = [Fraction(0)] * n
    if model == "linear":
        return [Fraction(1, n)] * n
    if model == "last_non_direct":
        named = [place for place, channel in enumerate(channels) if channel != "direct"]
        shares[named[-1] if named else n - 1] = Fraction(1)
        return shares
    if model == "time_decay":
        weights = [Fraction(2.0 ** (-gap / 7)) for gap in gaps_days]
        return [weight / sum(weights) for weight in weights]
    first, last = {
        "first": (Fraction(1), Fraction(0)),
        "last": (Fraction(0), Fraction(1)),
        "position": (Fraction(2, 5), Fraction(2, 5)),
        "j_shaped": (Fraction(1, 5), Fraction(3, 5)),
    }[model]
    if n == 1:
        return [Fraction(1)]
    if n == 2:
        return [first / (first + last), last / (first + last)]
    return [first, *[(1 - first - last) / (n - 2)] * (n - 2), last]


def expected_cents(cents: int, shares: Sequence[Fraction]) -> list[int]:
    """Return the cents of each touch by largest remainder, ties to the later touch."""
    exact = [cents * share for share in shares]
    parts = [int(part) for part in exact]
    order = sorted(range(len(shares)), key=lambda place: (exact[place] - parts[place], place), reverse=True)
    credited = [place for place in order if shares[place] > 0]
    for place in credited[: cents - sum(parts)]:
        parts[place] += 1
    return parts
