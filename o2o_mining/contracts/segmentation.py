"""Segments of customers."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF, CUSTOMER

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

SCHEMES = ("rfm", "cluster", "lifecycle", "rule")

SEGMENTS = Table(
    name="segments",
    room="segmentation",
    kind=Kind.MINED,
    row="The segments of one customer.",
    columns=(
        AS_OF,
        CUSTOMER,
        _opt("recency_days", "int", "Days from the UTC day of the last purchase to as_of."),
        Column("frequency", "int", "Number of purchases.", low=0),
        _opt("monetary", "money", "Sum of net amounts; null if no amount is known."),
        _opt("r_score", "int", "Rank of recency; the best is the number of bins.", low=1),
        _opt("f_score", "int", "Rank of frequency.", low=1),
        _opt("m_score", "int", "Rank of monetary.", low=1),
        _opt("segment_code", "text", "Named RFM segment."),
        _opt("cluster", "text", "Behavioural cluster; null with fewer than five purchases."),
        _opt("lifecycle_stage", "text", "Stage in the customer's life."),
        Column("rule_segments", "codes", "Segments by rule that the customer is in, sorted."),
        _opt(
            "silence_probability", "double", "Chance that a gap of the customer's own outlasts recency.", low=0, high=1
        ),
        _opt(
            "lapsing_after_days", "double", "Days without a purchase from which the customer counts as lapsing.", low=0
        ),
    ),
)

SEGMENT_PROFILES = Table(
    name="segment_profiles",
    room="segmentation",
    kind=Kind.MINED,
    row="One segment as a whole.",
    columns=(
        AS_OF,
        _key("scheme", "text", "How the segment is made.", allowed=SCHEMES),
        _key("segment_code", "text", "The segment."),
        Column("customers", "int", "Customers in it.", low=1),
        Column("share", "double", "Share of the customers of the scheme.", low=0, high=1),
        Column("median_recency_days", "double", "Median of recency."),
        Column("mean_frequency", "double", "Mean number of purchases."),
        _opt("mean_monetary", "double", "Mean of monetary, where known."),
        _opt("revenue_share", "double", "Share of all net revenue."),
        _opt("stability", "double", "Mean adjusted Rand index of all clusters of the day over bootstraps."),
        _opt("recency_cuts", "numbers", "Largest recency of each score above the first, in days."),
        _opt("frequency_cuts", "numbers", "Smallest frequency of each score above the first."),
        _opt("monetary_cuts", "numbers", "Smallest monetary of each score above the first."),
        _opt("stability_code", "text", "Says stable where stability is 0.7 or more, else not_stable."),
        _opt(
            "traits", "codes", "What sets a cluster apart: habit, high or low, its mean, and the mean of all clustered."
        ),
    ),
)

SEGMENT_MIGRATION = Table(
    name="segment_migration",
    room="segmentation",
    kind=Kind.MINED,
    row="The customers who were in one segment on the day mined before, and are in another now.",
    columns=(
        AS_OF,
        _key("previous_as_of", "date", "The last day before as_of that the home held."),
        _key("scheme", "text", "How the segment is made."),
        _key("from_code", "text", "The segment before; (none) for who was in none."),
        _key("to_code", "text", "The segment now; (none) for who is in none."),
        Column("customers", "int", "Customers who made this move or stayed.", low=1),
    ),
)

CLUSTER_CENTRES = Table(
    name="cluster_centres",
    room="segmentation",
    kind=Kind.MINED,
    row="One cluster's place in one habit: all that it takes to assign new customers without fitting anew.",
    columns=(
        AS_OF,
        _key("segment_code", "text", "The cluster."),
        _key("feature", "text", "The habit: a feature, or category/ and a category's share of purchases."),
        Column("centre", "double", "The cluster's centre on the common scale."),
        _opt("population", "double", "Share of all purchases, which shares of few purchases are drawn towards."),
        Column("fill", "double", "Median, for what is missing."),
        Column("is_log", "boolean", "Whether the signed logarithm is taken."),
        Column("location", "double", "Mean."),
        Column("scale", "double", "Standard deviation."),
        Column("weight", "double", "How much the habit counts.", low=0),
        Column("mean", "double", "Mean of the cluster's customers, as it was seen."),
        Column("everybody", "double", "Mean of all customers with a cluster."),
        Column("difference", "double", "Between both, in standard deviations."),
        _opt("stability", "double", "Mean adjusted Rand index of all clusters over bootstraps."),
    ),
)

TABLES = (SEGMENTS, SEGMENT_PROFILES, SEGMENT_MIGRATION, CLUSTER_CENTRES)
