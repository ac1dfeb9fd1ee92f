"""The whole life of one order: what led to it, what was paid, used and given back, and whom the models credit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.redaction import redact
from o2o_mining.engine.origin import rerun
from o2o_mining.tracking.alphabet import grouped, spelled
from o2o_mining.tracking.codes import CodeError, ForeignCodeError, looks_like_code, read
from o2o_mining.tracking.events import Event, events_of
from o2o_mining.tracking.keys import Keys, read_keys
from o2o_mining.tracking.threads import MOST_ROWS, Found, Row, follow, rows_with

if TYPE_CHECKING:
    from o2o_mining.engine.home import Home

_LONGEST_ID = 64
_NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Credit:
    """What one model credits to one touch of one purchase.

    Attributes
    ----------
    model, purchase_id, touch_id, channel, campaign_id
        Of ``attribution_ledger``.
    share
        Of the purchase.
    amount, refund
        Money credited, and what was taken back of it, negative.
    """

    model: str
    purchase_id: str
    touch_id: str | None
    channel: str
    campaign_id: str | None
    share: float
    amount: Decimal
    refund: Decimal


@dataclass(frozen=True)
class CodeFinding:
    """What a code of ours turned out to be.

    Attributes
    ----------
    code
        As the rows carry it.
    state
        ``genuine``, or what is wrong with it.
    next_step
        What to do about it; empty for a genuine one.
    """

    code: str
    state: str
    next_step: str = ""


@dataclass(frozen=True)
class Trace:
    """The life of an order.

    Attributes
    ----------
    text
        What was looked for.
    codes
        The codes of ours that its rows carry, tested.
    events
        What happened, in the order of time.
    purchases
        Rows of ``purchases``: id, money paid, given back and left, cancelled or not.
    credits
        What the models credit, in the order of model, purchase and touch.
    exports
        Manifests of files that left the home about its campaigns or coupons.
    notes
        Sentences that a user should read.
    """

    text: str
    codes: tuple[CodeFinding, ...]
    events: tuple[Event, ...]
    purchases: tuple[Row, ...]
    credits: tuple[Credit, ...]
    exports: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The campaigns that its events and purchases name, sorted."""
        named = [event.campaign_id for event in self.events] + [row["campaign_id"] for row in self.purchases]
        return tuple(sorted({name for name in named if name}))


def trace(home: Home, text: str) -> Trace:
    """Return the whole life of what a text names.

    Parameters
    ----------
    home
        The published snapshot.
    text
        A code that we minted, as somebody typed it; or exactly a tracking code of the logs, an order_id, a
        redemption_id, a receipt_id or a purchase_id.

    Returns
    -------
    Trace
        At least one event. No phone number and no address is read for it.

    Raises
    ------
    CodeError
        If nothing carries it and it is a mistyped or forged code, one of another home, or one whose last day was over
        when the logs ended.
    O2OError
        If it is a genuine code that nothing carries yet.
    UsageError
        If nothing carries it otherwise.

    Examples
    --------
    >>> from o2o_mining.engine.home import open_home
    >>> trace(open_home("no-such-home"), "T1360")
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    given = text.strip()
    # A till's log may hold a code of ours in groups, as it is printed.
    names = {given, spelled(given), grouped(spelled(given))} if looks_like_code(given) else {given}
    # No id is longer, and a literal of hostile text would only be sent around.
    possible = {name for name in names if 0 < len(name) <= _LONGEST_ID and name.isprintable()}
    found, cut = follow(home, possible)
    keys = read_keys(home.path)
    if not any(found.values()):
        raise _nothing(home, given, keys)
    paid = {row["purchase_id"] for row in found["purchases"]}
    told = ("journey_id", "customer_id", "touched_at", "channel", "campaign_id", "tracking_code")
    events = events_of(found, rows_with(home, "journey_touches", {"journey_id": paid}, told, most=None))
    notes = []
    if cut:
        notes.append(f"more than {MOST_ROWS} rows of one table carry it: not all are shown, and no other code followed")
    if paid and not any(row["net_amount"] is not None for row in found["purchases"]):
        notes.append("the logs say no amounts")
    return Trace(
        text=given,
        codes=tuple(_tested(found, keys, _now(home))),
        events=events,
        purchases=tuple(found["purchases"]),
        credits=_credits(home, paid),
        exports=tuple(_exports(home.path / "exports", [*map(asdict, events), *found["purchases"]])),
        notes=tuple(notes),
    )


def _nothing(home: Home, text: str, keys: Keys) -> O2OError:
    """Return the error of a text that no row carries."""
    nothing = f"nothing published in {home.path} carries '{redact(text[:_LONGEST_ID])}'"
    again = f"if a plan was just approved or logs came in: {rerun(home.path)}"
    try:
        code = read(text, keys=keys, on=_now(home))
    except ForeignCodeError as error:
        if looks_like_code(text):
            return type(error)(f"{nothing}: {error.message}", next_step=error.next_step)
        next_step = "give a tracking code, order_id, redemption_id, receipt_id or purchase_id exactly as the logs do"
        return UsageError(nothing, next_step=next_step)
    except CodeError as error:
        return type(error)(f"{nothing}: {error.message}", next_step=error.next_step)
    return O2OError(f"{nothing}, a genuine code, good until {code.valid_until}", next_step=again)


def _now(home: Home) -> date:
    """Return the day on which the logs end; of a home without logs nothing is over."""
    now = home.manifest["now"]
    return date.fromisoformat(now) if now else date.min


def _tested(found: Found, keys: Keys, now: date) -> Iterator[CodeFinding]:
    """Test the codes of ours: good when something was bought with them or, while nothing is bought, still good."""
    idle = date.min if found["purchases"] else now
    used: dict[str, date] = {}
    for rows in found.values():
        for row in rows:
            code = row.get("tracking_code")
            if code and looks_like_code(code):
                moment = row.get("purchased_at")
                used[code] = max(used.get(code, idle), moment.date() if moment else idle)
    for code, on in sorted(used.items()):
        try:
            state, next_step = f"genuine, good until {read(code, keys=keys, on=on).valid_until}", ""
        except CodeError as error:
            state, next_step = error.message, error.next_step
        yield CodeFinding(code, state, next_step)


def _credits(home: Home, purchases: set[str]) -> tuple[Credit, ...]:
    told = ("model", "touch_id", "channel", "campaign_id", "kind", "share", "amount")
    rows = rows_with(home, "attribution_ledger", {"purchase_id": purchases}, told, most=None)
    entries: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        entry = (row["model"], row["purchase_id"], row["touch_id"] or "")
        entries.setdefault(entry, {})[row["kind"]] = row
    return tuple(
        Credit(
            model=entry["credit"]["model"],
            purchase_id=entry["credit"]["purchase_id"],
            touch_id=entry["credit"]["touch_id"],
            channel=entry["credit"]["channel"],
            campaign_id=entry["credit"]["campaign_id"],
            share=entry["credit"]["share"],
            amount=entry["credit"]["amount"],
            refund=entry["refund"]["amount"] if "refund" in entry else _NOTHING,
        )
        for _, entry in sorted(entries.items())
    )


def _exports(folder: Path, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Give the manifests of the files about campaigns or coupons that the rows name."""
    ours = {row[column] for row in rows for column in ("campaign_id", "coupon_id")} - {None}
    for path in sorted(folder.rglob("*.manifest.json")):
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # somebody's own file
        if isinstance(manifest, dict) and (ours & set(_named(manifest)) or (ours and _of_all_offers(manifest))):
            about = ("rows", "as_of", "format", "purpose", "requested_by", "sha256")
            yield {"file": str(path).removesuffix(".manifest.json"), **{name: manifest.get(name) for name in about}}


def _of_all_offers(manifest: Row) -> bool:
    """Say whether a file holds the offers of every campaign."""
    return manifest.get("table") == "targeted_offers" and not any(_named(manifest))


def _named(content: Any, *, about: bool = False) -> Iterator[str]:
    """Give the texts under keys that speak of campaigns or coupons, or of what rows were asked for."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _named(value, about=about or key == "where" or "campaign" in key or "coupon" in key)
    elif isinstance(content, list):
        for value in content:
            yield from _named(value, about=about)
    elif about and isinstance(content, str):
        yield content
