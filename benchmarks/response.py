"""Who uses the coupons of a campaign, on a retailer's real year."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from o2o_mining.core.moments import midnight
from o2o_mining.response.features import pair_features
from o2o_mining.response.learning import learned
from o2o_mining.response.quality import with_intervals
from o2o_mining.response.steps import offer_logs, staged_evidence
from pipelines.execution import run
from pipelines.house import open_house

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.engine.base import Engine
    from o2o_mining.response.logs import OfferLogs

CUT = date(2017, 7, 15)
RESAMPLES = 500


def measure() -> Iterator[str]:
    """Complete Journey: households that use at least one coupon of a campaign, out of time from 2017-07-15."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run("complete-journey", None, home, None, lambda _: None)
        with open_house("complete-journey", None, home, lambda _: None) as house:
            (day,) = [day for day in house.engine.slices("known_purchases") if day]
            books = books_received(house.engine, day)
    yield from told(books)


def books_received(engine: Engine, day: date) -> pd.DataFrame:
    """Return one row per household and campaign received: features as of the campaign's start, and what came.

    The room is given each campaign's coupons as one book: a coupon that is good for all of the campaign's products.
    """
    known = staged_evidence(engine, _as_books(offer_logs(engine, day)))
    pairs = known.receipts.select(
        "customer_id", "coupon_id", "lapses_at", known_at="received_at", redeemed=known.receipts.redeemed_at.notnull()
    )
    made = pair_features(engine.stage(pairs), known)
    frame: pd.DataFrame = engine.execute(made.order_by(["known_at", "customer_id", "coupon_id"]))
    return frame


def _as_books(logs: OfferLogs) -> OfferLogs:
    """Return logs in which a campaign's coupons are one, and its kind (A, B or C) is the channel."""
    kind = logs.campaigns.name.re_extract(r"^(Type \w)", 1)
    campaigns = logs.campaigns.mutate(channel=kind)
    none = {name: ibis.null(logs.coupons[name].type()) for name in ("kind", "threshold", "discount", "valid_days")}
    coupons = campaigns.mutate(coupon_id="campaign_id", **none, stock=ibis.null("int64"), min_age=ibis.null("int64"))
    own = logs.coupons.select("coupon_id", "campaign_id")
    products = logs.coupon_products.join(own, "coupon_id").select(coupon_id="campaign_id", product_id="product_id")
    return replace(
        logs,
        campaigns=campaigns,
        coupons=coupons.select(*logs.coupons.columns),
        coupon_products=products.distinct(),
        coupon_lifecycle=_book_lives(logs, campaigns),
    )


def _book_lives(logs: OfferLogs, campaigns: ir.Table) -> ir.Table:
    used = logs.coupon_lifecycle.filter(logs.coupon_lifecycle.redeemed_at.notnull())
    used = used.group_by("campaign_id", "customer_id").aggregate(redeemed_at=used.redeemed_at.min())
    sent = logs.touches.filter(logs.touches.campaign_id.notnull())
    sent = sent.group_by("campaign_id", "customer_id").aggregate(received_at=sent.touched_at.min())
    ends = campaigns.select("campaign_id", "merchant_id", expires_at="ends_at")
    t = sent.join(ends, "campaign_id").left_join(used, ["campaign_id", "customer_id"])
    return t.select(
        "customer_id", "merchant_id", "campaign_id", "received_at", "expires_at", "redeemed_at",
        receipt_id=t.campaign_id + ibis.literal(":") + t.customer_id, coupon_id=t.campaign_id,
    )  # fmt: skip


def told(books: pd.DataFrame) -> Iterator[str]:
    """Yield how good the model is on campaigns that start from the cut on."""
    cut: datetime = midnight(CUT)
    before = books[books["lapses_at"] < cut]
    after = books[books["known_at"] >= cut]
    model = learned(before)
    if model is None:
        raise SystemExit("nothing can be learned before the cut")
    probability = model.probability(after)
    used, campaign, household = (after[name].to_numpy() for name in ("redeemed", "coupon_id", "customer_id"))
    made = with_intervals(
        probability, used.astype(bool), campaign.astype(object), household.astype(object), n_bootstrap=RESAMPLES
    )
    yield f"learned from {len(before):,} rows ({before['redeemed'].mean():.3f} used), tried on {len(after):,}"
    for row in made.itertuples():
        yield f"{row.metric} {row.value:.3f} ({row.value_low:.3f} to {row.value_high:.3f})"
