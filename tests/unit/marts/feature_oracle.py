"""Slow and obvious: the features of one customer at a time, from lists of what happened, as the contract words them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.unit.marts.worlds import Row

WINDOWS = (7, 30, 90, 180, 365)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@dataclass
class Life:
    """All that was known of one customer before the day."""

    who: Row | None = None
    purchases: list[Row] = field(default_factory=list)
    journey_touches: list[Row] = field(default_factory=list)
    coupons: list[Row] = field(default_factory=list)
    touches: list[Row] = field(default_factory=list)
    reviews: list[Row] = field(default_factory=list)


class Oracle:
    """The features of everybody in tables held in memory."""

    def __init__(self, tables: dict[str, pd.DataFrame], day: date, zone: str) -> None:
        self.now = datetime(day.year, day.month, day.day)
        self.zone = ZoneInfo(zone)
        self.lives: dict[str, Life] = {}
        for customer in _rows(tables["everybody"]):
            self.life(customer["customer_id"])
        for customer in _rows(tables["customers"]):
            self.life(customer["customer_id"]).who = customer
        for name in ("purchases", "journey_touches", "coupons", "touches", "reviews"):
            for row in _rows(tables[name]):
                getattr(self.life(row["customer_id"]), name).append(row)
        self.kind = {row["merchant_id"]: row["category"] for row in _rows(tables["merchants"])}
        self.place = {row["store_id"]: (row["lat"], row["lon"]) for row in _rows(tables["stores"])}
        self.listed = set(tables["everybody"].customer_id)
        homes: dict[str, list[tuple[float, float]]] = {}
        for row in _rows(tables["customers"]):
            if None not in (row["city"], row["home_lat"], row["home_lon"]):
                homes.setdefault(row["city"], []).append((row["home_lat"], row["home_lon"]))
        self.centre = {city: _middle(found) for city, found in homes.items()}

    def life(self, customer: str) -> Life:
        return self.lives.setdefault(customer, Life())

    def features(self) -> dict[str, Row]:
        """Return the features of whoever is listed or bought."""
        return {
            customer: self.of(customer, life)
            for customer, life in self.lives.items()
            if customer in self.listed or self.bought(life)
        }

    def of(self, customer: str, life: Life) -> Row:
        bought = self.bought(life)
        return {
            **self.rhythm(bought), **self.spend(bought), **self.discounts(bought), **self.coupons(life.coupons),
            **self.contacts(life, len(bought)), **self.choices(bought), **self.places(life.who, bought),
            **self.orders(life.purchases, bought), **self.promises(bought, life.reviews),
            **self.person(customer, life.who),
        }  # fmt: skip

    @staticmethod
    def bought(life: Life) -> list[Row]:
        standing = [p for p in life.purchases if p["cancelled_at"] is None]
        return sorted(standing, key=lambda p: p["purchased_at"])

    def since(self, rows: Iterable[Row], at: str, days: int) -> list[Row]:
        first = self.now - timedelta(days=days)
        return [row for row in rows if row[at] is not None and row[at] >= first]

    def days_ago(self, moment: datetime) -> float:
        return (self.now - moment) / timedelta(days=1)

    def rhythm(self, bought: list[Row]) -> Row:
        times = [p["purchased_at"] for p in bought]
        local = [t.replace(tzinfo=UTC).astimezone(self.zone) for t in times]
        n = len(times)
        gaps = [(b - a) // timedelta(minutes=1) / 1440 for a, b in pairwise(times)]
        mean = (times[-1] - times[0]) / timedelta(days=1) / (n - 1) if n > 1 else None
        spread = stdev(gaps) if len(gaps) > 1 else None
        windows = {days: len(self.since(bought, "purchased_at", days)) for days in WINDOWS}
        return {
            "n_purchases": n,
            **{f"n_purchases_{days}d": count for days, count in windows.items()},
            "purchase_trend": _over(windows[90] - (windows[180] - windows[90]), windows[180]),
            "recency_days": self.days_ago(times[-1]) if n else None,
            "tenure_days": self.days_ago(times[0]) if n else None,
            "mean_gap_days": mean,
            "median_gap_days": median(gaps) if gaps else None,
            "std_gap_days": spread,
            "gap_variation": _over(spread, fmean(gaps)) if spread is not None else None,
            "gap_regularity": _over(sum(gaps) ** 2, len(gaps) * sum(g * g for g in gaps)),
            "recency_over_gap": _over(self.days_ago(times[-1]), mean) if mean is not None else None,
            **{f"{name}_share": _share(t.weekday() == i for t in local) for i, name in enumerate(DAYS)},
            "weekend_share": _share(t.weekday() >= 5 for t in local),
            "noon_share": _share(t.hour in (11, 12, 13) for t in local),
            "evening_share": _share(t.hour >= 18 for t in local),
        }

    def spend(self, bought: list[Row]) -> Row:
        known = [p["net_amount"] for p in bought if p["net_amount"] is not None]

        def net(days: int) -> float | None:
            lately = self.since(bought, "purchased_at", days)
            amounts = [p["net_amount"] for p in lately if p["net_amount"] is not None]
            return sum(amounts) if amounts or (known and not lately) else None

        return {
            "net_amount": sum(known) if known else None,
            **{f"net_amount_{days}d": net(days) for days in WINDOWS},
            "mean_net_amount": fmean(known) if known else None,
            "max_net_amount": max(known, default=None),
            "spend_trend": _over(net(90), net(180)),
            "refunded_amount": sum(p["refunded_amount"] for p in bought),
            "n_refunds": sum(p["refunded_amount"] > 0 for p in bought),
        }

    @staticmethod
    def discounts(bought: list[Row]) -> Row:
        known = [p for p in bought if p["discount_amount"] is not None]
        less = [p for p in known if p["discount_amount"] > 0]
        one = [_millionth(float(p["discount_amount"]) / float(p["list_amount"])) for p in known if p["list_amount"]]
        return {
            "discount_share": _over(sum(p["discount_amount"] for p in known), sum(p["list_amount"] for p in known)),
            "mean_discount_share": fmean(one) if one else None,
            "discounted_share": _over(len(less), len(known)),
            "discounted_spend_share": _over(sum(p["paid_amount"] for p in less), sum(p["paid_amount"] for p in known)),
        }

    def coupons(self, held: list[Row]) -> Row:
        received = [c for c in held if not c["receipt_id"].startswith("u:")]
        used = [c for c in received if c["redeemed_at"] is not None]
        year = self.since(received, "received_at", 365)
        waits = [c["redeemed_at"] - c["received_at"] for c in used if c["redeemed_at"] >= c["received_at"]]
        return {
            "n_receipts": len(received),
            "n_receipts_90d": len(self.since(received, "received_at", 90)),
            "n_coupon_uses": sum(c["redeemed_at"] is not None for c in held),
            "n_coupon_uses_90d": len(self.since(held, "redeemed_at", 90)),
            "redemption_share": _over(len(used), len(received)),
            "redemption_365d_share": _over(sum(c["redeemed_at"] is not None for c in year), len(year)),
            "mean_redeem_days": fmean(w / timedelta(days=1) for w in waits) if waits else None,
        }

    def contacts(self, life: Life, n_purchases: int) -> Row:
        touches = life.touches
        lately = [t for t in self.since(touches, "touched_at", 90) if t["campaign_id"] is not None]
        devices = [t["device"] for t in touches if t["device"] is not None]
        exposed = {
            t["journey_id"] for t in life.journey_touches if t["campaign_id"] is not None and t["journey_id"][0] != "n"
        }
        last = max((t["touched_at"] for t in touches), default=None)
        return {
            **{f"n_touches_{days}d": len(self.since(touches, "touched_at", days)) for days in (7, 30, 90)},
            "n_touch_channels": len({t["channel"] for t in touches}),
            "unpaid_share": _share(t["campaign_id"] is None for t in touches),
            "main_channel_share": _top(t["channel"] for t in touches),
            "n_devices": len(set(devices)),
            "main_device_share": _top(devices),
            "n_impressions_90d": sum(t["action"] == "impression" for t in lately),
            "n_clicks_90d": sum(t["action"] == "click" for t in lately),
            "n_campaigns_90d": len({t["campaign_id"] for t in lately}),
            "contact_days": self.days_ago(last) if last is not None else None,
            "n_exposed_purchases": len(exposed),
            "exposed_purchase_share": _over(len(exposed), n_purchases),
        }

    def choices(self, bought: list[Row]) -> Row:
        merchants = [p["merchant_id"] for p in bought]
        kinds = [self.kind[m] for m in merchants if self.kind.get(m) is not None]
        return {
            "n_merchants": len(set(merchants)),
            "n_merchants_90d": len({p["merchant_id"] for p in self.since(bought, "purchased_at", 90)}),
            "top_merchant_share": _top(merchants),
            "merchant_entropy": _entropy(merchants),
            "n_stores": len({p["store_id"] for p in bought if p["consumed_at"] is not None} - {None}),
            "n_categories": len(set(kinds)),
            "top_category_share": _top(kinds),
            "category_entropy": _entropy(kinds),
        }

    def places(self, who: Row | None, bought: list[Row]) -> Row:
        far = [p["distance_m"] for p in bought if p["distance_m"] is not None]
        stores = [self.place[p["store_id"]] for p in bought if p["store_id"] in self.place]
        stores = [place for place in stores if None not in place]
        home = (who["home_lat"], who["home_lon"]) if who is not None and who["home_lat"] is not None else None
        return {
            "mean_distance_m": fmean(math.floor(m + 0.5) for m in far) if far else None,
            "max_distance_m": max(far, default=None),
            "within_2km_share": _share(m <= 2000 for m in far),
            "home_to_visits_km": _km(home, _middle(stores)) if home and stores else None,
            "home_to_centre_km": _km(home, self.centre[who["city"]]) if home and who and who["city"] else None,
        }

    def orders(self, purchases: list[Row], bought: list[Row]) -> Row:
        ordered = [p for p in purchases if p["source"] == "online"]
        due = [p for p in ordered if p["fulfilment"] == "reservation" and p["reserved_for"] is not None]
        due = [p for p in due if p["reserved_for"] < self.now]
        due = [p for p in due if p["cancelled_at"] is None or p["cancelled_at"] >= p["reserved_for"]]
        kept = [p for p in due if p["consumed_at"] is not None]
        return {
            "online_share": _share(p["source"] == "online" for p in bought),
            "delivery_share": _share(p["fulfilment"] == "delivery" for p in bought if p["fulfilment"] is not None),
            "cancelled_share": _share(p["cancelled_at"] is not None for p in ordered),
            "n_reservations": len(due),
            "n_no_shows": len(due) - len(kept),
            "kept_reservations_share": _over(len(kept), len(due)),
        }

    def promises(self, bought: list[Row], reviews: list[Row]) -> Row:
        told = [p for p in bought if p["waited_min"] is not None and p["promised_wait_min"] is not None]
        excess = [p["waited_min"] - p["promised_wait_min"] for p in told]
        bad = [p for p, more in zip(told, excess, strict=True) if more > 10]
        complaints = [r for r in reviews if r["is_complaint"]]
        return {
            "late_share": _share(more > 0 for more in excess),
            "mean_excess_wait_min": fmean(math.floor(max(e, 0) * 100 + 0.5) / 100 for e in excess) if excess else None,
            "n_bad_visits_90d": len(self.since(bad, "consumed_at", 90)),
            "n_reviews": len(reviews),
            "mean_rating": fmean(r["rating"] for r in reviews) if reviews else None,
            "n_complaints": len(complaints),
            "n_complaints_90d": len(self.since(complaints, "reviewed_at", 90)),
        }

    def person(self, customer: str, who: Row | None) -> Row:
        friends = [life for life in self.lives.values() if life.who and life.who["referrer_id"] == customer]
        born, joined = (who["birth_year"], who["joined_at"]) if who else (None, None)
        return {
            "age_years": self.now.year - born if born is not None else None,
            "known_days": self.days_ago(joined) if joined is not None else None,
            "is_referred": who["referrer_id"] is not None if who else None,
            "n_friends": len(friends),
            "n_friends_active_90d": sum(bool(self.since(self.bought(f), "purchased_at", 90)) for f in friends),
        }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _over(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole and part is not None else None


def _share(true: Iterable[bool]) -> float | None:
    found = list(true)
    return _over(sum(found), len(found))


def _top(values: Iterable[str]) -> float | None:
    counts = Counter(values)
    return _over(max(counts.values(), default=0), counts.total())


def _entropy(values: list[str]) -> float | None:
    n = len(values)
    return abs(round(-sum(c / n * math.log(c / n) for c in Counter(values).values()), 6)) if n else None


def _millionth(value: float) -> float:
    return math.floor(value * 1e6 + 0.5) / 1e6


def _middle(places: list[tuple[float, float]]) -> tuple[float, float]:
    return fmean(lat for lat, _ in places), fmean(lon for _, lon in places)


def _km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Measure along the sphere by the law of haversines; the mean radius is that of the IUGG."""
    (lat, lon), (lat2, lon2) = ([math.radians(x) for x in place] for place in (here, there))
    h = math.sin((lat2 - lat) / 2) ** 2 + math.cos(lat) * math.cos(lat2) * math.sin((lon2 - lon) / 2) ** 2
    return round(2 * 6371.0088 * math.asin(math.sqrt(h)), 3)
