"""The offers of every customer, ready to be sent: an app asks for them while a page loads.

Only plans that were approved count, of each campaign the last; who withdrew consent since, or is held out, has no offer
here as in every file.
"""

from __future__ import annotations

import json
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.home import Home
from o2o_mining.engine.snapshot import POINTER
from o2o_mining.exports import standing_offers
from o2o_mining.ingest.sources import home_settings
from o2o_mining.offers import APPROVALS, read_approvals

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SHOWN = (
    "campaign_id", "coupon_id", "merchant_id", "channel", "send_on", "redemption_probability", "uplift",
    "expected_value", "reason_codes",
)  # fmt: skip
_BATCH = 50_000

Book = dict[str, bytes]


class OfferBook:
    """Gives the answer on a customer from memory; what was published or approved is taken in beside, in a thread.

    Parameters
    ----------
    path
        Folder of the home.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._watched = (path / "snapshots" / POINTER, path / APPROVALS, path / "settings.toml")
        self._lock = threading.Lock()
        self._mark: object = None
        self._book: Book | None = None

    def answer(self, customer_id: str) -> bytes:
        """Return the JSON of a customer's offers.

        Raises
        ------
        HomeError
            If nothing was published yet.
        """
        mark = self._now()
        if mark != self._mark:
            self._renew(mark)
        assert self._book is not None  # noqa: S101 - renewed
        found = self._book.get(customer_id)
        return found if found is not None else _answer(customer_id, "[]")

    def is_current(self) -> bool:
        """Return whether an answer needs no reading, so that it can be given without waiting."""
        return self._now() == self._mark or (self._lock.locked() and self._book is not None)

    def _now(self) -> object:
        """Return what changes with every publication, approval and setting."""
        marks: list[tuple[int, int] | None] = []
        for file in self._watched:
            try:
                said = file.stat()
            except FileNotFoundError:
                marks.append(None)
            else:
                marks.append((said.st_mtime_ns, said.st_ino))
        return tuple(marks)

    def _renew(self, mark: object) -> None:
        """Read the offers anew; who comes meanwhile gets those of before, and at the very first waits."""
        if not self._lock.acquire(blocking=self._book is None):
            return
        try:
            if mark != self._mark:
                self._book = read_offers(self._path)
                self._mark = mark
        finally:
            self._lock.release()


def read_offers(path: Path) -> Book:
    """Return the answer for each customer who has an offer.

    Parameters
    ----------
    path
        Folder of the home.

    Raises
    ------
    HomeError
        If nothing was published yet.
    """
    home = Home(path)
    try:
        book: Book = {}
        offers = _approved(home)
        if offers is None:
            return book
        one = ibis.struct({name: offers[name] for name in _SHOWN})
        order = [offers.campaign_id, offers["rank"], offers.coupon_id]
        listed = offers.group_by("customer_id").aggregate(offers=one.collect(order_by=order))
        rows = listed.select("customer_id", offers=listed.offers.cast("json").cast("string"))
        for batch in home.batches(rows, _BATCH):
            for customer_id, text in zip(batch[0].to_pylist(), batch[1].to_pylist(), strict=True):
                book[customer_id] = _answer(customer_id, text)
        return book
    finally:
        home.close()


def _approved(home: Home) -> ir.Table | None:
    """Return the offers of the last approved plan of each campaign whose customers may still get them."""
    last = {entry["campaign_id"]: date.fromisoformat(entry["as_of"]) for entry in read_approvals(home.path)}
    days = sorted(set(last.values()) & set(home.days("targeted_offers")))
    settings = home_settings(home.path)
    parts = []
    for day in days:
        standing = standing_offers(home, settings=settings, as_of=day)
        campaigns = sorted(campaign for campaign, approved in last.items() if approved == day)
        parts.append(standing.filter(standing.campaign_id.isin(campaigns)))
    return ibis.union(*parts) if len(parts) > 1 else parts[0] if parts else None


def _answer(customer_id: str, offers: str) -> bytes:
    return f'{{"customer_id":{json.dumps(customer_id)},"offers":{offers}}}'.encode()
