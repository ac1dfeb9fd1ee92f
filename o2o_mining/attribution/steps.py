"""The steps of the room: read contract tables, credit, write contract tables, say what came out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from o2o_mining.attribution.bought import bought_by_all, bought_by_drawn, spans
from o2o_mining.attribution.calibration import SCALED_MODEL, calibrated_credit
from o2o_mining.attribution.campaigns import Known, campaign_attribution, touch_credit
from o2o_mining.attribution.channels import channel_credit, outcomes
from o2o_mining.attribution.charts import (
    campaign_effects,
    campaign_returns,
    channel_parts,
    cumulative_effects,
    models_side_by_side,
    time_to_convert,
    top_paths,
    transition_matrix,
)
from o2o_mining.attribution.coded import CountedPaths, group_paths, read_groups
from o2o_mining.attribution.incrementality import Row, compared, daily, randomised, table
from o2o_mining.attribution.ledger import entries, ledger, touch_credits
from o2o_mining.attribution.models import DIRECT, PATH_MODELS
from o2o_mining.attribution.roles import closing_touches, in_windows, lengths, roles, shares_of, windows_of_paths
from o2o_mining.attribution.windows import window_starts
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

SHOWN_MODEL = "linear"
_SHOWN_ROWS = 30
_ARMS = ("treatment", "control")
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
        Holds ``purchases``, ``journeys`` and ``journey_touches`` as known before as_of, ``incrementality`` as of it,
        and the accepted feeds.
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
    paths = _counted_paths(engine, events, as_of=as_of, lookback_days=settings.lookback_days)
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
    paths = _counted_paths(engine, events, as_of=as_of, lookback_days=settings.lookback_days)
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


def build_incrementality(engine: Engine, *, as_of: date) -> StepReport:
    """Write ``incrementality`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``campaigns``, ``assignments`` and ``touches``.
    as_of
        Uses what was known before this UTC day.
    """
    found, drawn = effects(engine, engine.known("purchases", as_of), as_of=as_of)
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


def effects(engine: Engine, purchases: ir.Table, *, as_of: date) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Reckon what each campaign changed of some purchases: all, or what their merchants keep of them.

    Parameters
    ----------
    engine
        Holds the feeds ``campaigns``, ``assignments`` and ``touches``.
    purchases
        As known before as_of; ``net_amount`` is what is added up.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    pandas.DataFrame
        The columns of ``incrementality`` without as_of.
    dict
        The customers drawn for each campaign that was drawn.
    """
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
            touches = (
                engine.feed("touches").filter(ibis._.campaign_id == name).cross_join(span.select("starts_at", "until"))
            )
            reached = touches.filter((touches.touched_at >= touches.starts_at) & (touches.touched_at < touches.until))
            customers = engine.execute(bought_by_all(purchases, reached, span).order_by("customer_id"))
            with threadpool_limits(limits=1):
                rows += compared(name, customers, has_past=_has_past(engine, purchases, campaign))
    engine.drop_staged()
    return table(rows), drawn


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


def _counted_paths(engine: Engine, events: Mapping[str, ir.Table], *, as_of: date, lookback_days: int) -> CountedPaths:
    """Return all journeys known before a day, grouped by path and by the shortest window they lie in."""
    touches = events["journey_touches"]
    channels = sorted({DIRECT, *engine.execute(touches.select("channel").distinct())["channel"]})
    ended = outcomes(events["purchases"], events["journeys"], as_of=as_of, lookback_days=lookback_days)
    groups = (engine.execute(rows) for rows in group_paths(ended, touches, channels=channels))
    return read_groups(*groups, channels=channels)


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
