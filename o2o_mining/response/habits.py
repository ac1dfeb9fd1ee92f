"""What a customer had done before a moment: visits in all, at a merchant, in a category, and of what was bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import counted, days_between, km_between, share
from o2o_mining.response.running import sums_until

if TYPE_CHECKING:
    import ibis.expr.types as ir

_KEY = ("customer_id", "known_at")
_RECENT_DAYS = 90
_MICRO = 10**6


def of_visits(moments: ir.Table, visits: ir.Table) -> ir.Table:
    """One customer and moment with visits before it.

    Parameters
    ----------
    moments
        ``customer_id, known_at``, each pair of them once.
    visits
        What `logs.visits` returns.
    """
    t = _before(moments, visits)
    recent = days_between(t.known_at, t.visited_at) <= _RECENT_DAYS
    paid = t.paid_amount.sum().cast("float64")
    made = t.group_by(_KEY).aggregate(
        n_visits=t.count(),
        n_visits_90d=recent.sum(),
        n_coupon_visits=t.with_coupon.sum(),
        first_at=t.visited_at.min(),
        visited_until=t.visited_at.max(),
        mean_paid_amount=paid / t.paid_amount.count().cast("float64").nullif(0.0),
        paid_off_share=1 - share(paid, t.list_amount.sum(where=t.paid_amount.notnull())),
    )
    return made.mutate(
        recency_days=days_between(made.known_at, made.visited_until),
        tenure_days=days_between(made.known_at, made.first_at),
    ).drop("first_at")


def of_visits_there(moments: ir.Table, visits: ir.Table, *, place: str) -> ir.Table:
    """One customer, moment and merchant, or category, with visits before it.

    Parameters
    ----------
    moments, visits
        As in `of_visits`.
    place
        ``merchant_id`` or ``category``.
    """
    t = _before(moments, visits)
    t = t.filter(t[place].notnull())
    made = t.group_by(*_KEY, place).aggregate(
        n=t.count(), n_with_coupon=t.with_coupon.sum(), visited_there_until=t.visited_at.max()
    )
    return made.mutate(recency=days_between(made.known_at, made.visited_there_until))


def of_people(moments: ir.Table, customers: ir.Table) -> ir.Table:
    """One customer and moment with who that is.

    Parameters
    ----------
    moments
        As in `of_visits`.
    customers
        The feed. The middle of a city is that of the homes known before the day.
    """
    people = customers.select(
        "city", "home_lat", "home_lon", "birth_year", "referrer_id", "joined_at", person_id="customer_id"
    )
    t = moments.join(people, moments.customer_id == people.person_id)
    t = t.filter((t.joined_at < t.known_at).fill_null(True)).mutate(day=t.known_at.date())
    middles = _middles(t.select("city", "day").distinct(), customers).rename(centre_of="city", on_day="day")
    t = t.left_join(middles, [t.city == middles.centre_of, t.day == middles.on_day])
    return t.select(
        *_KEY,
        joined_until=ibis.greatest(t.joined_at.coalesce(t.others_until), t.others_until.coalesce(t.joined_at)),
        age_years=t.known_at.year() - t.birth_year,
        known_days=days_between(t.known_at, t.joined_at),
        is_referred=t.referrer_id.notnull().cast("int64"),
        centre_km=km_between(t.home_lat, t.home_lon, t.mid_lat, t.mid_lon),
    )


def _middles(days: ir.Table, customers: ir.Table) -> ir.Table:
    """One day and city with the middle of the homes known before it."""
    t = customers.filter(customers.home_lat.notnull() & customers.home_lon.notnull() & customers.joined_at.notnull())
    homes = t.select(
        "city", at="joined_at", homes=ibis.literal(1, "int64"), lat=counted(t.home_lat, _MICRO),
        lon=counted(t.home_lon, _MICRO),
    )  # fmt: skip
    made = sums_until(days, homes, "city", ("lat", "lon", "homes"), until="others_until")
    whole = made.homes * _MICRO
    return made.select("city", "day", "others_until", mid_lat=share(made.lat, whole), mid_lon=share(made.lon, whole))


def of_contacts(moments: ir.Table, touches: ir.Table) -> ir.Table:
    """One customer and moment with touches in the 90 days before it.

    Parameters
    ----------
    moments
        As in `of_visits`.
    touches
        The feed.
    """
    t = moments.join(touches.select("customer_id", "touched_at", "action", "campaign_id"), "customer_id")
    t = t.filter((t.touched_at < t.known_at) & (days_between(t.known_at, t.touched_at) <= _RECENT_DAYS))
    return t.group_by(_KEY).aggregate(
        n_touches_90d=t.count(),
        n_clicks_90d=(t.action == "click").sum(),
        n_own_touches_90d=t.campaign_id.isnull().sum(),
        touched_until=t.touched_at.max(),
    )


def _before(moments: ir.Table, visits: ir.Table) -> ir.Table:
    """One moment and visit before it that was not cancelled by then."""
    t = moments.join(visits, "customer_id")
    return t.filter((t.visited_at < t.known_at) & (t.cancelled_at.isnull() | (t.cancelled_at >= t.known_at)))
