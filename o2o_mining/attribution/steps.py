"""The steps of the room: read contract tables, credit, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.campaigns import Known, campaign_attribution, window_starts
from o2o_mining.attribution.charts import campaign_returns, models_side_by_side
from o2o_mining.attribution.ledger import entries, ledger, touch_credits
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import pandas as pd

SHOWN_MODEL = "linear"
_SHOWN_ROWS = 30
_JOURNEYS = ("purchases", "journeys", "journey_touches")


def build_attribution_ledger(engine: Engine, *, settings: Settings) -> StepReport:
    """Write ``attribution_ledger`` from the whole event tables.

    Parameters
    ----------
    engine
        Holds ``purchases``, ``journeys`` and ``journey_touches``.
    settings
        ``lookback_days``, which the journeys were cut with.
    """
    rows = _book(engine)
    booked = engine.read("attribution_ledger")
    totals: pd.DataFrame = engine.execute(
        booked.group_by(["model", "kind"])
        .aggregate(
            entries=booked.count(),
            amount=booked.amount.sum(),
        )
        .order_by(["model", "kind"])
    )
    notes = [] if rows else ["no purchase is known: the ledger is empty"]
    if lack := engine.absence("touches"):
        notes.append(f"feed touches is {lack}: what carries no campaign or known code is credited to direct")
    return StepReport(
        table="attribution_ledger",
        rows=rows,
        notes=tuple(notes),
        figures={
            "purchases": _booked(totals, "credit"),
            "refunds": _booked(totals, "refund"),
            "lookback_days": settings.lookback_days,
        },
        samples={"Booked by model; every model adds up to the same": totals},
    )


def build_campaign_attribution(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``campaign_attribution`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases``, ``journeys`` and ``journey_touches`` as known before as_of, and the accepted feeds.
    as_of
        Uses what was known before this UTC day.
    settings
        ``lookback_days``, which the journeys were cut with.
    """
    events = {table: engine.known(table, as_of) for table in _JOURNEYS}
    known = Known(
        **events,
        ledger=_known_ledger(engine, events),
        **{feed: engine.read(feed).drop("_file") for feed in ("campaigns", "campaign_costs", "touches")},
    )
    mined = campaign_attribution(known, as_of=as_of, lookback_days=settings.lookback_days)
    rows = engine.write("campaign_attribution", mined, as_of=as_of)
    channels, campaigns = (_shown(engine, level, as_of=as_of) for level in ("channel", "campaign"))
    one_model = campaigns[campaigns["model"] == SHOWN_MODEL]
    credited = channels[channels["model"] == SHOWN_MODEL]
    return StepReport(
        table="campaign_attribution",
        rows=rows,
        notes=_notes(engine, has_cost=bool(credited["cost"].notna().any())),
        figures={
            "channels": len(credited),
            "campaigns": len(one_model) - 1,
            "conversions": round(float(credited["conversions"].sum()), 6),
            "net_revenue": float(credited["net_revenue"].sum()),
        },
        samples={
            f"Channels, all history, {SHOWN_MODEL}": _sample(credited),
            f"Campaigns, all history, {SHOWN_MODEL}": _sample(one_model),
        },
        charts={
            "models_side_by_side": lambda: models_side_by_side(channels),
            "campaign_returns": lambda: campaign_returns(one_model, model=SHOWN_MODEL),
        },
    )


def _book(engine: Engine) -> int:
    """Write what the ledger is read from, or of it what belongs to customers whose journeys changed since."""
    events = [engine.read(table) for table in _JOURNEYS]
    customers = engine.concerned("touch_credits", _JOURNEYS)
    with engine.transaction():
        if customers is None:
            credited = touch_credits(*events).order_by(["kind", "entry"])
            engine.write("touch_credits", credited, in_order=True)
            rows = engine.derive("attribution_ledger", entries(engine.read("touch_credits")), in_order=True)
        else:
            credited = touch_credits(*(rows.semi_join(customers, "customer_id") for rows in events))
            engine.rewrite("touch_credits", credited, customers, derived=["attribution_ledger"])
            rows = int(engine.execute(engine.read("attribution_ledger").count()))
        engine.followed("touch_credits", {})
    engine.drop_staged()
    return rows


def _known_ledger(engine: Engine, events: Mapping[str, ir.Table]) -> ir.Table:
    """Return the ledger as known before a day: as it is booked, if nothing has happened since."""
    if engine.is_current("touch_credits", _JOURNEYS) and all(map(engine.is_known_whole, _JOURNEYS)):
        return engine.read("attribution_ledger")
    return ledger(**events)


def _booked(totals: pd.DataFrame, kind: str) -> int:
    """Return how many purchases are booked with a kind: by their last touch each is one entry."""
    return int(totals["entries"][(totals["kind"] == kind) & (totals["model"] == "last")].sum())


def _shown(engine: Engine, level: str, *, as_of: date) -> pd.DataFrame:
    """Return the rows of one level over all history, with money as float, to be looked at only."""
    table = engine.read("campaign_attribution")
    rows = table.filter(
        (table.as_of == ibis.literal(as_of))
        & (table.window_start == ibis.literal(window_starts(as_of)[0]))
        & (table.level == level)
    )
    money = {name: rows[name].cast("float64") for name in ("revenue", "refunds", "net_revenue", "cost")}
    frame: pd.DataFrame = engine.execute(
        rows.mutate(**money).drop("as_of", "window_start", "window_end", "level", "lookback_days")
    )
    return frame.sort_values(["net_revenue", "id", "model"], ascending=[False, True, True], ignore_index=True)


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the first rows without the column that is the same in all."""
    return rows.drop(columns="model").head(_SHOWN_ROWS).round(4).reset_index(drop=True)


def _notes(engine: Engine, *, has_cost: bool) -> tuple[str, ...]:
    """Return what the missing feeds mean for the figures."""
    notes = []
    if lack := engine.absence("campaigns"):
        notes.append(f"feed campaigns is {lack}: only campaigns that earned or spent something are listed")
    if lack := engine.absence("touches"):
        notes.append(f"feed touches is {lack}: what carries no campaign or known code is credited to direct")
    if lack := engine.absence("campaign_costs"):
        instead = "costs are those of touches" if has_cost else "cost, ROAS and CPA are not known"
        notes.append(f"feed campaign_costs is {lack}: {instead}")
    return tuple(notes)
