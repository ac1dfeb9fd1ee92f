"""The features in polars: lazy frames, one group-by a question, the streaming engine."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
WINDOWS = (7, 30, 90, 180, 365)
C = pl.col


def features(t: dict[str, pl.LazyFrame], *, as_of: date, zone: str) -> pl.DataFrame:
    """Return the features of every customer."""
    now = datetime(as_of.year, as_of.month, as_of.day)
    bought = t["purchases"].filter(C.cancelled_at.is_null())
    made = pl.concat([t["everybody"].select("customer_id"), bought.select("customer_id")]).unique()
    for part in (
        _purchases(bought, t["stores"], now, zone), _gaps(bought), _orders(t["purchases"], now),
        *_merchants(bought, t["merchants"], now), *_touches(t["touches"], now), _exposure(t["journey_touches"]),
        _coupons(t["coupon_lifecycle"], now), *_people(t["customers"], bought, now), _reviews(t["reviews"], now),
    ):  # fmt: skip
        made = made.join(part, on="customer_id", how="left")
    made = made.with_columns(
        home_to_visits_km=_km(C.home_lat, C.home_lon, C.visited_lat, C.visited_lon),
        recency_over_gap=_over(C.recency_days, C.mean_gap_days),
        exposed_purchase_share=C.n_exposed_purchases.fill_null(0) / C.n_purchases,
    )
    counts = pl.selectors.starts_with("n_") | pl.selectors.by_name("refunded_amount")
    made = made.with_columns(counts.fill_null(0)).drop("home_lat", "home_lon", "visited_lat", "visited_lon")
    return made.collect(engine="streaming")


def _since(at: str, now: datetime, days: int) -> pl.Expr:
    return C(at) >= now - timedelta(days=days)


def _over(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole != 0).then(part / whole)


def _days(span: pl.Expr) -> pl.Expr:
    return span.dt.total_microseconds() / 86_400_000_000


def _purchases(b: pl.LazyFrame, stores: pl.LazyFrame, now: datetime, zone: str) -> pl.LazyFrame:
    local = C.purchased_at.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    within = {d: _since("purchased_at", now, d) for d in WINDOWS}
    excess = C.waited_min - C.promised_wait_min
    both, less = C.discount_amount.is_not_null(), C.discount_amount > 0
    share = pl.when(C.list_amount != 0).then(C.discount_amount / C.list_amount)
    b = b.with_columns(weekday=local.dt.weekday(), hour=local.dt.hour(), excess=excess, share=share)
    b = b.join(stores.filter(C.lat.is_not_null() & C.lon.is_not_null()), on="store_id", how="left")
    s = b.group_by("customer_id").agg(
        n_purchases=pl.len(), **{f"n_purchases_{d}d": w.sum() for d, w in within.items()},
        **{name: (C.weekday == i + 1).sum() for i, name in enumerate(WEEKDAYS)}, weekend=(C.weekday >= 6).sum(),
        noon=((C.hour >= 11) & (C.hour < 14)).sum(), evening=(C.hour >= 18).sum(), online=(C.source == "online").sum(),
        first=C.purchased_at.min(), last=C.purchased_at.max(), known=C.net_amount.count(), net=C.net_amount.sum(),
        **{f"net_{d}": C.net_amount.filter(w).sum() for d, w in within.items()}, max_net_amount=C.net_amount.max(),
        refunded_amount=C.refunded_amount.sum(), n_refunds=(C.refunded_amount > 0).sum(),
        discount=C.discount_amount.sum(), listed=C.list_amount.filter(both).sum(), priced=C.share.count(),
        shares=((C.share * 1e6 + 0.5).floor() / 1e6).sum(), both=both.sum(), less=less.sum(),
        paid=C.paid_amount.filter(both).sum(), paid_less=C.paid_amount.filter(less).sum(),
        measured=C.distance_m.count(), metres=(C.distance_m + 0.5).floor().sum(), max_distance_m=C.distance_m.max(),
        near=(C.distance_m <= 2000).sum(), promised=C.excess.count(), late=(C.excess > 0).sum(),
        excess=((C.excess.clip(lower_bound=0) * 100 + 0.5).floor() / 100).sum(),
        n_bad_visits_90d=((C.excess > 10) & _since("consumed_at", now, 90)).sum(),
        n_stores=C.store_id.filter(C.consumed_at.is_not_null()).drop_nulls().n_unique(),
        visited_lat=C.lat.mean(), visited_lon=C.lon.mean(), delivered=(C.fulfilment == "delivery").sum(),
        fulfilled=C.fulfilment.count(),
    )  # fmt: skip
    known = {"net_amount": C.net} | {f"net_amount_{d}d": C(f"net_{d}") for d in WINDOWS}
    s = s.with_columns(**{name: pl.when(C.known > 0).then(value) for name, value in known.items()})
    return s.select(
        "customer_id", "n_purchases", *(f"n_purchases_{d}d" for d in WINDOWS), *known, "max_net_amount",
        "refunded_amount", "n_refunds", "max_distance_m", "n_bad_visits_90d", "n_stores", "visited_lat", "visited_lon",
        **{f"{x}_share": C(x) / C.n_purchases for x in (*WEEKDAYS, "weekend", "noon", "evening", "online")},
        purchase_trend=_over(
            2 * C.n_purchases_90d.cast(pl.Int64) - C.n_purchases_180d.cast(pl.Int64), C.n_purchases_180d
        ),
        recency_days=_days(now - C.last), tenure_days=_days(now - C.first),
        mean_gap_days=_over(_days(C.last - C.first), C.n_purchases - 1),
        spend_trend=_over(C.net_amount_90d, C.net_amount_180d), mean_net_amount=_over(C.net, C.known),
        discount_share=_over(C.discount, C.listed), mean_discount_share=_over(C.shares, C.priced),
        discounted_share=_over(C.less, C.both), discounted_spend_share=_over(C.paid_less, C.paid),
        mean_distance_m=_over(C.metres, C.measured), within_2km_share=_over(C.near, C.measured),
        late_share=_over(C.late, C.promised), mean_excess_wait_min=_over(C.excess, C.promised),
        delivery_share=_over(C.delivered, C.fulfilled),
    )  # fmt: skip


def _gaps(b: pl.LazyFrame) -> pl.LazyFrame:
    gap = C.purchased_at.sort().diff().dt.total_minutes().drop_nulls() / 1440
    g = b.group_by("customer_id").agg(
        median_gap_days=gap.median(), std_gap_days=gap.std(), gaps=gap.sum(), squares=(gap * gap).sum(), n=gap.len()
    )
    return g.select(
        "customer_id", "median_gap_days", "std_gap_days", gap_variation=_over(C.std_gap_days * C.n, C.gaps),
        gap_regularity=_over(C.gaps * C.gaps, C.n * C.squares),
    )  # fmt: skip


def _orders(purchases: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    due = (C.fulfilment == "reservation") & (C.reserved_for < now)
    due &= C.cancelled_at.is_null() | (C.cancelled_at >= C.reserved_for)
    s = purchases.filter(C.source == "online").group_by("customer_id").agg(
        n=pl.len(), cancelled=C.cancelled_at.count(), n_reservations=due.sum(),
        kept=(due & C.consumed_at.is_not_null()).sum(),
    )  # fmt: skip
    return s.select(
        "customer_id", "n_reservations", n_no_shows=C.n_reservations - C.kept, cancelled_share=C.cancelled / C.n,
        kept_reservations_share=_over(C.kept, C.n_reservations),
    )  # fmt: skip


def _spread(counts: pl.LazyFrame, name: str, plural: str, *more: pl.Expr) -> pl.LazyFrame:
    whole = C.n.sum()
    return counts.group_by("customer_id").agg(
        pl.len().alias(f"n_{plural}"), *more, (C.n.max() / whole).alias(f"top_{name}_share"),
        (whole.log() - (C.n * C.n.log()).sum() / whole).round(6).abs().alias(f"{name}_entropy"),
    )  # fmt: skip


def _merchants(b: pl.LazyFrame, merchants: pl.LazyFrame, now: datetime) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    one = b.group_by("customer_id", "merchant_id").agg(n=pl.len(), last=C.purchased_at.max())
    kinds = one.join(merchants.filter(C.category.is_not_null()), on="merchant_id")
    kinds = kinds.group_by("customer_id", "category").agg(C.n.sum())
    lately = _since("last", now, 90).sum().alias("n_merchants_90d")
    return _spread(one, "merchant", "merchants", lately), _spread(kinds, "category", "categories")


def _touches(t: pl.LazyFrame, now: datetime) -> tuple[pl.LazyFrame, ...]:
    lately, paid = _since("touched_at", now, 90), C.campaign_id.is_not_null()
    s = t.group_by("customer_id").agg(
        **{f"n_touches_{d}d": _since("touched_at", now, d).sum() for d in (7, 30, 90)},
        n_impressions_90d=(lately & paid & (C.action == "impression")).sum(),
        n_clicks_90d=(lately & paid & (C.action == "click")).sum(),
        n_campaigns_90d=C.campaign_id.filter(lately).drop_nulls().n_unique(),
        unpaid_share=C.campaign_id.null_count() / pl.len(), contact_days=_days(now - C.touched_at.max()),
    )  # fmt: skip
    spread = (
        t.filter(C(column).is_not_null()).group_by("customer_id", column).agg(n=pl.len()).group_by("customer_id")
        .agg(pl.len().alias(number), (C.n.max() / C.n.sum()).alias(f"main_{column}_share"))
        for column, number in (("channel", "n_touch_channels"), ("device", "n_devices"))
    )  # fmt: skip
    return (s, *spread)


def _exposure(journey_touches: pl.LazyFrame) -> pl.LazyFrame:
    j = journey_touches.filter(C.campaign_id.is_not_null() & ~C.journey_id.str.starts_with("n:"))
    return j.group_by("customer_id").agg(n_exposed_purchases=C.journey_id.n_unique())


def _coupons(c: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    is_receipt, is_used = ~C.receipt_id.str.starts_with("u:"), C.redeemed_at.is_not_null()
    year = is_receipt & _since("received_at", now, 365)
    in_order = is_receipt & (C.redeemed_at >= C.received_at)
    s = c.group_by("customer_id").agg(
        n_receipts=is_receipt.sum(), n_receipts_90d=(is_receipt & _since("received_at", now, 90)).sum(),
        n_coupon_uses=is_used.sum(), n_coupon_uses_90d=_since("redeemed_at", now, 90).sum(),
        used=(is_receipt & is_used).sum(), year=year.sum(), year_used=(year & is_used).sum(), in_order=in_order.sum(),
        waited=_days((C.redeemed_at - C.received_at).filter(in_order).sum()),
    )  # fmt: skip
    return s.select(
        "customer_id", "n_receipts", "n_receipts_90d", "n_coupon_uses", "n_coupon_uses_90d",
        redemption_share=_over(C.used, C.n_receipts), redemption_365d_share=_over(C.year_used, C.year),
        mean_redeem_days=_over(C.waited, C.in_order),
    )  # fmt: skip


def _people(c: pl.LazyFrame, b: pl.LazyFrame, now: datetime) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    homes = c.filter(C.city.is_not_null() & C.home_lat.is_not_null() & C.home_lon.is_not_null())
    centre = homes.group_by("city").agg(lat=C.home_lat.mean(), lon=C.home_lon.mean())
    made = c.join(centre, on="city", how="left").select(
        "customer_id", "home_lat", "home_lon", age_years=now.year - C.birth_year, known_days=_days(now - C.joined_at),
        is_referred=C.referrer_id.is_not_null(), home_to_centre_km=_km(C.home_lat, C.home_lon, C.lat, C.lon),
    )  # fmt: skip
    active = b.filter(_since("purchased_at", now, 90)).select("customer_id", active=True).unique()
    friends = c.filter(C.referrer_id.is_not_null()).join(active, on="customer_id", how="left")
    counted = friends.group_by(customer_id="referrer_id").agg(n_friends=pl.len(), n_friends_active_90d=C.active.count())
    return made, counted


def _reviews(r: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    return r.group_by("customer_id").agg(
        n_reviews=pl.len(), mean_rating=C.rating.mean(), n_complaints=C.is_complaint.sum(),
        n_complaints_90d=(C.is_complaint & _since("reviewed_at", now, 90)).sum(),
    )  # fmt: skip


def _km(lat: pl.Expr, lon: pl.Expr, lat2: pl.Expr, lon2: pl.Expr) -> pl.Expr:
    one, two = ((lat2 - lat).radians() / 2).sin(), ((lon2 - lon).radians() / 2).sin()
    chord = one * one + lat.radians().cos() * lat2.radians().cos() * two * two
    return (2 * 6371.0088 * chord.clip(upper_bound=1).sqrt().arcsin()).round(3)
