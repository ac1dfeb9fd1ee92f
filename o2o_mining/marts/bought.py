"""What customers bought: rhythm, spend, discounts, distance and what became of orders, one scan a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.features import BAD_VISIT_MIN
from o2o_mining.engine.portable import counted, days_between, moment, share, to_local

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

_WINDOWS = (7, 30, 90, 180, 365)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_NOON, _AFTERNOON, _EVENING = 11, 14, 18
_NEAR_M = 2000
_MINUTE_US = 60_000_000
_DAY_MIN = 1440.0
_MICRO = 10**6


def since(day: date, days: int) -> ir.TimestampScalar:
    """Return the beginning of the last days before a day.

    Examples
    --------
    >>> from datetime import date
    >>> str(ibis.duckdb.connect().execute(since(date(2024, 3, 1), 30)))
    '2024-01-31 00:00:00'
    """
    return moment(day) - ibis.interval(days=days)


def of_purchases(bought: ir.Table, *, as_of: date, timezone: str) -> ir.Table:
    """One customer who bought, with what follows from single purchases."""
    local_at = to_local(bought.purchased_at, timezone, until=as_of)
    t = bought.mutate(weekday=local_at.day_of_week.index(), hour=local_at.hour())
    sums = t.group_by("customer_id").aggregate(**_times(t, as_of), **_amounts(t, as_of), **_visits(t, as_of))
    return sums.select("customer_id", **_rhythm(sums, as_of), **_spend(sums), **_service(sums))


def _times(t: ir.Table, as_of: date) -> dict[str, ir.Value]:
    """Count purchases, over windows and by the local clock."""
    return {
        "n_purchases": t.count(),
        **{f"n_purchases_{days}d": t.count(where=t.purchased_at >= since(as_of, days)) for days in _WINDOWS},
        "first_at": t.purchased_at.min(),
        "last_at": t.purchased_at.max(),
        **{name: t.count(where=t.weekday == day) for day, name in enumerate(_WEEKDAYS)},
        "weekend": t.count(where=t.weekday >= len(_WEEKDAYS)),
        "noon": t.count(where=(t.hour >= _NOON) & (t.hour < _AFTERNOON)),
        "evening": t.count(where=t.hour >= _EVENING),
        "online": t.count(where=t.source == "online"),
    }


def _amounts(t: ir.Table, as_of: date) -> dict[str, ir.Value]:
    """Add up money."""
    both = t.discount_amount.notnull()
    less = t.discount_amount > 0
    one = t.discount_amount.cast("float64") / t.list_amount.cast("float64").nullif(0.0)
    return {
        "known": t.net_amount.count(),
        "net_amount": t.net_amount.sum(),
        **{f"net_amount_{days}d": t.net_amount.sum(where=t.purchased_at >= since(as_of, days)) for days in _WINDOWS},
        "max_net_amount": t.net_amount.max(),
        "refunded_amount": t.refunded_amount.sum(),
        "n_refunds": t.count(where=t.refunded_amount > 0),
        "discount": t.discount_amount.sum(),
        "listed": t.list_amount.sum(where=both),
        "priced": one.count(),
        "discounts": counted(one, _MICRO).sum(),
        "compared": both.cast("int64").sum(),
        "discounted": t.count(where=less),
        "paid": t.paid_amount.sum(where=both),
        "paid_less": t.paid_amount.sum(where=less),
    }


def _visits(t: ir.Table, as_of: date) -> dict[str, ir.Value]:
    """Add up distances and waits."""
    excess = t.waited_min - t.promised_wait_min
    bad = (excess > BAD_VISIT_MIN) & (t.consumed_at >= since(as_of, 90))
    return {
        "measured": t.distance_m.count(),
        "metres": counted(t.distance_m).sum(),
        "max_distance_m": t.distance_m.max(),
        "near": t.count(where=t.distance_m <= _NEAR_M),
        "promised": excess.count(),
        "late": t.count(where=excess > 0),
        "excess": counted(ibis.greatest(excess, 0.0), 100).sum(where=excess.notnull()),
        "n_bad_visits_90d": t.count(where=bad),
        "delivered": t.count(where=t.fulfilment == "delivery"),
        "fulfilled": t.fulfilment.count(),
    }


def _rhythm(sums: ir.Table, as_of: date) -> dict[str, ir.Value]:
    now = moment(as_of)
    n = sums.n_purchases
    lately, half_year = sums.n_purchases_90d, sums.n_purchases_180d
    clock = {name: share(sums[name], n) for name in (*_WEEKDAYS, "weekend", "noon", "evening", "online")}
    return {
        "n_purchases": n,
        **{f"n_purchases_{days}d": sums[f"n_purchases_{days}d"] for days in _WINDOWS},
        "purchase_trend": share(lately * 2 - half_year, half_year),
        "last_at": sums.last_at,
        "recency_days": days_between(now, sums.last_at),
        "tenure_days": days_between(now, sums.first_at),
        "mean_gap_days": share(days_between(sums.last_at, sums.first_at), n - 1),
        **{f"{name}_share": value for name, value in clock.items()},
    }


def _spend(sums: ir.Table) -> dict[str, ir.Value]:
    nothing = ibis.literal("0.00").cast(sums.net_amount.type())
    money = {"net_amount": sums.net_amount}
    for days in _WINDOWS:
        # Nothing bought lately is 0.00 for whoever's amounts are known; bought for unknown amounts is null.
        none = (sums[f"n_purchases_{days}d"] == 0) & (sums.known > 0)
        money[f"net_amount_{days}d"] = sums[f"net_amount_{days}d"].coalesce(
            none.ifelse(nothing, ibis.null(nothing.type()))
        )
    return {
        **money,
        "spend_trend": share(money["net_amount_90d"], money["net_amount_180d"]),
        "mean_net_amount": share(sums.net_amount, sums.known),
        "max_net_amount": sums.max_net_amount,
        "refunded_amount": sums.refunded_amount,
        "n_refunds": sums.n_refunds,
        "discount_share": share(sums.discount, sums.listed),
        "mean_discount_share": share(sums.discounts, sums.priced * _MICRO),
        "discounted_share": share(sums.discounted, sums.compared),
        "discounted_spend_share": share(sums.paid_less.fill_null(nothing), sums.paid),
    }


def _service(sums: ir.Table) -> dict[str, ir.Value]:
    return {
        "mean_distance_m": share(sums.metres, sums.measured),
        "max_distance_m": sums.max_distance_m,
        "within_2km_share": share(sums.near, sums.measured),
        "late_share": share(sums.late, sums.promised),
        "mean_excess_wait_min": share(sums.excess, sums.promised * 100),
        "n_bad_visits_90d": sums.n_bad_visits_90d,
        "delivery_share": share(sums.delivered, sums.fulfilled),
    }


def of_gaps(bought: ir.Table) -> ir.Table:
    """One customer who bought twice, with how evenly; gaps are whole minutes, so that sums of squares are exact."""
    before = bought.purchased_at.lag().over(group_by=bought.customer_id, order_by=bought.purchased_at)
    t = bought.select("customer_id", "purchased_at", before=before)
    t = t.filter(t.before.notnull())
    t = t.select("customer_id", gap=t.purchased_at.delta(t.before, unit="microsecond") // _MINUTE_US)
    sums = t.group_by("customer_id").aggregate(
        n=t.count(), gaps=t.gap.sum(), squares=(t.gap * t.gap).sum(), middle=t.gap.median()
    )
    n, gaps = sums.n.cast("float64"), sums.gaps.cast("float64")
    spread = (sums.n * sums.squares - sums.gaps * sums.gaps).cast("float64")
    deviation = (spread / (n * (n - 1)).nullif(0.0)).sqrt()
    return sums.select(
        "customer_id",
        median_gap_days=sums.middle / _DAY_MIN,
        std_gap_days=deviation / _DAY_MIN,
        gap_variation=deviation * n / gaps.nullif(0.0),
        gap_regularity=gaps * gaps / (sums.n * sums.squares).cast("float64").nullif(0.0),
    )


def of_orders(purchases: ir.Table, *, as_of: date) -> ir.Table:
    """One customer who ordered online, with what became of the orders, cancelled ones among them."""
    t = purchases.filter(purchases.source == "online")
    due = (t.fulfilment == "reservation") & (t.reserved_for < moment(as_of))
    due &= t.cancelled_at.isnull() | (t.cancelled_at >= t.reserved_for)
    sums = t.group_by("customer_id").aggregate(
        n=t.count(),
        cancelled=t.cancelled_at.count(),
        n_reservations=t.count(where=due),
        kept=t.count(where=due & t.consumed_at.notnull()),
    )
    return sums.select(
        "customer_id", "n_reservations",
        cancelled_share=share(sums.cancelled, sums.n),
        n_no_shows=sums.n_reservations - sums.kept,
        kept_reservations_share=share(sums.kept, sums.n_reservations),
    )  # fmt: skip
