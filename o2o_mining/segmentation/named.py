"""Each customer with scores and named segment, and each segment as a whole."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from o2o_mining.engine.portable import share
from o2o_mining.segmentation.lifecycle import lifecycle_stages
from o2o_mining.segmentation.migration import memberships
from o2o_mining.segmentation.names import score_rectangles
from o2o_mining.segmentation.rfm import rfm_scores

if TYPE_CHECKING:
    import ibis.expr.types as ir

_PROFILED = (
    "scheme", "segment_code", "customers", "share", "median_recency_days", "mean_frequency", "mean_monetary",
    "revenue_share",
)  # fmt: skip
_SCORED = ("recency_days", "frequency", "monetary", "r_score", "f_score", "m_score")


def segments(
    purchases: ir.Table, customers: ir.Table, clusters: ir.Table | None = None, *, as_of: date, bins: int = 5
) -> ir.Table:
    """One customer who bought before as_of or could have: scores, named segment, cluster and stage.

    Parameters
    ----------
    purchases
        As ``rfm_scores`` takes them.
    customers
        ``customer_id`` of everybody known before as_of.
    clusters
        ``customer_id`` and ``cluster`` of those who have one.
    as_of
        Uses what was known before this UTC day.
    bins
        Number of scores.

    Returns
    -------
    ibis.Table
        The columns of ``segments`` without as_of, still without segments by rule. Who has not bought is a prospect:
        frequency 0, without scores, segment and cluster.
    """
    scored = rfm_scores(purchases, as_of=as_of, bins=bins)
    prospects = (
        customers.select("customer_id")
        .anti_join(scored, "customer_id")
        .mutate(
            recency_days=ibis.null("int64"),
            frequency=ibis.literal(0, "int64"),
            monetary=ibis.null(scored.monetary.type()),
            r_score=ibis.null("int64"),
            f_score=ibis.null("int64"),
            m_score=ibis.null("int64"),
        )
    )
    everybody = scored.select("customer_id", *_SCORED).union(prospects.select("customer_id", *_SCORED))
    staged = everybody.left_join(lifecycle_stages(purchases, as_of=as_of), "customer_id").drop("customer_id_right")
    if clusters is not None:
        staged = staged.left_join(clusters.select("customer_id", "cluster"), "customer_id").drop("customer_id_right")
    return staged.select(
        "customer_id",
        *_SCORED,
        "silence_probability",
        "lapsing_after_days",
        segment_code=_segment_code(staged.r_score, staged.f_score, bins=bins),
        cluster=ibis.null("string") if clusters is None else staged.cluster,
        lifecycle_stage=staged.lifecycle_stage.fill_null("prospect"),
        rule_segments=ibis.literal([], type="array<string>"),
    )


def _segment_code(r_score: ir.IntegerValue, f_score: ir.IntegerValue, *, bins: int) -> ir.StringValue:
    """Return the named segment; null without scores."""
    branches = [
        (r_score.between(at.r_low, at.r_high) & f_score.between(at.f_low, at.f_high), ibis.literal(code))
        for code, at in score_rectangles(bins)
    ]
    return ibis.cases(*branches, else_=ibis.null("string"))


def segment_profiles(segments: ir.Table, *, bins: int = 5) -> ir.Table:
    """One segment as a whole; of the RFM segments also the cut points of the scores.

    Parameters
    ----------
    segments
        The rows of one as_of.
    bins
        Number of scores, as the segments were made with.

    Returns
    -------
    ibis.Table
        The columns of ``segment_profiles`` without as_of, stability and traits. Shares are of the customers who are in
        any segment of the scheme, and of their money. A segment in which nobody has bought has no recency and no row.
    """
    named = segments.filter(segments.segment_code.notnull())
    cuts = named.aggregate(named_customers=named.count(), **_cuts(named, bins=bins))
    rfm = _profiled(segments, "rfm").cross_join(cuts)
    rfm = rfm.select(
        *_PROFILED,
        recency_cuts=_cut_points(rfm, "recency", bins=bins),
        frequency_cuts=_cut_points(rfm, "frequency", bins=bins),
        monetary_cuts=ibis.ifelse(
            rfm.monetary_cut_2.notnull(), _cut_points(rfm, "monetary", bins=bins), ibis.null("array<float64>")
        ),
    )
    nothing = {name: ibis.null("array<float64>") for name in ("recency_cuts", "frequency_cuts", "monetary_cuts")}
    others = [_profiled(segments, scheme).select(*_PROFILED, **nothing) for scheme in ("cluster", "lifecycle", "rule")]
    return ibis.union(rfm, *others)


def _profiled(segments: ir.Table, scheme: str) -> ir.Table:
    """One segment of a scheme: size, recency, frequency and money."""
    members = memberships(segments, scheme).rename(segment_code="code")
    known = segments.select("customer_id", "recency_days", "frequency", "monetary")
    named = members.inner_join(known, "customer_id")
    # The middle of those who have bought: of an odd number the middle row, of an even one the two middle rows.
    bought = named.recency_days.notnull()
    order = [named.recency_days.isnull(), named.recency_days, named.customer_id]
    place = ibis.row_number().over(group_by=named.segment_code, order_by=order)
    size = bought.cast("int64").sum().over(group_by=named.segment_code)
    # 2 * place is n - 1, or n - 2 and n.
    placed = named.mutate(is_middle=bought & (2 * place - size).between(-2, 0))
    groups = placed.group_by("segment_code").aggregate(
        customers=placed.count(),
        middle_days=placed.recency_days.sum(where=placed.is_middle),
        middle_rows=placed.is_middle.cast("int64").sum(),
        purchases=placed.frequency.sum(),
        money=placed.monetary.sum(),
        money_known=placed.monetary.count(),
    )
    everybody = known.semi_join(members, "customer_id")
    whole = everybody.aggregate(all_customers=everybody.count(), all_money=everybody.monetary.sum())
    rows = groups.filter(groups.middle_rows > 0).cross_join(whole)
    return rows.select(
        "segment_code",
        "customers",
        scheme=ibis.literal(scheme),
        share=share(rows.customers, rows.all_customers),
        median_recency_days=share(rows.middle_days, rows.middle_rows),
        mean_frequency=share(rows.purchases, rows.customers),
        mean_monetary=share(rows.money, rows.money_known),
        revenue_share=share(rows.money.fill_null(0), rows.all_money),
    )


def _cuts(named: ir.Table, *, bins: int) -> dict[str, ir.Value]:
    """Return aggregates for the cut of each score from 2 to bins.

    The cut of a score is the worst value that scores at least as high, so a score that nobody has repeats the cut of
    the next one. Above the highest score that anybody has, it is one step better than the best value. So
    1 + the number of cuts reached gives back every score.
    """
    cent = ibis.literal("0.01").cast(named.monetary.type())
    cuts: dict[str, ir.Value] = {}
    for score in range(2, bins + 1):
        cuts[f"recency_cut_{score}"] = ibis.coalesce(
            named.recency_days.max(where=named.r_score >= score), named.recency_days.min() - 1
        )
        cuts[f"frequency_cut_{score}"] = ibis.coalesce(
            named.frequency.min(where=named.f_score >= score), named.frequency.max() + 1
        )
        cuts[f"monetary_cut_{score}"] = ibis.coalesce(
            named.monetary.min(where=named.m_score >= score), named.monetary.max() + cent
        )
    return cuts


def _cut_points(rows: ir.Table, what: str, *, bins: int) -> ir.ArrayValue:
    """Return the cuts of the scores from 2 to bins as one list."""
    return ibis.array([rows[f"{what}_cut_{score}"].cast("float64") for score in range(2, bins + 1)])
