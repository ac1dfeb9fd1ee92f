"""The steps about outcomes: what three sides got, where customers are lost, what the store adds beside delivery."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from o2o_mining.attribution.charts import funnel_by_channel, store_beside_delivery, three_sides
from o2o_mining.attribution.credit.windows import window_starts
from o2o_mining.attribution.effects.bought import spans
from o2o_mining.attribution.outcomes.funnel import FunnelLogs, funnel_counts, people
from o2o_mining.attribution.outcomes.leaks import funnel_stages
from o2o_mining.attribution.outcomes.orders import OrderLogs, online_orders
from o2o_mining.attribution.outcomes.overlap import compared_orders
from o2o_mining.attribution.outcomes.sides import offers_received, sides
from o2o_mining.attribution.outcomes.wins import Counted, three_wins
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SHOWN_ROWS = 30


def build_three_wins(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``three_wins`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` and ``coupon_lifecycle`` as known before as_of, ``incrementality`` and
        ``campaign_attribution`` as of it, and the feeds.
    as_of
        Uses what was known before this UTC day.
    settings
        ``default_margin_share``, for merchants who name no margin.
    """
    counted = _counted(engine, as_of=as_of)
    wins = three_wins(counted, default_share=settings.default_margin_share)
    rows = engine.write("three_wins", _as_rows("three_wins", wins), as_of=as_of)
    campaigns, merchants = (wins[wins["level"] == level] for level in ("campaign", "merchant"))
    shown = [
        "id", "merchant_margin", "merchant_margin_low", "merchant_margin_high", "media_cost", "incremental_roi",
        "customer_savings", "offers_per_visit", "platform_retention_share", "visits_per_customer", "margin_share",
        "margin_basis", "label", "reason_code",
    ]  # fmt: skip
    return StepReport(
        "three_wins", rows, notes=_doubts(engine, wins, settings),
        figures={
            "campaigns": len(campaigns), "campaigns with a margin": int(campaigns["merchant_margin"].notna().sum()),
            "merchants": len(merchants), "merchants with a margin": int(merchants["merchant_margin"].notna().sum()),
        },
        samples={"Campaigns": campaigns[shown].head(_SHOWN_ROWS).reset_index(drop=True)} if len(campaigns) else {},
        charts={"three_sides": lambda: three_sides(campaigns)} if len(campaigns) else {},
    )  # fmt: skip


def build_funnel(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``funnel`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` and ``coupon_lifecycle`` as known before as_of, and the feeds ``touches`` and ``campaigns``.
    as_of
        Uses what was known before this UTC day.
    settings
        ``lookback_days``: for so many days after a first contact what a person does counts.
    """
    purchases, lifecycle = (engine.known(name, as_of) for name in ("purchases", "coupon_lifecycle"))
    touches = engine.feed("touches")
    logs = FunnelLogs(purchases, lifecycle, touches, engine.feed("campaigns"))
    counts = funnel_counts(people(logs, as_of=as_of, within_days=settings.lookback_days))
    is_priced = bool(engine.execute(touches.cost.count()))
    stages = funnel_stages(engine.execute(counts.order_by(["window", "dimension", "id"])), is_priced=is_priced)
    starts = dict(enumerate(window_starts(as_of)))
    stages = stages.assign(window_start=stages["window"].map(starts), window_end=as_of)
    rows = engine.write("funnel", _as_rows("funnel", stages), as_of=as_of)
    notes = [
        f"feed {feed} is {lack}: {meaning}"
        for feed, meaning in (
            ("touches", "there is no funnel by channel and device, and merchants' begins with a coupon or a purchase"),
            ("coupon_receipts", "nobody is seen receiving a coupon"),
            ("online_orders", "reservations and orders that nobody came for are not known"),
        )
        if (lack := engine.absence(feed))
    ]
    whole = stages[stages["window"] == 0]
    everybody = whole[whole["dimension"] == "total"].set_index("stage")
    shown = ["dimension", "id", "stage", "people", "pass_share", "lost", "lost_amount", "spent_on_lost"]
    worst = whole[whole["dimension"] != "total"].sort_values(
        ["lost_amount", "dimension", "id", "position"], ascending=[False, True, True, True]
    )
    return StepReport(
        "funnel", rows, notes=tuple(notes), figures={str(name): int(n) for name, n in everybody["people"].items()},
        samples={"Most lost, all history": worst[shown].head(_SHOWN_ROWS).reset_index(drop=True)} if rows else {},
        charts={"funnel": lambda: funnel_by_channel(whole)} if rows else {},
    )  # fmt: skip


def build_o2o_b2c(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``o2o_b2c`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` and ``journey_touches`` as known before as_of, and the feeds ``touches`` and ``merchants``.
    as_of
        Uses what was known before this UTC day.
    settings
        ``lookback_days``: after so many an order that was not consumed is lost. ``default_margin_share``, for merchants
        who name no margin.
    """
    touches, merchants = engine.feed("touches"), engine.feed("merchants")
    logs = OrderLogs(engine.known("purchases", as_of), engine.known("journey_touches", as_of), touches, merchants)
    orders = engine.execute(
        online_orders(
            logs, as_of=as_of, within_days=settings.lookback_days, default_share=settings.default_margin_share
        ).order_by("purchase_id")
    )
    if not int(engine.execute(touches.cost.count())):
        orders["acquisition_cost"] = None
    # One thread, so that the same figures come out at every run.
    with threadpool_limits(limits=1):
        compared = compared_orders(orders) if len(orders) else _nothing("o2o_b2c")
    rows = engine.write("o2o_b2c", _as_rows("o2o_b2c", compared), as_of=as_of)
    notes = [
        f"feed {feed} is {lack}: {meaning}"
        for feed, meaning in (
            ("online_orders", "no order is known to be for the store or to be delivered"),
            ("touches", "what it costs to win an order is not known"),
            ("merchants", "no category is known"),
        )
        if (lack := engine.absence(feed))
    ]
    whole = compared[compared["dimension"] == "total"].drop(columns=["dimension", "id"])
    told = whole[whole["label"] == "observational"]
    refused = compared[compared["label"] == "refused"].groupby("reason_code", as_index=False).size()
    notes += [f"{row.size} figure(s) refused: {row.reason_code}" for row in refused.itertuples()]
    return StepReport(
        "o2o_b2c", rows, notes=tuple(notes),
        figures={str(name): float(value) for name, value in zip(told["outcome"], told["difference"], strict=True)},
        samples={"Store less delivery, all orders": whole.reset_index(drop=True)} if rows else {},
        charts={"store_beside_delivery": lambda: store_beside_delivery(compared)} if rows else {},
    )  # fmt: skip


def _nothing(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=[column for column in contract(name).column_names if column != "as_of"])


def _counted(engine: Engine, *, as_of: date) -> Counted:
    """Return what the three wins are made of."""
    purchases = engine.known("purchases", as_of)
    campaigns, merchants = engine.feed("campaigns"), engine.feed("merchants")
    begun = spans(campaigns, as_of=as_of)
    logs = (engine.feed("touches"), engine.feed("sends"), engine.known("coupon_lifecycle", as_of))
    offers = offers_received(*logs, campaigns, as_of=as_of)
    counts = sides(purchases, offers, begun, as_of=as_of).order_by(["level", "id"])
    credit = engine.slice("campaign_attribution", as_of)
    costs = credit.filter(
        credit.level == "campaign", credit.model == "last", credit.window_start == ibis.literal(window_starts(as_of)[0])
    )
    found = engine.execute(engine.slice("incrementality", as_of))
    if not int(engine.execute(purchases.net_amount.count())):
        found = found.iloc[:0]
    return Counted(
        campaigns=engine.execute(begun.select("campaign_id", "merchant_id")),
        merchants=engine.execute(merchants.select("merchant_id", "margin_share")),
        sides=engine.execute(counts),
        costs=engine.execute(costs.select("cost", campaign_id="id")),
        effects=found,
    )


def _doubts(engine: Engine, wins: pd.DataFrame, settings: Settings) -> tuple[str, ...]:
    """Return what stands on a setting, which feeds are missing, and why merchants have no margin."""
    notes = []
    for feed, meaning in (
        ("campaigns", "no margin was caused by any"),
        ("merchants", "no merchant names its margin"),
    ):
        if lack := engine.absence(feed):
            notes.append(f"feed {feed} is {lack}: {meaning}")
    if set_ := int((wins["margin_basis"] == "setting").sum()):
        share = settings.default_margin_share
        notes.append(
            f"{set_} of {len(wins)} rows stand on the setting default_margin_share = {share}, nobody named a margin"
        )
    refused = wins[wins["label"] == "refused"].groupby(["level", "reason_code"], as_index=False).size()
    notes += [f"{row.size} {row.level}(s) without a margin: {row.reason_code}" for row in refused.itertuples()]
    if guessed := int((wins["label"] == "observational").sum()):
        notes.append(
            f"{guessed} margin(s) are observational: where ads went by what no log tells they are wrong, and no check"
            " can see it; draw a control group"
        )
    if (wins["reason_code"] == "media_unknown").any():
        notes.append("no cost of any campaign is known: margins are before media")
    return tuple(notes)


def _as_rows(name: str, frame: pd.DataFrame) -> ir.Table:
    """Return a frame in the types of a contract, without the day."""
    schema = {column: kind for column, kind in contract(name).schema.items() if column != "as_of"}
    types = ibis.schema(schema).to_pyarrow()
    arrays = [pa.Array.from_pandas(frame[field.name].astype("object"), type=field.type) for field in types]
    return ibis.memtable(pa.table(arrays, names=list(schema)))
