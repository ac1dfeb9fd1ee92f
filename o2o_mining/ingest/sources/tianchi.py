"""Tianchi O2O: the coupon log of that competition, from its three files, as canonical feeds.

The mapping is fixed by the page of the feeds and by docs/decisions/0007-tianchi-o2o.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import ORDINAL
from o2o_mining.ingest.inputs import Fingerprint, Found, Input, Staged, fingerprint_of, reading, with_lines
from o2o_mining.ingest.readable import write_readable
from o2o_mining.ingest.records import Records, scan

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine

OFFLINE = ("User_id", "Merchant_id", "Coupon_id", "Discount_rate", "Distance", "Date_received", "Date")
ONLINE = ("User_id", "Merchant_id", "Action", "Coupon_id", "Discount_rate", "Date_received", "Date")
CHANNEL = "online"  # where a click was made is not said; it was no shop, and no known channel

_CLICK, _ORDER, _RECEIPT = "0", "1", "2"
_FIXED = "fixed"
_STEP_M = 500.0
_NUMBER = r"[0-9]{1,16}(?:\.[0-9]{1,2})?"
_RATE = r"^[0-9]+(\.[0-9]+)?$"
_THRESHOLD = rf"^({_NUMBER}):({_NUMBER})$"
# A value that no feed takes stands for text that is none of the layout's, so that the record has its bad_type.
_NO_NUMBER = ibis.literal(float("nan"))
_NO_DAY = ibis.literal(datetime(9999, 12, 31), "timestamp(6)") + ibis.interval(days=1)

Build = Callable[["ir.Table", str], "ir.Table"]


@dataclass(frozen=True)
class TianchiSource:
    """The files of the competition in a folder; any but one may be missing.

    Attributes
    ----------
    folder
        Where the files lie.

    Examples
    --------
    >>> TianchiSource(Path("no-such-folder")).defaults.currency
    'CNY'
    """

    folder: Path
    kind: str = "tianchi"
    # Days without hours: they stay the days they are in UTC, where slices begin.
    defaults: Settings = field(default=Settings(currency="CNY"))

    @property
    def place(self) -> str:
        """The folder, absolute."""
        return str(self.folder.resolve())

    def find(self) -> Found:
        """Return the feeds that each file makes, in byte order of the files, and the files that are none of these.

        Raises
        ------
        UsageError
            If the folder is missing or has none of the files.
        """
        if not self.folder.is_dir():
            raise UsageError(f"there is no folder {self.folder}", next_step="pass --input DIR")
        given = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        files = [_File(self.folder / name, *_LAYOUT[name]) for name in sorted(_LAYOUT) if name in given]
        if not files:
            raise UsageError(
                f"{self.folder} has none of the files {', '.join(_LAYOUT)}", next_step="pass the folder that has them"
            )
        inputs = tuple(MappedFeed(feed, file) for file in files for feed in file.feeds)
        return Found(inputs, tuple(name for name in given if name not in _LAYOUT))


@dataclass
class _File:
    """One file of the competition, read once for all the feeds that it makes."""

    path: Path
    name: str
    columns: tuple[str, ...]
    feeds: dict[str, Build]
    _staged: ir.Table | None = None

    @cached_property
    def fingerprint(self) -> Fingerprint:
        return fingerprint_of(self.path)

    @cached_property
    def records(self) -> Records:
        with reading(self.path):
            return scan(self.path, self.columns)

    def rows(self, engine: Engine, scratch: Path) -> ir.Table:
        """Return the records as text, numbered; they stay staged until the next file is loaded."""
        if self._staged is None:
            readable, header = self.path, self.records.header
            if not self.records.readable:
                readable, header = scratch / "readable.csv", True
                write_readable(self.path, self.records, readable)
            given = engine.scan_text(readable, len(self.records.fields), header=header)
            # Numbers are given to what is staged: to number a file while it is read takes one core alone.
            self._staged = engine.stage(given.drop(ORDINAL))
        return engine.numbered(self._staged)


@dataclass(frozen=True)
class MappedFeed(Input):
    """What one file brings to one feed."""

    feed: str
    file: _File

    @property
    def path(self) -> str:  # type: ignore[override]
        """The file's name."""
        return self.file.path.name

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the file."""
        return self.file.fingerprint

    def stage(self, engine: Engine, scratch: Path) -> Staged | None:
        """Return the canonical rows; lines that are no records count for the first feed of the file."""
        records = self.file.records
        if not records.fields:
            return None
        given = self.file.rows(engine, scratch)
        shown = tuple(f"f{i}" for i in range(len(records.fields)))
        named = {name: given[column].nullif("null") for name, column in zip(self.file.columns, shown, strict=True)}
        rows = self.file.feeds[self.feed](with_lines(given.mutate(**named), records.line_changes), self.file.name)
        return Staged(
            table=rows,
            names={name: name for name in rows.columns if name not in (*shown, "_ordinal")},
            raw=shown,
            malformed=records.malformed if self.feed == next(iter(self.file.feeds)) else (),
            line_changes=records.line_changes,
        )


# -- values --------------------------------------------------------------------------------------------------------


def _id(t: ir.Table, file: str) -> ir.StringValue:
    return ibis.literal(f"{file}:") + t._line.cast("string")


def _day(text: ir.StringValue) -> ir.TimestampValue:
    iso = text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 2)
    day = ibis.cases((text.re_search("^[0-9]{8}$"), iso.try_cast("timestamp(6)")))
    return ibis.cases((text.notnull(), day.fill_null(_NO_DAY)))


def _metres(distance: ir.StringValue) -> ir.FloatingValue:
    """Return the distance; 10 means over 5 km, and stays the 5 km it is at least."""
    metres = ibis.cases((distance.re_search("^([0-9]|10)$"), distance.try_cast("float64") * _STEP_M))
    return ibis.cases((distance.notnull(), metres.fill_null(_NO_NUMBER)))


def _coupon_id(t: ir.Table) -> ir.StringValue:
    """Return the coupon; the unnumbered discounts of a merchant are one coupon of its own."""
    return (t.Coupon_id == _FIXED).ifelse(ibis.literal(f"{_FIXED}:") + t.Merchant_id, t.Coupon_id)


# -- rows ----------------------------------------------------------------------------------------------------------


def _event(t: ir.Table, **columns: ir.Value) -> ir.Table:
    """One row with the record that it was made of."""
    shown = [name for name in t.columns if name.startswith("f") and name[1:].isdigit()]
    return t.select(*shown, "_ordinal", customer_id=t.User_id, **columns)


def _offline_receipts(t: ir.Table, file: str) -> ir.Table:
    """One coupon received; a coupon without any date is one, too, and is missing its moment."""
    t = t.filter(t.Coupon_id.notnull())
    if "Date" in t.columns:
        t = t.filter(t.Date_received.notnull() | t.Date.isnull())
    return _event(
        t,
        receipt_id=_id(t, file),
        coupon_id=_coupon_id(t),
        received_at=_day(t.Date_received),
        distance_m=_metres(t.Distance),
    )


def _offline_redemptions(t: ir.Table, file: str) -> ir.Table:
    """One visit, with a coupon or without; a row with neither coupon nor date is one, and is missing its moment."""
    t = t.filter(t.Date.notnull() | t.Coupon_id.isnull())
    received = t.Coupon_id.notnull() & t.Date_received.notnull()
    return _event(
        t,
        redemption_id=_id(t, file),
        merchant_id=t.Merchant_id,
        redeemed_at=_day(t.Date),
        coupon_id=_coupon_id(t),
        receipt_id=ibis.cases((received, _id(t, file))),
        distance_m=_metres(t.Distance),
    )


def _touches(t: ir.Table, file: str) -> ir.Table:
    """One click; a row of no known action is one, too, and its action is not allowed."""
    t = t.filter(t.Action.isnull() | t.Action.notin([_ORDER, _RECEIPT]))
    return _event(
        t,
        touch_id=_id(t, file),
        touched_at=_day(t.Date),
        channel=ibis.literal(CHANNEL),
        action=(t.Action == _CLICK).ifelse("click", t.Action),
    )


def _online_orders(t: ir.Table, file: str) -> ir.Table:
    """One order, without amounts."""
    t = t.filter(t.Action == _ORDER)
    return _event(
        t,
        order_id=_id(t, file),
        merchant_id=t.Merchant_id,
        ordered_at=_day(t.Date),
        coupon_id=_coupon_id(t),
        status=ibis.literal("paid"),
    )


def _online_receipts(t: ir.Table, file: str) -> ir.Table:
    """One coupon received online."""
    t = t.filter(t.Action == _RECEIPT)
    return _event(
        t,
        receipt_id=_id(t, file),
        coupon_id=_coupon_id(t),
        received_at=_day(t.Date_received),
        channel=ibis.literal(CHANNEL),
    )


def _coupons(t: ir.Table, _file: str) -> ir.Table:
    """One coupon with one merchant and one discount, at the last record that names them."""
    t = t.filter(t.Coupon_id.notnull())
    t = t.mutate(_coupon=_coupon_id(t))  # names that differ in case alone are one to the database
    same = ibis.window(group_by=["_coupon", "Merchant_id", "Discount_rate"], order_by=ibis.desc("_ordinal"))
    t = t.mutate(_place=ibis.row_number().over(same))
    t = t.filter(t._place == 0)
    said = ibis.cases(((t.Coupon_id != _FIXED) & (t.Discount_rate != _FIXED), t.Discount_rate))
    rate, threshold = said.re_search(_RATE), said.re_search(_THRESHOLD)
    off = ibis.cases(
        (rate, (1 - said.try_cast("decimal(18, 9)")).cast("float64")),
        (threshold, said.re_extract(_THRESHOLD, 2).try_cast("float64")),
    )
    return _event(
        t,
        coupon_id=t._coupon,
        merchant_id=t.Merchant_id,
        kind=ibis.cases((rate, "rate"), (threshold, "threshold")),
        threshold=ibis.cases((threshold, said.re_extract(_THRESHOLD, 1))),
        discount=ibis.cases((said.notnull(), off.fill_null(_NO_NUMBER))),
    ).drop("customer_id")


_LAYOUT: dict[str, tuple[str, tuple[str, ...], dict[str, Build]]] = {
    "ccf_offline_stage1_test_revised.csv": (
        "test",
        OFFLINE[:-1],
        {"coupon_receipts": _offline_receipts, "coupons": _coupons},
    ),
    "ccf_offline_stage1_train.csv": (
        "offline",
        OFFLINE,
        {"coupon_receipts": _offline_receipts, "offline_redemptions": _offline_redemptions, "coupons": _coupons},
    ),
    "ccf_online_stage1_train.csv": (
        "online",
        ONLINE,
        {
            "touches": _touches,
            "online_orders": _online_orders,
            "coupon_receipts": _online_receipts,
            "coupons": _coupons,
        },
    ),
}
