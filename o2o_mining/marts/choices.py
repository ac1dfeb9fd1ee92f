"""What customers chose among: merchants, categories, and the channels and devices that reached them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.engine.portable import days_between, entropy, moment, share
from o2o_mining.marts.bought import since

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir


def of_merchants(bought: ir.Table, merchants: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who bought, with how purchases spread over merchants.

    Purchases are counted by customer and merchant first: one merchant's last purchase tells the windows it is in.
    """
    t = bought.group_by("customer_id", "merchant_id").aggregate(n=bought.count(), last_at=bought.purchased_at.max())
    one = t.group_by("customer_id").aggregate(
        n_merchants=t.count(),
        n_merchants_90d=t.count(where=t.last_at >= since(as_of, 90)),
        most=t.n.max(),
        n=t.n.sum(),
        merchant_entropy=entropy(t.n),
    )
    one = one.select(
        "customer_id", "n_merchants", "n_merchants_90d", "merchant_entropy", top_merchant_share=share(one.most, one.n)
    )
    kinds = merchants.filter(merchants.category.notnull()).select(kind_of="merchant_id", category="category")
    t = t.join(kinds, t.merchant_id == kinds.kind_of)
    t = t.group_by("customer_id", "category").aggregate(n=t.n.sum())
    two = t.group_by(buyer_id=t.customer_id).aggregate(
        n_categories=t.count(), most=t.n.max(), n=t.n.sum(), category_entropy=entropy(t.n)
    )
    two = two.select("buyer_id", "n_categories", "category_entropy", top_category_share=share(two.most, two.n))
    return one.left_join(two, one.customer_id == two.buyer_id).drop("buyer_id")


def of_touches(touches: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who was touched."""
    paid = touches.campaign_id.notnull()
    within = {days: touches.touched_at >= since(as_of, days) for days in (7, 30, 90)}
    sums = touches.group_by("customer_id").aggregate(
        n=touches.count(),
        **{f"n_touches_{days}d": touches.count(where=recent) for days, recent in within.items()},
        unpaid=touches.count(where=~paid),
        n_impressions_90d=touches.count(where=within[90] & paid & (touches.action == "impression")),
        n_clicks_90d=touches.count(where=within[90] & paid & (touches.action == "click")),
        n_campaigns_90d=touches.campaign_id.nunique(where=within[90]),
        last_at=touches.touched_at.max(),
    )
    return sums.select(
        "customer_id", *(f"n_touches_{days}d" for days in within), "n_impressions_90d", "n_clicks_90d",
        "n_campaigns_90d",
        unpaid_share=share(sums.unpaid, sums.n),
        contact_days=days_between(moment(as_of), sums.last_at),
    )  # fmt: skip


def of_channels(touches: ir.Table) -> ir.Table:
    """One customer who was touched, with the channels."""
    t = touches.group_by("customer_id", "channel").aggregate(n=touches.count())
    sums = t.group_by("customer_id").aggregate(n_touch_channels=t.count(), most=t.n.max(), n=t.n.sum())
    return sums.select("customer_id", "n_touch_channels", main_channel_share=share(sums.most, sums.n))


def of_devices(touches: ir.Table) -> ir.Table:
    """One customer who was touched on a known device, with the devices."""
    t = touches.filter(touches.device.notnull())
    t = t.group_by("customer_id", "device").aggregate(n=t.count())
    sums = t.group_by("customer_id").aggregate(n_devices=t.count(), most=t.n.max(), n=t.n.sum())
    return sums.select("customer_id", "n_devices", main_device_share=share(sums.most, sums.n))


def of_exposure(journey_touches: ir.Table) -> ir.Table:
    """One customer who bought after a touch of a campaign."""
    t = journey_touches.filter(journey_touches.campaign_id.notnull() & ~journey_touches.journey_id.startswith("n:"))
    return t.group_by("customer_id").aggregate(n_exposed_purchases=t.journey_id.nunique())
