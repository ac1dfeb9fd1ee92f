"""The step about budgets: what more money would bring in each channel, and what to test next."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from o2o_mining.attribution.budget.advice import Budget, advised, channel_scales
from o2o_mining.attribution.budget.spending import channel_margins, weekly_returns
from o2o_mining.attribution.charts import marginal_returns, response_curves
from o2o_mining.attribution.credit.calibration import SCALED_MODEL, ratios
from o2o_mining.attribution.credit.campaigns import touch_credit
from o2o_mining.attribution.credit.channels import PARTS
from o2o_mining.attribution.credit.steps import known_credit
from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import Engine, StepReport

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

_CENT = Decimal("0.01")


def build_budget_advice(engine: Engine, *, as_of: date, settings: Settings) -> StepReport:
    """Write ``budget_advice`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases``, ``journeys`` and ``journey_touches`` as known before as_of, ``incrementality`` as of it,
        and the accepted feeds.
    as_of
        Uses what was known before this UTC day.
    settings
        ``lookback_days``, which the journeys were cut with, and ``default_margin_share``, for merchants who name no
        margin.
    """
    known = known_credit(engine, as_of=as_of)
    weekly = engine.execute(
        weekly_returns(known, as_of=as_of, lookback_days=settings.lookback_days, model=SCALED_MODEL).order_by(
            ["channel", "week"]
        )
    )
    weekly = weekly.assign(spent=weekly["spent_cents"] / 100, net_revenue=weekly["net_cents"] / 100)
    credit = engine.execute(
        touch_credit(known, as_of=as_of).filter(ibis._.model == SCALED_MODEL, ibis._.campaign_id.notnull())
    )
    credit["conversions"] = credit["parts"].astype("float64") / PARTS
    credit = credit.groupby(["channel", "campaign_id"], as_index=False)["conversions"].sum()
    found = engine.execute(engine.slice("incrementality", as_of))
    scales = channel_scales(credit, ratios(credit.groupby("campaign_id")["conversions"].sum(), found))
    default_share = settings.default_margin_share
    kept = engine.execute(
        channel_margins(known, engine.feed("merchants"), model=SCALED_MODEL, default_share=default_share)
    )
    margin_shares = dict(zip(kept["channel"], kept["margin_share"], strict=True))
    budget = advised(weekly, scales, margin_share=default_share, margin_shares=margin_shares)
    rows = engine.write("budget_advice", _as_rows(budget.rows), as_of=as_of)
    return StepReport(
        "budget_advice",
        rows,
        notes=_doubts(engine, budget, settings),
        figures={word: int((budget.rows["advice"] == word).sum()) for word in ("raise", "test", "lower")},
        samples={"Channels, the first to test on top": budget.rows.sort_values("test_rank", ignore_index=True)},
        charts={
            "marginal_returns": lambda: marginal_returns(budget.rows),
            "response_curves": lambda: response_curves(budget.curves),
        }
        if rows
        else {},
    )


def _as_rows(rows: pd.DataFrame) -> ir.Table:
    """Return what is advised in the types of the contract."""
    columns = [column for column in contract("budget_advice").columns if column.name != "as_of"]
    schema = ibis.schema({column.name: column.engine_type for column in columns}).to_pyarrow()
    values = {
        column.name: [Decimal(amount).quantize(_CENT) for amount in rows[column.name]]
        if column.type == "money"
        else rows[column.name]
        for column in columns
    }
    arrays = [pa.array(values[field.name], field.type, from_pandas=True) for field in schema]
    return ibis.memtable(pa.table(arrays, schema=schema))


def _doubts(engine: Engine, budget: Budget, settings: Settings) -> tuple[str, ...]:
    """Return what the figures stand on and what is refused."""
    notes = [
        f"feed {feed} is {lack}: {meaning}"
        for feed, meaning in (
            ("campaign_costs", "what is spent is what touches say they cost"),
            ("touches", "what is credited to campaigns is what orders say"),
        )
        if (lack := engine.absence(feed))
    ]
    if not len(budget.rows):
        notes.append("no money is known to be spent on any channel: there is nothing to advise on")
    if (budget.rows["label"] == "credited").any():
        notes.append("no experiment speaks of some channels: their returns are credit, not effect")
    if len(budget.rows):
        pays = budget.rows["break_even_return"]
        ends = " to ".join(sorted({f"{pays.min():.2f}", f"{pays.max():.2f}"}, key=float))
        notes.append(
            f"a return pays where it is above {ends}, by what the merchants of the purchases credited keep, and the "
            f"setting default_margin_share = {settings.default_margin_share} where they name nothing"
        )
    refused = budget.rows[budget.rows["label"] == "refused"].groupby("reason_code", as_index=False).size()
    return (*notes, *(f"{row.size} channel(s) without a curve: {row.reason_code}" for row in refused.itertuples()))
