"""What campaigns brought."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts import events
from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

MODELS = (*events.TOUCH_MODELS, "markov", "shapley", "calibrated")
# The id of what is credited to no campaign.
NO_CAMPAIGN = "(none)"

CAMPAIGN_ATTRIBUTION = Table(
    name="campaign_attribution",
    room="attribution",
    kind=Kind.MINED,
    row="What one model credits to one channel or campaign in one window.",
    columns=(
        AS_OF,
        _key("window_start", "date", "First day of the window."),
        _key("window_end", "date", "Day after the window; as_of."),
        _key("model", "text", "The model.", allowed=MODELS),
        _key("level", "text", "What is credited.", allowed=("channel", "campaign")),
        _key("id", "text", "Channel, campaign_id or (none)."),
        Column("lookback_days", "int", "How far back touches count."),
        Column("conversions", "double", "Conversions credited."),
        Column("revenue", "money", "Money paid, credited."),
        Column("refunds", "money", "Money given back of it, positive."),
        Column("net_revenue", "money", "Revenue less refunds."),
        _opt("cost", "money", "Money spent in the window."),
        _opt("roas", "double", "Net revenue per money spent; null where nothing was spent."),
        _opt("cpa", "double", "Money spent per conversion; null where nothing was spent or nothing converted."),
        Column("assisted_conversions", "int", "Conversions in whose path it occurs but is not last."),
        Column("share", "double", "Share of the model's conversions.", low=0, high=1),
    ),
    checks=(
        Check(
            "net_is_revenue_less_refunds",
            "net_revenue = revenue - refunds",
            lambda t: t.net_revenue != t.revenue - t.refunds,
        ),
    ),
)

TABLES = (CAMPAIGN_ATTRIBUTION,)
