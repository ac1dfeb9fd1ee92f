"""Tables that are mined as of a date, and the working tables they are mined from."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts import events
from o2o_mining.contracts.features import FEATURES
from o2o_mining.contracts.schema import Check, Column, Kind, Table

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

_AS_OF = Column("as_of", "date", "Uses only what was known before this UTC day.", key=True)
_CUSTOMER = Column("customer_id", "id", "The customer.", key=True)

MODELS = (*events.TOUCH_MODELS, "markov", "shapley", "calibrated")
# The id of what is credited to no campaign.
NO_CAMPAIGN = "(none)"
SCHEMES = ("rfm", "cluster", "lifecycle", "rule")

CUSTOMER_FEATURES = Table(
    name="customer_features",
    room="marts",
    kind=Kind.MINED,
    row="What was known of one customer before as_of.",
    columns=(_AS_OF, _CUSTOMER, *FEATURES),
)

SEGMENTS = Table(
    name="segments",
    room="segmentation",
    kind=Kind.MINED,
    row="The segments of one customer.",
    columns=(
        _AS_OF,
        _CUSTOMER,
        _opt("recency_days", "int", "Days from the UTC day of the last purchase to as_of."),
        Column("frequency", "int", "Number of purchases.", low=0),
        _opt("monetary", "money", "Sum of net amounts; null if no amount is known."),
        _opt("r_score", "int", "Rank of recency; the best is the number of bins.", low=1),
        _opt("f_score", "int", "Rank of frequency.", low=1),
        _opt("m_score", "int", "Rank of monetary.", low=1),
        _opt("segment_code", "text", "Named RFM segment."),
        _opt("cluster", "text", "Behavioural cluster."),
        _opt("lifecycle_stage", "text", "Stage in the customer's life."),
        Column("rule_segments", "codes", "Segments by rule that the customer is in."),
    ),
)

SEGMENT_PROFILES = Table(
    name="segment_profiles",
    room="segmentation",
    kind=Kind.MINED,
    row="One segment as a whole.",
    columns=(
        _AS_OF,
        _key("scheme", "text", "How the segment is made.", allowed=SCHEMES),
        _key("segment_code", "text", "The segment."),
        Column("customers", "int", "Customers in it.", low=1),
        Column("share", "double", "Share of the customers of the scheme.", low=0, high=1),
        Column("median_recency_days", "double", "Median of recency."),
        Column("mean_frequency", "double", "Mean number of purchases."),
        _opt("mean_monetary", "double", "Mean of monetary, where known."),
        _opt("revenue_share", "double", "Share of all net revenue."),
        _opt("stability", "double", "Mean adjusted Rand index over bootstraps."),
        _opt("recency_cuts", "numbers", "Largest recency of each score above the first, in days."),
        _opt("frequency_cuts", "numbers", "Smallest frequency of each score above the first."),
        _opt("monetary_cuts", "numbers", "Smallest monetary of each score above the first."),
    ),
)

CAMPAIGN_ATTRIBUTION = Table(
    name="campaign_attribution",
    room="attribution",
    kind=Kind.MINED,
    row="What one model credits to one channel or campaign in one window.",
    columns=(
        _AS_OF,
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

KNOWN_CUSTOMERS = Table(
    name="known_customers",
    room="marts",
    kind=Kind.WORKING,
    row="One customer known before as_of: of the feed customers, or, where that feed is missing, of any feed.",
    columns=(_AS_OF, _CUSTOMER),
)

KNOWN = (
    *(
        events.as_known(table)
        for table in (events.PURCHASES, events.JOURNEYS, events.JOURNEY_TOUCHES, events.COUPON_LIFECYCLE)
    ),
    KNOWN_CUSTOMERS,
)

RESTATEMENTS = Table(
    name="restatements",
    room="marts",
    kind=Kind.MINED,
    row="One published value of a table of events that the run for as_of tells otherwise.",
    columns=(
        _AS_OF,
        _key("table", "text", "The table."),
        _key("key", "text", "The row's key."),
        _key("column", "text", "The column, or (row) for a row that came late or was withdrawn."),
        _opt("old", "text", "What was published; it may be the id of a person.", personal=True),
        _opt("new", "text", "What is told now.", personal=True),
        Column(
            "cause",
            "text",
            "What changed it: late_row, withdrawn, correction, refund, cancellation, consumption, touch, use, state.",
        ),
    ),
)

TABLES = (*KNOWN, CUSTOMER_FEATURES, SEGMENTS, SEGMENT_PROFILES, CAMPAIGN_ATTRIBUTION, RESTATEMENTS)
