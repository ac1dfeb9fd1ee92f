"""Features of a customer and a coupon at a moment, all of it known strictly before that moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from o2o_mining.contracts.pairs import MOMENTS, PAIR_FEATURES
from o2o_mining.engine.portable import share
from o2o_mining.response.couponed import bought_before, bought_lines, of_kinds, of_products, of_tills
from o2o_mining.response.deals import distances, of_baskets, of_coupons, of_outcomes, of_terms, smoothed
from o2o_mining.response.habits import of_contacts, of_people, of_visits, of_visits_there
from o2o_mining.response.logs import receipts, visits
from o2o_mining.response.occasions import occasions, of_occasions, of_receipts, of_receipts_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from o2o_mining.response.logs import OfferLogs

PAIR = ("customer_id", "coupon_id", "known_at")
COUPON = ("merchant_id", "category", "campaign_id", "channel")
_MOMENT = ("customer_id", "known_at")


@dataclass(frozen=True)
class Evidence:
    """What happened, put in the order in which features ask for it; a step stages these tables once for many pairs.

    Attributes
    ----------
    logs
        The logs it was made from.
    coupons, visits, receipts, occasions, lines
        What `of_coupons`, `visits`, `receipts`, `occasions` and `bought_lines` return.
    """

    logs: OfferLogs
    coupons: ir.Table
    visits: ir.Table
    receipts: ir.Table
    occasions: ir.Table
    lines: ir.Table


def evidence(logs: OfferLogs) -> Evidence:
    """Return what happened, from the logs.

    Parameters
    ----------
    logs
        The logs.

    Returns
    -------
    Evidence
        Tables that nothing has been executed of yet.

    Examples
    --------
    >>> from dataclasses import fields
    >>> from o2o_mining.contracts.catalogue import contract
    >>> from o2o_mining.response.logs import OfferLogs
    >>> logs = OfferLogs(**{f.name: ibis.table(contract(f.name).schema, name=f.name) for f in fields(OfferLogs)})
    >>> "redeemed_at" in evidence(logs).receipts.columns
    True
    """
    seen = visits(logs)
    return Evidence(
        logs, of_coupons(logs), seen, receipts(logs), occasions(logs, seen), bought_lines(seen, logs.basket_lines)
    )


def pair_features(pairs: ir.Table, known: Evidence) -> ir.Table:
    """One pair of a customer and a coupon at a moment, with what was known of both before it.

    Parameters
    ----------
    pairs
        ``customer_id, coupon_id, known_at`` and whatever else, which stays.
    known
        What happened, also after the moments of the pairs: each pair sees only what came before its own.

    Returns
    -------
    ir.Table
        The columns of the pairs, ``merchant_id, category, campaign_id, channel`` of the coupon, the features of
        ``contracts/pairs.py`` as float64, and beside them the latest moments that they rest on. Counts are 0 where
        nothing happened, means and shares null. One row for each row of pairs.

    Examples
    --------
    >>> from dataclasses import fields
    >>> from o2o_mining.contracts.catalogue import contract
    >>> from o2o_mining.response.logs import OfferLogs
    >>> logs = OfferLogs(**{f.name: ibis.table(contract(f.name).schema, name=f.name) for f in fields(OfferLogs)})
    >>> pairs = ibis.table({"customer_id": "string", "coupon_id": "string", "known_at": "timestamp(6)"}, name="pairs")
    >>> pair_features(pairs, evidence(logs)).columns[:5]
    ('customer_id', 'coupon_id', 'known_at', 'merchant_id', 'category')
    """
    base = pairs.mutate(day=pairs.known_at.date())
    return with_features(base, feature_parts(base, known), known)


@dataclass(frozen=True)
class FeatureParts:
    """What was known of customers, of coupons, and of customers at places; a step stages it once for many pairs.

    Attributes
    ----------
    customers, coupons
        By ``customer_id, known_at`` and by ``coupon_id, day``.
    places
        Each with the columns that it shares with pairs.
    """

    customers: ir.Table
    coupons: ir.Table
    places: tuple[tuple[ir.Table, tuple[str, ...]], ...]


def feature_parts(pairs: ir.Table, known: Evidence) -> FeatureParts:
    """Return what features of pairs are made of, as far as it is not of a single pair.

    Parameters
    ----------
    pairs
        ``customer_id, coupon_id, known_at, day``.
    known
        What happened.
    """
    moments = pairs.select(*_MOMENT).distinct()
    coupons = pairs.select("coupon_id", "day").distinct()
    return customer_and_coupon_parts(moments, coupons, known)


def customer_and_coupon_parts(moments: ir.Table, coupons: ir.Table, known: Evidence) -> FeatureParts:
    """Return what features of any of some customers and any of some coupons are made of.

    Parameters
    ----------
    moments
        ``customer_id, known_at``, each pair of them once.
    coupons
        ``coupon_id, day``, each pair of them once.
    known
        What happened.
    """
    about = known.coupons.rename(about_id="coupon_id")
    said = coupons.left_join(about, coupons.coupon_id == about.about_id).drop("about_id")
    return FeatureParts(
        _joined(moments, [(part, _MOMENT) for part in _of_customers(moments, known)]),
        _joined(said, _of_deals(said, known)),
        tuple(_of_places(moments, known)),
    )


def with_features(pairs: ir.Table, parts: FeatureParts, known: Evidence) -> ir.Table:
    """One pair with its features, put together from parts.

    Parameters
    ----------
    pairs
        ``customer_id, coupon_id, known_at, day`` and whatever else, which stays; ``distance_m`` where it is known.
    parts
        What `feature_parts` returns.
    known
        What happened.
    """
    moments = pairs.select(*_MOMENT).distinct()
    of_coupon, where = ("coupon_id", "day"), ("customer_id", "merchant_id")
    # Places are joined by what the coupon says, so it comes first.
    t = _joined(pairs, [(parts.coupons, of_coupon)])
    way = [] if "distance_m" in pairs.columns else [(distances(t.select(*where).distinct(), known.logs), where)]
    products = _of_products(pairs.select(*PAIR).distinct(), moments, known)
    t = _joined(t, [(parts.customers, _MOMENT), *parts.places, *((part, PAIR) for part in products), *way])
    t = t.mutate(**_made(t), **of_terms(t))
    kept = (*(name for name in pairs.columns if name not in ("day", "distance_m")), *COUPON)
    return t.select(*kept, *(_value(t, f.name) for f in PAIR_FEATURES), *(t[at] for at in MOMENTS))


def _of_customers(moments: ir.Table, known: Evidence) -> Sequence[ir.Table]:
    return (
        of_visits(moments, known.visits),
        of_people(moments, known.logs.customers),
        of_contacts(moments, known.logs.touches),
        of_receipts(moments, known.receipts),
        of_occasions(moments, known.occasions),
        of_tills(moments, known.lines),
    )


def _of_places(moments: ir.Table, known: Evidence) -> list[tuple[ir.Table, tuple[str, ...]]]:
    """Return what was known of a customer at a merchant, in a category, over a channel and of a coupon."""
    parts: list[tuple[ir.Table, tuple[str, ...]]] = []
    for place, ending, until in (
        ("merchant_id", "merchant", "visited_at_merchant_until"), ("category", "category", "visited_in_category_until"),
    ):  # fmt: skip
        part = of_visits_there(moments, known.visits, place=place)
        names = {
            f"n_visits_{ending}": "n", f"n_coupon_visits_{ending}": "n_with_coupon",
            f"{ending}_recency_days": "recency", until: "visited_there_until",
        }  # fmt: skip
        parts.append((part.rename(names), (*_MOMENT, place)))
    for place, name in (
        ("coupon_id", "coupon"), ("merchant_id", "merchant"), ("category", "category"), ("channel", "channel"),
    ):  # fmt: skip
        part = of_receipts_there(moments, known.receipts, place=place)
        part = part.rename({f"n_{name}_used": "n_used", f"n_{name}_lapsed": "n_lapsed"})
        parts.append((part, (*_MOMENT, place)))
    return parts


def _of_products(pairs: ir.Table, moments: ir.Table, known: Evidence) -> Sequence[ir.Table]:
    bought, wanted = bought_before(moments, known.lines), known.logs.coupon_products
    products = known.logs.products
    within = of_kinds(pairs, bought, wanted, products, level="subcategory")
    broad = of_kinds(pairs, bought, wanted, products, level="category")
    return (
        of_products(pairs, bought, wanted),
        within.rename(
            n_subcategories_bought="n_kinds", n_subcategories_off="n_kinds_off", n_subcategory_lines="n",
            n_subcategory_lines_90d="n_recent", n_subcategory_lines_off="n_off", subcategory_amount="amount",
            narrow_until="kind_until",
        ),
        broad.rename(
            n_category_lines="n", n_category_lines_off="n_off", category_amount="amount", broad_until="kind_until"
        ).drop("n_kinds", "n_kinds_off", "n_recent"),
    )  # fmt: skip


def _of_deals(places: ir.Table, known: Evidence) -> list[tuple[ir.Table, tuple[str, ...]]]:
    """Return what had become of receipts and baskets by the day of the pair."""
    everywhere = {"everywhere": ibis.literal("all")}
    told = known.receipts.mutate(everywhere)
    baskets = of_baskets(places.select("day", "merchant_id").distinct(), known.visits)
    parts: list[tuple[ir.Table, tuple[str, ...]]] = [(baskets, ("merchant_id", "day"))]
    for place, name in (
        ("coupon_id", "coupon"), ("merchant_id", "merchant"), ("category", "category"), ("channel", "channel"),
        ("everywhere", "all"),
    ):  # fmt: skip
        days = places.mutate(everywhere).select("day", place).distinct()
        rates = of_outcomes(days, told, place=place).rename(
            {f"{name}_used": "used", f"{name}_n": "n", f"{name}_until": "outcomes_until"}
        )
        on = ("day",) if place == "everywhere" else (place, "day")
        parts.append((rates.select(*on, f"{name}_used", f"{name}_n", f"{name}_until"), on))
    return parts


def _made(t: ir.Table) -> dict[str, ir.Value]:
    """Return features that rest on several parts."""
    overall = (t.all_used.fill_null(0) + 1.0) / (t.all_n.fill_null(0) + 10.0)
    category = smoothed(t.category_used, t.category_n, overall)
    merchant = smoothed(t.merchant_used, t.merchant_n, category)
    return {
        "recency_over_gap": t.recency_days * t.n_visits / t.tenure_days.nullif(0.0),
        "merchant_visit_share": share(t.n_visits_merchant.fill_null(0), t.n_visits),
        "category_visit_share": share(t.n_visits_category.fill_null(0), t.n_visits),
        "category_use_share": category,
        "merchant_use_share": merchant,
        "coupon_use_share": smoothed(t.coupon_used, t.coupon_n, merchant),
        "channel_use_share": smoothed(t.channel_used, t.channel_n, overall),
        "used_share": (t.n_used.fill_null(0) + 0.5) / (t.n_used.fill_null(0) + t.n_lapsed.fill_null(0) + 1),
        "unasked_came_share": (t.n_unasked_came.fill_null(0) + 0.5)
        / (t.n_unasked_came.fill_null(0) + t.n_unasked_away.fill_null(0) + 1),
        "kinds_until": _latest(t, "narrow_until", "broad_until"),
        "outcomes_until": _latest(t, "all_until", "category_until", "merchant_until", "coupon_until", "channel_until"),
    }


def _latest(t: ir.Table, *names: str) -> ir.Value:
    """Return the latest of several moments; nulls are passed over, on every engine."""
    return ibis.greatest(*(t[name].coalesce(*(t[other] for other in names)) for name in names))


def _joined(base: ir.Table, parts: Sequence[tuple[ir.Table, tuple[str, ...]]]) -> ir.Table:
    """Return a table with the columns of others, where there are any; nulls in what they share match nothing.

    All in one chain of joins: one below the other they take three times as long to compile.
    """
    t = base
    keys: list[str] = []
    for place, (part, on) in enumerate(parts):
        named = {f"{name}_{place}": name for name in on}
        part = part.rename(named)
        t = t.left_join(part, [base[name] == part[key] for key, name in named.items()])
        keys += named
    return t.drop(*keys)


def _value(t: ir.Table, name: str) -> ir.Value:
    """Return a feature as float64: a count of nothing is 0."""
    value = t[name].cast("float64")
    return (value.fill_null(0.0) if name.startswith("n_") else value).name(name)
