"""The steps about effects: what campaigns changed, by draw, by comparison, by places, or why none can be named."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd
from threadpoolctl import threadpool_limits

from o2o_mining.attribution.charts import campaign_effects, cumulative_effects
from o2o_mining.attribution.effects.bought import bought_by_all, bought_by_drawn, spans
from o2o_mining.attribution.effects.incrementality import Row, compared, daily, randomised, table
from o2o_mining.attribution.effects.places import city_purchases, place_customers, place_weeks, store_purchases
from o2o_mining.attribution.effects.synthetic import compared_places
from o2o_mining.attribution.outcomes.sides import margins
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    import ibis.expr.types as ir

_SHOWN_ROWS = 30
_ARMS = ("treatment", "control")


def build_incrementality(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``incrementality`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``campaigns``, ``assignments``, ``touches``,
        ``customers`` and ``merchants``.
    as_of
        Uses what was known before this UTC day.
    settings
        ``default_margin_share``, for merchants who name no margin.
    """
    purchases = margins(
        engine.known("purchases", as_of), engine.feed("merchants"), default_share=settings.default_margin_share
    )
    found, drawn = _by_customers(engine, purchases, as_of=as_of)
    by_places = table(list(_by_places(engine, purchases, set(drawn), as_of=as_of)))
    found = pd.concat([found, by_places], ignore_index=True) if len(by_places) else found
    written = engine.write("incrementality", ibis.memtable(found, schema=_found_schema()), as_of=as_of)
    shown = found[found["outcome"] == "purchases"].drop(columns=["outcome", "n_treatment", "n_control"])
    labels = found[found["outcome"] == "purchases"].drop_duplicates("campaign_id")["label"].value_counts()
    return StepReport(
        table="incrementality",
        rows=written,
        notes=_doubts(engine, found),
        figures={label: int(labels.get(label, 0)) for label in ("experiment", "observational", "refused")},
        samples={"Purchases per customer": shown.head(_SHOWN_ROWS).reset_index(drop=True)},
        charts={
            "campaign_effects": lambda: campaign_effects(found),
            "cumulative_effects": lambda: cumulative_effects({name: daily(rows) for name, rows in drawn.items()}),
        },
    )


def _by_customers(engine: Engine, purchases: ir.Table, *, as_of: date) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return what each campaign changed of its customers' purchases, and who was drawn for those that were drawn."""
    begun = engine.stage(spans(engine.feed("campaigns"), as_of=as_of))
    campaigns: pd.DataFrame = engine.execute(begun.order_by("campaign_id"))
    drawn = _drawn(engine, purchases, as_of=as_of)
    rows: list[Row] = []
    for campaign in campaigns.itertuples():
        name = str(campaign.campaign_id)
        if name in drawn:
            rows += randomised(name, drawn[name])
        else:
            span = begun.filter(begun.campaign_id == name)
            customers = engine.execute(bought_by_all(purchases, _reached(engine, span), span).order_by("customer_id"))
            with threadpool_limits(limits=1):
                rows += compared(name, customers, has_past=_has_past(engine, purchases, campaign))
    engine.drop_staged()
    return table(rows), drawn


def _by_places(engine: Engine, purchases: ir.Table, drawn: set[str], *, as_of: date) -> Iterator[Row]:
    """Yield what campaigns without a draw changed by places: by stores where a merchant is named, else by cities."""
    begun = engine.stage(spans(engine.feed("campaigns"), as_of=as_of))
    campaigns = engine.execute(begun.order_by("campaign_id"))
    for campaign in campaigns.itertuples():
        name = str(campaign.campaign_id)
        if name in drawn:
            continue
        span = begun.filter(begun.campaign_id == name)
        reached = _reached(engine, span)
        if isinstance(campaign.merchant_id, str):
            bought = store_purchases(purchases, span, begun, reached)
        else:
            bought = city_purchases(purchases, engine.feed("customers"), reached)
        counts = engine.execute(place_customers(bought, span)).set_index("treated")["customers"]
        sizes = int(counts.get(True, 0)), int(counts.get(False, 0))
        if min(sizes):
            weeks = engine.execute(place_weeks(bought, span).order_by(["place", "week"]))
            alone, known = _alone(campaigns, campaign), bool(engine.execute(reached.count()))
            with threadpool_limits(limits=1):
                yield from compared_places(name, weeks, sizes, alone=alone, reach_known=known)
    engine.drop_staged()


def _alone(campaigns: pd.DataFrame, campaign: Any) -> bool:
    """Return whether no other campaign of the same merchant, or without one, ran in the time of one."""
    same = campaigns["merchant_id"].fillna("") == (
        campaign.merchant_id if isinstance(campaign.merchant_id, str) else ""
    )
    met = (campaigns["starts_at"] < campaign.until) & (campaigns["until"] > campaign.starts_at)
    return int((same & met).sum()) == 1


def _reached(engine: Engine, span: ir.Table) -> ir.Table:
    """One touch of a campaign in its time."""
    named = span.select("campaign_id", "starts_at", "until")
    touches = engine.feed("touches").inner_join(named, "campaign_id")
    return touches.filter((touches.touched_at >= touches.starts_at) & (touches.touched_at < touches.until))


def _drawn(engine: Engine, purchases: ir.Table, *, as_of: date) -> dict[str, pd.DataFrame]:
    """Return the customers drawn for each campaign that has at least two in each arm."""
    expr = bought_by_drawn(purchases, engine.feed("campaigns"), engine.feed("assignments"), as_of=as_of)
    customers: pd.DataFrame = engine.execute(expr.order_by(["campaign_id", "customer_id"]))
    groups = {str(name): rows.reset_index(drop=True) for name, rows in customers.groupby("campaign_id")}
    return {
        name: rows for name, rows in groups.items() if rows["arm"].value_counts().reindex(_ARMS, fill_value=0).min() > 1
    }


def _has_past(engine: Engine, purchases: ir.Table, campaign: Any) -> bool:
    """Return whether the log goes back over two times before a campaign that are as long as its own."""
    first = engine.execute(purchases.purchased_at.min())
    return bool(first <= campaign.starts_at - 2 * (campaign.until - campaign.starts_at))


def _found_schema() -> dict[str, str]:
    """Return the types of what is found, as the contract has them."""
    return {c.name: c.engine_type for c in contract("incrementality").columns if c.name != "as_of"}


def _doubts(engine: Engine, found: pd.DataFrame) -> tuple[str, ...]:
    """Return what the missing feeds and the alarms mean for the figures."""
    notes = []
    for feed, meaning in (
        ("campaigns", "there is nothing whose effect could be asked for"),
        ("assignments", "no campaign was drawn, effects are observational or refused"),
    ):
        if lack := engine.absence(feed):
            notes.append(f"feed {feed} is {lack}: {meaning}")
    if alarms := sorted(set(found["campaign_id"][found["reason_code"] == "sample_ratio"])):
        notes.append(
            f"groups as unequal as in {', '.join(alarms)} do not come from a fair draw: look at the assignment"
        )
    return tuple(notes)
