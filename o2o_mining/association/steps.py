"""The step of the room: read contract tables, mine, write the contract table, say what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.association.baskets import Visits, coded_visits, days_covered, visit_products
from o2o_mining.association.baskets import visits as known_visits
from o2o_mining.association.charts import rule_map, strongest_rules
from o2o_mining.association.families import Family, every_family
from o2o_mining.association.rules import as_table, surviving, tested_rules
from o2o_mining.association.sentences import Names, rule_sentence
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

_DAY_US = 86_400_000_000
_SHOWN = 20


def build_association_rules(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``association_rules`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``basket_lines``, ``products`` and ``merchants``.
    as_of
        Uses what was known before this UTC day.
    settings
        ``rules_history_days``, ``rules_within_days``, ``rules_min_support``, ``rules_max_items``, ``rules_max_q``.
    """
    notes = [
        f"feed {feed} is {lack}: {without}"
        for feed, without in (
            ("basket_lines", "there are no rules about products"),
            ("products", "there are no rules about subcategories and categories of products"),
            ("merchants", "there are no rules about categories of merchants"),
        )
        if (lack := engine.absence(feed))
    ]
    visits, made = _families(engine, as_of=as_of, settings=settings)
    tested = [
        rule
        for family in made
        for rule in tested_rules(family, min_support=settings.rules_min_support, max_length=settings.rules_max_items)
    ]
    rules = as_table(surviving(tested, max_q=settings.rules_max_q))
    days = days_covered(visits, as_of=as_of, days=settings.rules_history_days)
    rows = engine.write("association_rules", _as_mined(rules, days=days, has_amount=visits.has_amount), as_of=as_of)
    if not tested:
        notes.append("no rule was common enough to be tested")
    shown = _shown(engine, as_of)
    counts = Counter(zip(rules["scope"], rules["level"], strict=True))
    return StepReport(
        table="association_rules",
        rows=rows,
        notes=tuple(notes),
        figures={
            "visits": len(visits),
            "rules_tested": len(tested),
            **{f"{scope}, {level}": number for (scope, level), number in sorted(counts.items())},
        },
        samples={"The strongest rules": _sample(engine, shown.head(_SHOWN), settings)},
        charts={"rules": lambda: rule_map(shown), "strongest": lambda: strongest_rules(shown)},
    )


def _families(engine: Engine, *, as_of: date, settings: Settings) -> tuple[Visits, Iterator[Family]]:
    """Return the visits and, one after the other, what rules are looked for in."""
    staged = engine.stage(
        known_visits(
            engine.known("purchases", as_of), engine.feed("merchants"), as_of=as_of, days=settings.rules_history_days
        )
    )
    visits = coded_visits(engine.execute(staged.order_by("visit")))
    lines = engine.stage(visit_products(staged, engine.feed("basket_lines")))
    bought: pd.DataFrame = engine.execute(lines.select("visit", "product"))
    levels = engine.feed("products").select("product_id", "subcategory", "category")
    named = lines.select("product", "product_id").distinct().left_join(levels, "product_id").order_by("product")
    products: pd.DataFrame = engine.execute(named)
    engine.drop_staged()
    made = every_family(
        visits, bought, products, until_us=(as_of - date(1970, 1, 1)).days * _DAY_US,
        within_days=settings.rules_within_days,
    )  # fmt: skip
    return visits, made


def _as_mined(rules: pd.DataFrame, *, days: int, has_amount: bool) -> ibis.Table:
    """Return rules with the types of the contract."""
    schema = {name: kind for name, kind in contract("association_rules").schema.items() if name != "as_of"}
    amounts = [Decimal(cents).scaleb(-2) if has_amount else None for cents in rules["cents"]]
    columns = {name: rules[name].tolist() for name in schema if name in rules.columns}
    columns |= {"net_amount": amounts, "period_days": [days] * len(rules)}
    types = ibis.schema(schema).to_pyarrow()
    return ibis.memtable(
        pa.table({name: pa.array(columns[name], types.field(name).type, from_pandas=True) for name in schema})
    )


def _shown(engine: Engine, as_of: date) -> pd.DataFrame:
    """Return the written rules, the strongest first: by the lower end of the interval, then by key."""
    rules: pd.DataFrame = engine.execute(engine.slice("association_rules", as_of))
    for side in ("antecedents", "consequents"):
        rules[side] = [list(items) for items in rules[side]]
    keys = rules[["scope", "level", "antecedents", "consequents"]].to_numpy(dtype=object).tolist()
    rules = rules.iloc[sorted(range(len(keys)), key=keys.__getitem__)]
    return rules.sort_values("holdout_lift_low", ascending=False, kind="stable", ignore_index=True)


def _sample(engine: Engine, rules: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    names = Names.of_feeds(*(
        engine.execute(engine.feed(f"{kind}s").select(f"{kind}_id", "name")) for kind in ("product", "merchant")
    ))  # fmt: skip
    said = [
        rule_sentence(
            {str(name): value for name, value in row.items()},
            names=names,
            currency=settings.currency,
            within_days=settings.rules_within_days,
        )
        for row in rules.to_dict("records")
    ]
    return pd.DataFrame({"scope": rules["scope"], "level": rules["level"], "rule": said})
