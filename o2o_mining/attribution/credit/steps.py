"""The steps of the room: read contract tables, credit, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from o2o_mining.attribution.charts import (
    booked_by_month,
    campaign_returns,
    channel_parts,
    models_side_by_side,
    time_to_convert,
    top_paths,
    transition_matrix,
)
from o2o_mining.attribution.credit.calibration import SCALED_MODEL, calibrated_credit
from o2o_mining.attribution.credit.campaigns import Known, campaign_attribution, touch_credit
from o2o_mining.attribution.credit.channels import channel_credit, outcomes
from o2o_mining.attribution.credit.coded import CountedPaths, group_paths, read_groups
from o2o_mining.attribution.credit.ledger import entries, ledger, touch_credits
from o2o_mining.attribution.credit.models import DIRECT, PATH_MODELS
from o2o_mining.attribution.credit.roles import closing_touches, in_windows, lengths, roles, shares_of, windows_of_paths
from o2o_mining.attribution.credit.windows import window_starts
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

SHOWN_MODEL = "linear"
_BOOKED_MODEL = "last"
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
    months = _months(engine, booked)
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
        charts={"booked_by_month": lambda: booked_by_month(months, model=_BOOKED_MODEL)} if rows else {},
    )


def build_campaign_attribution(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``campaign_attribution`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases``, ``journeys`` and ``journey_touches`` as known before as_of, ``incrementality`` as of it,
        and the accepted feeds.
    as_of
        Uses what was known before this UTC day.
    settings
        ``lookback_days``, which the journeys were cut with.
    """
    known = known_credit(engine, as_of=as_of)
    events = (known.purchases, known.journeys, known.journey_touches)
    paths = _counted_paths(engine, *events, as_of=as_of, lookback_days=settings.lookback_days)
    # One thread, so that the same figures come out at every run.
    with threadpool_limits(limits=1):
        credit = channel_credit(paths, as_of=as_of)
    scaled = calibrated_credit(
        engine.execute(touch_credit(known, as_of=as_of).filter(ibis._.model == SCALED_MODEL)),
        engine.execute(engine.slice("incrementality", as_of)),
        as_of=as_of,
    )
    calibrated = {"channel": (*PATH_MODELS, "calibrated"), "campaign": ("calibrated",)}
    mined = campaign_attribution(
        known,
        as_of=as_of,
        lookback_days=settings.lookback_days,
        beside=ibis.memtable(pa.concat_tables([credit, scaled] if scaled else [credit])),
        models_beside=calibrated if scaled else {"channel": PATH_MODELS},
    )
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


def build_channel_roles(engine: Engine, *, as_of: date, settings: Settings) -> list[StepReport]:
    """Write ``path_summary``, ``path_histograms``, ``channel_transitions`` and ``channel_roles`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases``, ``journeys`` and ``journey_touches`` as known before as_of, and ``campaign_attribution`` as
        of it.
    as_of
        Uses what was known before this UTC day.
    settings
        ``lookback_days``, which the journeys were cut with.

    Returns
    -------
    list of StepReport
        One for each table.
    """
    events = {name: engine.known(name, as_of) for name in _JOURNEYS}
    paths = _counted_paths(engine, *events.values(), as_of=as_of, lookback_days=settings.lookback_days)
    with threadpool_limits(limits=1):
        windows = list(windows_of_paths(paths, as_of=as_of))
    lasting = in_windows(engine.execute(lengths(events["journeys"], as_of=as_of)), ["measure", "amount"], as_of=as_of)
    closing = in_windows(engine.execute(closing_touches(**events, as_of=as_of)), ["channel"], as_of=as_of)
    credit = engine.slice("campaign_attribution", as_of)
    credit = credit.filter((credit.level == "channel") & credit.model.isin(("first", "last")))
    credited: pd.DataFrame = engine.execute(credit.order_by(["window_start", "model", "id"]))
    credited["window_start"] = pd.to_datetime(credited["window_start"]).dt.date
    starts = window_starts(as_of)
    made = {
        "path_summary": [window.summary for window in windows],
        "path_histograms": [shares_of(rows, "measure") for rows in lasting],
        "channel_transitions": [window.transitions for window in windows],
        "channel_roles": [
            roles(credited[credited["window_start"] == start], window.removal_effects, closed)
            for start, window, closed in zip(starts, windows, closing, strict=True)
        ],
    }
    charts = {
        "path_summary": {"top_paths": lambda: top_paths(made["path_summary"][0])},
        "path_histograms": {"time_to_convert": lambda: time_to_convert(made["path_histograms"][0])},
        "channel_transitions": {"transitions": lambda: transition_matrix(made["channel_transitions"][0])},
        "channel_roles": {"removal_effects": lambda: channel_parts(made["channel_roles"][0])},
    }
    return [
        StepReport(
            name,
            _write_windows(engine, name, frames, as_of=as_of),
            samples={"All history": frames[0].head(_SHOWN_ROWS)},
            charts=charts[name],
        )
        for name, frames in made.items()
    ]


def _write_windows(engine: Engine, name: str, frames: list[pd.DataFrame], *, as_of: date) -> int:
    """Write what was found of each window."""
    starts = window_starts(as_of)
    every = pd.concat(
        [rows.assign(window_start=start) for rows, start in zip(frames, starts, strict=True)], ignore_index=True
    )
    columns = {c.name: c.engine_type for c in contract(name).columns if c.name != "as_of"}
    if "cents" in every:
        money = [Decimal(int(cents)).scaleb(-2) for cents in every["cents"]]
        every["revenue"] = pd.Series(money, index=every.index, dtype=object)
    every = every.assign(window_end=as_of)[list(columns)]
    arrow = pa.Table.from_pandas(every, schema=ibis.schema(columns).to_pyarrow(), preserve_index=False)
    return engine.write(name, ibis.memtable(arrow), as_of=as_of)


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


def known_credit(engine: Engine, *, as_of: date) -> Known:
    """Return the tables that credit is read from, as known before a day.

    Parameters
    ----------
    engine
        Holds the event tables as known before as_of, and the accepted feeds.
    as_of
        Uses what was known before this UTC day.
    """
    events = {table: engine.known(table, as_of) for table in _JOURNEYS}
    return Known(
        **events,
        ledger=_known_ledger(engine, events),
        **{feed: engine.read(feed).drop("_file") for feed in ("campaigns", "campaign_costs", "touches")},
    )


def _counted_paths(
    engine: Engine,
    purchases: ir.Table,
    journeys: ir.Table,
    journey_touches: ir.Table,
    *,
    as_of: date,
    lookback_days: int,
) -> CountedPaths:
    """Return all journeys known before a day, grouped by path and by the shortest window they lie in."""
    channels = sorted({DIRECT, *engine.execute(journey_touches.select("channel").distinct())["channel"]})
    ended = outcomes(purchases, journeys, as_of=as_of, lookback_days=lookback_days)
    groups = (engine.execute(rows) for rows in group_paths(ended, journey_touches, channels=channels))
    return read_groups(*groups, channels=channels)


def _known_ledger(engine: Engine, events: Mapping[str, ir.Table]) -> ir.Table:
    """Return the ledger as known before a day: as it is booked, if nothing has happened since."""
    if engine.is_current("touch_credits", _JOURNEYS) and all(map(engine.is_known_whole, _JOURNEYS)):
        return engine.read("attribution_ledger")
    return ledger(**events)


def _booked(totals: pd.DataFrame, kind: str) -> int:
    """Return how many purchases are booked with a kind: by their last touch each is one entry."""
    return int(totals["entries"][(totals["kind"] == kind) & (totals["model"] == "last")].sum())


def _months(engine: Engine, booked: ir.Table) -> pd.DataFrame:
    """Return the money that one model books to each channel by month, as float, to be looked at only."""
    rows = booked.filter(booked.model == _BOOKED_MODEL)
    amount = rows.amount.cast("float64").fill_null(0.0)
    is_credit = rows.kind == "credit"
    summed = rows.group_by(month=rows.credited_at.truncate("M"), channel=rows.channel).aggregate(
        credited=amount.sum(where=is_credit).fill_null(0.0), taken_back=amount.sum(where=~is_credit).fill_null(0.0)
    )
    months: pd.DataFrame = engine.execute(summed.order_by(["month", "channel"]))
    return months


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
