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
        AS_OF,
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

TABLES = (SEGMENTS, SEGMENT_PROFILES)
