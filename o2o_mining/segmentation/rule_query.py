"""Turns segments by rule into one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

import ibis

from o2o_mining.engine.portable import km_between, moment
from o2o_mining.segmentation.rules import COLUMNS, Compared, Condition, Rule

if TYPE_CHECKING:
    import ibis.expr.types as ir

_COLUMN = {
    "category": "category", "merchant": "merchant_id", "store": "store_id", "source": "source", "channel": "channel",
    "campaign": "campaign_id",
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """What rules may ask of, as known before a day: ``segments`` without rules, ``customer_features``, and feeds."""

    segments: ir.Table
    features: ir.Table
    purchases: ir.Table
    merchants: ir.Table
    customers: ir.Table
    stores: ir.Table


def with_rule_segments(known: Known, rules: Sequence[Rule], *, as_of: date) -> ir.Table:
    """One row of ``segments`` with the sorted codes of the rules that the customer meets.

    What is not known meets no comparison, so ``not`` of it holds. A distance is between home and store.

    Parameters
    ----------
    known
        The tables.
    rules
        As ``read_rules`` gives them.
    as_of
        Past purchases are counted up to this UTC day.
    """
    asked = list(dict.fromkeys(found for rule in rules for found in _looked_up(rule.condition)))
    # recency_days is in both: that of segments, in whole days, is the one that people see.
    more = [name for name in known.features.columns if name in COLUMNS and name not in known.segments.columns]
    features = known.features.select("customer_id", *more)
    rows = known.segments.left_join(features, "customer_id").drop("customer_id_right")
    bought = known.purchases.filter(known.purchases.cancelled_at.isnull())
    bought = bought.left_join(known.merchants.select("merchant_id", "category"), "merchant_id").drop(
        "merchant_id_right"
    )
    names: dict[Condition, str] = {}
    counts = [one for one in asked if one.kind == "purchases"]
    if counts:
        names |= {one: f"_count_{number}" for number, one in enumerate(counts)}
        met = {names[one]: bought.count(where=_is(bought, one, as_of)) for one in counts}
        rows = rows.left_join(bought.group_by("customer_id").aggregate(**met), "customer_id").drop("customer_id_right")
    distances = [one for one in asked if one.kind == "distance"]
    if distances:
        names |= {one: f"_km_{number}" for number, one in enumerate(distances)}
        far = _distances(known, {names[one]: one for one in distances})
        rows = rows.left_join(far, "customer_id").drop("customer_id_right")
    text = reduce(
        lambda before, rule: before.concat(ibis.ifelse(_holds(rule.condition, rows, names), rule.code + ",", "")),
        sorted(rules, key=lambda rule: rule.code),
        ibis.literal(""),
    )
    codes = ibis.ifelse(text == "", ibis.literal([], type="array<string>"), text.re_replace(",$", "").split(","))
    return rows.mutate(rule_segments=codes).select(*known.segments.columns)


def _looked_up(condition: Condition) -> Iterator[Condition]:
    """Yield what must be joined before conditions can be met; how it is compared does not matter."""
    if condition.kind in ("purchases", "distance"):
        yield Condition(condition.kind, where=condition.where)
    for part in condition.parts:
        yield from _looked_up(part)


def _holds(condition: Condition, rows: ir.Table, names: dict[Condition, str]) -> ir.BooleanValue:
    """Return whether a condition holds; never null."""
    if condition.kind in ("all", "any", "not"):
        parts = [_holds(part, rows, names) for part in condition.parts]
        if condition.kind == "not":
            return ~reduce(or_, parts)
        return reduce(and_ if condition.kind == "all" else or_, parts)
    if condition.kind == "feature":
        value = rows[condition.name]
    else:
        value = rows[names[Condition(condition.kind, where=condition.where)]]
    if condition.kind == "purchases":
        value = value.fill_null(0)
    return reduce(and_, (_meets(value, one).fill_null(False) for one in condition.compared))


def _meets(value: ir.Value, one: Compared) -> ir.BooleanValue:
    if one.operator == "known":
        return value.notnull() if one.value else value.isnull()
    if one.operator == "in":
        return value.isin(list(one.value))
    compared = value.cast("float64") if value.type().is_decimal() else value
    return {
        "at_least": compared >= one.value,
        "more_than": compared > one.value,
        "at_most": compared <= one.value,
        "less_than": compared < one.value,
        "is": compared == one.value,
        "is_not": compared != one.value,
    }[one.operator]


def _is(bought: ir.Table, condition: Condition, as_of: date) -> ir.BooleanValue:
    """Return whether a purchase is one of those that a condition counts."""
    met: Any = bought.purchased_at < moment(as_of)
    for name, given in condition.where:
        if name == "within_days":
            met &= bought.purchased_at >= moment(as_of - timedelta(days=given))
        else:
            met &= bought[_COLUMN[name]].isin(list(given)).fill_null(False)
    return met


def _distances(known: Known, asked: dict[str, Condition]) -> ir.Table:
    """One customer with a known home: kilometres to the nearest store of each kind asked for."""
    homes = known.customers.filter(known.customers.home_lat.notnull() & known.customers.home_lon.notnull())
    places = [given for condition in asked.values() for given in condition.where]
    stores = known.stores.filter(known.stores.lat.notnull() & known.stores.lon.notnull())
    stores = stores.filter(reduce(or_, (stores[_COLUMN[name]].isin(list(ids)) for name, ids in places)))
    pairs = homes.select("customer_id", "home_lat", "home_lon").cross_join(
        stores.select("store_id", "merchant_id", "lat", "lon")
    )
    pairs = pairs.mutate(km=km_between(pairs.home_lat, pairs.home_lon, pairs.lat, pairs.lon))
    nearest = {
        column: pairs.km.min(where=reduce(and_, (pairs[_COLUMN[name]].isin(list(ids)) for name, ids in one.where)))
        for column, one in asked.items()
    }
    return pairs.group_by("customer_id").aggregate(**nearest)
