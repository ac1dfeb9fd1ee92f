"""What a coupon offers, where, and how it and its like were taken before the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import days_between, km_between, share
from o2o_mining.response.running import sums_until

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.response.logs import OfferLogs

_M = 1000
# Until a deal has its own past, it is worth that of its like: the outcomes that a rate starts with.
_PRIOR = 20


def of_coupons(logs: OfferLogs) -> ir.Table:
    """One coupon with what is said of it.

    Parameters
    ----------
    logs
        The logs.

    Returns
    -------
    ir.Table
        The coupon, ``merchant_id, category, campaign_id, channel`` and its terms.
    """
    t = logs.coupons
    kinds = logs.merchants.select(known_merchant="merchant_id", category="category")
    runs = logs.campaigns.select(
        known_campaign="campaign_id", channel="channel", campaign_starts_at="starts_at", campaign_ends_at="ends_at"
    )
    t = t.left_join(kinds, t.merchant_id == kinds.known_merchant)
    t = t.left_join(runs, t.campaign_id == runs.known_campaign)
    t = t.mutate(starts_at=t.starts_at.coalesce(t.campaign_starts_at), ends_at=t.ends_at.coalesce(t.campaign_ends_at))
    return t.select(
        "coupon_id", "merchant_id", "category", "campaign_id", "channel", "kind", "discount", "valid_days",
        "starts_at", "ends_at", threshold=t.threshold.cast("float64"),
    )  # fmt: skip


def of_outcomes(days: ir.Table, receipts: ir.Table, *, place: str) -> ir.Table:
    """One day and coupon, merchant, category or channel with the receipts that had come to their end before it.

    Counted on the day on which a receipt's time is up, used or not: otherwise uses, which come early, would stand
    alone at first.

    Parameters
    ----------
    days
        ``day`` and the place, each once.
    receipts
        What `logs.receipts` returns.
    place
        The column of receipts that says where.
    """
    used = (receipts.redeemed_at <= receipts.lapses_at).fill_null(False)
    told = receipts.filter(receipts[place].notnull())
    told = told.select(place, at="lapses_at", used=used.cast("int64"), n=ibis.literal(1, "int64"))
    return sums_until(days, told, place, ("used", "n"), until="outcomes_until")


def of_baskets(days: ir.Table, visits: ir.Table) -> ir.Table:
    """One day and merchant with the visits before it.

    Parameters
    ----------
    days
        ``day`` and ``merchant_id``, each once.
    visits
        What `logs.visits` returns.
    """
    t = visits.filter(visits.cancelled_at.isnull())
    cents = (t.list_amount.coalesce(t.paid_amount) * 100).cast("int64")
    sold = t.select(
        "merchant_id", at="visited_at", visits=ibis.literal(1, "int64"), cents=cents.fill_null(0),
        priced=cents.notnull().cast("int64"), couponed=t.with_coupon.cast("int64"),
    )  # fmt: skip
    made = sums_until(days, sold, "merchant_id", ("visits", "cents", "priced", "couponed"), until="baskets_until")
    return made.select(
        "merchant_id", "day", "visits", "baskets_until",
        usual_amount=share(made.cents, made.priced * 100), coupon_share=share(made.couponed, made.visits),
    )  # fmt: skip


def smoothed(used: ir.NumericValue, n: ir.NumericValue, prior: ir.NumericValue) -> ir.NumericValue:
    """Return a rate that starts from another one, worth 20 outcomes, and goes over to its own.

    Parameters
    ----------
    used, n
        Uses and outcomes; null is none.
    prior
        The rate to start from.

    Examples
    --------
    >>> t = ibis.memtable({"used": [10], "n": [20], "prior": [0.1]})
    >>> smoothed(t.used, t.n, t.prior).execute().round(6).tolist()
    [0.3]
    """
    return (used.fill_null(0) + prior * float(_PRIOR)) / (n.fill_null(0) + float(_PRIOR))


def off_share(t: ir.Table) -> ir.NumericValue:
    """Return what a coupon takes off, of a usual basket at its merchant, or of its threshold if that is more.

    Parameters
    ----------
    t
        ``kind, discount, threshold, usual_amount``.

    Examples
    --------
    >>> t = ibis.memtable({"kind": ["rate", "fixed"], "discount": [0.3, 5.0], "threshold": [None, 50.0],
    ...                    "usual_amount": [20.0, 20.0]})
    >>> off_share(t).execute().tolist()
    [0.3, 0.1]
    """
    base = ibis.greatest(t.usual_amount.coalesce(t.threshold), t.threshold.coalesce(t.usual_amount))
    off = ibis.cases((t.kind == "rate", t.discount), else_=t.discount / base.nullif(0.0))
    return off.clip(lower=0.0, upper=1.0)


def distances(places: ir.Table, logs: OfferLogs) -> ir.Table:
    """One customer and merchant with the way from home to the merchant's nearest store.

    Parameters
    ----------
    places
        ``customer_id, merchant_id``, each pair of them once.
    logs
        For homes and stores.
    """
    homes = logs.customers.select("customer_id", "home_lat", "home_lon")
    stores = logs.stores.select("merchant_id", "lat", "lon")
    t = places.join(homes, "customer_id").join(stores, "merchant_id")
    km = km_between(t.home_lat, t.home_lon, t.lat, t.lon)
    return t.group_by("customer_id", "merchant_id").aggregate(distance_m=(km * _M).min())


def of_terms(t: ir.Table) -> dict[str, ir.Value]:
    """Return what a coupon's terms say at the moment of a pair.

    Parameters
    ----------
    t
        ``known_at`` and the columns of `of_coupons` and `of_baskets`.
    """
    left = days_between(t.ends_at, t.known_at)
    return {
        "off_share": off_share(t),
        "threshold_ratio": t.threshold / t.usual_amount.nullif(0.0),
        "is_rate": (t.kind == "rate").cast("int64"),
        "is_threshold": (t.kind == "threshold").cast("int64"),
        "is_campaign": t.campaign_id.notnull().cast("int64"),
        "valid_days": ibis.least(
            t.valid_days.cast("float64").coalesce(left), left.coalesce(t.valid_days.cast("float64"))
        ),
    }
