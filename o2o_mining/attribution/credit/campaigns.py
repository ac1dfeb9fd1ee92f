"""What each channel and campaign brought and cost, by each model and window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

import ibis

from o2o_mining.attribution.cents import to_cents, to_money
from o2o_mining.attribution.credit.channels import PARTS
from o2o_mining.attribution.credit.credits import credited_touches
from o2o_mining.attribution.credit.models import DIRECT
from o2o_mining.attribution.credit.windows import last_window, window_starts
from o2o_mining.contracts.attribution import NO_CAMPAIGN
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.engine.portable import moment, share

if TYPE_CHECKING:
    import ibis.expr.types as ir

LEVELS = ("channel", "campaign")


@dataclass(frozen=True)
class Known:
    """What the attribution of campaigns looks at.

    Attributes
    ----------
    purchases, journeys, journey_touches, ledger
        The event tables as known before as_of.
    campaigns, campaign_costs, touches
        The feeds, whole; what is later than as_of is left out here.
    """

    purchases: ir.Table
    journeys: ir.Table
    journey_touches: ir.Table
    ledger: ir.Table
    campaigns: ir.Table
    campaign_costs: ir.Table
    touches: ir.Table


def campaign_attribution(
    known: Known,
    *,
    as_of: date,
    lookback_days: int,
    models: Sequence[str] = TOUCH_MODELS,
    beside: ir.Table | None = None,
    models_beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> ir.Table:
    """One channel or campaign in one window: what one model credits to it, beside what was spent.

    Parameters
    ----------
    known
        The tables looked at.
    as_of
        The windows end before this UTC day.
    lookback_days
        How far back the touches of the journeys count.
    models
        Touch-level models, those of the ledger.
    beside
        What other models credit, as ``channels.channel_credit`` gives it.
    models_beside
        The other models of each level.

    Returns
    -------
    ibis.Table
        The columns of ``campaign_attribution`` without as_of. Every channel and campaign seen has a row in every
        window and model, those without credit too; credit without a campaign is ``(none)``.
    """
    credit = _by_level(touch_credit(known, as_of=as_of))
    assists = _assists(known, as_of=as_of)
    ids = _ids(known, credit, as_of=as_of)
    credited = _over_windows(credit, as_of=as_of)
    if beside is not None:
        credited = credited.union(beside.select(*credited.columns).cast(credited.schema()))
    grid = _grid(ids, {level: (*models, *models_beside.get(level, ())) for level in LEVELS}, as_of=as_of)
    keys = ["window", "level", "id"]
    rows = (
        grid.left_join(credited, [*keys, "model"], rname="{name}_credit")
        .left_join(_over_windows(assists, as_of=as_of), keys, rname="{name}_assist")
        .left_join(_spent(known, as_of=as_of), keys, rname="{name}_cost")
        .cross_join(spending_known(known, as_of=as_of))
    )
    filled = rows.select(
        *keys,
        "model",
        parts=rows.parts.fill_null(0),
        revenue_cents=rows.revenue_cents.fill_null(0),
        refund_cents=rows.refund_cents.fill_null(0),
        assisted_conversions=rows.assisted_conversions.fill_null(0),
        # What was spent is known from campaign_costs, else from the touches, else not at all.
        cost_cents=ibis.cases(
            (rows.has_campaign_costs, rows.campaign_cents.fill_null(0)),
            (rows.has_touch_costs, rows.touch_cents.fill_null(0)),
        ),
    )
    return _reckoned(filled, as_of=as_of, lookback_days=lookback_days)


def _grid(ids: ir.Table, models: Mapping[str, Sequence[str]], *, as_of: date) -> ir.Table:
    """One channel or campaign in one window by one of the models of its level."""
    rows = (
        ids.filter(ids.level == level).mutate(model=ibis.array(list(names)).unnest()) for level, names in models.items()
    )
    return ibis.union(*rows).mutate(window=_numbers(as_of).unnest())


def _reckoned(rows: ir.Table, *, as_of: date, lookback_days: int) -> ir.Table:
    """One row as published, divided last."""
    net_cents = rows.revenue_cents - rows.refund_cents
    conversions = rows.parts.cast("float64") / float(PARTS)
    cost = to_money(rows.cost_cents)
    all_parts = rows.parts.sum().over(group_by=[rows.window, rows.model, rows.level])
    starts = [(rows.window == number, ibis.literal(day)) for number, day in enumerate(window_starts(as_of))]
    return rows.select(
        "model",
        "level",
        "id",
        "assisted_conversions",
        window_start=ibis.cases(*starts),
        window_end=ibis.literal(as_of),
        lookback_days=ibis.literal(lookback_days, "int64"),
        conversions=conversions,
        revenue=to_money(rows.revenue_cents),
        refunds=to_money(rows.refund_cents),
        net_revenue=to_money(net_cents),
        cost=cost,
        roas=share(net_cents, rows.cost_cents),
        cpa=share(cost.cast("float64").nullif(0.0), conversions),
        share=share(rows.parts, all_parts).fill_null(0.0),
    )


def _numbers(as_of: date) -> ir.ArrayValue:
    """Return the numbers of all windows."""
    return ibis.array([ibis.literal(number, "int64") for number in range(len(window_starts(as_of)))])


def _over_windows(rows: ir.Table, *, as_of: date) -> ir.Table:
    """One sum over a whole window, from rows that each belong to the shortest window they lie in."""
    spread = rows.mutate(window=_numbers(as_of).unnest())
    within = spread.filter(spread.window <= spread.last_window)
    keys = [name for name in ("window", "level", "id", "model") if name in within.columns]
    sums = {name: within[name].sum() for name in within.columns if name not in (*keys, "last_window")}
    return within.group_by(keys).aggregate(**sums)


def _by_level(rows: ir.Table) -> ir.Table:
    """Each row twice: for its channel and for its campaign, as ``level`` and ``id``."""
    levels = rows.mutate(level=ibis.array(list(LEVELS)).unnest())
    return levels.mutate(
        id=ibis.ifelse(levels.level == LEVELS[0], levels.channel, levels.campaign_id.fill_null(NO_CAMPAIGN))
    ).drop("channel", "campaign_id")


def touch_credit(known: Known, *, as_of: date) -> ir.Table:
    """One channel and campaign: what one touch-level model credits to it of the conversions with one shortest window.

    Parameters
    ----------
    known
        The tables looked at.
    as_of
        The windows end before this UTC day.

    Returns
    -------
    ibis.Table
        ``model``, ``channel``, ``campaign_id``, ``last_window``, ``parts`` of conversions, ``revenue_cents``,
        ``refund_cents``. Credit and refunds are rows of their own.
    """
    # Over millions of entries most of the work is in these sums; both levels are made from their few rows.
    return ibis.union(
        _summed(known.ledger.filter(known.ledger.kind == "credit"), as_of=as_of),
        _summed(_refunds_when_bought(known), as_of=as_of),
    )


def _refunds_when_bought(known: Known) -> ir.Table:
    """One refund at the time of its conversion."""
    bought = known.purchases.filter(known.purchases.refunded_at.notnull()).select("purchase_id", "purchased_at")
    refunds = known.ledger.filter(known.ledger.kind == "refund").inner_join(bought, "purchase_id")
    return refunds.mutate(credited_at=refunds.purchased_at)


def _summed(entries: ir.Table, *, as_of: date) -> ir.Table:
    """One channel and campaign with the entries of one kind, by model and shortest window."""
    is_credit = entries.kind == "credit"
    rows = entries.mutate(last_window=last_window(entries.credited_at, as_of))
    summed = rows.group_by(["model", "channel", "campaign_id", "last_window"]).aggregate(
        parts=is_credit.ifelse((rows.share * float(PARTS)).round().cast("decimal(38, 0)"), 0).sum(),
        credited=is_credit.ifelse(rows.amount, 0).sum(),
        refunded=is_credit.ifelse(0, rows.amount).sum(),
    )
    return summed.mutate(revenue_cents=to_cents(summed.credited), refund_cents=-to_cents(summed.refunded)).drop(
        "credited", "refunded"
    )


def _assists(known: Known, *, as_of: date) -> ir.Table:
    """One channel or campaign: the conversions with one shortest window that have it in their path, but not last."""
    touches = credited_touches(known.journeys, known.journey_touches)
    when = known.purchases.select("purchase_id", last_window=last_window(known.purchases.purchased_at, as_of))
    placed = (
        touches.filter(touches.n > 1)
        .inner_join(when, "purchase_id")
        .select("journey_id", "channel", "campaign_id", "position", "n", "last_window")
    )
    by_level = _by_level(placed)
    is_last = by_level.position == by_level.n
    met = by_level.group_by(["journey_id", "level", "id", "last_window"]).aggregate(closes=is_last.cast("int64").max())
    assisting = met.filter(met.closes == 0)
    return assisting.group_by(["level", "id", "last_window"]).aggregate(assisted_conversions=assisting.count())


def _ids(known: Known, credit: ir.Table, *, as_of: date) -> ir.Table:
    """One channel or campaign seen before as_of."""
    until = moment(as_of)
    started = known.campaigns.filter(known.campaigns.starts_at < until).select("channel", "campaign_id")
    costs = known.campaign_costs
    spent = costs.filter(costs.spent_on < ibis.literal(as_of)).select("channel", "campaign_id")
    touched = known.touches.filter(known.touches.touched_at < until)
    # A touch alone makes its channel seen; a campaign counts once it has started, spent or earned.
    channels = ibis.union(
        known.journey_touches.select("channel"), touched.select("channel"), started.select("channel"),
        spent.select("channel"),
    )  # fmt: skip
    paid = touched.filter(touched.cost.notnull() & touched.campaign_id.notnull())
    campaigns = ibis.union(started.select("campaign_id"), spent.select("campaign_id"), paid.select("campaign_id"))
    always = known.campaigns.aggregate(_n=known.campaigns.count())
    return ibis.union(
        channels.filter(channels.channel.notnull()).select(level=ibis.literal(LEVELS[0]), id=channels.channel),
        campaigns.select(level=ibis.literal(LEVELS[1]), id=campaigns.campaign_id),
        credit.select("level", "id"),
        always.select(level=ibis.literal(LEVELS[0]), id=ibis.literal(DIRECT)),
        always.select(level=ibis.literal(LEVELS[1]), id=ibis.literal(NO_CAMPAIGN)),
        distinct=True,
    )


def _spent(known: Known, *, as_of: date) -> ir.Table:
    """One channel or campaign in one window: what it cost by ``campaign_costs`` and by the touches themselves."""
    costs = costs_before(known, as_of=as_of)
    touches = paid_touches_before(known, as_of=as_of)
    rows = ibis.union(
        costs.select(
            "channel",
            "campaign_id",
            last_window=last_window(costs.spent_on.cast("timestamp(6)"), as_of),
            campaign_cents=to_cents(costs.cost),
            touch_cents=ibis.literal(0, "int64"),
        ),
        touches.select(
            "channel",
            "campaign_id",
            last_window=last_window(touches.touched_at, as_of),
            campaign_cents=ibis.literal(0, "int64"),
            touch_cents=to_cents(touches.cost),
        ),
    )
    summed = rows.group_by(["channel", "campaign_id", "last_window"]).aggregate(
        campaign_cents=rows.campaign_cents.sum(), touch_cents=rows.touch_cents.sum()
    )
    return _over_windows(_by_level(summed), as_of=as_of)


def spending_known(known: Known, *, as_of: date) -> ir.Table:
    """One row: whether ``campaign_costs`` has a row before as_of, and whether a touch has a cost.

    Parameters
    ----------
    known
        The tables looked at.
    as_of
        Nothing from this UTC day on counts.
    """
    costs = costs_before(known, as_of=as_of)
    touches = paid_touches_before(known, as_of=as_of)
    return costs.aggregate(has_campaign_costs=costs.count() > 0).cross_join(
        touches.aggregate(has_touch_costs=touches.count() > 0)
    )


def costs_before(known: Known, *, as_of: date) -> ir.Table:
    """One campaign's spending on one channel and day before as_of.

    Parameters
    ----------
    known
        The tables looked at.
    as_of
        Nothing from this UTC day on counts.
    """
    return known.campaign_costs.filter(known.campaign_costs.spent_on < ibis.literal(as_of))


def paid_touches_before(known: Known, *, as_of: date) -> ir.Table:
    """One touch before as_of whose cost is known.

    Parameters
    ----------
    known
        The tables looked at.
    as_of
        Nothing from this UTC day on counts.
    """
    return known.touches.filter((known.touches.touched_at < moment(as_of)) & known.touches.cost.notnull())
