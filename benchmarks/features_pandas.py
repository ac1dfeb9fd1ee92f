"""The features as an analyst would write them with pandas: vectorised, grouped by integer codes, floats for money."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


def features(t: dict[str, pd.DataFrame], *, as_of: date, zone: str) -> pd.DataFrame:
    """Return the features of every customer, by customer_id."""
    now = pd.Timestamp(as_of)
    bought = t["purchases"][t["purchases"].cancelled_at.isna()]
    index = pd.Index(pd.concat([t["everybody"].customer_id, bought.customer_id]).unique(), name="customer_id")
    made = pd.DataFrame(index=np.arange(len(index)))
    parts = (
        _purchases(bought, index.get_indexer(bought.customer_id), t["stores"], now, zone),
        _orders(t["purchases"], index, now),
        _merchants(bought, index.get_indexer(bought.customer_id), t["merchants"], now),
        _touches(t["touches"], index.get_indexer(t["touches"].customer_id), now),
        _exposure(t["journey_touches"], index),
        _coupons(t["coupon_lifecycle"], index, now),
        _people(t["customers"], bought, index, now),
        _reviews(t["reviews"], index, now),
    )
    made = made.join(list(parts))
    made["home_to_visits_km"] = _km(made.home_lat, made.home_lon, made.visited_lat, made.visited_lon)
    made["recency_over_gap"] = made.recency_days / made.mean_gap_days.replace(0, np.nan)
    made["exposed_purchase_share"] = made.n_exposed_purchases.fillna(0) / made.n_purchases
    counts = [name for name in made.columns if name.startswith("n_") or name == "refunded_amount"]
    made[counts] = made[counts].fillna(0)
    return made.set_axis(index).drop(columns=["home_lat", "home_lon", "visited_lat", "visited_lon"])


def _since(at: pd.Series, now: pd.Timestamp, days: int) -> pd.Series:
    return at >= now - pd.Timedelta(days=days)


def _over(part: Any, whole: Any) -> Any:
    return part / whole.replace(0, np.nan)


def _purchases(b: pd.DataFrame, code: np.ndarray, stores: pd.DataFrame, now: pd.Timestamp, zone: str) -> pd.DataFrame:
    local = b.purchased_at.dt.tz_localize("UTC").dt.tz_convert(zone)
    weekday, hour = local.dt.dayofweek, local.dt.hour
    within = {days: _since(b.purchased_at, now, days) for days in (7, 30, 90, 180, 365)}
    less, excess = b.discount_amount > 0, b.waited_min - b.promised_wait_min
    both = b.discount_amount.notna()
    share = np.floor(b.discount_amount / b.list_amount.replace(0, np.nan) * 1e6 + 0.5) / 1e6
    place = b[["store_id"]].merge(stores, on="store_id", how="left").set_index(b.index)
    place = place[["lat", "lon"]].where(place.lat.notna() & place.lon.notna())
    sums = pd.DataFrame({
        "n": np.int64(1), **{f"n_purchases_{d}d": w for d, w in within.items()},
        **{name: weekday == i for i, name in enumerate(WEEKDAYS)}, "weekend": weekday >= 5,
        "noon": (hour >= 11) & (hour < 14), "evening": hour >= 18, "online": b.source == "online",
        "known": b.net_amount.notna(), "net_amount": b.net_amount,
        **{f"net_amount_{d}d": b.net_amount.where(w) for d, w in within.items()},
        "refunded_amount": b.refunded_amount, "n_refunds": b.refunded_amount > 0,
        "discount": b.discount_amount, "listed": b.list_amount.where(both), "priced": share.notna(), "share": share,
        "both": both, "less": less, "paid": b.paid_amount.where(both), "paid_less": b.paid_amount.where(less),
        "measured": b.distance_m.notna(), "metres": np.floor(b.distance_m + 0.5), "near": b.distance_m <= 2000,
        "promised": excess.notna(), "late": excess > 0,
        "excess": np.floor(excess.clip(lower=0) * 100 + 0.5) / 100,
        "n_bad_visits_90d": (excess > 10) & _since(b.consumed_at, now, 90),
        "placed": place.lat.notna(), "lat": place.lat, "lon": place.lon,
        "delivered": b.fulfilment == "delivery", "fulfilled": b.fulfilment.notna(),
    }).groupby(code).sum()  # fmt: skip
    extremes = b.groupby(code).agg(
        first=("purchased_at", "min"), last=("purchased_at", "max"), max_net_amount=("net_amount", "max"),
        max_distance_m=("distance_m", "max"),
    )  # fmt: skip
    stores_seen = b.assign(code=code).loc[b.consumed_at.notna() & b.store_id.notna(), ["code", "store_id"]]
    made = _ratios(sums, extremes, now)
    made["n_stores"] = stores_seen.drop_duplicates().groupby("code").size()
    return made.join(_gaps(b, code))


def _ratios(s: pd.DataFrame, extremes: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    day = pd.Timedelta(days=1)
    made = s[[c for c in s.columns if c.startswith(("n_", "net_amount", "refunded"))]].copy()
    made.insert(0, "n_purchases", s.n)
    known = s.known > 0
    made["net_amount"] = s.net_amount.where(known)
    for d in (7, 30, 90, 180, 365):
        made[f"net_amount_{d}d"] = s[f"net_amount_{d}d"].where(known)
    made["purchase_trend"] = _over(2 * s.n_purchases_90d - s.n_purchases_180d, s.n_purchases_180d)
    made["recency_days"] = (now - extremes["last"]) / day
    made["tenure_days"] = (now - extremes["first"]) / day
    made["mean_gap_days"] = (extremes["last"] - extremes["first"]) / day / (s.n - 1).replace(0, np.nan)
    for name in (*WEEKDAYS, "weekend", "noon", "evening", "online"):
        made[f"{name}_share"] = s[name] / s.n
    made["spend_trend"] = _over(made.net_amount_90d, made.net_amount_180d)
    made["mean_net_amount"] = _over(s.net_amount, s.known)
    made["discount_share"] = _over(s.discount, s.listed)
    made["mean_discount_share"] = _over(s.share, s.priced)
    made["discounted_share"] = _over(s.less, s.both)
    made["discounted_spend_share"] = _over(s.paid_less, s.paid)
    made["mean_distance_m"] = _over(s.metres, s.measured)
    made["within_2km_share"] = _over(s.near, s.measured)
    made["late_share"] = _over(s.late, s.promised)
    made["mean_excess_wait_min"] = _over(s.excess, s.promised)
    made["visited_lat"], made["visited_lon"] = _over(s.lat, s.placed), _over(s.lon, s.placed)
    made["delivery_share"] = _over(s.delivered, s.fulfilled)
    made[["max_net_amount", "max_distance_m"]] = extremes[["max_net_amount", "max_distance_m"]]
    return made


def _gaps(b: pd.DataFrame, code: np.ndarray) -> pd.DataFrame:
    p = pd.DataFrame({"code": code, "at": b.purchased_at.to_numpy()}).sort_values(["code", "at"])
    gap = (p["at"].diff() // pd.Timedelta(minutes=1)).where(p.code == p.code.shift()).astype("float64") / 1440
    g = pd.DataFrame({"gap": gap, "square": gap * gap}).dropna()
    groups = g.groupby(p.code[g.index].to_numpy())
    sums, n = groups.sum(), groups.size()
    gaps = groups.gap.agg(["median", "std"])
    return pd.DataFrame({
        "median_gap_days": gaps["median"], "std_gap_days": gaps["std"],
        "gap_variation": gaps["std"] * n / sums.gap.replace(0, np.nan),
        "gap_regularity": sums.gap * sums.gap / (n * sums.square).replace(0, np.nan),
    })  # fmt: skip


def _orders(purchases: pd.DataFrame, index: pd.Index, now: pd.Timestamp) -> pd.DataFrame:
    o = purchases[purchases.source == "online"]
    due = (o.fulfilment == "reservation") & (o.reserved_for < now)
    due &= o.cancelled_at.isna() | (o.cancelled_at >= o.reserved_for)
    s = pd.DataFrame({
        "n": 1, "cancelled": o.cancelled_at.notna(), "n_reservations": due, "kept": due & o.consumed_at.notna(),
    }).groupby(index.get_indexer(o.customer_id)).sum()  # fmt: skip
    return _listed(pd.DataFrame({
        "n_reservations": s.n_reservations, "n_no_shows": s.n_reservations - s.kept,
        "cancelled_share": s.cancelled / s.n, "kept_reservations_share": _over(s.kept, s.n_reservations),
    }))  # fmt: skip


def _listed(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out whoever is not listed: only cancelled orders, or a feed that names a stranger."""
    return frame[frame.index >= 0]


def _spread(n: pd.Series, code: pd.Series, name: str) -> pd.DataFrame:
    groups = n.groupby(code)
    whole = groups.sum()
    entropy = np.log(whole) - (n * np.log(n)).groupby(code).sum() / whole
    return pd.DataFrame({f"top_{name}_share": groups.max() / whole, f"{name}_entropy": entropy.round(6).abs()})


def _merchants(b: pd.DataFrame, code: np.ndarray, merchants: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    visits = b.assign(code=code).groupby(["code", "merchant_id"])
    one = visits.purchased_at.agg(["size", "max"]).reset_index()
    made = _spread(one["size"], one.code, "merchant")
    made["n_merchants"] = one.groupby("code").size()
    made["n_merchants_90d"] = _since(one["max"], now, 90).groupby(one.code).sum()
    kinds = one.merge(merchants[["merchant_id", "category"]].dropna(), on="merchant_id")
    kinds = kinds.groupby(["code", "category"])["size"].sum().reset_index()
    made["n_categories"] = kinds.groupby("code").size()
    return made.join(_spread(kinds["size"], kinds.code, "category"))


def _touches(t: pd.DataFrame, code: np.ndarray, now: pd.Timestamp) -> pd.DataFrame:
    paid = t.campaign_id.notna()
    within = {days: _since(t.touched_at, now, days) for days in (7, 30, 90)}
    t = t.assign(code=code)
    s = pd.DataFrame({
        "n": 1, "unpaid": ~paid, **{f"n_touches_{d}d": w for d, w in within.items()},
        "n_impressions_90d": within[90] & paid & (t.action == "impression"),
        "n_clicks_90d": within[90] & paid & (t.action == "click"),
    }).groupby(code).sum()  # fmt: skip
    made = s.drop(columns=["n", "unpaid"])
    made["unpaid_share"] = s.unpaid / s.n
    made["contact_days"] = (now - t.groupby("code").touched_at.max()) / pd.Timedelta(days=1)
    reached = t.loc[within[90] & paid, ["code", "campaign_id"]].drop_duplicates()
    made["n_campaigns_90d"] = reached.groupby("code").size()
    for column, number, main in (("channel", "n_touch_channels", "channel"), ("device", "n_devices", "device")):
        one = t[t[column].notna()].groupby(["code", column]).size().reset_index(name="n").groupby("code").n
        made[number], made[f"main_{main}_share"] = one.size(), one.max() / one.sum()
    return _listed(made)


def _exposure(journey_touches: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    j = journey_touches[journey_touches.campaign_id.notna() & ~journey_touches.journey_id.str.startswith("n:")]
    j = j[["customer_id", "journey_id"]].drop_duplicates()
    return _listed(pd.Series(index.get_indexer(j.customer_id)).value_counts().to_frame("n_exposed_purchases"))


def _coupons(c: pd.DataFrame, index: pd.Index, now: pd.Timestamp) -> pd.DataFrame:
    is_receipt, is_used = ~c.receipt_id.str.startswith("u:"), c.redeemed_at.notna()
    year = is_receipt & _since(c.received_at, now, 365)
    in_order = is_receipt & (c.redeemed_at >= c.received_at)
    s = pd.DataFrame({
        "n_receipts": is_receipt, "n_receipts_90d": is_receipt & _since(c.received_at, now, 90),
        "n_coupon_uses": is_used, "n_coupon_uses_90d": _since(c.redeemed_at, now, 90), "used": is_receipt & is_used,
        "year": year, "year_used": year & is_used, "in_order": in_order,
        "waited": ((c.redeemed_at - c.received_at) / pd.Timedelta(days=1)).where(in_order),
    }).groupby(index.get_indexer(c.customer_id)).sum()  # fmt: skip
    made = s[["n_receipts", "n_receipts_90d", "n_coupon_uses", "n_coupon_uses_90d"]].copy()
    made["redemption_share"] = _over(s.used, s.n_receipts)
    made["redemption_365d_share"] = _over(s.year_used, s.year)
    made["mean_redeem_days"] = _over(s.waited, s.in_order)
    return _listed(made)


def _people(c: pd.DataFrame, b: pd.DataFrame, index: pd.Index, now: pd.Timestamp) -> pd.DataFrame:
    c = c.set_axis(index.get_indexer(c.customer_id))
    homes = c[c.city.notna() & c.home_lat.notna() & c.home_lon.notna()].groupby("city")[["home_lat", "home_lon"]].mean()
    centre = c[["city"]].join(homes, on="city")
    brought = c[c.referrer_id.notna()]
    active = brought.customer_id.isin(b.customer_id[_since(b.purchased_at, now, 90)].unique())
    made = pd.DataFrame({
        "home_lat": c.home_lat, "home_lon": c.home_lon, "age_years": now.year - c.birth_year,
        "known_days": (now - c.joined_at) / pd.Timedelta(days=1), "is_referred": c.referrer_id.notna(),
        "home_to_centre_km": _km(c.home_lat, c.home_lon, centre.home_lat, centre.home_lon),
    })  # fmt: skip
    friends = active.groupby(index.get_indexer(brought.referrer_id)).agg(["size", "sum"])
    friends.columns = ["n_friends", "n_friends_active_90d"]
    return _listed(made).join(friends)


def _reviews(r: pd.DataFrame, index: pd.Index, now: pd.Timestamp) -> pd.DataFrame:
    lately = r.is_complaint & _since(r.reviewed_at, now, 90)
    s = pd.DataFrame({"n_reviews": 1, "stars": r.rating, "n_complaints": r.is_complaint, "n_complaints_90d": lately})
    s = s.groupby(index.get_indexer(r.customer_id)).sum()
    s["mean_rating"] = s.stars / s.n_reviews
    return _listed(s.drop(columns="stars"))


def _km(lat: pd.Series, lon: pd.Series, lat2: pd.Series, lon2: pd.Series) -> pd.Series:
    one, two = np.sin(np.radians(lat2 - lat) / 2), np.sin(np.radians(lon2 - lon) / 2)
    chord = one * one + np.cos(np.radians(lat)) * np.cos(np.radians(lat2)) * two * two
    return (2 * 6371.0088 * np.arcsin(np.sqrt(chord.clip(upper=1)))).round(3)
